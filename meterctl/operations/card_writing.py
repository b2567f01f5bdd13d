"""Binding and writing a card: what leaves a sale half done where it breaks off, and is finished by doing it again."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from meterctl.errors import MeterctlError, UnknownOutcomeError
from meterctl.operations.card_counter import Counter, Standing
from protocols.card.files import CardType, CreditRecord, Identity
from protocols.card.issuing import bind, write_sale
from protocols.card.keys import meter_access_of
from protocols.card.terminal import Contents


class Bound(NamedTuple):
    """To whom a card is bound: meter, customer, account unit, and the version of the meter's keys."""

    meter: str
    customer: str
    account_unit: int
    key_version: int


def hand_over(counter: Counter, unchanged: str, work: Callable[[], None]) -> None:
    """Do what leaves a sale half done where it fails; whatever went wrong, its outcome is unknown."""
    counter.unchanged = unchanged
    try:
        work()
    except MeterctlError as error:
        text = str(error)
        raise UnknownOutcomeError(text if unchanged in text else f"{text}; {unchanged}") from error
    except KeyboardInterrupt as error:
        raise UnknownOutcomeError(f"card {counter.serial}: interrupted; {unchanged}") from error


def bind_and_write(
    counter: Counter, card_type: CardType, sealed: bytes, bind_to: Bound | None, standing: Standing | None
) -> None:
    """Bind a card where it is not bound so yet (or anew, without `standing`), and write a sale."""
    identity = standing.contents.identity if standing is not None else None
    if bind_to is not None and (identity is None or (identity.meter, identity.customer) != bind_to[:2]):
        _bind(counter, bind_to)
    write(counter, card_type, sealed)


def _bind(counter: Counter, bound: Bound) -> None:
    """Bind a card; what another meter wrote on it goes first."""
    contents = counter.read_contents()
    counter.write(counter.terminal.clear_write_back(contents.return_slots), counter.unchanged)
    meter, customer, unit, version = bound
    identity = Identity(meter, customer, version, max(counter.now(), 0), unit)
    access = meter_access_of(counter.ring.master(version), meter, counter.selected.serial, version)
    counter.write(bind(counter.terminal, counter.keys, identity, access), "the card may be bound or not")


def write(counter: Counter, card_type: CardType, sealed: bytes) -> None:
    """Write a sale and read it back: what is reported as sold was seen on the card."""
    contents: Contents = counter.read().contents
    record = CreditRecord(card_type, contents.credit_slots.next_number, sealed, max(counter.now(), 0))
    counter.write(write_sale(counter.terminal, contents, record), "the card may carry it or not")
    written = counter.read().contents
    if written.credit != record or written.return_slots.newest is not None:
        raise UnknownOutcomeError(f"card {counter.serial}: it does not hold what was written")
