"""The keys of a tariff, as a table of a meter's TOML or as a file of its own (docs/tariffs.md)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from protocols.data_model import items
from protocols.data_model.kinds import COUNT
from protocols.data_model.tariff import DayTables, Part, Prices, Seasons, Steps, Tariff
from protocols.data_model.tariff_rules import DAYS_OF_MONTH
from protocols.errors import QuantityError
from protocols.quantities import (
    SECOND,
    LocalMoment,
    parse_date,
    parse_fixed,
    parse_price,
    parse_written_moment,
)
from protocols.tariff_mistakes import mistakes_of
from protocols.toml_text import parse_toml
from protocols.toml_values import (
    ConfigurationError,
    Words,
    list_of,
    parsed,
    read_all,
    reader_of,
    table_of,
)

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


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
    if not (1 <= int(month) <= 12 and 1 <= int(day) <= DAYS_OF_MONTH[int(month) - 1]):
        raise QuantityError(f"{text!r} is no date of the year: allowed is 01-01 to 12-31")
    return int(month), int(day)


def _parse_step_limit(text: str) -> int:
    return parse_fixed(text, 6)


_TABLE_NUMBER = parsed(COUNT.parse)
_PRICES = list_of(parsed(parse_price))

TARIFF_KEYS = {
    "prices": _PRICES,
    "step_limits_kwh": list_of(parsed(_parse_step_limit)),
    "step_additions": _PRICES,
    "step_period": reader_of(Words({"month": False, "year": True})),
    "billing_day": reader_of(items.BILLING_DAY.kind),
    "billing_year": reader_of(items.BILLING_YEAR.kind),
    "day_tables": list_of(
        table_of({"entries": list_of(parsed(_parse_entry), least=1)}, needed=("entries",))
    ),
    "seasons": list_of(
        table_of(
            {"start": parsed(_parse_month_day), "day_table": _TABLE_NUMBER},
            needed=("start", "day_table"),
        )
    ),
    "weekdays": table_of(dict.fromkeys(WEEKDAYS, _TABLE_NUMBER)),
    "holidays": list_of(
        table_of({"date": parsed(parse_date), "day_table": _TABLE_NUMBER}, needed=("date",))
    ),
}
"""Readers of the keys; what they yield is put together by `tariff_of`."""
KEYS_OF_PARTS: Mapping[type[Part], tuple[str, ...]] = {
    Prices: ("prices",),
    Steps: ("step_limits_kwh", "step_additions", "step_period", "billing_day", "billing_year"),
    DayTables: ("day_tables",),
    Seasons: ("seasons", "weekdays", "holidays"),
}
"""The keys of each part. A part whose key is given has the defaults of its other keys."""


def parse_activation(text: str) -> int | LocalMoment:
    """Return the instant of an activation, or local time of the meter where no offset is written.

    Raises:
        QuantityError: no moment, or one that no tariff command has.
    """
    activation = parse_written_moment(text)
    at_ms = activation.ms if isinstance(activation, LocalMoment) else activation
    if at_ms < 0 or at_ms % SECOND or at_ms // SECOND > 0xFFFF_FFFF:
        raise QuantityError("whole seconds from 1970 to 2106 are allowed")
    return activation


def parse_tariff(text: str) -> Mapping[str, Any]:
    """Return the values of a TOML text, by the keys that it has.

    Raises:
        QuantityError: it is not TOML.
        ConfigurationError: keys that there are not, and values that are not allowed.
    """
    return read_tariff(parse_toml(text))


def read_tariff(table: Mapping[str, Any], place: str = "") -> Mapping[str, Any]:
    """Return the values of a table, by the keys that it has.

    Raises:
        ConfigurationError: keys that there are not, values that are not allowed, and what could be
            read that no tariff can have.
    """
    try:
        return read_all((TARIFF_KEYS, table), place=place)
    except ConfigurationError as error:
        told = [str(error), *_under_tariff(mistakes_of(error.draft, is_whole=True))]
        raise ConfigurationError("\n".join(told), error.values) from error


def tariff_of(values: Mapping[str, Any]) -> Tariff:
    """Return the tariff of the keys that are given; raises ConfigurationError if they disagree."""
    if found := mistakes_of(values, is_whole=True):
        raise ConfigurationError("\n".join(_under_tariff(found)))
    return unchecked_tariff(values)


def unchecked_tariff(values: Mapping[str, Any]) -> Tariff:
    """Return the tariff of the keys that are given, with the defaults of the others."""
    steps = {
        "limits": values.get("step_limits_kwh"),
        "additions": values.get("step_additions"),
        "yearly": values.get("step_period"),
    }
    for name, high, low in (
        ("billing_day", "billing_day", "billing_hour"),
        ("billing_year", "year_month", "year_day"),
    ):
        if name in values:
            steps |= {high: int(values[name][:2]), low: int(values[name][2:])}
    seasons = {
        "starts": tuple(
            sorted((*row["start"], row["day_table"]) for row in values.get("seasons", ()))
        ),
        "holidays": tuple(
            (row["date"], row.get("day_table", 0)) for row in values.get("holidays", ())
        ),
        "weekdays": tuple(values.get("weekdays", {}).get(day, 0) for day in WEEKDAYS),
    }
    tables = tuple(tuple(sorted(row["entries"])) for row in values.get("day_tables", ()))
    return Tariff(
        Seasons(**{name: value for name, value in seasons.items() if value}),
        DayTables(tables) if tables else DayTables(),
        Prices(values["prices"]) if "prices" in values else Prices(),
        Steps(**{name: value for name, value in steps.items() if value is not None}),
    )


def _under_tariff(mistakes: Iterable[str]) -> Iterator[str]:
    """Yield mistakes with their places in a description of a meter."""
    return (f"tariff.{mistake}" for mistake in mistakes)
