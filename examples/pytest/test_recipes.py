"""Recipes for faults of the field, one line each. docs/testing.md explains them."""

from __future__ import annotations

import time
from decimal import Decimal

import pytest
import serial
from head_end import BusyError, CorruptError, SerialHeadEnd, SilentError
from pymodbus.client import ModbusTcpClient


@pytest.fixture
def head_end(meter):
    head_end = SerialHeadEnd(meter.port)
    yield head_end
    head_end.close()


def test_a_silent_device(meter, head_end):
    meter.inject("request_lost")
    with pytest.raises(SilentError):
        head_end.credit()
    meter.heal()
    assert head_end.credit() == 100.00


def test_a_late_answer(meter):
    head_end = SerialHeadEnd(meter.port, timeout=1)
    meter.inject("reply_late", value="300ms", count=1)
    began = time.monotonic()
    assert head_end.credit() == 100.00
    assert time.monotonic() - began >= 0.3
    head_end.close()


def test_a_busy_device_is_tried_again(meter):
    head_end = SerialHeadEnd(meter.port, tries=3)
    meter.inject("busy", count=2)
    assert head_end.credit() == 100.00
    head_end.close()


def test_an_exception(meter, head_end):
    meter.inject("exception", value=4, count=1)
    with pytest.raises(CorruptError, match="exception 4"):
        head_end.credit()
    meter.inject("busy", count=1)
    with pytest.raises(BusyError):
        head_end.credit()


def test_a_bad_crc(meter, head_end):
    meter.inject("flip", way="reply", count=1)
    with pytest.raises(CorruptError):
        head_end.credit()


def test_a_dropped_connection(meter):
    client = ModbusTcpClient(meter.tcp[0], port=meter.tcp[1], timeout=1, retries=0)
    client.connect()
    meter.inject("hang_up", count=1)
    with pytest.raises(Exception):  # noqa: B017, PT011 - pymodbus raises one of several
        client.read_holding_registers(0, count=2)
    client.connect()
    assert client.read_holding_registers(0, count=2).registers == [0x5050, 0x4D31]
    client.close()


def test_a_port_that_goes_away_and_returns(meter, head_end):
    meter.inject("hang_up", count=1, value="100ms")
    with pytest.raises((SilentError, serial.SerialException, OSError)):
        head_end.credit()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            again = SerialHeadEnd(meter.port)
        except serial.SerialException:
            time.sleep(0.02)
            continue
        break
    assert again.credit() == 100.00
    again.close()


def test_a_drifting_value(meter, head_end):
    """A load that rises by 100 W a minute."""
    seen = []
    for watts in range(1000, 2000, 100):
        meter.load(f"{watts}W")
        meter.advance("1m")
        seen.append(meter.value("active_power_kw"))
    assert seen == [Decimal(watts) / 1000 for watts in range(1000, 2000, 100)]


def test_a_lost_phase(meter_factory):
    meter = meter_factory(meter_type="three_phase", load="3kW")
    meter.inject("lost_phase", value=2)
    assert meter.value("voltage_l2_v") == 0
    assert meter.value("active_power_l2_kw") == 0
    assert meter.value("active_power_kw") == 2
    meter.heal("lost_phase")
    assert meter.value("active_power_kw") == 3


def test_a_top_up_that_survives_a_lost_reply(meter, tmp_path):
    """The controller sends the same sealed bytes again; the meter credits them once."""
    import subprocess
    import sys
    from pathlib import Path

    meter.inject("reply_lost", count=1, address=528)
    command = [
        Path(sys.executable).parent / "meterctl",
        "--port",
        meter.port,
        "--journal",
        tmp_path / "journal.sqlite",
    ]
    subprocess.run([*command, "topup", "50.00", "--yes"], check=True, capture_output=True)
    assert meter.value("available_credit") == 150
    assert [purchase.sequence for purchase in meter.purchases()] == [1]


def test_a_card_that_is_pulled_too_early(meter_factory):
    meter = meter_factory(account="unopened")
    card = meter.buy_card("30.00")
    assert (
        meter.insert(card, pull_after=10)["display"] == "Err-35"
    )  # the credit is booked, the write-back is missing
    assert meter.insert(card)["outcome"] == "already_accepted"
    assert meter.value("available_credit") == Decimal("30.00")
    meter.buy_card("5.00", card)
    assert meter.insert(card)["display"] == "35.00"


def test_two_devices_of_your_own_on_a_line(serial_pair):
    with (
        serial.Serial(serial_pair.a, 9600, timeout=1) as a,
        serial.Serial(serial_pair.b, 9600, timeout=1) as b,
    ):
        a.write(b"hello")
        assert b.read(5) == b"hello"
        b.write(b"world")
        assert a.read(5) == b"world"
        serial_pair.inject("drop", count=1)
        a.write(b"hello")
        assert len(b.read(5)) == 4


def test_a_line_that_lies(faulty_line):
    with (
        serial.Serial(faulty_line.a, 9600, timeout=0.2) as a,
        serial.Serial(faulty_line.b, 9600, timeout=0.2) as b,
    ):
        faulty = 0
        for _ in range(60):
            a.write(b"0123456789")
            faulty += b.read(10) != b"0123456789"
            b.reset_input_buffer()
        assert 3 < faulty < 50
