"""Bulk sales from a CSV. Every row has its own sale key, so a second run sells nothing twice.

    sale,file,amount
    2026-11-0001,cards/0011223344556677.img,30.00

`sale` is the key. A row whose key is in the journal is done, whatever its outcome is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from meterctl.errors import MeterctlError, UnknownOutcomeError, UsageError
from meterctl.journal import Entry, EntryState, Journal
from meterctl.operations.card.case import Case
from meterctl.operations.card.presented import PresentedCard
from meterctl.operations.card.sales import plan_sale
from meterctl.operations.credit import require_sale_key
from protocols.csv_text import cells, find_header, is_empty, trimmed, with_decimal_point
from protocols.errors import QuantityError
from protocols.quantities import parse_amount
from protocols.sealed_message import MessageKind

COLUMNS = ("sale", "file", "amount")
WRONG_ROWS_NAMED = 20
"""Wrong rows that an error names; the others are counted."""


@dataclass(frozen=True, slots=True)
class RequestedSale:
    """One row: sale key, card file, amount in 0.01."""

    sale: str
    file: Path
    cents: int


@dataclass(frozen=True, slots=True)
class Done:
    """The result of a row: its journal entry, or the error if it failed or its outcome is unknown.

    `before` is true for a sale that was made earlier. A rehearsal sets neither entry nor error for
    a row that would be sold.
    """

    wanted: RequestedSale
    entry: Entry | None
    error: MeterctlError | None = None
    before: bool = False


def parse_sales(text: str, folder: Path) -> list[RequestedSale]:
    """Return the rows of a CSV; card files are relative to `folder`.

    Raises:
        UsageError: a line for each wrong row, which it names.
    """
    lines = text.removeprefix("\ufeff").split("\n")
    try:
        header = find_header(lines)
    except QuantityError as error:
        raise UsageError(str(error)) from error
    if header is None or tuple(header.names) != COLUMNS:
        number = header.line if header is not None else 1
        raise UsageError(
            f"line {number}: it is {lines[number - 1]!r}; expected is {','.join(COLUMNS)!r}"
        )
    wanted: dict[str, RequestedSale] = {}
    wrong: list[str] = []
    for number, line in enumerate(lines[header.line :], header.line + 1):
        try:
            row = trimmed(cells(line, header.delimiter, number), len(COLUMNS))
            if is_empty(row):
                continue
            one = _sale(row, header.delimiter, folder)
            if one.sale in wanted:
                raise UsageError(f"sale {one.sale!r}: every row has a key of its own")
        except (UsageError, QuantityError) as error:
            named = str(error)
            wrong.append(named if named.startswith("line ") else f"line {number}: {named}")
        else:
            wanted[one.sale] = one
    if wrong:
        unnamed = len(wrong) - WRONG_ROWS_NAMED
        more = [f"{unnamed} more lines are wrong"] if unnamed > 0 else []
        raise UsageError("\n".join(wrong[:WRONG_ROWS_NAMED] + more))
    if not wanted:
        raise UsageError("there is no sale in it")
    return list(wanted.values())


def _sale(row: list[str], delimiter: str, folder: Path) -> RequestedSale:
    """Return the sale of a row; raises UsageError or QuantityError."""
    if len(row) != len(COLUMNS):
        raise UsageError(f"{len(COLUMNS)} columns are required")
    sale, file, amount = row
    cents = parse_amount(with_decimal_point(amount, delimiter))
    require_sale_key(sale)
    if not file:
        raise UsageError("file: the card's file is required")
    return RequestedSale(sale, folder / file, cents)


OpenCard = Callable[[Path], AbstractContextManager[PresentedCard]]


def sell_all(
    wanted: list[RequestedSale],
    journal: Journal,
    open_card: OpenCard,
    *,
    rehearsal: bool = False,
) -> Iterator[Done]:
    """Sell row by row. A failed row is reported and the run goes on; an interrupt ends it.

    Args:
        rehearsal: check every row and sell none.
    """
    for one in wanted:
        card_is_there = False
        try:
            with open_card(one.file) as presented:
                card_is_there = True
                case = Case.read(presented, journal, reference=one.sale)
                planned = plan_sale(case, one.cents)
                sold = None if rehearsal else planned.carry_out()
            yield Done(one, sold.entry if sold else None, before=sold is not None and sold.before)
        except MeterctlError as error:
            known = journal.find_reference(one.sale)
            if not card_is_there and known is not None and _is_made(known, one):
                yield Done(one, known, before=True)  # sold before; the customer has the card
                continue
            yield Done(one, known if isinstance(error, UnknownOutcomeError) else None, error)
            if isinstance(error.__cause__, KeyboardInterrupt):
                raise KeyboardInterrupt from error


def _is_made(known: Entry, one: RequestedSale) -> bool:
    """Return whether an entry is the sale of a row, and proved."""
    same = (known.kind, known.amount) == (MessageKind.CREDIT.word, one.cents)
    return same and known.state is EntryState.CONFIRMED
