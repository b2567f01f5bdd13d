"""What a check of an invariant found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

MOST = 100
"""Violations that are listed of one invariant; all are counted."""
_ROWS = 1000
"""Rows that are held in memory at once."""


@dataclass(frozen=True, slots=True)
class Violation:
    """What breaks an invariant, as people name it, and how it does."""

    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class Checked:
    """An invariant that was looked at.

    Attributes:
        invariant: its word of UTILITY 4, such as "I1".
        holds: what is to hold, in words.
        count: rows that were looked at; `rows` says of which kind.
        broken: how many violations there are.
        violations: the first of them, at most MOST.
        noted: what breaks nothing, but should be known; empty for nothing.
    """

    invariant: str
    holds: str
    count: int
    rows: str
    broken: int
    violations: tuple[Violation, ...]
    noted: str = ""


@dataclass(slots=True)
class Tally:
    """Counts rows that are looked at, and keeps what is found."""

    count: int = 0
    broken: int = 0
    violations: list[Violation] = field(default_factory=list)

    def violation(self, subject: str, text: str) -> None:
        """Keep a violation."""
        self.broken += 1
        if len(self.violations) < MOST:
            self.violations.append(Violation(subject, text))

    def checked(self, invariant: str, holds: str, rows: str, noted: str = "") -> Checked:
        """Return what was found."""
        return Checked(
            invariant, holds, self.count, rows, self.broken, tuple(self.violations), noted
        )


def prepare(session: Session) -> None:
    """Tell PostgreSQL that queries are read to their ends, so it plans for that.

    For a cursor it plans for the first tenth otherwise: row by row, hours for a large desk.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SET LOCAL cursor_tuple_fraction = 1.0"))


def streamed(session: Session, wanted: Any) -> Iterable[Any]:
    """Return the rows of a query, a part at a time."""
    return session.execute(wanted.execution_options(yield_per=_ROWS))
