"""Measured figures with those of a peer, and their table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import TypeVar

T = TypeVar("T")


class BenchmarkError(Exception):
    """A measured program did not start or answered wrongly; the text names it."""


@dataclass(frozen=True, slots=True)
class Reach:
    """A target: a figure, or a ratio where `unit` is "x"."""

    limit: float
    unit: str = "x"
    at_least: bool = False

    def text(self) -> str:
        """Return the target as text for the table."""
        return f"{'>=' if self.at_least else '<='} {self.limit:g} {self.unit}"

    def met(self, value: float | None) -> bool | None:
        """Return whether a value meets the target; None without a measured value."""
        if value is None:
            return None
        return value >= self.limit if self.at_least else value <= self.limit


@dataclass(frozen=True, slots=True)
class Figure:
    """One row: our figure, the peer's from the same run, and the target.

    `met` is None without a target or a peer; for an absent peer `note` has the reason.
    """

    what: str
    unit: str
    ours: float | None
    peer: float | None = None
    peer_name: str = ""
    ratio: float | None = None
    reach: str = ""
    met: bool | None = None
    note: str = ""

    def cells(self, mark: str) -> tuple[str, ...]:
        """Return the row of the table; `mark` refers to its note."""
        peer = f"{_number(self.peer)} {self.peer_name}".strip()
        met = {True: "yes", False: "NO", None: ""}[self.met]
        ratio = "-" if self.ratio is None else f"{self.ratio:.2f}"
        return (f"{self.what}, {self.unit}{mark}", _number(self.ours), peer, ratio, self.reach, met)

    def json(self) -> str:
        """Return the row as one JSON object."""
        return json.dumps(asdict(self))


Values = Sequence[float | None]


def beside(
    what: str,
    unit: str,
    ours: Values,
    peers: Values | None,
    peer_name: str,
    reach: Reach | None = None,
    note: str = "",
) -> Figure:
    """Return the figure of values measured in rounds; without a peer there is no ratio."""
    ratio = middle_ratio(ours, peers) if peers is not None else None
    met = reach.met(ratio if reach.unit == "x" else middle(ours)) if reach else None
    peer = middle(peers) if peers is not None else None
    return Figure(
        what, unit, middle(ours), peer, peer_name, ratio, reach.text() if reach else "", met, note
    )


def in_turn(several: Sequence[T], turn: int) -> Sequence[T]:
    """Return the programs of a round, in reverse order every second round."""
    return several[::-1] if turn % 2 else several


HEADINGS = ("what", "ours", "peer", "ratio", "reach", "met?")


def table(figures: Sequence[Figure]) -> str:
    """Return the figures as a table for people."""
    notes = list(dict.fromkeys(figure.note for figure in figures if figure.note))
    marks = {note: f" [{number}]" for number, note in enumerate(notes, 1)}
    rows = [HEADINGS, *(figure.cells(marks.get(figure.note, "")) for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    rows.insert(1, tuple("-" * width for width in widths))
    lines = [
        " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join(lines + [f"{mark.strip()} {note}" for note, mark in marks.items()])


def middle(values: Iterable[float | None]) -> float | None:
    """Return the median of the measured values, None where there are none."""
    known = [value for value in values if value is not None]
    return median(known) if known else None


def middle_ratio(ours: Iterable[float | None], peers: Iterable[float | None]) -> float | None:
    """Return the median of the rounds' ratios; each ratio is of values measured close in time."""
    return middle(a / b for a, b in zip(ours, peers, strict=True) if a is not None and b)


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.3g}"
