"""What a tariff may say and hardly means: found before it is sent, and never refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from meterctl.operations.tariff.file import AT_ONCE, Activation, Finding, TariffFile
from protocols.data_model.tariff import Tariff
from protocols.quantities import DAY, LocalMoment, format_date, format_fixed

COMMA_ERROR = 100
"""One price so many times another is taken for a misplaced decimal point."""


def warnings_of(file: TariffFile, now_ms: int) -> list[Finding]:
    """Return the warnings of a file, in the order of its lines.

    Args:
        now_ms: the host's clock, for dates that are past.
    """
    found = [
        *_price_warnings(file),
        *_unused(file),
        *_past_holidays(file, now_ms // DAY),
    ]
    return sorted(found, key=lambda finding: finding.line)


def _price_warnings(file: TariffFile) -> Iterator[Finding]:
    prices: tuple[int, ...] = file.values.get("prices", ())
    additions: tuple[int, ...] = file.values.get("step_additions", ())
    if prices and not any(prices):
        yield file.finding("prices", "all prices are 0: nothing but step additions is charged")
        return
    named = [(f"prices.{rate}", price) for rate, price in enumerate(prices, 1)]
    for rate, (place, price) in enumerate(named, 1):
        if not price:
            yield file.finding(place, f"rate {rate} costs nothing")
    named += [(f"step_additions.{number}", price) for number, price in enumerate(additions, 1)]
    costs = [price for _, price in named if price]
    for place, price in named:
        if price >= COMMA_ERROR * min(costs, default=price):
            yield file.finding(
                place,
                f"{_price(price)} is {price // min(costs)} times {_price(min(costs))}: "
                f"is its decimal point right?",
            )


def _unused(file: TariffFile) -> Iterator[Finding]:
    """Yield rates and day tables that are never used, where the file says what uses them."""
    values, tables = file.values, file.values.get("day_tables", ())
    if tables:
        used = {rate for row in tables for _, rate in row["entries"]}
        for number in range(1, len(values.get("prices", ())) + 1):
            if number not in used:
                told = f"rate {number} is in no day table: it is never used"
                yield file.finding(f"prices.{number}", told)
    if "seasons" not in values:
        return
    used = tables_in_use(values)
    for number in range(1, len(tables) + 1):
        if number not in used:
            told = f"day table {number} is used by no season, weekday or holiday"
            yield file.finding(f"day_tables.{number}", told)
    if len([day for day, table in values.get("weekdays", {}).items() if table]) == 7:
        yield file.finding("seasons", "every weekday has a day table: no season is ever used")


def tables_in_use(values: Mapping[str, Any]) -> set[int]:
    """Return the day tables that some date has: those of seasons only where a weekday has none."""
    weekdays = {table for table in values.get("weekdays", {}).values() if table}
    holidays = {row.get("day_table", 0) for row in values.get("holidays", ())}
    by_season = len([t for t in values.get("weekdays", {}).values() if t]) < 7
    seasons = {row["day_table"] for row in values.get("seasons", ()) if by_season}
    return weekdays | holidays | seasons


def _past_holidays(file: TariffFile, today: int) -> Iterator[Finding]:
    for number, row in enumerate(file.values.get("holidays", ()), 1):
        if row["date"] < today:
            yield file.finding(f"holidays.{number}", f"{format_date(row['date'])} is past")


def activation_warnings(file: TariffFile, now_ms: int) -> list[Finding]:
    """Return the parts whose activation is past by the host's clock; local time by a day."""
    return [
        file.finding(
            f"activation.{name}", "it is past by the clock of this computer: it applies at once"
        )
        for name, moment in file.activations.items()
        if moment != AT_ONCE and _latest(moment) <= now_ms
    ]


def _latest(moment: Activation) -> int:
    """Return the latest instant that a moment can be in any time zone."""
    return moment.ms + DAY if isinstance(moment, LocalMoment) else moment


def set_warnings(tariff: Tariff) -> list[str]:
    """Return the warnings of a complete set: rates and day tables that nothing uses."""
    rates, tables = tariff.day_tables.rates(), tables_of_dates(tariff)
    found = [
        f"rate {number} is in no day table: its price is never used"
        for number in range(1, len(tariff.prices.prices) + 1)
        if number not in rates
    ]
    return found + [
        f"day table {number} is used by no season, weekday or holiday"
        for number in range(1, len(tariff.day_tables.tables) + 1)
        if number not in tables
    ]


def tables_of_dates(tariff: Tariff) -> set[int]:
    """Return the day tables of a complete set that some date has."""
    seasons = tariff.seasons
    found = {table for table in seasons.weekdays if table}
    found |= {table for _, table in seasons.holidays if table}
    return found | ({t for *_, t in seasons.starts} if not all(seasons.weekdays) else set())


def _price(price: int) -> str:
    return format_fixed(price, 4, 4)
