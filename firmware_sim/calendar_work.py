"""Calendar effects at an instant: records, billing, tariff, inhibitors, charges (METER.md 1, 2).

The steps keep the order of METER.md 2: freeze records, end of the billing period, tariff and
inhibitors, then the standing charge and the debt instalment.
"""

from __future__ import annotations

from firmware_sim.account.account import post_midnight
from firmware_sim.clock import (
    LAST_CLOCK,
    Local,
    Transitions,
    first_instant,
    instant_of,
    latest_local,
    local_time,
    next_transition,
)
from firmware_sim.records.ring import BILLING_RING, DAILY_RING, PROFILE_RING
from firmware_sim.state import PendingPart, State
from firmware_sim.supply.control import Emit, release
from firmware_sim.tariff.calendar import (
    OFFSETS_KEPT,
    CalendarState,
    Spans,
    billing_period,
    billing_year,
    friendly_at,
    next_local_edge,
    period_begin,
    rate_at,
    year_begin,
)
from protocols.data_model.events import TARIFF_PARTS
from protocols.data_model.tables import Freeze, ProfileRecord
from protocols.data_model.tariff import PART_NAMES, Part
from protocols.data_model.tariff_sets import replace_part
from protocols.quantities import DAY, LocalMoment

PROFILE_PERIOD_MS = 900_000
PERIODS_AN_HOUR = 4


def local_of(state: State, clock: int) -> Local:
    """Return the meter's local time at a clock."""
    return local_time(clock, state.settings.utc_offset_minutes, state.identity.transitions)


def offset_changes(state: State) -> Transitions:
    """Return the offsets of local time that records were made under: those of the zone, or set."""
    if state.identity.transitions:
        return state.identity.transitions
    past = state.calendar.past_offsets
    begins = (0, *(until for until, _ in past))
    minutes = (*(offset for _, offset in past), state.settings.utc_offset_minutes)
    return tuple(zip(begins, minutes, strict=True))


def set_offset(state: State, clock: int, before: int, emit: Emit) -> None:
    """Apply a changed offset of a meter without a zone; `before` is the former one, minutes."""
    past = (*state.calendar.past_offsets, (clock, before))
    state.calendar.past_offsets = past[-OFFSETS_KEPT:]
    jump(state, clock, emit)


def clock_at(state: State, moment: int | LocalMoment) -> int | None:
    """Return the clock at a moment as it was written; None for a local time that is skipped."""
    if not isinstance(moment, LocalMoment):
        return moment
    offset, transitions = state.settings.utc_offset_minutes, state.identity.transitions
    return instant_of(moment.ms, offset, transitions)


def begin(state: State) -> CalendarState:
    """Return the calendar of a new meter; its first date counts as processed."""
    clock = state.clock.read(state.elapsed_ms)
    local, begun = local_of(state, clock), _begun(state, clock)
    calendar = CalendarState(
        begun.date,
        billing_period(begun, state.tariff.steps),
        billing_year(begun, state.tariff.steps),
    )
    calendar.dates_done = calendar.dates_done.adding(begun.date)
    calendar.billings_done = calendar.billings_done.adding(calendar.billing)
    calendar.years_done = calendar.years_done.adding(calendar.year)
    calendar.rate = rate_at(local, state.tariff)
    calendar.friendly = friendly_at(local, state.settings, state.tariff)
    return calendar


def pass_instant(state: State, clock: int, emit: Emit) -> None:
    """Process the dates and activations due up to `clock`, then apply the tariff of it."""
    pass_due(state, clock, emit)
    apply_calendar(state, clock, emit)


def pass_due(state: State, clock: int, emit: Emit) -> None:
    """Process midnights, billing ends and activations up to `clock`, one by one in their order.

    Each is processed at its own instant: the tariff and the offset of that instant apply, records
    and events carry it. The registers are the present ones: without power nothing is metered.
    """
    now_ms = state.elapsed_ms
    while (due := _next_due(state)) <= clock:
        state.elapsed_ms = min(state.clock.when(due), now_ms)
        _pass(state, due, emit)
    state.elapsed_ms = now_ms


def jump(state: State, clock: int, emit: Emit, since: int | None = None) -> None:
    """Apply a set clock or offset: skipped days have no freezes or charges; nothing is undone.

    Args:
        since: the clock before, where it was valid; activations after it have their own instant,
            so that a billing period ends under the steps that were in force.
    """
    calendar = state.calendar
    calendar.past_offsets = tuple(past for past in calendar.past_offsets if past[0] <= clock)
    begin = clock if since is None else min(since, clock)
    activations = {
        max(pending.activation_ms, begin)
        for pending in state.pending
        if pending.activation_ms <= clock
    }
    month_ended = False
    for instant in sorted({*activations, clock}):
        begun = _begun(state, instant)
        period = billing_period(begun, state.tariff.steps)
        year = billing_year(begun, state.tariff.steps)
        if period > calendar.billing and period not in calendar.billings_done:
            state.registers.month_mwh = 0
            calendar.billings_done = calendar.billings_done.adding(period)
            if not month_ended:
                emit("billing_period_ended", 0, 0)
            month_ended = True
        if year > calendar.year and year not in calendar.years_done:
            state.registers.year_mwh = 0
            calendar.years_done = calendar.years_done.adding(year)
        calendar.date, calendar.billing, calendar.year = begun.date, period, year
        _activate(state, instant, emit)
    apply_calendar(state, clock, emit)


