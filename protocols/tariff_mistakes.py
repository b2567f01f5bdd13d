"""The mistakes of a tariff's keys, as far as they could be read: all at once.

A draft has the keys that are given. What could not be read of them is None, also as an element of
a list; a key of a table that could not be read is absent. Each text begins with its place, such as
"prices.2", whose elements are numbered from 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from protocols.data_model.tariff_rules import (
    MAX_DAY_TABLES,
    MAX_RATES,
    billing_day_problems,
    billing_year_problems,
    day_table_problems,
    holiday_problems,
    price_problems,
    season_problems,
    step_addition_problems,
    step_count_problem,
    step_limit_problems,
)


def mistakes_of(draft: Mapping[str, Any], *, is_whole: bool) -> list[str]:
    """Return the mistakes that can be found in a draft.

    Args:
        is_whole: whether a key that is not given has its default; else it may be the meter's own.
    """
    found = [
        *_mistakes_of_prices(draft),
        *_mistakes_of_steps(draft),
        *_mistakes_of_dates(draft),
        *_wrong_tables(draft, is_whole=is_whole),
        *_wrong_rates(draft, is_whole=is_whole),
    ]
    return list(dict.fromkeys(found))


def _mistakes_of_prices(draft: Mapping[str, Any]) -> Iterator[str]:
    if (prices := draft.get("prices")) is not None:
        yield from price_problems(prices)


def _mistakes_of_steps(draft: Mapping[str, Any]) -> Iterator[str]:
    limits, additions = draft.get("step_limits_kwh", ()), draft.get("step_additions", ())
    if limits is not None:
        yield from step_limit_problems(limits)
    if additions is not None:
        yield from step_addition_problems(additions)
    given = next((key for key in ("step_additions", "step_limits_kwh") if key in draft), None)
    if given and limits is not None and additions is not None:
        has_default = not limits and "step_additions" not in draft
        wrong = step_count_problem(len(limits), 1 if has_default else len(additions))
        if wrong:
            yield f"{given}: {wrong}"
    if (day := draft.get("billing_day")) is not None:
        yield from billing_day_problems(int(day[:2]), int(day[2:]))
    if (year := draft.get("billing_year")) is not None:
        yield from billing_year_problems(int(year[:2]), int(year[2:]))


def _mistakes_of_dates(draft: Mapping[str, Any]) -> Iterator[str]:
    """Yield the mistakes of day tables, seasons and holidays; an empty list is the default."""
    if tables := _rows(draft, "day_tables"):
        entries = [row.get("entries") for row in tables]
        yield from day_table_problems([each and [e and e[0] for e in each] for each in entries])
    if seasons := _rows(draft, "seasons"):
        yield from season_problems([row.get("start") for row in seasons])
    holidays = _rows(draft, "holidays")
    yield from holiday_problems([(row.get("date"), _table_of_holiday(row)) for row in holidays])


def _rows(draft: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """Return the tables of a list; one that could not be read is empty."""
    return [row or {} for row in draft.get(key) or ()]


def _table_of_holiday(row: Mapping[str, Any]) -> int | None:
    """Return the day table of a holiday: 0 where it has none, None where it could not be read."""
    table: int | None = row.get("day_table", 0)
    return table


def _wrong_tables(draft: Mapping[str, Any], *, is_whole: bool) -> Iterator[str]:
    told, last = _allowed(draft, "day_tables", MAX_DAY_TABLES, is_whole=is_whole)
    for place, number in _table_numbers(draft):
        if not 1 <= number <= last:
            yield f"{place} = {number}: {told}"


def _table_numbers(draft: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """Yield the places that name a day table, and its number; a holiday may name none, 0."""
    for number, row in enumerate(_rows(draft, "seasons"), 1):
        if row.get("day_table") is not None:
            yield f"seasons.{number}.day_table", row["day_table"]
    for day, table in (draft.get("weekdays") or {}).items():
        if table:
            yield f"weekdays.{day}", table
    for number, row in enumerate(_rows(draft, "holidays"), 1):
        if row.get("day_table"):
            yield f"holidays.{number}.day_table", row["day_table"]


def _wrong_rates(draft: Mapping[str, Any], *, is_whole: bool) -> Iterator[str]:
    told, last = _allowed(draft, "prices", MAX_RATES, is_whole=is_whole)
    for number, row in enumerate(_rows(draft, "day_tables"), 1):
        for at, entry in enumerate(row.get("entries") or (), 1):
            if entry is not None and not 1 <= entry[1] <= last:
                yield f"day_tables.{number}.entries.{at} = rate {entry[1]}: {told}"


_REFERENCES = {"day_tables": "the day tables of the file", "prices": "the rates that have a price"}


def _allowed(draft: Mapping[str, Any], key: str, most: int, *, is_whole: bool) -> tuple[str, int]:
    """Return what is allowed as a reference to an element of a list, and the last one."""
    if count := len(draft.get(key) or ()):
        last = min(count, most)
        return f"allowed is 1 to {last}, {_REFERENCES[key]}", last
    if is_whole and key not in draft:
        return f"allowed is 1: there are no {key}", 1
    return f"allowed is 1 to {most}", most
