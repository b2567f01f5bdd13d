"""The figures of a date's sheet as they were made at first: row by row, from all transfers.

They are what the sums of `meters_at_end` and `checks.of_date` are compared with.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence

from sqlalchemy import ColumnElement, and_, case, false, func, or_, select, true
from sqlalchemy.orm import Session

from meterctl.utility.model.agreement import Agreement, AgreementMode
from meterctl.utility.model.metering import (
    Finding,
    FindingState,
    Installation,
    Meter,
    Reading,
)
from meterctl.utility.model.money import Account, Entry, Sale, Transfer
from meterctl.utility.model.work import Order, OrderKind
from meterctl.utility.rules.calendar import DateEnd
from meterctl.utility.rules.money import UNITS_IN_AMOUNT
from meterctl.utility.rules.postings import NEVER_NEGATIVE, AccountKind
from meterctl.utility.rules.transitions import LIVE, ReadingState
from meterctl.utility.services.sheets.day import AGES, NEVER, OLDER, day_figures
from meterctl.utility.services.sheets.figures import MeterFigures, ReadingAge
from meterctl.utility.store.findings import FindingRule
from meterctl.utility.store.queries.balances import balances
from meterctl.utility.store.queries.compared import (
    CREDIT_BOUND,
    HELD_STATES,
    IN_METERS,
    LIVE_SOURCES,
    ComparedMeter,
    balances_by_owner,
)
from meterctl.utility.store.queries.ledger import on_side
from meterctl.utility.store.queries.sales_on_way import SaleOnWay, sales_on_way
from protocols.quantities import DAY

_ROWS = 1000


def require_same_sheet(session: Session, now: int, end: DateEnd) -> None:
    """Require that the sheet of a date has the figures that are made row by row."""
    sheet = day_figures(session, now, end)
    sales = sales_on_way(session, end)
    live = {sale.meter_id for sale in sales if sale.state in LIVE}
    meters = list(meters_at_end(session, end, live))
    assert sheet.meters == _meter_figures(meters, sheet.as_of), end.on
    checks = {each.invariant: (each.count, each.broken) for each in sheet.checks}
    assert checks["I1"] == _never_negative(session, end), end.on
    assert checks["I2"] == _undelivered(session, end, sales), end.on
    settled = [each for each in meters if each.is_settled]
    broken = [each for each in settled if not each.agrees and each.finding is None]
    assert checks["I3"] == (len(settled), len(broken)), end.on


def _never_negative(session: Session, end: DateEnd) -> tuple[int, int]:
    accounts = session.scalars(select(Account.id).where(Account.kind.in_(NEVER_NEGATIVE))).all()
    held = balances(NEVER_NEGATIVE, whole=True, until=end.on)
    below = [row for row in session.execute(select(held)) if on_side(row.kind, row.balance) < 0]
    return len(accounts), len(below)


def _undelivered(session: Session, end: DateEnd, sales: Sequence[SaleOnWay]) -> tuple[int, int]:
    kind = AccountKind.UNDELIVERED
    booked = dict.fromkeys(session.scalars(select(Account.owner_id).where(Account.kind == kind)), 0)
    held = balances((kind,), whole=True, until=end.on)
    booked |= {row.owner_id: -int(row.balance) for row in session.execute(select(held))}
    sold = Counter[int]()
    for sale in sales:
        sold[sale.agreement_id] += sale.amount
    agreements = sold.keys() | booked.keys()
    return len(agreements), sum(sold[each] != booked.get(each, 0) for each in agreements)


def _meter_figures(meters: Sequence[ComparedMeter], as_of: int) -> MeterFigures:
    ages = dict.fromkeys([*(age for age, _ in AGES), OLDER, NEVER], 0)
    for each in meters:
        ages[_age(each.taken_at, as_of)] += 1
    compared = [each for each in meters if each.is_settled]
    others = [each for each in meters if not each.is_settled]
    in_meter = sum(each.in_meter for each in compared)
    credit_read = sum(each.credit or 0 for each in compared)
    return MeterFigures(
        compared=len(compared),
        in_meter=in_meter,
        credit_read=credit_read,
        difference=in_meter * UNITS_IN_AMOUNT - credit_read,
        bound=len(compared) * CREDIT_BOUND,
        differ=sum(not each.agrees for each in compared),
        others=len(others),
        others_in_meter=sum(each.in_meter for each in others),
        ages=tuple(ReadingAge(age=age, meters=number) for age, number in ages.items()),
    )


def _age(taken_at: int | None, as_of: int) -> str:
    if taken_at is None:
        return NEVER
    return next((age for age, days in AGES if as_of - taken_at < days * DAY), OLDER)


def meters_at_end(
    session: Session, end: DateEnd, live: Collection[int], of: ColumnElement[bool] | None = None
) -> Iterator[ComparedMeter]:
    """Yield the meters of agreements in mode meter as they were at the end of a date.

    A reading is of the date if it is for it or an earlier one and is not booked later. It is
    settled if nothing was under way, and it has the sequence that is proved last, or nothing but
    readings was booked since it, up to the date.

    Args:
        live: meters that had a live sale then, by number.
        of: which agreements, by their rows; None: all.
    """
    read = _read_by(end)
    last = (
        select(Reading.meter_id, func.max(Reading.id).label("reading_id"))
        .where(*read)
        .group_by(Reading.meter_id)
        .subquery()
    )
    finding = (
        select(func.min(Finding.rule))
        .where(
            Finding.agreement_id == Agreement.id,
            or_(Finding.state == FindingState.OPEN, Finding.last_seen >= end.at),
            Finding.rule != FindingRule.TERMS_DIFFER,
        )
        .scalar_subquery()
    )
    by_owner = balances_by_owner(balances(IN_METERS, whole=True, until=end.on))
    is_proved = and_(Reading.credit_sequence == Meter.proved_sequence, Reading.epoch == Meter.epoch)
    rows = (
        select(
            Agreement.number, Meter.id, Meter.serial, by_owner.c.in_meter, by_owner.c.meter_debt,
            Reading.credit_exact, Reading.debt_exact, Reading.taken_at,
            case((_under_way(end), false()), (is_proved, true()), else_=~_moved_since(end)),
            finding,
        )
        .join_from(Agreement, Installation, and_(
            Installation.point_id == Agreement.point_id, Installation.from_at < end.at,
            or_(Installation.to_at.is_(None), Installation.to_at >= end.at),
        ))
        .join(Meter, Meter.id == Installation.meter_id)
        .outerjoin(by_owner, by_owner.c.owner_id == Agreement.id)
        .outerjoin(last, last.c.meter_id == Meter.id)
        .outerjoin(Reading, and_(
            Reading.id == last.c.reading_id, Reading.agreement_id == Agreement.id,
        ))
        .where(
            Agreement.mode == AgreementMode.METER,
            or_(
                Agreement.state.in_(HELD_STATES),
                by_owner.c.in_meter != 0,
                by_owner.c.meter_debt != 0,
            ),
        )
    )  # fmt: skip
    rows = rows if of is None else rows.where(of)
    for row in session.execute(rows.execution_options(yield_per=_ROWS)):
        number, meter, serial, in_meter, meter_debt, credit, debt, taken_at, settled, rule = row
        yield ComparedMeter(
            number, serial, int(in_meter or 0), int(meter_debt or 0), credit, debt, taken_at,
            credit is not None and meter not in live and bool(settled), rule,
        )  # fmt: skip


def _read_by(end: DateEnd) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions of live readings that are accepted and of a date or before."""
    booked_later = select(Entry.reading_id).where(
        Entry.booked_on > end.on, Entry.reading_id.is_not(None)
    )
    return (
        Reading.state == ReadingState.ACCEPTED,
        Reading.source.in_(LIVE_SOURCES),
        Reading.for_on <= end.on,
        Reading.id.not_in(booked_later),
    )


