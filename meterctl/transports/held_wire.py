"""A wire that is held between commands: opened by the first one that needs it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from meterctl.errors import CorruptAnswerError, NoAnswerError, UnknownOutcomeError
from meterctl.transports import Transport

_UNFINISHED = (KeyboardInterrupt, NoAnswerError, CorruptAnswerError, UnknownOutcomeError)
"""Ends of a command after which a reply to it may still come."""
_LONGEST_WAIT_S = 5.0
"""Longest wait for silence on a line where something goes on sending."""


class HeldWire:
    """Holds the transport of one port between commands; nothing that a meter said is held."""

    def __init__(self) -> None:
        self.said: set[str] = set()
        """Notices that were printed; each is printed once in a shell."""
        self._port = ""
        self._transport: Transport | None = None
        self._is_settled = True

    @contextlib.contextmanager
    def opened(
        self, port: str, timeout_ms: int, open_it: Callable[[], Transport]
    ) -> Iterator[Transport]:
        """Yield the transport of a port, which stays open; that of another port is closed.

        Args:
            timeout_ms: after a command that did not end well, a serial line has to be silent for so
                long: a late reply would be taken for the reply to this command.
            open_it: opens the port.

        Raises:
            UsageError, NoAnswerError: as `open_it`.
        """
        if self._transport is None or self._port != port:
            self.release()
            self._transport, self._port, self._is_settled = open_it(), port, True
        transport = self._transport
        if not self._is_settled:
            _await_silence(transport, timeout_ms)
            self._is_settled = True
        try:
            yield transport
        except _UNFINISHED:
            if transport.framed:
                self.release()
            self._is_settled = False
            raise
        except Exception as error:
            if not hasattr(error, "exit_code"):
                self.release()
            raise

    def release(self) -> None:
        """Close the port: for a command that opens it on its own, and at the end."""
        if self._transport is not None:
            self._transport.close()
            self._transport = None


def _await_silence(transport: Transport, timeout_ms: int) -> None:
    """Discard what comes until the line is silent; a port that went away is silent."""
    deadline = time.monotonic() + _LONGEST_WAIT_S
    with contextlib.suppress(NoAnswerError):
        while transport.receive(timeout_ms) and time.monotonic() < deadline:
            pass
