"""Two joined virtual serial ports with a line between them that faults may change."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from firmware_sim.faults.in_force import Faults
from firmware_sim.hosting.clock import line_time
from firmware_sim.hosting.ports import RESTORE_SPEED_AFTER_S, VirtualPort
from firmware_sim.hosting.serial_line import READ_SIZE
from firmware_sim.hosting.thread import LoopThread
from firmware_sim.servers.line import suffer
from protocols.faults import FaultPlan, FaultScope, Way, parse_rule


class SerialPair:
    """Two ports, `a` and `b`. For faults, bytes from a are requests and bytes from b replies."""

    def __init__(self, thread: LoopThread, folder: Path, name: str = "pair", seed: int = 0) -> None:
        self._thread = thread
        self._faults = Faults(FaultPlan(seed=seed))
        self._timers: list[asyncio.TimerHandle] = []
        paths = folder / f"{name}-a.tty", folder / f"{name}-b.tty"
        self.a, self.b = str(paths[0]), str(paths[1])
        self._ports = thread.call(lambda: [VirtualPort(path) for path in paths])
        thread.call(self._join)

    def _join(self) -> None:
        (a, b), loop = self._ports, self._thread.loop
        loop.add_reader(a.master, self._pass, a, b, Way.REQUEST)
        loop.add_reader(b.master, self._pass, b, a, Way.REPLY)

    def _pass(self, source: VirtualPort, target: VirtualPort, way: Way) -> None:
        try:
            data, changed = source.read(READ_SIZE)
        except BlockingIOError:
            return
        if changed:
            self._later(RESTORE_SPEED_AFTER_S, source.restore_speed)
        if not data:
            return
        at = line_time()
        struck = {fault.rule.name: fault for fault in self._faults.on_line(way, None, at)}
        if "hang_up" in struck:
            return  # the line is cut for a moment: the bytes are lost
        if "echo" in struck:
            _write(source, data)
        for delay, piece in suffer(data, struck):
            if delay:
                self._later(delay / 1e6, partial(_write, target, piece))
            else:
                _write(target, piece)

    def _later(self, seconds: Any, work: Callable[[], None]) -> None:
        """Do work later, unless the pair is closed by then: its descriptors may be in use again."""
        self._timers = [
            timer
            for timer in self._timers
            if not timer.cancelled() and timer.when() > self._thread.loop.time()
        ]
        self._timers.append(self._thread.loop.call_later(seconds, work))

    def inject(self, fault: str, **options: object) -> None:
        """Put a fault of the line in force, such as inject("drop", way="reply", count=1)."""
        rule = parse_rule(fault, {name.rstrip("_"): str(value) for name, value in options.items()})
        if rule.kind.scope is not FaultScope.LINE:
            raise ValueError(
                f"{fault} works on {rule.kind.scope.value}; this is a line between two "
                f"devices of yours"
            )
        self._thread.call(lambda: self._faults.add(rule, line_time()))

    def heal(self, fault: str | None = None) -> None:
        """End every fault of a name, or all of them."""
        self._thread.call(lambda: self._faults.remove(fault))

    def close(self) -> None:
        """Close both ports."""

        def end() -> None:
            for timer in self._timers:
                timer.cancel()
            for port in self._ports:
                self._thread.loop.remove_reader(port.master)
                port.close()

        self._thread.call(end)


def _write(port: VirtualPort, data: bytes) -> None:
    try:  # noqa: SIM105 - as on a wire: bytes that are not read are lost
        os.write(port.master, data)
    except OSError:
        pass
