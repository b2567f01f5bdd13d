"""A serial line in virtual time: devices that answer late, and adapters that echo."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from meterctl.drivers.rtu_exchange import RtuExchange
from protocols.modbus import rtu
from protocols.modbus.pdu import read_request

UNIT = 1
MAX_MS = 15_000


def registers(address: int, count: int) -> bytes:
    """Return the contents of registers: each holds its own address."""
    return b"".join(one.to_bytes(2, "big") for one in range(address, address + count))


def read(address: int, count: int = 2) -> bytes:
    """Return a frame that reads registers."""
    return rtu.encode(UNIT, read_request(3, address, count))


def right_reply(request: bytes) -> bytes:
    """Return the only right reply to a read."""
    address, count = int.from_bytes(request[2:4], "big"), int.from_bytes(request[4:6], "big")
    return rtu.encode(UNIT, bytes((3, 2 * count)) + registers(address, count))


class SlowLine:
    """A transport to a device that handles one request after another.

    Args:
        takes: how long it works on its n-th request, ms, the last value for all further ones; None
            for a request that is lost.
        echo: the sizes of the pieces in which an adapter returns what was sent; none without one.
        knows_diagnostics: whether the device has function 8; else it refuses it.
    """

    name, framed = "slow", False
    silence_ms, pause_ms = 4, 0

    def __init__(
        self,
        takes: list[int | None],
        echo: tuple[int, ...] = (),
        knows_diagnostics: bool = True,
        character_us: int = 0,
    ) -> None:
        self.takes, self.echo, self.knows_diagnostics = takes, echo, knows_diagnostics
        self.character_us = character_us
        self.now = 0
        self.free_at = 0
        self.in_order = True
        """Whether a reply waits for those before it."""
        self.coming: deque[tuple[int, bytes]] = deque()
        self.sent: list[bytes] = []
        self.reply: Callable[[bytes], bytes] = right_reply

    def clock(self) -> int:
        """Return virtual milliseconds."""
        return self.now

    def prepare(self, timeout_ms: int) -> None:
        """Do nothing: the line is always there."""

    def send(self, data: bytes, timeout_ms: int) -> None:
        """Hand a request to the adapter and the device."""
        index = len(self.sent)
        self.sent.append(data)
        at, rest = self.now, data
        for size in self.echo:
            at += 2
            self._arrives(at, rest[:size])
            rest = rest[size:]
        if self.echo:
            self._arrives(at + 2, rest)
            self._collide(self.now, at + 2)
        takes = self.takes[min(index, len(self.takes) - 1)]
        if takes is None:
            return
        self.free_at = (max(self.free_at, at + 5) if self.in_order else at + 5) + takes
        reply = self._reply_to(data)
        self._arrives(self.free_at, reply)

    def _collide(self, begin: int, end: int) -> None:
        """Damage what is on the line at once: a line with an echo has one pair of wires."""
        echoed = [each for each in self.coming if begin < each[0] <= end]
        whole = b"".join(data for _, data in echoed)
        if whole != self.sent[-1]:
            kept = [each for each in self.coming if not begin < each[0] <= end]
            self.coming = deque([*kept, (end, bytes(len(self.sent[-1])))])

    def _reply_to(self, data: bytes) -> bytes:
        if data[1] == 8:
            return data if self.knows_diagnostics else rtu.encode(UNIT, bytes((0x88, 1)))
        return self.reply(data)

    def _arrives(self, at: int, data: bytes) -> None:
        if data:
            self.coming.append((at, data))
            self.coming = deque(sorted(self.coming, key=lambda each: each[0]))

    def receive(self, timeout_ms: int) -> bytes:
        """Return what arrives next."""
        if not self.coming or self.coming[0][0] > self.now + timeout_ms:
            self.now += timeout_ms
            return b""
        at, data = self.coming.popleft()
        self.now = max(self.now, at)
        return data

    def close(self) -> None:
        """Do nothing."""

    def process(self, timeout_ms: int = 1000, *, has_diagnostics: bool = True) -> RtuExchange:
        """Return the exchange of a new process on this line."""
        return RtuExchange(self, timeout_ms, self.clock, has_diagnostics=has_diagnostics)
