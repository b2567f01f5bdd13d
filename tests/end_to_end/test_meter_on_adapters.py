"""A meter on the port of an adapter: packets of USB, a busy process, a line that echoes.

The test plays the adapter at the master of a pty whose slave the meter opens as a real port.
"""

from __future__ import annotations

import os
import select
import signal
import time
import tty
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from protocols.modbus import rtu
from protocols.modbus.pdu import exception_reply, read_request, write_request
from tests.support.meter_adapters import cut, packets
from tests.support.programs import running

ANSWER_S, QUIET_S = 10.0, 0.15
LARGEST_GAP_US = 80_000
"""A pause that this test makes itself on a loaded machine; beyond it the request is repeated."""
LATEST_ECHO_S = 0.2
MOST_TRIES = 20
READ = rtu.encode(1, read_request(3, 0, 10))
WRITE = rtu.encode(1, write_request(0x2000, bytes(246)))
REFUSED = rtu.encode(1, exception_reply(16, 2))
SET_REGISTER = rtu.encode(1, bytes.fromhex("06 2000 0005"))
MASK = rtu.encode(1, bytes.fromhex("16 2000 00f2 0025"))


@contextmanager
def adapters(count: int) -> Iterator[list[tuple[int, str]]]:
    """Yield the master and the device name of each port."""
    pairs = [os.openpty() for _ in range(count)]
    for _, slave in pairs:
        tty.setraw(slave)
    try:
        yield [(master, os.ttyname(slave)) for master, slave in pairs]
    finally:
        for pair in pairs:
            os.close(pair[0])
            os.close(pair[1])


def receive(file: int, seconds: float, size: int = 4096) -> bytes:
    """Return the next bytes, at most `size`, waiting for each part."""
    data = b""
    while len(data) < size and select.select([file], [], [], seconds)[0]:
        data += os.read(file, size - len(data))
    return data


def deliver(file: int, pieces: Iterable[tuple[int, bytes]]) -> bool:
    """Write pieces at their times; return whether no pause between two was longer than meant."""
    start = last = time.monotonic()
    largest = 0.0
    for at_us, piece in pieces:
        time.sleep(max(0.0, start + at_us / 1e6 - time.monotonic()))
        now = time.monotonic()
        largest, last = max(largest, now - last), now
        os.write(file, piece)
    return largest * 1e6 < LARGEST_GAP_US


def ask_in_packets(file: int, request: bytes, baud: int, size: int) -> bytes:
    """Return the first bytes of the reply to a request in packets."""
    for _ in range(MOST_TRIES):
        in_time = deliver(file, packets(request, baud, 5_000))
        reply = receive(file, ANSWER_S if in_time else 1.0, size)
        if in_time or reply:
            return reply
        receive(file, 1.0)
    pytest.fail("this machine is too slow to play an adapter")


def test_requests_in_the_packets_of_a_usb_adapter_are_answered_at_every_speed(
    tmp_path: Path,
) -> None:
    bauds = (1200, 9600, 19_200, 115_200)
    with adapters(len(bauds)) as ports:
        words = [
            word
            for (_, path), baud in zip(ports, bauds, strict=True)
            for word in ("--modbus-rtu", f"{path}?baud={baud}")
        ]
        with running(*words, "--speed", "0", cwd=tmp_path):
            for (file, _), baud in zip(ports, bauds, strict=True):
                for _ in range(1 if baud == bauds[0] else 2):
                    assert ask_in_packets(file, READ, baud, 25)[:3] == b"\1\3\x14"
                    assert ask_in_packets(file, WRITE, baud, 5) == REFUSED


def test_a_request_is_answered_that_comes_in_two_parts_around_a_stall_of_the_meter(
    tmp_path: Path,
) -> None:
    """SIGSTOP stands for a full disk or a long command: the bytes wait in the port meanwhile."""
    with adapters(1) as [(file, path)]:
        words = ("--modbus-rtu", f"{path}?baud=9600&silence_ms=300", "--speed", "0")
        with running(*words, cwd=tmp_path) as ready:
            for at in (1, 4, 7):
                os.write(file, READ[:at])
                time.sleep(0.02)
                os.kill(ready["pid"], signal.SIGSTOP)
                try:
                    os.write(file, READ[at:])
                    time.sleep(0.4)
                finally:
                    os.kill(ready["pid"], signal.SIGCONT)
                assert receive(file, ANSWER_S, 25)[:3] == b"\1\3\x14"
            os.write(file, rtu.encode(1, bytes.fromhex("06 2000")))  # only silence ends it
            assert receive(file, ANSWER_S, 5) == rtu.encode(1, exception_reply(6, 3))


@pytest.mark.parametrize("write", [SET_REGISTER, MASK], ids=bytes.hex)
def test_a_meter_on_a_line_that_echoes_answers_once(tmp_path: Path, write: bytes) -> None:
    for _ in range(MOST_TRIES):
        with (
            adapters(1) as [(file, path)],
            running("--modbus-rtu", path, "--speed", "0", cwd=tmp_path),
        ):
            asked = time.monotonic()
            os.write(file, write)
            first = receive(file, ANSWER_S, len(write))
            os.write(file, first)
            if time.monotonic() - asked > LATEST_ECHO_S:
                continue  # no adapter is so late: the line cannot be known to echo yet
            assert first + receive(file, QUIET_S) == write
            for size in (len(write), 1, 3):
                for request, count in ((READ, 25), (write, len(write))):
                    os.write(file, request)
                    reply = receive(file, ANSWER_S, count)
                    for piece in cut(reply, size):
                        os.write(file, piece)
                    assert len(reply + receive(file, QUIET_S)) == count
            return
    pytest.fail("this machine is too slow to play an adapter")