def _under_way(end: DateEnd) -> ColumnElement[bool]:
    """Return whether an order of credit that is no sale was not ended at the end of the date."""
    return (
        select(Order.id)
        .where(
            Order.meter_id == Meter.id,
            Order.kind != OrderKind.SALE,
            Order.made_at < end.at,
            or_(Order.credit_state.in_(LIVE), Order.changed_at >= end.at),
            Order.credit_state.is_not(None),
        )
        .exists()
    )


def _moved_since(end: DateEnd) -> ColumnElement[bool]:
    """Return whether anything but a reading moved credit or debt in a meter since its reading.

    Instants alone do not say it: the clock may have been set back after the reading.
    """
    is_later_sale = (
        select(Sale.id)
        .where(
            Sale.id == Entry.sale_id,
            Sale.epoch == Reading.epoch,
            Sale.sequence > Reading.credit_sequence,
        )
        .correlate(Entry, Reading)
        .exists()
    )
    held = (
        select(Account.id)
        .where(Account.kind.in_(IN_METERS), Account.owner_id == Agreement.id)
        .correlate(Agreement)
    )
    return (
        select(Entry.id)
        .join(Transfer, Transfer.entry_id == Entry.id)
        .where(
            Entry.agreement_id == Agreement.id,
            Entry.booked_on <= end.on,
            or_(Entry.booked_at >= Reading.taken_at, is_later_sale),
            Entry.reading_id.is_(None),
            or_(Transfer.debit_id.in_(held), Transfer.credit_id.in_(held)),
        )
        .exists()
    )