def set_clock(state: State, old: int, new: int, emit: Emit) -> None:
    """Set the clock; the open profile record is closed and marked. No credit moves, no freeze."""
    since = old if state.clock.valid else None
    _move_clock(state, old, new, emit)
    jump(state, new, emit, since)


def step_clock(state: State, old: int, by: int, emit: Emit) -> None:
    """Step the clock as a fault does; an invalid clock stays invalid."""
    new, valid = min(max(old + by, 0), LAST_CLOCK - 1), state.clock.valid
    _move_clock(state, old, new, emit)
    state.clock.valid = valid
    if valid:
        jump(state, new, emit, old)


def _move_clock(state: State, old: int, new: int, emit: Emit) -> None:
    close_period(state, old, clock_set=True)
    state.clock.set(state.elapsed_ms, new)
    state.period.began_ms = new
    emit("clock_set", old, new)


def apply_calendar(state: State, clock: int, emit: Emit) -> None:
    """Set tariff, rate and inhibitors to those in force at `clock` (METER.md 2, step 4)."""
    calendar = state.calendar
    if not state.clock.valid:
        _activate(state, 0, emit)
        _set_rate(state, 1, emit)
        calendar.friendly = False
        return
    _activate(state, clock, emit)
    local = local_of(state, clock)
    _set_rate(state, rate_at(local, state.tariff), emit)
    calendar.friendly = friendly_at(local, state.settings, state.tariff)
    _end_moratorium(state, local, emit)


def return_power(state: State, emit: Emit) -> None:
    """Power up: first process the dates that passed without power; the clock ran on."""
    clock, period = state.clock.read(state.elapsed_ms), state.period
    catch_up(state, emit)
    state.powered = True
    emit("power_restored", 0, 0)
    if not state.clock.valid:
        return
    end = next_profile_clock(period.began_ms)
    if end <= clock:
        close_period(state, end)
        period.began_ms = clock // PROFILE_PERIOD_MS * PROFILE_PERIOD_MS
    apply_calendar(state, clock, emit)


def catch_up(state: State, emit: Emit) -> None:
    """Process what fell due without power up to now, before a clock fault or the power's return."""
    if not state.powered and state.clock.valid:
        pass_due(state, state.clock.read(state.elapsed_ms), emit)


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


def _begun(state: State, clock: int) -> Local:
    """Return the latest local time up to a clock: its date and periods have begun."""
    return latest_local(clock, state.settings.utc_offset_minutes, state.identity.transitions)


def _next_due(state: State) -> int:
    """Return the next clock with a midnight, a billing end or an activation to be processed."""
    calendar, steps = state.calendar, state.tariff.steps
    begins = (
        (calendar.date + 1) * DAY,
        period_begin(calendar.billing + 1, steps),
        year_begin(calendar.year + 1, steps),
    )
    offset, transitions = state.settings.utc_offset_minutes, state.identity.transitions
    due = first_instant(min(begins), offset, transitions)
    return min([due, *(pending.activation_ms for pending in state.pending)])


def _pass(state: State, clock: int, emit: Emit) -> None:
    """Process one instant: midnight freeze, billing end, tariff, inhibitor, daily charges."""
    calendar, local = state.calendar, local_of(state, clock)
    midnight = local.date > calendar.date and local.date not in calendar.dates_done
    calendar.date = max(calendar.date, local.date)
    if midnight:
        calendar.dates_done = calendar.dates_done.adding(local.date)
        _freeze(state, DAILY_RING, clock)
    _end_billing(state, local, clock, emit)
    _activate(state, clock, emit)
    _end_moratorium(state, local, emit)
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
    calendar.billing, calendar.year = max(calendar.billing, period), max(calendar.year, year)


def _end_moratorium(state: State, local: Local, emit: Emit) -> None:
    supply = state.supply
    if supply.moratorium and local.date >= supply.moratorium_until:
        supply.moratorium, supply.moratorium_until = False, 0
        release(supply)
        emit("moratorium_ended", 0, 0)


def _activate(state: State, clock: int, emit: Emit) -> None:
    """Put pending parts in force at `clock`; changed billing dates are numbered from then on."""
    due = sorted(
        (p for p in state.pending if p.activation_ms <= clock), key=lambda p: p.activation_ms
    )
    if not due:
        return
    state.pending = tuple(p for p in state.pending if p.activation_ms > clock)
    calendar, begun = state.calendar, _begun(state, clock)
    for pending in due:
        old = state.tariff.steps
        state.tariff = replace_part(state.tariff, pending.part)
        emit("tariff_activated", TARIFF_PARTS.words.index(PART_NAMES[type(pending.part)]), 0)
        new = state.tariff.steps
        if (old.billing_day, old.billing_hour) != (new.billing_day, new.billing_hour):
            number = billing_period(begun, new)
            calendar.billing, calendar.billings_done = number, Spans(((number, number),))
        if (old.year_month, old.year_day) != (new.year_month, new.year_day):
            number = billing_year(begun, new)
            calendar.year, calendar.years_done = number, Spans(((number, number),))


def with_pending(
    state: State, parts: tuple[tuple[int | LocalMoment, Part], ...]
) -> tuple[PendingPart, ...] | None:
    """Return the pending set with `parts`; each replaces the pending part of its type.

    None where an activation is a local time that is skipped.
    """
    kinds = {type(part) for _, part in parts}
    pending = [p for p in state.pending if type(p.part) not in kinds]
    for moment, part in parts:
        activation = clock_at(state, moment)
        if activation is None:
            return None
        pending.append(PendingPart(activation, part))
    return tuple(pending)


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
        state.account.consumption,
    )
    state.append(ring, row.pack())
