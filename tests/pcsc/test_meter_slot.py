"""A meter whose slot is a PC/SC reader: sales, torn insertions, silence, a missing reader."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from firmware_sim.hosting.cards.card_file import open_card
from firmware_sim.hosting.cards.slot import SESSION_S
from firmware_sim.hosting.control_socket import Answer, ask
from protocols.card.answer_to_reset import Transmission
from protocols.card.apdu import Instruction
from protocols.card.files import CardFile, LogActor, LogRow
from protocols.card.issuing import read_as_vendor
from protocols.card.keys import KeyReference
from protocols.card.secure_messaging import SECURED
from protocols.card.terminal import Contents, Exchange, Terminal, drive
from protocols.card.write_back import WriteBack, verify_write_back
from protocols.data_model.insertion import InsertionError
from protocols.keys import development_keys
from protocols.sealed_message import Outcome
from tests.pcsc import cards
from tests.pcsc.contacts import Contacts, connected
from tests.pcsc.stack import READERS, Pcscd
from tests.support.programs import BIN, meter_sim

SLOT, VENDING = READERS
SPEED = 1000
END_S, AT_ONCE_S = 10, 2.5
"""An answer within AT_ONCE_S, well below SESSION_S, was not delayed by the card."""


class Meter:
    """A running meter, unopened, with a load; every request has a connection of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def ask(self, *words: str) -> dict[str, Any]:
        """Send a request over the control socket; return the answer's result."""
        (answer,) = ask(self._folder / "control", list(words), None)
        assert answer.error is None, answer
        result: dict[str, Any] = json.loads(answer.result)
        return result

    def insert(self, reader: str = SLOT) -> dict[str, Any]:
        """Insert the card in a reader; return the result."""
        return self.ask("card", "insert", "--reader", reader)

    def insert_by_program(self) -> dict[str, Any]:
        """Insert the card with the program; return the printed result."""
        done = meter_sim("control", "control", "card", "insert", "--reader", SLOT, cwd=self._folder)
        printed: dict[str, Any] = json.loads(done.stdout)
        return printed

    def refuses(self, reader: str) -> str:
        """Return the error of an insertion that the meter refuses with exit code 2."""
        (answer,) = ask(self._folder / "control", ["card", "insert", "--reader", reader], None)
        assert answer.error is not None
        assert answer.exit_code == 2, answer
        return answer.error


@contextmanager
def run_meter(
    folder: Path, speed: int, faults: tuple[str, ...] = ("Traceback",)
) -> Iterator[Meter]:
    """Run the meter; it must exit with code 0 and without any of `faults` in its log."""
    words = ["--unopened", "--load", "2kW", "--speed", str(speed), "--control", "control", "--json"]
    log = folder / "meter.log"
    with (
        log.open("w") as errors,
        subprocess.Popen(
            [BIN / "meter-sim", "run", *words],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
        ) as process,
    ):
        try:
            assert process.stdout is not None
            assert process.stdout.readline(), log.read_text()
            yield Meter(folder)
            process.terminate()
            assert process.wait(END_S) == 0, log.read_text()
        finally:
            process.kill()
    said = log.read_text()
    assert not any(fault in said for fault in faults), said


@pytest.fixture
def meter(tmp_path: Path) -> Iterator[Meter]:
    """The meter, its time standing still."""
    with run_meter(tmp_path, 0) as meter:
        yield meter


@pytest.fixture
def fast_meter(tmp_path: Path) -> Iterator[Meter]:
    """The meter, its time running."""
    with run_meter(tmp_path, SPEED) as meter:
        yield meter


def read_over(contacts: Contacts) -> Contents:
    """Read a card as its vendor, over a reader."""
    terminal = Terminal(os.urandom)
    drive(terminal.select(), contacts.transmit)
    return drive(read_as_vendor(terminal, cards.KEYS), contacts.transmit)


