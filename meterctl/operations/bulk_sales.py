"""Selling in bulk: a CSV of sales, each under a key of its own, so that a second run sells nothing twice.

    sale,file,amount
    2026-11-0001,cards/0011223344556677.img,30.00

`sale` is the key; a sale whose key is in the journal is done, whatever became of it later.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from meterctl.errors import MeterctlError, UsageError
from meterctl.journal import Entry, Journal
from meterctl.operations.card_counter import Counter
from meterctl.operations.card_sales import sell, sold_before
from protocols.errors import QuantityError
from protocols.quantities import CENT, parse_money

COLUMNS = ("sale", "file", "amount")
MAX_CENTS = 99_999_999


@dataclass(frozen=True, slots=True)
class Wanted:
    """One row: its key, the card's file, the amount in 0.01."""

    sale: str
    file: Path
    cents: int


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a row: its entry, or why it was not sold; `before` says that it was sold already."""

    wanted: Wanted
    entry: Entry | None
    error: MeterctlError | None = None
    before: bool = False


def parse_sales(text: str, folder: Path) -> list[Wanted]:
    """Return the rows of a CSV; files are sought from its folder. Raises UsageError, which names the line."""
    rows = csv.DictReader(io.StringIO(text))
    if tuple(rows.fieldnames or ()) != COLUMNS:
        raise UsageError(f"line 1: the columns are {','.join(COLUMNS)}; nothing was sold")
    wanted: list[Wanted] = []
    for number, row in enumerate(rows, 2):
        try:
            if None in row or None in row.values():
                raise UsageError(f"{len(COLUMNS)} columns are wanted")
            cents = parse_money(row["amount"]) // CENT
            if not 0 < cents <= MAX_CENTS:
                raise UsageError(f"amount {row['amount']}: allowed is 0.01 to 999999.99")
            if not row["sale"] or any(one.sale == row["sale"] for one in wanted):
                raise UsageError(f"sale {row['sale']!r}: every row has a key of its own")
            if not row["file"]:
                raise UsageError("file: the card's file is wanted")
        except (UsageError, QuantityError) as error:
            raise UsageError(f"line {number}: {error}; nothing was sold") from error
        wanted.append(Wanted(row["sale"], folder / row["file"], cents))
    return wanted


OpenCounter = Callable[[Path], AbstractContextManager[Counter]]


def sell_all(wanted: list[Wanted], journal: Journal, open_counter: OpenCounter) -> Iterator[Done]:
    """Sell row by row; a row that fails is told, and the next is sold all the same; an interrupt ends it."""
    for one in wanted:
        try:
            sold = sold_before(journal, one.sale, one.cents)
            if sold is None:
                with open_counter(one.file) as counter:
                    sold = sell(counter, journal, one.cents, reference=one.sale)
            yield Done(one, sold.entry, before=sold.before)
        except MeterctlError as error:
            yield Done(one, None, error)
            if isinstance(error.__cause__, KeyboardInterrupt):
                raise KeyboardInterrupt from error
