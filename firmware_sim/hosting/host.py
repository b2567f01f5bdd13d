"""The asyncio host: sockets, ptys, serial ports and timers around the pure rack and its servers."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import cast

from firmware_sim.hosting.control_socket import ControlSocket
from firmware_sim.hosting.errors import HostingError, NotStoredError
from firmware_sim.hosting.ports import RESTORE_SPEED_AFTER_S, PortSpec, VirtualPort, is_real_port
from firmware_sim.line import Line
from firmware_sim.meter import Meter, MeterStoppedError
from firmware_sim.rack import Rack
from firmware_sim.servers.modbus.server import (
    PTY_SILENCE_US,
    ModbusRtuServer,
    ModbusTcpServer,
    t35_us,
)
from protocols.data_model.words import account_unit_text
from protocols.errors import QuantityError
from protocols.quantities import format_money

DEADLINES_A_TURN = 64
"""Deadlines served before wires get their turn."""
MAX_CONNECTIONS = 1024
"""Beyond it a connection is closed at once: each holds a buffer and a session."""
READ_SIZE = 1_024
"""Bytes of a serial line at once: four frames, so that noise without end leaves other wires their
turn.
"""
MAX_UNSENT = 1 << 20
"""Bytes of replies that a host does not take; then its connection ends."""


FATAL = (MeterStoppedError, QuantityError, HostingError)
"""What ends a host: a storage that failed, or a script that cannot go on."""


def line_time() -> int:
    """Return the line time, us: the only clock that the host reads."""
    return time.monotonic_ns() // 1000


Tap = Callable[[str, bytes], None]
"""Sees what goes over a wire: "->" to the meter, "<-" from it."""


class _Wire(ABC):
    """What connections and serial lines share: a line in front of a server, and the timer of what
    is due later.
    """

    def __init__(self, host: Host, line: Line) -> None:
        self._host, self._line = host, line
        self._timer: asyncio.TimerHandle | None = None

    def _take(self, data: bytes) -> None:
        """Hand bytes in, and send what is due."""
        if self._host.tap is not None:
            self._host.tap("->", data)
        try:
            out = self._line.receive(data, line_time())
        except FATAL as error:
            self._host.fail(error)
            return
        self._go_on(out)

    def _wake(self) -> None:
        self._timer = None
        try:
            out = self._line.wake(line_time())
        except FATAL as error:
            self._host.fail(error)
            return
        self._go_on(out)

    def _go_on(self, out: bytes) -> None:
        if out:
            if self._host.tap is not None:
                self._host.tap("<-", out)
            self._send(out)
        due = self._line.next_wake()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if due is not None:
            self._timer = self._host.loop.call_later(max(0, due - line_time()) / 1e6, self._wake)
        if self._line.closed:
            self._hang_up()

    @abstractmethod
    def _send(self, out: bytes) -> None:
        """Send bytes to the host."""

    @abstractmethod
    def _hang_up(self) -> None:
        """End the connection, or take the port away."""

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _TcpConnection(_Wire, asyncio.Protocol):
    """One Modbus TCP connection."""

    def __init__(self, host: Host) -> None:
        self._server = ModbusTcpServer(host.rack, host.unknown_unit_silent)
        self._faults = host.rack.faults
        super().__init__(host, Line(self._server, faults=self._faults))
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(
            asyncio.Transport, transport
        )  # uvloop's transports are not asyncio's classes
        self._transport.set_write_buffer_limits(high=MAX_UNSENT)
        self._host.connections.add(self)
        if len(self._host.connections) > MAX_CONNECTIONS:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Answer requests: the hot path of the whole host."""
        transport, faults = self._transport, self._faults
        assert transport is not None
        if self._timer is not None or faults.line or faults.reply or self._host.tap is not None:
            self._take(data)
            return
        try:  # nothing waits and nothing can make it wait: the line between would only cost
            out = self._server.receive(data, line_time())
        except FATAL as error:
            self._host.fail(error)
            return
        if out:
            transport.write(out)
        if self._server.closed:
            transport.close()

    def _send(self, out: bytes) -> None:
        assert self._transport is not None
        self._transport.write(out)

    def _hang_up(self) -> None:
        assert self._transport is not None
        self._transport.close()

    def pause_writing(self) -> None:
        self.end()  # it does not take its replies

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self._host.connections.discard(self)

    def end(self) -> None:
        """Close the connection with the process."""
        if self._transport is not None:
            self._transport.abort()


