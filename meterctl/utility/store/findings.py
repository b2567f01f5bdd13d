"""Findings: one row a rule and subject while it is open (UTILITY 6 S16)."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

from sqlalchemy import select

from meterctl.utility.model.agreement import Agreement
from meterctl.utility.model.base import Base
from meterctl.utility.model.metering import Finding, FindingState, Meter
from meterctl.utility.model.party import SupplyPoint
from meterctl.utility.model.work import TaskKind
from meterctl.utility.rules.rights import Role
from meterctl.utility.store.tasks import open_task
from meterctl.utility.store.unit_of_work import UnitOfWork

STOPPED_DAYS = 1
"""Days within which two persons look at a meter to which nothing more is sold."""


class FindingRule(StrEnum):
    """Rules of this part."""

    SET_BACK = "set_back"
    """A value fell that was proved before, within one epoch."""
    EPOCH_CHANGED = "epoch_changed"
    """The meter has another storage than the one that is booked."""
    UNKNOWN_CREDIT = "unknown_credit"
    """The meter accepted credit that no sale of ours explains."""
    BOOKS_DIFFER = "books_differ"
    """The meter's balances are not those of its accounts (I3)."""
    PROOF_AGAINST_END = "proof_against_end"
    """A proof says the contrary of how a sale had ended."""
    TERMS_DIFFER = "terms_differ"
    """The meter is set otherwise than its agreement says."""


def open_finding(work: UnitOfWork, rule: FindingRule, subject: Base) -> Finding | None:
    """Return the open finding of a rule about a subject; None: there is none."""
    return work.session.scalars(
        select(Finding).where(
            Finding.rule == rule,
            Finding.subject_kind == subject.__tablename__,
            Finding.subject_id == subject.id,  # type: ignore[attr-defined]
            Finding.state == FindingState.OPEN,
        )
    ).one_or_none()


def note_finding(
    work: UnitOfWork,
    rule: FindingRule,
    subject: Base,
    agreement_id: int | None,
    value: str,
    limit: str,
    note: str,
) -> Finding:
    """Write down a finding; where it is open already, what is found now stands in it.

    The caller has locked the subject, so that no other one writes the same finding.
    """
    row = open_finding(work, rule, subject)
    told = {"value": value, "limit_value": limit, "note": note}
    if row is None:
        row = work.add(
            Finding(
                rule=rule,
                subject_kind=subject.__tablename__,
                subject_id=subject.id,  # type: ignore[attr-defined]
                agreement_id=agreement_id,
                state=FindingState.OPEN,
                first_seen=work.now,
                last_seen=work.now,
                **told,
            )
        )
        work.audit("finding", row, None, {"rule": rule, **told})
        return row
    before = {name: getattr(row, name) for name in told}
    row.value, row.limit_value, row.note, row.last_seen = value, limit, note, work.now
    work.session.flush()
    if before != told:
        work.audit("finding_again", row, before, told)
    return row


def end_finding(work: UnitOfWork, rule: FindingRule, subject: Base) -> None:
    """End the open finding of a rule about a subject, if there is one: it is no longer so."""
    row = open_finding(work, rule, subject)
    if row is not None:
        row.state = FindingState.ENDED
        work.session.flush()
        work.audit("finding_ended", row, {"state": FindingState.OPEN}, {"state": row.state})


def stop_meter(
    work: UnitOfWork,
    meter: Meter,
    rule: FindingRule,
    agreement_id: int | None,
    value: str,
    limit: str,
    note: str = "",
) -> Finding:
    """Stop sales to a meter: a finding, and a task for the head of its agreement's station.

    The caller has locked the meter.
    """
    before, meter.stopped = meter.stopped, str(rule)
    work.session.flush()
    if before != meter.stopped:
        work.audit("meter_stopped", meter, {"stopped": before}, {"stopped": meter.stopped}, note)
    if agreement_id is not None:
        agreement = work.session.get_one(Agreement, agreement_id)
        point = work.session.get_one(SupplyPoint, agreement.point_id)
        due_on = work.today + timedelta(STOPPED_DAYS)
        open_task(work, TaskKind.SET_BACK, meter, point.node_id, Role.STATION_HEAD, due_on)
    return note_finding(work, rule, meter, agreement_id, value, limit, note)
