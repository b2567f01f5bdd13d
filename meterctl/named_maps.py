"""Register maps that the user names: a shipped one by its name, or a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from meterctl.errors import UsageError
from meterctl.named_files import read_named
from protocols.errors import QuantityError
from protocols.modbus.named_maps import at_unit, map_of_text, names_file, shipped_map
from protocols.modbus.register_map import RegisterMap
from protocols.named_files import MAX_TABLES

_MAX_UNIT = 255


class GivenMaps(NamedTuple):
    """The names of --map: that of every unit, and those of single ones."""

    otherwise: str | None
    by_unit: Mapping[int, str]

    def of_unit(self, unit: int) -> str | None:
        """Return the name of the map of a unit, None for the native one."""
        return self.by_unit.get(unit, self.otherwise)


def given_maps(names: Sequence[str]) -> GivenMaps:
    """Return the maps of --map options, NAME or NAME@UNIT; of several for one unit the last.

    Raises:
        UsageError: a unit that there is not.
    """
    otherwise: str | None = None
    by_unit: dict[int, str] = {}
    for text in names:
        named, unit = at_unit(text)
        if unit is None:
            otherwise = named or None
        elif unit <= _MAX_UNIT:
            by_unit[unit] = named
        else:
            raise UsageError(f"--map {text}: units are 0 to {_MAX_UNIT}; nothing was sent")
    return GivenMaps(otherwise, by_unit)


def read_map(named: str) -> RegisterMap:
    """Return the register map of --map.

    Raises:
        UsageError: no map is shipped under that name, a file that cannot be read, or every mistake
            in it, a line each.
    """
    if not names_file(named):
        try:
            return shipped_map(named)
        except QuantityError as error:
            raise UsageError(f"--map {named}: {error}; nothing was sent") from error
    try:
        text = read_named(Path(named), MAX_TABLES).text
    except UsageError as error:
        raise UsageError(f"map {named}: {error}; nothing was sent") from error
    try:
        return map_of_text(named, text)
    except QuantityError as error:
        raise UsageError(str(error)) from error