class _SerialLine(_Wire):
    """One serial line: a virtual port or a real one, and the server that sits on it. A port that
    hung up returns.
    """

    def __init__(self, host: Host, spec: PortSpec) -> None:
        self.path = spec.given
        self._spec = spec
        self._restoring: asyncio.TimerHandle | None = None
        self._returning: asyncio.TimerHandle | None = None
        self._away = False
        self._virtual: VirtualPort | None = None
        self._silence = PTY_SILENCE_US
        if spec.silence_ms is not None:
            self._silence = spec.silence_ms * 1000
        elif is_real_port(spec.path):
            self._silence = t35_us(spec.baud)
        super().__init__(host, self._new_line(host))
        self._open()

    def _new_line(self, host: Host) -> Line:
        return Line(
            ModbusRtuServer(host.rack, self._silence), self._spec.delay_ms * 1000, host.rack.faults
        )

    def _open(self) -> None:
        if is_real_port(self._spec.path):
            self._file, self._close = _open_real(self._spec)
        else:
            self._virtual = VirtualPort(self._spec.path)
            self._file, self._close = self._virtual.master, self._virtual.close
        self._host.loop.add_reader(self._file, self._readable)

    def _readable(self) -> None:
        changed = False
        try:
            if self._virtual is None:
                data = os.read(self._file, READ_SIZE)
            else:
                data, changed = self._virtual.read(READ_SIZE)
        except BlockingIOError:
            return
        except OSError as error:
            self._host.fail(HostingError(f"port {self.path}: {error.strerror}"))
            return
        if self._virtual is not None and changed:
            self._restore_speed_soon(self._virtual)
        if not data:
            return
        if self._virtual is not None:
            self._restore_speed(self._virtual)  # who sends has read his settings back
        self._take(data)

    def _restore_speed_soon(self, port: VirtualPort) -> None:
        self._cancel_restoring()
        self._restoring = self._host.loop.call_later(
            RESTORE_SPEED_AFTER_S, self._restore_speed, port
        )

    def _restore_speed(self, port: VirtualPort) -> None:
        self._cancel_restoring()  # a timer of the last opening would fire into the next
        port.restore_speed()

    def _cancel_restoring(self) -> None:
        if self._restoring is not None:
            self._restoring.cancel()
            self._restoring = None

    def _send(self, out: bytes) -> None:
        # A host that does not read fills the port: what it will not take is lost, as on a wire.
        try:  # noqa: SIM105 - suppress costs as much as an exchange's parsing
            os.write(self._file, out)
        except BlockingIOError:
            pass

    def _hang_up(self) -> None:
        """Take the port away, as a pulled adapter does, until it returns."""
        due = self._line.returns_at
        assert due is not None
        self._give_back()
        self._away = True
        self._returning = self._host.loop.call_later(max(0, due - line_time()) / 1e6, self._return)

    def _return(self) -> None:
        self._returning, self._away = None, False
        self._line = self._new_line(self._host)
        try:
            self._open()
        except HostingError as error:
            self._away = True
            self._host.fail(error)

    def _give_back(self) -> None:
        self._stop_timer()
        self._cancel_restoring()
        self._host.loop.remove_reader(self._file)
        self._close()

    def end(self) -> None:
        """Give the port back."""
        if self._returning is not None:
            self._returning.cancel()
        if not self._away:
            self._give_back()


def _open_real(spec: PortSpec) -> tuple[int, Callable[[], None]]:
    import serial

    try:
        port = serial.Serial(
            str(spec.path), spec.baud, parity=spec.parity, timeout=0, exclusive=True
        )
    except (OSError, ValueError) as error:
        raise HostingError(f"port {spec.path}: {error}") from error
    return port.fileno(), port.close


def _not_stored(meter: Meter) -> str:
    serial_number, account = meter.state.identity.serial_number, meter.state.account
    credit = f"{format_money(account.credit)} {account_unit_text(account.unit)}"
    return (
        f"meter {serial_number}: the storage refused the last save. Its credit of {credit} is "
        f"not stored, nor what it metered since the save before"
    )


