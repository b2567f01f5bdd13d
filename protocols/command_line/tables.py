"""Tables for people, in the width, the characters and the colours of their output.

A table that is too wide folds its columns of words; where that is not enough, each row becomes
lines of names and values. A number is never cut. Without a terminal and without COLUMNS there is
no width, so that a script finds each row in one line.
"""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from itertools import chain
from typing import TYPE_CHECKING, Literal

from protocols.replacements import has, readable

if TYPE_CHECKING:
    from rich.text import Text

_BOX = "┏━┳┓┃┡╇┩│└─┴┘"
_EDGE, _BETWEEN = 4, 3
"""Characters of the frame beside the first and the last column, and between two columns."""
_COLOURED = ("state", "outcome", "result", "supply_state")
"""Columns and fields that have a colour at a terminal."""
_COLOURS = {
    **dict.fromkeys(("connected", "confirmed", "accepted", "done", "sold"), "green"),
    **dict.fromkeys(("disconnected", "refused", "failed"), "red"),
    **dict.fromkeys(("ready_for_reconnection", "prepared", "on_card", "unknown"), "yellow"),
}


@dataclass(frozen=True, slots=True)
class Table:
    """A table for people, in place of JSON Lines; the `right` columns are flushed right."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    right: Sequence[str] = ()
    title: str = ""


@dataclass(frozen=True, slots=True)
class Screen:
    """An output for people; `width` is in characters, None for none."""

    width: int | None
    encoding: str
    is_terminal: bool

    @classmethod
    def of_stdout(cls) -> Screen:
        """Return the screen of stdout: COLUMNS, else the width of the terminal."""
        out = sys.stdout
        is_terminal = out is not None and out.isatty()
        named = os.environ.get("COLUMNS", "")
        width = int(named) if named.isascii() and named.isdigit() else 0
        if not width and is_terminal:
            width = shutil.get_terminal_size().columns
        return cls(width or None, getattr(out, "encoding", None) or "utf-8", is_terminal)


def drawn(table: Table, screen: Screen) -> str:
    """Return a table as text for a screen, without a line break at its end."""
    shown = _in_encoding(table, screen.encoding)
    widths = fitted(shown, screen.width)
    if widths is None:
        return stacked(table, screen)
    return _framed(shown, widths, screen)


def stacked(table: Table, screen: Screen) -> str:
    """Return a table as lines of a name and a value, without a line break at its end."""
    shown = _in_encoding(table, screen.encoding)
    return "\n".join(_rendered(line, screen, None) for line in _stacked(shown, screen.width))


def folded(text: str, screen: Screen) -> str:
    """Return a line of words for a screen; what does not fit goes on below, shifted by two."""
    shown = readable(text, screen.encoding)
    if screen.width is None or len(shown) <= screen.width:
        return shown
    return "\n".join(
        textwrap.wrap(shown, screen.width, subsequent_indent="  ", break_on_hyphens=False)
    )


def fitted(table: Table, width: int | None) -> list[int] | None:
    """Return the widths of the columns so that a table fits; None if it cannot."""
    from rich.cells import cell_len

    columns = list(zip(table.columns, *table.rows, strict=True))
    wanted = [max(map(cell_len, cells)) for cells in columns]
    if width is None:
        return wanted
    room = width - _EDGE - _BETWEEN * (len(columns) - 1)
    least = [
        whole if cells[0] in table.right else max(cell_len(w) for c in cells for w in _words(c))
        for cells, whole in zip(columns, wanted, strict=True)
    ]
    if sum(least) > room:
        return None
    given = list(least)
    for _ in range(min(room, sum(wanted)) - sum(least)):
        narrowest = min(
            (i for i, whole in enumerate(wanted) if given[i] < whole), key=given.__getitem__
        )
        given[narrowest] += 1
    return given


def _words(cell: str) -> Sequence[str]:
    return cell.split() or ("",)


def _in_encoding(table: Table, encoding: str) -> Table:
    """Return a table in characters of the encoding, a line each cell."""
    rows = [[readable(cell.replace("\n", " "), encoding) for cell in row] for row in table.rows]
    return Table(table.columns, rows, table.right, table.title)


def _framed(table: Table, widths: Sequence[int], screen: Screen) -> str:
    from rich import box
    from rich import table as rich_table

    drawing = rich_table.Table(
        title=table.title or None,
        title_justify="left",
        header_style="bold",
        box=box.HEAVY_HEAD if has(screen.encoding, _BOX) else box.ASCII2,
        safe_box=False,
    )
    for column, width in zip(table.columns, widths, strict=True):
        justify: Literal["left", "right"] = "right" if column in table.right else "left"
        drawing.add_column(column, justify=justify, width=width, overflow="fold")
    for row in table.rows:
        drawing.add_row(*(_coloured(table, row, number) for number in range(len(row))))
    return _rendered(drawing, screen, sum(widths) + _BETWEEN * len(widths) + 1)


def _stacked(table: Table, width: int | None) -> Iterator[Text]:
    """Return the lines of a table whose rows are written one below the other."""
    from rich.text import Text

    if table.title:
        yield Text(table.title, "italic")
    if len(table.columns) == 2:
        longest = max((len(row[0]) for row in table.rows), default=0)
        for row in table.rows:
            yield from _pair(row[0].ljust(longest), _coloured(table, row, 1), width)
        return
    groups = _groups(table, width or sys.maxsize)
    for number, row in enumerate(table.rows):
        if number:
            yield Text("")
        for group in groups:
            if len(group) == 1:
                ((place, _),) = group
                yield from _pair(table.columns[place], _coloured(table, row, place), width)
            else:
                yield _pairs(table, row, group)


def _groups(table: Table, width: int) -> list[list[tuple[int, int]]]:
    """Return the columns that share a line, each with the length of its longest value."""
    groups: list[list[tuple[int, int]]] = []
    room = 0
    for place, cells in enumerate(zip(table.columns, *table.rows, strict=True)):
        longest = max(map(len, cells[1:]), default=0)
        wanted = len(cells[0]) + 2 + longest
        if not groups or wanted + _BETWEEN > room:
            groups.append([])
            room = width + _BETWEEN
        groups[-1].append((place, longest))
        room -= wanted + _BETWEEN
    return groups


def _pairs(table: Table, row: Sequence[str], group: Sequence[tuple[int, int]]) -> Text:
    """Return a line of names and values; those of the rows below stand under it."""
    from rich.text import Text

    line = Text()
    for place, longest in group:
        is_right = table.columns[place] in table.right
        cell = row[place].rjust(longest) if is_right else row[place].ljust(longest)
        style = _coloured(table, row, place).style
        between = " " * _BETWEEN if line.plain else ""
        line.append_text(
            Text.assemble(between, (table.columns[place], "bold"), "  ", (cell, style))
        )
    line.rstrip()
    return line


def _pair(name: str, value: Text, width: int | None) -> Iterator[Text]:
    """Return the lines of a name and its value; a word is never broken."""
    from rich.cells import cell_len
    from rich.text import Text

    room = (width or sys.maxsize) - len(name) - 2
    first, indent = f"{name}  ", " " * (len(name) + 2)
    if any(cell_len(word) > room for word in _words(value.plain)):
        yield Text(name.rstrip(), "bold")
        first, indent, room = "  ", "  ", max((width or sys.maxsize) - 2, 1)
    folded = textwrap.wrap(value.plain, room, break_long_words=False, break_on_hyphens=False)
    for number, part in enumerate(folded or [""]):
        before = indent if number else first
        line = Text.assemble((before, "bold"), (part, value.style))
        line.rstrip()
        yield line


def _coloured(table: Table, row: Sequence[str], place: int) -> Text:
    """Return a cell in the colour of its state."""
    from rich.text import Text

    field = row[0] if len(table.columns) == 2 else table.columns[place]
    style = _COLOURS.get(row[place], "") if field in _COLOURED else ""
    return Text(row[place], style)


def _rendered(what: object, screen: Screen, width: int | None) -> str:
    """Return text of rich; colours at a terminal only, as NO_COLOR and TERM allow."""
    from rich.console import Console

    text = StringIO()
    console = Console(
        file=text,
        highlight=False,
        force_terminal=screen.is_terminal,
        width=width or 2**16,
        height=25,  # a dumb terminal is 80 wide for rich unless both are given
    )
    console.print(what, soft_wrap=width is None, end="")
    return text.getvalue().rstrip("\n")


def streamed(table: Table, more: Iterable[Sequence[str]], screen: Screen) -> Iterator[str]:
    """Return the lines of a long table as its rows come, in aligned columns without a frame.

    Args:
        table: the heading and the first rows, from which the widths are taken.
        more: the rows after them.
    """
    first = _in_encoding(table, screen.encoding)
    columns = list(zip(first.columns, *first.rows, strict=True))
    widths = [max(map(len, cells)) for cells in columns]
    if screen.width is not None and sum(widths) + 2 * (len(widths) - 1) > screen.width:
        for number, row in enumerate(chain(first.rows, more)):
            if number:
                yield ""
            one = _in_encoding(Table(table.columns, [row], table.right), screen.encoding)
            for text in _stacked(one, screen.width):
                yield text.plain
        return
    for row in chain((first.columns,), first.rows, more):
        cells = [
            cell.rjust(width) if name in table.right else cell.ljust(width)
            for cell, width, name in zip(row, widths, table.columns, strict=True)
        ]
        yield readable("  ".join(cells), screen.encoding).rstrip()
