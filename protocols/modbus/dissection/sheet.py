"""The fields, values and summary of a frame, collected while its bytes are read in order."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from protocols.decoded_frames import Field
from protocols.errors import FrameError

Result = TypeVar("Result")


class CutShortError(FrameError):
    """Fewer bytes are left than a field has."""


class Shown(NamedTuple):
    """A value for people, and as JSON."""

    text: str
    json: str


Reading = Callable[[bytes], Shown]
"""From the bytes of a field to its value."""


class Sheet:
    """Bytes that are read field by field; each field is kept with its place.

    `decoded` holds JSON values by name, `told` the words of the summary.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0
        self.fields: list[Field] = []
        self.decoded: dict[str, str] = {}
        self.told: list[str] = []

    @property
    def left(self) -> int:
        """Number of bytes that were not read yet."""
        return len(self._data) - self.at

    def peek(self) -> int:
        """Return the next byte, -1 where there is none."""
        return self._data[self.at] if self.left else -1

    @property
    def before(self) -> bytes:
        """The bytes that were read."""
        return self._data[: self.at]

    def ahead(self, size: int) -> bytes:
        """Return the next bytes without reading them; raises CutShortError."""
        if size > self.left:
            raise CutShortError(f"{size} bytes, {self.left} are left")
        return self._data[self.at : self.at + size]

    def part(
        self, size: int, name: str, work: Callable[[Sheet], Result], otherwise: Result
    ) -> Result:
        """Read so many bytes by a function of their own sheet; what it leaves is one field."""
        inner = Sheet(self.ahead(size))
        try:
            found = work(inner)
        except CutShortError:
            found = otherwise
        inner.rest(name, "cut by the request" if inner.at else "")
        self.include(inner)
        return found

    def include(self, inner: Sheet) -> None:
        """Take over a sheet of the next bytes, which was read to its end."""
        self.fields += [each._replace(offset=each.offset + self.at) for each in inner.fields]
        self.at += inner.at
        self.decoded |= inner.decoded

    def take(self, size: int, name: str, meaning: str | Callable[[bytes], str]) -> bytes:
        """Read a field; raises CutShortError where fewer bytes are left."""
        if size > self.left:
            raise CutShortError(f"{name}: {size} bytes, {self.left} are left")
        data = self._data[self.at : self.at + size]
        text = meaning if isinstance(meaning, str) else meaning(data)
        if size:
            self.fields.append(Field(self.at, size, name, text))
        self.at += size
        return data

    def number(
        self, size: int, name: str, meaning: str | Callable[[int], str] = "", key: str = ""
    ) -> int:
        """Read a big-endian number; under `key` it is a JSON value too."""

        def text(data: bytes) -> str:
            value = int.from_bytes(data, "big")
            if isinstance(meaning, str):
                return f"{value} {meaning}".rstrip()
            return meaning(value)

        value = int.from_bytes(self.take(size, name, text), "big")
        if key:
            self.decoded[key] = str(value)
        return value

    def shown(self, size: int, name: str, reading: Reading) -> str:
        """Read a field; return its value as JSON."""
        found = reading(self.take(size, name, lambda data: reading(data).text))
        return found.json

    def hexadecimal(self, size: int, name: str, key: str, meaning: str = "") -> bytes:
        """Read bytes that have no further meaning here; under `key` they are a JSON value too."""
        data = self.take(size, name, meaning)
        self.decoded[key] = json.dumps(data.hex(" "))
        return data

    def rest(self, name: str, meaning: str) -> None:
        """Read all that is left, if anything is."""
        if self.left:
            self.take(self.left, name, meaning)
