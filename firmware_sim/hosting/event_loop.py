"""The event loop of a program: made at its begin, closed in good order at its end."""

from __future__ import annotations

import asyncio
import contextlib
import signal


def event_loop() -> asyncio.AbstractEventLoop:
    """Return uvloop's loop where it is installed."""
    with contextlib.suppress(ImportError):
        import uvloop

        return uvloop.new_event_loop()
    return asyncio.new_event_loop()


def finish(loop: asyncio.AbstractEventLoop) -> None:
    """Close a loop in good order."""
    pending = asyncio.all_tasks(loop)
    for task in pending:
        task.cancel()
    if pending:
        loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
    loop.run_until_complete(loop.shutdown_asyncgens())
    for number in (signal.SIGINT, signal.SIGTERM):
        # Everything is closed: a second signal must not change the exit code.
        signal.signal(number, signal.SIG_IGN)
    loop.close()
