"""Consumption and its cost by rate and by step, with the reason where a cost is not certain.

The meter keeps what it charged in all, not what it charged at each rate. Present prices are those
of a time only where the event log proves that they did not change in it: that a sum of products
fits proves nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from meterctl.operations.snapshots import Consumption, Registers, Snapshot, between, start_of
from meterctl.operations.usage import Dated, total
from protocols.data_model import items
from protocols.data_model.events import EVENTS, TARIFF_PARTS
from protocols.data_model.items import Item
from protocols.data_model.tariff import PART_NAMES, Part, Prices, Steps
from protocols.data_model.words import AccountState, StepPeriod
from protocols.quantities import ENERGY_WRAP

TARIFF_ITEMS = (
    *items.PRICES,
    *items.STEP_LIMITS,
    *items.STEP_ADDITIONS,
    items.STEP_PERIOD,
    items.CURRENT_STEP,
    items.REVERSE_CHARGED,
    items.ACCOUNT_STATE,
)
_ACTIVATED = EVENTS["tariff_activated"].code
_OPENED, _CLOSED = EVENTS["account_opened"].code, EVENTS["account_closed"].code


class Reason(Enum):
    """Why a cost, or the price beside it, is not certain."""

    CHARGE_NOT_KEPT = auto()
    """The meter did not keep what was charged until an end of the time."""
    EXPORT_CHARGED = auto()
    """Export is in the cost, and the meter does not count it by rate."""
    TARIFF_CHANGED = auto()
    ACCOUNT_OPENED = auto()
    ACCOUNT_CLOSED = auto()
    NOT_OPEN = auto()
    """No account was open: nothing was charged."""
    LOG_TOO_SHORT = auto()
    """The event log does not reach back to the begin of the time."""
    NO_LOG = auto()
    STEPS = auto()
    """Additions of steps are in the cost."""
    UNEXPLAINED = auto()
    """The present tariff does not give what was charged."""
    BEGIN_NOT_KEPT = auto()
    """No freeze of the begin of the period is kept."""
    SEVERAL_RATES = auto()
    """Nothing tells which rate was used in which step."""
    COUNTER_WRAPPED = auto()
    """The counter of the period began again at zero: the energy of its steps is not known."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why a cost is not certain, and when that happened by the meter's clock."""

    reason: Reason
    at: int | None = None


def _tariff_doubt(
    registers: Registers, begin: int | None, end: int, parts: Sequence[type[Part]]
) -> Doubt | None:
    """Return why parts of the present tariff may not have been in force all the time.

    None if the event log proves that they were, with an open account. `begin` None is the start.
    """
    log = registers.log
    numbers = [TARIFF_PARTS.words.index(PART_NAMES[part]) for part in parts]
    if not log.is_read:
        return Doubt(Reason.NO_LOG)
    for event in log.within(begin, end):
        if event.code == _ACTIVATED and event.a in numbers:
            return Doubt(Reason.TARIFF_CHANGED, event.at)
        if event.code == _OPENED:
            return Doubt(Reason.ACCOUNT_OPENED, event.at)
        if event.code == _CLOSED:
            return Doubt(Reason.ACCOUNT_CLOSED, event.at)
    if not _was_open(registers, end):
        return Doubt(Reason.NOT_OPEN)
    if not log.reaches(begin):
        return Doubt(Reason.LOG_TOO_SHORT)
    # A change after the end makes the present parts those of another time.
    changed = (e for e in log.events if e.code == _ACTIVATED and e.a in numbers and e.at >= end)
    later = next(changed, None)
    return None if later is None else Doubt(Reason.TARIFF_CHANGED, later.at)


def _was_open(registers: Registers, end: int) -> bool:
    """Return whether an account was open at an instant, by what happened since then."""
    for event in registers.log.events:
        if event.at >= end and event.code in (_OPENED, _CLOSED):
            return event.code == _CLOSED
    state = registers.values.get(items.ACCOUNT_STATE)
    return state is None or AccountState(state) is AccountState.OPEN


def _additions(values: dict[Item, Any]) -> bool:
    return any(values.get(item) for item in items.STEP_ADDITIONS)


# ---- by rate


@dataclass(frozen=True, slots=True)
class RateUsage:
    """What was consumed at one rate, from 1.

    `price` is that of all of it; None where it had several, or nothing proves that it had one.
    `cost` is given only where it is certain.
    """

    rate: int
    mwh: int
    price: int | None
    cost: int | None


