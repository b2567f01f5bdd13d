"""A wire that is held: opened when it is needed, again after a fault, by one thread at a time."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from meterctl.errors import BusyError
from meterctl.utility.meters.gateway import CreditKind, JournalWord, Outcome, Problem
from meterctl.utility.meters.gateway.shared_locks import SharedLocks, shared_locks
from tests.support.desk_lines import URL, AtDelivery, DeskLine, place_of
from tests.support.meters import make

SERIALS = ("000000000042", "000000000043")
LONG_S = 30


def test_the_port_is_opened_by_the_first_call_and_held(tmp_path: Path) -> None:
    meter = make(serial_number=SERIALS[0])
    line = DeskLine(meter)
    with line.gateway(tmp_path).wire(URL) as wire:
        assert line.opened == 0
        for number in range(3):
            wire.sell(place_of(meter), f"S-{number}", CreditKind.CREDIT, 1)
        assert line.opened == 1
        line.fault = AtDelivery()
        assert wire.sell(place_of(meter), "S-4", CreditKind.CREDIT, 1).problem is Problem.NO_ANSWER
        line.fault = None
        assert wire.resolve(place_of(meter), "S-4").state is JournalWord.CONFIRMED
        assert line.opened == 2, "a late reply is not taken for that of the next call"
        wire.release()
        assert wire.reading(place_of(meter)).value is not None
        assert line.opened == 3


@pytest.mark.parametrize(
    ("framed", "expected"), [(True, [2, 2, 2, 2]), (False, [5, 2, 5, 5])], ids=["tcp", "rtu"]
)
def test_a_sale_is_one_question_and_one_delivery(
    tmp_path: Path, framed: bool, expected: list[int]
) -> None:
    """On a serial line contact is made before with a meter that was not served last."""
    meters = [make(serial_number=serial) for serial in SERIALS]
    line = DeskLine(*meters, framed=framed)
    places = [place_of(meter, unit) for unit, meter in enumerate(meters, 1)]
    needed = []
    with line.gateway(tmp_path).wire(URL) as wire:
        for number, place in enumerate((places[0], places[0], places[1], places[0])):
            before = line.exchanges
            wire.sell(place, f"S-{number}", CreditKind.CREDIT, 100)
            needed.append(line.exchanges - before)
    assert needed == expected
    assert [meter.state.account.purchases for meter in meters] == [3, 1]


def test_a_place_that_cannot_be_is_a_problem(tmp_path: Path) -> None:
    meter = make(serial_number=SERIALS[0])
    line, place = DeskLine(meter), place_of(meter)
    with line.gateway(tmp_path).wire(URL) as wire:
        for wrong in (
            replace(place, url="tcp://127.0.0.1:1"),
            replace(place, protocol="dlt645"),
            replace(place, map_name="nowhere"),
        ):
            assert wire.reading(wrong).problem is Problem.LOCAL
            assert wire.sell(wrong, "S-1", CreditKind.CREDIT, 1).problem is Problem.LOCAL
    assert line.opened == 0


def test_threads_that_share_a_wire_take_turns(tmp_path: Path) -> None:
    meters = [make(serial_number=serial) for serial in SERIALS]
    line = DeskLine(*meters)
    outcomes: list[Outcome] = []
    with line.gateway(tmp_path).wire(URL) as wire:

        def sell(unit: int, number: int) -> None:
            place = place_of(meters[unit - 1], unit)
            outcomes.append(wire.sell(place, f"S-{unit}-{number}", CreditKind.CREDIT, 100))

        threads = [
            threading.Thread(target=sell, args=(unit, number))
            for unit in (1, 2)
            for number in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LONG_S)
    assert [outcome.state for outcome in outcomes] == [JournalWord.CONFIRMED] * 8
    assert [meter.state.account.purchases for meter in meters] == [4, 4]


def test_threads_with_wires_of_their_own_sell_one_key_once(tmp_path: Path) -> None:
    """Each has a line and a journal connection of its own; the meter's lock is between them."""
    meter = make(serial_number=SERIALS[0])
    lines = [DeskLine(meter) for _ in range(4)]
    gateways = [line.gateway(tmp_path) for line in lines]
    outcomes: list[Outcome] = []
    barrier = threading.Barrier(len(lines))

    def sell(number: int) -> None:
        with gateways[number].wire(URL) as wire:
            barrier.wait(LONG_S)
            outcomes.append(wire.sell(place_of(meter), "S-1", CreditKind.CREDIT, 100))

    threads = [threading.Thread(target=sell, args=(number,)) for number in range(len(lines))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG_S)
    assert {(outcome.state, outcome.entry) for outcome in outcomes} == {(JournalWord.CONFIRMED, 1)}
    assert meter.state.account.purchases == 1


# ---- locks


def test_a_meter_is_locked_for_one_thread_alone(tmp_path: Path) -> None:
    locks = shared_locks(tmp_path / "journal.sqlite")
    assert locks is shared_locks(tmp_path / "journal.sqlite")
    ticks = iter(range(0, 10**9, 40_000))
    pauses: list[int] = []
    with locks.alone_with(SERIALS[0], lambda: 0, pauses.append):
        with locks.alone_with(SERIALS[1], lambda: 0, pauses.append):
            pass
        with (
            pytest.raises(BusyError, match="another worker"),
            locks.alone_with(SERIALS[0], lambda: next(ticks), pauses.append),
        ):
            pass
    assert pauses == [20]
    with locks.alone_with(SERIALS[0], lambda: 0, pauses.append):
        pass


TRY = """
import fcntl, sys
file = open(sys.argv[1], "r+")
try:
    fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, int(sys.argv[2]))
except OSError:
    sys.exit(3)
"""


def test_a_journal_that_another_thread_closes_leaves_the_lock_of_this_one(tmp_path: Path) -> None:
    """Closing a lock file ends all locks of the process in it, so it stays open."""
    path = tmp_path / "journal.sqlite"
    gateway = DeskLine(make()).gateway(tmp_path)

    def is_locked() -> bool:
        words = [sys.executable, "-c", TRY, f"{path}.lock", SERIALS[0]]
        return subprocess.run(words, check=False, env=os.environ).returncode == 3

    with gateway.journal() as mine, mine.locks.alone_with(SERIALS[0], lambda: 0, lambda _: None):
        with (
            gateway.journal() as other,
            other.locks.alone_with(SERIALS[1], lambda: 0, lambda _: None),
        ):
            assert isinstance(other.locks, SharedLocks)
        assert is_locked()
    assert not is_locked()
