"""Every word of the journal, reached over a line that loses, delays, refuses and dies."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from firmware_sim.assembly import build_lost
from firmware_sim.meter import Meter
from firmware_sim.meter_description import MeterDescription
from meterctl.drivers.modbus import ModbusDriver
from meterctl.errors import NotPermittedError, UsageError
from meterctl.journal import EntryState
from meterctl.key_ring import create_ring
from meterctl.operations.resolution import close_by_hand
from meterctl.utility.meters.gateway import (
    CreditKind,
    Effect,
    Gateway,
    JournalWord,
    MeterPlace,
    Outcome,
    Problem,
)
from protocols.keys import derive_meter_keys
from protocols.quantities import CENT, LEDGER
from protocols.sealed_message import MessageKind, encode_limits
from tests.support.desk_lines import (
    URL,
    AtDelivery,
    DeskLine,
    Killed,
    is_delivery,
    killing_at_delivery,
    place_of,
    silent,
)
from tests.support.meters import Host, make

SERIAL = "000000000042"
CUSTOMER = "000000001001"
MAX_CREDIT, DEBT_SHARE = 4, 19


def meter_of(**description: object) -> Meter:
    return make(serial_number=SERIAL, **{"epoch": 0xE0, "credit": 0, **description})


class Counter:
    """A meter on a line, and the gateway that sells to it."""

    def __init__(self, folder: Path, meter: Meter | None = None) -> None:
        self.folder, self.meter = folder, meter or meter_of()
        self.line = DeskLine(self.meter)
        self.gateway = self.line.gateway(folder)
        self.place = place_of(self.meter)

    def sell(
        self, key: str = "S-1", amount: int = 5000, kind: CreditKind = CreditKind.CREDIT
    ) -> Outcome:
        """Sell over a wire of its own, and find the same in the journal."""
        with self.gateway.wire(URL) as wire:
            return self.found(wire.sell(self.place, key, kind, amount, CUSTOMER))

    def resolve(self, key: str = "S-1") -> Outcome:
        """Resolve over a wire of its own."""
        with self.gateway.wire(URL) as wire:
            return self.found(wire.resolve(self.place, key))

    def void(self, key: str = "S-1") -> Outcome:
        """Void over a wire of its own."""
        with self.gateway.wire(URL) as wire:
            return self.found(wire.void(self.place, key))

    def found(self, outcome: Outcome) -> Outcome:
        """Assert that the journal says the same without a wire."""
        told = replace(
            outcome,
            supply=None,
            problem=Problem.NONE,
            cause="",
            in_the_way=None,
            effect=None,
            notices=(),
        )
        assert replace(self.gateway.find(outcome.key), effect=None) == told
        return outcome

    @property
    def credit(self) -> int:
        """The meter's credit, 0.01."""
        return self.meter.state.account.credit // CENT


@pytest.fixture
def counter(tmp_path: Path) -> Counter:
    return Counter(tmp_path)


def test_every_state_of_an_entry_is_a_word_of_the_journal() -> None:
    words = {state.value for state in EntryState} | {JournalWord.ABSENT.value}
    assert words == {word.value for word in JournalWord}


# ---- absent


def test_a_key_that_was_never_sealed_is_absent(counter: Counter) -> None:
    assert counter.gateway.find("S-1") == Outcome("S-1", JournalWord.ABSENT)
    assert counter.resolve().state is JournalWord.ABSENT
    assert counter.void().state is JournalWord.ABSENT
    assert counter.line.exchanges == 0, "no meter is asked about it"


def test_a_silent_meter_leaves_the_key_absent(counter: Counter) -> None:
    counter.line.fault = silent
    outcome = counter.sell()
    assert (outcome.state, outcome.problem) == (JournalWord.ABSENT, Problem.NO_ANSWER)
    assert outcome.cause
    counter.line.fault = None
    assert counter.sell().state is JournalWord.CONFIRMED


