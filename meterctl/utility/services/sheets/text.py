"""A sheet as text: 80 columns, 66 lines a page on A4 where it is not longer. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len

from meterctl.utility.services.sheets.document import Cell, Document
from meterctl.utility.services.sheets.words import SIGNED_ON, Word
from protocols.replacements import printable

WIDTH = 80
"""Columns of the text; a Chinese character has two."""
_NARROWEST = 16
"""Columns below which the first column of a table gets a line of its own."""
_BETWEEN = 2
_RULE = "-" * WIDTH


def sheet_lines(document: Document, *, chinese: bool = True) -> Iterator[str]:
    """Yield the lines of a sheet, of at most WIDTH columns.

    Args:
        chinese: the Chinese terms beside the English ones; no for an output that lacks them.
    """

    def shown(cell: Cell) -> str:
        text = cell.en if isinstance(cell, Word) and not chinese else str(cell)
        return printable(text)

    yield from _centred(f"{shown(document.title)}  {document.subject}")
    for mark in document.marks:
        yield from _centred(f"*** {shown(mark)} ***")
    yield from _pairs([(shown(name), shown(value)) for name, value in document.head])
    for section in document.sections:
        if section.rows:
            heads = [[column.en for column in section.columns]]
            heads += [[column.zh for column in section.columns]] if chinese else []
            rows = [[shown(cell) for cell in row] for row in section.rows]
            yield _RULE
            yield shown(section.title).upper()
            yield from _table([*heads, *rows], section.last_is_total)
            for note in section.notes:
                yield from (f"  {part}" for part in folded(shown(note), WIDTH - 2))
    yield _RULE
    yield from _pairs([(shown(name), shown(value)) for name, value in document.seals])
    for who in document.signatures:
        yield ""
        yield _signature(shown(who), shown(SIGNED_ON))


def _table(table: Sequence[Sequence[str]], last_is_total: bool) -> Iterator[str]:
    """Yield the lines of a table, the columns after the first flushed right."""
    widths = [max(map(cell_len, column)) for column in list(zip(*table, strict=True))[1:]]
    right = sum(widths) + _BETWEEN * len(widths)
    first = WIDTH - right
    for number, row in enumerate(table):
        if last_is_total and number == len(table) - 1:
            yield _flushed("-" * min(right, WIDTH))
        numbers = "".join(
            f"{' ' * (_BETWEEN + width - cell_len(cell))}{cell}"
            for cell, width in zip(row[1:], widths, strict=True)
        )
        if first < _NARROWEST:
            yield from folded(row[0], WIDTH)
            yield from (_flushed(part) for part in folded(numbers.strip(), WIDTH))
            continue
        *before, last = folded(row[0], first) or [""]
        yield from before
        yield (_padded(last, first) + numbers).rstrip()


def _pairs(pairs: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Yield names with their values in one column."""
    width = max((cell_len(name) for name, _ in pairs), default=0) + _BETWEEN
    for name, value in pairs:
        for number, part in enumerate(folded(value, WIDTH - width) or [""]):
            yield (_padded(name if not number else "", width) + part).rstrip()


def _signature(who: str, on: str) -> str:
    end = f"  {on} {'_' * 14}"
    return f"{who} {'_' * (WIDTH - cell_len(who) - 1 - cell_len(end))}{end}"


def _centred(text: str) -> Iterator[str]:
    for part in folded(text, WIDTH):
        yield " " * ((WIDTH - cell_len(part)) // 2) + part


def _flushed(text: str) -> str:
    return " " * (WIDTH - cell_len(text)) + text


def _padded(text: str, width: int) -> str:
    return text + " " * (width - cell_len(text))


def folded(text: str, width: int) -> list[str]:
    """Return the lines of a text, broken at blanks; a word that is too long is broken."""
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        wanted = f"{line} {word}" if line else word
        if cell_len(wanted) <= width:
            line = wanted
            continue
        if line:
            lines.append(line)
        line = word
        while cell_len(line) > width:
            end = 1
            while cell_len(line[: end + 1]) <= width:
                end += 1
            lines.append(line[:end])
            line = line[end:]
    return [*lines, line] if line else lines
