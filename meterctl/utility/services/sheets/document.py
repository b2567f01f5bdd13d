"""A sheet as it is printed, before it is text or a page: sections of columns and rows. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from meterctl.utility.services.sheets.words import Word
from protocols.quantities import CENT, DAY, HOUR, LEDGER_DECIMALS, MINUTE, SECOND, format_money

Cell = Word | str
_SECONDS = len("2026-11-30 08:00:00")


@dataclass(frozen=True, slots=True)
class Section:
    """A table of a sheet; the first column is flushed left, the others right.

    Attributes:
        notes: lines below it.
        last_is_total: the last row is the sum of those above it.
    """

    title: Word
    columns: Sequence[Word]
    rows: Sequence[Sequence[Cell]]
    notes: Sequence[Cell] = ()
    last_is_total: bool = False


@dataclass(frozen=True, slots=True)
class Document:
    """A whole sheet.

    Attributes:
        marks: what a reader must see first, such as that it is not final.
        head: names and values below the title.
        seals: names and values above the signatures.
        signatures: who signs.
    """

    title: Word
    subject: str
    marks: Sequence[Word]
    head: Sequence[tuple[Word, Cell]]
    sections: Sequence[Section]
    seals: Sequence[tuple[Word, Cell]]
    signatures: Sequence[Word]


def money(amount: int) -> str:
    """Return an amount in 0.01 with two decimals."""
    return format_money(amount * CENT)


def exact(units: int) -> str:
    """Return exact money with all its decimals that are not 0, two at least."""
    text = format_money(units, LEDGER_DECIMALS)
    whole, _, part = text.partition(".")
    return f"{whole}.{part.rstrip('0').ljust(2, '0')}"


def instant(at_ms: int, zone: ZoneInfo) -> str:
    """Return an instant in the company's zone, such as 2026-11-30 08:00:00 +08:00."""
    text = datetime.fromtimestamp(at_ms // SECOND, UTC).astimezone(zone).isoformat(" ")
    return f"{text[:_SECONDS]} {text[_SECONDS:]}"


def age(seconds: int) -> str:
    """Return an age in its largest unit, such as 3 d, 2 h or 5 min."""
    for unit, name in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
        if seconds * SECOND >= unit:
            return f"{seconds * SECOND // unit} {name}"
    return f"{seconds} s"
