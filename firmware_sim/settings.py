"""Settings of a purchase agreement and of a sealed `limits` command (METER.md 4 and 5).

Attributes are item names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from protocols.data_model.items import POWER_LIMIT, SETTINGS, Item
from protocols.data_model.limit_rules import LimitProblem, limit_problems
from protocols.data_model.words import ReconnectMode, TripMode, UnopenedSupply

_ATTRIBUTES = {POWER_LIMIT: "power_limit_mw"}
"""Attributes that differ from the item name, because they carry the unit that they hold."""


def attribute(item: Item) -> str:
    """Return the attribute of `Settings` that holds an item."""
    return _ATTRIBUTES.get(item, item.name)


@dataclass(frozen=True, slots=True)
class Settings:
    """Money in ledger units, power in mW, everything else in the unit of its name; None is off."""

    low_credit_threshold_1: int | None = None
    low_credit_threshold_2: int | None = None
    overdraft_limit: int = 0
    max_credit: int | None = None
    reconnect_threshold: int = 0
    trip_mode: int = TripMode.TWO_STAGE
    reconnect_mode: int = ReconnectMode.AUTOMATIC
    trip_delay_minutes: int = 0
    remote_trip_delay: int = 0
    power_limit_mw: int | None = None
    power_limit_delay_s: int = 10
    overload_reconnect_s: int = 60
    overload_attempts: int = 3
    overload_reset_s: int = 3600
    unopened_supply: int = UnopenedSupply.CONNECTED
    tamper_trip: int = 0
    standing_charge: int = 0
    debt_instalment: int = 0
    debt_share_percent: int = 0
    friendly_hours: int = 0
    friendly_weekends: int = 0
    friendly_holidays: int = 0
    utc_offset_minutes: int = 0
    strict_suspension: int = 0

    def problems(self) -> list[LimitProblem]:
        """Return every value and pair that is not allowed (METER.md 4: OUT_OF_RANGE)."""
        return limit_problems({item: getattr(self, attribute(item)) for item in SETTINGS.values()})

    def with_values(self, values: Mapping[int, int | None]) -> Settings:
        """Return the settings with values by setting number."""
        named = {attribute(SETTINGS[number]): value for number, value in values.items()}
        return replace(self, **named)  # type: ignore[arg-type]

    def levels(self) -> tuple[int, ...]:
        """Return every credit level that may have an effect, highest first."""
        some = {0, -self.overdraft_limit, self.low_credit_threshold_1, self.low_credit_threshold_2}
        return tuple(sorted((level for level in some if level is not None), reverse=True))
