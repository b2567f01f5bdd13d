"""The screen of a watch: its picture on the alternate screen of a terminal, left as it was.

It is drawn again after each observation, each second while a meter is silent, and when the window
gets another size; all of it by signals in the one thread, between two steps of a reading. Every
picture is written as it was made, past the buffers of Python, so that an interrupt at any time
leaves nothing behind that would come out later.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from io import StringIO
from types import FrameType, TracebackType
from typing import Any, Self

from meterctl.cli.interruption import interrupts, restoring_on_quit
from meterctl.cli.output import OutputError, emit
from meterctl.cli.watching.picture import OTHER_LINES, picture
from meterctl.cli.watching.table import MOST_EVENT_LINES
from meterctl.cli.watching.views import KEPT_EVENTS, WatchView
from meterctl.operations.observations import Observation

TICK_S = 1
_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[0m\x1b[?25h\x1b[?1049l"
"""The alternate screen without a cursor, and the usual one with it (xterm)."""
_HOME, _LINE_END, _REST = "\x1b[H", "\x1b[K\r\n", "\x1b[K\x1b[J"
"""To the first line; the rest of a line is empty; so is the rest of the screen."""


def has_screen(*, trace: bool) -> bool:
    """Return whether stdout is a terminal that can show a picture.

    Args:
        trace: whether frames are printed on stderr, which would be drawn over on a terminal.
    """
    if sys.stdout is None or not sys.stdout.isatty():
        return False
    is_dumb = os.environ.get("TERM", "dumb") in ("dumb", "unknown")
    return not is_dumb and not (trace and sys.stderr is not None and sys.stderr.isatty())


def events_shown(meters: int) -> int:
    """Return how many past events the terminal has room for, as high as it is now."""
    height = shutil.get_terminal_size().lines
    return MOST_EVENT_LINES if meters > 1 else max(min(height - OTHER_LINES, KEPT_EVENTS), 1)


class WatchScreen:
    """Shows a watch for the length of a `with` block."""

    def __init__(self, view: WatchView, now_ms: Callable[[], int]) -> None:
        self._view, self._now_ms = view, now_ms
        self._encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        self._stack = contextlib.ExitStack()
        self._is_shown = self._is_drawing = self._is_stale = self._suspends = False
        self._failure: OSError | None = None

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self._stack = stack
            stack.enter_context(restoring_on_quit(self._restore))
            stack.callback(self._leave)
            stack.enter_context(_handling("SIGWINCH", lambda *_: self.draw()))
            stack.enter_context(_handling("SIGTSTP", lambda *_: self._suspend()))
            stack.enter_context(_handling("SIGALRM", lambda *_: self._tick()))
            stack.enter_context(_ticking())
            stack.enter_context(_without_echo())
            self._enter()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number in interrupts():  # the watch is over: nothing keeps the terminal from its state
            signal.signal(number, signal.SIG_IGN)
        self._stack.close()
        if kind is None:
            emit(self._rendered("\n", below=1))  # the last picture stays

    def take(self, seen: Observation) -> None:
        """Show what was seen; raises OutputError."""
        self._view.take(seen)
        self.draw()
        if self._failure is not None:
            raise OutputError(self._failure)

    def port_notice(self, text: str) -> None:
        """Show a notice of the port, until the next reading."""
        self._view.port_notice = text
        self.draw()

    def file_notice(self, text: str) -> None:
        """Show a notice of a file."""
        self._view.file_notice = text
        self.draw()

    def draw(self) -> None:
        """Draw the picture; while it is drawn already, once more after that."""
        self._is_stale = True
        if self._is_drawing or not self._is_shown:
            return
        self._is_drawing = True
        try:
            while self._is_stale:
                self._is_stale = False
                self._write(_HOME + self._rendered(_LINE_END) + _REST)
        finally:
            self._is_drawing = False
        if self._suspends:
            self._suspend()

    def _rendered(self, line_end: str, below: int = 0) -> str:
        """Return the picture for the terminal as it is now, with `below` lines less."""
        from rich.console import Console

        width, height = shutil.get_terminal_size()
        text = StringIO()
        console = Console(
            file=text, highlight=False, force_terminal=True, width=width, height=height
        )
        lines = picture(self._view, width, height - below, self._encoding, self._now_ms())
        for line in lines:
            console.print(line, soft_wrap=True)
        return text.getvalue().rstrip("\n").replace("\n", line_end)

    def _write(self, text: str) -> None:
        """Write to the terminal; a failure is kept for the next observation."""
        data = memoryview(text.encode(self._encoding, "replace"))
        try:
            while data:
                data = data[os.write(sys.stdout.fileno(), data) :]
        except OSError as error:
            self._failure = error

    def _tick(self) -> None:
        meters = self._view.meters.values()
        if any(meter.failure is not None or meter.reading is None for meter in meters):
            self.draw()

    def _enter(self) -> None:
        """Enter the alternate screen."""
        self._is_shown = True
        self._write(_ENTER)
        self.draw()

    def _leave(self) -> None:
        """Leave the alternate screen."""
        if self._is_shown:
            self._is_shown = False
            self._write(_LEAVE)

    def _restore(self) -> None:
        """Give the terminal back for good, however far it was taken."""
        self._stack.close()

    def _suspend(self) -> None:
        """Give the terminal back while the program is stopped (Ctrl-Z)."""
        self._suspends = self._is_drawing
        if self._is_drawing:
            return
        self._leave()
        with _echoing(), _handling("SIGTSTP", signal.SIG_DFL):
            os.kill(os.getpid(), signal.SIGTSTP)
        self._enter()


Handler = Callable[[int, FrameType | None], Any] | signal.Handlers


@contextlib.contextmanager
def _handling(name: str, handler: Handler) -> Iterator[None]:
    """Handle a signal, where the system has it."""
    number = getattr(signal, name, None)
    if number is None:
        yield
        return
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)


@contextlib.contextmanager
def _ticking() -> Iterator[None]:
    """Raise SIGALRM each second, where the system can."""
    if not hasattr(signal, "setitimer"):
        yield
        return
    signal.setitimer(signal.ITIMER_REAL, TICK_S, TICK_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _without_echo() -> contextlib.AbstractContextManager[None]:
    """Show no typed characters."""
    return _echo(shown=False)


def _echoing() -> contextlib.AbstractContextManager[None]:
    """Show typed characters again."""
    return _echo(shown=True)


@contextlib.contextmanager
def _echo(*, shown: bool) -> Iterator[None]:
    """Set whether the terminal shows what is typed; it is as before in the end."""
    try:
        import termios

        file = sys.stdin.fileno()
        before = termios.tcgetattr(file)
    except (ImportError, AttributeError, ValueError, OSError, termios.error):
        yield
        return
    changed = [*before]
    changed[3] = before[3] | termios.ECHO if shown else before[3] & ~termios.ECHO
    termios.tcsetattr(file, termios.TCSANOW, changed)
    try:
        yield
    finally:
        with contextlib.suppress(termios.error):
            termios.tcsetattr(file, termios.TCSANOW, before)
