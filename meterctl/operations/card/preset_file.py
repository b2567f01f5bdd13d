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
from meterctl.operations.limits import encode_settings, limit_mistakes
from protocols.data_model.items import Item
from protocols.data_model.setting_words import parse_setting_words
from protocols.data_model.tariff import Prices, TariffChange
from protocols.data_model.tariff_rules import MAX_RATES
from protocols.errors import QuantityError
from protocols.quantities import LocalMoment, parse_price
from protocols.sealed_message import MessageKind
from protocols.tariff_file import parse_activation
from protocols.toml_text import parse_toml, with_lines

_AT_ONCE: int | LocalMoment = 0
Command = tuple[MessageKind, bytes]
"""A kind and its parameters."""


def parse_presets(text: str) -> list[Command]:
    """Return the commands of a presets file.

    Raises:
        UsageError: a line for each mistake, with its line in the file and its key.
    """
    try:
        tables = parse_toml(text)
    except QuantityError as error:
        raise UsageError(str(error)) from error
    if not tables:
        raise UsageError("it is empty: a preset has [limits] or [tariff]")
    readers: dict[str, Callable[[dict[str, Any]], Command]] = {"limits": _limits, "tariff": _tariff}
    commands, mistakes = [], []
    for name, table in tables.items():
        try:
            if name not in readers:
                raise UsageError(f"{name}: a preset has [limits] or [tariff]")
            if not isinstance(table, dict) or not table:
                raise UsageError(f"{name}: write [{name}] and its keys")
            commands.append(readers[name](table))
        except UsageError as error:
            mistakes += str(error).splitlines()
    if mistakes:
        raise UsageError("\n".join(with_lines(mistakes, text)))
    return commands


def _limits(table: dict[str, Any]) -> Command:
    wanted: dict[Item, Any] = {}
    mistakes = []
    for name, value in table.items():
        try:
            wanted |= parse_setting_words([f"{name}={_word(value)}"])
        except QuantityError as error:
            mistakes.append(f"limits.{name}: {str(error).removeprefix(f'{name}: ')}")
    mistakes += [f"limits.{problem}" for problem in limit_mistakes(wanted)]
    if mistakes:
        raise UsageError("\n".join(mistakes))
    return MessageKind.LIMITS, encode_settings(wanted)


def _word(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value)


def _tariff(table: dict[str, Any]) -> Command:
    unknown = sorted(set(table) - {"prices", "activation"})
    mistakes = [f"tariff.{name}: allowed are prices (a list) and activation" for name in unknown]
    part, activation = Prices(), _AT_ONCE
    try:
        part = _prices(table.get("prices"))
    except (QuantityError, UsageError) as error:
        mistakes.append(f"tariff.prices: {error}")
    try:
        activation = _activation(table)
    except (QuantityError, UsageError) as error:
        mistakes.append(f"tariff.activation: {error}")
    if mistakes:
        raise UsageError("\n".join(mistakes))
    return MessageKind.TARIFF, TariffChange(((activation, part),)).encode()


def _prices(prices: object) -> Prices:
    if not isinstance(prices, list) or not prices:
        raise UsageError("there are no prices: write a list")
    if len(prices) not in (1, MAX_RATES):
        raise UsageError(f"write one for every rate, or one for each of the {MAX_RATES}")
    prices = prices * (MAX_RATES // len(prices))
    part = Prices(tuple(parse_price(str(price)) for price in prices))
    if found := part.problem():
        raise UsageError(found.partition(": ")[2])
    return part


def _activation(table: dict[str, Any]) -> int | LocalMoment:
    """Return an instant, or local time of the meter where no offset is written."""
    if "activation" not in table:
        return _AT_ONCE
    return parse_activation(str(table["activation"]))
