"""Consumption and its cost by day, month, rate and step, as far as the meter's records tell them.

The cost of a time is the difference of what was charged for energy at its two ends. It is never
estimated: where an end was not kept, there is no cost. Standing charges and instalments are no part
of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from meterctl.operations.local_time import Offsets
from meterctl.operations.snapshots import Consumption, Registers, Snapshot, between
from meterctl.operations.time_span import Span
from protocols.data_model import items
from protocols.data_model.items import Item
from protocols.data_model.words import StepPeriod
from protocols.quantities import format_date

STEP_ITEMS = (*items.PRICES, *items.STEP_LIMITS, *items.STEP_ADDITIONS, items.STEP_PERIOD)


@dataclass(frozen=True, slots=True)
class Dated:
    """What was consumed on the local dates from `begin` up to, and without, `end` (days of 1970).

    `begin` is None where nothing tells it. A row of several days has no freeze between them.
    """

    part: Consumption
    begin: int | None
    end: int

    @property
    def days(self) -> int | None:
        """The number of dates; None where the clock was set back, or the begin is not known."""
        if self.begin is None or self.end < self.begin:
            return None
        return self.end - self.begin


@dataclass(frozen=True, slots=True)
class Usage:
    """Rows of consumption in the order of time, and times that a bound of the span cuts."""

    rows: Sequence[Dated]
    cut: Sequence[Dated]


def by_day(registers: Registers, offsets: Offsets, span: Span) -> Usage:
    """Return a row for each day of a span; the last is the present one, which is not complete."""
    return _chosen(_dated(registers.daily, registers.present, offsets), span)


def by_month(registers: Registers, offsets: Offsets, span: Span) -> Usage:
    """Return a row for each local month; one that is not known from end to end is not complete.

    Months before the oldest daily freeze are known from the billing freezes. A row that lies in
    two months is shown by itself: nothing tells what of it belongs to which.
    """
    found = _chosen(_dated((*registers.older, *registers.daily), registers.present, offsets), span)
    rows: list[Dated] = []
    month: list[Dated] = []
    for row in found.rows:
        if month and month_of(month[0]) != month_of(row):
            rows.append(_sum(month))
            month = []
        if month_of(row) is None:
            rows.append(Dated(replace(row.part, is_complete=False), row.begin, row.end))
        else:
            month.append(row)
    if month:
        rows.append(_sum(month))
    return Usage(rows, found.cut)


def _dated(freezes: Sequence[Snapshot], present: Snapshot | None, offsets: Offsets) -> list[Dated]:
    """Return what was consumed up to the first freeze of all, between freezes, and since then."""
    rows = [
        Dated(between(first, last), offsets.date(first.at), offsets.date(last.at))
        for first, last in pairwise(freezes)
    ]
    if freezes and freezes[0].number == 1:
        rows.insert(0, _since_start(freezes[0], offsets.date(freezes[0].at)))
    if present is None:
        return rows
    end = offsets.date(present.at) + 1
    if not freezes:
        return [_since_start(present, end, is_complete=False)]
    part = between(freezes[-1], present, is_complete=False)
    return [*rows, Dated(part, offsets.date(freezes[-1].at), end)]


def _since_start(snapshot: Snapshot, end: int, *, is_complete: bool = True) -> Dated:
    """Return what was consumed since the meter's start, when all its registers were 0."""
    part = between(_start(snapshot), snapshot, is_complete=is_complete)
    return Dated(replace(part, begin=None), None, end)


def _start(snapshot: Snapshot) -> Snapshot:
    """Return the registers of a meter at its start."""
    return Snapshot(0, 0, 0, (0,) * len(snapshot.rates_mwh), 0)


def _chosen(rows: Sequence[Dated], span: Span) -> Usage:
    """Return the rows that lie in a span, and those that a bound cuts."""
    inside: list[Dated] = []
    cut: list[Dated] = []
    for row in rows:
        begin, end = row.part.begin, row.part.end
        first = end if begin is None else min(begin, end)
        last = end if begin is None else max(begin, end)
        if (span.begin is not None and last <= span.begin) or (
            span.end is not None and first >= span.end
        ):
            continue
        is_cut = (span.begin is not None and (begin is None or first < span.begin)) or (
            span.end is not None and last > span.end
        )
        (cut if is_cut else inside).append(row)
    return Usage(inside, cut)


def month_of(row: Dated) -> str | None:
    """Return the month of all dates of a row; None for several."""
    if row.days is None or row.begin is None:
        return None
    first, last = format_date(row.begin)[:7], format_date(max(row.end - 1, row.begin))[:7]
    return first if first == last else None


def _sum(rows: Sequence[Dated]) -> Dated:
    """Return the sum of rows of one month that follow each other."""
    first, last = rows[0], rows[-1]
    assert first.begin is not None
    whole = format_date(first.begin).endswith("-01") and format_date(last.end).endswith("-01")
    part = total([row.part for row in rows])
    assert part is not None
    return Dated(replace(part, is_complete=whole and part.is_complete), first.begin, last.end)


