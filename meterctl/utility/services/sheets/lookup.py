"""Sheets for those who may see them: of a date, of the company or a node of it; of a shift."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from meterctl.utility.errors import NotFound, NotPermitted
from meterctl.utility.model.money import Day, Shift
from meterctl.utility.model.organisation import Organisation, OrganisationKind, Staff
from meterctl.utility.rules.calendar import DateEnd
from meterctl.utility.rules.rights import Action
from meterctl.utility.services.sheets.day import day_figures, kept_figures
from meterctl.utility.services.sheets.figures import DaySheet, SealFigures, ShiftSheet
from meterctl.utility.services.sheets.shift import shift_figures
from meterctl.utility.store.queries.organisation import codes_of_paths, company, find_node
from meterctl.utility.store.rights import paths, require_anywhere
from meterctl.utility.store.unit_of_work import Actor


def day_sheet(
    session: Session, actor: Actor, now: int, end: DateEnd, node: str | None = None
) -> tuple[DaySheet, SealFigures | None]:
    """Return the figures of a date: of a closed one as they were sealed, with the seal.

    Args:
        node: code of the node whose part is wanted, from the books as they stand and without the
            seal, which is that of the whole company; None: the company.

    Raises:
        NotPermitted: the person may not see the sheets of the node.
        NotFound: nothing was booked on the date, or there is no such node.
    """
    of = company(session) if node is None else find_node(session, node)
    _require(session, actor, of)
    kept = kept_figures(session, end.on)
    if of.kind is not OrganisationKind.COMPANY:
        return day_figures(session, now, end, of), None
    if kept is None:
        return day_figures(session, now, end), None
    sheet, close = kept
    closed_by = "worker"
    if close.staff_id is not None:
        closed_by = session.scalars(select(Staff.number).where(Staff.id == close.staff_id)).one()
    return sheet, SealFigures(
        closed_at=close.closed_at,
        closed_by=closed_by,
        previous_seal=close.previous_seal,
        seal=close.seal,
    )


def dates_of(session: Session, actor: Actor, limit: int) -> list[dict[str, Any]]:
    """Return the newest dates of the books, each with whether it is open or closed.

    Raises:
        NotPermitted: no role of the person's sees sheets.
    """
    require_anywhere(actor, Action.SHEET_READ)
    rows = session.execute(select(Day.on, Day.state).order_by(Day.on.desc()).limit(limit))
    return [{"on": on.isoformat(), "state": state.value} for on, state in rows]


def shift_sheet(session: Session, actor: Actor, now: int, number: str) -> ShiftSheet:
    """Return the figures of a shift by its number.

    Raises:
        NotFound: there is no such shift.
        NotPermitted: no role of the person's sees sheets at its node.
    """
    shift = session.scalars(select(Shift).where(Shift.number == number)).one_or_none()
    if shift is None:
        raise NotFound("no_shift", f"there is no shift {number!r}")
    _require(session, actor, session.get_one(Organisation, shift.node_id))
    return shift_figures(session, now, shift)


def _require(session: Session, actor: Actor, node: Organisation) -> None:
    """Refuse a sheet that the person may not see; the refusal names the node, and where they may.

    Raises:
        NotPermitted: no grant allows it there.
    """
    if actor.may(Action.SHEET_READ, node.path):
        return
    where = codes_of_paths(session, paths(actor, Action.SHEET_READ))
    if not where:
        raise actor.refusal(Action.SHEET_READ)
    named = ", ".join(where)
    raise NotPermitted(
        "not_allowed",
        f"{actor.number} may not see sheets of node {node.code} ({node.name}), but those of "
        f"{named} and below: `sheet day --node {where[0]}`; nothing was changed",
    )
