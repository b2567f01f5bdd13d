"""An event loop in a thread of its own, for meters on real ports beside a test."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")
WITHIN_S = 60.0
"""A call that takes longer ends with a TimeoutError."""


class LoopThread:
    """A daemon thread with an event loop, on which meters and ports are used."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="meters", daemon=True)
        self._thread.start()

    def call(self, work: Callable[[], Result]) -> Result:
        """Do work on the loop's thread; return its result or raise its exception here."""
        done: concurrent.futures.Future[Result] = concurrent.futures.Future()

        def run() -> None:
            try:
                done.set_result(work())
            except BaseException as error:
                done.set_exception(error)

        self.loop.call_soon_threadsafe(run)
        return done.result(WITHIN_S)

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run a coroutine on the loop; return its result."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(WITHIN_S)

    def end(self) -> None:
        """Stop the loop and its thread."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(WITHIN_S)
        self.loop.close()
