"""Reads the tables of a map file by their keys, and keeps every mistake with its line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from protocols.errors import QuantityError
from protocols.modbus.map_keys import FILE, Key, Table, TableKind
from protocols.suggestions import did_you_mean
from protocols.toml_text import line_of, lines_of


class Findings:
    """The mistakes and the warnings of one file, each told with the line of its place.

    A place is written with points; its list elements have numbers, which people do not see.
    """

    def __init__(self, text: str) -> None:
        self._lines = lines_of(text)
        self._mistakes: list[tuple[int, str]] = []
        self._warnings: list[tuple[int, str]] = []
        self._places: set[str] = set()

    def line(self, place: str) -> int:
        """Return the line of a place, 1 where it is not known."""
        return line_of(self._lines, place) or 1

    def mistake(self, place: str, told: str) -> None:
        """Keep a mistake."""
        self._places.add(place)
        self._mistakes.append((self.line(place), self._told(place, told)))

    def has_mistake(self, place: str) -> bool:
        """Return whether a mistake was kept of this very place."""
        return place in self._places

    def warning(self, place: str, told: str) -> None:
        """Keep what may be a mistake."""
        self._warnings.append((self.line(place), self._told(place, told)))

    @property
    def warnings(self) -> tuple[str, ...]:
        """All warnings, in the order of their lines."""
        return tuple(told for _, told in sorted(self._warnings, key=lambda one: one[0]))

    def refuse(self) -> None:
        """Raise QuantityError with all mistakes, a line each, if there is one."""
        if self._mistakes:
            ordered = sorted(self._mistakes, key=lambda one: one[0])
            raise QuantityError("\n".join(dict.fromkeys(told for _, told in ordered)))

    def _told(self, place: str, told: str) -> str:
        key = ".".join(part for part in place.split(".") if not part.isdigit())
        return f"line {self.line(place)}: {key}: {told}" if key else told


@dataclass(frozen=True, slots=True)
class Row:
    """A table of the file that was read: its place, and the values of its keys."""

    place: str
    values: Mapping[str, Any]

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def get(self, name: str, default: Any = None) -> Any:
        """Return the value of a key."""
        return self.values.get(name, default)

    def rows(self, name: str) -> list[Row]:
        """Return the tables of a list."""
        found: list[Row] = self.values.get(name, [])
        return found

    def table(self, name: str) -> Row:
        """Return a table, an empty one where the file has none."""
        found: Row = self.values.get(name, Row(name, {}))
        return found

    def at(self, name: str) -> str:
        """Return the place of a key of this table."""
        return f"{self.place}.{name}" if self.place else name


def read_file(table: Mapping[str, Any], findings: Findings) -> Row:
    """Return the values of a whole file; mistakes are kept, and what has one is left out."""
    return _read(FILE, table, "", findings)


def _read(table: Table, values: Mapping[str, Any], place: str, findings: Findings) -> Row:
    row = Row(place, {})
    read: dict[str, Any] = {}
    for name, value in values.items():
        key = table.key(name)
        if key is None:
            known = [one.name for one in table.keys]
            hint = did_you_mean(name, known, f"allowed are {', '.join(known)}")
            findings.mistake(row.at(name), f"there is no such key; {hint}")
            continue
        try:
            found = key.kind.read(value)
        except QuantityError as error:
            findings.mistake(row.at(name), f"{error}; allowed is {key.kind.allowed}")
            continue
        read[name] = _inner(key, found, row.at(name), findings)
    for key in table.keys:
        if key.needed and key.name not in values:
            findings.mistake(row.at(key.name), f"this key is missing; it is {key.kind.allowed}")
    return Row(place, read)


def _inner(key: Key, found: Any, place: str, findings: Findings) -> Any:
    if not isinstance(key.kind, TableKind):
        return found
    if not key.kind.is_list:
        return _read(key.kind.of, found, place, findings)
    return [
        _read(key.kind.of, each, f"{place}.{number}", findings)
        for number, each in enumerate(found, 1)
    ]
