"""A serial port as a person writes it: `PATH?baud=9600&parity=E&stop=1`. One grammar, both sides.

PATH[?KEY=VALUE[&KEY=VALUE...]]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from protocols.errors import QuantityError
from protocols.quantities import parse_fixed

PARITIES = ("N", "E", "O")


@dataclass(frozen=True, slots=True)
class PortSettings:
    """The settings that were given; None for each that was not.

    `silence_ms` is the silence that ends a frame, `delay_ms` a pause: of a meter before it answers,
    of a host before it asks.
    """

    baud: int | None = None
    parity: str | None = None
    stop: int | None = None
    bits: int | None = None
    silence_ms: int | None = None
    delay_ms: int | None = None

    @property
    def of_line(self) -> tuple[str, ...]:
        """The keys given that only a real serial line has."""
        return tuple(key for key in ("baud", "parity", "stop", "bits") if getattr(self, key))


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        try:
            value = parse_fixed(text, 0)
        except QuantityError:
            value = low - 1
        if not low <= value <= high:
            raise QuantityError(f"{low} to {high}")
        return value

    return parse


def _one_of(*allowed: Any) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        for value in allowed:
            if text.upper() == str(value):
                return value
        raise QuantityError(" or ".join(map(str, allowed)))

    return parse


_KEYS: Mapping[str, Callable[[str], Any]] = {
    "baud": _whole(50, 4_000_000),
    "parity": _one_of(*PARITIES),
    "stop": _one_of(1, 2),
    "bits": _one_of(8, 7),
    "silence_ms": _whole(1, 60_000),
    "delay_ms": _whole(0, 60_000),
}
KEYS = tuple(_KEYS)
GRAMMAR = "?baud=9600&parity=N|E|O&stop=1|2&bits=8|7&silence_ms=100&delay_ms=0"
"""All settings, for error texts."""
HELP = f"settings behind ?, joined by &: {', '.join(GRAMMAR[1:].split('&'))}"
"""The same for help, where lines are broken."""


def parse_port(text: str) -> tuple[str, PortSettings]:
    """Return the path and the settings of `PATH?KEY=VALUE&...`.

    Raises:
        QuantityError: no path; a setting that is unknown, empty, given twice or not allowed.
    """
    path, mark, query = text.partition("?")
    if not path:
        raise QuantityError(f"port {text!r}: write PATH or PATH{GRAMMAR}")
    return path, parse_settings(text, query) if mark else PortSettings()


def parse_settings(port: str, query: str) -> PortSettings:
    """Return the settings of a query; `port` names them in errors. Raises as `parse_port`."""
    given: dict[str, Any] = {}
    for part in query.split("&"):
        key, _, value = part.partition("=")
        if key not in _KEYS:
            raise QuantityError(f"port {port}: no setting {part!r}; allowed are {GRAMMAR}")
        if key in given:
            raise QuantityError(f"port {port}: {key} is given twice")
        try:
            given[key] = _KEYS[key](value)
        except QuantityError as error:
            raise QuantityError(f"port {port}: {key}={value}: allowed is {error}") from error
    return PortSettings(**given)


def bits_a_character(settings: PortSettings) -> int:
    """Return the bits of one character on the line: start, data, parity, stop."""
    parity = settings.parity not in (None, "N")
    return 1 + (settings.bits or 8) + parity + (settings.stop or 1)
