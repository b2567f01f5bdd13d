"""Findings as people see them, by rule and subject."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from meterctl.utility.model.agreement import Agreement
from meterctl.utility.model.metering import Finding, FindingState, Meter
from meterctl.utility.model.organisation import Organisation
from meterctl.utility.model.party import SupplyPoint
from meterctl.utility.rules.rights import Action
from meterctl.utility.rules.typed_text import whole
from meterctl.utility.store.findings import FindingRule
from meterctl.utility.store.queries.agreements import find_agreement
from meterctl.utility.store.queries.organisation import company, find_node
from meterctl.utility.store.rights import is_within, require_anywhere
from meterctl.utility.store.unit_of_work import Actor


def list_(
    session: Session,
    actor: Actor,
    *,
    node: str | None = None,
    agreement: str | None = None,
    rule: FindingRule | None = None,
    ended: bool = False,
    after: str | None = None,
    limit: int = 100,
) -> list[dict[str, Any]]:
    """Return findings of the person's nodes, the newest first; those of none are the company's.

    Args:
        node: only those at this node and below; `agreement`: only those about this one.
        ended: those that are not open any more, too.
        after: number of a finding: only older ones.

    Raises:
        NotFound: there is no such node or agreement.
        Invalid: `after` is no number of a finding.
    """
    require_anywhere(actor, Action.CUSTOMER_READ)
    rows = (
        select(Finding, Agreement.number, Meter.serial)
        .outerjoin(Agreement, Agreement.id == Finding.agreement_id)
        .outerjoin(SupplyPoint, SupplyPoint.id == Agreement.point_id)
        .outerjoin(Organisation, Organisation.id == SupplyPoint.node_id)
        .outerjoin(
            Meter,
            (Finding.subject_kind == Meter.__tablename__) & (Meter.id == Finding.subject_id),
        )
    )
    within = is_within(actor, Action.CUSTOMER_READ)
    if actor.may(Action.CUSTOMER_READ, company(session).path):
        within = or_(within, Finding.agreement_id.is_(None))
    rows = rows.where(within)
    if node is not None:
        below = find_node(session, node).path
        rows = rows.where(Organisation.path.startswith(below, autoescape=True))
    if agreement is not None:
        rows = rows.where(Finding.agreement_id == find_agreement(session, agreement).id)
    if rule is not None:
        rows = rows.where(Finding.rule == rule)
    if not ended:
        rows = rows.where(Finding.state == FindingState.OPEN)
    if after is not None:
        rows = rows.where(Finding.id < whole(after.upper().removeprefix("F"), "after"))
    found = session.execute(rows.order_by(Finding.id.desc()).limit(limit))
    return [_values(row, agreement, meter) for row, agreement, meter in found]


def _values(row: Finding, agreement: str | None, meter: str | None) -> dict[str, Any]:
    differ = json.loads(row.value) if row.rule == FindingRule.TERMS_DIFFER else []
    return {
        "finding": f"F{row.id}",
        "rule": row.rule,
        "state": row.state.value,
        "subject": f"{row.subject_kind}/{row.subject_id}",
        "agreement": agreement,
        "meter": meter,
        "value": row.value,
        "limit": row.limit_value,
        "note": row.note,
        "differences": differ,
        "first_seen_at": row.first_seen,
        "last_seen_at": row.last_seen,
    }
