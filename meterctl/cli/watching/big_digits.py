"""Numbers in seven segments, as a meter's display shows them: three rows of ASCII. Pure."""

from __future__ import annotations

ROWS = 3
_SEGMENTS = {
    "0": (" _ ", "| |", "|_|"),
    "1": ("   ", "  |", "  |"),
    "2": (" _ ", " _|", "|_ "),
    "3": (" _ ", " _|", " _|"),
    "4": ("   ", "|_|", "  |"),
    "5": (" _ ", "|_ ", " _|"),
    "6": (" _ ", "|_ ", "|_|"),
    "7": (" _ ", "  |", "  |"),
    "8": (" _ ", "|_|", "|_|"),
    "9": (" _ ", "|_|", " _|"),
    "-": ("   ", " _ ", "   "),
    ".": (" ", " ", "."),
}


def big_digits(number: str) -> list[str]:
    """Return the rows of a number of digits, a point and a minus sign."""
    return ["".join(_SEGMENTS[letter][row] for letter in number) for row in range(ROWS)]
