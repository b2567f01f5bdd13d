"""Configuration of a meter in TOML; keys are item names (DESIGN.md 5.1).

Text in, description out: the edge reads the files. Errors name the key, the value and the allowed
values.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, create_model

from firmware_sim.settings import Settings, attribute
from protocols.data_model import items
from protocols.data_model.kinds import Kind
from protocols.data_model.tariff import DayTables, Prices, Seasons, Steps, Tariff
from protocols.data_model.words import MeterType, PhaseSummation, choice
from protocols.errors import ProtocolError, QuantityError
from protocols.quantities import parse_date, parse_fixed, parse_moment, parse_money, parse_price

MAX_SHOWN = 200


class ConfigurationError(Exception):
    """An invalid configuration; the text names every key, its value and the allowed values."""


def _parsed(parse: Callable[[str], Any]) -> BeforeValidator:
    def read(value: object) -> Any:
        if isinstance(value, bool):
            value = "on" if value else "off"
        try:
            return parse(str(value))
        except ProtocolError as error:
            raise ValueError(str(error)) from error

    return BeforeValidator(read)


def _of_kind(kind: Kind) -> Any:
    return Annotated[Any, _parsed(kind.parse)]


def _list_of(parse: Callable[[str], Any]) -> Any:
    return list[Annotated[Any, _parsed(parse)]]


def _parse_entry(text: str) -> tuple[int, int]:
    """Read a day table entry, "08:00 2": a local time and the rate from then on."""
    time, _, rate = text.strip().partition(" ")
    hour, colon, minute = time.partition(":")
    if not (colon and hour.isdigit() and minute.isdigit() and rate.strip().isdigit()):
        raise QuantityError(f"{text!r} is no entry: write '08:00 2', a local time and a rate")
    if int(hour) > 23 or int(minute) > 59:
        raise QuantityError(f"{text!r} is no time of day")
    return int(hour) * 60 + int(minute), int(rate)


def _parse_month_day(text: str) -> tuple[int, int]:
    month, dash, day = text.strip().partition("-")
    if not (dash and month.isdigit() and day.isdigit()):
        raise QuantityError(f"{text!r} is no date of the year: write 05-01")
    return int(month), int(day)


def _parse_epoch(text: str) -> int:
    epoch = int(items.EPOCH.kind.parse(text))
    if not 1 <= epoch <= 0xFFFF_FFFF:
        raise QuantityError(f"{text!r} is no epoch: allowed is 00000001 to ffffffff")
    return epoch


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SeasonRow(_Strict):
    """A season: its first local date and its day table."""

    start: Annotated[tuple[int, int], _parsed(_parse_month_day)]
    day_table: Annotated[int, _parsed(items.COUNT.parse)]


class HolidayRow(_Strict):
    """A holiday; day_table 0 keeps the regular table of the day."""

    date: Annotated[int, _parsed(parse_date)]
    day_table: Annotated[int, _parsed(items.COUNT.parse)] = 0


class DayTableRow(_Strict):
    """A day table: entries such as "08:00 2"."""

    entries: _list_of(_parse_entry) = Field(min_length=1)  # type: ignore[valid-type]


_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class TariffConfiguration(_Strict):
    """A tariff: prices, day tables, seasons, steps."""

    prices: _list_of(parse_price) = [5283]  # type: ignore[valid-type]
    step_limits_kwh: _list_of(lambda text: parse_fixed(text, 6)) = []  # type: ignore[valid-type]
    step_additions: _list_of(parse_price) = [0]  # type: ignore[valid-type]
    step_period: Literal["month", "year"] = "month"
    billing_day: Annotated[str, _parsed(items.BILLING_DAY.kind.parse)] = "0100"
    billing_year: Annotated[str, _parsed(items.BILLING_YEAR.kind.parse)] = "0101"
    day_tables: list[DayTableRow] = []
    seasons: list[SeasonRow] = []
    weekdays: dict[Literal[_WEEKDAYS], Annotated[int, _parsed(items.COUNT.parse)]] = {}  # type: ignore[valid-type]
    holidays: list[HolidayRow] = []

    def tariff(self) -> Tariff:
        """Return the tariff; raises ConfigurationError for inconsistent parts."""
        tables = tuple(tuple(sorted(row.entries)) for row in self.day_tables) or DayTables().tables
        seasons = (
            tuple(sorted((*row.start, row.day_table) for row in self.seasons)) or Seasons().starts
        )
        tariff = Tariff(
            Seasons(
                seasons,
                tuple(self.weekdays.get(day, 0) for day in _WEEKDAYS),
                tuple((row.date, row.day_table) for row in self.holidays),
            ),
            DayTables(tables),
            Prices(tuple(self.prices)),
            Steps(
                tuple(self.step_limits_kwh),
                tuple(self.step_additions),
                self.step_period == "year",
                int(self.billing_day[:2]),
                int(self.billing_day[2:]),
                int(self.billing_year[:2]),
                int(self.billing_year[2:]),
            ),
        )
        if found := tariff.problem():
            raise ConfigurationError(f"tariff: {found}")
        return tariff


class _MeterBase(_Strict):
    serial_number: _of_kind(items.SERIAL_NUMBER.kind) = "000000000001"  # type: ignore[valid-type]
    unit: Annotated[int, _parsed(items.Fixed("", 0, 0, low=1, high=247).parse)] = 1
    meter_type: _of_kind(choice(MeterType)) = MeterType.SINGLE_PHASE  # type: ignore[valid-type]
    account_unit: _of_kind(items.ACCOUNT_UNIT.kind) = 156  # type: ignore[valid-type]
    account: Literal["open", "unopened"] = "open"
    customer_number: _of_kind(items.CUSTOMER_NUMBER.kind) = "0" * 12  # type: ignore[valid-type]
    credit: Annotated[int | None, _parsed(parse_money)] = None
    debt: Annotated[int, _parsed(parse_money)] = 0
    load: str = "0kW"
    load_on_end: Literal["hold", "repeat", "zero"] = "repeat"
    start: Annotated[int | None, _parsed(parse_moment)] = None
    time_zone: str | None = None
    epoch: Annotated[int | None, _parsed(_parse_epoch)] = None
    phase_summation: _of_kind(choice(PhaseSummation)) = PhaseSummation.ARITHMETIC  # type: ignore[valid-type]
    reverse_charged: _of_kind(items.REVERSE_CHARGED.kind) = 0  # type: ignore[valid-type]
    nominal_voltage_v: Annotated[
        int, _parsed(items.Fixed("V", 3, 3, low=1000, high=1_000_000).parse)
    ] = 230_000
    frequency_hz: Annotated[int, _parsed(items.Fixed("Hz", 3, 3, low=1000, high=500_000).parse)] = (
        50_000
    )
    profile_days: Annotated[int, _parsed(items.Fixed("", 0, 0, low=1, high=366).parse)] = 10
    drift_ppm: Annotated[
        int, _parsed(items.Fixed("ppm", 0, 0, low=-100_000, high=100_000).parse)
    ] = 0
    guarantee: _of_kind(items.GUARANTEE.kind) = 0  # type: ignore[valid-type]
    tariff: TariffConfiguration | str = TariffConfiguration()

    def settings(self) -> Settings:
        """Return the settings; raises ConfigurationError for inconsistent values."""
        settings = Settings(
            **{attribute(item): getattr(self, item.name) for item in items.SETTINGS.values()}
        )
        if found := settings.problem():
            raise ConfigurationError(found)
        return settings


_DEFAULTS = Settings()
MeterConfiguration = create_model(
    "MeterConfiguration",
    __base__=_MeterBase,
    **{
        item.name: (_of_kind(item.kind), getattr(_DEFAULTS, attribute(item)))
        for item in items.SETTINGS.values()
    },  # type: ignore[call-overload]
)
"""The keys of a meter's TOML: its description, and every setting by its item name."""


