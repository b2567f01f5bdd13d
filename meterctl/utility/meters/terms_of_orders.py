"""Settings and tariffs in the parameters and outcomes of orders, as text by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from meterctl.operations.tariff.file import parse_tariff_file
from meterctl.operations.tariff.values import json_of
from meterctl.utility.meters.gateway import Terms
from protocols.data_model.items import BY_NAME, Item, settable
from protocols.data_model.tariff import TariffChange


def wanted_settings(parameters: Mapping[str, Any]) -> dict[Item, Any]:
    """Return the settings of an order `limits`: its parameter `settings`, name and text of each.

    Raises:
        QuantityError: a text is no value of its item.
        KeyError: there is no item of a name.
    """
    texts: Mapping[str, str] = parameters["settings"]
    items = {BY_NAME[name]: text for name, text in texts.items()}
    return {item: settable(item).parse(text) for item, text in items.items()}


def wanted_tariff(parameters: Mapping[str, Any]) -> TariffChange:
    """Return the change of an order `tariff`: its parameter `text`, that of a tariff file.

    Raises:
        UsageError: every mistake in it.
    """
    return parse_tariff_file(parameters["text"]).change()


def settings_text(settings: Mapping[Item, Any]) -> dict[str, str]:
    """Return settings as they were read, name and text of each."""
    return {item.name: item.kind.text(value) for item, value in settings.items()}


def terms_text(terms: Terms) -> dict[str, Any]:
    """Return what a meter is set to: `settings`, and the tariff in force and pending.

    The parts of a tariff have the keys of a tariff file, their values are JSON.
    """
    return {
        "settings": settings_text(terms.settings),
        "current": json_of(part for _, part in terms.current.parts),
        "pending": json_of(part for _, part in terms.pending.parts),
    }
