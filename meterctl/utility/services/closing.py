"""Closing a date: its shifts are cashed up, its books are summed and sealed (UTILITY 2, 4)."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import select

from meterctl.utility.errors import Refused
from meterctl.utility.model.money import DayClose, Shift
from meterctl.utility.rules.calendar import end_of
from meterctl.utility.rules.rights import Action
from meterctl.utility.rules.transitions import ShiftState
from meterctl.utility.services.sheets.day import day_figures
from meterctl.utility.store import day_books, seals
from meterctl.utility.store.queries.organisation import company
from meterctl.utility.store.unit_of_work import UnitOfWork


def close_day(work: UnitOfWork, *, on: date) -> dict[str, Any]:
    """Close a date of the books for ever.

    Dates before it on which nothing was booked are closed with it. Bookings on the date that are
    under way are waited for; later ones go to the next open date.

    Returns:
        `on`, `entries`, `transfers`, `balances`, `also_closed`, `broken` (violations of invariants
        that the sheet names), `seal`.

    Raises:
        NotPermitted: the person is no accountant of the company.
        Refused: the date has not ended or is closed, an earlier one is open, or a shift that began
            on it or before is not closed.
    """
    work.require(Action.DAY_CLOSE, company(work.session).id)
    if on >= work.today:
        raise Refused("day_not_ended", f"{on} has not ended; nothing was changed")
    last_audit = seals.last_complete_audit(work.session)
    empty = day_books.hold_alone(work.session, on)
    _refuse_open_shifts(work, on)
    balances = day_books.write_balances(work.session, on)
    day_books.end(work.session, [*empty, on])
    before = seals.last_close(work.session)
    figures = day_figures(work.session, work.now, end_of(on, work.database.zone))
    close = DayClose(
        on=on,
        closed_at=work.now,
        staff_id=work.actor.staff_id,
        last_audit_id=last_audit,
        previous_seal=seals.NONE_BEFORE if before is None else before.seal,
        figures=figures.model_dump(mode="json"),
    )
    sealed = seals.sealed(work.session, close, 0 if before is None else before.last_audit_id)
    close.entries, close.transfers, close.seal = sealed.entries, sealed.transfers, sealed.seal
    work.add(close)
    answer = {
        "on": on.isoformat(),
        "entries": sealed.entries,
        "transfers": sealed.transfers,
        "balances": balances,
        "also_closed": [each.isoformat() for each in empty],
        "broken": sum(check.broken for check in figures.checks),
        "seal": sealed.seal,
    }
    work.audit(Action.DAY_CLOSE, close, None, answer)
    return answer


def _refuse_open_shifts(work: UnitOfWork, on: date) -> None:
    """Refuse to close a date on which a shift began that is not cashed up."""
    numbers = work.session.scalars(
        select(Shift.number)
        .where(Shift.opened_on <= on, Shift.state != ShiftState.CLOSED)
        .order_by(Shift.id)
    ).all()
    if numbers:
        named = ", ".join(numbers[:5]) + (f" and {len(numbers) - 5} more" if numbers[5:] else "")
        raise Refused(
            "shift_open", f"not cashed up: shift {named}; close it first; nothing was changed"
        )
