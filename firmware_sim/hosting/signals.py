"""Signals that end a program in good order.

SIGINT ends it also where it is ignored at the begin, as in a background job of a shell without job
control. SIGHUP does not where it is ignored at the begin, as under nohup.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import NoReturn


class EndedBySignalError(SystemExit):
    """A signal came while no event loop served; the stack is unwound, so everything is closed."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.number = number


def end_signals() -> tuple[signal.Signals, ...]:
    """Return the signals that end a program which serves."""
    return (signal.SIGINT, *_terminations())


def raise_at_signals() -> None:
    """From now on SIGTERM and SIGHUP raise EndedBySignalError, and SIGINT KeyboardInterrupt.

    A SIGINT or SIGHUP that is ignored stays ignored.
    """
    for number in _terminations():
        signal.signal(number, _raise)
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def interrupt_once() -> None:
    """From now on the first signal that ends a program raises KeyboardInterrupt.

    The following ones are ignored.
    """
    for number in end_signals():
        signal.signal(number, _interrupt)


@contextlib.contextmanager
def held_signals() -> Iterator[Callable[[], None]]:
    """Hold signals that end a program back until the yielded function, or the end of the block.

    An event loop that a signal interrupts while it begins to run cannot be closed.
    """
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, end_signals())

    def release() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)

    try:
        yield release
    finally:
        release()


def ignore_end_signals() -> None:
    """Ignore them from now on: a second signal must not change the exit code."""
    for number in end_signals():
        signal.signal(number, signal.SIG_IGN)


def end_by_signal(number: int) -> NoReturn:
    """End the process by a signal, as if it had not been caught, after the output was flushed."""
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    sys.exit(128 + number)  # where the signal is blocked


def _terminations() -> tuple[signal.Signals, ...]:
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        return (signal.SIGTERM,)
    return (signal.SIGTERM, signal.SIGHUP)


def _raise(number: int, _: FrameType | None) -> None:
    raise EndedBySignalError(number)


def _interrupt(_: int, __: FrameType | None) -> None:
    ignore_end_signals()
    raise KeyboardInterrupt
