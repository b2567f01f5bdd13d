"""Meters beside their accounts: the last accepted live reading of each and what is booked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, Subquery, and_, case, func, or_, select, true
from sqlalchemy.orm import Session, aliased

from meterctl.utility.model.agreement import Agreement, AgreementMode
from meterctl.utility.model.metering import (
    Finding,
    FindingState,
    Installation,
    Meter,
    Reading,
    ReadingSource,
)
from meterctl.utility.model.money import Entry, Sale
from meterctl.utility.model.work import Order
from meterctl.utility.rules.money import UNITS_IN_AMOUNT
from meterctl.utility.rules.postings import AccountKind
from meterctl.utility.rules.transitions import LIVE, AgreementState, ReadingState, SaleState
from meterctl.utility.store.findings import FindingRule
from meterctl.utility.store.queries.balances import balances

CREDIT_BOUND = 4
"""in_meter - credit is below this, 0.01: the floors of consumption, standing, instalments, T."""
DEBT_BOUND = 2
"""meter_debt - debt is below this, 0.01: the floors of instalments and T."""
IN_METERS = (AccountKind.IN_METER, AccountKind.METER_DEBT)
"""Kinds of the accounts of what lies in meters."""
LIVE_SOURCES = (ReadingSource.WIRE, ReadingSource.CARD)
HELD_STATES = (AgreementState.ACTIVE, AgreementState.SUSPENDED, AgreementState.CLOSING)
_ROWS = 1000


@dataclass(frozen=True, slots=True)
class ComparedMeter:
    """A meter that keeps an agreement's credit, with what was read of it and what is booked.

    Attributes:
        in_meter: the booked credit, `meter_debt` the booked debt, 0.01.
        credit: read, exact; `debt` likewise. None: no live reading of this epoch was accepted.
        taken_at: when it was read.
        is_settled: no credit order is live, no person's word about a sale was booked since the
            reading, and it has the sequence that is proved last, so that the books must agree with
            it (I3).
        is_left_out: readings of its epoch are booked, and nothing says why it is not compared:
            none of them is accepted any more, or no order explains why another sequence than that
            of the last one is proved. Instants do not say it: a clock may have been set back.
        finding: the rule of an open finding about it; None without one.
    """

    agreement: str
    serial: str
    in_meter: int
    meter_debt: int
    credit: int | None
    debt: int | None
    taken_at: int | None
    is_settled: bool
    finding: str | None
    is_left_out: bool = False

    @property
    def agrees(self) -> bool:
        """Whether the books are what was read, within their fractions."""
        if self.credit is None or self.debt is None:
            return False
        credit = self.in_meter * UNITS_IN_AMOUNT - self.credit
        debt = self.meter_debt * UNITS_IN_AMOUNT - self.debt
        return (
            0 <= credit < CREDIT_BOUND * UNITS_IN_AMOUNT
            and 0 <= debt < DEBT_BOUND * UNITS_IN_AMOUNT
        )


def _is_explained() -> ColumnElement[bool]:
    """Return whether a meter's proved sequence is that of an order, or of an unbooked reading.

    A sale was booked after the reading that is compared.
    """
    sale = _sale_booked_since().where(
        Sale.epoch == Meter.epoch, Sale.sequence == Meter.proved_sequence
    )
    order = select(Order.id).where(
        Order.meter_id == Meter.id,
        Order.credit_state == SaleState.DELIVERED,
        Order.outcome["sequence"].as_integer() == Meter.proved_sequence,
    )
    of_meter = aliased(Reading)
    reading = select(of_meter.id).where(
        of_meter.meter_id == Meter.id,
        of_meter.epoch == Meter.epoch,
        of_meter.credit_sequence == Meter.proved_sequence,
        of_meter.state == ReadingState.TAKEN,
        of_meter.agreement_id.is_(None),
    )
    found = or_(sale.exists(), order.exists(), reading.exists())
    is_last = Reading.credit_sequence == Meter.proved_sequence
    return case((is_last, true()), else_=found)


def _sale_booked_since() -> Select[int]:
    """Return the query of the meter's sales that were booked after the reading that is compared."""
    of_reading = aliased(Entry)
    booked = (
        select(func.max(of_reading.id))
        .where(of_reading.reading_id == Reading.id)
        .correlate(Reading)
        .scalar_subquery()
    )
    is_later = case(
        (booked.is_(None), Entry.booked_at >= Reading.taken_at), else_=Entry.id > booked
    )
    return (
        select(Sale.id)
        .join(Entry, Entry.sale_id == Sale.id)
        .where(Sale.meter_id == Meter.id, is_later)
    )


