"""The lines of a bank's file as values: every mistake is told with its line, or the file is read.

A file is booked whole or not at all. Its bytes are text in the encoding that the bank's description
names; its header is the first line with all headings, so that a bank may write its name above it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from meterctl.utility.errors import Invalid
from meterctl.utility.rules.bank_description import (
    COLUMNS,
    OUTCOME,
    AmountFormat,
    BankDescription,
    BankFileKind,
    KindDescription,
    directives,
)
from meterctl.utility.rules.csv_rows import Mistakes
from protocols.csv_text import cells, records, trimmed
from protocols.errors import QuantityError
from protocols.quantities import CENT, format_money, parse_fixed

MOST_LINES = 20_000
"""Lines of a file: they are booked in one transaction, for which sales wait on SQLite."""
LARGEST_LINE = 10**13
"""Largest amount of a line, 0.01: sums of a year fit in 64 bits."""
LARGEST_OF_CUSTOMER = 10**11
"""Largest amount that one customer pays, 0.01."""
LONGEST_CELL = 64
"""Signs of a reference or a party."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class BankRow:
    """A line of a file.

    Attributes:
        line: its number in the file, from 1.
        reference: the bank's, used once in the bank's files of the kind.
        party: whose it is, as the bank names it; it may be empty.
        amount: 0.01; of a statement what went out is below 0; of a debit that bounced 0.
        paid_at: ms since 1970 UTC; where the file has no time, the beginning of `paid_on`.
        is_fee: a fee of the bank, in a statement.
        why_bounced: of `returns`: what the bank says of a debit that it could not make.
    """

    line: int
    reference: str
    party: str
    amount: int
    paid_at: int
    paid_on: date
    is_fee: bool = False
    why_bounced: str = ""


def read_bank_file(
    data: bytes, bank: BankDescription, kind: BankFileKind, zone: ZoneInfo, today: date
) -> list[BankRow]:
    """Return the lines of a file of a kind.

    Args:
        today: no line is later.

    Raises:
        Invalid: the bank sends no such files (`bank_file_kind`); or a line for each mistake
            (`csv`). Nothing was booked.
    """
    described = bank.kinds.get(kind)
    if described is None:
        sent = ", ".join(bank.kinds)
        raise Invalid(
            "bank_file_kind",
            f"{bank.code} sends no files of kind {kind}, only {sent}; nothing was booked",
        )
    text = _decoded(data, bank.encoding)
    mistakes, rows = Mistakes(), []
    reading = _Reading(bank, kind, described, zone, today)
    seen: dict[str, int] = {}
    for line, named in _named_cells(text, bank.delimiter, described, mistakes):
        try:
            row = reading.row(line, named)
        except _MistakesOfLine as found:
            for each in found.texts:
                mistakes.add(line, each)
            continue
        if row.reference in seen:
            first = seen[row.reference]
            mistakes.add(line, f"reference {row.reference} stands in line {first} already")
            continue
        seen[row.reference] = line
        rows.append(row)
    mistakes.refuse_any()
    if not rows:
        raise Invalid("csv", "there is no line below the headings; nothing was booked")
    return rows


def written_debits(rows: Iterable[tuple[str, str, int, date]], bank: BankDescription) -> bytes:
    """Return the file of debits that a bank is asked for, in its encoding.

    Args:
        rows: reference, number of the mandate, amount (0.01), due date.
    """
    table = [
        COLUMNS,
        *(
            (reference, party, shown_amount(amount, bank.amounts), due_on.isoformat())
            for reference, party, amount, due_on in rows
        ),
    ]
    lines = (bank.delimiter.join(_quoted(cell, bank.delimiter) for cell in row) for row in table)
    return "".join(f"{line}\r\n" for line in lines).encode(bank.encoding.removesuffix("-sig"))


def _quoted(cell: str, delimiter: str) -> str:
    """Return a cell of one line as CSV has it."""
    if delimiter not in cell and '"' not in cell:
        return cell
    return '"' + cell.replace('"', '""') + '"'


def shown_amount(amount: int, form: AmountFormat) -> str:
    """Return an amount (0.01) as a bank writes it, without separators of thousands."""
    return str(amount) if form is AmountFormat.FEN else format_money(amount * CENT)


class _MistakesOfLine(Exception):
    """The mistakes of one line."""

    def __init__(self, texts: Sequence[str]) -> None:
        super().__init__("; ".join(texts))
        self.texts = texts


