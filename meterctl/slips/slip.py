"""A slip as it is printed: its head, its marks, and groups of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """A name and its value; `is_total` is printed in bold on a page."""

    name: str
    value: str
    is_total: bool = False


@dataclass(frozen=True, slots=True)
class Slip:
    """A receipt as it is printed: its head, the marks that it bears, and groups of rows."""

    tag: str
    issuer: Sequence[str]
    title: str
    marks: Sequence[str]
    groups: Sequence[Sequence[Row]]


def plain(text: str) -> str:
    """Return a text without characters that a printer would take for commands."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
