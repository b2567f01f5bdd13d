"""Modbus RTU framing of requests and replies, without a clock: unit, PDU, CRC.

     0      1                 n      n+2
    +------+-----------------+------+
    | unit | PDU             | CRC  |     at most 256 bytes (Serial Line V1.02, section 2.5.1)
    +------+-----------------+------+

A frame of known length is complete as soon as its CRC is right; silence ends only incomplete
frames. On a shared line the requests and replies of other units are recognised too, so that each is
skipped as a whole.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import NamedTuple

from protocols.modbus.crc import crc16, with_crc
from protocols.modbus.pdu import (
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

    `ours` returns whether a unit is served here; frames of other units are skipped. `silence`
    reports a silent line. `corrupt` counts corrupt frames and bytes.
    """

    def __init__(self, ours: Callable[[int], bool]) -> None:
        self._ours = ours
        self._buffer = bytearray()
        self.corrupt = 0

    @property
    def pending(self) -> bool:
        """Whether the buffer holds bytes of an incomplete frame."""
        return bool(self._buffer)

    def receive(self, data: bytes) -> list[RtuFrame]:
        """Add received bytes and return the frames that are complete now."""
        self._buffer += data
        frames = []
        while self._buffer:
            found = self._first()
            if found is None:
                break
            size, frame = found
            del self._buffer[:size]
            if frame is not None:
                frames.append(frame)
            else:
                self.corrupt += 1
        return frames

    def silence(self) -> list[RtuFrame]:
        """End the buffer at a silence: return a frame that ends exactly here, drop the rest."""
        data = bytes(self._buffer)
        self._buffer.clear()
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

    def _first(self) -> tuple[int, RtuFrame | None] | None:
        """Return (bytes to take, frame); the frame is None for one corrupt byte.

        None to wait for more bytes or for silence.
        """
        buffer = self._buffer
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
