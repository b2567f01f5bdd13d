"""Packets in text: dumps with offsets, and arrays of C, as capture programs print them. Pure.

    00000000  01 03 …  |..|   ·   0000   01 03 …   ..         hexdump -C, tshark -x, Wireshark, od
    0x0000:  0103 0040 …  ..                                  tcpdump -X and -XX, xxd
    static const unsigned char pkt1[8] = { 0x01, 0x03, … };   Wireshark

Each packet of a dump begins with offset 0. Rows of two indents are the two streams of a connection,
which Wireshark follows. Between the rows may stand what those programs print beside them, such as
the addresses of a packet; a line that can be bytes is never taken for that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from protocols.errors import QuantityError
from protocols.faults import Way

_HEX = "0-9A-Fa-f"
_ROW = re.compile(
    rf"\s*(?:0x)?(?P<offset>[{_HEX}]{{4,8}})(?P<colon>:)?"
    rf"(?P<data>\s+(?:[{_HEX}]{{2}})+(?=[\s|>]|$).*|\s*)"
)
_ROW_BEGUN = re.compile(rf"\s*(?:0x)?(?P<offset>[{_HEX}]{{4,8}})(?::\s|\s{{2,}})")
"""What may be a row with a wrong byte in it."""
_OFFSET_OF_OD = (6, 7)
"""Digits of an offset that one space follows; other dumps have at least two, or a colon."""
_TOKEN = re.compile(r"(?P<gap>\s+)(?P<word>\S+)")
_CAPTION = re.compile(r"(?P<name>\S.*) \((?P<size>\d+) bytes?\):")
"""What Wireshark prints above each dump of a packet of which it has several."""
_CAPTIONS_OF_LINES = ("Frame", "Packet")
_DECLARED = re.compile(
    r"[A-Za-z_][\w \t*]*[ \t*](?P<name>\w+)\s*\[\s*(?P<size>\d*)\s*\]\s*=\s*\{(?P<rest>.*)"
)


class Packets(NamedTuple):
    """The bytes of each packet of a text, and the number of lines that hold none.

    Two streams of a connection, which Wireshark follows, come in parts: `ways` has one for each.
    """

    packets: Sequence[bytes]
    skipped: int = 0
    ways: Sequence[Way] = ()


class _Row(NamedTuple):
    number: int
    offset: int
    has_colon: bool
    data: str
    column: int
    indent: str


def parse_dump(lines: Sequence[tuple[int, str]], is_bytes: Callable[[str], bool]) -> Packets | None:
    """Return the packets of a dump; None for other text.

    Args:
        lines: each with its number, without those that are empty.
        is_bytes: whether a line that is no row is other bytes, and no words of a program.

    Raises:
        QuantityError: a dump with a line that is wrong, or missing.
    """
    rows = [_row(number, line) for number, line in lines]
    first = next((row for row in rows if row is not None), None)
    if first is None or first.offset != 0 or not _is_first(first, lines):
        return None
    if rows[0] is None and any(
        row is None and line.strip() != "*" and is_bytes(line)
        for row, (_, line) in zip(rows, lines, strict=True)
    ):
        return None
    sides = _sides(rows)
    if sides:
        return _followed([row for row in rows if row is not None], sides, rows.count(None))
    reader = _DumpReader()
    for place, ((number, line), row) in enumerate(zip(lines, rows, strict=True)):
        if row is not None:
            following = next((each for each in rows[place + 1 :] if each is not None), None)
            reader.take(row, None if following is None else following.offset)
        elif line.strip() == "*":
            reader.repeat()
        elif is_bytes(line) or reader.is_due(line):
            raise QuantityError(f"line {number}, column 1: {shown(line)} is no line of a dump")
        else:
            reader.skip(line.strip())
    return Packets([bytes(packet) for packet in reader.packets if packet], reader.skipped)


def shown(word: str) -> str:
    """Return a word as an error text shows it."""
    return repr(word if len(word) <= 20 else f"{word[:20]}…")


def _row(number: int, line: str) -> _Row | None:
    found = _ROW.fullmatch(line)
    if found is None:
        return None
    indent = line[: len(line) - len(line.lstrip())]
    offset, has_colon = int(found["offset"], 16), bool(found["colon"])
    return _Row(number, offset, has_colon, found["data"], found.start("data"), indent)


def _is_first(row: _Row, lines: Sequence[tuple[int, str]]) -> bool:
    """Return whether the first row is one of a dump, and not bytes that begin with zeros."""
    spaces = len(row.data) - len(row.data.lstrip())
    if row.has_colon or spaces >= 2:
        return True
    line = next(line for number, line in lines if number == row.number)
    digits = len(line.split()[0].removeprefix("0x"))
    return digits in _OFFSET_OF_OD


def _sides(rows: Sequence[_Row | None]) -> Sequence[str]:
    """Return how the rows of the two streams of a connection are indented; none for other dumps.

    Each stream has offsets of its own; the rows of the side that answers stand further right.
    """
    first: dict[str, _Row] = {}
    for row in rows:
        if row is not None:
            first.setdefault(row.indent, row)
    is_followed = len(first) == 2 and not any(row.offset or row.has_colon for row in first.values())
    return sorted(first, key=lambda indent: len(indent.expandtabs())) if is_followed else ()


def _followed(rows: Sequence[_Row], sides: Sequence[str], skipped: int) -> Packets:
    """Return the parts of two streams in the order of the text; raises QuantityError."""
    readers = {side: _DumpReader() for side in sides}
    parts: list[bytearray] = []
    ways: list[Way] = []
    for place, row in enumerate(rows):
        following = next((each for each in rows[place + 1 :] if each.indent == row.indent), None)
        data = readers[row.indent].take(row, None if following is None else following.offset)
        way = Way.REQUEST if row.indent == sides[0] else Way.REPLY
        if ways[-1:] != [way]:
            parts.append(bytearray())
            ways.append(way)
        parts[-1] += data
    return Packets([bytes(part) for part in parts], skipped, ways)


class _DumpReader:
    """Puts the rows of a dump together."""

    def __init__(self) -> None:
        self.packets: list[bytearray] = []
        self.skipped = 0
        self._last = b""
        self._repeats = False
        self._caption = ""
        self._is_derived = False
        """Whether the rows repeat bytes of packets: Wireshark shows what it put together too."""
        self._size = 0

    def is_due(self, line: str) -> bool:
        """Return whether a line is one with the next offset, but without bytes."""
        found = _ROW_BEGUN.match(line)
        return found is not None and int(found["offset"], 16) == self._size > 0

    def skip(self, line: str) -> None:
        """Take a line that is no row."""
        self.skipped += 1
        found = _CAPTION.fullmatch(line)
        self._caption = "" if found is None else found["name"]

    def repeat(self) -> None:
        """Take the * that stands for rows like the one before, up to the next offset."""
        self._repeats = True

    def take(self, row: _Row, following: int | None) -> bytes:
        """Take a row and return its bytes; `following` is the next offset, None for the last."""
        if self._repeats and self._last:
            while self._size < row.offset:
                self._add(self._last)
        self._repeats = False
        if row.offset == 0:
            self._begin()
        if row.offset != self._size:
            raise QuantityError(
                f"line {row.number}, column 1: offset {row.offset:04x}, {self._size:04x} is due"
            )
        size = None if not following else following - row.offset
        self._last = _bytes_of_row(row, size)
        self.skipped += self._is_derived
        self._add(self._last)
        return self._last

    def _begin(self) -> None:
        caption, self._caption = self._caption, ""
        is_derived = bool(caption) and not caption.startswith(_CAPTIONS_OF_LINES)
        self._is_derived = is_derived and bool(self.packets)
        self._size = 0
        if not self._is_derived:
            self.packets.append(bytearray())

    def _add(self, data: bytes) -> None:
        self._size += len(data)
        if not self._is_derived:
            self.packets[-1] += data


def _bytes_of_row(row: _Row, size: int | None) -> bytes:
    """Return the bytes of a row.

    A colon follows the offset in xxd and tcpdump: then two spaces end the bytes, else three or a
    "|".

    Args:
        size: how many they are, as the next offset says; None for the last row of a packet.

    Raises:
        QuantityError: a word among them that is no byte, or one byte too many.
    """
    out = bytearray()
    end = 2 if row.has_colon else 3
    for found in _TOKEN.finditer(row.data.partition("|")[0]):
        word, gap = found["word"], len(found["gap"])
        if out and gap >= end:
            break
        is_byte = re.fullmatch(rf"(?:[{_HEX}]{{2}})+", word) is not None
        is_full = size is not None and len(out) >= size
        if (is_full or not is_byte) and (gap > 1 or word.startswith(">")):
            break
        if is_full and not is_byte:
            break
        place = f"line {row.number}, column {row.column + found.start('word') + 1}"
        if not is_byte:
            raise QuantityError(f"{place}: {shown(word)} is no byte")
        if size is not None and len(out) + len(word) // 2 > size:
            raise QuantityError(f"{place}: {shown(word)} is past the offset of the next row")
        out += bytes.fromhex(word)
    return bytes(out)


def parse_arrays(text: str, is_bytes: Callable[[str], bool]) -> Packets | None:
    """Return the bytes of arrays of C, each a packet; None for text without one.

    Args:
        is_bytes: as of `parse_dump`.

    Raises:
        QuantityError: what is no byte in an array, another number of bytes than it names, or bytes
            outside of the arrays.
    """
    if "{" not in text:
        return None
    packets: list[bytes] = []
    array: _Array | None = None
    others: list[tuple[int, str]] = []
    in_comment = False
    for number, line in enumerate(text.split("\n"), 1):
        code, in_comment = _without_comments(line, in_comment)
        while code.strip(" \t\r;"):
            if array is None:
                found = _DECLARED.fullmatch(code.strip())
                if found is None:
                    others.append((number, code.strip()))
                    break
                array, code = _Array(number, found["name"], found["size"]), found["rest"]
            inner, closed, code = code.partition("}")
            array.take(inner, number)
            if closed:
                packets.append(array.whole())
                array = None
    if array is not None:
        raise QuantityError(f"line {array.number}: the array {array.name} does not end")
    if not packets:
        return None
    for number, code in others:
        if is_bytes(code):
            raise QuantityError(f"line {number}, column 1: {shown(code)} is in no array")
    return Packets(packets, len(others))


def _without_comments(line: str, in_comment: bool) -> tuple[str, bool]:
    """Return a line without its comments, and whether one goes on in the next line.

    A comment that shows bytes as characters may hold a "*/" itself: the last of a line counts.
    """
    if in_comment:
        _, closed, after = line.partition("*/")
        if not closed:
            return "", True
        line = after
    before, opened, rest = line.partition("/*")
    if not opened:
        return line.partition("//")[0], False
    _, closed, after = rest.rpartition("*/")
    return before + after, not closed


class _Array:
    """The bytes of one array while they are read."""

    def __init__(self, number: int, name: str, size: str) -> None:
        self.number, self.name = number, name
        self._size = int(size) if size else None
        self._bytes = bytearray()

    def take(self, code: str, number: int) -> None:
        """Add the numbers of a line; raises QuantityError."""
        for word in re.split(r"[\s,]+", code.strip()):
            if not word:
                continue
            try:
                value = int(word, 0)
            except ValueError:
                value = -1
            if not 0 <= value <= 0xFF:
                raise QuantityError(f"line {number}: {shown(word)} is no byte; write it as 0x1f")
            self._bytes.append(value)

    def whole(self) -> bytes:
        """Return the bytes of an array that has ended; raises QuantityError."""
        if self._size not in (None, len(self._bytes)):
            raise QuantityError(
                f"line {self.number}: the array {self.name} has {len(self._bytes)} bytes and names "
                f"{self._size}"
            )
        return bytes(self._bytes)
