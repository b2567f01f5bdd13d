"""A Modbus master of raw bytes, from the Modbus standards alone: it sends only the given bytes."""

from __future__ import annotations

import os
import select
import socket
import termios
import time
import tty
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

ANSWER_S = 3.0
"""Time-out of an answer; a good one takes about a millisecond."""
SILENCE_S = 0.04
"""Twice the 20 ms that end a frame on a virtual serial port (DESIGN.md 5.1)."""

CERTAIN_SILENCE_S = 0.25
"""A silence that a meter notices in time on a loaded machine too."""

LONG_PAUSE_S = 0.01
"""Limit of a pause within a frame; on a loaded machine it may be exceeded: then repeat the try."""


def crc(data: bytes) -> bytes:
    """Return the CRC-16 of MODBUS over Serial Line 2.5.1.2, low byte first, computed bit by bit."""
    register = 0xFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ 0xA001 if register & 1 else register >> 1
    return register.to_bytes(2, "little")


def rtu(unit: int, pdu: bytes) -> bytes:
    """Return the frame of a PDU on a serial line."""
    return bytes([unit]) + pdu + crc(bytes([unit]) + pdu)


def tcp(transaction: int, unit: int, pdu: bytes, *, protocol: int = 0) -> bytes:
    """Return the frame of a PDU on TCP."""
    return words(transaction, protocol, len(pdu) + 1) + bytes([unit]) + pdu


def words(*values: int) -> bytes:
    """Return 16-bit words, high byte first."""
    return b"".join(value.to_bytes(2, "big") for value in values)


def read(function: int, address: int, count: int) -> bytes:
    """Return the PDU of functions 1 to 4."""
    return bytes([function]) + words(address, count)


def write_registers(address: int, *values: int) -> bytes:
    """Return the PDU of function 16."""
    return b"\x10" + words(address, len(values)) + bytes([2 * len(values)]) + words(*values)


def refusal(function: int, code: int) -> bytes:
    """Return the PDU of an exception reply."""
    return bytes([function | 0x80, code])


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer on TCP."""

    transaction: int
    unit: int
    pdu: bytes


class Wire(ABC):
    """An open file of raw bytes; every operation has a time-out."""

    def __init__(self, file: int) -> None:
        self.file = file
        os.set_blocking(file, False)

    def close(self) -> None:
        """Close the file."""
        os.close(self.file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def send(self, data: bytes) -> None:
        """Write all bytes, in one write unless the other end accepts fewer."""
        end = time.monotonic() + ANSWER_S
        while data:
            assert _ready(self.file, select.POLLOUT, end), f"{len(data)} bytes are not taken"
            data = data[os.write(self.file, data) :]

    def receive(self, size: int, timeout: float = ANSWER_S) -> bytes:
        """Return `size` bytes, or those received before the time-out or the end of the stream."""
        end = time.monotonic() + timeout
        data = b""
        while len(data) < size and _ready(self.file, select.POLLIN, end):
            try:
                part = os.read(self.file, size - len(data))
            except ConnectionResetError:
                break
            if not part:
                break
            data += part
        return data

    def expect(self, reply: bytes) -> None:
        """Assert that the next bytes received are exactly these."""
        assert self.receive(len(reply)).hex(" ") == reply.hex(" ")

    def expect_silence(self, seconds: float = SILENCE_S) -> None:
        """Assert that no byte is received for a while."""
        assert self.receive(1024, seconds).hex(" ") == ""

    def send_parts(self, *parts: bytes, pause: float = 0.002) -> bool:
        """Write parts with short pauses; return whether each pause was too short to end a frame."""
        longest, last = 0.0, time.monotonic()
        for part in parts:
            self.send(part)
            now = time.monotonic()
            longest, last = max(longest, now - last), now
            time.sleep(pause)
        return longest < LONG_PAUSE_S

    @abstractmethod
    def ask(self, unit: int, pdu: bytes) -> bytes:
        """Send one request and return the PDU of its answer."""


class TcpWire(Wire):
    """A TCP connection. Every write is a segment of its own."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._socket = socket.create_connection(address, ANSWER_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._transaction = 0x1233
        super().__init__(self._socket.fileno())

    def close(self) -> None:
        self._socket.close()

    def ask(self, unit: int, pdu: bytes) -> bytes:
        self._transaction = (self._transaction + 1) & 0xFFFF
        self.send(tcp(self._transaction, unit, pdu))
        reply = self.reply()
        assert (reply.transaction, reply.unit) == (self._transaction, unit)
        return reply.pdu

    def reply(self) -> Reply:
        """Return the next answer; its header must be complete and right."""
        head = self.receive(7)
        assert len(head) == 7, f"no answer, only {head.hex(' ')!r}"
        transaction, protocol, length = (int.from_bytes(head[i : i + 2], "big") for i in (0, 2, 4))
        assert protocol == 0
        assert 3 <= length <= 254, head.hex(" ")
        pdu = self.receive(length - 1)
        assert len(pdu) == length - 1, f"cut short: {(head + pdu).hex(' ')}"
        return Reply(transaction, head[6], pdu)

    def ended(self) -> bool:
        """Return whether the other end closes the connection without sending."""
        if not _ready(self.file, select.POLLIN, time.monotonic() + ANSWER_S):
            return False
        return self.receive(1, 0) == b""


class RtuWire(Wire):
    """A virtual serial port, raw."""

    def __init__(self, path: Path) -> None:
        file = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(file, termios.TCSANOW)
        super().__init__(file)
        self.settle()

    def settle(self) -> None:
        """Read the rest on the line until a silence that ends any frame."""
        while self.receive(1024, 0.025):
            pass

    def ask(self, unit: int, pdu: bytes) -> bytes:
        self.send(rtu(unit, pdu))
        frame = self.frame()
        assert frame[0] == unit, frame.hex(" ")
        return frame[1:-2]

    def leave_unanswered(self, data: bytes, seconds: float = SILENCE_S) -> None:
        """Send bytes that must get no answer; assert silence."""
        self.send(data)
        self.expect_silence(seconds)

    def frame(self) -> bytes:
        """Return the next answer, which must be complete, with a right CRC."""
        data = self.receive(3)
        if len(data) == 3:
            data += self._rest(data)
        assert len(data) >= 5, f"no answer, only {data.hex(' ')!r}"
        assert crc(data[:-2]) == data[-2:], data.hex(" ")
        return data

    def _rest(self, head: bytes) -> bytes:
        """Return the bytes after the first three, of the length that the standard defines."""
        function = head[1]
        if function & 0x80:
            return self.receive(2)
        if function in (1, 2, 3, 4, 17, 23):
            return self.receive(head[2] + 2)
        if function == 22:
            return self.receive(7)
        if function != 43:
            return self.receive(5)
        rest = self.receive(5)
        for _ in range(rest[4]):
            entry = self.receive(2)
            rest += entry + self.receive(entry[1])
        return rest + self.receive(2)


def _ready(file: int, wanted: int, end: float) -> bool:
    poll = select.poll()
    poll.register(file, wanted)
    return bool(poll.poll(max(0, 1000 * (end - time.monotonic()))))
