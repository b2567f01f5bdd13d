"""The tariff of a meter that is described: its keys, one price, the rule of an energy account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from protocols.data_model.tariff import Prices, Tariff
from protocols.data_model.tariff_rules import MAX_PRICE
from protocols.data_model.tariff_sets import ENERGY_PRICE, is_energy_tariff
from protocols.data_model.words import ENERGY_ACCOUNT
from protocols.tariff_file import tariff_of
from protocols.toml_values import ConfigurationError


def tariff_in_force(values: Mapping[str, Any], price: int | None, account_unit: int) -> Tariff:
    """Return the tariff of a meter: of its keys, or of one `price` over them.

    Raises:
        ConfigurationError: keys that disagree, or another price of an energy account.
    """
    tariff = tariff_of(values)
    if price is not None:
        tariff = Tariff(prices=Prices((price,)))
        if price > MAX_PRICE:
            raise ConfigurationError("price: allowed is 0 to 9999.9999")
    if account_unit == ENERGY_ACCOUNT:
        if price is None and not values:
            tariff = Tariff(prices=Prices((ENERGY_PRICE,)))
        if not is_energy_tariff(tariff):
            raise ConfigurationError(
                "tariff: an energy account (account_unit kWh) has the fixed price 1.0000, no steps"
            )
    return tariff
