"""The two sets of a meter's tariff: what is in force after each activation (METER.md 6). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from protocols.data_model.tariff import DayTables, Part, Prices, Seasons, Steps, Tariff

ENERGY_PRICE = 10_000
"""Price of an energy account, 1e-4: it is charged in kWh (DESIGN.md 3.3)."""


def replace_part(tariff: Tariff, part: Part) -> Tariff:
    """Return a tariff with one part replaced."""
    match part:
        case Seasons():
            return Tariff(part, tariff.day_tables, tariff.prices, tariff.steps)
        case DayTables():
            return Tariff(tariff.seasons, part, tariff.prices, tariff.steps)
        case Prices():
            return Tariff(tariff.seasons, tariff.day_tables, part, tariff.steps)
        case Steps():
            return Tariff(tariff.seasons, tariff.day_tables, tariff.prices, part)


def sets_in_turn(
    tariff: Tariff, pending: Iterable[tuple[int, Part]], now_ms: int
) -> Iterator[tuple[int, Tariff]]:
    """Yield each instant at which parts activate, and the tariff in force from then on.

    Args:
        tariff: the current set.
        pending: parts with their activations, ms since 1970 UTC; those before `now_ms` activate
            at it.
    """
    parts = [(max(activation, now_ms), part) for activation, part in pending]
    for instant in sorted({activation for activation, _ in parts}):
        for activation, part in parts:
            if activation == instant:
                tariff = replace_part(tariff, part)
        yield instant, tariff


def is_energy_tariff(tariff: Tariff) -> bool:
    """Return whether a tariff has the prices of an energy account, which are fixed."""
    return set(tariff.prices.prices) == {ENERGY_PRICE} and not any(tariff.steps.additions)