def test_a_port_that_is_not_there_leaves_the_key_absent(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path / "journal.sqlite", timeout_ms=50)
    url = "tcp://127.0.0.1:1"
    with gateway.wire(url) as wire:
        outcome = wire.sell(MeterPlace(SERIAL, url), "S-1", CreditKind.CREDIT, 100)
    assert (outcome.state, outcome.problem) == (JournalWord.ABSENT, Problem.LOCAL)


def test_another_meter_is_sold_nothing(counter: Counter) -> None:
    counter.place = replace(counter.place, serial="000000000043")
    outcome = counter.sell()
    assert (outcome.state, outcome.problem) == (JournalWord.ABSENT, Problem.ANOTHER_METER)
    assert counter.credit == 0


def test_an_account_that_is_not_open_is_refused_before_anything_is_sealed(tmp_path: Path) -> None:
    counter = Counter(tmp_path, meter_of(opened=False))
    outcome = counter.sell()
    assert (outcome.state, outcome.problem) == (JournalWord.ABSENT, Problem.REFUSED)
    assert counter.sell("S-2", 0, CreditKind.OPEN).state is JournalWord.CONFIRMED
    assert counter.sell().state is JournalWord.CONFIRMED
    assert counter.meter.state.account.customer_number == CUSTOMER


def test_a_lost_storage_is_named(tmp_path: Path) -> None:
    counter = Counter(tmp_path, build_lost(MeterDescription(serial_number=SERIAL)))
    counter.place = MeterPlace(SERIAL, URL)
    outcome = counter.sell()
    assert (outcome.state, outcome.problem) == (JournalWord.ABSENT, Problem.LOST_STORAGE)


def test_a_meter_that_was_set_back_is_sold_nothing(counter: Counter) -> None:
    assert counter.sell().state is JournalWord.CONFIRMED
    counter.line.connect(meter_of())
    outcome = counter.sell("S-2")
    assert (outcome.state, outcome.problem) == (JournalWord.ABSENT, Problem.SET_BACK)


def test_another_storage_than_the_one_that_is_known_is_sold_nothing(counter: Counter) -> None:
    def sell(key: str, epoch: int | None) -> Outcome:
        with counter.gateway.wire(URL) as wire:
            return wire.sell(counter.place, key, CreditKind.CREDIT, 5000, CUSTOMER, epoch)

    outcome = sell("S-1", 0xE1)
    assert (outcome.state, outcome.problem) == (JournalWord.ABSENT, Problem.EPOCH_CHANGED)
    assert "another storage" in outcome.cause
    assert counter.credit == 0
    assert sell("S-1", 0xE0).state is JournalWord.CONFIRMED
    assert sell("S-2", None).state is JournalWord.CONFIRMED


def test_a_copy_of_the_journal_seals_nothing(counter: Counter, tmp_path: Path) -> None:
    assert counter.sell().state is JournalWord.CONFIRMED
    copy = tmp_path / "copy"
    copy.mkdir()
    shutil.copy(tmp_path / "journal.sqlite", copy)
    assert counter.sell("S-2").state is JournalWord.CONFIRMED
    counter.gateway = counter.line.gateway(copy)
    outcome = counter.sell("S-3")
    assert (outcome.state, outcome.problem) == (JournalWord.ABSENT, Problem.COPIED_JOURNAL)


def test_the_daily_limit_of_the_key_ring_holds(tmp_path: Path) -> None:
    ring = create_ring(tmp_path / "keys.json", daily_limit=6000)
    meter = meter_of(keys={1: derive_meter_keys(ring.masters[1], SERIAL, 1)}, keys_of=SERIAL)
    counter = Counter(tmp_path, meter)
    counter.gateway = counter.line.gateway(tmp_path, tmp_path / "keys.json")
    assert counter.sell().state is JournalWord.CONFIRMED
    outcome = counter.sell("S-2")
    assert (outcome.state, outcome.problem) == (JournalWord.ABSENT, Problem.OVER_LIMIT)
    counter.line.now_ms += 86_400_000
    assert counter.sell("S-2").state is JournalWord.CONFIRMED, "the day is that of the desk's clock"


