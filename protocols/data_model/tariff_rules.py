"""What a tariff may hold, over values some of which could not be read: those are None.

A problem begins with its key; the elements of a list are numbered from 1, as "prices.2".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from protocols.quantities import format_date, format_fixed

MAX_RATES = 4
MAX_DAY_TABLES = 8
MAX_DAY_TABLE_ENTRIES = 14
MAX_SEASONS = 14
MAX_HOLIDAYS = 64
DAYS_OF_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
MAX_STEP_LIMIT = 10**15
"""mWh: far above any real consumption, and within a 64-bit register."""
MAX_STEPS = 6
MAX_PRICE = 99_999_999
"""Prices have eight digits, 9999.9999 (DL/T 645)."""


def price_problems(prices: Sequence[int | None]) -> Iterator[str]:
    """Yield the problems of the prices of rates, 1e-4 account unit per kWh."""
    yield from _count_problem("prices", len(prices), 1, MAX_RATES)
    yield from _price_range_problems("prices", prices)


def step_limit_problems(limits: Sequence[int | None]) -> Iterator[str]:
    """Yield the problems of step limits, mWh; each is compared with the one read before it."""
    yield from _count_problem("step_limits_kwh", len(limits), 0, MAX_STEPS)
    before = 0
    for number, limit in enumerate(limits, 1):
        if limit is None:
            continue
        key = f"step_limits_kwh.{number}"
        if limit <= before:
            yield (
                f"{key}: {_kwh(limit)} is not above {_kwh(before)}: step limits rise from above 0"
            )
        if limit > MAX_STEP_LIMIT:
            yield f"{key}: a step limit is at most 1,000,000,000 kWh"
        before = limit


def step_addition_problems(additions: Sequence[int | None]) -> Iterator[str]:
    """Yield the problems of step additions, 1e-4 account unit per kWh, without their number."""
    yield from _price_range_problems("step_additions", additions)


def step_count_problem(limits: int, additions: int) -> str | None:
    """Return what is wrong with so many additions for so many limits, without a key, or None."""
    if additions == limits + 1:
        return None
    need = f"{limits} limit{'s need' if limits != 1 else ' needs'}"
    wanted = f"{limits + 1} addition{'s' if limits else ''}"
    there = f"there {'is' if additions < 2 else 'are'} {additions or 'none'}"
    return f"{need} {wanted}, {there}"


def billing_day_problems(day: int, hour: int) -> Iterator[str]:
    """Yield the problem of the end of a billing period."""
    if not (1 <= day <= 28 and 0 <= hour <= 23):
        yield f"billing_day = {day:02d}{hour:02d}: allowed is DDhh, day 01 to 28, hour 00 to 23"


def billing_year_problems(month: int, day: int) -> Iterator[str]:
    """Yield the problem of the begin of a billing year."""
    if not (1 <= month <= 12 and 1 <= day <= 28):
        yield f"billing_year = {month:02d}{day:02d}: allowed is MMDD, month 01 to 12, day 01 to 28"


def day_table_problems(tables: Sequence[Sequence[int | None] | None]) -> Iterator[str]:
    """Yield the problems of day tables, each the local minutes of its entries in any order."""
    yield from _count_problem("day_tables", len(tables), 1, MAX_DAY_TABLES)
    for number, minutes in enumerate(tables, 1):
        if minutes is None:
            continue
        key = f"day_tables.{number}.entries"
        yield from _count_problem(key, len(minutes), 1, MAX_DAY_TABLE_ENTRIES)
        seen: set[int] = set()
        for entry, minute in enumerate(minutes, 1):
            if minute is None:
                continue
            if minute in seen:
                time = f"{minute // 60:02d}:{minute % 60:02d}"
                yield f"{key}.{entry}: {time} begins two entries: allowed is one"
            if minute >= 1440:
                yield f"{key}.{entry}: an entry is past 23:59"
            seen.add(minute)


def season_problems(starts: Sequence[tuple[int, int] | None]) -> Iterator[str]:
    """Yield the problems of the starts of seasons, (month, day) in any order."""
    yield from _count_problem("seasons", len(starts), 1, MAX_SEASONS)
    seen: set[tuple[int, int]] = set()
    for number, start in enumerate(starts, 1):
        if start is None:
            continue
        month, day = start
        if start in seen:
            yield f"seasons.{number}: {month:02d}-{day:02d} starts two seasons: allowed is one"
        if not (1 <= month <= 12 and 1 <= day <= DAYS_OF_MONTH[month - 1]):
            yield f"seasons.{number}: a start is no date: {month:02d}-{day:02d}"
        seen.add(start)


def holiday_problems(holidays: Sequence[tuple[int | None, int | None]]) -> Iterator[str]:
    """Yield the problems of holidays: (days since 1970-01-01, day table or 0)."""
    yield from _count_problem("holidays", len(holidays), 0, MAX_HOLIDAYS)
    tables: dict[int, int] = {}
    for number, (date, table) in enumerate(holidays, 1):
        if date is None:
            continue
        if date < 0:
            yield f"holidays.{number}: a date is before 1970"
        if table is not None and tables.setdefault(date, table) != table:
            yield f"holidays.{number}: {format_date(date)} has two day tables: allowed is one"


def _count_problem(key: str, count: int, least: int, most: int) -> Iterator[str]:
    if not least <= count <= most:
        allowed = f"{least} to {most}" if least else f"at most {most}"
        given = f"{count or 'none'} {'is' if count < 2 else 'are'}"
        yield f"{key}: {given} given: allowed is {allowed}"


def _price_range_problems(key: str, prices: Sequence[int | None]) -> Iterator[str]:
    for number, price in enumerate(prices, 1):
        if price is not None and not 0 <= price <= MAX_PRICE:
            yield f"{key}.{number} = {format_fixed(price, 4, 4)}: allowed is 0 to 9999.9999"


def _kwh(mwh: int) -> str:
    return format_fixed(mwh, 6, 6)
