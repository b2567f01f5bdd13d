"""A progress bar on stderr for reads that take long; nothing without a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from meterctl.cli.interruption import restoring_on_quit, show_cursor

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

LONG_S = 1.0
"""A read that has taken so long shows its progress."""


@contextmanager
def reading(
    what: str, *, shown: bool = True, clock: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[int, int], None]]:
    """Yield a function that takes how many rows were read, and of how many.

    The bar disappears at the end.

    Args:
        what: the text before the bar.
        shown: False where stderr has other lines, as with --trace.
        clock: monotonic seconds.
    """
    began_s = clock()
    bar: Progress | None = None
    task: TaskID | None = None

    def on_read(done: int, total: int) -> None:
        nonlocal bar, task
        if bar is None:
            at_terminal = sys.stderr is not None and sys.stderr.isatty()
            if not shown or not at_terminal or clock() - began_s < LONG_S:
                return
            bar = _bar()
            quits.enter_context(restoring_on_quit(show_cursor))
            bar.start()
            task = bar.add_task(what)
        assert task is not None
        bar.update(task, completed=done, total=total)

    with ExitStack() as quits:
        try:
            yield on_read
        finally:
            if bar is not None:
                bar.stop()


def _bar() -> Progress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(None),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True),
        console=Console(file=sys.stderr, highlight=False),
        transient=True,
        expand=True,
    )
