"""A receipt as text for a slip printer: 40 columns, plain characters, no colours."""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import cell_len

from meterctl.slips.slip import Row, Slip
from protocols.replacements import readable

WIDTH = 40
"""Columns of the text; a Chinese character has two."""
FEED = 4
"""Empty lines at the end, so that the last line is beyond the edge where a printer tears."""
_RULE = "-" * WIDTH


def slip_lines(slip: Slip, encoding: str) -> Iterator[str]:
    """Yield the lines of a receipt, of at most WIDTH columns, in characters of an encoding."""
    for text in slip.issuer:
        yield from _centred(text, encoding)
    for text in (slip.title, *(f"*** {mark} ***" for mark in slip.marks)):
        yield from _centred(text, encoding)
    for group in slip.groups:
        yield _RULE
        for row in group:
            yield from _row(row, encoding)
    yield _RULE
    for mark in slip.marks:
        yield from _centred(f"*** {mark} ***", encoding)


def _centred(text: str, encoding: str) -> Iterator[str]:
    for part in _folded(readable(text.strip(), encoding), WIDTH):
        yield " " * ((WIDTH - cell_len(part)) // 2) + part


def _row(row: Row, encoding: str) -> Iterator[str]:
    """Yield a name with its value flushed right, below it where the line is too short."""
    name, value = readable(row.name, encoding), readable(row.value, encoding)
    room = WIDTH - cell_len(name) - cell_len(value)
    if room >= 1:
        yield f"{name}{' ' * room}{value}"
        return
    yield from _folded(name, WIDTH)
    for part in _folded(value, WIDTH):
        yield " " * (WIDTH - cell_len(part)) + part


def _folded(text: str, width: int) -> Iterator[str]:
    """Yield the lines of a text, broken at blanks; a word that is too long is broken."""
    line = ""
    for word in text.split(" "):
        if line and cell_len(f"{line} {word}") <= width:
            line = f"{line} {word}"
            continue
        if line:
            yield line
        line = word
        while cell_len(line) > width:
            head = _head(line, width)
            yield head
            line = line[len(head) :]
    if line:
        yield line


def _head(text: str, width: int) -> str:
    """Return the longest beginning of a text that fits, of at least one character."""
    end = 1
    while end < len(text) and cell_len(text[: end + 1]) <= width:
        end += 1
    return text[:end]
