"""Sales whose delivery was not proved at the end of a date, in the state that they had then."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, or_, select, true
from sqlalchemy.orm import Session

from meterctl.utility.model.agreement import Agreement
from meterctl.utility.model.evidence import Audit
from meterctl.utility.model.metering import Meter
from meterctl.utility.model.money import Account, Entry, Sale, Transfer
from meterctl.utility.rules.calendar import DateEnd
from meterctl.utility.rules.postings import AccountKind
from meterctl.utility.rules.transitions import UNDELIVERED, SaleEvent, SaleState

_ROWS = 500
"""Sales whose audit is read by one statement."""


@dataclass(frozen=True, slots=True)
class SaleOnWay:
    """A sale that was on its way to a meter: its state is that at the end of the date."""

    number: int
    state: SaleState
    agreement_id: int
    agreement: str
    meter_id: int
    meter: str
    amount: int
    taken_at: int


def sales_on_way(
    session: Session, end: DateEnd, of: ColumnElement[bool] | None = None
) -> list[SaleOnWay]:
    """Return the sales that were on their way at the end of a date, the oldest first.

    These are the sales of the date and before whose beginning is not booked later, and which have
    not ended, or whose end is booked later. So their sum is what `undelivered` was then.

    Args:
        of: which sales, by the rows of their agreements; None: all.
    """
    again = Entry.kind == f"sale_{SaleEvent.SELL_AGAIN}"
    began_later = _booked_later(end, Transfer.credit_id, ~again)
    follows_later = _booked_later(end, Transfer.credit_id, again)
    not_ended = select(Sale.id).where(Sale.state.in_(UNDELIVERED))
    ended_later = _booked_later(end, Transfer.debit_id, true())
    wanted = (
        select(
            Sale.id, Sale.state, Sale.agreement_id, Agreement.number, Sale.meter_id, Meter.serial,
            Sale.amount, Sale.taken_at, Sale.changed_at,
        )
        .join(Agreement, Agreement.id == Sale.agreement_id)
        .join(Meter, Meter.id == Sale.meter_id)
        .where(
            Sale.taken_at < end.at,
            Sale.id.not_in(began_later),
            or_(Sale.follows_id.is_(None), Sale.follows_id.not_in(follows_later)),
            Sale.id.in_(not_ended.union_all(ended_later)),
        )
        .order_by(Sale.taken_at, Sale.id)
    )  # fmt: skip
    rows = session.execute(wanted if of is None else wanted.where(of)).all()
    unchanged = {
        row.id: row.state for row in rows if row.changed_at < end.at and row.state in UNDELIVERED
    }
    changed = [row.id for row in rows if row.id not in unchanged]
    states = unchanged | dict(_states(session, end, changed))
    return [
        SaleOnWay(
            row.id, states.get(row.id, SaleState.TAKEN), row.agreement_id, row.number,
            row.meter_id, row.serial, row.amount, row.taken_at,
        )
        for row in rows
    ]  # fmt: skip


def _booked_later(end: DateEnd, account: Any, which: ColumnElement[bool]) -> Select[int | None]:
    """Return the statement for the sales of which a side of `undelivered` is booked later.

    The kind is asked of each account: joined, SQLite begins with all accounts of the kind.
    """
    kind = select(Account.kind).where(Account.id == account).scalar_subquery()
    return (
        select(Entry.sale_id)
        .join(Transfer, Transfer.entry_id == Entry.id)
        .where(
            Entry.booked_on > end.on,
            Entry.sale_id.is_not(None),
            which,
            kind == AccountKind.UNDELIVERED,
        )
    )


def _states(
    session: Session, end: DateEnd, sales: Sequence[int]
) -> Iterator[tuple[int, SaleState]]:
    """Yield the states that sales had on their way at the end of a date, by the audit.

    A sale of which the audit tells none was not begun.
    """
    for first in range(0, len(sales), _ROWS):
        subjects = [f"{Sale.__tablename__}/{number}" for number in sales[first : first + _ROWS]]
        audits = session.execute(
            select(Audit.subject, Audit.after)
            .where(Audit.subject.in_(subjects), Audit.at < end.at)
            .order_by(Audit.id)
        )
        for subject, told in audits:
            state = (told or {}).get("state")
            if state in UNDELIVERED:
                yield int(subject.rpartition("/")[2]), SaleState(state)