class Host:
    """Everything of one `meter-sim run`: made, served until told to stop, and put away."""

    def __init__(
        self, rack: Rack, loop: asyncio.AbstractEventLoop, unknown_unit_silent: bool = False
    ) -> None:
        self.rack, self.loop = rack, loop
        self.unknown_unit_silent = unknown_unit_silent
        self.connections: set[_TcpConnection] = set()
        self.addresses: list[str] = []
        self.tap: Tap | None = None
        self._lines: list[_SerialLine] = []
        self._servers: list[asyncio.Server] = []
        self._control: ControlSocket | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._ended = loop.create_future()
        self._closed = False
        rack.timeline.line_origin = line_time()
        for station in rack.stations:
            station.meter.listener = self._replan_soon
        self._replanning = False

    @property
    def lines(self) -> list[str]:
        """The paths of the serial lines."""
        return [line.path for line in self._lines]

    def add_serial(self, spec: PortSpec) -> None:
        """Serve a serial line."""
        self._lines.append(_SerialLine(self, spec))

    def add_tcp(self, address: str) -> None:
        """Serve Modbus TCP on HOST:PORT before the loop runs; port 0 takes a free one."""
        self.loop.run_until_complete(self.open_tcp(address))

    async def open_tcp(self, address: str) -> None:
        """Serve Modbus TCP on HOST:PORT from within the loop; port 0 takes a free one."""
        name, _, port = address.rpartition(":")
        if not name or not port.isdigit() or int(port) > 65_535:
            raise HostingError(f"address {address!r}: write HOST:PORT, such as 127.0.0.1:5020")
        try:
            server = await self.loop.create_server(
                lambda: _TcpConnection(self), name.strip("[]"), int(port), backlog=512
            )
        except OSError as error:
            raise HostingError(f"address {address}: {error.strerror or error}") from error
        self._servers.append(server)
        self.addresses.append(f"{name}:{server.sockets[0].getsockname()[1]}")

    def add_control(self, path: Path) -> None:
        """Take commands on a control socket."""
        self._control = ControlSocket(path, self)
        self.loop.run_until_complete(self._control.start())

    def serve(self, ready: Callable[[], None]) -> None:
        """Serve until a signal or the command `stop`; `ready` is called once everything is up.

        Raises:
            HostingError: a port went away.
            MeterStoppedError: a storage failed to flush.
        """
        for number in (signal.SIGINT, signal.SIGTERM):
            self.loop.add_signal_handler(number, self.stop)
        self.begin()
        self.loop.call_soon(ready)  # within the loop: a signal that came before it would be lost
        self.loop.run_until_complete(self._ended)

    def begin(self) -> None:
        """Let the meters' time run."""
        self._serve_deadlines()

    @property
    def failure(self) -> BaseException | None:
        """What broke it, None while it is well."""
        return self._ended.exception() if self._ended.done() else None

    def stop(self) -> None:
        """End in good order."""
        if not self._ended.done():
            self._ended.set_result(None)

    def fail(self, error: Exception) -> None:
        """End because something broke."""
        if not self._ended.done():
            self._ended.set_exception(error)

    def close(self) -> None:
        """Save every meter exactly, give ports, links and sockets back.

        Raises:
            NotStoredError: a storage refused the last save; everything was given back all the same.
        """
        unsaved: list[str] = []
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        try:
            self.rack.faults.storage_rests = True  # an orderly stop saves
            for station in self.rack.everyone(line_time()):
                if not station.meter.stopped and not station.meter.save():
                    unsaved.append(_not_stored(station.meter))
        finally:
            for line in self._lines:
                line.end()
            for server in self._servers:
                server.close()
            for connection in list(self.connections):
                connection.end()
            if self._control is not None:
                self._control.end()
        if unsaved:
            raise NotStoredError("\n".join(unsaved))

    def _replan_soon(self) -> None:
        if not self._replanning:
            self._replanning = True
            self.loop.call_soon(self._replan)

    def _replan(self) -> None:
        self._replanning = False
        if self._closed:
            return
        if any(station.meter.stopped for station in self.rack.stations):
            self.fail(
                MeterStoppedError("a meter's storage failed to flush; what it holds is not known")
            )
            return
        self._serve_deadlines()
        if self.rack.stopping:
            self.stop()

    def replan(self) -> None:
        """Look at the deadlines anew, after a command."""
        self._replan_soon()

    def _serve_deadlines(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        try:
            due = self.rack.run(line_time(), DEADLINES_A_TURN)
        except FATAL as error:
            self.fail(error)
            return
        if due is not None:
            wait = min(max(0, due - line_time()) / 1e6, 86_400.0)
            self._timer = self.loop.call_later(wait, self._serve_deadlines)
