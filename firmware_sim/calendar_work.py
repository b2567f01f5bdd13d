"""Calendar effects at an instant: records, billing, tariff, inhibitors, charges (METER.md 1, 2).

The steps keep the order of METER.md 2: freeze records, end of the billing period, tariff and
inhibitors, then the standing charge and the debt instalment.
"""

from __future__ import annotations

from firmware_sim.account.account import post_midnight
from firmware_sim.clock import LAST_CLOCK, Local, local_time, next_transition
from firmware_sim.records.ring import BILLING_RING, DAILY_RING, PROFILE_RING
from firmware_sim.state import PendingPart, State
from firmware_sim.supply.control import Emit, release
from firmware_sim.tariff.calendar import (
    CalendarState,
    Spans,
    billing_period,
    billing_year,
    friendly_at,
    next_local_edge,
    rate_at,
)
from protocols.data_model.events import TARIFF_PARTS
from protocols.data_model.tables import Freeze, ProfileRecord
from protocols.data_model.tariff import PART_NAMES, DayTables, Part, Prices, Seasons, Steps, Tariff
from protocols.quantities import DAY

PROFILE_PERIOD_MS = 900_000
PERIODS_AN_HOUR = 4
_END_OF_DAY = DAY - 1


def local_of(state: State, clock: int) -> Local:
    """Return the meter's local time at a clock."""
    return local_time(clock, state.settings.utc_offset_minutes, state.identity.transitions)


def begin(state: State) -> CalendarState:
    """Return the calendar of a new meter; its first date counts as processed."""
    clock = state.clock.read(state.elapsed_ms)
    local = local_of(state, clock)
    calendar = CalendarState(
        local.date,
        billing_period(local, state.tariff.steps),
        billing_year(local, state.tariff.steps),
    )
    calendar.dates_done = calendar.dates_done.adding(local.date)
    calendar.billings_done = calendar.billings_done.adding(calendar.billing)
    calendar.years_done = calendar.years_done.adding(calendar.year)
    calendar.rate = rate_at(local, state.tariff)
    calendar.friendly = friendly_at(local, state.settings, state.tariff)
    return calendar


def pass_instant(state: State, clock: int, emit: Emit) -> None:
    """Advance the calendar to `clock` and process every midnight passed since the last call.

    A meter that was without power processes its missed midnights one by one, each dated, with the
    present registers.
    """
    local = local_of(state, clock)
    for date in range(state.calendar.date + 1, local.date):
        _pass(state, Local(date, 0, local.offset_ms), date * DAY - local.offset_ms, emit)
        _end_billing(
            state,
            Local(date, _END_OF_DAY, local.offset_ms),
            (date + 1) * DAY - local.offset_ms,
            emit,
        )
    if local.date > state.calendar.date and local.ms_of_day:
        _pass(
            state,
            Local(local.date, 0, local.offset_ms),
            local.date * DAY - local.offset_ms,
            emit,
        )
    _pass(state, local, clock, emit)
    apply_calendar(state, clock, emit)


def jump(state: State, clock: int, emit: Emit) -> None:
    """Apply a set clock or offset: skipped days have no freezes or charges; nothing is undone."""
    calendar, local = state.calendar, local_of(state, clock)
    period, year = (
        billing_period(local, state.tariff.steps),
        billing_year(local, state.tariff.steps),
    )
    if period > calendar.billing and period not in calendar.billings_done:
        state.registers.month_mwh = 0
        calendar.billings_done = calendar.billings_done.adding(period)
        emit("billing_period_ended", 0, 0)
    if year > calendar.year and year not in calendar.years_done:
        state.registers.year_mwh = 0
        calendar.years_done = calendar.years_done.adding(year)
    calendar.date, calendar.billing, calendar.year = local.date, period, year
    apply_calendar(state, clock, emit)


def set_clock(state: State, old: int, new: int, emit: Emit) -> None:
    """Set the clock; the open profile record is closed and marked. No credit moves, no freeze."""
    close_period(state, old, clock_set=True)
    state.clock.set(state.elapsed_ms, new)
    state.period.began_ms = new
    emit("clock_set", old, new)
    jump(state, new, emit)


def step_clock(state: State, old: int, by: int, emit: Emit) -> None:
    """Step the clock as a fault does; an invalid clock stays invalid."""
    valid = state.clock.valid
    set_clock(state, old, min(max(old + by, 0), LAST_CLOCK - 1), emit)
    state.clock.valid = valid


def apply_calendar(state: State, clock: int, emit: Emit) -> None:
    """Set tariff, rate and inhibitors to those in force at `clock` (METER.md 2, step 4)."""
    calendar, supply = state.calendar, state.supply
    if not state.clock.valid:
        _activate(state, 0, emit)
        _set_rate(state, 1, emit)
        calendar.friendly = False
        return
    _activate(state, clock, emit)
    local = local_of(state, clock)
    _set_rate(state, rate_at(local, state.tariff), emit)
    calendar.friendly = friendly_at(local, state.settings, state.tariff)
    if supply.moratorium and local.date >= supply.moratorium_until:
        supply.moratorium, supply.moratorium_until = False, 0
        release(supply)
        emit("moratorium_ended", 0, 0)


def return_power(state: State, emit: Emit) -> None:
    """Power up: missed midnights first. The clock ran on without power."""
    state.powered = True
    emit("power_restored", 0, 0)
    if not state.clock.valid:
        return
    clock, period = state.clock.read(state.elapsed_ms), state.period
    end = next_profile_clock(period.began_ms)
    if end <= clock:
        close_period(state, end)
        period.began_ms = clock // PROFILE_PERIOD_MS * PROFILE_PERIOD_MS
    pass_instant(state, clock, emit)


