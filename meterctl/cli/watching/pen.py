"""Lines of a picture at a terminal, in its width and its characters. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from protocols.replacements import has, readable

if TYPE_CHECKING:
    from rich.text import Text

_FRAME, _ASCII_FRAME = (*"┌─┐│└┘",), (*"+-+|++",)
_LAMPS, _ASCII_LAMPS = ("●", "○"), ("(*)", "( )")
NAME_WIDTH = 10
"""Columns of the names before the values."""
Word = tuple[str, str]
"""A text that stays on a line where it fits one, and its style."""


@dataclass(frozen=True, slots=True)
class Section:
    """Lines that are shown together, or left out together: first those of the lowest weight."""

    weight: int
    lines: Sequence[Text]


@dataclass(frozen=True, slots=True)
class Pen:
    """Makes lines of at most `width` columns in the characters of an encoding.

    `fades`: values are old, so that they are dim.
    """

    width: int
    encoding: str
    fades: bool = False

    def line(self, *words: Word) -> Text:
        """Return a line of words; what does not fit is cut."""
        from rich.text import Text

        line = Text(no_wrap=True, overflow="crop")
        for text, style in words:
            line.append(readable(text, self.encoding), style)
        if self.fades:
            line.stylize("dim")
        line.truncate(self.width, overflow="crop")
        return line

    def pair(
        self, name: str, words: Sequence[Word], name_width: int = NAME_WIDTH, style: str = "bold"
    ) -> list[Text]:
        """Return the lines of a name and its value; words that do not fit go on below."""
        rows = list(_rows(words, max(self.width - name_width, 1)))
        return [
            self.line(((name if not number else "").ljust(name_width), style), *row)
            for number, row in enumerate(rows or [[]])
        ]

    def paragraph(self, text: str, style: str) -> list[Text]:
        """Return the lines of a text."""
        return [self.line((row, style)) for row in textwrap.wrap(text, self.width)]

    def lamp(self, name: str, is_lit: bool, style: str) -> Word:
        """Return a lamp with its name."""
        signs = _LAMPS if has(self.encoding, "".join(_LAMPS)) else _ASCII_LAMPS
        return f"{signs[0 if is_lit else 1]} {name}", f"bold {style}" if is_lit else "dim"

    def boxed(self, rows: Sequence[str], label: str, inner: int, style: str) -> list[Text]:
        """Return rows, flushed right, in a frame with a label."""
        has_frame = has(self.encoding, "".join(_FRAME))
        a, across, b, down, c, d = _FRAME if has_frame else _ASCII_FRAME
        top = f"{a}{across} {label} ".ljust(inner + 1, across) + b
        return [
            self.line((top, "")),
            *(self.line((down, ""), (row.rjust(inner), style), (down, "")) for row in rows),
            self.line((c + across * inner + d, "")),
        ]


def _rows(words: Sequence[Word], room: int) -> Iterator[list[Word]]:
    """Yield rows of words with two spaces between them, or one where all fit one row so."""
    total = sum(len(text) for text, _ in words) + len(words) - 1
    gap = " " if total <= room < total + len(words) - 1 else "  "
    row: list[Word] = []
    used = 0
    for text, style in words:
        for piece in _pieces(text, room, used + len(gap) if row else 0):
            if row and used + len(gap) + len(piece) > room:
                yield row
                row, used = [], 0
            between = gap if row else ""
            row.append((between + piece, style))
            used += len(between) + len(piece)
    if row:
        yield row


def _pieces(text: str, room: int, used: int) -> list[str]:
    """Return a text that is longer than a row in pieces, the first for the rest of its row."""
    if len(text) <= room:
        return [text]
    first, *_ = text.split(maxsplit=1)
    indent = " " * used if used + len(first) <= room else ""
    return [piece.strip() for piece in textwrap.wrap(text, room, initial_indent=indent)]


def beside(left: Sequence[Text], right: Sequence[Text], width: int) -> list[Text]:
    """Return lines side by side; the left ones take `width` columns."""
    from rich.text import Text

    joined = []
    for number in range(max(len(left), len(right))):
        line = left[number].copy() if number < len(left) else Text()
        line.pad_right(max(width - line.cell_len, 0))
        joined.append(line + right[number] if number < len(right) else line)
    return joined


def fitted(sections: Sequence[Section], height: int) -> list[Section]:
    """Return the sections that fit a height: those of the lowest weight are left out."""
    left = list(sections)
    while sum(len(section.lines) for section in left) > height and len(left) > 1:
        left.remove(min(left, key=lambda section: section.weight))
    return left
