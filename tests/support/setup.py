"""A vending point with its journal and key ring, a meter and cards, for tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

from firmware_sim.assembly import build
from firmware_sim.hal.nvram import Nvram
from firmware_sim.meter import Meter
from firmware_sim.meter_description import MeterDescription
from firmware_sim.rack.rack import Rack
from firmware_sim.token_carriers.card_slot import Inserted
from firmware_sim.token_carriers.insertion import CardInsertion
from meterctl.journal import Entry, Journal
from meterctl.key_ring import KeyRing
from meterctl.operations.card.case import Case
from meterctl.operations.card.comparison import hold_against_journal, settle_by_write_back
from meterctl.operations.card.issuing import plan_format
from meterctl.operations.card.openings import Opening, open_account
from meterctl.operations.card.presented import PresentedCard
from meterctl.operations.card.sales import sell
from meterctl.session import Session
from protocols.card.answer_to_reset import Transmission
from protocols.card.applet import Card
from protocols.card.memory import BytesMemory, Memory, make_blank
from protocols.card.terminal import Transmit
from protocols.errors import CardGoneError
from protocols.keys import derive_meter_keys
from protocols.quantities import CENT
from tests.support.wire import connect

MASTER = bytes(range(16))
METER = "000000000042"
CUSTOMER = "000000001001"
SERIAL = bytes.fromhex("0011223344556677")
OTHER = bytes.fromhex("8877665544332211")
NOW = 1_767_225_600


class Contacts:
    """A card's contacts that count commands, can fail after some, and can alter bytes."""

    def __init__(self, card: Card) -> None:
        self.card = card
        self.count = 0
        self.breaks_after: int | None = None
        self.broke = False
        self.tap: Callable[[bytes], bytes] | None = None
        self.change: Callable[[bytes], bytes] | None = None

    def __call__(self, command: bytes) -> bytes:
        """Send a command to the card."""
        if self.breaks_after is not None and self.count >= self.breaks_after:
            self.broke = True
            raise CardGoneError("pulled")
        self.count += 1
        response = self.card.apdu(self.tap(command) if self.tap else command)
        return self.change(response) if self.change else response


def blank(
    serial: bytes = SERIAL,
    memory: Memory | None = None,
    transmission: Transmission = Transmission.T1,
) -> Card:
    """Return a new card."""
    held = BytesMemory() if memory is None else memory
    make_blank(held, serial, transmission)
    return Card(held, Random("card").randbytes)


class Setup:
    """One vending point, one meter (of several), any number of cards."""

    def __init__(
        self,
        folder: Path,
        nvram: Nvram | None = None,
        masters: dict[int, bytes] | None = None,
        **description: Any,
    ) -> None:
        self.ring = KeyRing(masters or {1: MASTER}, folder / "keys.json")
        self.journal = Journal(folder / "journal.sqlite")
        self.random = Random("setup").randbytes
        self.now = NOW
        self.description = {"serial_number": METER, "opened": False, "epoch": 0xE0, **description}
        self.meter = self.build(nvram)

    def build(self, nvram: Nvram | None = None, **changed: Any) -> Meter:
        """Return the meter of a storage, or a new one."""
        fields = {**self.description, **changed}
        serial = fields["serial_number"]
        keys = fields.pop("keys", None) or {
            version: derive_meter_keys(master, serial, version)
            for version, master in self.ring.masters.items()
        }
        return build(MeterDescription(keys=keys, keys_of=serial, **fields), nvram)

    # ---- at the vending point

    @contextmanager
    def presented(self, card: Card, transmit: Transmit | None = None) -> Iterator[PresentedCard]:
        """Present a card to the vending point."""
        card.power_on()
        yield PresentedCard(transmit or card.apdu, self.ring, self.random, lambda: self.now)
        card.power_off()

    def case(self, presented: PresentedCard, session: Session | None = None, **how: Any) -> Case:
        """Read a presented card for an operation."""
        return Case.read(presented, self.journal, session, **how)

    def formatted(
        self,
        serial: bytes = SERIAL,
        memory: Memory | None = None,
        transmission: Transmission = Transmission.T1,
    ) -> Card:
        """Return a card with this vendor's keys."""
        card = blank(serial, memory, transmission)
        with self.presented(card) as presented:
            plan_format(presented, self.journal).carry_out()
        return card

    def open(
        self,
        card: Card,
        cents: int = 3000,
        meter: str = METER,
        customer: str = CUSTOMER,
        transmit: Transmit | None = None,
        again: bool = False,
    ) -> Entry:
        """Sell an opening card."""
        with self.presented(card, transmit) as presented:
            wanted = Opening(meter, customer, cents, 156, again)
            return open_account(self.case(presented), wanted).entry

    def sell(
        self,
        card: Card,
        cents: int,
        transmit: Transmit | None = None,
        session: Session | None = None,
        reference: str = "",
    ) -> Entry:
        """Sell credit on a card."""
        with self.presented(card, transmit) as presented:
            return sell(self.case(presented, session, reference=reference), cents).entry

    def read(self, card: Card) -> list[Entry]:
        """Read a card at the vending point, settle and compare it with the journal."""
        with self.presented(card) as presented:
            case = Case(presented, self.journal, presented.read())
            assert case.back is not None
            settled = settle_by_write_back(case)
            hold_against_journal(case)
            return settled

    def session(self, meter: Meter | None = None) -> Session:
        """Return a session on the meter's wire."""
        return connect(meter or self.meter, ring=self.ring)[0]

    # ---- at the meter

    def insert(
        self,
        card: Card,
        transmit: Transmit | None = None,
        answer: bytes | None = None,
        meter: Meter | None = None,
    ) -> Inserted:
        """Insert a card in the meter's slot; raises PowerCutError if the meter loses power."""
        return insert_into(meter or self.meter, card, self.random, transmit, answer)

    @property
    def credit(self) -> int:
        """The meter's credit, 0.01, truncated."""
        return self.meter.state.account.credit // CENT


def insert_into(
    meter: Meter,
    card: Card,
    random: Callable[[int], bytes],
    transmit: Transmit | None = None,
    answer: bytes | None = None,
) -> Inserted:
    """Put a card into a meter's slot and let the exchange go to its end."""
    insertion = CardInsertion(Rack([(1, meter)], 0).stations[0], random)
    found = card.power_on()
    inserted = insertion.play(found if answer is None else answer, transmit or card.apdu, 0)
    card.power_off()
    assert inserted is not None, "the meter lost its power"
    return inserted