def compared_meters(session: Session) -> Iterator[ComparedMeter]:
    """Yield the meters of agreements in mode meter, a part at a time, by the sums of transfers."""
    last = (
        select(Reading.meter_id, Reading.epoch, func.max(Reading.id).label("reading_id"))
        .where(Reading.state == ReadingState.ACCEPTED, Reading.source.in_(LIVE_SOURCES))
        .group_by(Reading.meter_id, Reading.epoch)
        .subquery()
    )
    live = select(Order.id).where(Order.meter_id == Meter.id, Order.credit_state.in_(LIVE)).exists()
    by_hand = _sale_booked_since().where(Sale.state == SaleState.HAND_DELIVERED).exists()
    finding = (
        select(func.min(Finding.rule))
        .where(
            Finding.agreement_id == Agreement.id,
            Finding.state == FindingState.OPEN,
            Finding.rule != FindingRule.TERMS_DIFFER,
        )
        .scalar_subquery()
    )
    by_owner = balances_by_owner(balances(IN_METERS, whole=True))
    rows = (
        select(
            Agreement.number, Meter.serial, by_owner.c.in_meter, by_owner.c.meter_debt,
            Reading.credit_exact, Reading.debt_exact, Reading.taken_at, Reading.credit_sequence,
            Meter.proved_sequence, _is_explained(), or_(live, by_hand), finding,
            _was_booked(),
        )
        .join_from(Agreement, Installation, and_(
            Installation.point_id == Agreement.point_id, Installation.to_at.is_(None)
        ))
        .join(Meter, Meter.id == Installation.meter_id)
        .outerjoin(by_owner, by_owner.c.owner_id == Agreement.id)
        .outerjoin(last, and_(last.c.meter_id == Meter.id, last.c.epoch == Meter.epoch))
        .outerjoin(Reading, and_(
            Reading.id == last.c.reading_id, Reading.agreement_id == Agreement.id,
        ))
        .where(Agreement.mode == AgreementMode.METER, Agreement.state.in_(HELD_STATES))
    )  # fmt: skip
    for row in session.execute(rows.execution_options(yield_per=_ROWS)):
        (number, serial, in_meter, meter_debt, credit, debt, taken_at, sequence, proved,
         is_explained, is_live, rule, is_booked) = row  # fmt: skip
        is_left_out = is_booked if credit is None else sequence != proved and not is_explained
        yield ComparedMeter(
            number, serial, int(in_meter or 0), int(meter_debt or 0), credit, debt, taken_at,
            credit is not None and not is_live and sequence == proved, rule,
            is_left_out and not is_live,
        )  # fmt: skip


def _was_booked() -> ColumnElement[bool]:
    """Return whether a reading of a meter's epoch was booked for the agreement."""
    booked_reading = aliased(Reading)
    return (
        select(Entry.id)
        .join(booked_reading, booked_reading.id == Entry.reading_id)
        .where(
            Entry.agreement_id == Agreement.id,
            booked_reading.meter_id == Meter.id,
            booked_reading.epoch == Meter.epoch,
            booked_reading.source.in_(LIVE_SOURCES),
        )
        .exists()
    )


def balances_by_owner(booked: Subquery) -> Subquery:
    """Return rows `owner_id, in_meter, meter_debt` of the balances of `IN_METERS`, 0.01."""
    return (
        select(
            booked.c.owner_id,
            _of_kind(booked, AccountKind.IN_METER, -1).label("in_meter"),
            _of_kind(booked, AccountKind.METER_DEBT, 1).label("meter_debt"),
        )
        .group_by(booked.c.owner_id)
        .subquery()
    )


def _of_kind(booked: Subquery, kind: AccountKind, sign: int) -> ColumnElement[int]:
    balance = case((booked.c.kind == kind, booked.c.balance * sign), else_=0)
    return func.sum(balance)
