"""Locks on meters between processes: waited for, given up after the longest wait."""

from __future__ import annotations

import fcntl
import os
import stat
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
