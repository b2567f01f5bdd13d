"""Parts of a description that may lie in files of their own: the register map and the tariff."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from firmware_sim.description.keys import REGISTER_MAP
from firmware_sim.description.maps import read_map
from firmware_sim.description.mistakes import Mistakes
from firmware_sim.description.tariffs import tariff_in_force
from firmware_sim.hosting.errors import HostingError
from firmware_sim.hosting.named_files import read_text
from firmware_sim.meter_description import MeterDescription
from protocols.data_model.tariff import Tariff
from protocols.errors import QuantityError
from protocols.modbus.register_map import RegisterMap
from protocols.tariff_file import parse_tariff
from protocols.toml_text import with_lines
from protocols.toml_values import ConfigurationError


def register_map_of(values: Mapping[str, Any], mistakes: Mistakes) -> RegisterMap | None:
    """Return the map of the keys; None, the native one, without one. It names its mistakes."""
    named = values.get(REGISTER_MAP.name)
    if named is None:
        return None
    try:
        return read_map(named)
    except QuantityError as error:
        mistakes.add(ConfigurationError(f"{REGISTER_MAP.name} = {named!r}: {error}"))
    except HostingError as error:
        mistakes.add(error)
    return None


def tariff_of(values: Mapping[str, Any], mistakes: Mistakes) -> Tariff:
    """Return the tariff of the keys, or of the file that they name; it names its mistakes."""
    given, unit = (
        values.get("tariff", {}),
        values.get("account_unit", MeterDescription().account_unit),
    )
    price = values.get("price")
    if not isinstance(given, str):
        try:
            return tariff_in_force(given, price, unit)
        except ConfigurationError as error:
            mistakes.add(error)
            return Tariff()
    try:
        text = read_text(given, "tariff")
        try:
            return tariff_in_force(parse_tariff(text), price, unit)
        except QuantityError as error:
            raise HostingError(f"tariff {given}: {error}") from error
        except ConfigurationError as error:
            told = (line.removeprefix("tariff.") for line in str(error).splitlines())
            named = [f"tariff {given}: {line}" for line in with_lines(told, text)]
            raise HostingError("\n".join(named)) from error
    except HostingError as error:
        mistakes.add(error)
        return Tariff()
