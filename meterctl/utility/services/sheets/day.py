"""The sheet of a date: accounts, receipts beside tills, credit as booked beside as read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from meterctl.utility.errors import NotFound
from meterctl.utility.model.money import Account, Day, DayClose, Entry, Sale, Shift, Transfer
from meterctl.utility.model.organisation import Organisation, Staff
from meterctl.utility.model.work import Task, TaskKind
from meterctl.utility.rules.calendar import DateEnd
from meterctl.utility.rules.money import UNITS_IN_AMOUNT
from meterctl.utility.rules.postings import AccountKind
from meterctl.utility.rules.transitions import LIVE, SaleState, ShiftState
from meterctl.utility.services.sheets.banks import bank_figures
from meterctl.utility.services.sheets.figures import (
    AccountTotal,
    ChannelFigures,
    CheckFigures,
    DaySheet,
    MeterFigures,
    NotLookedAt,
    OpenSale,
    ReadingAge,
    SaleTotal,
    TillFigures,
    WholeCheck,
)
from meterctl.utility.store.checks import of_date
from meterctl.utility.store.queries.balances import balances, booked
from meterctl.utility.store.queries.compared import CREDIT_BOUND
from meterctl.utility.store.queries.ledger import totals, totals_of
from meterctl.utility.store.queries.meters_at_end import MetersAtEnd, MeterSums, meter_sums
from meterctl.utility.store.queries.money import ChannelTotal, channel_totals, till_totals
from meterctl.utility.store.queries.node_parts import NodePart, part_of
from meterctl.utility.store.queries.organisation import company
from meterctl.utility.store.queries.sales_on_way import SaleOnWay, sales_on_way
from meterctl.utility.store.queries.today import last_check
from protocols.quantities import DAY, SECOND

LISTED = 200
"""Open sales that a sheet names, the oldest ones; all of them are in its totals."""
AGES = (("under 1 day", 1), ("1 to 7 days", 7), ("8 to 30 days", 30))
OLDER, NEVER = "older", "never"
"""Ages of readings: each up to before the days beside it."""
NOT_LOOKED_AT = (
    NotLookedAt(
        invariants="I4 I7 I11",
        reason="of the whole database, not of a date: `meterctl desk check --journal FILE`",
    ),
    NotLookedAt(invariants="I6 I8", reason="no state of the books: proved by tests"),
    NotLookedAt(
        invariants="I9 I10", reason="nothing is billed by energy, and no figures are kept yet"
    ),
)
"""Invariants of UTILITY 4 that the sheet of the company has not."""
NOT_OF_A_NODE = (
    NotLookedAt(invariants="I1 to I12", reason="of the whole company: `meterctl desk sheet day`"),
)


def day_figures(
    session: Session, now: int, end: DateEnd, node: Organisation | None = None
) -> DaySheet:
    """Return the figures of the end of a date, of now where it has not ended.

    Args:
        node: whose part of the books it has; None: all.
    """
    on, as_of = end.on, min(now, end.at)
    part = None if node is None else part_of(node)
    sales = sales_on_way(session, end, None if part is None else part.agreements)
    live = {sale.meter_id for sale in sales if sale.state in LIVE}
    which = MetersAtEnd(end, live, None if part is None else part.agreements)
    meters = meter_sums(session, which, [as_of - days * DAY for _, days in AGES])
    checks = () if node else of_date.of_sheet(session, end, sales, which, meters)
    entries, transfers = _numbers(session, on, part)
    return DaySheet(
        on=on,
        company=company(session).name,
        node=None if node is None else node.code,
        made_at=now,
        as_of=as_of,
        has_ended=now >= end.at,
        entries=entries,
        transfers=transfers,
        accounts=tuple(
            AccountTotal(
                kind=total.kind, opening=total.opening, debit=total.debit, credit=total.credit,
                closing=total.closing,
            )
            for total in (
                totals(session, on) if part is None else totals_of(session, on, part.accounts)
            )
        ),
        channels=tuple(
            channel_figures(total)
            for total in channel_totals(session, on, None if part is None else part.payments)
        ),
        tills=tuple(_tills(session, end, part)),
        banks=() if node else tuple(bank_figures(session, on)),
        meters=_meter_figures(meters),
        undelivered=tuple(_by_state(sales)),
        open_sales=tuple(_open_sales(sales, as_of)),
        checks=tuple(
            CheckFigures(
                invariant=each.invariant, count=each.count, rows=each.rows, broken=each.broken
            )
            for each in checks
        ),
        not_looked_at=NOT_LOOKED_AT if node is None else NOT_OF_A_NODE,
        whole_check=None if node else _whole_check(session, as_of),
    )  # fmt: skip


def _whole_check(session: Session, as_of: int) -> WholeCheck | None:
    """Return the last check of the whole database up to a moment; None: there was none."""
    run = last_check(session, as_of)
    if run is None:
        return None
    return WholeCheck(at=run.at, rows=run.rows, broken=tuple(run.broken))


def kept_figures(session: Session, on: date) -> tuple[DaySheet, DayClose] | None:
    """Return the figures of a closed date as they were sealed, and its close; None if it is open.

    Raises:
        NotFound: nothing was ever booked on the date.
    """
    close = session.scalars(select(DayClose).where(DayClose.on == on)).one_or_none()
    if close is not None:
        return DaySheet.model_validate(close.figures), close
    if session.scalars(select(Day.on).where(Day.on == on)).one_or_none() is None:
        raise NotFound("no_day", f"{on}: nothing was booked on this date")
    return None


def channel_figures(total: ChannelTotal) -> ChannelFigures:
    """Return the figures of a channel."""
    return ChannelFigures(
        channel=total.channel, receipts=total.receipts, received=total.received,
        booked=total.booked, difference=total.received - total.booked,
        given_back=total.given_back, paid_out=total.paid_out,
    )  # fmt: skip


def sales_of_shift(session: Session, shift: int) -> tuple[SaleTotal, ...]:
    """Return the sales of a shift by state, as they stand now."""
    rows = session.execute(
        select(Sale.state, func.count(), func.sum(Sale.amount))
        .where(Sale.shift_id == shift)
        .group_by(Sale.state)
    )
    found = {state: (count, int(amount)) for state, count, amount in rows}
    return tuple(
        SaleTotal(state=state, sales=found[state][0], amount=found[state][1])
        for state in SaleState
        if state in found
    )


def difference_task(session: Session, shift: int) -> str | None:
    """Return the number and state of the task about a shift's difference, None without one."""
    row = session.execute(
        select(Task.id, Task.state)
        .where(
            Task.kind == TaskKind.TILL_DIFFERENCE,
            Task.subject_kind == Shift.__tablename__,
            Task.subject_id == shift,
        )
        .order_by(Task.id.desc())
    ).first()
    return None if row is None else f"T{row.id} {row.state.value}"


