"""The host on adapters, gateways and slow meters: right values, or a failure with its reason."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from firmware_sim import PrepaidMeter
from meterctl.drivers.modbus import ModbusDriver
from meterctl.errors import CorruptAnswerError, MeterctlError, NoAnswerError, UsageError
from meterctl.transports.wires import monotonic_ms, open_transport
from protocols.data_model import items
from protocols.data_model.items import Item
from protocols.data_model.tables import EVENTS, PROFILE, PURCHASES
from protocols.modbus import rtu
from protocols.modbus.pdu import read_request
from tests.support.adapters import closing_gateway, deaf_port, echoing_adapter, silent_port
from tests.support.programs import BIN, meterctl

VALUES = (
    items.ENERGY_IMPORT,
    items.ACTIVE_POWER,
    items.AVAILABLE_CREDIT_EXACT,
    items.CURRENT_RATE,
    items.CURRENT_PRICE,
    items.SERIAL_NUMBER,
)


@contextmanager
def driver(port: str, timeout_ms: int = 1000) -> Iterator[ModbusDriver]:
    """Yield a driver on a port."""
    transport = open_transport(port)
    try:
        yield ModbusDriver(transport, 1, timeout_ms, monotonic_ms)
    finally:
        transport.close()


@pytest.fixture
def used(meter: PrepaidMeter) -> PrepaidMeter:
    """Return a meter with purchases, events and a profile."""
    for amount in range(1, 9):
        meter.topup(f"{amount}.00")
    meter.load("3kW")
    meter.advance("2h")
    return meter


def everything(reader: ModbusDriver) -> list[Any]:
    """Return what the host can read, one request after another."""
    found: list[Any] = [reader.read([item])[item] for item in VALUES]
    found.append(reader.read(VALUES))
    found += [
        reader.rows(table, first) for table in (PURCHASES, EVENTS, PROFILE) for first in (0, 2)
    ]
    return found


@pytest.mark.parametrize("late_ms", [150, 260])
def test_a_meter_slower_than_the_time_out_is_read_right(used: PrepaidMeter, late_ms: int) -> None:
    with driver(used.port) as reader:
        truth = everything(reader)
    used.command("fault", "reply_late", "on", "--value", f"{late_ms}ms")
    with driver(used.port, 130) as reader:
        assert everything(reader) == truth


def test_a_process_that_was_killed_leaves_no_answer_to_the_next(used: PrepaidMeter) -> None:
    wanted: list[Item] = [items.AVAILABLE_CREDIT_EXACT, items.ENERGY_IMPORT]
    with driver(used.port) as reader:
        truth = dict(reader.read(wanted))
    used.command("fault", "reply_late", "on", "--value", "250ms")
    for item in itertools.islice(itertools.cycle(wanted), 4):
        file = os.open(used.port, os.O_RDWR | os.O_NOCTTY)
        os.write(file, rtu.encode(1, read_request(3, 0x40, 4)))
        os.close(file)
        with driver(used.port, 200) as reader:
            try:
                assert reader.read([item])[item] == truth[item]
            except (NoAnswerError, CorruptAnswerError):
                continue


@pytest.mark.parametrize("chunk", [1, 3, 7, 8, 300])
def test_an_echo_in_pieces_is_not_an_answer(used: PrepaidMeter, chunk: int) -> None:
    with driver(used.port) as reader:
        truth = everything(reader)
    with echoing_adapter(used.port, chunk) as port, driver(port) as reader:
        assert everything(reader) == truth


@pytest.mark.parametrize("resets", [False, True])
@pytest.mark.parametrize("replies", [1, 2, 3])
def test_a_gateway_that_closes_after_its_replies_is_connected_to_again(
    used: PrepaidMeter, replies: int, resets: bool
) -> None:
    with driver(used.port) as reader:
        truth = everything(reader)
    with closing_gateway(used.tcp, replies, resets=resets) as port, driver(port) as reader:
        assert everything(reader) == truth


def test_a_port_that_hung_up_is_waited_for(used: PrepaidMeter) -> None:
    said: list[str] = []
    transport = open_transport(used.port, said.append)
    try:
        reader = ModbusDriver(transport, 1, 1000, monotonic_ms)
        truth = reader.read(VALUES)
        used.command("fault", "hang_up", "on", "--count", "1", "--value", "300ms")
        assert reader.read(VALUES) == truth
    finally:
        transport.close()
    assert [line.partition(":")[2].split()[:3] for line in said] == [
        ["it", "went", "away"],
        ["it", "is", "back"],
    ]


@pytest.mark.parametrize("words", [("busy", "on"), ("exception", "on", "--value", "5")])
def test_a_meter_that_is_busy_once_is_asked_again(
    used: PrepaidMeter, words: tuple[str, ...]
) -> None:
    with driver(used.port) as reader:
        reader.read([items.ENERGY_IMPORT])
        used.command("fault", *words, "--count", "1")
        assert reader.read([items.SERIAL_NUMBER]) == {items.SERIAL_NUMBER: used.serial_number}


def test_an_acknowledge_does_not_say_that_nothing_was_changed(used: PrepaidMeter) -> None:
    used.command("fault", "exception", "on", "--value", "5")
    with driver(used.port) as reader, pytest.raises(MeterctlError) as refused:
        reader.read([items.SERIAL_NUMBER])
    assert "exception 05 (acknowledge)" in str(refused.value)
    assert "nothing was changed" not in str(refused.value)


@pytest.mark.parametrize("code", ["10", "11"])
def test_exception_codes_are_told_in_hexadecimal(used: PrepaidMeter, code: str) -> None:
    used.command("fault", "exception", "on", "--value", code)
    with driver(used.port) as reader, pytest.raises(MeterctlError) as refused:
        reader.read([items.SERIAL_NUMBER])
    assert f"exception 0{int(code):X}" in str(refused.value)


def test_a_port_that_takes_no_bytes_is_given_up(tmp_path: Path) -> None:
    with deaf_port() as port:
        for words in (("read", "serial_number"), ("topup", "1.00", "--yes")):
            done = meterctl("--port", port, *words, cwd=tmp_path, check=4)
            assert "the port takes no bytes" in done.stderr


def test_a_command_on_a_silent_port_ends_in_15_s(tmp_path: Path) -> None:
    with silent_port() as port:
        began = time.monotonic()
        meterctl("--port", port, "--timeout", "6s", "read", "serial_number", cwd=tmp_path, check=4)
        assert time.monotonic() - began < 20


@pytest.mark.parametrize("parity", ["E", "O"])
def test_a_virtual_port_takes_any_parity_every_time(used: PrepaidMeter, parity: str) -> None:
    for _ in range(20):
        with driver(f"{used.port}?parity={parity}&stop=2") as reader:
            assert reader.read([items.SERIAL_NUMBER])


def test_pause_and_silence_before_a_request_are_settings(used: PrepaidMeter) -> None:
    with driver(f"{used.port}?delay_ms=30&silence_ms=20") as reader:
        began = time.monotonic()
        reader.read([items.SERIAL_NUMBER])
        assert time.monotonic() - began >= 3 * 0.03  # mark, probe, read


@pytest.mark.parametrize(
    ("port", "said"),
    [
        ("tcp://192.168.1..5:502", "not a host name"),
        (f"tcp://{'a' * 64}.example:502", "not a host name"),
        ("tcp://[::1:1", "Invalid IPv6 URL"),
        ("tcp://:502", "write tcp://HOST:PORT"),
        ("tcp://127.0.0.1:70000", "write tcp://HOST:PORT"),
        ("tcp://127.0.0.1:0", "write tcp://HOST:PORT"),
        ("rfc2217://127.0.0.1", "write rfc2217://HOST:PORT"),
        ("socket://127.0.0.1", "write socket://HOST:PORT"),
        ("./nope", "No such file or directory"),
        ("./nope?baud=9600&baud=9600", "baud is given twice"),
        ("./nope?parity=", "allowed is N or E or O"),
        ("", "write PATH"),
    ],
)
def test_a_port_that_cannot_be_used_is_one_sentence(port: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        open_transport(port)
    assert said in str(refused.value)
    assert str(refused.value).count("nope") <= 1
    assert "Errno" not in str(refused.value)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_a_command_orderly(tmp_path: Path, number: signal.Signals) -> None:
    with silent_port() as port:
        words = [BIN / "meterctl", "--port", port, "--trace", "--timeout", "5s", "read", "status"]
        process = subprocess.Popen(words, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        assert process.stderr.readline().startswith("->")
        process.send_signal(number)
        _, rest = process.communicate(timeout=30)
    assert process.returncode == 130
    assert rest.splitlines() == ["meterctl: interrupted"]


def test_the_speed_of_a_port_is_also_an_option(used: PrepaidMeter, tmp_path: Path) -> None:
    port = ["--port", used.port]
    meterctl(*port, "--baud", "1200", "--parity", "E", "read", "serial_number", cwd=tmp_path)
    twice = meterctl(*port, "--baud=fast", "read", "serial_number", cwd=tmp_path, check=2)
    assert "allowed is 50 to 4000000" in twice.stderr
    tcp = ["--port", f"tcp://{used.tcp[0]}:{used.tcp[1]}", "--baud", "9600"]
    assert "a TCP port has no" in meterctl(*tcp, "read", "status", cwd=tmp_path, check=2).stderr
