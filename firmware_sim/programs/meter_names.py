"""Several meters named in one sentence."""

from __future__ import annotations

from collections.abc import Sequence

NAMED = 8
"""Meters that are named one by one; more are named by the first and the last."""


def meter_names(meters: Sequence[tuple[str, int]]) -> str:
    """Return words for meters that are given by serial number and unit."""
    if len(meters) <= NAMED:
        return "meter " + ", ".join(f"{serial} (unit {unit})" for serial, unit in meters)
    (first, first_unit), (last, last_unit) = meters[0], meters[-1]
    return f"{len(meters)} meters, {first} (unit {first_unit}) to {last} (unit {last_unit})"
