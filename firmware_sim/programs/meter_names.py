"""Several meters named in one sentence."""

from __future__ import annotations

from collections.abc import Sequence

from protocols.modbus.named_maps import NATIVE

NAMED = 8
"""Meters that are named one by one; more are named by the first and the last."""


def meter_names(meters: Sequence[tuple[str, int]], maps: Sequence[str] = ()) -> str:
    """Return words for meters that are given by serial number and unit.

    Args:
        maps: the name of the register map of each; one that is native is not told.
    """
    if len(meters) <= NAMED:
        of_each = maps or [NATIVE] * len(meters)
        return "meter " + ", ".join(
            f"{serial} (unit {unit}{_with_map(name)})"
            for (serial, unit), name in zip(meters, of_each, strict=True)
        )
    (first, first_unit), (last, last_unit) = meters[0], meters[-1]
    named = f"{len(meters)} meters, {first} (unit {first_unit}) to {last} (unit {last_unit})"
    different = sorted(set(maps))
    if len(different) > 1:
        return f"{named}, maps {', '.join(different)}"
    return named + "".join(map(_with_map, different))


def _with_map(name: str) -> str:
    return "" if name == NATIVE else f", map {name}"
