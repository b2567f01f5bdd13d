"""Serial lines of a host: virtual ports (ptys) and real ones. A port that hung up returns."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from firmware_sim.hosting.clock import line_time
from firmware_sim.hosting.errors import HostingError
from firmware_sim.hosting.ports import (
    RESTORE_SPEED_AFTER_S,
    PortSpec,
    VirtualPort,
    is_real_port,
)
from firmware_sim.hosting.wires import Wire, WireHost
from firmware_sim.servers.line import Line

READ_SIZE = 1_024
"""Bytes of a serial line at once: four frames, so that endless noise leaves other wires a turn."""


class SerialLine(Wire):
    """One serial line.

    Args:
        make_line: makes the line in front of a new server, also after a hang-up.
    """

    def __init__(self, host: WireHost, spec: PortSpec, make_line: Callable[[], Line]) -> None:
        super().__init__(host, make_line())
        self.path = spec.given
        self._spec, self._make_line = spec, make_line
        self._restoring: asyncio.TimerHandle | None = None
        self._returning: asyncio.TimerHandle | None = None
        self._away = False
        self._virtual: VirtualPort | None = None
        self._open()

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
            self._restore_speed(self._virtual)  # a host that sends has read its settings back
        self.take(data)

    def _restore_speed_soon(self, port: VirtualPort) -> None:
        self._cancel_restoring()
        self._restoring = self._host.loop.call_later(
            RESTORE_SPEED_AFTER_S, self._restore_speed, port
        )

    def _restore_speed(self, port: VirtualPort) -> None:
        self._cancel_restoring()  # a timer of the last opening would run into the next
        port.restore_speed()

    def _cancel_restoring(self) -> None:
        if self._restoring is not None:
            self._restoring.cancel()
            self._restoring = None

    def send(self, out: bytes) -> None:
        # A host that does not read fills the port: bytes that do not fit are lost, as on a wire.
        try:  # noqa: SIM105 - suppress costs as much as the parsing of an exchange
            os.write(self._file, out)
        except BlockingIOError:
            pass

    def hang_up(self) -> None:
        """Remove the port, as when an adapter is pulled, until it returns."""
        due = self._line.returns_at_us
        assert due is not None
        self._give_back()
        self._away = True
        wait_s = max(0, due - line_time()) / 1e6
        self._returning = self._host.loop.call_later(wait_s, self._return)

    def _return(self) -> None:
        self._returning, self._away = None, False
        self._line = self._make_line()
        try:
            self._open()
        except HostingError as error:
            self._away = True
            self._host.fail(error)

    def _give_back(self) -> None:
        self.stop_timer()
        self._cancel_restoring()
        self._host.loop.remove_reader(self._file)
        self._close()

    def end(self) -> None:
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
