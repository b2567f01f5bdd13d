"""Frames for people: a line each, or byte by byte. Used by `frames decode` and `monitor`."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import replace

from meterctl.cli.output import emit, say
from protocols.command_line import coloured
from protocols.command_line.tables import Screen, Table, drawn
from protocols.decoded_frames import DecodedFrame, format_microseconds
from protocols.faults import Way

_COLOURS = {Way.REQUEST: "cyan", Way.REPLY: "green", None: "yellow"}
_FAULTY = "red"
_INDENT = "    "
_WIDTH = 100
"""Width of the table of bytes where the output has none: long fields go on in further lines."""
_MOST_EQUAL = 8
"""Equal bytes that are written out."""
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


class Notices:
    """Says on stderr, once each, what frames tell about the line."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def take(self, frame: DecodedFrame) -> None:
        """Say the notice of a frame, if it has a new one."""
        if frame.notice and frame.notice not in self._said:
            self._said.add(frame.notice)
            say(frame.notice)


def print_bytes(frame: DecodedFrame) -> None:
    """Print a frame byte by byte, a table; raises OutputError."""
    rows = [
        (
            str(each.offset),
            _bytes_text(frame.raw[each.offset : each.offset + each.size]),
            each.name,
            each.meaning,
        )
        for each in frame.fields
    ]
    screen = Screen.of_stdout()
    wide_enough = screen if screen.width is not None else replace(screen, width=_WIDTH)
    emit(drawn(Table(_COLUMNS, rows, ("offset",)), wide_enough))


def _bytes_text(data: bytes) -> str:
    """Return bytes in hexadecimal; of many equal ones their number."""
    if len(data) > _MOST_EQUAL and len(set(data)) == 1:
        return f"{len(data)} x {data[0]:02x}"
    return data.hex(" ")


def moment_text(at_us: int) -> str:
    """Return an instant as the lines of frames show it: the time of day in UTC."""
    return format_microseconds(at_us).partition("T")[2]


def _folded(text: str) -> list[str]:
    width = Screen.of_stdout().width
    if width is None:
        return [text]
    return textwrap.wrap(text, max(width, len(_INDENT) + 8), subsequent_indent=_INDENT)
