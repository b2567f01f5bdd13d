"""Masters that come and go on a virtual port: no old reply, and parity E for one that retries."""

from __future__ import annotations

import asyncio
import fcntl
import os
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import serial

from firmware_sim.hosting.host import Host
from firmware_sim.library.thread import LoopThread
from tests.conformance.wire import read, rtu
from tests.support.hosts import WITHIN_S, one_meter_host, run_until, unread, uvloop_loop

IDENTITY, VERSION = rtu(1, read(3, 0, 2)), rtu(1, read(3, 2, 2))
PPM1 = rtu(1, bytes.fromhex("030450504d31"))
OTHER = rtu(1, bytes.fromhex("030400000000"))


@pytest.fixture(params=[asyncio.new_event_loop, uvloop_loop], ids=["asyncio", "uvloop"])
def host(request: pytest.FixtureRequest) -> Iterator[Host]:
    loop = request.param()
    host = one_meter_host(loop)
    yield host
    assert host.failure is None
    host.close()
    loop.close()


def opened(port: Path) -> int:
    return os.open(port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)


def is_empty(port: Path) -> bool:
    """Return whether a program that opens the port finds nothing in it."""
    file = opened(port)
    try:
        return unread(file) == 0
    finally:
        os.close(file)


def exchange(host: Host, file: int, request: bytes, reply: bytes) -> None:
    os.write(file, request)
    assert run_until(host.loop, lambda: unread(file) >= len(reply))
    assert os.read(file, 1024) == reply


@pytest.mark.parametrize("moment", ["at once", "after the reply came", "while it is held back"])
def test_a_reply_that_a_master_did_not_read_is_not_there_for_the_next_one(
    host: Host, moment: str, tmp_path: Path
) -> None:
    port, replies = tmp_path / "m.tty", list[bytes]()
    host.tap = lambda way, data: replies.append(data) if way == "<-" else None
    host.add_serial(f"{port}?delay_ms=200" if moment == "while it is held back" else str(port))
    first = opened(port)
    exchange(host, first, VERSION, OTHER)
    replies.clear()
    os.write(first, IDENTITY)
    if moment == "after the reply came":
        assert run_until(host.loop, lambda: unread(first) == len(PPM1))
    os.close(first)
    assert run_until(host.loop, lambda: PPM1 in replies)
    assert run_until(host.loop, lambda: is_empty(port))
    second = opened(port)
    exchange(host, second, VERSION, OTHER)
    os.close(second)


def test_what_was_not_read_before_openings_are_watched_is_discarded_too(
    host: Host, tmp_path: Path
) -> None:
    port, replies = tmp_path / "m.tty", list[bytes]()
    host.tap = lambda way, data: replies.append(data) if way == "<-" else None
    host.add_serial(str(port))
    file = opened(port)
    os.write(file, IDENTITY)
    os.close(file)
    assert run_until(host.loop, lambda: PPM1 in replies)
    assert run_until(host.loop, lambda: is_empty(port))


def test_a_master_may_ask_twice_before_it_reads(host: Host, tmp_path: Path) -> None:
    port = tmp_path / "m.tty"
    host.add_serial(str(port))
    file = opened(port)
    exchange(host, file, VERSION, OTHER)
    os.write(file, IDENTITY)
    assert run_until(host.loop, lambda: unread(file) == len(PPM1))
    os.write(file, VERSION)
    assert run_until(host.loop, lambda: unread(file) == len(PPM1 + OTHER))
    assert os.read(file, 1024) == PPM1 + OTHER
    os.close(file)


def test_a_second_master_that_goes_away_takes_no_reply_from_the_first(
    host: Host, tmp_path: Path
) -> None:
    port = tmp_path / "m.tty"
    host.add_serial(str(port))
    first = opened(port)
    exchange(host, first, VERSION, OTHER)
    for reserves in (False, True):
        second = opened(port)
        exchange(host, second, VERSION, OTHER)
        if reserves:
            fcntl.ioctl(second, termios.TIOCEXCL)
        os.write(first, IDENTITY)
        assert run_until(host.loop, lambda: unread(first) == len(PPM1))
        os.close(second)
        exchange_after_turns(host, first)
    os.close(first)


def exchange_after_turns(host: Host, file: int) -> None:
    """Give the host turns to see what changed, then read the identity and ask for more."""
    turns = iter(range(5))
    assert run_until(host.loop, lambda: next(turns, None) is None)
    assert os.read(file, 1024) == PPM1
    exchange(host, file, VERSION, OTHER)


def test_a_master_that_tries_parity_even_again_and_again_gets_in(tmp_path: Path) -> None:
    """Each refused try sets the speed; the next one must find it changed back."""
    port, thread = tmp_path / "m.tty", LoopThread()
    host = thread.call(lambda: one_meter_host(thread.loop))
    thread.call(lambda: host.add_serial(str(port)))
    try:
        for _ in range(3):
            with tries_until_in(str(port)) as line:
                line.write(IDENTITY)
                assert line.read(len(PPM1)) == PPM1
    finally:
        thread.call(host.close)
        thread.end()


def tries_until_in(port: str) -> serial.Serial:
    end = time.monotonic() + WITHIN_S
    line = serial.Serial(port, 9600, timeout=WITHIN_S)
    while True:
        try:
            line.parity = "E"
        except termios.error:
            assert time.monotonic() < end, "a master that tries again never gets in"
            time.sleep(0.004)
        else:
            return line
