"""One request and its reply on a wire: what every framing has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod

from meterctl.drivers import Trace
from meterctl.errors import CorruptAnswerError, NoAnswerError
from meterctl.transports import MonotonicClock, Transport
from protocols.errors import FrameError

SHOWN_BYTES = 40
"""Bytes of an answer that an error text shows."""


class Exchange(ABC):
    """Sends requests on a transport and finds their replies.

    Replies are checked before anything decodes them, so that silence, corrupt, refused and
    not-for-us stay four results.
    """

    def __init__(
        self, wire: Transport, timeout_ms: int, clock: MonotonicClock, trace: Trace | None = None
    ) -> None:
        self._wire, self._timeout_ms, self._now = wire, timeout_ms, clock
        self._trace_frame = trace
        self._received = b""
        """Everything received since the last request."""
        self._sent_back = b""
        """What of it is the request, which an adapter sent back: it is no answer."""
        self._corrupt: FrameError | None = None
        self._passed_over = False

    @property
    def strays(self) -> int:
        """Replies received so far that nothing sent here explains: others may be wrong too."""
        return 0

    @property
    def outstanding(self) -> int:
        """Reads whose replies may still come, and be taken for the reply to another."""
        return 0

    @abstractmethod
    def pass_over_late(self, silence_ms: int, until_ms: int) -> None:
        """Discard replies until none is outstanding, or nothing came for so long."""

    @abstractmethod
    def ask(self, request: bytes, until_ms: int, *, is_recognised: bool = False) -> bytes:
        """Send a request, a whole frame, once; return the whole frame of its reply.

        Args:
            until_ms: the clock's time at which all must be over.
            is_recognised: the caller recognises the reply by its content, whatever came before.

        Raises:
            NoAnswerError: silence, only frames that are not for us, or a wire that broke.
            CorruptAnswerError: bytes that cannot be the reply.
        """

    def rest(self, milliseconds: int) -> None:
        """Wait; what arrives meanwhile is discarded."""
        end = self._now() + milliseconds
        while (left := end - self._now()) > 0:
            self._show("<?", self._wire.receive(left))

    def _send(self, frame: bytes, until_ms: int) -> None:
        self._received, self._corrupt, self._passed_over = b"", None, False
        self._sent_back = b""
        self._show("->", frame)
        self._wire.send(frame, max(1, min(self._timeout_ms, until_ms - self._now())))

    def _show(self, mark: str, data: bytes) -> None:
        """Show bytes to the trace: sent "->", a frame received "<-", other bytes received "<?"."""
        if self._trace_frame and data:
            self._trace_frame(mark, data)

    def _show_rest(self) -> None:
        """Show what was received and is not shown yet."""
        self._show("<?", self._received)

    def _failure(self, waited_ms: int, *, is_incomplete: bool) -> Exception:
        """Return the error of a request without a reply, by what came."""
        self._show_rest()
        received = self._received.replace(self._sent_back, b"", 1)
        came = received[:SHOWN_BYTES].hex(" ")
        if self._passed_over and not self._corrupt and not is_incomplete:
            return NoAnswerError(f"only replies not for us were received: {came}")
        if self._corrupt or received:
            return CorruptAnswerError(
                f"{self._corrupt or 'the reply is incomplete'}; received: {came}"
            )
        return NoAnswerError(f"no answer within {waited_ms} ms")
