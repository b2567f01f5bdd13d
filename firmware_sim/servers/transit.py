"""Bytes on their way over a line, in both directions, and the faults of the line.

A transmission is the bytes of one call. Faults that change bytes apply before faults that change
times. An echo is a transmission of its own in the other direction, with faults of its own.
"""

from __future__ import annotations

from collections.abc import Mapping

from firmware_sim.faults.in_force import ActiveFault, Faults
from firmware_sim.servers.outbox import Outbox
from protocols.faults import Way

BITS_A_BYTE = 10
"""8N1: a start bit, eight of data, a stop bit."""
PACKET_US = 16_000
"""Interval at which a USB adapter hands over a packet that is not full (the timer of an FTDI)."""
_BY_CHANGE = ("drop", "duplicate", "insert", "flip", "truncate", "noise")
_US_PER_MS = 1000

Timed = list[tuple[int, bytes]]
"""Pieces of a transmission with their delay, us."""


class Transit:
    """The bytes under way between two ends.

    `coming` holds those to the meter, `going` those from it. `returns_at_us` is the line time at
    which a line that hung up is back; until then, bytes are lost. `can_echo` is whether faults may
    give a transmission back to its sender.
    """

    def __init__(self, faults: Faults, *, can_echo: bool = True) -> None:
        self._faults, self._can_echo = faults, can_echo
        self.coming, self.going = Outbox(), Outbox()
        self.returns_at_us: int | None = None
        self._stalled_from_us = self._stalled_until_us = 0

    def put(self, data: bytes, way: Way, unit: int | None, at_us: int, delay_us: int = 0) -> None:
        """Send a transmission that was made at `at_us` and begins `delay_us` later."""
        self._put(data, way, unit, at_us, delay_us, may_echo=self._can_echo)

    def next(self) -> int | None:
        """Return when bytes of either direction are due next."""
        coming, going = self.coming.next(), self.going.next()
        if coming is None or going is None:
            return going if coming is None else coming
        return min(coming, going)

    def _put(
        self, data: bytes, way: Way, unit: int | None, at_us: int, delay_us: int, *, may_echo: bool
    ) -> None:
        struck = {
            fault.rule.name: fault
            for fault in self._faults.on_line(way, unit, at_us, may_echo=may_echo)
        }
        if "hang_up" in struck:
            self._hang_up(at_us + struck["hang_up"].amount * _US_PER_MS)
            return
        if any(fault.kind.echoes for fault in struck.values()):
            other = Way.REPLY if way is Way.REQUEST else Way.REQUEST
            self._put(data, other, unit, at_us, delay_us, may_echo=False)
            if self.returns_at_us is not None:
                return
        box = self.coming if way is Way.REQUEST else self.going
        pieces = [(at_us + delay_us + delay, piece) for delay, piece in suffer(data, struck)]
        if "stall" in struck and at_us >= self._stalled_until_us:
            pieces = self._stall(box, pieces, struck["stall"])
        for due, piece in pieces:
            box.put(self._handed_over(due), piece)

    def _hang_up(self, until_us: int) -> None:
        self.returns_at_us = until_us
        self.coming.clear()
        self.going.clear()

    def _stall(self, box: Outbox, pieces: Timed, fault: ActiveFault) -> Timed:
        """Begin a stall at a drawn position in a transmission; return the pieces behind it.

        There is one at a time.
        """
        size = sum(len(piece) for _, piece in pieces)
        if size < 2:
            return pieces
        first, rest = _cut(pieces, 1 + fault.below(size - 1))
        from_us = max([box.put(due, piece) for due, piece in first])
        until_us = from_us + fault.amount * _US_PER_MS
        self.coming.postpone(from_us, until_us)
        self.going.postpone(from_us, until_us)
        self._stalled_from_us, self._stalled_until_us = from_us, until_us
        return rest

    def _handed_over(self, due: int) -> int:
        """Return when bytes that are due are handed over: a stall holds them until its end."""
        if self._stalled_from_us <= due < self._stalled_until_us:
            return self._stalled_until_us
        return due


def suffer(data: bytes, struck: Mapping[str, ActiveFault]) -> Timed:
    """Apply faults to a transmission; return its pieces with their delays."""
    for name in _BY_CHANGE:
        if name in struck and data:
            data = _change(struck[name], data)
    pieces: Timed = [(0, data)]
    if "delay" in struck and len(data) > 1:
        first, rest = _cut(pieces, 1 + struck["delay"].below(len(data) - 1))
        pieces = first + [(struck["delay"].amount * _US_PER_MS, piece) for _, piece in rest]
    if "pacing" in struck:
        byte_us = BITS_A_BYTE * 1_000_000 // struck["pacing"].amount
        pieces = [
            (start + (index + 1) * byte_us, piece[index : index + 1])
            for start, piece in pieces
            for index in range(len(piece))
        ]
    if "packets" in struck:
        fault = struck["packets"]
        pieces = _in_packets(pieces, fault.amount, fault.below(PACKET_US))
    return pieces


def _cut(pieces: Timed, at: int) -> tuple[Timed, Timed]:
    """Return the pieces before and after a position of the transmission."""
    first: Timed = []
    rest: Timed = []
    for delay, piece in pieces:
        first.append((delay, piece[:at]))
        rest.append((delay, piece[at:]))
        at = max(0, at - len(piece))
    return [each for each in first if each[1]], [each for each in rest if each[1]]


def _in_packets(pieces: Timed, full: int, timer_us: int) -> Timed:
    """Return the packets in which an adapter hands over bytes.

    A packet is handed over with its `full`th byte, and at `timer_us` and every PACKET_US from then
    on with the bytes that it holds.
    """
    packets: Timed = []
    held = b""
    for due, piece in pieces:
        for index in range(len(piece)):
            if due > timer_us:
                packets.append((timer_us, held))
                held = b""
                timer_us += -((timer_us - due) // PACKET_US) * PACKET_US
            held += piece[index : index + 1]
            if len(held) == full:
                packets.append((due, held))
                held = b""
    packets.append((timer_us, held))
    return [packet for packet in packets if packet[1]]


def _change(fault: ActiveFault, data: bytes) -> bytes:
    index = fault.below(len(data))
    match fault.rule.name:
        case "drop":
            return data[:index] + data[index + 1 :]
        case "duplicate":
            return data[: index + 1] + data[index:]
        case "insert":
            return data[:index] + bytes((fault.below(256),)) + data[index:]
        case "flip":
            return data[:index] + bytes((data[index] ^ 1 << fault.below(8),)) + data[index + 1 :]
        case "truncate":
            return data[:index]
        case _:  # noise
            return bytes(fault.below(256) for _ in range(fault.amount)) + data
