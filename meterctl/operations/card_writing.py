"""Binding and writing a card. An interrupted write is finished by repeating the command."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from meterctl.errors import MeterctlError, UnknownOutcomeError
from meterctl.journal import Journal
from meterctl.operations.presented_card import CardFiles, PresentedCard
from meterctl.operations.sealing import host_second
from protocols.card.files import CardIdentity, CardType, CreditRecord
from protocols.card.issuing import bind, write_sale
from protocols.card.keys import meter_access_of
from protocols.card.terminal import Contents
from protocols.sealed_message import SealedMessage

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Planned(Generic[Result]):
    """A checked plan; nothing is written yet. `text` is the question to the user."""

    text: str
    carry_out: Callable[[], Result]
    rehearse: Callable[[], object] = lambda: None
    """The checks before sealing that need the meter, for a dry run."""


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
def handing_over(presented: PresentedCard, unchanged: str) -> Iterator[None]:
    """Run card writes: any failure in the block is an unknown outcome.

    `unchanged` is the end of the error text.
    """
    presented.unchanged = unchanged
    try:
        yield
    except MeterctlError as error:
        text = str(error)
        raise UnknownOutcomeError(text if unchanged in text else f"{text}; {unchanged}") from error
    except KeyboardInterrupt as error:
        raise UnknownOutcomeError(f"card {presented.serial}: interrupted; {unchanged}") from error


def bind_and_write(
    presented: PresentedCard,
    journal: Journal,
    card_type: CardType,
    sealed: bytes,
    bind_to: Bound | None,
    card_files: CardFiles | None,
) -> None:
    """Bind a card that is not bound to `bind_to` yet, and write a sale.

    Without `card_files` the card is bound in any case.
    """
    identity = card_files.contents.identity if card_files is not None else None
    if bind_to is not None and (
        identity is None or (identity.meter, identity.customer) != bind_to[:2]
    ):
        _bind(presented, bind_to)
    write(presented, journal, card_type, sealed)


def _bind(presented: PresentedCard, bound: Bound) -> None:
    """Bind a card, after clearing the write-back of another meter."""
    contents = presented.read_contents()
    presented.write(presented.terminal.clear_write_back(contents.return_slots), presented.unchanged)
    meter, customer, unit, version, issued_at = bound
    identity = CardIdentity(meter, customer, version, issued_at, unit)
    access = meter_access_of(
        presented.ring.master(version), meter, presented.selected.serial, version
    )
    presented.write(
        bind(presented.terminal, presented.keys, identity, access), "the card may be bound or not"
    )


def write(presented: PresentedCard, journal: Journal, card_type: CardType, sealed: bytes) -> None:
    """Write a sale and read it back, so that a reported sale was seen on the card."""
    contents: Contents = presented.read(journal).contents
    record = CreditRecord(
        card_type, contents.credit_slots.next_number, sealed, host_second(presented.now())
    )
    presented.write(
        write_sale(presented.terminal, contents, record), "the card may carry it or not"
    )
    written = presented.read(journal).contents
    if written.credit != record or written.return_slots.newest is not None:
        raise UnknownOutcomeError(f"card {presented.serial}: it does not hold the written sale")
