"""A gateway of tests: meters and a journal in dictionaries, and a line that lies when told to.

It has the calls of `meterctl.utility.meters.gateway.Gateway` that orders need, and answers with the
same values. A key is sealed once: asked again, its entry is settled or told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from meterctl.journal import EntryOutcome
from meterctl.utility.meters.gateway import (
    CardPlace,
    CommandOutcome,
    CommandWord,
    Consumption,
    CreditKind,
    Effect,
    JournalWord,
    MeterPlace,
    Outcome,
    Presented,
    Problem,
    Reading,
    Supply,
    Terms,
    Told,
)
from protocols.data_model.tariff import TariffChange
from protocols.data_model.words import AccountState, Cause, Status, SupplyState
from protocols.quantities import CENT
from tests.support.desk_world import NOON


class Line(Enum):
    """What happens to the next call for a meter."""

    SOUND = "sound"
    SILENT = "silent"
    """No answer before anything is sealed; nothing of an open entry is learned."""
    ANSWER_LOST = "answer lost"
    """Sealed and accepted; the answer is lost."""
    MESSAGE_LOST = "message lost"
    """Sealed; the meter never gets it."""
    REFUSED = "refused"
    """Sealed; the meter refuses it."""
    CHECKED = "checked"
    """Refused before anything is sealed, by what the meter shows."""
    SET_BACK = "set back"
    """A proved value of the meter fell; nothing is sealed."""
    DIES = "dies"
    """The process ends after it has sealed, before it sends."""
    DIES_SENT = "dies sent"
    """The process ends when the meter has accepted."""


class Died(BaseException):
    """The process ended here."""


@dataclass
class FakeMeter:
    """A meter: money is exact."""

    serial: str
    epoch: int = 1
    sequence: int = 0
    credit: int = 0
    debt: int = 0
    debt_share_percent: int = 0
    consumption: int = 0
    instalments: int = 0
    refunded: int = 0
    cumulative: int = 0
    to_debt: int = 0
    energy_mwh: int = 0
    opening: int = 0
    settings: dict[Any, Any] = field(default_factory=dict)
    tariffs: list[Any] = field(default_factory=list)

    def consume(self, amount: int) -> None:
        """Charge consumption."""
        self.credit -= amount
        self.consumption += amount
        self.energy_mwh += 1_000

    def accept(self, kind: CreditKind, amount: int) -> Effect:
        """Accept a message of the next sequence."""
        before, exact, to_debt = self.credit, amount * CENT, 0
        if kind in (CreditKind.OPEN, CreditKind.CREDIT):
            to_debt = min(self.debt, exact * self.debt_share_percent // 100)
            self.debt -= to_debt
            self.to_debt += to_debt
            self.cumulative += exact
            self.credit += exact - to_debt
        elif kind is CreditKind.REFUND:
            self.refunded += exact
            self.credit -= exact
        elif kind is CreditKind.DEBT:
            self.debt += exact
        self.sequence += 1
        overdraft = min(max(-before, 0), exact - to_debt)
        return Effect(overdraft, to_debt, before, self.credit, self.cumulative, 0, NOON)


@dataclass
class Entry:
    """An entry of the journal."""

    id: int
    key: str
    kind: CreditKind
    meter: str
    amount: int
    sequence: int
    epoch: int
    state: JournalWord = JournalWord.PREPARED
    by_hand: bool = False
    effect: Effect | None = None
    accepted: Effect | None = None
    """What the meter has, known to the journal or not."""
    card: str = ""

    @property
    def is_open(self) -> bool:
        """Whether its outcome is not settled."""
        return self.state in (JournalWord.PREPARED, JournalWord.UNKNOWN, JournalWord.ON_CARD)


class FakeGateway:
    """The journal, and all wires and cards of the desk."""

    def __init__(self, path: Path = Path("journal.sqlite"), number: int = 1) -> None:
        self.journal_path, self.journal_number = path, number
        self.entries: dict[str, Entry] = {}
        self.meters: dict[str, FakeMeter] = {}
        self.lines: dict[str, list[Line]] = {}
        self.calls: list[tuple[str, str]] = []
        """Word and key, or serial number, of each call."""
        self.card_in_reader = Presented()
        self.receipts = True
        """Whether a proof brings the receipt too."""
        self.cards = FakeCards(self)

    def lie(self, serial: str, *lines: Line) -> None:
        """Set what happens to the next calls for a meter."""
        self.lines.setdefault(serial, []).extend(lines)

    def meter(self, serial: str) -> FakeMeter:
        """Return a meter; it is made when it is asked for first."""
        return self.meters.setdefault(serial, FakeMeter(serial))

    def find(self, key: str) -> Outcome:
        """Return what the journal has."""
        entry = self.entries.get(key)
        return Outcome(key, JournalWord.ABSENT) if entry is None else self._told(entry)

    @contextmanager
    def wire(self, url: str) -> Iterator[FakeWire]:
        """Yield a wire."""
        yield FakeWire(self, url)

    def next_line(self, serial: str) -> Line:
        """Return what happens to a call, and use it up."""
        waiting = self.lines.get(serial, [])
        return waiting.pop(0) if waiting else Line.SOUND

    def absent(self, key: str, problem: Problem, cause: str, way: str | None = None) -> Outcome:
        """Return the outcome of a try that sealed nothing."""
        return Outcome(key, JournalWord.ABSENT, problem=problem, cause=cause, in_the_way=way)

    def sell(
        self,
        place: MeterPlace,
        key: str,
        kind: CreditKind,
        amount: int,
        customer: str,
        epoch: int | None = None,
    ) -> Outcome:
        """Seal and deliver an order once for its key, with what the line does to it."""
        self.calls.append(("sell", key))
        entry = self.entries.get(key)
        if entry is not None:
            return self._told(entry) if not entry.is_open else self.settle(entry)
        line, meter = self.next_line(place.serial), self.meter(place.serial)
        match line:
            case Line.SILENT:
                return self.absent(key, Problem.NO_ANSWER, "no answer")
            case Line.CHECKED:
                return self.absent(key, Problem.REFUSED, "credit would pass its limit")
            case Line.SET_BACK:
                return self.absent(key, Problem.SET_BACK, "a value fell; --set-back serves it")
            case _:
                pass
        if epoch not in (None, meter.epoch):
            return self.absent(key, Problem.EPOCH_CHANGED, "another storage")
        opened = [e for e in self.entries.values() if e.meter == place.serial and e.is_open]
        if opened:
            return self.absent(key, Problem.ENTRY_OPEN, "an entry is open", opened[0].key)
        entry = self.seal(key, kind, place.serial, amount)
        match line:
            case Line.DIES:
                raise Died
            case Line.DIES_SENT:
                entry.accepted = meter.accept(kind, amount)
                raise Died
            case Line.ANSWER_LOST:
                entry.accepted, entry.state = meter.accept(kind, amount), JournalWord.UNKNOWN
                return self._told(entry, Problem.NO_ANSWER, "no answer")
            case Line.MESSAGE_LOST:
                entry.state = JournalWord.UNKNOWN
                return self._told(entry, Problem.NO_ANSWER, "no answer")
            case Line.REFUSED:
                entry.state = JournalWord.REFUSED
                return self._told(entry, Problem.REFUSED, "exceeds_max_credit")
            case _:
                entry.accepted = meter.accept(kind, amount)
                return self._confirm(entry)

    def seal(self, key: str, kind: CreditKind, serial: str, amount: int) -> Entry:
        """Write an entry before it is sent."""
        meter = self.meter(serial)
        number, sequence = len(self.entries) + 1, meter.sequence + 1
        entry = Entry(number, key, kind, serial, amount, sequence, meter.epoch)
        self.entries[key] = entry
        return entry

    def settle(self, entry: Entry) -> Outcome:
        """Settle an open entry by proof; one that the meter never got is voided."""
        self.calls.append(("resolve", entry.key))
        if self.next_line(entry.meter) is not Line.SOUND:
            entry.state = JournalWord.UNKNOWN
            return self._told(entry, Problem.NO_ANSWER, "no answer")
        if entry.accepted is not None:
            return self._confirm(entry)
        entry.state = JournalWord.REFUSED
        return self._told(entry)

    def _confirm(self, entry: Entry) -> Outcome:
        entry.state = JournalWord.CONFIRMED
        entry.effect = entry.accepted if self.receipts else None
        return self._told(entry)

    def _told(self, entry: Entry, problem: Problem = Problem.NONE, cause: str = "") -> Outcome:
        is_confirmed = entry.state is JournalWord.CONFIRMED
        return Outcome(
            entry.key, entry.state, entry.by_hand,
            EntryOutcome.ACCEPTED if is_confirmed else EntryOutcome.NONE,
            entry.id, entry.kind, entry.meter, entry.epoch, entry.sequence, entry.amount,
            entry.card, self.journal_number, entry.effect,
            Supply("connected", (), 0) if is_confirmed else None,
            None if entry.is_open else NOON, problem, cause,
        )  # fmt: skip


class FakeWire:
    """A port."""

    def __init__(self, gateway: FakeGateway, url: str) -> None:
        self.gateway, self.url = gateway, url

    def sell(
        self,
        place: MeterPlace,
        key: str,
        kind: CreditKind,
        amount: int,
        customer: str = "",
        epoch: int | None = None,
    ) -> Outcome:
        """Carry out an order of the credit class once for its key."""
        assert place.url == self.url
        return self.gateway.sell(place, key, kind, amount, customer, epoch)

    def resolve(self, place: MeterPlace, key: str) -> Outcome:
        """Settle an entry."""
        entry = self.gateway.entries.get(key)
        if entry is None or not entry.is_open:
            return self.gateway.find(key)
        return self.gateway.settle(entry)

    def reading(self, place: MeterPlace, *, set_back: bool = False) -> Told[Reading]:
        """Read a meter."""
        self.gateway.calls.append(("reading", place.serial))
        if self.gateway.next_line(place.serial) is not Line.SOUND:
            return Told(None, Problem.NO_ANSWER, "no answer")
        return Told(a_reading(self.gateway.meter(place.serial)))

    def terms(self, place: MeterPlace) -> Told[Terms]:
        """Read what a meter is set to."""
        self.gateway.calls.append(("terms", place.serial))
        if self.gateway.next_line(place.serial) is not Line.SOUND:
            return Told(None, Problem.NO_ANSWER, "no answer")
        settings, none = dict(self.gateway.meter(place.serial).settings), TariffChange(())
        return Told(Terms(place.serial, 1, 0, NOON, settings, none, none))

    def limits(self, place: MeterPlace, wanted: Mapping[Any, Any]) -> CommandOutcome:
        """Set limits."""
        self.gateway.calls.append(("limits", place.serial))
        match self.gateway.next_line(place.serial):
            case Line.SOUND:
                self.gateway.meter(place.serial).settings.update(wanted)
                return CommandOutcome(CommandWord.DONE, is_changed=True, settings=wanted)
            case Line.REFUSED:
                return CommandOutcome(
                    CommandWord.REFUSED, problem=Problem.REFUSED, cause="out of range"
                )
            case _:
                return CommandOutcome(
                    CommandWord.SILENT, problem=Problem.NO_ANSWER, cause="no answer"
                )

    def tariff(self, place: MeterPlace, change: Any) -> CommandOutcome:
        """Change the tariff."""
        self.gateway.calls.append(("tariff", place.serial))
        self.gateway.meter(place.serial).tariffs.append(change)
        return CommandOutcome(CommandWord.DONE, is_changed=True)


class FakeCards:
    """The cards of a counter: one lies in the reader, `FakeGateway.card_in_reader`."""

    def __init__(self, gateway: FakeGateway) -> None:
        self._gateway = gateway

    def sell(
        self, card: CardPlace, place: MeterPlace, key: str, kind: CreditKind, amount: int,
        customer: str = "", *, epoch: int | None = None,
    ) -> Outcome:  # fmt: skip
        """Write a sale on the card in the reader."""
        self._gateway.calls.append(("card", key))
        entry = self._gateway.entries.get(key)
        here = self._gateway.card_in_reader
        if entry is None:
            if here.meter not in ("", place.serial):
                return self._gateway.absent(key, Problem.ANOTHER_METER, "another meter's card")
            if epoch not in (None, self._gateway.meter(place.serial).epoch):
                return self._gateway.absent(key, Problem.EPOCH_CHANGED, "another storage")
            entry = self._gateway.seal(key, kind, place.serial, amount)
            entry.state, entry.card = JournalWord.ON_CARD, here.card
        return self._gateway.find(key)

    def insert(self, key: str) -> None:
        """Let the meter take the sale of a key from its card; the card is then presented."""
        entry = self._gateway.entries[key]
        entry.accepted = self._gateway.meter(entry.meter).accept(entry.kind, entry.amount)

    def present(self, card: CardPlace) -> Presented:
        """Read the card in the reader, and settle what its write-back proves."""
        here, settled = self._gateway.card_in_reader, []
        for entry in self._gateway.entries.values():
            is_here = here.card and entry.card == here.card and entry.accepted is not None
            if is_here and entry.state is JournalWord.ON_CARD:
                entry.state, entry.effect = JournalWord.CONFIRMED, None
                settled.append(self._gateway.find(entry.key))
        return Presented(
            here.card, here.meter, here.customer,
            Consumption.ACCEPTED if settled else here.consumption, None, tuple(settled),
        )  # fmt: skip


def a_reading(meter: FakeMeter) -> Reading:
    """Return a reading of a meter as it stands."""
    return Reading(
        serial=meter.serial, epoch=meter.epoch, account_state=AccountState.OPEN, account_unit=156,
        customer="0" * 12, credit_sequence=meter.sequence, command_sequence=0, clock_ms=NOON,
        elapsed_ms=NOON, taken_at_ms=NOON, cumulative=meter.cumulative // CENT,
        credit_exact=meter.credit, credit_floor_exact=meter.credit, debt_exact=meter.debt,
        opening_exact=meter.opening, credited_exact=meter.cumulative - meter.to_debt,
        refunded_exact=meter.refunded, settled_exact=0, consumption_exact=meter.consumption,
        standing_exact=0, instalments_exact=meter.instalments, debt_entered_exact=0,
        debt_from_top_ups_exact=meter.to_debt, energy_mwh=meter.energy_mwh,
        supply_state=SupplyState.CONNECTED, causes=Cause(0), amount_to_reconnect_exact=0,
        status=Status(0),
    )  # fmt: skip