def parse_meter(text: str, overrides: dict[str, Any] | None = None) -> _MeterBase:
    """Return the configuration of a TOML text, with `overrides`; raises ConfigurationError."""
    table = _toml(text)
    configuration: _MeterBase = _validate(MeterConfiguration, table | (overrides or {}))
    return configuration


def parse_tariff(text: str) -> TariffConfiguration:
    """Return the tariff of a separate TOML text; raises ConfigurationError."""
    tariff: TariffConfiguration = _validate(TariffConfiguration, _toml(text))
    return tariff


def tariff_of(configuration: _MeterBase, price: int | None, read: Callable[[str], str]) -> Tariff:
    """Return the tariff: the configuration's own, that of a file by `read`, or of one price."""
    section = configuration.tariff
    if isinstance(section, str):
        section = parse_tariff(read(section))
    tariff = section.tariff()
    if price is not None:
        tariff = Tariff(prices=Prices((price,)))
    if configuration.account_unit == 0:
        if price is None and not section.model_fields_set:
            tariff = Tariff(prices=Prices((10_000,)))
        if set(tariff.prices.prices) != {10_000} or any(tariff.steps.additions):
            raise ConfigurationError(
                "tariff: an energy account (account_unit kWh) has the fixed price 1.0000, no steps"
            )
    return tariff


def _toml(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text, parse_float=str)
    # ValueError: tomllib's own error, and that of an integer with too many digits
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"it is not TOML: {error}") from error


def _validate(model: type[Any], table: dict[str, Any]) -> Any:
    try:
        return model.model_validate(table)
    except ValidationError as error:
        raise ConfigurationError(
            "\n".join(_explain(model, one) for one in error.errors())
        ) from error


def _explain(model: type[BaseModel], error: Any) -> str:
    key = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"{key}: there is no such key; allowed are {', '.join(sorted(model.model_fields))}"
    message = error["msg"].removeprefix("Value error, ")
    item = items.BY_NAME.get(key)
    allowed = getattr(item.kind, "allowed", None) if item else None
    tail = f" (allowed: {allowed()})" if allowed and "allowed" not in message else ""
    return f"{key} = {_shown(error['input'])}: {message}{tail}"


def _shown(value: object) -> str:
    """Return a value as text, shortened where it is long.

    An integer may have too many digits for `repr`.
    """
    try:
        text = repr(value)
    except ValueError:
        return "a number of thousands of digits"
    return text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "..."