@dataclass(frozen=True, slots=True)
class RateUsages:
    """Rows without those of rates that were not used, their sum, and why a value is not there."""

    rows: Sequence[RateUsage]
    whole: Consumption | None
    doubt: Doubt | None = None


def by_rate(dated: Sequence[Dated], registers: Registers) -> RateUsages:
    """Return what was consumed at each rate in rows that follow each other."""
    whole = total([row.part for row in dated])
    if whole is None:
        return RateUsages([], None)
    values = registers.values
    begins = [row.first for row in dated]
    begin = None if None in begins else min(one for one in begins if one is not None)
    doubt = _tariff_doubt(registers, begin, max(row.last for row in dated), (Prices,))
    used = [(place, mwh) for place, mwh in enumerate(whole.rates_mwh) if mwh]
    present = [values.get(items.PRICES[place]) for place, _ in used]
    prices = present if doubt is None else [None] * len(used)
    costs: Sequence[int | None] = [
        None if price is None else price * mwh for price, (_, mwh) in zip(prices, used, strict=True)
    ]
    fits = sum(cost or 0 for cost in costs) == whole.cost and None not in costs
    if whole.cost is None:
        costs, doubt = [None] * len(used), Doubt(Reason.CHARGE_NOT_KEPT)
    elif whole.export_mwh and values.get(items.REVERSE_CHARGED):
        costs, doubt = [None] * len(used), Doubt(Reason.EXPORT_CHARGED)
    elif not fits:
        reason = Reason.STEPS if _additions(values) else Reason.UNEXPLAINED
        doubt = doubt or Doubt(reason)
        alone = len(used) == 1
        costs = [whole.cost] if alone else [None] * len(used)
        prices = [None] if alone else prices
    rows = [
        RateUsage(place + 1, mwh, price, cost)
        for (place, mwh), price, cost in zip(used, prices, costs, strict=True)
    ]
    return RateUsages(rows, whole, doubt if rows or whole.cost else None)


# ---- by step


@dataclass(frozen=True, slots=True)
class StepUsage:
    """What was consumed in one step of the present period, from 1, by the present limits.

    `limit_mwh` ends the step; None for the last. `addition_cost` and `cost` are None unless the
    event log proves that the present tariff was in force in the whole period. `cost` needs one
    price for all that was consumed. `mwh` is None where the counter of the period began again.
    """

    step: int
    mwh: int | None
    limit_mwh: int | None
    addition: int | None
    addition_cost: int | None
    cost: int | None


@dataclass(frozen=True, slots=True)
class StepUsages:
    """A row for each step, and why a value is not there."""

    rows: Sequence[StepUsage]
    doubt: Doubt | None = None


_Step = tuple[int, int, int | None]
"""Number from 0, energy and limit of a step."""


def by_step(registers: Registers) -> StepUsages:
    """Return what was consumed in each step of the present period; none without the items."""
    values, present = registers.values, registers.present
    counter = step_counter(values)
    if counter is None or present is None:
        return StepUsages([])
    divided = _divided(counter, values)
    additions = [values.get(item) for item in items.STEP_ADDITIONS]
    if _has_wrapped(registers, present, divided):
        empty = [StepUsage(n + 1, None, end, additions[n], None, None) for n, _, end in divided]
        return StepUsages(empty, Doubt(Reason.COUNTER_WRAPPED))
    period = _period(registers, present, counter)
    doubt = _step_doubt(registers, period, divided)
    price = None if doubt is not None else _one_price(period, values)
    rows = [
        StepUsage(
            number + 1,
            mwh,
            end,
            additions[number],
            (additions[number] or 0) * mwh if _is_proven(doubt) else None,
            None if price is None else (price + (additions[number] or 0)) * mwh,
        )
        for number, mwh, end in divided
    ]
    if doubt is None and price is None:
        doubt = Doubt(Reason.SEVERAL_RATES)
    return StepUsages(rows, doubt)


def _is_proven(doubt: Doubt | None) -> bool:
    """Return whether the additions are known: charged export leaves them certain."""
    return doubt is None or doubt.reason is Reason.EXPORT_CHARGED


