"""Finds frames in a stream of bytes, and keeps the bytes between them.

Framing of requests and replies is that of `rtu.py`, `tcp.py` and `pdu.py`. The receivers there
drop what is no frame of theirs; here every byte is given back, in order, and a stream may be of
any framing:

    rtu      unit · PDU · CRC, found by a length of its function and a right CRC
    tcp      MBAP header · PDU, found by protocol 0 and a length that its function has
    ascii    ":" · unit, PDU and LRC in hexadecimal digits · CR LF (Serial Line V1.02, 2.5.2)

What is found depends on the bytes and the silences alone, never on how the bytes were cut.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

from protocols.modbus import tcp
from protocols.modbus.crc import crc16
from protocols.modbus.dissection.roles import is_listed, lengths, likely_ways, possible_ways
from protocols.modbus.pdu import INCOMPLETE, MAX_PDU, UNKNOWN
from protocols.modbus.rtu import MAX_FRAME

MAX_NOISE = 512
"""Bytes that are no frame are given back in pieces of at most this size."""
_SHORTEST_RTU = 4
_COLON, _END = 0x3A, b"\r\n"
_DIGITS = frozenset(b"0123456789ABCDEFabcdef")
_SHORTEST_ASCII, _LONGEST_ASCII = 9, 2 * (MAX_PDU + 2) + 3
_WAIT = -1


class Framing(Enum):
    """Framing of Modbus."""

    RTU = "rtu"
    TCP = "tcp"
    ASCII = "ascii"


class Fault(Enum):
    """Fault of a frame, or why bytes are none."""

    WRONG_CHECK = "wrong_check"
    """The length is that of its function, the CRC or LRC is wrong."""
    WRONG_LENGTH = "wrong_length"
    """The check is right, the length is not one of its function."""
    CUT_SHORT = "cut_short"
    """The beginning of a frame; no frame."""
    NOISE = "noise"
    """No frame."""


class Piece(NamedTuple):
    """Consecutive bytes: a frame of a framing, or no frame. Times as in `DecodedFrame`."""

    raw: bytes
    framing: Framing | None
    fault: Fault | None = None
    at_us: int | None = None
    ended_us: int | None = None

    @property
    def body(self) -> tuple[int | None, int, bytes]:
        """The transaction number of TCP, the unit and the PDU of a frame."""
        match self.framing:
            case Framing.TCP:
                transaction, _, _, unit = tcp.HEADER.unpack_from(self.raw)
                return transaction, unit, self.raw[tcp.HEADER_SIZE :]
            case Framing.ASCII:
                data = bytes.fromhex(self.raw[1:-2].decode("ascii"))
                return None, data[0], data[1:-1]
            case _:
                return None, self.raw[0], self.raw[1:-2]


class FrameFinder:
    """Takes the bytes of one stream and returns its pieces in order.

    Args:
        framing: that of the stream; None for any. The framing of the last frame is tried first.
    """

    def __init__(self, framing: Framing | None = None) -> None:
        self._given = framing
        self._last: Framing | None = framing
        self._buffer = bytearray()
        self._at = 0
        """Bytes of the buffer before it are no frame."""
        self._taken = 0
        """Bytes of the stream before the buffer."""
        self._marks: list[tuple[int, int | None]] = []
        """Position in the stream -> when the bytes from there on were received."""

    @property
    def pending(self) -> int:
        """Number of bytes that wait for further ones."""
        return len(self._buffer)

    def receive(self, data: bytes, at_us: int | None = None) -> list[Piece]:
        """Add received bytes and return the pieces that are decided now."""
        if not data:
            return []
        self._marks.append((self._taken + len(self._buffer), at_us))
        self._buffer += data
        return [*self._scan(final=False)]

    def boundary(self) -> list[Piece]:
        """Return what waits, if it is whole frames that end here, be they faulty; else nothing."""
        trial = FrameFinder(self._given)
        trial._last, trial._at = self._last, self._at
        trial._buffer += self._buffer
        if any(piece.framing is None for piece in trial._scan(final=True)):
            return []
        return self.silence()

    def silence(self) -> list[Piece]:
        """Return all that waits: frames that end here, and what is none."""
        return [*self._scan(final=True)]

    def _scan(self, *, final: bool) -> Iterator[Piece]:
        while self._at < len(self._buffer):
            size, framing = self._frame(final=final)
            if size == _WAIT:
                return
            if size:
                yield from self._noise(final=False)
                self._last = framing
                yield self._take(size, framing, None)
                continue
            self._at += 1
            if self._at == MAX_NOISE:
                yield from self._noise(final=False)
        if final:
            yield from self._noise(final=True)

    def _take(self, size: int, framing: Framing | None, fault: Fault | None) -> Piece:
        """Remove the first bytes of the buffer and return them as a piece."""
        raw = bytes(self._buffer[:size])
        del self._buffer[:size]
        self._at = max(0, self._at - size)
        began = self._marked(self._taken)
        ended = self._marked(self._taken + size - 1)
        self._taken += size
        passed = [place for place, (at, _) in enumerate(self._marks) if at <= self._taken]
        del self._marks[: passed[-1] if passed else 0]
        return Piece(raw, framing, fault, began, ended)

    def _marked(self, position: int) -> int | None:
        found = None
        for at, at_us in self._marks:
            if at > position:
                break
            found = at_us
        return found

    def _noise(self, *, final: bool) -> Iterator[Piece]:
        """Yield the bytes before `_at`: faulty frames where they are whole ones, else no frame."""
        run = bytes(self._buffer[: self._at])
        if not run:
            return
        for size, framing, fault in self._explained(run, final=final):
            yield self._take(size, framing, fault)

    def _explained(
        self, run: bytes, *, final: bool
    ) -> Iterator[tuple[int, Framing | None, Fault | None]]:
        """Yield size, framing and fault of the parts of bytes in which no frame was found."""
        start = 0
        while start < len(run):
            size = self._unlisted(run[start:])
            if not size:
                break
            yield size, Framing.RTU, None
            start += size
        rest = run[start:]
        if not rest:
            return
        framing, fault = self._whole(rest)
        if framing is None and final and start + len(rest) == len(run):
            buffer = bytearray(rest)
            begun = [one for one in self._framings() if _sized(buffer, 0, one) == _WAIT]
            is_cut = any(_is_begun(rest, one) for one in begun)
            fault = Fault.CUT_SHORT if is_cut else Fault.NOISE
        yield len(rest), framing, fault

    def _whole(self, run: bytes) -> tuple[Framing | None, Fault | None]:
        """Return framing and fault of bytes that are one faulty frame; None and NOISE for none."""
        for framing in self._framings():
            fault = _FAULT_OF[framing](run)
            if fault is not Fault.NOISE:
                return framing, fault
        return None, Fault.NOISE

    def _unlisted(self, run: bytes) -> int:
        """Return the size of an RTU frame of a function without a known length; 0 for none."""
        if Framing.RTU not in self._framings() or len(run) < _SHORTEST_RTU:
            return 0
        if any(length != UNKNOWN for length in lengths(run[1:])):
            return 0
        value = 0xFFFF
        for size, byte in enumerate(run[:MAX_FRAME], 1):
            value = crc16(bytes((byte,)), value)
            if value == 0 and size >= _SHORTEST_RTU:
                return size
        return 0

    def _framings(self) -> tuple[Framing, ...]:
        return tuple(Framing) if self._given is None else (self._given,)

    def _frame(self, *, final: bool) -> tuple[int, Framing | None]:
        """Return size and framing of the frame at `_at`; size 0 for none, _WAIT to wait."""
        if self._last is not None:
            size = self._size(self._last, final)
            if size or self._given is not None:
                return size, self._last
        sizes = {one: self._size(one, final) for one in Framing if one is not self._last}
        whole = {one: size for one, size in sizes.items() if size > 0}
        if whole:
            shortest = min(whole, key=whole.__getitem__)
            return whole[shortest], shortest
        return min(sizes.values()), None

    def _size(self, framing: Framing, final: bool) -> int:
        """Return the size of a frame of one framing at `_at`; 0 for none, _WAIT to wait."""
        size = _sized(self._buffer, self._at, framing, lenient=self._given is framing)
        return 0 if size == _WAIT and final else size


def _sized(buffer: bytearray, at: int, framing: Framing, *, lenient: bool = False) -> int:
    """Return the size of a frame that begins at a place; 0 for none, _WAIT to wait."""
    match framing:
        case Framing.RTU:
            return _rtu(buffer, at)
        case Framing.TCP:
            return _tcp(buffer, at, lenient=lenient)
        case Framing.ASCII:
            return _ascii(buffer, at)


def _rtu(buffer: bytearray, at: int) -> int:
    """Return the size of an RTU frame; the shorter length of two is tried first."""
    left = len(buffer) - at
    waits = left < 2
    pdu = bytes(buffer[at + 1 : at + MAX_FRAME])
    for length in sorted(lengths(pdu)):
        if length == INCOMPLETE:
            waits = True
        elif length != UNKNOWN and length <= MAX_PDU:
            if left < length + 3:
                waits = True
            elif crc16(buffer[at : at + length + 3]) == 0:
                return length + 3
    return _WAIT if waits and left < MAX_FRAME else 0


def _tcp(buffer: bytearray, at: int, *, lenient: bool) -> int:
    """Return the size of a TCP frame; `lenient` takes a PDU of any length."""
    head = bytes(buffer[at : at + tcp.HEADER_SIZE])
    if any(head[2:4]) or any(head[4:5]):
        return 0
    if len(head) < 6:
        return _WAIT
    length = head[5]
    if not 2 <= length <= MAX_PDU + 1:
        return 0
    if len(buffer) - at < 6 + length:
        return _WAIT
    pdu = bytes(buffer[at + tcp.HEADER_SIZE : at + 6 + length])
    return 6 + length if lenient or possible_ways(pdu) else 0


def _ascii(buffer: bytearray, at: int) -> int:
    """Return the size of an ASCII frame with a right LRC."""
    if buffer[at] != _COLON:
        return 0
    end = buffer.find(_END, at, at + _LONGEST_ASCII)
    text = buffer[at + 1 : at + _LONGEST_ASCII if end < 0 else end]
    if end < 0:
        digits = text[:-1] if text[-1:] == b"\r" else text
        is_open = len(text) < _LONGEST_ASCII - 1 and _DIGITS.issuperset(digits)
        return _WAIT if is_open else 0
    return end + 2 - at if _is_ascii(text) and _lrc_of(text) == 0 else 0


def _is_begun(run: bytes, framing: Framing) -> bool:
    """Return whether enough of a frame is there to name it."""
    match framing:
        case Framing.RTU:
            return is_listed(run[1:2])
        case Framing.TCP:
            return len(run) >= tcp.HEADER_SIZE
        case Framing.ASCII:
            return len(run) > 2


def _is_ascii(text: bytes | bytearray) -> bool:
    return len(text) >= _SHORTEST_ASCII - 3 and len(text) % 2 == 0 and _DIGITS.issuperset(text)


def _lrc_of(text: bytes | bytearray) -> int:
    """Return the sum of all bytes with the LRC: 0 where the LRC is right."""
    return sum(bytes.fromhex(text.decode("ascii"))) & 0xFF


def _rtu_fault(run: bytes) -> Fault:
    if not _SHORTEST_RTU <= len(run) <= MAX_FRAME:
        return Fault.NOISE
    if crc16(run) == 0:
        return Fault.WRONG_LENGTH
    return Fault.WRONG_CHECK if likely_ways(run[1:-2]) else Fault.NOISE


def _tcp_fault(run: bytes) -> Fault:
    is_whole = (
        len(run) > tcp.HEADER_SIZE
        and not any(run[2:5])
        and 2 <= run[5] <= MAX_PDU + 1
        and len(run) == 6 + run[5]
    )
    return Fault.WRONG_LENGTH if is_whole else Fault.NOISE


def _ascii_fault(run: bytes) -> Fault:
    is_whole = run[:1] == b":" and run[-2:] == _END and _is_ascii(run[1:-2])
    return Fault.WRONG_CHECK if is_whole else Fault.NOISE


_FAULT_OF = {Framing.RTU: _rtu_fault, Framing.TCP: _tcp_fault, Framing.ASCII: _ascii_fault}
