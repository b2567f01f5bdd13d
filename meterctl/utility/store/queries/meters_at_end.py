"""Meters beside their accounts as they were at the end of a date, as sums.

A desk has a hundred thousand of them, so the engine adds them up.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Subquery,
    and_,
    bindparam,
    case,
    false,
    func,
    or_,
    select,
    text,
    true,
)
from sqlalchemy.orm import Session, aliased

from meterctl.utility.model.agreement import Agreement, AgreementMode
from meterctl.utility.model.base import BIG
from meterctl.utility.model.metering import (
    Finding,
    FindingState,
    Installation,
    Meter,
    Reading,
)
from meterctl.utility.model.money import Account, Entry, Sale, Transfer
from meterctl.utility.model.work import NO_SALE, Order
from meterctl.utility.rules.calendar import DateEnd
from meterctl.utility.rules.money import UNITS_IN_AMOUNT
from meterctl.utility.rules.postings import AccountKind
from meterctl.utility.rules.transitions import LIVE, ReadingState
from meterctl.utility.store.findings import FindingRule
from meterctl.utility.store.queries.balances import closing_balance, moved_since_close
from meterctl.utility.store.queries.compared import (
    CREDIT_BOUND,
    DEBT_BOUND,
    HELD_STATES,
    IN_METERS,
    LIVE_SOURCES,
)


@dataclass(frozen=True, slots=True)
class MeterSums:
    """Sums over meters of agreements in mode meter.

    Attributes:
        compared: meters that are settled: the books must agree with their last reading (I3).
            `in_meter` is booked of them, 0.01, and `credit_read` was read, exact.
        differ: compared meters whose books are not what was read, within their fractions;
            `broken` are those of them about which no finding was open.
        others: meters that are not compared; `others_in_meter` is booked of them, 0.01.
        ages: how many meters were read since each of the instants that were asked for, and not
            since one before it; then those that were read earlier, and those that never were.
    """

    compared: int
    in_meter: int
    credit_read: int
    differ: int
    broken: int
    others: int
    others_in_meter: int
    ages: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class MetersAtEnd:
    """Which meters at the end of which date.

    A reading is of the date if it is for it or an earlier one and is not booked later. It is
    settled if nothing was under way, and it has the sequence that is proved last, or nothing but
    readings was booked since it, up to the date.

    Attributes:
        live: meters that had a live sale then, by number.
        of: which agreements, by their rows; None: all.
    """

    end: DateEnd
    live: Collection[int]
    of: ColumnElement[bool] | None = None


def meter_sums(session: Session, which: MetersAtEnd, read_since: Sequence[int]) -> MeterSums:
    """Return the sums of meters.

    Args:
        read_since: instants, the latest first, ms.
    """
    meters = _meters(which)
    counted = [
        _count(meters.c.is_settled),
        _count(_differs(meters)),
        _count(_is_broken(meters, which.end)),
    ]
    sums: list[ColumnElement[Any]] = [
        func.count(),
        func.sum(meters.c.in_meter),
        _sum(meters.c.is_settled, meters.c.in_meter),
        _sum(meters.c.is_settled, meters.c.credit // UNITS_IN_AMOUNT),  # all of it may not fit
        _sum(meters.c.is_settled, meters.c.credit % UNITS_IN_AMOUNT),
        *counted,
        *(_count(meters.c.taken_at > instant) for instant in read_since),
        func.count(meters.c.taken_at),
    ]
    row = session.execute(select(*sums).select_from(meters)).one()
    (of_all, all_in_meter, in_meter, whole, rest, compared, differ, broken, *read) = (
        int(value or 0) for value in row
    )
    ages = [this - before for before, this in zip([0, *read], read, strict=False)]
    return MeterSums(
        compared=compared,
        in_meter=in_meter,
        credit_read=whole * UNITS_IN_AMOUNT + rest,
        differ=differ,
        broken=broken,
        others=of_all - compared,
        others_in_meter=all_in_meter - in_meter,
        ages=(*ages, of_all - read[-1]),
    )


def broken_meters(session: Session, which: MetersAtEnd, limit: int) -> list[tuple[str, str]]:
    """Return agreement and meter, by their numbers, of the first meters that break I3."""
    meters = _meters(which)
    rows = session.execute(
        select(Agreement.number, Meter.serial)
        .join_from(meters, Agreement, Agreement.id == meters.c.agreement_id)
        .join(Meter, Meter.id == meters.c.meter_id)
        .where(_is_broken(meters, which.end))
        .order_by(Agreement.number, Meter.serial)
        .limit(limit)
    )
    return [(agreement, meter) for agreement, meter in rows]


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.count(case((condition, 1)))


def _sum(condition: ColumnElement[bool], values: ColumnElement[int]) -> ColumnElement[int]:
    return func.sum(case((condition, values), else_=0))


def _differs(meters: Subquery) -> ColumnElement[bool]:
    """Return whether the books of a settled meter are not what was read, within fractions."""
    credit = meters.c.in_meter * UNITS_IN_AMOUNT - meters.c.credit
    debt = meters.c.meter_debt * UNITS_IN_AMOUNT - meters.c.debt
    agrees = and_(
        credit >= 0,
        credit < CREDIT_BOUND * UNITS_IN_AMOUNT,
        debt >= 0,
        debt < DEBT_BOUND * UNITS_IN_AMOUNT,
    )
    return and_(meters.c.is_settled, ~agrees)


def _is_broken(meters: Subquery, end: DateEnd) -> ColumnElement[bool]:
    """Return whether a meter differs and no finding about it was open at the end of the date."""
    finding = (
        select(Finding.id)
        .where(
            Finding.agreement_id == meters.c.agreement_id,
            or_(Finding.state == FindingState.OPEN, Finding.last_seen >= end.at),
            Finding.rule != FindingRule.TERMS_DIFFER,
        )
        .correlate(meters)
        .exists()
    )
    return case((_differs(meters), ~finding), else_=false())


def _meters(which: MetersAtEnd) -> Subquery:
    """Return a row for each meter: `is_settled`, what is booked and what was read of it.

    Its offset of 0 keeps the engines from asking for each column again wherever it is used.
    """
    end = which.end
    moved = moved_since_close(IN_METERS, end.on).cte("moved")
    accounts: dict[AccountKind, Any] = {}
    booked: dict[AccountKind, Any] = {}
    installed = and_(
        Installation.point_id == Agreement.point_id,
        Installation.from_at < end.at,
        or_(Installation.to_at.is_(None), Installation.to_at >= end.at),
    )
    held = select().join_from(Agreement, Installation, installed)
    held = held.join(Meter, Meter.id == Installation.meter_id)
    for kind, sign in ((AccountKind.IN_METER, -1), (AccountKind.METER_DEBT, 1)):
        account, since = aliased(Account), moved.alias()
        accounts[kind] = account.id
        held = held.outerjoin(
            account, and_(account.kind == kind, account.owner_id == Agreement.id)
        ).outerjoin(since, since.c.account_id == account.id)
        booked[kind] = sign * (
            closing_balance(account.id, end.on) + func.coalesce(since.c.amount, 0)
        )
    in_meter, meter_debt = booked[AccountKind.IN_METER], booked[AccountKind.METER_DEBT]
    is_proved = and_(Reading.credit_sequence == Meter.proved_sequence, Reading.epoch == Meter.epoch)
    is_settled = case(
        (Reading.id.is_(None), false()),
        (_is_live(which.live), false()),
        (Meter.id.in_(_under_way(end)), false()),
        (is_proved, true()),
        else_=~_moved_since(end, accounts.values()),
    )
    rows = (
        held.outerjoin(
            Reading,
            and_(Reading.id == _last_reading(end), Reading.agreement_id == Agreement.id),
        )
        .with_only_columns(
            Agreement.id.label("agreement_id"), Meter.id.label("meter_id"),
            in_meter.label("in_meter"), meter_debt.label("meter_debt"),
            Reading.credit_exact.label("credit"), Reading.debt_exact.label("debt"),
            Reading.taken_at, is_settled.label("is_settled"),
        )
        .where(
            Agreement.mode == AgreementMode.METER,
            or_(Agreement.state.in_(HELD_STATES), in_meter != 0, meter_debt != 0),
        )
    )  # fmt: skip
    rows = rows if which.of is None else rows.where(which.of)
    return rows.offset(0).subquery("meters")


def _is_live(live: Collection[int]) -> ColumnElement[bool]:
    """Return whether a meter is one of some, which may be more than a statement's parameters."""
    return Meter.id.in_(
        bindparam("live", sorted(live), type_=BIG, expanding=True, literal_execute=True)
    )


