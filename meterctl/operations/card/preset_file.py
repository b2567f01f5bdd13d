"""Presets file: the sealed commands that a card brings to a meter, in TOML.

[limits]                              # any setting, by its item name
low_credit_threshold_1 = "10.00"

[tariff]                              # optional
prices = ["0.5283", "0.9000", "0.3000", "0.5283"]  # one for every rate, or one for each of the four
activation = "2027-01-01T00:00"       # local time of the meter without an offset; absent: at once
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from meterctl.errors import UsageError
from meterctl.operations.limits import encode_settings, parse_settings
from protocols.data_model.tariff import MAX_RATES, Prices, TariffChange
from protocols.errors import QuantityError
from protocols.quantities import LocalMoment, parse_price, parse_written_moment
from protocols.sealed_message import MessageKind
from protocols.toml_text import parse_toml

_AT_ONCE = "1970-01-01T00:00:00Z"
Command = tuple[MessageKind, bytes]
"""A kind and its parameters."""


def parse_presets(text: str) -> list[Command]:
    """Return the commands of a presets file; raises UsageError, which names the key."""
    try:
        tables = parse_toml(text)
    except QuantityError as error:
        raise UsageError(str(error)) from error
    readers: dict[str, Callable[[dict[str, Any]], Command]] = {"limits": _limits, "tariff": _tariff}
    unknown = sorted(set(tables) - set(readers))
    if unknown or not tables:
        raise UsageError(
            f"{', '.join(unknown) or 'it is empty'}: a preset has [limits] or [tariff]"
        )
    for name, table in tables.items():
        if not isinstance(table, dict) or not table:
            raise UsageError(f"{name}: write [{name}] and its keys")
    return [readers[name](table) for name, table in tables.items()]


def _limits(table: dict[str, Any]) -> Command:
    words = [f"{name}={_word(value)}" for name, value in table.items()]
    return MessageKind.LIMITS, encode_settings(parse_settings(words))


def _word(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value)


def _tariff(table: dict[str, Any]) -> Command:
    unknown = sorted(set(table) - {"prices", "activation"})
    prices = table.get("prices")
    if unknown or not isinstance(prices, list) or not prices:
        raise UsageError(
            f"tariff: {', '.join(unknown) or 'no prices'}: allowed are prices (a list) "
            f"and activation"
        )
    if len(prices) not in (1, MAX_RATES):
        raise UsageError(
            f"tariff: prices: write one for every rate, or one for each of the {MAX_RATES}"
        )
    try:
        prices = prices * (MAX_RATES // len(prices))
        part = Prices(tuple(parse_price(str(price)) for price in prices))
        activation = parse_written_moment(str(table.get("activation", _AT_ONCE)))
    except QuantityError as error:
        raise UsageError(f"tariff: {error}") from error
    if found := part.problem():
        raise UsageError(f"tariff: {found}")
    at_ms = activation.ms if isinstance(activation, LocalMoment) else activation
    if at_ms < 0 or at_ms % 1000 or at_ms // 1000 > 0xFFFF_FFFF:
        raise UsageError("tariff: activation: whole seconds from 1970 to 2106 are allowed")
    return MessageKind.TARIFF, TariffChange(((activation, part),)).encode()
