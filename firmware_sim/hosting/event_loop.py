"""The event loop of a program: made at its begin, closed in good order at its end."""

from __future__ import annotations

import asyncio
import contextlib
import os

from firmware_sim.hosting.errors import HostingError
from firmware_sim.hosting.signals import held_signals, ignore_end_signals

DESCRIPTORS = 10
"""Descriptors that a loop needs to be made and to run, and a few for connections."""


def event_loop() -> asyncio.AbstractEventLoop:
    """Return uvloop's loop where it is installed; raises HostingError without descriptors."""
    _fill_standard_descriptors()
    require_descriptors()
    with contextlib.suppress(ImportError):
        import uvloop

        return uvloop.new_event_loop()
    return asyncio.new_event_loop()


def _fill_standard_descriptors() -> None:
    """Open the null device where a standard stream is closed: its number is used by nothing else.

    uvloop aborts the process when it closes a descriptor below 3.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def require_descriptors() -> None:
    """Raise HostingError where too few descriptors are left: uvloop fails without a way back."""
    opened: list[int] = []
    try:
        for _ in range(DESCRIPTORS // 2):
            opened += os.pipe()
    except OSError as error:
        raise HostingError(f"{error.strerror}: raise the limit (ulimit -n)") from error
    finally:
        for each in opened:
            os.close(each)


def finish(loop: asyncio.AbstractEventLoop) -> None:
    """Close a loop in good order; signals that end the program are ignored from then on."""
    with held_signals():
        pending = asyncio.all_tasks(loop)
        for task in pending:
            task.cancel()
        loop.call_soon(loop.stop)
        loop.run_forever()  # closes aborted connections
        if pending:
            loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
        # A loop that is closed restores the default action of its signals.
        loop.close()
        ignore_end_signals()
