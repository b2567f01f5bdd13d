"""Lines on a stream of this process, written without ever blocking the loop that tells them.

A thread writes. Where it cannot (a pipe whose reader does not read, a stopped terminal), `WAITING`
lines wait; the lines that find no room, and those that a full disk or a closed pipe refuses, are
counted, and the next line that is written tells their number; where none follows, `end` does.
"""

from __future__ import annotations

import os
import select
import signal
import threading
from collections import deque
from collections.abc import Callable
from typing import TextIO

WAITING = 1_000
"""Lines that wait at most, of some hundred bytes each."""
END_S = 0.5
"""Time that the last lines have at the end of the program."""
ROOM_MS = 100
"""A descriptor that does not block is asked again after this time."""


class LineOutput:
    """Lines to a stream; `put` never blocks and never raises.

    Args:
        stream: None where the stream was closed before the program began.
        counted: returns a line that tells how many lines before it were not written.
        last: returns the last line where lines before the end were not written; None for none.
        end_s: time that the last lines have at the end, in seconds.
    """

    def __init__(
        self,
        stream: TextIO | None,
        counted: Callable[[str, int], str],
        last: Callable[[int], str] | None = None,
        end_s: float = END_S,
    ) -> None:
        self._stream, self._counted, self._last = stream, counted, last
        self._end_s = end_s
        self._descriptor = _descriptor_of(stream)
        self._waiting: deque[tuple[str, int]] = deque()
        """Lines, each with the number of lines that found no room before it."""
        self._missing = 0
        """Lines that found no room since the last one that did."""
        self._unwritten = 0
        """Lines that the stream refused since the last one that it took, or has not taken yet."""
        self._rest = b""
        """The end of a line whose begin was written."""
        self._ended = stream is None
        self._given_up = False
        """Whether the time of the last lines is over: the thread writes nothing more, since the
        descriptor may be another file's by now."""
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="lines", daemon=True)
        if stream is not None:
            _start_without_signals(self._thread)

    @property
    def has_room(self) -> bool:
        """Whether a line can wait; where it cannot, `miss` saves making it."""
        return len(self._waiting) < WAITING and not self._ended

    def put(self, line: str) -> None:
        """Write a line soon, or count it as missing."""
        with self._changed:
            if not self.has_room:
                self._missing += 1
                return
            self._waiting.append((line, self._missing))
            self._missing = 0
            self._changed.notify()

    def miss(self, count: int) -> None:
        """Count lines that were not made because there was no room for them."""
        with self._changed:
            self._missing += count

    def end(self) -> int:
        """Write the lines that wait, for `end_s` at most; later ones are not written.

        Returns how many lines were not written and are told by none; 0 where the stream was closed
        before the program began.
        """
        with self._changed:
            self._ended = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(self._end_s)
        self._given_up = True
        if self._stream is None:
            return 0
        with self._changed:
            waiting = sum(1 + missing for _, missing in self._waiting)
            return self._unwritten + waiting + self._missing

    # ---- the thread

    def _run(self) -> None:
        while (taken := self._take()) is not None:
            line, missing = taken
            missing += self._unwritten
            text = self._counted(line, missing) if missing else line
            self._unwritten = missing + 1
            if self._write(text + "\n"):
                self._unwritten = 0
        lost = self._unwritten + self._missing
        if lost and self._last is not None and self._write(self._last(lost) + "\n"):
            self._unwritten = self._missing = 0

    def _take(self) -> tuple[str, int] | None:
        """Wait for a line; return None at the end."""
        with self._changed:
            while not self._waiting:
                if self._ended:
                    return None
                self._changed.wait()
            return self._waiting.popleft()

    def _write(self, text: str) -> bool:
        """Write a line after the rest of an earlier one; return whether its begin was written."""
        if self._descriptor is None:
            return self._write_text(text)
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        line = text.encode(encoding, errors="backslashreplace")
        if self._rest:
            self._rest = self._send(self._descriptor, self._rest)
            if self._rest:
                return False
        rest = self._send(self._descriptor, line)
        if rest == line:
            return False
        self._rest = rest
        return True

    def _write_text(self, text: str) -> bool:
        assert self._stream is not None
        if self._given_up:
            return False
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            return False
        return True

    def _send(self, descriptor: int, data: bytes) -> bytes:
        """Write until the stream refuses; return the bytes that were not written."""
        while data and not self._given_up:
            try:
                data = data[os.write(descriptor, data) :]
            except BlockingIOError:  # another process made it so
                if self._ended:
                    return data
                poll = select.poll()
                poll.register(descriptor, select.POLLOUT)
                poll.poll(ROOM_MS)
            except OSError:
                return data
        return data


def counted_text(line: str, missing: int) -> str:
    """Return a line for people that tells the number of missing ones."""
    lines = (
        "1 line before this one was" if missing == 1 else f"{missing} lines before this one were"
    )
    return f"{line}  ({lines} not taken)"


def counted_json(line: str, missing: int) -> str:
    """Return a JSON object that tells the number of missing ones as `dropped`."""
    return f'{line[:-1]}, "dropped": {missing}}}'


def not_taken(count: int) -> str:
    """Return a line for people that tells how many lines of events were lost for good."""
    return (
        "1 line of events was not taken"
        if count == 1
        else f"{count} lines of events were not taken"
    )


def _descriptor_of(stream: TextIO | None) -> int | None:
    try:
        return None if stream is None else stream.fileno()
    except (OSError, ValueError):
        return None


def _start_without_signals(thread: threading.Thread) -> None:
    """Start a thread to which no signal is delivered: the main thread holds them back at times."""
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        thread.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