def total(parts: Sequence[Consumption]) -> Consumption | None:
    """Return the sum of parts, None of none; its cost is None where that of one is not known."""
    if not parts:
        return None
    costs = [part.cost for part in parts if part.cost is not None]
    return Consumption(
        parts[0].begin,
        parts[-1].end,
        sum(part.import_mwh for part in parts),
        sum(part.export_mwh for part in parts),
        tuple(map(sum, zip(*(part.rates_mwh for part in parts), strict=True))),
        sum(costs) if len(costs) == len(parts) else None,
        all(part.is_complete for part in parts),
    )


# ---- by rate, by step


@dataclass(frozen=True, slots=True)
class RateUsage:
    """What was consumed at one rate, from 1; `price` is the present one.

    `cost` is given only where it is certain: where nothing was consumed at another rate, or where
    the present prices of all rates give what was charged, to the last unit.
    """

    rate: int
    mwh: int
    price: int | None
    cost: int | None


def by_rate(whole: Consumption, values: dict[Item, Any]) -> list[RateUsage]:
    """Return what was consumed at each rate, those without consumption left out."""
    used = [(place, mwh) for place, mwh in enumerate(whole.rates_mwh) if mwh]
    prices = [values.get(item) for item in items.PRICES]
    at_prices: list[int | None] = []
    for place, mwh in used:
        price = prices[place]
        at_prices.append(None if price is None else price * mwh)
    known = [cost for cost in at_prices if cost is not None]
    if len(used) == 1:
        at_prices = [whole.cost]
    elif len(known) != len(used) or sum(known) != whole.cost:
        at_prices = [None] * len(used)
    return [
        RateUsage(place + 1, mwh, prices[place], cost)
        for (place, mwh), cost in zip(used, at_prices, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class StepUsage:
    """What was consumed in one step of the present period, from 1, by the present limits.

    `limit_mwh` ends the step; None for the last. `addition_cost` and `cost` are None unless the
    present prices give what was charged in the period, to the last unit: a tariff that changed
    within the period cannot be seen otherwise. `cost` needs one price for all that was consumed.
    """

    step: int
    mwh: int
    limit_mwh: int | None
    addition: int | None
    addition_cost: int | None
    cost: int | None


def by_step(registers: Registers) -> list[StepUsage]:
    """Return what was consumed in each step of the present period; none without the items."""
    values, present = registers.values, registers.present
    counter = _counter(values)
    if counter is None or present is None:
        return []
    limits = [values.get(item) for item in items.STEP_LIMITS]
    ends = [limit for limit in limits if limit is not None]
    additions = [values.get(item) for item in items.STEP_ADDITIONS]
    rows: list[tuple[int, int, int | None]] = []
    begin = 0
    for number, end in enumerate([*ends, None]):
        upper = counter if end is None else min(counter, end)
        rows.append((number, max(upper - begin, 0), end))
        begin = upper
    period = _period(registers, present, counter)
    prices = {
        price
        for price, mwh in zip(
            (values.get(i) for i in items.PRICES), period.rates_mwh if period else (), strict=False
        )
        if mwh
    }
    proven = period is not None and _explains(period, values, rows, additions)
    price = next(iter(prices)) if proven and len(prices) == 1 else None
    return [
        StepUsage(
            number + 1,
            mwh,
            end,
            additions[number],
            additions[number] * mwh if proven else None,  # type: ignore[operator]
            None if price is None else (price + additions[number]) * mwh,
        )
        for number, mwh, end in rows
    ]


def _counter(values: dict[Item, Any]) -> int | None:
    """Return what was consumed in the present period of the steps, mWh."""
    period = values.get(items.STEP_PERIOD)
    if period is None:
        return None
    counter = items.ENERGY_MONTH if StepPeriod(period) is StepPeriod.MONTH else items.ENERGY_YEAR
    found: int | None = values.get(counter)
    return found


def _period(registers: Registers, present: Snapshot, counter: int) -> Consumption | None:
    """Return what was consumed since the freeze at which the counter was zero, if it is kept."""
    begin = present.import_mwh - counter
    if begin == 0:
        return between(_start(present), present)
    freezes = (*registers.billing, *registers.daily)
    found = next((one for one in freezes if one.import_mwh == begin), None)
    return None if found is None else between(found, present)


def _explains(
    period: Consumption,
    values: dict[Item, Any],
    rows: Sequence[tuple[int, int, int | None]],
    additions: Sequence[int | None],
) -> bool:
    """Return whether the present prices and additions give what was charged in the period."""
    prices = [values.get(item) for item in items.PRICES]
    expected = 0
    for mwh, price in zip(period.rates_mwh, prices, strict=True):
        if mwh and price is None:
            return False
        expected += mwh * (price or 0)
    for number, mwh, _ in rows:
        addition = additions[number]
        if mwh and addition is None:
            return False
        expected += mwh * (addition or 0)
    return period.cost == expected
