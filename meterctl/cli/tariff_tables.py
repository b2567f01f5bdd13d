"""A tariff in tables for people: prices, steps, days as a picture of 24 hours, dates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from meterctl.operations.tariff.values import kwh, month_day, time_of
from protocols.command_line.tables import Screen, Table
from protocols.data_model.kinds import PRICE
from protocols.data_model.tariff import DayTables, Part, Prices, Seasons, Steps
from protocols.quantities import format_date
from protocols.tariff_file import WEEKDAYS

MINUTES = 24 * 60
WIDE, NARROW = 48, 24
"""Characters of a day: half hours, or hours on a narrow screen."""
_BESIDE = 16
"""Characters of the table beside those of the day."""
MIXED = "*"
"""Mark of a character in whose time the rate changes."""


def part_tables(
    part: Part, title: str = "", prices: Prices | None = None, unit: str = "price"
) -> Iterator[Table]:
    """Yield the tables of a part.

    Args:
        title: it goes before the name of each, such as "Pending".
        prices: those of the rates, where they are known.
        unit: the unit of the account, where it is known.
    """
    match part:
        case Prices():
            rows = [(str(rate), PRICE.text(price)) for rate, price in enumerate(part.prices, 1)]
            columns = ("rate", f"{unit} per kWh")
            yield Table(columns, rows, columns, _titled(title, "prices"))
        case Steps():
            yield from _step_tables(part, title)
        case DayTables():
            yield _picture(part, title)
            yield _rates(part, title, prices)
        case Seasons():
            yield from _date_tables(part, title)


def _rates(part: DayTables, title: str, prices: Prices | None) -> Table:
    """Return the table of the rates from midnight on, with their prices where they are known."""
    held = () if prices is None else tuple(map(PRICE.text, prices.prices))
    rows = [
        (str(number), time_of(minute), str(rate), *_price(held, rate))
        for number, table in enumerate(part.tables, 1)
        for minute, rate in _from_midnight(table)
    ]
    columns = ("table", "from", "rate", *(("price",) if held else ()))
    return Table(columns, rows, ("table", "rate", "price"), _titled(title, "rates of the day"))


def _from_midnight(table: Sequence[tuple[int, int]]) -> Sequence[tuple[int, int]]:
    """Return the entries of a day with one at 00:00: before the first the last one applies."""
    return table if table[0][0] == 0 else ((0, table[-1][1]), *table)


def _price(held: Sequence[str], rate: int) -> Sequence[str]:
    """Return the cell of a rate's price; none where no price is known."""
    if not held:
        return ()
    return (held[rate - 1] if 1 <= rate <= len(held) else "-",)


def _step_tables(part: Steps, title: str) -> Iterator[Table]:
    period = "year" if part.yearly else "month"
    edges = [*map(_short_kwh, part.limits), "-"]
    begins = ["0", *edges[:-1]]
    rows = [
        (str(step), begin, end, PRICE.text(addition))
        for step, (begin, end, addition) in enumerate(
            zip(begins, edges, part.additions, strict=True), 1
        )
    ]
    columns = ("step", "above kWh", "to kWh", "addition")
    yield Table(columns, rows, columns, _titled(title, f"steps of each billing {period}"))
    billing = [
        ("billing month", f"day {part.billing_day:02d} at {part.billing_hour:02d}:00"),
        ("billing year", month_day(part.year_month, part.year_day)),
    ]
    yield Table(("period", "begins"), billing, (), _titled(title, "billing periods"))


def _short_kwh(limit: int) -> str:
    """Return a step limit without the zeros behind its point."""
    return kwh(limit).rstrip("0").rstrip(".")


def _date_tables(part: Seasons, title: str) -> Iterator[Table]:
    rows = [(month_day(month, day), str(table)) for month, day, table in part.starts]
    yield Table(("season from", "day table"), rows, ("day table",), _titled(title, "seasons"))
    days = zip(WEEKDAYS, part.weekdays, strict=True)
    rows = [(day, str(table)) for day, table in days if table]
    if rows:
        yield Table(("weekday", "day table"), rows, ("day table",), _titled(title, "weekdays"))
    if part.holidays:
        rows = [
            (format_date(date), str(table) if table else "of the day")
            for date, table in sorted(part.holidays)
        ]
        yield Table(("holiday", "day table"), rows, ("day table",), _titled(title, "holidays"))


def _picture(part: DayTables, title: str) -> Table:
    """Return the picture of the days: a digit for the rate of each half hour, or hour."""
    width = Screen.of_stdout().width
    cells = WIDE if width is None or width >= WIDE + _BESIDE else NARROW
    rows = [(str(number), day_picture(table, cells)) for number, table in enumerate(part.tables, 1)]
    heading = "".join(f"{hour:.<{cells // 4}}" for hour in (0, 6, 12, 18))
    name = "day tables"
    if any(MIXED in picture for _, picture in rows):
        name += f" ({MIXED}: it changes)"
    return Table(("day table", heading), rows, ("day table", heading), _titled(title, name))


def day_picture(table: Sequence[tuple[int, int]], cells: int) -> str:
    """Return the rates of a day as so many digits; `MIXED` where the rate changes within one."""
    rates = rates_of(table)
    size = MINUTES // cells
    found = (set(rates[at : at + size]) for at in range(0, MINUTES, size))
    return "".join(str(*one) if len(one) == 1 else MIXED for one in found)


def rates_of(table: Sequence[tuple[int, int]]) -> list[int]:
    """Return the rate of each minute of a day; before its first entry the last one applies."""
    rates = [table[-1][1]] * MINUTES
    for minute, rate in table:
        rates[minute:] = [rate] * (MINUTES - minute)
    return rates


def _titled(title: str, name: str) -> str:
    return f"{title} {name}" if title else name[0].upper() + name[1:]
