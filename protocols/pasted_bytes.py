"""Bytes as people paste them: hexadecimal of any spelling, traces, dumps. Pure.

    01 03 00 00 · 0x01,0x03 · 01:03 · \\x01\\x03 · 0103…     digits in pairs
    -> 01 03 …  ·  <- 01 03 …  ·  TX: …  ·  RX: …            traces that say who sent the bytes
    [01][03]…   ·  <01><03>…                                  libmodbus and its tools (mbpoll -v)
    00000000  01 03 …   ·   unsigned char frame[] = { 0x01, …  dumps and arrays: `pasted_dumps.py`
    :010300000002FA                                           a frame of Modbus ASCII

Where lines are marked as a trace, lines without a mark are other output, and skipped. A # begins a
comment.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from string import hexdigits
from typing import NamedTuple

from protocols.errors import QuantityError
from protocols.faults import Way
from protocols.pasted_dumps import Packets, parse_arrays, parse_dump, shown

_HEX = "0-9A-Fa-f"
_MARK = re.compile(
    r"(?P<before>.*?)(?P<mark>-+>|<-+|=+>|<=+|>>|<<|<\?|\b(?:tx|rx|sent|send|recv|received)\b:?)\s*"
    rf"(?P<data>[{_HEX}].*)",
    re.IGNORECASE,
)
_SENT = ("-", "=", ">", "t", "s")
"""First characters of the marks of what the host sent."""
_NO_REPLY = "<?"
_GOES_ON = " \t\\"
"""What ends a line of a text of C that goes on in the next."""
_BRACKETS = re.compile(rf"(?:\[(?:0x)?[{_HEX}]{{2}}\]|<(?:0x)?[{_HEX}]{{2}}>)+")
_BRACKETED = re.compile(rf"[\[<](?:0x)?([{_HEX}]{{2}})[\]>]", re.IGNORECASE)
_ASCII_FRAME = re.compile(rf":(?:[{_HEX}]{{2}})+")
_WORD = re.compile(r"[^\s,;:\-_{}()\[\]<>\"']+")
_LITERAL = re.compile(r"\bb(?=['\"])")
"""The b before the bytes of Python."""
_ESCAPED = re.compile(r"\\x", re.IGNORECASE)
_BASE = re.compile(r"^0x|h$", re.IGNORECASE)


class PastedBytes(NamedTuple):
    """Bytes of one line of text, behind which a frame may end, or a packet of a dump.

    `way` is their direction where the line says it. Nothing in a packet goes on in the next one.
    """

    data: bytes
    way: Way | None = None
    is_packet: bool = False


class Pasted(NamedTuple):
    """The bytes of a text, and the number of lines that were skipped as other output."""

    parts: Sequence[PastedBytes]
    skipped: int = 0


def parse_pasted(text: str) -> Pasted:
    """Return the bytes of a text, in order.

    Raises:
        QuantityError: text that is not hexadecimal; it names line and column.
    """
    found = parse_arrays(text, _is_bytes)
    if found is not None:
        return _of_packets(found)
    lines = [(number, _without_comment(line)) for number, line in enumerate(text.split("\n"), 1)]
    lines = [(number, line) for number, line in lines if line.strip()]
    found = parse_dump(lines, _is_bytes)
    if found is not None:
        return _of_packets(found)
    traced = [_traced(number, line) for number, line in lines]
    if any(part is not None for part in traced):
        found_parts = zip((line for _, line in lines), traced, strict=True)
        return Pasted([*_with_echoes(found_parts)], sum(part is None for part in traced))
    return Pasted([_plain(number, line) for number, line in lines])


def _with_echoes(traced: Iterable[tuple[str, PastedBytes | None]]) -> Iterator[PastedBytes]:
    """Yield the parts of a trace; what was received and is no reply may be the request itself."""
    sent = b""
    for line, part in traced:
        if part is None:
            continue
        if part.way is Way.REQUEST:
            sent = part.data
        is_echo = _NO_REPLY in line and part.data == sent
        yield part._replace(way=Way.REQUEST) if is_echo else part


def _of_packets(found: Packets) -> Pasted:
    if found.ways:
        return Pasted([*map(PastedBytes, found.packets, found.ways)], found.skipped)
    parts = [PastedBytes(packet, is_packet=True) for packet in found.packets]
    return Pasted(parts, found.skipped)


def _is_bytes(line: str) -> bool:
    """Return whether a line is bytes in some spelling."""
    try:
        part = _traced(0, line) or _plain(0, line)
    except QuantityError:
        return False
    return bool(part.data)


def _without_comment(line: str) -> str:
    return line.partition("#")[0].rstrip()


def _plain(number: int, line: str) -> PastedBytes:
    found = _ASCII_FRAME.fullmatch(line.strip())
    if found is not None:
        return PastedBytes(found[0].encode("ascii") + b"\r\n")
    return PastedBytes(_bytes_of(line.rstrip(_GOES_ON), number, 0))


def _traced(number: int, line: str) -> PastedBytes | None:
    """Return the bytes of a line of a trace; None for a line without a mark.

    Raises:
        QuantityError: a line that begins with a mark and goes on with something else.
    """
    brackets = _BRACKETS.search(line)
    if brackets is not None and "".join(line.split()) == "".join(brackets[0].split()):
        return PastedBytes(bytes.fromhex("".join(_BRACKETED.findall(line))))
    found = _MARK.fullmatch(line)
    if found is None:
        return None
    way = Way.REQUEST if found["mark"][0].lower() in _SENT else Way.REPLY
    try:
        return PastedBytes(_bytes_of(found["data"], number, found.start("data")), way)
    except QuantityError:
        if found["before"].strip():
            return None
        raise


def _bytes_of(text: str, line: int, column: int) -> bytes:
    """Return the bytes of hexadecimal words; raises QuantityError."""
    out = bytearray()
    for found in _WORD.finditer(_LITERAL.sub(" ", text)):
        for word in _ESCAPED.split(found[0]) if found[0].startswith("\\x") else (found[0],):
            digits = _BASE.sub("", word)
            is_hexadecimal = all(letter in hexdigits for letter in digits)
            if not is_hexadecimal or (len(digits) % 2 and len(digits) > 1):
                wrong = "has an odd number of digits" if is_hexadecimal else "is not hexadecimal"
                raise QuantityError(
                    f"line {line}, column {column + found.start() + 1}: {shown(found[0])} {wrong}"
                )
            out += bytes.fromhex(digits.rjust(2, "0") if digits else "")
    return bytes(out)
