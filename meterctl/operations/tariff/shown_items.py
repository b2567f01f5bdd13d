"""What a map without the parts of a tariff shows of it: prices and steps as items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from meterctl.drivers import Reader
from meterctl.errors import UsageError
from protocols.data_model import items
from protocols.data_model.items import Item
from protocols.data_model.json_lines import array, line

_LISTS: Mapping[str, tuple[Item, ...]] = {
    "prices": items.PRICES,
    "step_limits_kwh": items.STEP_LIMITS,
    "step_additions": items.STEP_ADDITIONS,
}
"""Keys of a tariff file that are lists, and the item of each place."""
_SINGLE = (items.STEP_PERIOD, items.BILLING_DAY, items.BILLING_YEAR)
TARIFF_ITEMS: tuple[Item, ...] = (*(each for many in _LISTS.values() for each in many), *_SINGLE)


def held_items(driver: Reader) -> list[Item]:
    """Return the items of a tariff that the map has.

    Raises:
        UsageError: it has none.
    """
    held = [item for item in TARIFF_ITEMS if driver.holds(item)]
    if not held:
        raise UsageError(
            "this map shows nothing of a tariff: it has neither its parts nor an item such as "
            "price_1"
        )
    return held


def json_of_items(held: Sequence[Item], values: Mapping[Item, Any]) -> str:
    """Return items as one JSON object with the keys of a tariff file; null is not shown."""
    found = {}
    for key, places in _LISTS.items():
        shown = [item for item in places if item in held]
        if shown:
            upto = places[: places.index(shown[-1]) + 1]
            found[key] = array(_json(item, values) for item in upto)
    found |= {item.name: _json(item, values) for item in _SINGLE if item in held}
    return line(found)


def _json(item: Item, values: Mapping[Item, Any]) -> str:
    return "null" if values.get(item) is None else item.kind.json(values[item])
