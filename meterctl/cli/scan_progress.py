"""The progress bar of a scan, on stderr at a terminal."""

from __future__ import annotations

import contextlib
import sys
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bar

from meterctl.cli.interruption import restoring_on_quit, show_cursor
from meterctl.cli.scan_settings import duration_text
from meterctl.operations.scan import Progress
from protocols.replacements import printable_lines


class ScanProgress:
    """A bar with the unit that is asked, the time left, and lines above it."""

    def __init__(self) -> None:
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[left]}"),
            console=Console(file=sys.stderr, highlight=False),
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            expand=True,
        )
        self._quits = contextlib.ExitStack()
        self._task = self._bar.add_task("scan", total=None, left="")

    def __enter__(self) -> Self:
        self._quits.enter_context(restoring_on_quit(show_cursor))
        with contextlib.suppress(OSError):  # a terminal that vanished shows no bar
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._quits, contextlib.suppress(OSError):
            self._bar.stop()

    def show(self, step: Progress) -> None:
        """Show how far the scan is."""
        with contextlib.suppress(OSError):
            self._bar.update(
                self._task,
                completed=step.asked,
                total=step.of,
                description=f"{step.setting.name} unit {step.address}",
                left=f"{duration_text(step.left_ms)} left",
            )

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        with contextlib.suppress(OSError):
            self._bar.console.print(printable_lines(text), markup=False, soft_wrap=True)