def test_keys_of_another_ring_are_named(counter: Counter, tmp_path: Path) -> None:
    create_ring(tmp_path / "keys.json")
    counter.gateway = counter.line.gateway(tmp_path, tmp_path / "keys.json")
    outcome = counter.sell()
    assert (outcome.state, outcome.problem) == (JournalWord.ABSENT, Problem.NOT_PERMITTED)
    assert "give the right --keys" in outcome.cause


def test_another_meter_under_other_keys_is_named_too(counter: Counter, tmp_path: Path) -> None:
    ring = create_ring(tmp_path / "keys.json")
    keys = {1: derive_meter_keys(ring.masters[1], "000000000043", 1)}
    counter.line.connect(make(serial_number="000000000043", keys=keys, keys_of="000000000043"))
    outcome = counter.sell()
    assert (outcome.state, outcome.problem) == (JournalWord.ABSENT, Problem.ANOTHER_METER)


def test_the_published_key_is_for_ports_of_this_machine(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path / "journal.sqlite")
    with (
        pytest.raises(NotPermittedError, match="development key"),
        gateway.wire("tcp://192.0.2.1:502"),
    ):
        pass


def test_a_port_that_is_gone_is_told_as_missing_whatever_the_keys(tmp_path: Path) -> None:
    gone = str(tmp_path / "m1.tty")
    with Gateway(tmp_path / "journal.sqlite").wire(gone) as wire:
        told = wire.reading(MeterPlace(SERIAL, gone))
    assert told.problem is Problem.LOCAL
    assert "m1.tty" in told.cause
    assert "key" not in told.cause


# ---- confirmed


def test_a_confirmed_sale_tells_what_its_receipt_proves(counter: Counter) -> None:
    outcome = counter.sell()
    assert outcome.state is JournalWord.CONFIRMED
    assert (outcome.by_hand, outcome.word, outcome.problem) == (False, "accepted", Problem.NONE)
    assert (outcome.kind, outcome.amount, outcome.meter) == (CreditKind.CREDIT, 5000, SERIAL)
    assert (outcome.epoch, outcome.sequence, outcome.card) == (0xE0, 1, "")
    assert outcome.journal == counter.gateway.journal_number
    assert outcome.proved_at_ms == counter.line.now_ms
    clock = counter.meter.clock
    assert outcome.effect == Effect(0, 0, 0, 50 * LEDGER, 50 * LEDGER, 0, clock)
    assert outcome.supply is not None
    assert (outcome.supply.state, outcome.supply.causes) == ("connected", ())


def test_a_known_key_is_told_and_its_meter_is_not_even_asked(counter: Counter) -> None:
    first = counter.sell()
    asked = counter.line.exchanges
    again = counter.sell()
    assert again == replace(first, supply=None)
    assert counter.line.exchanges == asked
    assert counter.credit == 5000


def test_a_key_of_another_sale_is_refused(counter: Counter) -> None:
    counter.sell()
    for change in ({"amount": 5001}, {"kind": CreditKind.REFUND}):
        with pytest.raises(UsageError, match=r"the journal has it as credit of 50\.00"):
            counter.sell(**change)  # type: ignore[arg-type]
    counter.place = replace(counter.place, serial="000000000043")
    with pytest.raises(UsageError, match="for meter"):
        counter.sell()
    with pytest.raises(UsageError, match="is of meter"):
        counter.resolve()
    assert counter.credit == 5000


@pytest.mark.parametrize(
    ("key", "kind", "amount"),
    [
        ("", CreditKind.CREDIT, 1),
        ("x" * 65, CreditKind.CREDIT, 1),
        ("S-1", CreditKind.CREDIT, 0),
        ("S-1", CreditKind.CREDIT, -1),
        ("S-1", CreditKind.REFUND, 0),
        ("S-1", CreditKind.OPEN, -1),
        ("S-1", CreditKind.CLOSE, 1),
        ("S-1", CreditKind.CREDIT, 100_000_000),
    ],
)
def test_an_order_that_cannot_be_is_refused_before_a_wire_is_opened(
    counter: Counter, key: str, kind: CreditKind, amount: int
) -> None:
    with pytest.raises(UsageError):
        counter.sell(key, amount, kind)
    assert counter.line.opened == 0


