"""Values of a TOML text: every wrong key is named with its value and the allowed ones, all at once.

A reader takes the place of a value, such as "tariff.prices.1", and the value as TOML holds it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from types import MappingProxyType
from typing import Any, Protocol

from protocols.data_model.items import Windows
from protocols.data_model.kinds import Flags
from protocols.errors import ProtocolError, QuantityError

MAX_SHOWN = 200


class ConfigurationError(Exception):
    """An invalid description; each line of its text has a key and its allowed values.

    `values` are those of the other keys, where some keys were read. `draft` is what could be read
    of a table or list, all of it: None is what could not be read.
    """

    def __init__(
        self, text: str, values: Mapping[str, Any] = MappingProxyType({}), draft: Any = None
    ) -> None:
        super().__init__(text)
        self.values, self.draft = values, draft


Reader = Callable[[str, object], Any]


class TextKind(Protocol):
    """A kind of value that is written as one text; `parse` raises QuantityError."""

    def text(self, value: Any) -> str: ...
    def parse(self, text: str) -> Any: ...


@dataclass(frozen=True, slots=True)
class Words:
    """One of a few words, exactly as written; each stands for a value."""

    values: Mapping[str, Any]

    def text(self, value: Any) -> str:
        return next(word for word, meant in self.values.items() if meant == value)

    def parse(self, text: str) -> Any:
        if text not in self.values:
            *others, last = map(repr, self.values)
            raise QuantityError(f"allowed is {', '.join(others)} or {last}")
        return self.values[text]


@dataclass(frozen=True, slots=True)
class TableOrFile:
    """A table of keys, or the name of the file that holds it."""

    readers: Mapping[str, Reader]
    """Readers of the keys of the table."""
    read_table: Callable[[Mapping[str, Any], str], Mapping[str, Any]]
    """Reads a table at a place; raises ConfigurationError."""

    def text(self, value: Mapping[str, Any]) -> str:
        return str(value)

    def names_file(self, text: str) -> bool:
        """Return whether a text names a file: all do."""
        return True

    def read(self, place: str, value: object) -> Mapping[str, Any] | str:
        """Return the values of a table, or the name of a file; raises ConfigurationError."""
        if isinstance(value, str):
            return value
        if not isinstance(value, Mapping):
            allowed = "a table, or the name of the file that holds it"
            raise ConfigurationError(f"{place} = {_shown(value)}: allowed is {allowed}")
        return self.read_table(value, place)


def read_all(
    *parts: tuple[Mapping[str, Reader], Mapping[str, Any]], place: str = ""
) -> dict[str, Any]:
    """Return the values of tables by their keys, each table read by its readers.

    Raises:
        ConfigurationError: keys that there are not, and values that are not allowed: all of them.
    """
    values: dict[str, Any] = {}
    draft: dict[str, Any] = {}
    problems: list[str] = []
    listed: set[int] = set()
    for readers, table in parts:
        for name, value in table.items():
            where = f"{place}.{name}" if place else str(name)
            if name not in readers:
                hint = _hint(name, readers)
                if not hint and id(readers) not in listed:  # the names are listed once
                    hint = f"; allowed are {', '.join(sorted(readers))}"
                    listed.add(id(readers))
                problems.append(f"{where}: there is no such key{hint}")
                continue
            try:
                values[name] = draft[name] = readers[name](where, value)
            except ConfigurationError as error:
                draft[name] = error.draft
                problems.append(str(error))
    if problems:
        raise ConfigurationError("\n".join(problems), values, draft)
    return values


def _hint(name: str, readers: Mapping[str, Reader]) -> str:
    """Return where an unknown key belongs, or the key that was meant; empty if neither is known."""
    for table, reader in readers.items():
        kind = getattr(reader, "__self__", None)
        if isinstance(kind, TableOrFile) and name in kind.readers:
            return f" here; write it under [{table}]"
        if isinstance(kind, TableOrFile) and f"{name}s" in kind.readers:
            return f" here; write {name}s under [{table}]"
    from difflib import get_close_matches  # noqa: PLC0415 - most starts have no wrong key

    near = get_close_matches(name, readers, 1)
    return f"; did you mean {near[0]}?" if near else ""


def reader_of(kind: TextKind | TableOrFile) -> Reader:
    """Return the reader of a kind: of its text, or of its table."""
    if isinstance(kind, TableOrFile):
        return kind.read
    allowed = getattr(kind, "allowed", None)
    told = allowed() if allowed is not None else ""
    return parsed(kind.parse, told, is_list=isinstance(kind, Flags | Windows))


def parsed(parse: Callable[[str], Any], allowed: str = "", *, is_list: bool = False) -> Reader:
    """Return a reader of a number, a text or a switch; an error names the `allowed` values.

    Args:
        is_list: whether the text is a list with commas, which may be written as a list of TOML too.
    """

    def read(place: str, value: object) -> Any:
        text = ",".join(map(str, value)) if is_list and isinstance(value, list) else _text(value)
        try:
            return parse(text)
        except (ProtocolError, ValueError) as error:
            is_told = any(words in str(error) for words in ("allowed", "is not one of"))
            tail = f" (allowed: {allowed})" if allowed and not is_told else ""
            raise ConfigurationError(f"{place} = {_shown(value)}: {error}{tail}") from error

    return read


def list_of(reader: Reader, least: int = 0) -> Reader:
    """Return a reader of a list of at least so many values, numbered from 1 in their places."""

    def read(place: str, value: object) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple) or len(value) < least:
            wanted = f"a list of at least {least} item" if least else "a list"
            raise ConfigurationError(f"{place} = {_shown(value)}: allowed is {wanted}")
        table = {str(number): each for number, each in enumerate(value, 1)}
        try:
            return tuple(read_all((dict.fromkeys(table, reader), table), place=place).values())
        except ConfigurationError as error:
            raise ConfigurationError(str(error), draft=tuple(error.draft.values())) from error

    return read


def table_of(readers: Mapping[str, Reader], needed: Collection[str] = ()) -> Reader:
    """Return a reader of a table, whose `needed` keys are always given."""

    def read(place: str, value: object) -> Any:
        if not isinstance(value, Mapping):
            keys = ", ".join(sorted(readers))
            raise ConfigurationError(
                f"{place} = {_shown(value)}: allowed is a table with the keys {keys}"
            )
        told = [f"{place}.{name}: this key is missing" for name in needed if name not in value]
        try:
            values = read_all((readers, value), place=place)
        except ConfigurationError as error:
            told.append(str(error))
            raise ConfigurationError("\n".join(told), draft=error.draft) from error
        if told:
            raise ConfigurationError("\n".join(told), draft=values)
        return values

    return read


def _text(value: object) -> str:
    """Return a value as it is written in a text; an integer may have too many digits for that."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds")
    try:
        return str(value)
    except ValueError:
        return _shown(value)


def _shown(value: object) -> str:
    """Return a value as text, shortened where it is long.

    An integer may have too many digits for `repr`.
    """
    try:
        text = str(value) if isinstance(value, date | time) else repr(value)
    except ValueError:
        return "a number of thousands of digits"
    return text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "..."
