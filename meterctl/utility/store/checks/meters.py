"""Invariants between meters and the books: I3, I4, I5."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select
from sqlalchemy.orm import Session

from meterctl.utility.model.metering import Finding, FindingState, Meter, Reading
from meterctl.utility.model.money import Sale
from meterctl.utility.model.work import Order, OrderKind
from meterctl.utility.rules.money import UNITS_IN_AMOUNT
from meterctl.utility.rules.transitions import LIVE, UNDELIVERED, SaleState
from meterctl.utility.store.checks.outcome import Checked, Tally, streamed
from meterctl.utility.store.checks.proved import sums_sourced
from meterctl.utility.store.findings import FindingRule
from meterctl.utility.store.queries.compared import compared_meters
from meterctl.utility.store.queries.readings import was_set_back
from protocols.quantities import CENT, format_money

_BY_HAND = (SaleState.HAND_DELIVERED, SaleState.HAND_DEAD)


class ProofWord(StrEnum):
    """What a journal proves of a sale's key."""

    ABSENT = "absent"
    """It has no entry of the key: the sale may be another journal's."""
    CONFIRMED = "confirmed"
    BY_HAND = "by_hand"
    """A person closed its entry: a person's word."""
    NOT_CONFIRMED = "not_confirmed"


@dataclass(frozen=True, slots=True)
class KeyProof:
    """What a journal has of a sale's key, with the amount (0.01) and the place of its message."""

    word: ProofWord
    amount: int = 0
    epoch: int = 0
    sequence: int = 0


Find = Callable[[str], KeyProof]
"""Returns what the journal at hand has of a key."""


def meters_agree(session: Session) -> Checked:
    """I3: credit and debt as read are those that are booked, else a finding is open."""
    tally, known, unread, waiting = Tally(), 0, 0, 0
    for each in compared_meters(session):
        unread += each.credit is None
        if each.is_left_out and each.finding is None:
            tally.violation(
                f"agreement {each.agreement}, meter {each.serial}",
                "readings of it are booked, the last one that is there cannot be compared",
            )
        if not each.is_settled:
            waiting += each.finding is not None
            continue
        tally.count += 1
        if each.agrees:
            continue
        if each.finding is not None:
            known += 1
            continue
        assert each.credit is not None
        assert each.debt is not None
        tally.violation(
            f"agreement {each.agreement}, meter {each.serial}",
            f"in_meter {_money(each.in_meter)}, credit {format_money(each.credit, 10)}; meter_debt "
            f"{_money(each.meter_debt)}, debt {format_money(each.debt, 10)}; no finding is open",
        )
    noted = [f"{known} differ with an open finding"] if known else []
    noted += [f"{waiting} with an open finding wait for a reading"] if waiting else []
    noted += [f"{unread} were never read"] if unread else []
    return tally.checked(
        "I3",
        "0 <= in_meter - credit < 0.04 and 0 <= meter_debt - debt < 0.02 where no credit order is "
        "live and the reading has the last sequence, or a finding is open",
        "meters compared",
        "; ".join(noted),
    )


def sales_proved(session: Session, find: Find | None = None) -> Checked:
    """I4: what was delivered is what the meter says it accepted; each sale has its proof.

    Args:
        find: returns what the journal at hand has of a key; None: no journal is at hand.
    """
    tally = Tally()
    unknown = _cumulative(session, tally)
    sums_sourced(session, tally)
    absent = _proofs(session, tally, find)
    noted = [f"{unknown} with credit to be explained: `desk reading explain`"] if unknown else []
    if find is None:
        noted.append("no journal was given: give --journal to compare each sale with its entry")
    elif absent:
        noted.append(f"{absent} delivered sales are not in this journal")
    return tally.checked(
        "I4",
        "a sale is delivered if its entry is confirmed; delivered and explained credit of an epoch "
        "is what the meter accepted by its readings and receipts, or a finding is open",
        "meters and ended sales",
        "; ".join(noted),
    )


def one_live_order(session: Session) -> Checked:
    """I5: a meter has one live credit order at most, and an order has its sale's state."""
    tally = Tally()
    is_of_credit = Order.credit_state.is_not(None)
    tally.count = session.scalars(select(func.count()).select_from(Order).where(is_of_credit)).one()
    several = (
        select(Meter.serial, func.count())
        .join(Order, Order.meter_id == Meter.id)
        .where(Order.credit_state.in_(LIVE))
        .group_by(Meter.serial)
        .having(func.count() > 1)
    )
    for serial, number in streamed(session, several):
        tally.violation(f"meter {serial}", f"has {number} live credit orders")
    others = (
        select(Sale.id, Sale.state, func.count(Order.id), func.min(Order.credit_state))
        .outerjoin(Order, and_(Order.sale_id == Sale.id, Order.kind == OrderKind.SALE))
        .group_by(Sale.id, Sale.state)
        .having(or_(func.count(Order.id) != 1, func.min(Order.credit_state) != Sale.state))
    )
    for sale, state, number, of_order in streamed(session, others):
        tally.violation(
            f"sale S{sale}", f"is {state.value}; it has {number} orders, {of_order or 'no state'}"
        )
    return tally.checked(
        "I5", "one credit order a meter is sending, unknown or on_card", "credit orders"
    )


