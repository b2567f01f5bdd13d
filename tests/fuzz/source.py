"""Choices from the bytes of a fuzzer: taken from the front, zeros after the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")
REPEAT = 0xFF
"""Repeat mark (no byte of UTF-8): 64 copies of the byte before it for each unit of the next."""
_REPEATS = 64


class Source:
    """Deterministic numbers, choices and bytes from an input."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def take(self, size: int) -> bytes:
        """Return the next bytes, fewer if fewer are left."""
        out = self._data[self._at : self._at + size]
        self._at += len(out)
        return out

    def rest(self) -> bytes:
        """Return all remaining bytes."""
        return self.take(len(self._data))

    def number(self, size: int = 1) -> int:
        """Return an unsigned number of `size` bytes."""
        return int.from_bytes(self.take(size).ljust(size, b"\0"), "big")

    def sized(self) -> bytes:
        """Return as many bytes as the next byte specifies."""
        return self.take(self.number())

    def choice(self, of: Sequence[T]) -> T:
        """Return one element of a sequence."""
        return of[self.number() % len(of)]


def cut(data: bytes, points: bytes) -> list[bytes]:
    """Return `data` in pieces of the lengths in `points`; the rest is the last piece."""
    pieces, at = [], 0
    for size in points:
        pieces.append(data[at : at + size])
        at += size
    return [*pieces, data[at:]]


def expanded(data: bytes) -> bytes:
    """Return a text with its runs expanded: a short input reaches long numbers and deep nesting."""
    out, at = bytearray(), 0
    while at < len(data):
        if data[at] == REPEAT and out and at + 1 < len(data):
            out += out[-1:] * (_REPEATS * data[at + 1])
            at += 2
        else:
            out.append(data[at])
            at += 1
    return bytes(out)


def text_of(data: bytes) -> str:
    """Return any bytes as text."""
    return expanded(data).decode(errors="replace")


def damaged(data: bytes, source: Source, most: int = 8) -> bytes:
    """Return `data` with some of its bytes flipped, replaced, removed, inserted or repeated."""
    out = bytearray(data)
    for _ in range(1 + source.number() % most):
        what, at = source.number() % 5, source.number(2) % (len(out) + 1)
        if what == 0 and at < len(out):
            out[at] ^= 1 << source.number() % 8
        elif what == 1 and at < len(out):
            out[at] = source.number()
        elif what == 2:
            del out[at : at + 1 + source.number() % 16]
        elif what == 3:
            out[at:at] = source.take(1 + source.number() % 8)
        else:
            out[at:at] = out[at : at + 1 + source.number() % 16]
    return bytes(out)


def has_words(error: Exception) -> None:
    """Fail if an error has no text."""
    assert str(error), "a refusal without words"
