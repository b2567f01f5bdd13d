"""Frames on a serial line that nothing sent by this process explains."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from protocols.modbus.crc import crc16
from protocols.modbus.pdu import INCOMPLETE, UNKNOWN, reply_length

KNOWN_FRAMES = 64
"""Own probes and replies whose second copies are no strays."""
LEAST_FRAME = 4
"""Bytes of the shortest frame; fewer are noise."""


class Strays:
    """Tells strays from second copies of what this process sent or received."""

    def __init__(self) -> None:
        self.has_some = False
        """Whether one came since this was last set to False."""
        self.count = 0
        self._known: deque[bytes] = deque(maxlen=KNOWN_FRAMES)

    def know(self, frame: bytes, instead_of: Callable[[bytes], bool] | None = None) -> None:
        """Take a second copy of a frame as no stray.

        Args:
            instead_of: tells replies to the same request, of which only this one is known now.
        """
        if instead_of is not None:
            kept = [each for each in self._known if not instead_of(each)]
            self._known = deque(kept, maxlen=KNOWN_FRAMES)
        self._known.append(frame)

    def note(self, unit: int, frame: bytes) -> None:
        """Note a frame that was not asked for; one of another unit is no stray."""
        if frame[0] == unit and frame not in self._known:
            self.has_some = True
            self.count += 1

    def note_bytes(self, unit: int, data: bytes) -> None:
        """Note the whole frames within some bytes."""
        for frame in _whole_frames(data):
            self.note(unit, frame)


def _whole_frames(data: bytes) -> Iterator[bytes]:
    while data:
        length = reply_length(data[1:])
        size = length + 3
        if length in (INCOMPLETE, UNKNOWN) or len(data) < size or crc16(data[:size]) != 0:
            data = data[1:]
            continue
        yield data[:size]
        data = data[size:]
