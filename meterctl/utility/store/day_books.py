"""Closing a date of the books: nothing is booked on it, or on an earlier one, any more."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from sqlalchemy import Date, func, insert, literal, select, text, union_all, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from meterctl.utility.errors import Refused
from meterctl.utility.model.money import ClosingBalance, Day, DayState
from meterctl.utility.store.queries.balances import booked, legs


def hold_alone(session: Session, on: date) -> list[date]:
    """Hold a date, so that bookings on it wait until the end of the transaction.

    Those that hold it now are waited for. The dates since the last closed one on which nothing was
    booked get a row, so that nothing can be booked on them while the date is being closed.

    Returns:
        Those dates.

    Raises:
        Refused: the date or a later one is closed, or an earlier one is open.
    """
    later = session.scalars(
        select(func.max(Day.on)).where(Day.state == DayState.CLOSED, Day.on > on)
    ).one()
    if later is not None:
        raise Refused("day_closed", f"{later}, a later date, is closed; nothing was changed")
    empty = [each for each in _since_last(session, on) if _made(session, each) and each != on]
    days = session.execute(
        select(Day.on, Day.state).where(Day.on <= on).order_by(Day.on).with_for_update()
        .where((Day.state == DayState.OPEN) | (Day.on == on))
    ).all()  # fmt: skip
    if any(day.on == on and day.state is DayState.CLOSED for day in days):
        raise Refused("day_closed", f"{on} is closed already; nothing was changed")
    earlier = [day.on for day in days if day.on < on and day.on not in empty]
    if earlier:
        raise Refused(
            "earlier_day_open", f"{earlier[0]} is open: close it first; nothing was changed"
        )
    return empty


def end(session: Session, days: Sequence[date]) -> None:
    """Close dates that are held; bookings that waited for one go to the next open date."""
    session.execute(update(Day).where(Day.on.in_(days)).values(state=DayState.CLOSED))


def write_balances(session: Session, on: date) -> int:
    """Write the closing balance of each account that moved on a date; return how many.

    All earlier dates are closed, so the balance is the newest one before and what moved.
    """
    moved = legs(where=booked(on, on))
    accounts = select(moved.c.account_id).distinct().subquery()
    before = (
        select(ClosingBalance.balance)
        .where(ClosingBalance.account_id == accounts.c.account_id, ClosingBalance.on < on)
        .order_by(ClosingBalance.on.desc())
        .limit(1)
        .scalar_subquery()
    )
    # Summed together, so that every balance before is read before the first row is written.
    amounts = union_all(
        select(moved.c.account_id, (moved.c.debit - moved.c.credit).label("amount")),
        select(accounts.c.account_id, func.coalesce(before, 0)),
    ).subquery()
    rows = select(amounts.c.account_id, literal(on, Date()), func.sum(amounts.c.amount)).group_by(
        amounts.c.account_id
    )
    session.execute(insert(ClosingBalance).from_select(["account_id", "on_date", "balance"], rows))
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("ANALYZE closing_balance"))  # else it plans as for an empty table
    written = select(func.count()).where(ClosingBalance.on == on)
    return session.scalars(written).one()


def _since_last(session: Session, on: date) -> list[date]:
    """Return the dates after the last closed one, up to a date."""
    closed = select(func.max(Day.on)).where(Day.state == DayState.CLOSED, Day.on < on)
    last = session.scalars(closed).one()
    if last is None:
        first = session.scalars(select(func.min(Day.on))).one() or on
        last = min(first, on) - timedelta(days=1)
    return [last + timedelta(days=n) for n in range(1, (on - last).days + 1)]


def _made(session: Session, on: date) -> bool:
    """Insert the row of a date unless it has one; wait for one that is being inserted."""
    writer = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    row = writer(Day).values(on=on, state=DayState.OPEN).on_conflict_do_nothing()
    return session.execute(row.returning(Day.on)).first() is not None