def _last_reading(end: DateEnd) -> ColumnElement[int]:
    """Return the last live reading of a meter that is accepted and of a date or before.

    It is looked up from a meter's newest reading back: all readings grow with each date.
    """
    booked_later = select(Entry.reading_id).where(
        Entry.booked_on > end.on, Entry.reading_id.is_not(None)
    )
    reading = aliased(Reading)
    return (
        select(reading.id)
        .where(
            reading.meter_id == Meter.id,
            reading.state == ReadingState.ACCEPTED,
            reading.source.in_(LIVE_SOURCES),
            reading.for_on <= end.on,
            reading.id.not_in(booked_later),
        )
        .order_by(reading.id.desc())
        .limit(1)
        .correlate(Meter)
        .scalar_subquery()
    )


def _under_way(end: DateEnd) -> Any:
    """Return the meters with an order of credit, no sale, that was not ended at a date's end."""
    of_credit = select(Order.meter_id).where(text(NO_SALE), Order.made_at < end.at)
    return of_credit.where(Order.credit_state.in_(LIVE)).union_all(
        of_credit.where(Order.changed_at >= end.at)
    )


def _moved_since(end: DateEnd, accounts: Collection[Any]) -> ColumnElement[bool]:
    """Return whether anything but a reading moved some accounts since the reading.

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
    return (
        select(Entry.id)
        .join(Transfer, Transfer.entry_id == Entry.id)
        .where(
            Entry.agreement_id == Agreement.id,
            Entry.booked_on <= end.on,
            or_(Entry.booked_at >= Reading.taken_at, is_later_sale),
            Entry.reading_id.is_(None),
            or_(Transfer.debit_id.in_(accounts), Transfer.credit_id.in_(accounts)),
        )
        .exists()
    )
