"""The seals of closed dates, computed again."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from meterctl.utility.model.money import Day, DayClose, DayState, Entry
from meterctl.utility.store import seals
from meterctl.utility.store.checks.outcome import Checked, Tally, streamed


def sealed_days(session: Session) -> Checked:
    """Every closed date has the seal that was printed, and the chain is whole."""
    tally = Tally()
    entries = transfers = audits = 0
    for day in seals.verify(session):
        tally.count += 1
        entries += day.sealed.entries
        transfers += day.sealed.transfers
        audits += day.sealed.audits
        for problem in day.problems:
            tally.violation(f"close of {day.on}", problem)
    unsealed = (
        select(Entry.booked_on)
        .join(Day, Day.on == Entry.booked_on)
        .outerjoin(DayClose, DayClose.on == Entry.booked_on)
        .where(Day.state == DayState.CLOSED, DayClose.on.is_(None))
        .distinct()
    )
    for (on,) in streamed(session, unsealed):
        tally.violation(f"{on}", "is closed without a seal, and has entries")
    for (on,) in streamed(session, _open_closed()):
        tally.violation(f"close of {on}", "its date is open")
    return tally.checked(
        "seals",
        "each closed date has the seal of its rows and of the date before",
        "closed dates",
        f"{entries} entries, {transfers} transfers, {audits} audit rows",
    )


def _open_closed() -> object:
    return (
        select(DayClose.on)
        .outerjoin(Day, Day.on == DayClose.on)
        .where((Day.state == DayState.OPEN) | Day.on.is_(None))
    )
