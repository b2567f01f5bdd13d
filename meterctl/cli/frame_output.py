"""Frames for people: a line each, or byte by byte. Used by `frames decode` and `monitor`."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from meterctl.cli.output import emit, print_table
from protocols.command_line import coloured
from protocols.command_line.tables import Screen, Table
from protocols.decoded_frames import DecodedFrame, format_microseconds
from protocols.faults import Way

_COLOURS = {Way.REQUEST: "cyan", Way.REPLY: "green", None: "yellow"}
_FAULTY = "red"
_INDENT = "    "
_COLUMNS = ("offset", "bytes", "field", "meaning")


def print_line(frame: DecodedFrame, notes: Sequence[str] = (), before: str = "") -> None:
    """Print a frame as one line, folded to the width of the output; raises OutputError.

    Args:
        notes: further words behind its own.
        before: what stands before its number, such as a time.
    """
    word = "noise" if not frame.is_frame else "unknown"
    if frame.direction is not None:
        word = frame.direction.value
    framing = frame.decoded["framing"].strip('"').upper()
    framing = "" if framing == "NULL" else f"{framing} "
    told = ", ".join((f"{framing}{frame.summary}", *notes))
    text = f"{before}{frame.decoded['number']}  {word:<7}  {told}"
    colour = _COLOURS[frame.direction] if frame.is_right else _FAULTY
    for line in _folded(text):
        emit(coloured(line, colour))


def print_bytes(frame: DecodedFrame) -> None:
    """Print a frame byte by byte, a table; raises OutputError."""
    rows = [
        (
            str(each.offset),
            frame.raw[each.offset : each.offset + each.size].hex(" "),
            each.name,
            each.meaning,
        )
        for each in frame.fields
    ]
    print_table(Table(_COLUMNS, rows, ("offset",)))


def moment_text(at_us: int) -> str:
    """Return an instant as the lines of frames show it: the time of day in UTC."""
    return format_microseconds(at_us).partition("T")[2]


def _folded(text: str) -> list[str]:
    width = Screen.of_stdout().width
    if width is None:
        return [text]
    return textwrap.wrap(text, max(width, len(_INDENT) + 8), subsequent_indent=_INDENT)
