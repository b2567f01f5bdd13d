"""The asyncio host: wires, timers and the control socket around the pure rack."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from firmware_sim.hosting.clock import line_time
from firmware_sim.hosting.control_socket import ControlSocket
from firmware_sim.hosting.errors import NotStoredError
from firmware_sim.hosting.event_loop import require_descriptors
from firmware_sim.hosting.listener import listen_tcp
from firmware_sim.hosting.notices import ConnectionNotices
from firmware_sim.hosting.notices import say as say_at_once
from firmware_sim.hosting.ports import parse_port, virtual_link
from firmware_sim.hosting.serial_line import RealLine, SerialLine, VirtualLine
from firmware_sim.hosting.signals import end_signals, held_signals
from firmware_sim.hosting.tcp import TcpConnections
from firmware_sim.hosting.wires import FATAL, Tap
from firmware_sim.meter import Meter, MeterStoppedError
from firmware_sim.rack.operator import Operator
from firmware_sim.rack.rack import Rack
from firmware_sim.rack.stations import Observer, Station
from firmware_sim.requests import Reply, Request
from firmware_sim.servers.line import Line
from firmware_sim.servers.seam import PTY_SILENCE_US, Stations, WireOptions, WireStations
from firmware_sim.wire_kinds import MODBUS_RTU, MODBUS_TCP, WIRE_KINDS, Medium, WireKind, Wires
from protocols.data_model.words import account_unit_text
from protocols.quantities import format_money

DEADLINES_A_TURN = 64
"""Deadlines served before wires get their turn."""
LONGEST_WAIT_S = 86_400.0


class Host(Observer):
    """Everything of one `meter-sim run`: made, served until it is told to stop, and closed."""

    def __init__(
        self,
        rack: Rack,
        operator: Operator,
        loop: asyncio.AbstractEventLoop,
        silent_unknown_units: bool = False,
        say: Callable[[str], None] = say_at_once,
    ) -> None:
        self.rack, self.operator, self.loop, self.say = rack, operator, loop, say
        self.tap: Tap | None = None
        self._notices = ConnectionNotices(loop, say)
        self._connections = TcpConnections(self, self._notices)
        self._names: dict[WireKind, list[str]] = {kind: [] for kind in WIRE_KINDS}
        self._silent_unknown_units = silent_unknown_units
        self._lines: list[SerialLine] = []
        self._control: ControlSocket | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._replanning = False
        self._last_failure: MeterStoppedError | None = None
        self._ended = loop.create_future()
        self._closed = False
        rack.timeline.line_origin_us = line_time()
        rack.observers.append(self)

    # ---- wires

    def names(self, kind: WireKind) -> list[str]:
        """Return the open ports or addresses of a kind, as a person gave them."""
        return self._names[kind]

    @property
    def virtual_ports(self) -> frozenset[str]:
        """The names of the open ports that are virtual ones."""
        return frozenset([line.path for line in self._lines if line.is_virtual])

    def add_wires(self, wires: Wires) -> None:
        """Open all wires before the loop runs; raises HostingError."""
        for kind, given in wires.items():
            for text in given:
                if kind.medium is Medium.SERIAL:
                    self.add_serial(text, kind)
                else:
                    self.add_tcp(text, kind)

    def add_serial(self, text: str, kind: WireKind = MODBUS_RTU) -> None:
        """Serve a serial line of a kind: a PATH with its settings."""
        spec = parse_port(text, kind.baud, kind.parity)
        link = virtual_link(spec)
        silence_us = PTY_SILENCE_US
        if spec.silence_ms is not None:
            silence_us = spec.silence_ms * 1000
        elif kind.silence_us is not None and link is None:
            silence_us = kind.silence_us(spec.baud)
        options = WireOptions(
            silence_us,
            self._silent_unknown_units,
            self.rack.faults,
            link is None,
            spec.baud,
            spec.delay_ms * 1000,
        )
        stations = WireStations(self.rack.stations)

        def make_line() -> Line:
            return self._line(kind, stations, options)

        self._lines.append(
            RealLine(self, spec, make_line)
            if link is None
            else VirtualLine(self, spec, link, make_line)
        )
        self._names[kind].append(spec.given)

    def add_tcp(self, address: str, kind: WireKind = MODBUS_TCP) -> None:
        """Serve a kind on HOST:PORT; port 0 takes a free one. Raises HostingError."""
        stations = WireStations(self.rack.stations)
        options = WireOptions(
            silent_unknown_units=self._silent_unknown_units, faults=self.rack.faults
        )
        shown, sockets = listen_tcp(address)
        self._connections.listen(sockets, lambda: self._line(kind, stations, options))
        self._names[kind].append(shown)

    def _line(self, kind: WireKind, stations: Stations, options: WireOptions) -> Line:
        server, faults = kind.serve(stations, options), self.rack.faults
        is_serial = kind.medium is Medium.SERIAL
        return Line(server, options.delay_us, faults, can_echo=is_serial)

    def add_control(self, path: Path) -> None:
        """Take commands on a control socket; raises HostingError."""
        self._control = ControlSocket(path, self)
        self._control.listen(self.loop, self._connections.make_room)

    # ---- life

    def serve(self, ready: Callable[[], None]) -> None:
        """Serve until a signal or the command `stop`; `ready` is called once everything is open.

        Raises:
            HostingError: a port went away, or too few descriptors are left.
            MeterStoppedError: a storage failed to flush.
        """
        require_descriptors()
        self.begin()
        with held_signals() as release:

            def begin_serving() -> None:
                for number in end_signals():
                    self.loop.add_signal_handler(number, self.stop)
                release()
                ready()

            if not self._ended.done():
                self.loop.call_soon(begin_serving)
            self.loop.run_until_complete(self._ended)

    def begin(self) -> None:
        """Start the meters' time."""
        self._serve_deadlines()

    @property
    def failure(self) -> BaseException | None:
        """The error that ended the host, None while it serves."""
        return self._ended.exception() if self._ended.done() else None

    def stop(self) -> None:
        """End in good order."""
        if not self._ended.done():
            self._ended.set_result(None)

    def fail(self, error: Exception) -> None:
        """End because of an error."""
        if not self._ended.done():
            self._ended.set_exception(error)

    def close(self) -> None:
        """Save every meter exactly; close ports, links and sockets.

        Raises:
            NotStoredError: a storage refused the last save; everything was closed all the same.
            MeterStoppedError: a storage failed to flush the last save; likewise.
        """
        unsaved: list[str] = []
        self._closed, self._last_failure = True, None
        if self._timer is not None:
            self._timer.cancel()
        try:
            self.rack.faults.storage_rests = True  # an orderly stop saves
            unsaved = [
                _not_stored(station.meter)
                for station in self.rack.bring_all(line_time())
                if station.save() is False
            ]
        finally:
            for line in self._lines:
                line.end()
            self._connections.end()
            self._notices.end()
            if self._control is not None:
                self._control.end()
        if self._last_failure is not None:
            raise self._last_failure
        if unsaved:
            raise NotStoredError("\n".join(unsaved))

    # ---- deadlines

    def after(self, station: Station, request: Request, reply: Reply | None) -> None:
        """A request may have moved the next deadline."""
        self._replan_soon()

    def restarted(self, station: Station) -> None:
        """A restarted meter has other deadlines."""
        self._replan_soon()

    def stopped(self, station: Station, error: MeterStoppedError) -> None:
        """End: the content of a storage that failed to flush is unknown."""
        self._last_failure = error
        self.fail(error)

    def after_command(self) -> None:
        """Look at the deadlines again after a command of the operator, which may be `stop`."""
        if self.operator.stopping:
            self.loop.call_soon(self.stop)
        self._replan_soon()

    def _replan_soon(self) -> None:
        if not self._replanning:
            self._replanning = True
            self.loop.call_soon(self._replan)

    def _replan(self) -> None:
        self._replanning = False
        if not self._closed:
            self._serve_deadlines()

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
            wait_s = min(max(0, due - line_time()) / 1e6, LONGEST_WAIT_S)
            self._timer = self.loop.call_later(wait_s, self._serve_deadlines)


def _not_stored(meter: Meter) -> str:
    serial_number, account = meter.state.identity.serial_number, meter.state.account
    credit = f"{format_money(account.credit)} {account_unit_text(account.unit)}"
    return (
        f"meter {serial_number}: the storage refused the last save. Its credit of {credit} is "
        f"not stored, nor what it metered since the save before"
    )
