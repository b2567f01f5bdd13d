"""Register maps as a person names them: a shipped one by its name, or a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache

from firmware_sim.hosting.errors import HostingError
from firmware_sim.hosting.named_files import read_text
from protocols.errors import QuantityError
from protocols.modbus.named_maps import at_unit, map_of_text, names_file, shipped_map
from protocols.modbus.register_map import RegisterMap


def read_map(named: str) -> RegisterMap:
    """Return the register map of a shipped name or of a file.

    Raises:
        QuantityError: no map is shipped under that name.
        HostingError: a file that cannot be read, or every mistake in it, a line each.
    """
    if not names_file(named):
        return shipped_map(named)
    text = read_text(named, "map")
    try:
        return _parsed(named, text)
    except QuantityError as error:
        raise HostingError(str(error)) from error


@cache
def _parsed(path: str, text: str) -> RegisterMap:
    """Return the map of a text: the meters of a run that have the same file share one value."""
    return map_of_text(path, text)


def map_of_every_meter(maps: Sequence[str]) -> str | None:
    """Return the name among --map options that has no @UNIT, None where each has one.

    Raises:
        HostingError: every pair of maps for one unit, a line each.
    """
    told = list(_collisions(maps))
    if told:
        raise HostingError("\n".join(told))
    return next((named for named, unit in map(at_unit, maps) if unit is None), None)


def _collisions(maps: Sequence[str]) -> Iterator[str]:
    units = [unit for _, unit in map(at_unit, maps)]
    everywhere = [text for text, unit in zip(maps, units, strict=True) if unit is None]
    if everywhere and len(maps) > 1:
        others = " and ".join(f"--map {text}" for text in maps)
        yield (
            f"{others}: --map {everywhere[0]} is for every meter, so a unit would have two maps; "
            f"write each with its unit, such as {at_unit(everywhere[0])[0]}@1"
        )
        return
    for unit, count in Counter(units).items():
        if count > 1:
            named = " and ".join(f"--map {text}" for text in maps if at_unit(text)[1] == unit)
            yield f"{named}: two maps for unit {unit}; give one of them"


def maps_of_units(maps: Sequence[str], units: Sequence[int]) -> Mapping[int, RegisterMap]:
    """Return the maps of --map options with @UNIT; `units` are those of the meters.

    Raises:
        HostingError: every mistake, a line each.
    """
    found: dict[int, RegisterMap] = {}
    told: list[str] = []
    for text in maps:
        named, unit = at_unit(text)
        if unit is None:
            continue
        if unit not in units:
            told.append(f"--map {text}: no meter has unit {unit}; {_named(units)}")
        try:
            found[unit] = read_map(named)
        except QuantityError as error:
            told.append(f"--map {text}: {error}")
        except HostingError as error:
            told += str(error).splitlines()
    if told:
        raise HostingError("\n".join(dict.fromkeys(told)))
    return found


def _named(units: Sequence[int]) -> str:
    """Return which units there are."""
    if len(units) == 1:
        return f"the meter has unit {units[0]}"
    first, last = min(units), max(units)
    if len(units) == last - first + 1 > 2:
        return f"the meters have units {first} to {last}"
    return f"the meters have units {', '.join(map(str, sorted(units)))}"
