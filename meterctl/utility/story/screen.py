"""How the story is told: headings, sentences, commands as typed, tables, what was proved."""

from __future__ import annotations

import re
import signal
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from meterctl.transports.wires import monotonic_ms
from protocols.command_line.tables import Screen, Table, drawn, folded
from protocols.quantities import CENT, format_money
from protocols.replacements import readable

WIDTH = 80
"""Columns of the story, also on a wider terminal."""
_DRAWN_KEY = re.compile(r"key [0-9a-f]{16} ")
Advance = Callable[[int], None]
"""Takes how much of something long is done."""


def money(amount: int) -> str:
    """Return an amount in 0.01 with two decimals."""
    return format_money(amount * CENT)


def exact(units: int) -> str:
    """Return exact money (1e-10) cut to two decimals."""
    return format_money(units)


@dataclass
class Teller:
    """Tells the story; `held` is what was proved, `failed` what was not."""

    out: Callable[[str], None] = print
    failed: list[str] = field(default_factory=list)
    held: list[str] = field(default_factory=list)
    _has_shown_key: bool = False
    _parts: int = 0
    _began_ms: int = field(default_factory=monotonic_ms)

    def heading(self, text: str) -> None:
        """Begin a part."""
        self._parts += 1
        self.out("")
        title = f"{self._parts}  {text}"
        self.out(title)
        self.out("-" * len(title))

    def say(self, text: str) -> None:
        """Tell a sentence."""
        of_stdout = screen()
        shown = readable(text, of_stdout.encoding)
        indent = " " * (len(shown) - len(shown.lstrip()) + 2 * shown.startswith(" "))
        self.out(textwrap.fill(shown, of_stdout.width or WIDTH, subsequent_indent=indent))

    def table(
        self, columns: Sequence[str], rows: Sequence[Sequence[Any]], right: Sequence[str] = ()
    ) -> None:
        """Show a table."""
        shown = [[str(cell) for cell in row] for row in rows]
        self.out(drawn(Table(columns, shown, right), screen()))

    def typed(
        self, who: str, words: Sequence[str], printed: str, said: str, exit_code: int
    ) -> None:
        """Show a command that a person typed, what it printed, and its messages.

        A key that was drawn is shown the first time.
        """
        of_stdout = screen()
        self.out(folded(f"{who}$ meterctl desk {' '.join(words)}", of_stdout))
        for line in printed.splitlines():
            self.out(readable(line, of_stdout.encoding))
        for line in said.splitlines():
            if _DRAWN_KEY.match(line):
                if self._has_shown_key:
                    continue
                self._has_shown_key = True
            self.say(f"  {line}")
        if exit_code < 0:
            self.out(f"  killed by {signal.Signals(-exit_code).name}")
        elif exit_code:
            self.out(f"  exit code {exit_code}")

    def proved(self, what: str, holds: bool, found: str = "") -> None:
        """Tell whether something holds that has to; what was found is told where it does not."""
        if holds:
            self.held.append(what)
            self.say(f"  proved: {what}")
            return
        self.failed.append(what)
        self.say(f"  NOT PROVED: {what}{': ' if found else ''}{found}")

    def end(self) -> bool:
        """Tell what the story proved; return whether all of it holds."""
        seconds = (monotonic_ms() - self._began_ms) // 1000
        self.heading("What was proved")
        for what in self.held:
            self.say(f"  - {what}")
        if not self.failed:
            self.say(f"All {len(self.held)} proofs hold, after {seconds} s.")
            return True
        self.say(f"NOT PROVED, after {seconds} s:")
        for what in self.failed:
            self.say(f"  - {what}")
        return False

    @contextmanager
    def long(self, what: str, total: int) -> Iterator[Advance]:
        """Yield what takes how much of something long is done: a bar at a terminal."""
        if not sys.stderr.isatty():
            yield lambda _: None
            return
        columns = (TextColumn("{task.description}"), BarColumn(None), MofNCompleteColumn())
        console = Console(file=sys.stderr, highlight=False, width=WIDTH)
        with Progress(*columns, console=console, transient=True, expand=True) as bar:
            task = bar.add_task(what, total=total)
            yield lambda done: bar.update(task, completed=done)


def screen() -> Screen:
    """Return the screen of stdout, of at most `WIDTH` columns."""
    found = Screen.of_stdout()
    return Screen(min(found.width or WIDTH, WIDTH), found.encoding, found.is_terminal)
