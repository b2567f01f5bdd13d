"""What a meter's row keeps as proved and explained, beside the rows that proved it (I4)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    String,
    and_,
    case,
    cast,
    func,
    literal,
    select,
)
from sqlalchemy.orm import Session, aliased

from meterctl.utility.model.agreement import Agreement, AgreementMode
from meterctl.utility.model.evidence import Audit
from meterctl.utility.model.metering import Installation, Meter, Reading
from meterctl.utility.model.money import Account, Entry, Transfer
from meterctl.utility.model.work import Order
from meterctl.utility.rules.money import floored
from meterctl.utility.rules.postings import AccountKind
from meterctl.utility.rules.rights import Action
from meterctl.utility.rules.transitions import ReadingState, SaleState
from meterctl.utility.store.checks.outcome import Tally, streamed
from meterctl.utility.store.queries.readings import was_set_back
from meterctl.utility.store.set_back_books import SERVED
from meterctl.utility.store.takeover_books import TAKE_OVER
from protocols.quantities import CENT, format_money

_EXPLAINED = "explained_before"
_PROVING = (ReadingState.TAKEN, ReadingState.ACCEPTED)
"""States of readings that prove what they hold."""
_CHANGING = (Action.EPOCH_END_APPROVE, Action.CREDIT_EXPLAIN_APPROVE, SERVED)
"""Actions of the audit that change what is explained of a meter."""


def sums_sourced(session: Session, tally: Tally) -> None:
    """Look at each meter: a reading or a receipt has its sum, a decision what is explained."""
    _proved(session, tally)
    _explained(session, tally)
    _explained_entries(session, tally)


def _proved(session: Session, tally: Tally) -> None:
    """Look at the proved sum: that of the readings of its sequence, or of an order's receipt."""
    begun = (
        select(Reading.meter_id, Reading.epoch, func.max(Reading.id).label("reading_id"))
        .where(was_set_back())
        .group_by(Reading.meter_id, Reading.epoch)
        .subquery()
    )
    read = (
        select(Meter.id.label("meter_id"), func.max(Reading.cumulative_exact).label("cumulative"))
        .join(Reading, and_(
            Reading.meter_id == Meter.id, Reading.epoch == Meter.epoch,
            Reading.credit_sequence == Meter.proved_sequence, Reading.state.in_(_PROVING),
        ))
        .outerjoin(begun, and_(
            begun.c.meter_id == Reading.meter_id, begun.c.epoch == Reading.epoch,
        ))
        .where(Reading.id >= func.coalesce(begun.c.reading_id, 0))
        .group_by(Meter.id)
        .subquery()
    )  # fmt: skip
    receipt = select(Order.id).where(
        Order.meter_id == Meter.id,
        Order.credit_state == SaleState.DELIVERED,
        Order.outcome["sequence"].as_integer() == Meter.proved_sequence,
        _number(Order.outcome["cumulative_exact"]) == Meter.proved_cumulative,
    )
    is_sourced = case(
        (read.c.cumulative.is_not(None), read.c.cumulative == Meter.proved_cumulative),
        else_=receipt.exists(),
    )
    wrong = (
        select(Meter.serial, Meter.epoch, Meter.proved_sequence, Meter.proved_cumulative)
        .outerjoin(read, read.c.meter_id == Meter.id)
        .where(Meter.proved_cumulative.is_not(None), ~is_sourced)
    )
    for serial, epoch, sequence, cumulative in streamed(session, wrong):
        tally.violation(
            f"meter {serial}, epoch {epoch}",
            f"no reading and no receipt of sequence {sequence} proves that it accepted "
            f"{format_money(cumulative)}",
        )


def _explained(session: Session, tally: Tally) -> None:
    """Look at what is explained without a sale: that of the last decision about the meter."""
    last: dict[int, tuple[int, int]] = {}
    for meter, audit, cumulative in streamed(session, _takeovers()):
        last[meter] = max(last.get(meter, (0, 0)), (audit, cumulative))
    subject = literal(f"{Meter.__tablename__}/") + cast(Meter.id, String)
    decided = (
        select(Meter.id, Audit.id, Audit.after)
        .join(Audit, Audit.subject == subject)
        .where(Audit.action.in_(_CHANGING))
    )
    for meter, audit, after in streamed(session, decided):
        last[meter] = max(last.get(meter, (0, 0)), (audit, (after or {}).get(_EXPLAINED, 0)))
    for meter, serial, explained in streamed(
        session, select(Meter.id, Meter.serial, Meter.explained_before)
    ):
        _, decision = last.get(meter, (0, 0))
        if explained != decision:
            tally.violation(
                f"meter {serial}",
                f"{format_money(explained)} of it is explained without a sale, by its audit "
                f"{format_money(decision)}",
            )


def _takeovers() -> Any:
    """Return the query of meters with the audit of their taking over, and their sum then."""
    subject = literal(f"{Reading.__tablename__}/") + cast(Reading.id, String)
    return (
        select(Reading.meter_id, Audit.id, Reading.cumulative_exact)
        .join(Installation, Installation.reading_in_id == Reading.id)
        .join(Agreement, Agreement.id == Reading.agreement_id)
        .join(Audit, and_(Audit.subject == subject, Audit.action == TAKE_OVER))
        .where(Agreement.mode == AgreementMode.METER)
    )


def _explained_entries(session: Session, tally: Tally) -> None:
    """Look at what two persons explained: the entries of each meter have as much."""
    account = aliased(Account)
    entries = (
        select(Meter.serial, func.sum(Transfer.amount))
        .join_from(Transfer, Entry, Entry.id == Transfer.entry_id)
        .join(Reading, Reading.id == Entry.reading_id)
        .join(Meter, Meter.id == Reading.meter_id)
        .join(account, account.id == Transfer.credit_id)
        .where(Entry.kind == "explained", account.kind == AccountKind.IN_METER)
        .group_by(Meter.serial)
    )
    booked = {serial: int(amount) for serial, amount in streamed(session, entries)}
    subject = literal(f"{Meter.__tablename__}/") + cast(Meter.id, String)
    decided = (
        select(Meter.serial, Audit.before, Audit.after)
        .join(Audit, Audit.subject == subject)
        .where(Audit.action == Action.CREDIT_EXPLAIN_APPROVE)
    )
    explained: dict[str, int] = dict.fromkeys(booked, 0)
    for serial, before, after in streamed(session, decided):
        amount = floored((after or {}).get(_EXPLAINED, 0) - (before or {}).get(_EXPLAINED, 0))
        explained[serial] = explained.get(serial, 0) + amount
    for serial, amount in explained.items():
        if amount != booked.get(serial, 0):
            tally.violation(
                f"meter {serial}",
                f"two persons explained {format_money(amount * CENT)}, "
                f"{format_money(booked.get(serial, 0) * CENT)} is booked",
            )


def _number(value: Any) -> ColumnElement[int]:
    """Return a whole number of JSON that may have 64 bits."""
    return cast(value.as_string(), BigInteger)