def _meter_figures(meters: MeterSums) -> MeterFigures:
    """Return booked credit beside read credit, of meters that keep credit."""
    ages = zip((*(age for age, _ in AGES), OLDER, NEVER), meters.ages, strict=True)
    return MeterFigures(
        compared=meters.compared,
        in_meter=meters.in_meter,
        credit_read=meters.credit_read,
        difference=meters.in_meter * UNITS_IN_AMOUNT - meters.credit_read,
        bound=meters.compared * CREDIT_BOUND,
        differ=meters.differ,
        others=meters.others,
        others_in_meter=meters.others_in_meter,
        ages=tuple(ReadingAge(age=age, meters=number) for age, number in ages),
    )


def _numbers(session: Session, on: date, part: NodePart | None) -> tuple[int, int]:
    """Return how many entries and transfers are booked on a date."""
    moved = select(Transfer.entry_id).where(booked(on, on))
    if part is not None:
        accounts = select(Account.id).where(part.accounts)
        moved = moved.where(or_(Transfer.debit_id.in_(accounts), Transfer.credit_id.in_(accounts)))
        rows = moved.subquery()
        numbers = select(func.count(rows.c.entry_id.distinct()), func.count())
        entries, transfers = session.execute(numbers.select_from(rows)).one()
        return entries, transfers
    entries = session.scalars(
        select(func.count()).select_from(Entry).where(Entry.booked_on == on)
    ).one()
    return entries, session.scalars(select(func.count()).select_from(moved.subquery())).one()


def _tills(session: Session, end: DateEnd, part: NodePart | None) -> list[TillFigures]:
    """Return the tills that moved on a date, as they were at its end."""
    moved = till_totals(session, end.on)
    of_moved = Account.owner_id.in_(moved)
    held = balances((AccountKind.CASH,), whole=False, of=of_moved, until=end.on)
    wanted = (
        select(Shift, Staff.number, Organisation.code, held.c.balance)
        .join(Staff, Staff.id == Shift.vendor_id)
        .join(Organisation, Organisation.id == Shift.node_id)
        .outerjoin(held, held.c.owner_id == Shift.id)
        .where(Shift.id.in_(moved))
        .order_by(Organisation.code, Shift.id)
    )
    rows = session.execute(wanted if part is None else wanted.where(part.shifts))
    return [
        TillFigures(
            shift=shift.number, vendor=vendor, node=node, state=_state_at_end(shift, end),
            received=moved[shift.id].received, paid_out=moved[shift.id].paid_out,
            difference=moved[shift.id].difference, banked=moved[shift.id].banked,
            slip=shift.slip if _state_at_end(shift, end) is ShiftState.CLOSED else None,
            left=int(balance or 0),
            task=difference_task(session, shift.id) if moved[shift.id].difference else None,
        )
        for shift, vendor, node, balance in rows
    ]  # fmt: skip


def _state_at_end(shift: Shift, end: DateEnd) -> ShiftState:
    """Return the state of a shift at the end of a date."""
    if shift.closed_at is not None and shift.closed_at < end.at:
        return ShiftState.CLOSED
    if shift.counted_at is not None and shift.counted_at < end.at:
        return ShiftState.COUNTED
    return ShiftState.OPEN


def _by_state(sales: Sequence[SaleOnWay]) -> Iterator[SaleTotal]:
    """Yield the sum of sales in each state."""
    for state in SaleState:
        amounts = [sale.amount for sale in sales if sale.state is state]
        if amounts:
            yield SaleTotal(state=state, sales=len(amounts), amount=sum(amounts))


def _open_sales(sales: Sequence[SaleOnWay], as_of: int) -> Iterator[OpenSale]:
    """Yield the oldest sales whose delivery was not proved."""
    for sale in sales[:LISTED]:
        yield OpenSale(
            sale=f"S{sale.number}", state=sale.state, agreement=sale.agreement, meter=sale.meter,
            amount=sale.amount, since=sale.taken_at,
            age_s=max(0, as_of - sale.taken_at) // SECOND,
        )  # fmt: skip
