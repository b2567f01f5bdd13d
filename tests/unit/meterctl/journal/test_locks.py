"""Locks on meters between processes: waited for, given up after the longest wait."""

from __future__ import annotations

import fcntl
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from meterctl.errors import BusyError, UsageError
from meterctl.journal import NOWHERE
from meterctl.journal.locks import WAIT_MS, WAIT_STEP_MS, MeterLocks

METER, OTHER = "000000000042", "000000000043"


class HeldLocks:
    """Locks of another process in place of those of the system: meters until their instants."""

    def __init__(self, until_ms: dict[str, int]) -> None:
        self.until_ms, self.now_ms = until_ms, 0

    def lockf(self, _: int, command: int, __: int, place: int) -> None:
        if command != fcntl.LOCK_UN and self.now_ms < self.until_ms.get(f"{place:012d}", 0):
            raise BlockingIOError

    def pause(self, ms: int) -> None:
        self.now_ms += ms

    def ticks(self) -> int:
        return 5_000 + self.now_ms


@pytest.mark.parametrize(("held_ms", "waited_ms"), [(0, 0), (1, WAIT_STEP_MS), (WAIT_MS, WAIT_MS)])
def test_a_meter_that_another_process_works_on_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held_ms: int, waited_ms: int
) -> None:
    held = HeldLocks({METER: held_ms})
    monkeypatch.setattr(fcntl, "lockf", held.lockf)
    locks = MeterLocks(tmp_path / "j.sqlite")
    with locks.alone_with(METER, held.ticks, held.pause):
        assert held.now_ms == waited_ms
    locks.close()


def test_after_the_longest_wait_a_meter_is_busy_and_another_one_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = HeldLocks({METER: 2 * WAIT_MS})
    monkeypatch.setattr(fcntl, "lockf", held.lockf)
    locks = MeterLocks(tmp_path / "j.sqlite")
    with (
        pytest.raises(BusyError, match="nothing was begun"),
        locks.alone_with(METER, held.ticks, held.pause),
    ):
        pass
    with locks.alone_with(OTHER, held.ticks, held.pause):
        assert held.now_ms == WAIT_MS + WAIT_STEP_MS
    locks.close()


def test_a_lock_ends_with_its_block_also_after_an_error(tmp_path: Path) -> None:
    held, locks = HeldLocks({}), MeterLocks(tmp_path / "j.sqlite")
    for _ in range(2):
        with (
            pytest.raises(ZeroDivisionError),
            locks.alone_with(METER, held.ticks, held.pause),
        ):
            raise ZeroDivisionError
    assert (tmp_path / "j.sqlite.lock").exists()
    assert held.now_ms == 0
    locks.close()


def test_a_journal_in_memory_needs_no_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    held = HeldLocks({METER: 1})
    monkeypatch.setattr(fcntl, "lockf", held.lockf)
    locks = MeterLocks(NOWHERE)
    with locks.alone_with(METER, held.ticks, held.pause):
        assert held.now_ms == 0
    locks.close()


def test_a_lock_file_that_cannot_be_opened_is_a_usage_error(tmp_path: Path) -> None:
    held, locks = HeldLocks({}), MeterLocks(tmp_path / "absent" / "j.sqlite")
    with (
        pytest.raises(UsageError, match="nothing was begun"),
        locks.alone_with(METER, held.ticks, held.pause),
    ):
        pass


def test_the_lock_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        locks = MeterLocks(tmp_path / "j.sqlite")
        with locks.alone_with(METER, lambda: 0, lambda _: None):
            pass
        locks.close()
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "j.sqlite.lock").stat().st_mode) == 0o600


def locked_by_others(journal: Path, *meters: str) -> list[bool]:
    """Return whether another process finds each meter locked."""
    script = (
        "import fcntl, sys\n"
        "with open(sys.argv[1], 'r+b') as file:\n"
        "    for meter in sys.argv[2:]:\n"
        "        try:\n"
        "            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, int(meter))\n"
        "            print('free')\n"
        "        except OSError:\n"
        "            print('locked')\n"
    )
    said = subprocess.run(
        [sys.executable, "-IS", "-c", script, f"{journal}.lock", *meters],
        capture_output=True,
        text=True,
        check=True,
    )
    return [word == "locked" for word in said.stdout.split()]


def test_a_lock_is_of_one_meter_and_ends_with_its_block_or_its_file(tmp_path: Path) -> None:
    journal, meters = tmp_path / "j.sqlite", ("000000000041", METER, OTHER, "000000000044")
    held, locks = HeldLocks({}), MeterLocks(journal)
    with locks.alone_with(OTHER, held.ticks, held.pause):
        with locks.alone_with(METER, held.ticks, held.pause):
            assert locked_by_others(journal, *meters) == [False, True, True, False]
        assert locked_by_others(journal, *meters) == [False, False, True, False]
    assert locked_by_others(journal, *meters) == [False] * 4


def test_closing_the_locks_closes_their_file(tmp_path: Path) -> None:
    held, locks = HeldLocks({}), MeterLocks(tmp_path / "j.sqlite")
    closed: list[int] = []
    with (
        pytest.MonkeyPatch.context() as patch,
        locks.alone_with(METER, held.ticks, held.pause),
    ):
        patch.setattr(os, "close", closed.append)
        locks.close()
        locks.close()
    (file,) = closed
    assert os.fstat(file).st_ino == (tmp_path / "j.sqlite.lock").stat().st_ino
    os.close(file)
