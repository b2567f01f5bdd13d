"""Modbus RTU framing of requests and replies, without a clock: unit, PDU, CRC.

     0      1                 n      n+2
    +------+-----------------+------+
    | unit | PDU             | CRC  |     at most 256 bytes (Serial Line V1.02, section 2.5.1)
    +------+-----------------+------+

A frame of known length is complete as soon as its CRC is right; silence ends only incomplete
frames. On a shared line the requests and replies of other units are recognised too, so that each is
skipped as a whole, and so is the echo of what was sent here.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import NamedTuple

from protocols.modbus.crc import crc16, with_crc
from protocols.modbus.pdu import (
    COUNTED_REPLY,
    EXCEPTION_FLAG,
    INCOMPLETE,
    MAX_PDU,
    UNKNOWN,
    reply_length,
    request_length,
)

MAX_FRAME = MAX_PDU + 3
BROADCAST = 0


class FrameRole(Enum):
    """Role of a complete frame on the line."""

    REQUEST = "request"
    REPLY = "reply"
    UNKNOWN_FUNCTION = "unknown function"
    WRONG_LENGTH = "wrong length"
    """A request of ours with a length or byte count that its function does not have."""
    ECHO = "echo"
    """A transmission from here that the line handed back."""


class RtuFrame(NamedTuple):
    """A complete frame with a right CRC."""

    unit: int
    pdu: bytes
    role: FrameRole


def encode(unit: int, pdu: bytes) -> bytes:
    """Return the frame of a PDU."""
    return with_crc(bytes((unit,)) + pdu)


class RtuReceiver:
    """Takes received bytes and returns complete frames in order.

    `ours` returns whether a unit is served here; frames of other units are skipped. `echo` returns
    the length of the own transmission that begins here, INCOMPLETE while one may, 0 for none.
    `silence` reports a silent line. `corrupt` counts corrupt frames and bytes.
    """

    def __init__(
        self, ours: Callable[[int], bool], echo: Callable[[bytearray], int] | None = None
    ) -> None:
        self._ours, self._echo = ours, echo
        self._buffer = bytearray()
        self._skipped = bytearray()
        """Bytes since the last frame or silence that were no frame; cut where they are too many."""
        self.corrupt = 0

    @property
    def pending(self) -> bool:
        """Whether bytes wait that only more bytes or a silence can explain."""
        return bool(self._buffer or self._skipped)

    def receive(self, data: bytes) -> list[RtuFrame]:
        """Add received bytes and return the frames that are complete now."""
        self._buffer += data
        frames = []
        while self._buffer:
            found = self._first()
            if found is None:
                break
            size, frame = found
            if frame is not None:
                frames.append(frame)
                self._skipped.clear()
            else:
                self._skipped += self._buffer[: size if len(self._skipped) <= MAX_FRAME else 0]
                self.corrupt += 1
            del self._buffer[:size]
        return frames

    def silence(self) -> list[RtuFrame]:
        """End the buffer at a silence: return a frame that ends exactly here, drop the rest."""
        data, whole = bytes(self._buffer), bytes(self._skipped + self._buffer)
        self._buffer.clear()
        self._skipped.clear()
        if self._has_wrong_length(whole):
            self.corrupt += bool(data)
            return [RtuFrame(whole[0], whole[1:-2], FrameRole.WRONG_LENGTH)]
        for start in range(len(data) - 3):
            frame = data[start:]
            if len(frame) > MAX_FRAME or crc16(frame) != 0:
                continue
            pdu = frame[1:-2]
            if pdu[0] & EXCEPTION_FLAG:
                break  # a refusal, ours echoed or another unit's: not a request
            if request_length(pdu) in (len(pdu), UNKNOWN):
                self.corrupt += bool(start)
                role = (
                    FrameRole.REQUEST
                    if request_length(pdu) == len(pdu)
                    else FrameRole.UNKNOWN_FUNCTION
                )
                return [RtuFrame(frame[0], pdu, role)]
        self.corrupt += bool(data)
        return []

    def _has_wrong_length(self, frame: bytes) -> bool:
        """Return whether a whole frame asks one of our units with a length that does not fit.

        Not where it may be a reply that shows data: no master can have meant it.
        """
        if not 4 <= len(frame) <= MAX_FRAME or frame[0] == BROADCAST or crc16(frame) != 0:
            return False
        pdu = frame[1:-2]
        shows_data = reply_length(pdu) == len(pdu) and pdu[0] in COUNTED_REPLY and pdu[1] > 0
        is_known = not pdu[0] & EXCEPTION_FLAG and request_length(pdu) != UNKNOWN
        return is_known and not shows_data and self._ours(frame[0])

    def _first(self) -> tuple[int, RtuFrame | None] | None:
        """Return (bytes to take, frame); the frame is None for one corrupt byte.

        None to wait for more bytes or for silence.
        """
        buffer = self._buffer
        echoed = 0 if self._echo is None else self._echo(buffer)
        if echoed:
            if echoed == INCOMPLETE:
                return None
            return echoed, RtuFrame(buffer[0], bytes(buffer[1 : echoed - 2]), FrameRole.ECHO)
        pdu = memoryview(buffer)[1:]
        try:
            # No other device replies under our units, so their frames are requests only. For other
            # units the shorter length is tried first: a CRC stays right with a zero byte appended.
            ours = buffer[0] == BROADCAST or self._ours(buffer[0])
            readings = [(request_length(pdu), FrameRole.REQUEST)]
            if ours and pdu and pdu[0] & EXCEPTION_FLAG:
                readings = [
                    (reply_length(pdu), FrameRole.REPLY)
                ]  # an adapter's echo of our own refusal
            elif not ours:
                readings = sorted(
                    [*readings, (reply_length(pdu), FrameRole.REPLY)],
                    key=lambda reading: reading[0],
                )
            waiting = False
            for length, role in readings:
                if length == UNKNOWN or length > MAX_PDU:
                    continue
                if length == INCOMPLETE or len(buffer) < length + 3:
                    waiting = True
                elif crc16(buffer[: length + 3]) == 0:
                    return length + 3, RtuFrame(buffer[0], bytes(pdu[:length]), role)
            if all(length == UNKNOWN for length, _ in readings):
                # Our units answer as soon as the CRC is right. A frame of another unit is skipped
                # as a whole at the next silence.
                return self._strange() if ours else None if len(buffer) < MAX_FRAME else (1, None)
        finally:
            pdu.release()
        return None if waiting and len(buffer) < MAX_FRAME else (1, None)

    def _strange(self) -> tuple[int, RtuFrame | None] | None:
        """Return a frame of unknown length: it ends at the first right CRC."""
        value = 0xFFFF
        for index, byte in enumerate(self._buffer[:MAX_FRAME]):
            value = crc16(bytes((byte,)), value)
            if value == 0 and index >= 3:
                pdu = bytes(self._buffer[1 : index - 1])
                return index + 1, RtuFrame(self._buffer[0], pdu, FrameRole.UNKNOWN_FUNCTION)
        return None if len(self._buffer) < MAX_FRAME else (1, None)
