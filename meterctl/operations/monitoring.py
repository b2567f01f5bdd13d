"""Listens to a line and decodes what passes on it. No byte is sent.

Frames are told from each other by their content; a silence ends what is not whole. Adapters hand
bytes over late and in packets, so the silence is longer than that between two frames.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from meterctl.errors import NoAnswerError
from meterctl.transports import Transport
from protocols.decoded_frames import DecodedFrame, FrameDecoder
from protocols.faults import Way

ADAPTER_MS = 50
"""Longest pause that adapters make within a frame: packets come every 16 ms, from some every 40."""
IDLE_MS = 500
"""Longest wait for a byte before the end of the time is looked at again."""
GARBAGE_BYTES = 128
"""Bytes without a frame after which the settings of the port are doubted."""
_US = 1000


class LineMonitor:
    """Listens to a transport and yields frames as they pass.

    Args:
        clock_us: the host's clock, us since 1970 UTC.
        received: takes the bytes as they come, before they are decoded.
    """

    def __init__(
        self,
        transport: Transport,
        decoder: FrameDecoder,
        clock_us: Callable[[], int],
        received: Callable[[bytes], None],
    ) -> None:
        self._transport, self._decoder = transport, decoder
        self._clock_us, self._received = clock_us, received
        self._told: set[int] = set()
        self._is_pending = False

    def frames(self, until_us: int | None = None) -> Iterator[DecodedFrame]:
        """Yield what passes, until an instant of the clock; a line that goes away is waited for.

        A request has `unanswered` among its values: the requests before it that had no reply.
        """
        while (left_ms := self._left_ms(until_us)) > 0:
            silence_ms = ADAPTER_MS + self._transport.silence_ms
            wait_ms = min(silence_ms if self._is_pending else IDLE_MS, left_ms)
            try:
                self._transport.prepare(min(1000, left_ms))
                data = self._transport.receive(wait_ms)
            except NoAnswerError:
                yield from self.rest()
                continue
            at_us = self._clock_us()
            if data:
                self._received(data)
                self._is_pending = True
                yield from self._noted(self._decoder.receive(data, at_us))
            elif self._is_pending and wait_ms >= silence_ms:
                yield from self.rest()
        yield from self.rest()

    def rest(self) -> Sequence[DecodedFrame]:
        """Return what waits for further bytes: at a silence, and at the end."""
        self._is_pending = False
        return [*self._noted(self._decoder.silence())]

    def unanswered(self) -> int:
        """Return the number of requests that had no reply."""
        return len(self._decoder.unanswered())

    def _left_ms(self, until_us: int | None) -> int:
        return IDLE_MS if until_us is None else -(-(until_us - self._clock_us()) // _US)

    def _noted(self, frames: Sequence[DecodedFrame]) -> Iterator[DecodedFrame]:
        open_numbers = self._decoder.unanswered() if frames else ()
        for frame in frames:
            if frame.direction is not Way.REQUEST or not frame.is_right:
                yield frame
                continue
            number = int(frame.decoded["number"])
            left = [each for each in open_numbers if each < number and each not in self._told]
            self._told.update(left)
            yield replace(frame, decoded={**frame.decoded, "unanswered": json.dumps(left)})


class GarbageWatch:
    """Counts bytes without a frame, which a wrong speed or parity makes of every frame."""

    def __init__(self) -> None:
        self._bytes = 0

    def is_doubtful(self, frame: DecodedFrame) -> bool:
        """Take the next frame; return True when the bytes without one have become too many."""
        if frame.is_right:
            self._bytes = 0
            return False
        before = self._bytes
        self._bytes += len(frame.raw)
        return before < GARBAGE_BYTES <= self._bytes