def test_a_card_sold_in_one_reader_opens_the_meter_once_and_brings_back_its_word(
    tmp_path: Path, transmission: Transmission, meter: Meter
) -> None:
    file = cards.make(tmp_path / "card.ppc", transmission)
    with cards.holding(file, slot=1), connected(VENDING) as contacts:
        cards.sell_opening(contacts.transmit)
        assert read_over(contacts).return_slots.newest is None
    with cards.serving(file, slot=0):
        first, second = meter.insert_by_program(), meter.insert_by_program()
    assert first["outcome"] == "accepted"
    assert (first["error"], first["written_back"], first["card"]) == (
        None,
        True,
        cards.SERIAL.hex(),
    )
    assert (first["credit_before"], first["available_credit"]) == (0, 50)
    assert (second["outcome"], second["error"], second["written_back"]) == (
        "already_accepted",
        None,
        True,
    )
    state = meter.ask("state")
    assert (state["account_state"], state["customer_number"]) == ("open", cards.CUSTOMER)
    assert (state["credited_exact"], state["purchase_count"], state["credit_sequence"]) == (
        50,
        1,
        1,
    )
    with cards.holding(file, slot=1), connected(VENDING) as contacts:
        newest = read_over(contacts).return_slots.newest
        rows = drive(_logged(), contacts.transmit)
    assert newest is not None
    verify_write_back(newest, development_keys(cards.METER).card)
    written = WriteBack.decode(newest)
    assert (written.number, written.meter_digits, written.outcome) == (
        2,
        cards.METER,
        Outcome.ALREADY_ACCEPTED,
    )
    assert [row.actor for row in rows] == [LogActor.METER, LogActor.METER, LogActor.VENDING]


def _logged() -> Exchange[list[LogRow]]:
    terminal = Terminal(os.urandom)
    yield from terminal.select()
    return (yield from terminal.read_log())


@pytest.mark.parametrize("done", [False, True], ids=["before it was done", "after it was done"])
def test_a_card_pulled_in_the_middle_of_the_write_back_has_brought_its_credit_once(
    tmp_path: Path, meter: Meter, done: bool
) -> None:
    def answer(command: bytes) -> bytes | None:
        if not _is_write_back(command):
            return card.apdu(command)
        if done:
            card.apdu(command)
        return cards.PULLED

    file = cards.make(tmp_path / "card.ppc", sold=True)
    with open_card(file) as card, cards.ScriptedCard(card, answer=answer):
        torn = meter.insert()
    assert (torn["outcome"], torn["error_name"], torn["written_back"]) == (
        "accepted",
        "pulled_early",
        False,
    )
    assert torn["available_credit"] == 50
    with cards.holding(file):
        again = meter.insert()
    assert (again["outcome"], again["error"], again["written_back"]) == (
        "already_accepted",
        None,
        True,
    )
    assert meter.ask("state")["credited_exact"] == 50


def _is_write_back(command: bytes) -> bool:
    return command[:3] == bytes((SECURED, Instruction.UPDATE_BINARY, 0x80 | CardFile.RETURN))


def _is_challenge(command: bytes) -> bool:
    return command[:2] == bytes((0, Instruction.GET_CHALLENGE))


@pytest.mark.parametrize(
    ("silent_at", "outcome"),
    [(_is_challenge, None), (_is_write_back, "accepted")],
    ids=["reading", "writing back"],
)
def test_a_card_that_falls_silent_stops_neither_metering_nor_the_next_card(
    tmp_path: Path, fast_meter: Meter, silent_at: Callable[[bytes], bool], outcome: str | None
) -> None:
    file = cards.make(tmp_path / "card.ppc", sold=True)
    with open_card(file) as card:
        scripted = cards.ScriptedCard(
            card, answer=lambda command: None if silent_at(command) else card.apdu(command)
        )
        inserted = _insert_and_watch(fast_meter, scripted)
    assert (inserted["outcome"], inserted["error_name"]) == (outcome, "pulled_early")
    assert inserted["written_back"] is False
    with cards.holding(file):
        again = fast_meter.insert()
    assert again["outcome"] == ("already_accepted" if outcome else "accepted")
    assert (again["error"], again["written_back"]) == (None, True)
    assert fast_meter.ask("state")["credited_exact"] == 50


def test_a_slot_that_waits_for_a_card_takes_no_other(tmp_path: Path, fast_meter: Meter) -> None:
    file = cards.make(tmp_path / "card.ppc", sold=True)
    with open_card(file) as card, ThreadPoolExecutor(1) as threads:
        scripted = cards.ScriptedCard(
            card, answer=lambda command: None if _is_challenge(command) else card.apdu(command)
        )
        with scripted:
            waiting = threads.submit(fast_meter.insert)
            refused = Answer("{}")
            while refused.error is None and not waiting.done():
                (refused,) = ask(tmp_path / "control", ["card", "remove"], None)
            assert refused.exit_code == 3
            assert "still being read" in str(refused.error)
            assert waiting.result()["error_name"] == "pulled_early"


