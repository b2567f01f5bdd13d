"""The driver of --protocol with the map of --map."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meterctl.drivers.table import DriverKind, modbus
from meterctl.errors import UsageError
from protocols.data_model.identity import IDENTITY

if TYPE_CHECKING:
    from protocols.modbus.register_map import RegisterMap


def named_map(map_name: str | None) -> RegisterMap | None:
    """Return the register map of a name, None without one; raises UsageError."""
    if map_name is None:
        return None
    from meterctl.named_maps import read_map  # most commands name no map

    return read_map(map_name)


def driver_of(kind: DriverKind, map_name: str | None, *, seals: bool) -> DriverKind:
    """Return a driver with the map of a name, itself without one.

    Raises:
        UsageError: a map that cannot be used, or one without windows for a command that seals.
    """
    register_map = named_map(map_name)
    if register_map is None:
        return kind
    if seals and register_map.windows is None:
        raise _unsealable(register_map, "windows for sealed messages")
    if seals:
        from meterctl.drivers.register_blocks import ReadableMap  # few commands seal over a map

        readable = ReadableMap(register_map)
        missing = [item.name for item in IDENTITY if not readable.holds(item)]
        if missing:
            raise _unsealable(register_map, ", ".join(missing))
    return modbus(register_map, map_name)


def _unsealable(register_map: RegisterMap, missing: str) -> UsageError:
    """Return the refusal of a command that seals over a map that lacks something."""
    return UsageError(
        f"map {register_map.name} has no {missing}, which this command needs; nothing was sealed "
        f"or sent. Leave out --map for a meter with the native map, or name a map file with "
        f"`windows` and the items that docs/maps.md lists beside it"
    )
