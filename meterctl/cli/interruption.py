"""Interrupts of a command: before its effect, in it, after it."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TYPE_CHECKING

from meterctl.errors import UnknownOutcomeError

if TYPE_CHECKING:
    from meterctl.journal import Entry, Journal


class EarlyInterruptError(KeyboardInterrupt):
    """A command was interrupted before anything was sealed."""

    def __init__(self, text: str, serial_number: str | None) -> None:
        super().__init__(text)
        self.serial_number = serial_number


def interrupts() -> list[signal.Signals]:
    """Return the signals that interrupt a command; a hang-up that is ignored (nohup) stays so."""
    found = [signal.SIGINT, signal.SIGTERM]
    hang_up = getattr(signal, "SIGHUP", None)
    if hang_up is not None and signal.getsignal(hang_up) is not signal.SIG_IGN:
        found.append(hang_up)
    return found


@contextlib.contextmanager
def stopped_by_interrupts(stop: Callable[[], object]) -> Iterator[None]:
    """Let the signals that interrupt a command call a function, which ends what the block does."""

    def handle(_: int, __: FrameType | None) -> None:
        stop()

    before = {number: signal.signal(number, handle) for number in interrupts()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def restoring_on_quit(restore: Callable[[], object]) -> Iterator[None]:
    """Run a block that changes the terminal; SIGQUIT (Ctrl-\\) in it restores it, and then kills.

    An ignored SIGQUIT stays ignored.
    """
    number = getattr(signal, "SIGQUIT", None)
    if number is None or signal.getsignal(number) is not signal.SIG_DFL:
        yield
        return

    def quit_(_: int, __: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        with contextlib.suppress(Exception):  # it dies whatever the terminal says
            restore()
        os.kill(os.getpid(), number)

    signal.signal(number, quit_)
    try:
        yield
    finally:
        signal.signal(number, signal.SIG_DFL)


def show_cursor() -> None:
    """Clear the line of a progress bar on stderr and show the cursor, past its locks."""
    if sys.stderr is not None:
        os.write(sys.stderr.fileno(), b"\r\x1b[2K\x1b[?25h")


def settings_of_terminal() -> Callable[[], None]:
    """Return what sets the terminal of stdin as it is now; nothing where it is none."""
    try:
        import termios

        file = sys.stdin.fileno()
        before = termios.tcgetattr(file)
    except (ImportError, AttributeError, ValueError, OSError, termios.error):
        return lambda: None
    return lambda: termios.tcsetattr(file, termios.TCSANOW, before)


@contextlib.contextmanager
def carrying_out(
    what: str,
    journal: Journal | None = None,
    *,
    meter: str | None = None,
    begun: bool = False,
    looks: str = "meterctl journal list --open shows open entries",
) -> Iterator[None]:
    """Run the effect of a command; an interrupt in it is an unknown outcome.

    Interrupts after it are ignored, so that the result is reported.

    Args:
        journal: the journal whose number every message of the command bears: as long as none was
            made, an interrupt is one before any effect.
        meter: the serial number of the meter that it is about.
        begun: whether the command goes on with messages that were made before.
        looks: what shows whether it was done, where no journal entry does.

    Raises:
        EarlyInterruptError: the user interrupted it before anything was sealed.
        UnknownOutcomeError: the user interrupted it later.
    """
    try:
        yield
        for number in interrupts():  # a further one must not suppress the report of the result
            signal.signal(number, signal.SIG_IGN)
    except KeyboardInterrupt as error:
        if journal is not None and not begun and not journal.numbers.has_drawn:
            raise EarlyInterruptError(
                f"{what}: interrupted; nothing was sealed, nothing was sent", meter
            ) from error
        entry = _open_entry(journal, meter)
        if entry is not None:
            looks = f"journal entry {entry.id} stays open: meterctl journal resolve {entry.id}"
        raise UnknownOutcomeError(
            f"{what}: interrupted; it may have been done or not: {looks}",
            serial_number=meter,
            entry=None if entry is None else entry.id,
        ) from error


def _open_entry(journal: Journal | None, meter: str | None) -> Entry | None:
    """Return the newest open entry of a meter."""
    found = [] if journal is None or meter is None else journal.open_entries(meter)
    return max(found, key=lambda entry: entry.id, default=None)
