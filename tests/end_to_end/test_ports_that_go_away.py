"""A real port that goes away is named and waited for, and the other wires go on."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from firmware_sim.hosting import serial_line
from firmware_sim.hosting.host import Host
from firmware_sim.wire_kinds import MODBUS_RTU
from tests.conformance.wire import read, rtu
from tests.support.hosts import Adapter, one_meter_host, plugged_in, run_until, uvloop_loop

IDENTITY = rtu(1, read(3, 0, 2))
PPM1 = rtu(1, bytes.fromhex("030450504d31"))


@pytest.fixture(params=[asyncio.new_event_loop, uvloop_loop], ids=["asyncio", "uvloop"])
def host(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    for name in ("RETURN_S", "PRESENT_S"):
        monkeypatch.setattr(serial_line, name, 0.05, raising=False)
    made: Callable[[], asyncio.AbstractEventLoop] = request.param
    loop = made()
    errors: list[object] = []
    loop.set_exception_handler(lambda _, context: errors.append(context))
    host = one_meter_host(loop)
    yield host
    assert host.failure is None
    host.close()
    loop.close()
    assert errors == []


def is_answered(host: Host, port: Path) -> bool:
    """Ask the meter on a virtual port."""
    file = os.open(port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    received = b""

    def came() -> bool:
        nonlocal received
        try:
            received += os.read(file, 1024)
        except BlockingIOError:
            pass
        return received == PPM1

    try:
        os.write(file, IDENTITY)
        return run_until(host.loop, came)
    finally:
        os.close(file)


class Told:
    """Lines on stderr so far."""

    def __init__(self, capfd: pytest.CaptureFixture[str]) -> None:
        self._capfd, self.lines = capfd, list[str]()

    def last(self) -> str:
        self.lines += self._capfd.readouterr().err.splitlines()
        return self.lines[-1] if self.lines else ""


@pytest.mark.parametrize("moment", ["idle", "asked", "a reply is held back"])
def test_it_is_named_waited_for_and_served_again(
    host: Host, moment: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    told, loop = Told(capfd), host.loop
    adapter = Adapter()
    name = str(adapter.link(tmp_path / "adapter"))
    other = tmp_path / "m.tty"
    host.add_serial(name + ("?delay_ms=300" if moment == "a reply is held back" else ""))
    host.add_serial(str(other))
    if moment != "idle":
        adapter.send(IDENTITY)
    if moment == "a reply is held back":
        wire: list[bytes] = []
        host.tap = lambda _, data: wire.append(data)
        assert run_until(loop, lambda: IDENTITY in wire)
    adapter.unplug()
    assert run_until(loop, lambda: "waiting for it" in told.last())
    assert told.last().startswith(f"port {name}: it went away (")
    assert is_answered(host, other)
    assert name in host.names(MODBUS_RTU), "the ready line names it"
    with plugged_in() as new:
        new.link(tmp_path / "adapter")
        assert run_until(loop, lambda: told.last() == f"port {name}: it is back")
        new.send(IDENTITY)
        assert run_until(loop, lambda: new.has_received(PPM1))
        assert len(told.lines) == 2
        assert is_answered(host, other)
        new.unplug()
        assert run_until(loop, lambda: "waiting for it" in told.last())


def test_each_reason_why_it_cannot_be_opened_again_is_told_once(
    host: Host, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    told, loop = Told(capfd), host.loop
    adapter = Adapter()
    path = adapter.link(tmp_path / "adapter")
    host.add_serial(str(path))
    adapter.unplug()
    assert run_until(loop, lambda: "waiting for it" in told.last())
    path.unlink()
    path.symlink_to("/dev/null")
    assert run_until(loop, lambda: told.last().endswith("Inappropriate ioctl for device"))
    tries = 0

    def asked() -> bool:
        nonlocal tries
        tries += 1
        return tries > 20

    assert run_until(loop, asked)
    told.last()
    assert len(told.lines) == 2
    with plugged_in() as new:
        new.link(path)
        assert run_until(loop, lambda: told.last() == f"port {path}: it is back")
        # another worker's pseudo-terminal may be there for a moment: a reason of its own
        assert len(set(told.lines)) == len(told.lines) >= 3


def test_it_is_missed_where_the_loop_tells_nothing(
    host: Host, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    told, adapter = Told(capfd), Adapter()
    host.add_serial(str(adapter.link(tmp_path / "adapter")))
    (line,) = host._lines
    assert isinstance(line, serial_line.RealLine)
    host.loop.remove_reader(line._port.file)
    adapter.unplug()
    assert run_until(host.loop, lambda: "waiting for it" in told.last())


def test_a_loop_that_waits_for_a_port_has_nothing_to_do(
    host: Host, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    told, loop, reads = Told(capfd), host.loop, 0
    adapter = Adapter()
    host.add_serial(str(adapter.link(tmp_path / "adapter")))
    real = os.read

    def counted(file: int, size: int) -> bytes:
        nonlocal reads
        reads += 1
        return real(file, size)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "read", counted)
        adapter.unplug()
        assert run_until(loop, lambda: "waiting for it" in told.last())
        reads = turns = 0

        def several() -> bool:
            nonlocal turns
            turns += 1
            return turns > 20

        assert run_until(loop, several)
    assert reads == 0