def _cumulative(session: Session, tally: Tally) -> int:
    """Look at each meter: delivered and explained is its cumulative at the last proved sequence.

    A reading may have proved more already: a live sale that the meter has taken, whose receipt or
    card was not seen yet. Returns how many meters have credit that is still to be explained.
    """

    known = 0
    for row in streamed(session, _accepted_and_sold()):
        serial, epoch, explained, cumulative, delivered, open_ones, found = row
        tally.count += 1
        ours = explained + int(delivered) * UNITS_IN_AMOUNT
        most = ours + int(open_ones) * UNITS_IN_AMOUNT
        if found and cumulative > most:
            known += 1
        elif not ours <= cumulative <= most:
            tally.violation(
                f"meter {serial}, epoch {epoch}",
                f"it accepted {format_money(cumulative)}, delivered and explained is "
                f"{format_money(ours)}",
            )
    return known


def _accepted_and_sold() -> Select[Any]:
    """Return the query of what each meter accepted by its last proof, beside what was sold to it.

    Columns: serial number, epoch, explained and accepted (exact), delivered and not proved (0.01),
    and whether a finding of unknown credit is open.
    """

    def of(*states: SaleState) -> ColumnElement[int]:
        return func.sum(case((Sale.state.in_(states), Sale.amount), else_=0))

    sold = (
        select(
            Sale.meter_id,
            Sale.epoch,
            of(SaleState.DELIVERED).label("delivered"),
            of(*_BY_HAND).label("by_hand"),
        )
        .group_by(Sale.meter_id, Sale.epoch)
        .subquery()
    )
    live = (
        select(Sale.meter_id, func.sum(Sale.amount).label("amount"))
        .where(Sale.state.in_(LIVE))
        .group_by(Sale.meter_id)
        .subquery()
    )
    unproved = func.coalesce(sold.c.by_hand, 0) + func.coalesce(live.c.amount, 0)
    finding = (
        select(Finding.id)
        .where(
            Finding.subject_kind == Meter.__tablename__,
            Finding.subject_id == Meter.id,
            Finding.rule == FindingRule.UNKNOWN_CREDIT,
            Finding.state == FindingState.OPEN,
        )
        .exists()
    )
    return (
        select(
            Meter.serial, Meter.epoch, Meter.explained_before, Meter.proved_cumulative,
            func.coalesce(sold.c.delivered, 0), unproved, finding,
        )
        .outerjoin(sold, and_(sold.c.meter_id == Meter.id, sold.c.epoch == Meter.epoch))
        .outerjoin(live, live.c.meter_id == Meter.id)
        .where(Meter.proved_cumulative.is_not(None))
    )  # fmt: skip


def _proofs(session: Session, tally: Tally, find: Find | None) -> int:
    """Look at each sale that is ended; return how many delivered ones the journal lacks."""
    absent = 0
    rows = (
        select(Sale.id, Sale.key, Sale.state, Sale.amount, Sale.epoch, Sale.sequence)
        .where(Sale.state.not_in(UNDELIVERED))
        .order_by(Sale.id)
    )
    for sale, key, state, *sold in streamed(session, rows):
        tally.count += 1
        is_delivered = state is SaleState.DELIVERED
        if is_delivered and None in sold:
            tally.violation(f"sale S{sale}", "is delivered without a sequence of its meter")
        if find is None:
            continue
        proof = find(key)
        absent += is_delivered and proof.word is ProofWord.ABSENT
        against = ProofWord.NOT_CONFIRMED if is_delivered else ProofWord.CONFIRMED
        if proof.word is against:
            tally.violation(f"sale S{sale}", f"is {state.value}, its entry is {proof.word.value}")
        elif proof.word is ProofWord.CONFIRMED and sold != [
            proof.amount, proof.epoch, proof.sequence,
        ]:  # fmt: skip
            tally.violation(
                f"sale S{sale}",
                f"its entry has {_money(proof.amount)}, epoch {proof.epoch}, sequence "
                f"{proof.sequence}",
            )
    again = (
        select(func.count())
        .where(Reading.meter_id == Sale.meter_id, Reading.epoch == Sale.epoch, was_set_back())
        .scalar_subquery()
    )
    twice = (
        select(Meter.serial, Sale.epoch, Sale.sequence, func.count())
        .join(Sale, Sale.meter_id == Meter.id)
        .where(Sale.state == SaleState.DELIVERED)
        .group_by(Sale.meter_id, Meter.serial, Sale.epoch, Sale.sequence)
        .having(func.count() > 1 + again)
    )
    for serial, epoch, sequence, number in streamed(session, twice):
        tally.violation(
            f"meter {serial}, epoch {epoch}", f"{number} delivered sales have sequence {sequence}"
        )
    return absent


def _money(amount: int) -> str:
    return format_money(amount * CENT)
