"""Binding and writing a card. An interrupted write is finished by repeating the command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from meterctl.errors import MeterctlError, UnknownOutcomeError
from meterctl.operations.card.case import Case
from meterctl.operations.sealing import host_second
from protocols.card.files import CardIdentity, CardType, CreditRecord
from protocols.card.issuing import bind as bind_card
from protocols.card.issuing import write_sale
from protocols.card.keys import meter_access_of
from protocols.sealed_message import SealedMessage


class Bound(NamedTuple):
    """The binding of a card: meter, customer, account unit, version of the meter's keys, and time.

    `issued_at` is in s since 1970 UTC: a meter lets a card replace another one only if it was not
    issued earlier.
    """

    meter: str
    customer: str
    account_unit: int
    key_version: int
    issued_at: int


def bound_to(message: SealedMessage, issued_at: int) -> Bound:
    """Return the binding of a card that carries a message."""
    return Bound(
        message.serial_number,
        message.customer_number,
        message.account_unit,
        message.key_version,
        host_second(issued_at),
    )


@contextmanager
def handing_over(case: Case, unchanged: str) -> Iterator[None]:
    """Run card writes: any failure in the block is an unknown outcome.

    `unchanged` is the end of the error text.
    """
    case.presented.unchanged = unchanged
    try:
        yield
    except MeterctlError as error:
        text = str(error)
        raise UnknownOutcomeError(
            text if unchanged in text else f"{text}; {unchanged}",
            serial_number=error.serial_number,
            entry=error.entry,
        ) from error
    except KeyboardInterrupt as error:
        raise UnknownOutcomeError(f"card {case.serial}: interrupted; {unchanged}") from error


def is_bound_to(case: Case, bound: Bound) -> bool:
    """Return whether the card of a case is bound to a meter and a customer already."""
    identity = case.identity
    return identity is not None and (identity.meter, identity.customer) == bound[:2]


def bind(case: Case, bound: Bound) -> None:
    """Bind a card, after clearing the write-back of another meter."""
    presented = case.presented
    contents = presented.read_contents()
    presented.write(presented.terminal.clear_write_back(contents.return_slots), presented.unchanged)
    meter, customer, unit, version, issued_at = bound
    identity = CardIdentity(meter, customer, version, issued_at, unit)
    access = meter_access_of(case.ring.master(version), meter, presented.selected.serial, version)
    presented.write(
        bind_card(presented.terminal, presented.keys, identity, access),
        "the card may be bound or not",
    )


def write(case: Case, card_type: CardType, sealed: bytes) -> None:
    """Write a sale and read it back, so that a reported sale was seen on the card."""
    presented = case.presented
    contents = presented.read(case.journal).contents
    record = CreditRecord(
        card_type, contents.credit_slots.next_number, sealed, host_second(case.now())
    )
    presented.write(
        write_sale(presented.terminal, contents, record), "the card may carry it or not"
    )
    written = presented.read(case.journal).contents
    if written.credit != record or written.return_slots.newest is not None:
        raise UnknownOutcomeError(f"card {case.serial}: it does not hold the written sale")
