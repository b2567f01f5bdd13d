"""Getter of every item from a meter. Reading changes nothing; a test checks completeness."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from firmware_sim.calendar_work import PERIODS_AN_HOUR, offset_changes
from firmware_sim.clock import local_time
from firmware_sim.meter import Meter
from firmware_sim.metrology.electrical import (
    apparent_mva,
    current_ma,
    line_voltage_mv,
    mean,
    neutral_current_ma,
    phase_angle,
    reactive_mvar,
    total_power_factor,
)
from firmware_sim.metrology.phase_energies import Counter
from firmware_sim.records.ring import PROFILE_RING
from firmware_sim.settings import attribute
from firmware_sim.tariff.pricing import step_at
from protocols.data_model import items
from protocols.data_model.items import Item
from protocols.data_model.tables import ProfileRecord
from protocols.data_model.words import Cause, Status, SwitchPosition, Tamper
from protocols.quantities import MINUTE, MONEY_LIMIT, MWH_IN_MW_MS

FIRMWARE_VERSION = 1
Getter = Callable[[Meter], Any]


def read(meter: Meter, item: Item) -> Any:
    """Return the value of an item in the form of its kind."""
    return GETTERS[item](meter)


def utc_offset_minutes(meter: Meter, clock: int) -> int:
    """Return the offset of local time at a clock in minutes, the one of records made then."""
    return local_time(clock, 0, offset_changes(meter.state)).offset_ms // MINUTE


_CAUSE_OVERLOAD = int(Cause.OVERLOAD)
_COVER, _TERMINAL_COVER, _MAGNET = int(Tamper.COVER), int(Tamper.TERMINAL_COVER), int(Tamper.MAGNET)
_STATUS: tuple[tuple[Status, Callable[[Meter], object]], ...] = (
    (Status.LOW_CREDIT_WARNING, lambda m: m.state.supply.warning),
    (Status.TRIP_PENDING, lambda m: m.state.supply.pending),
    (Status.GUARANTEE, lambda m: m.state.supply.guarantee),
    (Status.MORATORIUM, lambda m: m.state.supply.moratorium),
    (Status.FRIENDLY_WINDOW, lambda m: m.state.calendar.friendly),
    (Status.OVERDRAFT, lambda m: m.state.account.credit < 0),
    (Status.OVERLOAD, lambda m: m.state.supply.causes & _CAUSE_OVERLOAD),
    (Status.SWITCH_FAULT, lambda m: m.state.supply.switch_fault),
    (Status.COVER_OPEN, lambda m: m.state.supply.sensors & _COVER),
    (Status.TERMINAL_COVER_OPEN, lambda m: m.state.supply.sensors & _TERMINAL_COVER),
    (Status.MAGNET_PRESENT, lambda m: m.state.supply.sensors & _MAGNET),
    (Status.CLOCK_INVALID, lambda m: not m.state.clock.valid),
    (Status.STORAGE_LOST, lambda m: m.storage_lost),
    (Status.AUTHENTICATION_ATTACK, lambda m: m.state.security.attacked(m.state.elapsed_ms)),
    (
        Status.MONEY_SATURATED,
        lambda m: max(abs(m.state.account.credit), m.state.account.cumulative) > MONEY_LIMIT,
    ),
    (Status.TARIFF_PENDING, lambda m: m.state.pending),
    (Status.REVERSE_POWER, lambda m: sum(m.demand.phases) < 0),
)
_STATUS_BITS = tuple((int(bit), holds) for bit, holds in _STATUS)


def status(meter: Meter) -> int:
    """Return the status word."""
    return sum([bit for bit, holds in _STATUS_BITS if holds(meter)])


def _voltage(meter: Meter, phase: int) -> int:
    identity = meter.state.identity
    wired = phase < identity.phases and phase not in meter.installation.lost_phases
    return identity.nominal_voltage_mv if wired and meter.state.powered else 0


def _power(meter: Meter, phase: int) -> int:
    phases = meter.demand.phases
    return phases[phase] if phase < len(phases) else 0


def _current(meter: Meter, phase: int) -> int:
    return current_ma(_power(meter, phase), meter.demand.power_factor, _voltage(meter, phase))


def _currents(meter: Meter) -> list[int]:
    """Return the signed current of each phase that the meter has."""
    return [_current(meter, phase) for phase in range(meter.state.identity.phases)]


def _neutral(meter: Meter) -> int:
    first, second, third = (_current(meter, phase) for phase in range(3))
    return neutral_current_ma(first, second, third)


def _line_voltage(meter: Meter, pair: int) -> int:
    """Return the voltage between a phase and the next one; 0 where the meter lacks either."""
    other = (pair + 1) % 3
    if max(pair, other) >= meter.state.identity.phases:
        return 0
    return line_voltage_mv(_voltage(meter, pair), _voltage(meter, other))


def _apparent(meter: Meter, phase: int) -> int:
    return apparent_mva(_power(meter, phase), meter.demand.power_factor)


def _reactive(meter: Meter, phase: int) -> int:
    return reactive_mvar(_power(meter, phase), meter.demand.power_factor)


def _power_factor(meter: Meter, phase: int) -> int:
    if phase >= meter.state.identity.phases:
        return 0
    return total_power_factor((_power(meter, phase),), meter.demand.power_factor)


def _total_power_factor(meter: Meter) -> int:
    return total_power_factor(meter.demand.phases, meter.demand.power_factor)


def _phase_angle(meter: Meter, phase: int) -> int:
    if phase >= meter.state.identity.phases:
        return 0
    return phase_angle(_power_factor(meter, phase))


def _demand(meter: Meter) -> int:
    newest = next(meter.rings[PROFILE_RING].newest(1), None)
    return 0 if newest is None else ProfileRecord.unpack(newest).import_mwh * PERIODS_AN_HOUR


def _counted(meter: Meter, *places: int) -> int | None:
    """Return the sum of counters in thousandths of a unit-hour; None where none are kept."""
    energies = meter.state.registers.phase_energies
    if energies is None:
        return None
    return sum(energies[place] // MWH_IN_MW_MS for place in places)


def _counted_of_phase(meter: Meter, phase: int, *counters: Counter) -> int | None:
    if phase >= meter.state.identity.phases:
        return None
    return _counted(meter, *(counter + phase for counter in counters))


def _trip_due(meter: Meter) -> int:
    supply = meter.state.supply
    dues = [due for due in (supply.credit_due_ms, supply.remote_due_ms) if due is not None]
    return meter.state.clock.read(min(dues)) if dues else 0


def _step_limit(meter: Meter, step: int) -> int | None:
    limits = meter.state.tariff.steps.limits
    return limits[step] if step < len(limits) else None


def _step_addition(meter: Meter, step: int) -> int:
    additions = meter.state.tariff.steps.additions
    return additions[step] if step < len(additions) else 0


def _price(meter: Meter, rate: int) -> int:
    prices = meter.state.tariff.prices.prices
    return prices[rate] if rate < len(prices) else 0


def _current_step(meter: Meter) -> int:
    registers, steps = meter.state.registers, meter.state.tariff.steps
    return step_at(registers.year_mwh if steps.yearly else registers.month_mwh, steps) + 1


def _check_value(meter: Meter) -> int:
    keys = meter.authenticator.keys(meter.state.security.key_version)
    return keys.check_value if keys else 0


GETTERS: dict[Item, Getter] = {
    items.SERIAL_NUMBER: lambda m: m.state.identity.serial_number,
    items.EPOCH: lambda m: m.state.identity.epoch,
    items.METER_TYPE: lambda m: m.state.identity.meter_type,
    items.ACCOUNT_UNIT: lambda m: m.state.account.unit,
    items.FIRMWARE_VERSION: lambda _: FIRMWARE_VERSION,
    items.CLOCK: lambda m: m.clock,
    items.ELAPSED: lambda m: m.state.elapsed_ms,
    items.ENERGY_IMPORT: lambda m: m.state.registers.import_mwh,
    items.ENERGY_EXPORT: lambda m: m.state.registers.export_mwh,
    items.ENERGY_TOTAL: lambda m: m.state.registers.import_mwh + m.state.registers.export_mwh,
    items.REACTIVE_IMPORT: lambda m: _counted(m, Counter.REACTIVE_IMPORT),
    items.REACTIVE_EXPORT: lambda m: _counted(m, Counter.REACTIVE_EXPORT),
    items.REACTIVE_TOTAL: lambda m: _counted(m, Counter.REACTIVE_IMPORT, Counter.REACTIVE_EXPORT),
    items.APPARENT_TOTAL: lambda m: _counted(m, Counter.APPARENT),
    items.ENERGY_MONTH: lambda m: m.state.registers.month_mwh,
    items.ENERGY_YEAR: lambda m: m.state.registers.year_mwh,
    items.ACTIVE_POWER: lambda m: sum(m.demand.phases),
    items.REACTIVE_POWER: lambda m: sum(
        reactive_mvar(p, m.demand.power_factor) for p in m.demand.phases
    ),
    items.APPARENT_POWER: lambda m: sum(
        apparent_mva(p, m.demand.power_factor) for p in m.demand.phases
    ),
    items.POWER_FACTOR: _total_power_factor,
    items.PHASE_ANGLE: lambda m: phase_angle(_total_power_factor(m)),
    items.FREQUENCY: lambda m: m.state.identity.frequency_mhz if m.state.powered else 0,
    items.VOLTAGE_MEAN: lambda m: mean([_voltage(m, n) for n in range(m.state.identity.phases)]),
    items.LINE_VOLTAGE_MEAN: lambda m: mean([_line_voltage(m, n) for n in range(3)]),
    items.CURRENT_NEUTRAL: _neutral,
    items.CURRENT_MEAN: lambda m: mean([abs(current) for current in _currents(m)]),
    items.CURRENT_SUM: lambda m: sum(abs(current) for current in _currents(m)),
    items.DEMAND: _demand,
    items.MAXIMUM_DEMAND: lambda m: m.state.period.maximum_demand_mw,
    items.MAXIMUM_DEMAND_AT: lambda m: m.state.period.maximum_demand_at_ms,
    items.ACCOUNT_STATE: lambda m: m.state.account.state,
    items.CUSTOMER_NUMBER: lambda m: m.state.account.customer_number,
    items.AVAILABLE_CREDIT: lambda m: m.state.account.credit,
    items.AVAILABLE_CREDIT_EXACT: lambda m: m.state.account.credit,
    items.REMAINING_CREDIT: lambda m: max(0, m.state.account.credit),
    items.OVERDRAFT: lambda m: max(0, -m.state.account.credit),
    items.DEBT: lambda m: m.state.account.debt,
    items.PURCHASE_COUNT: lambda m: m.state.account.purchases,
    items.CREDIT_SEQUENCE: lambda m: m.state.security.credit_sequence,
    items.COMMAND_SEQUENCE: lambda m: m.state.security.command_sequence,
    items.KEY_VERSION: lambda m: m.state.security.key_version,
    items.KEY_CHECK_VALUE: _check_value,
    items.CARD_SERIAL: lambda m: m.state.slot.bound_card,
    items.ILLEGAL_INSERTIONS: lambda m: m.state.slot.illegal_insertions,
    items.OPENING_BALANCE: lambda m: m.state.account.opening,
    items.CREDITED: lambda m: m.state.account.credited,
    items.REFUNDED: lambda m: m.state.account.refunded,
    items.SETTLED: lambda m: m.state.account.settled,
    items.CONSUMPTION_CHARGED: lambda m: m.state.account.consumption,
    items.STANDING_CHARGED: lambda m: m.state.account.standing,
    items.INSTALMENTS_TAKEN: lambda m: m.state.account.instalments,
    items.DEBT_ENTERED: lambda m: m.state.account.debt_entered,
    items.DEBT_FROM_TOP_UPS: lambda m: m.state.account.debt_from_top_ups,
    items.CUMULATIVE_PURCHASED: lambda m: m.state.account.cumulative,
    items.PHASE_SUMMATION: lambda m: m.state.identity.phase_summation,
    items.REVERSE_CHARGED: lambda m: int(m.state.identity.reverse_charged),
    items.CURRENT_RATE: lambda m: m.state.calendar.rate,
    items.CURRENT_STEP: _current_step,
    items.CURRENT_PRICE: lambda m: m.current_price,
    items.STEP_PERIOD: lambda m: int(m.state.tariff.steps.yearly),
    items.BILLING_DAY: lambda m: (
        f"{m.state.tariff.steps.billing_day:02d}{m.state.tariff.steps.billing_hour:02d}"
    ),
    items.BILLING_YEAR: lambda m: (
        f"{m.state.tariff.steps.year_month:02d}{m.state.tariff.steps.year_day:02d}"
    ),
    items.TARIFF_ACTIVATION: lambda m: min((p.activation_ms for p in m.state.pending), default=0),
    items.SUPPLY_STATE: lambda m: m.state.supply.state,
    items.SUPPLY_CAUSES: lambda m: m.state.supply.causes,
    items.SUPPLY_COMMANDED: lambda m: SwitchPosition(m.state.supply.closed),
    items.SUPPLY_SWITCH: lambda m: SwitchPosition(m.switch.closed),
    items.AMOUNT_TO_RECONNECT: lambda m: m.state.amount_to_reconnect(),
    items.LOW_CREDIT_WARNING: lambda m: int(m.state.supply.warning),
    items.TRIP_PENDING: lambda m: m.state.supply.pending,
    items.TRIP_DUE: _trip_due,
    items.GUARANTEE: lambda m: int(m.state.supply.guarantee),
    items.MORATORIUM: lambda m: m.state.supply.moratorium_until,
    items.OVERLOAD_COUNT: lambda m: m.state.supply.overload_count,
    items.STATUS: status,
    items.EVENT_NUMBER: lambda m: m.state.numbers[1],
}


def _setting(name: str) -> Getter:
    return lambda m: getattr(m.state.settings, name)


def _of_number(get: Callable[[Meter, int], Any], number: int) -> Getter:
    return lambda m: get(m, number)


GETTERS.update((item, _setting(attribute(item))) for item in items.SETTINGS.values())
GETTERS[items.UTC_OFFSET] = lambda m: utc_offset_minutes(m, m.clock)
for _items, _get in (
    (items.ENERGY_RATES, lambda m, n: m.state.registers.rate_mwh[n]),
    (items.VOLTAGES, _voltage),
    (items.LINE_VOLTAGES, _line_voltage),
    (items.CURRENTS, _current),
    (items.ACTIVE_POWERS, _power),
    (items.REACTIVE_POWERS, _reactive),
    (items.APPARENT_POWERS, _apparent),
    (items.POWER_FACTORS, _power_factor),
    (items.PHASE_ANGLES, _phase_angle),
    (items.ENERGY_IMPORTS, lambda m, n: _counted_of_phase(m, n, Counter.IMPORT)),
    (items.ENERGY_EXPORTS, lambda m, n: _counted_of_phase(m, n, Counter.EXPORT)),
    (items.ENERGY_TOTALS, lambda m, n: _counted_of_phase(m, n, Counter.IMPORT, Counter.EXPORT)),
    (items.PRICES, _price),
    (items.STEP_LIMITS, _step_limit),
    (items.STEP_ADDITIONS, _step_addition),
):
    GETTERS.update((item, _of_number(_get, number)) for number, item in enumerate(_items))
