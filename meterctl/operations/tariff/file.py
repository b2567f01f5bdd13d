"""A tariff file: the parts that it has, when each activates, and all its mistakes at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from meterctl.errors import UsageError
from protocols.data_model.tariff import (
    PART_NAMES,
    Part,
    TariffChange,
)
from protocols.errors import QuantityError
from protocols.quantities import LocalMoment
from protocols.tariff_file import KEYS_OF_PARTS, TARIFF_KEYS, parse_activation, unchecked_tariff
from protocols.tariff_mistakes import mistakes_of
from protocols.toml_text import line_of, lines_of, parse_toml
from protocols.toml_values import ConfigurationError, parsed, read_all, table_of

AT_ONCE = 0
"""The activation of a part that is not given one."""
ACTIVATION = "activation"
NOW = "now"
"""The word for an activation at once."""
_END_MS = 4_102_444_800_000
"""The end of 2099, ms since 1970 UTC."""
Activation = int | LocalMoment
"""An instant, ms since 1970 UTC, or local time of the meter; `AT_ONCE` is at once."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A mistake or a warning: its line in the file, 0 where none is known, and its text.

    The text begins with the key.
    """

    line: int
    text: str

    def said(self, before: str = "") -> str:
        """Return the line and the text, with a word before the text."""
        return f"line {self.line}: {before}{self.text}" if self.line else before + self.text


@dataclass(frozen=True, slots=True)
class TariffFile:
    """The values of a file by their keys, its parts by their names, and their activations.

    `lines` has the line of every key, as `protocols.toml_text.lines_of` returns it.
    """

    values: Mapping[str, Any]
    parts: Mapping[str, Part]
    activations: Mapping[str, Activation]
    lines: Mapping[str, int]

    def change(self, activation: Activation | None = None) -> TariffChange:
        """Return the command's parameters; `activation` goes over those of the file."""
        return TariffChange(
            tuple(
                (self.activations[name] if activation is None else activation, part)
                for name, part in self.parts.items()
            )
        )

    def finding(self, place: str, text: str) -> Finding:
        """Return a finding at the place of a key."""
        return Finding(line_of(self.lines, place), f"{place}: {text}")


def parse_moment_of_activation(text: str) -> Activation:
    """Return the activation of a text: a moment, or `now`; raises QuantityError."""
    if text.strip() == NOW:
        return AT_ONCE
    activation = parse_activation(text)
    if (activation.ms if isinstance(activation, LocalMoment) else activation) >= _END_MS:
        raise QuantityError("allowed is a moment before 2100: no meter's clock goes on after it")
    return activation


def parse_tariff_file(text: str) -> TariffFile:
    """Return the parts of a file.

    Raises:
        UsageError: every mistake, a line each, such as "line 3: prices.1 = ...".
    """
    try:
        table = parse_toml(text)
    except QuantityError as error:
        raise UsageError(str(error)) from error
    lines = lines_of(text)
    try:
        values: Mapping[str, Any] = read_all((_READERS, table))
        draft, mistakes = values, []
    except ConfigurationError as error:
        values, draft, mistakes = error.values, error.draft, str(error).splitlines()
    mistakes += mistakes_of(draft, is_whole=False)
    mistakes += _activation_mistakes(draft)
    if not set(table) - {ACTIVATION}:
        allowed = ", ".join(key for keys in KEYS_OF_PARTS.values() for key in keys)
        mistakes.append(f"it has no part of a tariff: write at least one of {allowed}")
    if mistakes:
        raise UsageError("\n".join(_told(lines, mistakes)))
    tariff = unchecked_tariff(values)
    parts = {
        PART_NAMES[kind]: getattr(tariff, PART_NAMES[kind])
        for kind, keys in KEYS_OF_PARTS.items()
        if values.keys() & keys
    }
    return TariffFile(values, parts, _activations(values, parts), lines)


def _read_activation(place: str, value: object) -> Any:
    """Read one moment for all parts, or a table with a moment for each."""
    return (_BY_PART if isinstance(value, Mapping) else _MOMENT)(place, value)


_MOMENT = parsed(parse_moment_of_activation, "2026-07-01T00:00:00, or now")
_BY_PART = table_of(dict.fromkeys(PART_NAMES.values(), _MOMENT))
_READERS = {**TARIFF_KEYS, ACTIVATION: _read_activation}


def _activation_mistakes(draft: Mapping[str, Any]) -> Iterator[str]:
    """Yield the parts that are given an activation and are not in the file."""
    given = draft.get(ACTIVATION)
    if isinstance(given, Mapping):
        for name in given:
            kind = next(kind for kind, word in PART_NAMES.items() if word == name)
            if not draft.keys() & KEYS_OF_PARTS[kind]:
                yield f"{ACTIVATION}.{name}: the file has no {name}"


def _activations(values: Mapping[str, Any], parts: Mapping[str, Part]) -> dict[str, Activation]:
    given = values.get(ACTIVATION, AT_ONCE)
    if isinstance(given, Mapping):
        return {name: given.get(name, AT_ONCE) for name in parts}
    return dict.fromkeys(parts, given)


def _told(lines: Mapping[str, int], mistakes: Iterable[str]) -> list[str]:
    """Return mistakes, each of which begins with its key, in the order of their lines."""
    found = [
        Finding(line_of(lines, told.split(maxsplit=1)[0].rstrip(":")), told) for told in mistakes
    ]
    return [finding.said() for finding in sorted(found, key=lambda finding: finding.line)]