@pytest.mark.parametrize("customer", ["", "12", "abcdefghijkl"])
def test_a_customer_number_has_12_digits(counter: Counter, customer: str) -> None:
    with counter.gateway.wire(URL) as wire, pytest.raises(UsageError, match="customer"):
        wire.sell(counter.place, "S-1", CreditKind.OPEN, 0, customer)


@pytest.mark.parametrize("serial", ["", "42", "00000000004x"])
def test_a_place_has_a_serial_number(serial: str) -> None:
    with pytest.raises(UsageError, match="12 digits"):
        MeterPlace(serial, URL)


def test_the_part_for_debt_is_exact(tmp_path: Path) -> None:
    counter = Counter(tmp_path)
    Host(counter.meter).send(MessageKind.LIMITS, parameters=encode_limits({DEBT_SHARE: 30}))
    with counter.gateway.wire(URL) as wire:
        assert wire.debt(counter.place, "D-1", 1000).state is JournalWord.CONFIRMED
    effect = counter.sell(amount=333).effect
    assert effect is not None
    assert effect.to_debt == 333 * CENT * 30 // 100
    assert effect.credit_after == 333 * CENT - effect.to_debt


def test_refund_and_close_are_orders_too(counter: Counter) -> None:
    counter.sell()
    with counter.gateway.wire(URL) as wire:
        refund = wire.refund(counter.place, "R-1", 2000)
        assert refund.state is JournalWord.CONFIRMED
        assert counter.credit == 3000
        assert wire.refund(counter.place, "R-2", 9999).state is JournalWord.REFUSED
        close = wire.close(counter.place, "C-1")
    assert close.effect is not None
    assert (close.state, close.effect.settlement) == (JournalWord.CONFIRMED, 30 * LEDGER)


