"""The settings in force of meters as text for people: meters that agree are told once."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from firmware_sim.meter_description import MeterDescription
from firmware_sim.programs.meter_names import meter_names
from firmware_sim.rack.stations import Station
from firmware_sim.rack.values import values_of, word
from firmware_sim.settings import attribute
from protocols.data_model import items
from protocols.data_model.items import SETTINGS, Item
from protocols.quantities import format_money

WIDTH = 79
_ALWAYS = (
    items.METER_TYPE,
    items.ACCOUNT_UNIT,
    items.ACCOUNT_STATE,
    items.PRICES[0],
    items.TRIP_MODE,
    items.RECONNECT_MODE,
    items.LOW_CREDIT_1,
    items.LOW_CREDIT_2,
    items.OVERDRAFT_LIMIT,
    items.MAX_CREDIT,
    items.RECONNECT_THRESHOLD,
    items.POWER_LIMIT,
    items.TRIP_DELAY,
)
"""METER.md 4 names their defaults; other settings are told where they differ from the default."""
_DEFAULTS = MeterDescription().settings


def in_force(stations: Iterable[Station]) -> list[str]:
    """Return a text of a few lines for all meters with the same settings."""
    alike: dict[str, list[Station]] = {}
    for station in stations:
        alike.setdefault(_settings(station), []).append(station)
    return [_text(group, settings) for settings, group in alike.items()]


def _text(group: Sequence[Station], settings: str) -> str:
    credits_ = [station.meter.state.account.credit for station in group]
    low, high = format_money(min(credits_)), format_money(max(credits_))
    credit = low if low == high else f"{low}..{high}"
    names = meter_names([(station.serial_number, station.unit) for station in group])
    return textwrap.fill(
        f"{names}: available_credit={credit} {settings}",
        WIDTH,
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _settings(station: Station) -> str:
    settings = station.meter.state.settings
    changed = [
        item
        for item in SETTINGS.values()
        if item not in _ALWAYS and _value(settings, item) != _value(_DEFAULTS, item)
    ]
    shown = values_of(station.meter, (*_ALWAYS, *changed))
    return " ".join(f"{name}={word(value)}" for name, value in shown.items())


def _value(settings: object, item: Item) -> object:
    return getattr(settings, attribute(item))