def test_a_card_that_not_even_the_reader_hears_from_is_refused_and_the_next_one_taken(
    tmp_path: Path, fast_meter: Meter
) -> None:
    """The error depends on whether the reader still holds the card's answer to reset."""
    file = cards.make(tmp_path / "card.ppc", sold=True)
    with open_card(file) as card:
        inserted = _insert_and_watch(fast_meter, cards.ScriptedCard(card), mute=True)
    assert inserted["error_name"] in (
        InsertionError.CARD_RESET.word,
        InsertionError.PULLED_EARLY.word,
    )
    assert inserted["outcome"] is None
    with cards.holding(file):
        assert fast_meter.insert()["outcome"] == "accepted"


def _insert_and_watch(
    meter: Meter, scripted: cards.ScriptedCard, *, mute: bool = False
) -> dict[str, Any]:
    """Insert a card that makes the slot wait, and check that the meter runs on meanwhile."""
    with ThreadPoolExecutor(2) as threads, scripted:
        scripted.mute = mute
        began = time.monotonic()
        inserted = threads.submit(meter.insert)
        readings = _read_while(
            inserted, lambda: threads.submit(meter.ask, "state").result(AT_ONCE_S)
        )
        took = time.monotonic() - began
    assert SESSION_S - 0.5 < took < SESSION_S + 10
    _assert_metered(readings)
    return inserted.result()


def _read_while(
    work: Future[dict[str, Any]], read: Callable[[], dict[str, Any]]
) -> list[tuple[float, float, int]]:
    """Return wall time, energy and meter time, read repeatedly until some work is done."""
    found = []
    while not work.done():
        state = read()
        found.append((time.monotonic(), state["energy_import_kwh"], state["elapsed_ms"]))
        time.sleep(0.05)
    return found


def _assert_metered(readings: list[tuple[float, float, int]]) -> None:
    """Check that the meter answered at once and metered its load over its own time."""
    walls, energies, times = zip(*readings, strict=True)
    assert walls[-1] - walls[0] > SESSION_S - 1
    assert max(later - earlier for earlier, later in pairwise(walls)) < AT_ONCE_S
    assert times[-1] - times[0] > (walls[-1] - walls[0]) * 1000 * SPEED / 2
    assert energies[-1] - energies[0] == pytest.approx(
        (times[-1] - times[0]) / 3_600_000 * 2, rel=0.01
    )


def test_an_empty_slot_and_a_reader_that_is_not_there_are_refused_by_name_and_count_as_nothing(
    meter: Meter,
) -> None:
    assert "no card is in it" in meter.refuses(READERS[0])
    refused = meter.refuses("Virtual PCD 00 02")
    assert "'Virtual PCD 00 02': none found" in refused
    ambiguous = meter.refuses("Virtual PCD")
    assert ", ".join(READERS) in ambiguous
    assert meter.ask("state")["account_state"] == "unopened"


def test_another_meters_card_is_refused_before_a_key_is_tried(tmp_path: Path, meter: Meter) -> None:
    file = cards.make(tmp_path / "card.ppc", meter="000000000002")
    with cards.holding(file):
        assert meter.insert()["error_name"] == InsertionError.METER_NUMBER.word
    with open_card(file) as card:
        assert card.state.key(KeyReference.METER).tries == 8


def test_without_pcscd_an_insertion_is_refused_and_the_meter_goes_on(
    tmp_path: Path, pcscd: Pcscd
) -> None:
    with run_meter(tmp_path, 0) as meter:
        pcscd.end()
        assert "is pcscd running" in meter.refuses(SLOT)
        assert meter.ask("state")["account_state"] == "unopened"


def test_a_pcscd_that_ends_within_an_insertion_is_a_card_that_is_gone(
    tmp_path: Path, pcscd: Pcscd
) -> None:
    """pyscard reports an error of its own destructor, which is no fault of the meter."""

    def answer(command: bytes) -> bytes | None:
        if _is_write_back(command):
            pcscd.end()
        return card.apdu(command)

    with (
        open_card(cards.make(tmp_path / "card.ppc", sold=True)) as card,
        run_meter(tmp_path, 0, faults=("never retrieved", "Unhandled")) as meter,
        cards.ScriptedCard(card, answer=answer),
    ):
        torn = meter.insert()
        assert (torn["outcome"], torn["error_name"]) == ("accepted", "pulled_early")
        assert meter.ask("state")["credited_exact"] == 50
