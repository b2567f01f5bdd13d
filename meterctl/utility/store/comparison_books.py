"""The comparison of agreement and meter, every night from 02:00 (UTILITY 6 S3).

An order reads what a meter is set to; in the transaction that ends it, its settings are compared
with the terms in force. Differences are one open finding `terms_differ` of the meter, which the
next comparison without one ends. A meter that does not answer keeps its finding.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Select, String, bindparam, cast, exists, literal, select
from sqlalchemy.orm import Session

from meterctl.utility.model.agreement import Agreement, AgreementMode, AgreementVersion
from meterctl.utility.model.metering import Installation, Meter
from meterctl.utility.model.work import Order, OrderKind
from meterctl.utility.rules.calendar import Night
from meterctl.utility.rules.terms import Difference, differences, settings_read, terms_of_json
from meterctl.utility.rules.transitions import AgreementState, CommandState, VersionState
from meterctl.utility.store.findings import FindingRule, end_finding, note_finding
from meterctl.utility.store.queries.agreements import active_version, unfinished_version
from meterctl.utility.store.queries.orders import NOT_DONE
from meterctl.utility.store.queries.points import meter_at_point
from meterctl.utility.store.statements import Prepared, insert_if_absent, rows_of
from meterctl.utility.store.unit_of_work import UnitOfWork
from protocols.quantities import HOUR

COMPARE = "compare"
"""Parameter of an order whose read settings are compared with the terms in force."""
READ_SETTINGS: Mapping[str, Any] = {"terms": True, COMPARE: True}
"""Parameters of an order that reads what its meter is set to, to compare it."""
_OF_NIGHT = "comparison/"
TRIED_MS = 4 * HOUR
"""How long a meter is asked that does not answer, ms: the next night asks again."""
_NEW_ORDER = {
    engine: Prepared(statement.returning(rows_of(Order).c.id))
    for engine, statement in insert_if_absent(Order).items()
}


def comparable(before: int | None = None) -> Select[int, int, str]:
    """Return the statement for agreements in force, each with the meter that a wire reaches.

    Its rows are the numbers of agreement and meter, and the meter's serial number. A meter that is
    stopped, and one of which a comparison is under way (parameter `now`), is left out.

    Args:
        before: only meters that were installed before this instant.
    """
    live = select(Order.meter_id).where(
        Order.command_state.in_(NOT_DONE),
        Order.parameters[COMPARE].as_boolean().is_not(None),
        Order.expires.is_(None) | (Order.expires > bindparam("now")),
    )
    rows = (
        select(Agreement.id.label("agreement"), Meter.id.label("meter"), Meter.serial)
        .join(Installation, Installation.point_id == Agreement.point_id)
        .join(Meter, Meter.id == Installation.meter_id)
        .where(
            Agreement.state == AgreementState.ACTIVE,
            Installation.to_at.is_(None),
            Meter.port_id.is_not(None),
            Meter.stopped.is_(None),
            Meter.id.not_in(live),
        )
        .order_by(Agreement.id)
    )
    return rows if before is None else rows.where(Installation.from_at < before)


def due_tonight(session: Session, night: Night, now: int) -> Sequence[Any]:
    """Return the rows of `comparable` of which no comparison is ordered in a night."""
    wanted = comparable(night.at).where(~_is_ordered(night.on))
    return session.execute(wanted, {"now": now}).all()


def order_night(work: UnitOfWork, night: Night, rows: Sequence[Any]) -> None:
    """Order comparisons of a night; of two workers one orders each."""
    for row in rows:
        key = f"{_prefix(night.on)}{row.agreement}"
        add_comparison(work, key, row, expires=work.now + TRIED_MS)


def add_comparison(work: UnitOfWork, key: str, row: Any, expires: int | None = None) -> None:
    """Order the comparison of a row of `comparable`, once for its key."""
    values = {
        "key": key, "meter_id": row.meter, "agreement_id": row.agreement,
        "agreement_version_id": None, "sale_id": None, "kind": OrderKind.READ,
        "parameters": dict(READ_SETTINGS), "credit_state": None,
        "command_state": CommandState.QUEUED, "tries": 0, "not_before": work.now,
        "expires": expires, "worker_id": None, "journal_entry": None, "outcome": None,
        "cause": "", "made_at": work.now, "changed_at": work.now, "staff_id": work.actor.staff_id,
    }  # fmt: skip
    number = _NEW_ORDER[work.connection.dialect.name].value(work.connection, values)
    if number is not None:
        told = {"kind": OrderKind.READ, "meter": row.serial, **READ_SETTINGS}
        work.audit("order", Order(id=number), None, told)


def done(work: UnitOfWork, order: Order) -> None:
    """Compare what an order has read or set with the terms in force, if it is one for that.

    Nothing is concluded while another version is on its way to the meter, or where the meter is at
    another point by now. The caller holds the agreement, the meter and the order.
    """
    outcome = order.outcome or {}
    is_read = order.command_state is CommandState.DONE and "settings" in outcome
    if COMPARE not in order.parameters or not is_read or order.agreement_id is None:
        return
    agreement = work.session.get_one(Agreement, order.agreement_id)
    meter = meter_at_point(work.session, agreement.point_id)
    version = active_version(work.session, agreement.id)
    if version is None or meter is None or meter.id != order.meter_id:
        return
    coming = unfinished_version(work.session, agreement.id)
    if coming is not None and coming.state is VersionState.PROVISIONING:
        return
    in_meter = agreement.mode is AgreementMode.METER
    read = settings_read(outcome["settings"])
    found = differences(terms_of_json(version.terms), read, in_meter=in_meter)
    if found:
        _note(work, meter, version, found)
    else:
        end_finding(work, FindingRule.TERMS_DIFFER, meter)


def _note(
    work: UnitOfWork, meter: Meter, version: AgreementVersion, found: list[Difference]
) -> None:
    """Note the terms that differ: as JSON with both values each, and in words."""
    rows = [{"term": each.name, "agreed": each.agreed, "meter": each.found} for each in found]
    told = "; ".join(
        f"{each.name}: agreed {each.agreed}, meter {each.found or 'does not show it'}"
        for each in found
    )
    note_finding(
        work, FindingRule.TERMS_DIFFER, meter, version.agreement_id,
        json.dumps(rows, ensure_ascii=False), f"version {version.n}", told,
    )  # fmt: skip


def is_of_night(key: str) -> bool:
    """Return whether an order's key is that of a comparison which a night ordered."""
    return key.startswith(_OF_NIGHT)


def _prefix(on: date) -> str:
    return f"{_OF_NIGHT}{on.isoformat()}/"


def _is_ordered(on: date) -> ColumnElement[bool]:
    """Return the condition that an agreement's comparison of a night is ordered."""
    key = literal(_prefix(on)) + cast(Agreement.id, String)
    return exists().where(Order.key == key)
