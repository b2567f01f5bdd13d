"""Listens to a line and decodes what passes on it. No byte is sent.

Frames are told from each other by their content; a silence ends what is not whole. Adapters hand
bytes over late and in packets, so the silence is longer than that between two frames.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import count
from typing import Protocol

from meterctl.errors import NoAnswerError
from meterctl.transports import Transport
from protocols.decoded_frames import (
    DecodedFrame,
    DecoderOptions,
    FrameDecoder,
    RelayedData,
    RelayEvent,
)
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
        self._told = 0
        """The number of the last request that told which before it had no reply."""
        self._is_pending = False
        self._ready: deque[DecodedFrame] = deque()
        """Frames that were not yielded yet; an interrupt between two of them loses none."""

    def frames(self, until_us: int | None = None) -> Iterator[DecodedFrame]:
        """Yield what passes, until an instant of the clock; a line that goes away is waited for.

        A request has `unanswered` among its values: the requests before it that had no reply.
        """
        while (left_ms := _left_ms(self._clock_us, until_us)) > 0:
            silence_ms = ADAPTER_MS + self._transport.silence_ms
            wait_ms = min(silence_ms if self._is_pending else IDLE_MS, left_ms)
            try:
                self._transport.prepare(min(1000, left_ms))
                data = self._transport.receive(wait_ms)
            except NoAnswerError:
                self._end()
                data = b""
            at_us = self._clock_us()
            if data:
                self._received(data)
                self._is_pending = True
                self._ready += self._noted(self._decoder.receive(data, at_us))
            elif self._is_pending and wait_ms >= silence_ms:
                self._end()
            while self._ready:
                yield self._ready.popleft()
        yield from self.rest()

    def rest(self) -> Sequence[DecodedFrame]:
        """Return all that was not yielded yet, at the end."""
        self._end()
        found = [*self._ready]
        self._ready.clear()
        return found

    def unanswered(self) -> int:
        """Return the number of requests that had no reply."""
        return self._decoder.unanswered()

    def _end(self) -> None:
        """End at a silence what waits for further bytes."""
        self._is_pending = False
        self._ready += self._noted(self._decoder.silence())

    def _noted(self, frames: Sequence[DecodedFrame]) -> Iterator[DecodedFrame]:
        waiting = self._decoder.waiting() if frames else ()
        for frame in frames:
            if frame.direction is not Way.REQUEST or not frame.is_right:
                yield frame
                continue
            number = int(frame.decoded["number"])
            left = [each for each in waiting if self._told <= each < number]
            self._told = number
            yield replace(frame, decoded={**frame.decoded, "unanswered": json.dumps(left)})


class Relay(Protocol):
    """Connections that are relayed, see `meterctl/transports/relay.py`."""

    def receive(self, timeout_ms: int) -> Sequence[RelayedData]: ...


class RelayMonitor:
    """Relays connections and yields the frames that pass, of all of them in one order.

    Args:
        make: makes a decoder of one connection.
        received: takes what passes before it is decoded, and when.
    """

    def __init__(
        self,
        relay: Relay,
        make: Callable[[DecoderOptions], FrameDecoder],
        options: DecoderOptions,
        clock_us: Callable[[], int],
        received: Callable[[int, RelayedData], None],
    ) -> None:
        self._relay, self._make = relay, make
        self._options = options._replace(has_two_streams=True, numbers=count(1))
        self._clock_us, self._received = clock_us, received
        self._decoders: dict[int, FrameDecoder] = {}
        self._names: dict[int, str] = {}
        self._unanswered = 0
        self._ready: deque[DecodedFrame] = deque()

    def frames(self, until_us: int | None = None) -> Iterator[DecodedFrame]:
        """Yield what passes, until an instant of the clock.

        `conversation` is among the values of a frame: the address of the host.
        """
        while (left_ms := _left_ms(self._clock_us, until_us)) > 0:
            for passed in self._relay.receive(min(IDLE_MS, left_ms)):
                at_us = self._clock_us()
                self._received(at_us, passed)
                self._ready += self._of(passed, at_us)
            while self._ready:
                yield self._ready.popleft()
        yield from self.rest()

    def rest(self) -> Sequence[DecodedFrame]:
        """Return all that was not yielded yet, at the end."""
        for number in [*self._decoders]:
            self._ready += self._ended(number)
        found = [*self._ready]
        self._ready.clear()
        return found

    def unanswered(self) -> int:
        """Return the number of requests that had no reply."""
        return self._unanswered + sum(each.unanswered() for each in self._decoders.values())

    def _of(self, passed: RelayedData, at_us: int) -> Iterator[DecodedFrame]:
        number = passed.connection
        match passed.event:
            case RelayEvent.OPENED:
                self._decoders[number] = self._make(self._options)
                self._names[number] = f"{passed.host[0]}:{passed.host[1]}"
            case RelayEvent.DATA:
                frames = self._decoders[number].receive(passed.data, at_us, passed.way)
                yield from self._named(number, frames)
            case RelayEvent.ENDED:
                yield from self._ended(number)

    def _ended(self, number: int) -> Iterator[DecodedFrame]:
        decoder = self._decoders.pop(number)
        frames = decoder.silence()
        self._unanswered += decoder.unanswered()
        yield from self._named(number, frames)

    def _named(self, number: int, frames: Sequence[DecodedFrame]) -> Iterator[DecodedFrame]:
        name = json.dumps(self._names[number])
        for frame in frames:
            yield replace(frame, decoded={**frame.decoded, "conversation": name})


def _left_ms(clock_us: Callable[[], int], until_us: int | None) -> int:
    return IDLE_MS if until_us is None else -(-(until_us - clock_us()) // _US)


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