def _divided(counter: int, values: dict[Item, Any]) -> list[_Step]:
    """Return the energy of each step by the present limits."""
    limits = [values.get(item) for item in items.STEP_LIMITS]
    rows: list[_Step] = []
    begin = 0
    for number, end in enumerate([*(limit for limit in limits if limit is not None), None]):
        upper = counter if end is None else min(counter, end)
        rows.append((number, max(upper - begin, 0), end))
        begin = max(upper, begin)
    return rows


def step_counter(values: dict[Item, Any]) -> int | None:
    """Return what was consumed in the present period of the steps, mWh."""
    period = values.get(items.STEP_PERIOD)
    if period is None:
        return None
    counter = items.ENERGY_MONTH if is_monthly(values) else items.ENERGY_YEAR
    found: int | None = values.get(counter)
    return found


def is_monthly(values: dict[Item, Any]) -> bool:
    """Return whether steps count the consumption of a month, and not of a year."""
    return StepPeriod(values[items.STEP_PERIOD]) is StepPeriod.MONTH


def _has_wrapped(registers: Registers, present: Snapshot, divided: Sequence[_Step]) -> bool:
    """Return whether the counter began again: the step in force is above its own one."""
    values = registers.values
    ended = [end for _, _, end in divided if end is not None]
    counter = sum(mwh for _, mwh, _ in divided)
    in_force = values.get(items.CURRENT_STEP) or 1
    if in_force > 1 + sum(end <= counter for end in ended):
        return True
    if not registers.billing or not is_monthly(values):
        return False
    begin = _charged_energy(registers.billing[-1], values)
    return _charged_energy(present, values) - begin >= ENERGY_WRAP


def _charged_energy(snapshot: Snapshot, values: dict[Item, Any]) -> int:
    """Return the energy that counts for steps."""
    exported = snapshot.export_mwh if values.get(items.REVERSE_CHARGED) else 0
    return snapshot.import_mwh + exported


def _period(registers: Registers, present: Snapshot, counter: int) -> Consumption | None:
    """Return what was consumed since the freeze at which the counter was zero, if it is kept."""
    begin = _charged_energy(present, registers.values) - counter
    found = None
    for one in (*registers.billing, *registers.daily):
        if _charged_energy(one, registers.values) == begin:
            found = one
    if found is not None:
        return between(found, present)
    if begin == 0:
        part = between(start_of(present), present)
        return Consumption(None, part.end, part.import_mwh, part.export_mwh, part.rates_mwh,
                           part.cost)  # fmt: skip
    return None


def _step_doubt(
    registers: Registers, period: Consumption | None, divided: Sequence[_Step]
) -> Doubt | None:
    """Return why the present tariff may not give what was charged in the period."""
    if period is None:
        return Doubt(Reason.BEGIN_NOT_KEPT)
    if period.cost is None:
        return Doubt(Reason.CHARGE_NOT_KEPT)
    begin = period.begin
    if begin is not None:
        begin = registers.log.earliest(begin, period.end)
    doubt = _tariff_doubt(registers, begin, period.end, (Prices, Steps))
    if doubt is not None:
        return doubt
    if period.export_mwh and registers.values.get(items.REVERSE_CHARGED):
        return Doubt(Reason.EXPORT_CHARGED)
    is_explained = _explains(period, registers.values, divided)
    return None if is_explained else Doubt(Reason.UNEXPLAINED)


def _one_price(period: Consumption | None, values: dict[Item, Any]) -> int | None:
    """Return the price of all that was consumed in a period; 0 where that is nothing."""
    if period is None:
        return None
    prices = {values.get(i) for i, mwh in zip(items.PRICES, period.rates_mwh, strict=True) if mwh}
    return next(iter(prices), 0) if len(prices) <= 1 else None


def _explains(period: Consumption, values: dict[Item, Any], divided: Sequence[_Step]) -> bool:
    """Return whether the present prices and additions give what was charged in the period."""
    additions = [values.get(item) for item in items.STEP_ADDITIONS]
    expected = 0
    for mwh, item in zip(period.rates_mwh, items.PRICES, strict=True):
        price = values.get(item)
        if mwh and price is None:
            return False
        expected += mwh * (price or 0)
    for number, mwh, _ in divided:
        addition = additions[number]
        if mwh and addition is None:
            return False
        expected += mwh * (addition or 0)
    return period.cost == expected