def test_a_receipt_that_is_not_kept_is_fetched_afterwards(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter.line.fault = AtDelivery()
    assert counter.sell().state is JournalWord.UNKNOWN
    counter.line.fault = None
    with monkeypatch.context() as patched:
        patched.setattr(ModbusDriver, "receipt", lambda *_: b"")
        outcome = counter.resolve()
    assert (outcome.state, outcome.effect) == (JournalWord.CONFIRMED, None)
    assert counter.sell().effect is None, "the journal has none"
    fetched = counter.resolve().effect
    assert fetched is not None
    assert fetched.credit_after == 50 * LEDGER


# ---- unknown and prepared


@pytest.mark.parametrize("lost", [True, False], ids=["request", "reply"])
@pytest.mark.parametrize("again", [Counter.sell, Counter.resolve], ids=["sell", "resolve"])
def test_an_unanswered_sale_is_unknown_and_settled_by_the_next_try(
    counter: Counter, lost: bool, again: Callable[[Counter], Outcome]
) -> None:
    counter.line.fault = AtDelivery(lost=lost)
    outcome = counter.sell()
    assert (outcome.state, outcome.problem) == (JournalWord.UNKNOWN, Problem.NO_ANSWER)
    assert outcome.proved_at_ms is None
    assert outcome.is_open
    assert counter.credit == (0 if lost else 5000)
    counter.line.fault = silent
    assert counter.sell().state is JournalWord.UNKNOWN
    counter.line.fault = None
    assert again(counter).state is JournalWord.CONFIRMED
    assert counter.credit == 5000, "exactly once"


@pytest.mark.parametrize("lost", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("again", [Counter.sell, Counter.resolve], ids=["sell", "resolve"])
def test_a_sale_whose_process_dies_is_prepared_and_goes_on(
    counter: Counter, lost: bool, again: Callable[[Counter], Outcome]
) -> None:
    counter.line.fault = killing_at_delivery(lost=lost)
    with pytest.raises(Killed):
        counter.sell()
    assert counter.gateway.find("S-1").state is JournalWord.PREPARED
    counter.line.fault = None
    assert again(counter).state is JournalWord.CONFIRMED
    assert counter.credit == 5000


def test_an_open_entry_is_in_the_way_of_another_key(counter: Counter) -> None:
    counter.line.fault = AtDelivery()
    counter.sell("S-1")
    counter.line.fault = None
    outcome = counter.sell("S-2")
    assert (outcome.state, outcome.problem) == (JournalWord.ABSENT, Problem.ENTRY_OPEN)
    assert outcome.in_the_way == "S-1"
    assert counter.resolve("S-1").state is JournalWord.CONFIRMED
    assert counter.sell("S-2").state is JournalWord.CONFIRMED


def test_an_open_entry_without_a_key_is_settled_too(counter: Counter) -> None:
    """A person sold by a command with this journal."""
    counter.line.fault = AtDelivery()
    counter.sell("S-1")
    with sqlite3.connect(counter.gateway.journal_path) as database:
        database.execute("UPDATE entries SET reference = ''")
    outcome = counter.sell("S-2")
    assert outcome.problem is Problem.NO_ANSWER
    counter.line.fault = None
    outcome = counter.sell("S-2")
    assert (outcome.problem, outcome.in_the_way) == (Problem.ENTRY_OPEN, None)
    with counter.gateway.wire(URL) as wire:
        counter.line.fault = silent
        assert wire.settle_open(counter.place).problem is Problem.NO_ANSWER
        counter.line.fault = None
        told = wire.settle_open(counter.place)
        assert told.value is not None
        assert [(each.key, each.state) for each in told.value] == [("", JournalWord.CONFIRMED)]
        assert wire.settle_open(counter.place).value == ()
    assert counter.sell("S-2").state is JournalWord.CONFIRMED


def test_an_unknown_sale_that_the_meter_does_not_have_is_voided(counter: Counter) -> None:
    counter.line.fault = AtDelivery(lost=True)
    counter.sell()
    counter.line.fault = None
    outcome = counter.void()
    assert (outcome.state, outcome.word) == (JournalWord.REFUSED, "voided")
    assert counter.void() == counter.resolve()
    assert counter.credit == 0


def test_an_unknown_sale_that_the_meter_has_is_confirmed_instead_of_voided(
    counter: Counter,
) -> None:
    counter.line.fault = AtDelivery()
    counter.sell()
    counter.line.fault = None
    assert counter.void().state is JournalWord.CONFIRMED
    assert counter.credit == 5000


# ---- refused, and a person's word


def test_a_refused_sale_is_dead_and_never_tried_again(counter: Counter) -> None:
    Host(counter.meter).send(
        MessageKind.LIMITS, parameters=encode_limits({MAX_CREDIT: 30 * LEDGER})
    )
    outcome = counter.sell()
    assert (outcome.state, outcome.problem) == (JournalWord.REFUSED, Problem.REFUSED)
    assert (outcome.word, outcome.effect) == ("exceeds_max_credit", None)
    assert "at most 30.00 fits" in outcome.cause
    Host(counter.meter).send(MessageKind.LIMITS, parameters=encode_limits({MAX_CREDIT: None}))
    asked = counter.line.exchanges
    assert counter.sell().state is counter.resolve().state is JournalWord.REFUSED
    assert counter.line.exchanges == asked
    assert counter.sell("S-2").state is JournalWord.CONFIRMED


def test_a_refusal_whose_void_is_not_answered_is_unknown(counter: Counter) -> None:
    Host(counter.meter).send(
        MessageKind.LIMITS, parameters=encode_limits({MAX_CREDIT: 30 * LEDGER})
    )
    counter.line.fault = AtDelivery(lost=True, times=1)
    outcome = counter.sell()
    assert (outcome.state, outcome.word) == (JournalWord.UNKNOWN, "exceeds_max_credit")
    counter.line.fault = None
    assert counter.resolve().state is JournalWord.REFUSED


@pytest.mark.parametrize("said", [EntryState.CONFIRMED, EntryState.REFUSED])
@pytest.mark.parametrize("again", [Counter.sell, Counter.resolve], ids=["sell", "resolve"])
def test_a_proof_overrules_a_person(
    counter: Counter, said: EntryState, again: Callable[[Counter], Outcome]
) -> None:
    counter.line.fault = AtDelivery()
    counter.sell()
    with counter.gateway.journal() as journal:
        entry = journal.find_reference("S-1")
        assert entry is not None
        close_by_hand(journal, entry, said, 1)
    by_hand = counter.gateway.find("S-1")
    assert (by_hand.state.value, by_hand.by_hand, by_hand.effect) == (said.value, True, None)
    still = again(counter)
    assert (still.by_hand, still.problem) == (True, Problem.NO_ANSWER)
    counter.line.fault = None
    proved = again(counter)
    assert (proved.state, proved.by_hand) == (JournalWord.CONFIRMED, False)
    is_told = any("is to be claimed back" in notice for notice in proved.notices)
    assert is_told == (said is EntryState.REFUSED)
    assert again(counter).notices == ()


# ---- a line that lies


class Liar:
    """Loses, repeats and delays frames, and often falls silent in the middle of a try."""

    def __init__(self, seed: int) -> None:
        self.random, self.late = Random(f"desk/{seed}"), b""
        self.left = self.random.choice((*range(2, 16), *(1000,) * 6))
        """Frames until it is silent."""

    def __call__(self, _: int, way: str, data: bytes) -> bytes:
        """Return what arrives."""
        self.left -= 1
        draw = self.random.random()
        if self.left < 0 or (way == "request" and draw < 0.05):
            return b""
        if way == "request":
            return data
        before, self.late = self.late, b""
        if draw < 0.05:
            self.late = data
            return before
        return before + (b"" if draw < 0.1 else data * 2 if draw < 0.15 else data)


@pytest.mark.parametrize("framed", [True, False], ids=["tcp", "rtu"])
def test_whatever_the_line_does_each_key_is_sold_at_most_once(tmp_path: Path, framed: bool) -> None:
    counter = Counter(tmp_path)
    counter.line = DeskLine(counter.meter, framed=framed)
    counter.gateway = counter.line.gateway(tmp_path)
    words, seeds = set(), iter(range(1000))
    keys = [f"S-{number}" for number in range(10)]
    with counter.gateway.wire(URL) as wire:
        for key in keys * 3:
            counter.line.fault = Liar(next(seeds))
            words.add(counter.found(wire.sell(counter.place, key, CreditKind.CREDIT, 100)).state)
            counter.found(wire.resolve(counter.place, key))
        counter.line.fault = None
        ended = [counter.found(wire.resolve(counter.place, key)) for key in keys]
    assert {JournalWord.ABSENT, JournalWord.UNKNOWN, JournalWord.CONFIRMED} <= words
    sold = [outcome for outcome in ended if outcome.state is JournalWord.CONFIRMED]
    assert all(not outcome.is_open for outcome in ended)
    assert counter.credit == 100 * len(sold)
    assert counter.meter.state.account.purchases == len(sold)


def test_another_seller_that_was_first_is_followed(counter: Counter) -> None:
    taken = iter([777])

    def fault(_: int, way: str, data: bytes) -> bytes:
        if way == "request" and is_delivery(data) and (amount := next(taken, None)) is not None:
            Host(counter.meter).send(MessageKind.CREDIT, amount=amount)
        return data

    counter.line.fault = fault
    outcome = counter.sell()
    assert (outcome.state, outcome.sequence) == (JournalWord.CONFIRMED, 2)
    assert counter.credit == 5777


# ---- the journal itself


def test_a_journal_that_is_gone_says_nothing_of_a_key(counter: Counter, tmp_path: Path) -> None:
    counter.sell()
    for file in tmp_path.glob("journal.sqlite*"):
        file.unlink()
    with pytest.raises(UsageError, match="is not known"):
        counter.gateway.find("S-1")


def test_a_journal_that_cannot_be_read_says_nothing_of_a_key(
    counter: Counter, tmp_path: Path
) -> None:
    (tmp_path / "journal.sqlite").write_bytes(b"no journal" * 500)
    with pytest.raises(UsageError):
        counter.gateway.find("S-1")


def test_a_new_journal_is_told(tmp_path: Path) -> None:
    line = DeskLine(meter_of())
    assert line.gateway(tmp_path).is_new
    assert not line.gateway(tmp_path).is_new
