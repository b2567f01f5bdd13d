"""What a caller of the library is told where storage, power or thread of a meter fail."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from firmware_sim import LoopThread, PrepaidMeter, SerialPair
from firmware_sim.errors import (
    CommandFailedError,
    HostingError,
    MeterStoppedError,
    RefusedError,
)
from protocols.sealed_message import Outcome


@pytest.mark.parametrize(("torn_at", "booked"), [(0, 0), (100_000, 1)])
def test_a_top_up_whose_power_fails_is_no_refusal_and_says_where_to_look(
    torn_at: int, booked: int
) -> None:
    with PrepaidMeter() as meter:
        meter.inject("torn_write", count=1, value=torn_at)
        with pytest.raises(CommandFailedError) as raised:
            meter.topup("5.00")
        told = str(raised.value)
        assert told.startswith("topup 5.00: the power failed in the middle of a write")
        assert "It may have been carried out: see purchases()" in told
        assert len(meter.purchases()) == booked
        meter.topup("6.00")
        assert len(meter.purchases()) == booked + 1


def test_an_order_for_a_meter_without_power_was_not_carried_out() -> None:
    with PrepaidMeter() as meter:
        meter.power("cut")
        with pytest.raises(CommandFailedError, match=r"without power; it was not carried out$"):
            meter.topup("5.00")
        meter.power("return")
        assert not meter.purchases()


def test_an_order_that_the_storage_refuses_is_a_refusal_with_its_outcome() -> None:
    with PrepaidMeter() as meter:
        meter.inject("storage_full", count=1)
        with pytest.raises(RefusedError, match=r"^topup 5.00: storage_fault$") as raised:
            meter.topup("5.00")
        assert raised.value.outcome is Outcome.STORAGE_FAULT
        assert not meter.purchases()


def test_a_restart_whose_power_fails_during_its_save_says_that_it_was_restarted() -> None:
    with PrepaidMeter() as meter:
        meter.inject("torn_write", count=1)
        with pytest.raises(CommandFailedError, match="the meter restarted from its storage"):
            meter.restart()
        assert meter.event_names() == ["restart"]
        meter.restart()
        assert meter.event_names() == ["restart", "restart"]


def test_a_restart_whose_save_fails_to_flush_leaves_the_meter_stopped() -> None:
    with PrepaidMeter() as meter:
        meter.inject("flush_fails", count=1)
        with pytest.raises(MeterStoppedError):
            meter.restart()
        with pytest.raises(MeterStoppedError):
            meter.advance("1h")


def test_a_restart_whose_save_is_refused_did_not_restart_the_meter() -> None:
    with PrepaidMeter() as meter:
        meter.inject("storage_full", count=1)
        with pytest.raises(CommandFailedError, match="the meter was not restarted"):
            meter.restart()
        assert meter.event_names() == []


def test_a_thread_closes_its_meters_and_pairs_when_it_ends(tmp_path: Path) -> None:
    link = tmp_path / "k.tty"
    with LoopThread() as thread:
        meter = PrepaidMeter(thread=thread, modbus_rtu=link)
        pair = SerialPair(thread=thread)
        PrepaidMeter(thread=thread).close()
        assert link.is_symlink()
        assert Path(pair.a).is_symlink()
    assert not link.is_symlink()
    assert not Path(pair.a).parent.exists()
    with pytest.raises(HostingError, match="meter 000000000001 is closed"):
        meter.advance("1h")
    with pytest.raises(HostingError, match="this pair of ports is closed"):
        pair.inject("drop")
    with pytest.raises(HostingError, match="this pair of ports is closed"):
        pair.heal()
    meter.close()
    pair.close()
    with pytest.raises(HostingError, match="this LoopThread has ended"):
        PrepaidMeter(thread=thread)
    with pytest.raises(HostingError, match="this LoopThread has ended"):
        SerialPair(thread=thread)


def test_a_meter_that_is_never_closed_leaves_no_link_behind_its_program(tmp_path: Path) -> None:
    program = (
        "from firmware_sim import PrepaidMeter, SerialPair\n"
        "meter, pair = PrepaidMeter(modbus_rtu='k.tty'), SerialPair('.')\n"
        "import os; print(sorted(os.listdir()))\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stderr == ""
    assert "k.tty" in done.stdout
    assert "pair-a.tty" in done.stdout
    assert not list(tmp_path.iterdir())