@dataclass(frozen=True, slots=True)
class _Reading:
    """How the cells of a line are read."""

    bank: BankDescription
    kind: BankFileKind
    described: KindDescription
    zone: ZoneInfo
    today: date

    def row(self, line: int, named: Mapping[str, str]) -> BankRow:
        """Return a line; raises _MistakesOfLine."""
        texts: list[str] = []
        reference, party = named["reference"], named["party"]
        if not reference:
            texts.append("there is no reference")
        for name in ("reference", "party"):
            if len(named[name]) > LONGEST_CELL or not named[name].isprintable():
                texts.append(f"{name} {named[name]!r}: at most {LONGEST_CELL} signs of one line")
        amount, why_bounced = 0, ""
        try:
            amount, why_bounced = self._amount(named)
        except QuantityError as error:
            texts.append(str(error))
        moment = None
        try:
            moment = self._moment(named["paid_at"])
        except QuantityError as error:
            texts.append(str(error))
        if texts or moment is None:
            raise _MistakesOfLine(texts)
        is_fee = party in self.described.fees
        if is_fee and amount > 0:
            raise _MistakesOfLine([f"a fee goes out: its amount is below 0, not {named['amount']}"])
        instant = (moment.astimezone(UTC) - _EPOCH) // timedelta(milliseconds=1)
        return BankRow(line, reference, party, amount, instant, moment.date(), is_fee, why_bounced)

    def _amount(self, named: Mapping[str, str]) -> tuple[int, str]:
        """Return the amount of a line, and why a debit bounced; raises QuantityError."""
        amount = _parsed_amount(named["amount"], self.bank.amounts)
        outcome = named.get(OUTCOME)
        least, most = 1, LARGEST_OF_CUSTOMER
        match self.kind:
            case BankFileKind.STATEMENT:
                least, most = -LARGEST_LINE, LARGEST_LINE
                if amount == 0:
                    raise QuantityError("amount 0.00: nothing came in or went out")
            case BankFileKind.RETURNS if outcome is None:
                least = 0
            case _:
                pass
        if not least <= amount <= most:
            raise QuantityError(
                f"amount {named['amount']}: allowed is {_money(least)} to {_money(most)}"
            )
        if self.kind is not BankFileKind.RETURNS:
            return amount, ""
        if outcome is not None:
            if not outcome:
                raise QuantityError("there is no outcome")
            return (amount, "") if outcome in self.described.paid_words else (0, outcome)
        return amount, "" if amount else "not paid"

    def _moment(self, text: str) -> datetime:
        """Return a date and time of the zone; raises QuantityError."""
        for form in self.bank.moments:
            try:
                found = datetime.strptime(text, directives(form)).replace(tzinfo=self.zone)
            except ValueError:
                continue
            if not text.isascii():
                break
            if found.date() > self.today:
                raise QuantityError(f"paid_at {text}: it is later than today, {self.today}")
            return found
        forms = " or ".join(self.bank.moments)
        raise QuantityError(f"paid_at {text!r}: the bank's description says {forms}")


def _decoded(data: bytes, encoding: str) -> str:
    """Return the text of a file; raises Invalid, which names the line."""
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        name = {"utf-8-sig": "UTF-8", "gb18030": "GB18030"}[encoding]
        raise Invalid(
            "csv",
            f"line {line}: it is not {name} text, which the bank's description says; nothing was "
            "booked",
        ) from error
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def _named_cells(
    text: str, delimiter: str, described: KindDescription, mistakes: Mistakes
) -> Iterable[tuple[int, Mapping[str, str]]]:
    """Yield each line below the headings: its number, and its cells by the desk's columns.

    Raises:
        Invalid: there are no headings, a quotation mark is not closed, or there are too many lines.
    """
    lines = text.split("\n")
    header = _header(lines, delimiter, described)
    places = {name: header[1].index(column) for name, column in described.columns.items()}
    width, most = len(header[1]), MOST_LINES
    below = [""] * header[0] + lines[header[0] :]
    try:
        for number, row in records(below, delimiter):
            found = trimmed(row, width)
            if len(found) != width:
                mistakes.add(number, f"it has {len(found)} cells, and there are {width} headings")
                continue
            most -= 1
            if most < 0:
                raise Invalid(
                    "csv",
                    f"there are more than {MOST_LINES} lines: cut the file; nothing was booked",
                )
            yield number, {name: found[place].strip() for name, place in places.items()}
    except QuantityError as error:
        raise Invalid("csv", f"{error}; nothing was booked") from error


def _header(
    lines: Sequence[str], delimiter: str, described: KindDescription
) -> tuple[int, list[str]]:
    """Return the number of the line of headings, and the headings; raises Invalid."""
    wanted = set(described.columns.values())
    for number, line in enumerate(lines, 1):
        try:
            names = [name.strip() for name in trimmed(cells(line, delimiter, number))]
        except QuantityError:
            continue  # a line above the headings
        if wanted <= set(names):
            twice = [name for name in wanted if names.count(name) > 1]
            if twice:
                raise Invalid(
                    "csv",
                    f"line {number}: heading {twice[0]} stands there twice; nothing was booked",
                )
            return number, names
    raise Invalid(
        "csv",
        f"no line has the headings {', '.join(described.columns.values())}; nothing was booked",
    )


def _parsed_amount(text: str, form: AmountFormat) -> int:
    """Return an amount in 0.01; raises QuantityError."""
    match form:
        case AmountFormat.POINT:
            return parse_fixed(text, 2, "an amount")
        case AmountFormat.GROUPED:
            whole, point, part = text.partition(".")
            first, *groups = whole.split(",")
            if any(len(group) != 3 for group in groups) or "," in part or not first:
                raise QuantityError(f"{text!r} is not an amount such as {form.value}")
            return parse_fixed(f"{first}{''.join(groups)}{point}{part}", 2, "an amount")
        case AmountFormat.FEN:
            return parse_fixed(text, 0, "an amount in fen")


def _money(amount: int) -> str:
    return format_money(amount * CENT)