def next_calendar_clock(state: State, clock: int) -> int | None:
    """Return the next clock at which the calendar may have an effect, None while it is invalid."""
    if not state.clock.valid:
        return None
    local = local_of(state, clock)
    edges = [next_local_edge(local, state.settings, state.tariff) - local.offset_ms]
    transition = next_transition(clock, state.identity.transitions)
    if transition is not None:
        edges.append(transition)
    edges += [pending.activation_ms for pending in state.pending if pending.activation_ms > clock]
    return min(edges)


def next_profile_clock(clock: int) -> int:
    """Return the next instant of the 15-minute grid of UTC."""
    return (clock // PROFILE_PERIOD_MS + 1) * PROFILE_PERIOD_MS


def close_period(state: State, end: int, clock_set: bool = False) -> None:
    """Close the open profile record at a clock; a whole period updates the maximum demand."""
    period, registers = state.period, state.registers
    imported = registers.import_mwh - period.import_at_start
    row = ProfileRecord.packed(
        end,
        imported,
        registers.export_mwh - period.export_at_start,
        period.power_down,
        clock_set,
        not state.supply.closed,
    )
    state.append(PROFILE_RING, row)
    whole = end - period.began_ms == PROFILE_PERIOD_MS and not period.power_down
    if whole and imported * PERIODS_AN_HOUR > period.maximum_demand_mw:
        period.maximum_demand_mw, period.maximum_demand_at_ms = imported * PERIODS_AN_HOUR, end
    period.import_at_start, period.export_at_start = registers.import_mwh, registers.export_mwh
    period.began_ms, period.power_down = end, False


def replace_part(tariff: Tariff, part: Part) -> Tariff:
    """Return a tariff with one part replaced."""
    match part:
        case Seasons():
            return Tariff(part, tariff.day_tables, tariff.prices, tariff.steps)
        case DayTables():
            return Tariff(tariff.seasons, part, tariff.prices, tariff.steps)
        case Prices():
            return Tariff(tariff.seasons, tariff.day_tables, part, tariff.steps)
        case Steps():
            return Tariff(tariff.seasons, tariff.day_tables, tariff.prices, part)


def _pass(state: State, local: Local, clock: int, emit: Emit) -> None:
    """Process one local instant: midnight freeze, billing end, tariff, then the daily charges."""
    calendar = state.calendar
    midnight = local.date > calendar.date and local.date not in calendar.dates_done
    calendar.date = local.date
    if midnight:
        calendar.dates_done = calendar.dates_done.adding(local.date)
        _freeze(state, DAILY_RING, clock)
    _end_billing(state, local, clock, emit)
    _activate(state, clock, emit)
    if midnight:
        post_midnight(state.account, state.settings)


def _end_billing(state: State, local: Local, clock: int, emit: Emit) -> None:
    calendar, steps = state.calendar, state.tariff.steps
    period, year = billing_period(local, steps), billing_year(local, steps)
    if period > calendar.billing and period not in calendar.billings_done:
        calendar.billings_done = calendar.billings_done.adding(period)
        _freeze(state, BILLING_RING, clock)
        state.registers.month_mwh = 0
        emit("billing_period_ended", 0, 0)
    if year > calendar.year and year not in calendar.years_done:
        calendar.years_done = calendar.years_done.adding(year)
        state.registers.year_mwh = 0
    calendar.billing, calendar.year = period, year


def _activate(state: State, clock: int, emit: Emit) -> None:
    due = sorted(
        (p for p in state.pending if p.activation_ms <= clock), key=lambda p: p.activation_ms
    )
    if not due:
        return
    state.pending = tuple(p for p in state.pending if p.activation_ms > clock)
    for pending in due:
        old = state.tariff.steps
        state.tariff = replace_part(state.tariff, pending.part)
        emit("tariff_activated", TARIFF_PARTS.words.index(PART_NAMES[type(pending.part)]), 0)
        new = state.tariff.steps
        if (old.billing_day, old.billing_hour) != (new.billing_day, new.billing_hour):
            number = billing_period(local_of(state, state.clock.read(state.elapsed_ms)), new)
            state.calendar.billing, state.calendar.billings_done = (
                number,
                Spans(((number, number),)),
            )
        if (old.year_month, old.year_day) != (new.year_month, new.year_day):
            number = billing_year(local_of(state, state.clock.read(state.elapsed_ms)), new)
            state.calendar.year, state.calendar.years_done = number, Spans(((number, number),))


def with_pending(state: State, parts: tuple[tuple[int, Part], ...]) -> tuple[PendingPart, ...]:
    """Return the pending set with `parts`; each replaces the pending part of its type."""
    kinds = {type(part) for _, part in parts}
    kept = tuple(p for p in state.pending if type(p.part) not in kinds)
    return kept + tuple(PendingPart(activation, part) for activation, part in parts)


def _set_rate(state: State, rate: int, emit: Emit) -> None:
    if rate != state.calendar.rate:
        emit("tariff_switched", rate, state.calendar.rate)
        state.calendar.rate = rate


def _freeze(state: State, ring: int, clock: int) -> None:
    registers = state.registers
    one, two, three, four = registers.rate_mwh
    row = Freeze(
        state.numbers[ring] + 1,
        max(clock, 0),
        registers.import_mwh,
        registers.export_mwh,
        one,
        two,
        three,
        four,
        state.account.credit,
    )
    state.append(ring, row.pack())
