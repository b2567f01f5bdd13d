"""Bytes as people paste them: hexadecimal of any spelling, traces, dumps. Pure.

    01 03 00 00 · 0x01,0x03 · 01:03 · \\x01\\x03 · 0103…     digits in pairs
    -> 01 03 …  ·  <- 01 03 …  ·  TX: …  ·  RX: …            traces that say who sent the bytes
    [01][03]…   ·  <01><03>…                                  libmodbus and its tools (mbpoll -v)
    00000000  01 03 …  |..|   ·   0000   01 03 …   ..         hexdump -C, Wireshark, tcpdump -X, xxd
    :010300000002FA                                           a frame of Modbus ASCII

Where lines are marked as a trace, lines without a mark are other output, and skipped. Of a dump the
offsets and the column of characters are skipped. A # begins a comment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from string import hexdigits
from typing import NamedTuple

from protocols.errors import QuantityError
from protocols.faults import Way

_HEX = "0-9A-Fa-f"
_MARK = re.compile(
    r"(?P<before>.*?)(?P<mark>-+>|<-+|=+>|<=+|>>|<<|<\?|\b(?:tx|rx|sent|send|recv|received)\b:?)\s*"
    rf"(?P<data>[{_HEX}].*)",
    re.IGNORECASE,
)
_SENT = ("-", "=", ">", "t", "s")
"""First characters of the marks of what the host sent."""
_BRACKETS = re.compile(rf"(?:\[(?:0x)?[{_HEX}]{{2}}\]|<(?:0x)?[{_HEX}]{{2}}>)+")
_BRACKETED = re.compile(rf"[\[<](?:0x)?([{_HEX}]{{2}})[\]>]", re.IGNORECASE)
_DUMP = re.compile(
    rf"\s*(?:0x)?(?P<offset>[{_HEX}]{{4,8}})(?P<colon>:)?(?P<data>\s+[{_HEX}]{{2}}.*|\s*)"
)
_ASCII_FRAME = re.compile(rf":(?:[{_HEX}]{{2}})+")
_WORD = re.compile(r"[^\s,;:\-_{}()\[\]<>\"']+")
_LITERAL = re.compile(r"\bb(?=['\"])")
"""The b before the bytes of Python."""
_ESCAPED = re.compile(r"\\x", re.IGNORECASE)
_BASE = re.compile(r"^0x|h$", re.IGNORECASE)
_OFFSET_OF_OD = (6, 7)
"""Digits of an offset that one space follows; other dumps have at least two, or a colon."""


class PastedBytes(NamedTuple):
    """Bytes of one line of text.

    `way` is their direction where the line says it. `ends` says that a frame may end with the
    line: not so in a dump, whose lines are as long as they are.
    """

    data: bytes
    way: Way | None = None
    ends: bool = True


class Pasted(NamedTuple):
    """The bytes of a text, and the number of lines that were skipped as other output."""

    parts: Sequence[PastedBytes]
    skipped: int = 0


def parse_pasted(text: str) -> Pasted:
    """Return the bytes of a text, in order.

    Raises:
        QuantityError: text that is not hexadecimal; it names line and column.
    """
    lines = [(number, line.rstrip()) for number, line in enumerate(text.split("\n"), 1)]
    lines = [(number, _without_comment(line)) for number, line in lines if line.strip()]
    traced = [_traced(number, line) for number, line in lines]
    if any(part is not None for part in traced):
        parts = [part for part in traced if part is not None]
        return Pasted(parts, sum(part is None for part in traced))
    dump = _dump(lines)
    if dump is not None:
        return Pasted(dump)
    return Pasted([_plain(number, line) for number, line in lines if line.strip()])


def _without_comment(line: str) -> str:
    return line.partition("#")[0].rstrip()


def _plain(number: int, line: str) -> PastedBytes:
    found = _ASCII_FRAME.fullmatch(line.strip())
    if found is not None:
        return PastedBytes(found[0].encode("ascii") + b"\r\n")
    return PastedBytes(_bytes_of(line, number, 0))


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
                    f"line {line}, column {column + found.start() + 1}: {_shown(found[0])} {wrong}"
                )
            out += bytes.fromhex(digits.rjust(2, "0") if digits else "")
    return bytes(out)


def _shown(word: str) -> str:
    return repr(word if len(word) <= 20 else f"{word[:20]}…")


def _dump(lines: Sequence[tuple[int, str]]) -> list[PastedBytes] | None:
    """Return the bytes of a dump, whose lines begin with offsets from 0 on; None for other text."""
    found = [_DUMP.fullmatch(line) for _, line in lines]
    rows = [row for row in found if row is not None]
    first = rows[0] if rows else None
    if first is None or found[0] is None or int(first["offset"], 16) != 0:
        return None
    spaces = len(first["data"]) - len(first["data"].lstrip())
    if not first["colon"] and spaces < 2 and len(first["offset"]) not in _OFFSET_OF_OD:
        return None
    return [*_dumped(lines, found)]


def _dumped(
    lines: Sequence[tuple[int, str]], found: Sequence[re.Match[str] | None]
) -> Iterator[PastedBytes]:
    """Yield the bytes of the lines of a dump; a * repeats the line before up to the next offset."""
    at = 0
    last = b""
    repeats = False
    for place, ((number, line), row) in enumerate(zip(lines, found, strict=True)):
        if row is None:
            if line.strip() != "*":
                raise QuantityError(f"line {number}, column 1: {_shown(line)} is no line of a dump")
            repeats = True
            continue
        offset = int(row["offset"], 16)
        if repeats and last:
            while at < offset:
                yield PastedBytes(last, ends=False)
                at += len(last)
            repeats = False
        if offset == 0 and at:
            yield PastedBytes(b"")  # the next packet begins
            at = 0
        if offset != at:
            raise QuantityError(f"line {number}, column 1: offset {offset:04x}, {at:04x} is due")
        following = next((each for each in found[place + 1 :] if each is not None), None)
        size = None if following is None else int(following["offset"], 16) - offset
        last = _bytes_of_row(row["data"], size, has_colon=bool(row["colon"]))
        at += len(last)
        if last:
            yield PastedBytes(last, ends=False)


def _bytes_of_row(text: str, size: int | None, *, has_colon: bool) -> bytes:
    """Return the bytes of a line of a dump.

    Args:
        size: how many they are, as the next offset says; None for the last line.
        has_colon: whether a colon follows the offset, as in xxd and tcpdump: then two spaces end
            the bytes, else three or a "|".
    """
    before = text.strip().partition("|")[0]
    words = re.split(r"\s{2,}" if has_colon else r"\s{3,}", before.rstrip())[0].split()
    out = bytearray()
    for word in words:
        if len(word) % 2 or not re.fullmatch(rf"[{_HEX}]+", word):
            break
        if size is not None and len(out) + len(word) // 2 > size:
            break
        out += bytes.fromhex(word)
    return bytes(out)
