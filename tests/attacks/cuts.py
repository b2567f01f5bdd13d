"""A sale and an insertion with a cut: at a command, a byte of the card or a byte of the meter.

After the cut the vendor gives the same command again and the customer inserts the card again. The
credit must be in the meter exactly once, and the journal must confirm it.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from firmware_sim.hal.nvram import PowerCutError, SimulatedNvram
from firmware_sim.meter import Meter
from firmware_sim.rack.rack import Rack
from firmware_sim.token_carriers.insertion import CardInsertion
from meterctl.errors import MeterctlError
from meterctl.journal import EntryState
from protocols.card.applet import Card
from protocols.errors import CardGoneError
from protocols.sealed_message import MessageKind
from tests.support.setup import Setup

CENTS = 1000
REFERENCE = "sale-1"
"""The requester's key: the same command again means the same sale."""
MEMORY = Path("/dev/shm")


class Where(Enum):
    """The unit that a cut counts."""

    COMMAND = "commands of the exchange"
    CARD_BYTE = "bytes that the card writes"
    METER_BYTE = "bytes that the meter writes"


@dataclass(frozen=True, slots=True)
class Cut:
    """A cut after so many units; without `where` there is none."""

    where: Where | None = None
    after: int = 0


NO_CUT = Cut()


class CutSetup:
    """A set-up before a sale of 10.00: an open account of 30.00 and a card, on tearing memories."""

    def __init__(self, folder: Path) -> None:
        self.device = SimulatedNvram()
        self.setup = Setup(folder, self.device)
        self.chip = SimulatedNvram()
        self.setup.open(self.card_made())
        self.setup.insert(self.card)
        self.setup.read(self.card)

    def card_made(self) -> Card:
        """Return the customer's new card."""
        self.card = self.setup.formatted(memory=self.chip)  # type: ignore[arg-type]
        return self.card

    def snapshot(self) -> tuple[bytes, bytes, bytes]:
        """Return the contents of meter storage, card memory and journal."""
        return (
            bytes(self.device.data),
            bytes(self.chip.data),
            self.setup.journal.path.read_bytes(),
        )

    def restore(self, kept: tuple[bytes, bytes, bytes]) -> None:
        """Restore meter storage, card memory and journal."""
        self.device, self.chip = SimulatedNvram(kept[0]), SimulatedNvram(kept[1])
        self.setup.journal.close()
        self.setup.journal.path.write_bytes(kept[2])
        self.setup.journal = type(self.setup.journal)(self.setup.journal.path)
        self.setup.meter = self.setup.build(self.device)
        self.card = Card(self.chip, self.setup.random)

    # ---- the exchanges that are cut

    def sell(self, cut: Cut) -> int:
        """Sell with a cut; return the number of counted units."""
        with self._cutting(cut) as contacts, contextlib.suppress(MeterctlError):
            self.setup.sell(self.card, CENTS, contacts, reference=REFERENCE)
        return contacts.counted

    def insert(self, cut: Cut) -> int:
        """Insert with a cut; return the number of counted units."""
        written = self.device.written
        if cut.where is Where.METER_BYTE:
            self.device.cut_after = cut.after
        with self._cutting(cut) as contacts:
            station = Rack([(1, self.setup.meter)], 0).stations[0]
            station.rebuild = self._rebuild
            insertion = CardInsertion(station, self.setup.random)
            insertion.play(self.card.power_on(), contacts, 0)
            self.setup.meter = station.meter
        self.device.cut_after = None  # where it writes less than that, it was not cut
        return self.device.written - written if cut.where is Where.METER_BYTE else contacts.counted

    def _rebuild(self) -> Meter:
        self.device = SimulatedNvram(bytes(self.device.data))
        return self.setup.build(self.device)

    @contextlib.contextmanager
    def _cutting(self, cut: Cut) -> Iterator[_Contacts]:
        contacts = _Contacts(self, cut)
        if cut.where is Where.CARD_BYTE:
            self.chip.cut_after = cut.after
        yield contacts
        self.chip = SimulatedNvram(bytes(self.chip.data))
        self.card = Card(self.chip, self.setup.random)

    # ---- recovery

    def recover(self) -> None:
        """Repeat the sale, insert the card again, and read it at the vending point."""
        self.sell(NO_CUT)
        self.insert(NO_CUT)
        self.setup.read(self.card)

    def audit(self) -> None:
        """Raise AssertionError unless the credit is in exactly once and the journal confirms it."""
        account = self.setup.meter.state.account
        entries = self.setup.journal.entries()
        assert self.setup.credit == 3000 + CENTS, f"credit {self.setup.credit}"
        assert account.purchases == 2
        assert account.imbalance() == (0, 0)
        assert [(e.kind, e.amount, e.state) for e in entries] == [
            (MessageKind.OPEN.word, 3000, EntryState.CONFIRMED),
            (MessageKind.CREDIT.word, CENTS, EntryState.CONFIRMED),
        ]
        assert self.setup.meter.state.security.credit_sequence == 2


class _Contacts:
    """Contacts that fail after so many commands, or with the card's memory."""

    def __init__(self, cut_setup: CutSetup, cut: Cut) -> None:
        self._cut_setup, self._cut = cut_setup, cut
        self._commands = 0
        self._chip, self._began = cut_setup.chip, cut_setup.chip.written
        self._dead = False

    @property
    def counted(self) -> int:
        """The number of counted units so far."""
        by_byte = self._cut.where is Where.CARD_BYTE
        return self._chip.written - self._began if by_byte else self._commands

    def __call__(self, command: bytes) -> bytes:
        pulled = self._cut.where is Where.COMMAND and self._commands >= self._cut.after
        if self._dead or pulled:
            self._dead = True
            raise CardGoneError("the card was pulled")
        self._commands += 1
        try:
            return self._cut_setup.card.apdu(command)
        except PowerCutError:
            self._dead = True
            raise CardGoneError("the card lost its power in a write") from None


def stage(folder: Path | None = None) -> tuple[CutSetup, tuple[bytes, bytes, bytes]]:
    """Return a set-up and its state before the sale."""
    cut_setup = CutSetup(folder or Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None)))
    return cut_setup, cut_setup.snapshot()


def places(cut_setup: CutSetup, kept: tuple[bytes, bytes, bytes], where: Where) -> tuple[int, int]:
    """Count the units of a complete sale and of a complete insertion."""
    cut_setup.restore(kept)
    never = Cut(where, 1 << 40)
    sale = cut_setup.sell(never) if where is not Where.METER_BYTE else 0
    if where is Where.METER_BYTE:
        cut_setup.sell(NO_CUT)
    return sale, cut_setup.insert(never)


def play(cut_setup: CutSetup, kept: tuple[bytes, bytes, bytes], sale: Cut, insertion: Cut) -> None:
    """Run one sale and one insertion with their cuts, recover, and audit."""
    cut_setup.restore(kept)
    cut_setup.sell(sale)
    cut_setup.insert(insertion)
    cut_setup.recover()
    try:
        cut_setup.audit()
    except AssertionError as error:
        raise AssertionError(f"sale {sale}, insertion {insertion}: {error}") from error


def cuts_of(where: Where, count: int, step: int = 1) -> Iterator[Cut]:
    """Yield the cuts after every `step` units."""
    yield from (replace(Cut(where), after=after) for after in range(0, count + 1, step))
