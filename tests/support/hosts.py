"""Hosts of one meter in the process of a test, and the pty ends of its adapters and masters."""

from __future__ import annotations

import asyncio
import fcntl
import os
import struct
import termios
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from firmware_sim.assembly import build
from firmware_sim.faults.in_force import Faults
from firmware_sim.hal.nvram import SimulatedNvram
from firmware_sim.hosting.clock import line_time
from firmware_sim.hosting.host import Host
from firmware_sim.meter_description import MeterDescription
from firmware_sim.rack.operator import Operator
from firmware_sim.rack.rack import Rack
from tests.support.racks import one_kilowatt

WITHIN_S = 20.0
TURN_S = 0.01


def uvloop_loop() -> asyncio.AbstractEventLoop:
    """Return uvloop's loop; without uvloop the test is skipped."""
    return pytest.importorskip("uvloop").new_event_loop()  # type: ignore[no-any-return]


def one_meter_host(loop: asyncio.AbstractEventLoop) -> Host:
    """Return a host of the meter of unit 1, without wires, at speed 0."""
    meter = build(MeterDescription("000000000001", 1), SimulatedNvram())
    rack = Rack([(1, meter)], 0, Faults())
    return Host(rack, Operator(rack, one_kilowatt, line_time), loop)


def run_until(loop: asyncio.AbstractEventLoop, condition: Callable[[], bool]) -> bool:
    """Run a loop until a condition holds; return whether it came to hold."""

    async def wait() -> bool:
        end = time.monotonic() + WITHIN_S
        while time.monotonic() < end:
            if condition():
                return True
            await asyncio.sleep(TURN_S)
        return False

    return loop.run_until_complete(wait())


def unread(file: int) -> int:
    """Return the number of bytes that wait at a descriptor."""
    return int(struct.unpack("i", fcntl.ioctl(file, termios.FIONREAD, bytes(4)))[0])


class Adapter:
    """An adapter: a pty whose slave is a real port. `unplug` it, and nothing is left of it."""

    def __init__(self) -> None:
        self._file, slave = os.openpty()
        tty.setraw(slave, termios.TCSANOW)
        os.set_blocking(self._file, False)
        self.device = os.ttyname(slave)
        self._slave: int | None = slave
        self.received = b""

    def link(self, path: Path) -> Path:
        """Make a link to the device, as udev does; return its path."""
        path.unlink(missing_ok=True)
        path.symlink_to(self.device)
        return path

    def send(self, data: bytes) -> None:
        """Send bytes to the program that has the port open."""
        os.write(self._file, data)

    def has_received(self, data: bytes) -> bool:
        """Return whether these bytes have come in all."""
        try:
            self.received += os.read(self._file, 1024)
        except OSError:
            pass
        return data in self.received

    def unplug(self) -> None:
        """Close both ends."""
        if self._slave is not None:
            os.close(self._slave)
            os.close(self._file)
            self._slave = None


@contextmanager
def plugged_in() -> Iterator[Adapter]:
    """Yield an adapter that is unplugged at the end of the block."""
    adapter = Adapter()
    try:
        yield adapter
    finally:
        adapter.unplug()
