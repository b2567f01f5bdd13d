"""The audit, as people look it up."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from meterctl.utility.model.evidence import Audit
from meterctl.utility.model.organisation import Staff


def newest(
    session: Session,
    limit: int,
    *,
    subject: str | None = None,
    staff: str | None = None,
    action: str | None = None,
    before: int | None = None,
) -> list[tuple[Audit, str | None]]:
    """Return audit rows, the newest first, each with the number of who acted (None: the desk).

    Args:
        subject: table and number of a row, as "sale/17".
        staff: number of who acted.
        action: word of the action.
        before: number of a row: only older ones.
    """
    rows = select(Audit, Staff.number).outerjoin(Staff, Staff.id == Audit.staff_id)
    if subject is not None:
        rows = rows.where(Audit.subject == subject)
    if staff is not None:
        rows = rows.where(Staff.number == staff)
    if action is not None:
        rows = rows.where(Audit.action == action)
    if before is not None:
        rows = rows.where(Audit.id < before)
    found = session.execute(rows.order_by(Audit.id.desc()).limit(limit))
    return [(row, number) for row, number in found]
