"""The echo of a serial line: a 2-wire adapter hands the meters' own transmissions back to them.

A transmission is expected back once, in order, whole or in pieces. Most replies cannot be requests,
so their copies are an echo on every line. A reply that equals its request (functions 5, 6, 8 and
22) can come again because the line echoes or because a master repeats its write: what the line was
seen to do decides.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from protocols.modbus.pdu import INCOMPLETE

WINDOW_US, KNOWN_WINDOW_US = 250_000, 2_000_000
"""A copy that begins later after its transmission is a request: an echo takes two packets of a USB
adapter and a stall of this process. A line that is known to echo gets more time."""
MOST_EXPECTED = 128
"""Transmissions expected at once: the replies to the requests of one read of a port."""
MOST_REPEATS = 400
"""Copies in a row, each sooner than a line can carry it, after which a line is known to echo. On a
virtual port a master may send the same write hundreds of times, as fast as it is answered."""
MOST_MISSED = 3
"""Transmissions in a row that did not return, after which a line no longer echoes: one may have
been changed by noise."""
_BITS_A_BYTE = 11


class EchoState(Enum):
    """Whether the line echoes."""

    UNKNOWN = "unknown"
    ECHOES = "echoes"
    CLEAR = "clear"


class Transmission(NamedTuple):
    """A frame that was sent; `is_request` where a master could have sent it as well.

    `until_us` is the line time after which a copy of such a frame is a request.
    """

    frame: bytes
    is_request: bool
    until_us: int


class Echo:
    """Recognises copies of its own transmissions on one line.

    Args:
        baud: the speed of the line.
        real: whether it is a real port; only there a first copy that could be a request is taken
            for an echo.
        delay_us: the pause of the line in front of the server before it sends.
    """

    def __init__(self, baud: int, real: bool, delay_us: int = 0) -> None:
        self.state = EchoState.UNKNOWN
        self.waits = False
        """Whether the next bytes may be an echo, on a line that is not known to be clear."""
        self.last = b""
        """The last transmission; on a clear line the only one that is expected."""
        self._real, self._byte_us = real, _BITS_A_BYTE * 1_000_000 // baud
        self._delay_us = delay_us
        self._expected: list[Transmission] = []
        self._idle_at_us = 0
        self._repeated, self._repeated_at_us, self._repeats = b"", 0, 0
        self._missed = 0

    def know(self) -> None:
        """Take the line as one that echoes: a fault in force makes it one."""
        self.state, self._missed = EchoState.ECHOES, 0

    def sent(self, frame: bytes, is_request: bool, at_us: int, held_us: int = 0) -> None:
        """Expect a reply that leaves `held_us` after line time `at_us`.

        `is_request` is as in a Transmission.
        """
        if is_request:
            self._count_repeat(frame, at_us)
        self.last = frame
        if self.state is EchoState.CLEAR:
            return
        self._idle_at_us = max(self._idle_at_us, at_us + held_us) + len(frame) * self._byte_us
        window_us = KNOWN_WINDOW_US if self.state is EchoState.ECHOES else WINDOW_US
        until_us = self._idle_at_us + self._delay_us + window_us
        self._expected.append(Transmission(frame, is_request, until_us))
        del self._expected[:-MOST_EXPECTED]
        self.waits = True

    def match(self, data: bytearray) -> int:
        """Return the length of the expected transmission that begins here, and expect it no more.

        INCOMPLETE where more bytes are needed to tell, 0 where none begins here.
        """
        if self.state is EchoState.CLEAR:
            is_request = self.last is self._repeated
            if is_request and not self._is_assumed():
                return 0
            length = _compare(data, self.last)
            if length > 0:
                self.state, self.last = EchoState.ECHOES, b""
            return length
        is_begun = False
        for index, (frame, is_request, _) in enumerate(self._expected):
            if is_request and not self._is_assumed():
                continue
            length = _compare(data, frame)
            if length > 0:
                self._expect_after(index)
                self._missed = 0
                if not is_request or self._repeats >= MOST_REPEATS:
                    self.state = EchoState.ECHOES
                return length
            is_begun = is_begun or length == INCOMPLETE
        return INCOMPLETE if is_begun else 0

    def asked(self, request: bytes) -> None:
        """Note a request on a line that waits: what it waits for did not return before it."""
        if any(frame == request for frame, _, _ in self._expected):
            self._expect_after(len(self._expected))  # a repetition says nothing about the line
        else:
            self._miss()

    def expire(self, at_us: int) -> None:
        """End the expectation of transmissions whose copies would be requests by now."""
        kept = [sent for sent in self._expected if not sent.is_request or at_us <= sent.until_us]
        if len(kept) < len(self._expected):
            self._expected = kept
            self._expect_after(-1)
            self._miss()

    def _is_assumed(self) -> bool:
        """Return whether a copy that could be a request is taken for an echo."""
        match self.state:
            case EchoState.ECHOES:
                return True
            case EchoState.UNKNOWN:
                return self._real or self._repeats >= MOST_REPEATS
            case EchoState.CLEAR:
                return self._real and self._repeats >= MOST_REPEATS

    def _count_repeat(self, frame: bytes, at_us: int) -> None:
        """Count a reply to a copy of itself that came sooner than the line can carry one."""
        soon = at_us - self._repeated_at_us < len(frame) * self._byte_us
        again = soon and self.last is self._repeated and frame == self._repeated
        self._repeats = self._repeats + 1 if again else 0
        self._repeated, self._repeated_at_us = frame, at_us

    def _expect_after(self, index: int) -> None:
        """Expect only what was sent after a transmission."""
        del self._expected[: index + 1]
        self.waits = bool(self._expected)

    def _miss(self) -> None:
        self._missed += 1
        if self.state is EchoState.UNKNOWN or self._missed >= MOST_MISSED:
            self.state, self._missed = EchoState.CLEAR, 0
            self._expect_after(len(self._expected))


def _compare(data: bytearray, frame: bytes) -> int:
    """Return the length of a frame with which data begins, INCOMPLETE where it may, else 0."""
    if data.startswith(frame):
        return len(frame)
    return INCOMPLETE if frame.startswith(data) else 0
