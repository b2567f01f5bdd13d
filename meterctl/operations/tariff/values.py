"""The values of tariff parts: by name, as JSON with the keys of a tariff file, and as such a file.

The numbers in names are those of the meter: rates, steps and day tables count from 1.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from protocols.data_model import items
from protocols.data_model.json_lines import array, line
from protocols.data_model.kinds import PRICE
from protocols.data_model.tariff import PART_NAMES, DayTables, Part, Prices, Seasons, Steps, Tariff
from protocols.quantities import format_date, format_fixed
from protocols.tariff_file import KEYS_OF_PARTS, WEEKDAYS

PARTS = tuple(PART_NAMES[kind] for kind in KEYS_OF_PARTS)
"""Names of the parts, in the order in which they are shown."""
NO_TABLE = "0"
"""Value of a holiday that has the day table of its weekday or season, as in a tariff file."""


def values_of(part: Part) -> dict[str, str]:
    """Return each value of a part as JSON, by a name of its own."""
    match part:
        case Prices():
            return {
                item.name: PRICE.json(price)
                for item, price in zip(items.PRICES, part.prices, strict=False)
            }
        case Steps():
            return _step_values(part)
        case DayTables():
            return {
                f"day_table_{number}_{time_of(minute)}": str(rate)
                for number, table in enumerate(part.tables, 1)
                for minute, rate in table
            }
        case Seasons():
            days = zip(WEEKDAYS, part.weekdays, strict=True)
            return {
                **{f"season_{month_day(m, d)}": str(table) for m, d, table in part.starts},
                **{f"weekday_{day}": str(table) for day, table in days if table},
                **{
                    f"holiday_{format_date(date)}": str(table)
                    for date, table in sorted(part.holidays)
                },
            }


def _step_values(part: Steps) -> dict[str, str]:
    limits = zip(items.STEP_LIMITS, part.limits, strict=False)
    additions = zip(items.STEP_ADDITIONS, part.additions, strict=False)
    return {
        **{item.name: item.kind.json(limit) for item, limit in limits},
        **{item.name: item.kind.json(addition) for item, addition in additions},
        items.STEP_PERIOD.name: items.STEP_PERIOD.kind.json(int(part.yearly)),
        items.BILLING_DAY.name: json.dumps(billing_day(part)),
        items.BILLING_YEAR.name: json.dumps(billing_year(part)),
    }


def json_of(parts: Iterable[Part]) -> dict[str, str]:
    """Return the values of parts as JSON, by the keys of a tariff file."""
    found: dict[str, str] = {}
    for part in parts:
        match part:
            case Prices():
                found["prices"] = array(map(PRICE.json, part.prices))
            case Steps():
                found["step_limits_kwh"] = array(map(kwh, part.limits))
                found["step_additions"] = array(map(PRICE.json, part.additions))
                found["step_period"] = items.STEP_PERIOD.kind.json(int(part.yearly))
                found["billing_day"] = json.dumps(billing_day(part))
                found["billing_year"] = json.dumps(billing_year(part))
            case DayTables():
                found["day_tables"] = json.dumps([{"entries": each} for each in entries(part)])
            case Seasons():
                found |= _seasons_json(part)
    return found


def _seasons_json(part: Seasons) -> dict[str, str]:
    days = dict(zip(WEEKDAYS, (table or None for table in part.weekdays), strict=True))
    starts = [{"start": month_day(m, d), "day_table": table} for m, d, table in part.starts]
    holidays = [
        {"date": format_date(date), "day_table": table or None} for date, table in part.holidays
    ]
    return {
        "seasons": json.dumps(starts),
        "weekdays": json.dumps(days),
        "holidays": json.dumps(holidays),
    }


def object_of(parts: Iterable[Part], further: Mapping[str, str] | None = None) -> str:
    """Return the values of parts, and further ones, as one JSON object."""
    return line({**(further or {}), **json_of(parts)})


def toml_of(tariff: Tariff) -> str:
    """Return a complete set as a tariff file; reading it again gives the same set."""
    steps, seasons = tariff.steps, tariff.seasons
    lines = [
        f"prices = {_texts(map(PRICE.text, tariff.prices.prices))}",
        f"step_limits_kwh = {_texts(map(kwh, steps.limits))}",
        f"step_additions = {_texts(map(PRICE.text, steps.additions))}",
        f'step_period = "{items.STEP_PERIOD.kind.text(int(steps.yearly))}"',
        f'billing_day = "{billing_day(steps)}"',
        f'billing_year = "{billing_year(steps)}"',
    ]
    if not seasons.holidays:
        lines.append("holidays = []")
    days = zip(WEEKDAYS, seasons.weekdays, strict=True)
    lines += ["", "[weekdays]", *(f"{day} = {table}" for day, table in days if table)]
    for month, day, table in seasons.starts:
        lines += ["", "[[seasons]]", f'start = "{month_day(month, day)}"', f"day_table = {table}"]
    for each in entries(tariff.day_tables):
        lines += ["", "[[day_tables]]", f"entries = {_texts(each)}"]
    for date, table in seasons.holidays:
        lines += ["", "[[holidays]]", f'date = "{format_date(date)}"']
        lines += [f"day_table = {table}"] if table else []
    return "\n".join(lines)


def entries(part: DayTables) -> list[list[str]]:
    """Return the entries of each day table as a tariff file has them."""
    return [[f"{time_of(minute)} {rate}" for minute, rate in table] for table in part.tables]


def time_of(minute: int) -> str:
    """Return a minute of the day as a time, such as 08:00."""
    return f"{minute // 60:02d}:{minute % 60:02d}"


def month_day(month: int, day: int) -> str:
    """Return a date of the year, such as 05-01."""
    return f"{month:02d}-{day:02d}"


def kwh(limit: int) -> str:
    """Return a step limit with all its decimals."""
    return format_fixed(limit, 6, 6)


def billing_day(part: Steps) -> str:
    """Return the end of the billing period, DDhh."""
    return f"{part.billing_day:02d}{part.billing_hour:02d}"


def billing_year(part: Steps) -> str:
    """Return the begin of the billing year, MMDD."""
    return f"{part.year_month:02d}{part.year_day:02d}"


def _texts(values: Iterable[str]) -> str:
    return json.dumps(list(values))
