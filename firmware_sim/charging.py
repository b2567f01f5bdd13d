"""Charging of metered energy, and how far the price and the credit levels reach (METER.md 4, 6)."""

from __future__ import annotations

from firmware_sim.account.account import charge_consumption
from firmware_sim.metrology.stretch import UNREACHED
from firmware_sim.state import State
from firmware_sim.tariff.pricing import cost, step_at, to_step_end


def step_counter(state: State) -> int:
    """Return the consumption in mWh that selects the step."""
    registers = state.registers
    return registers.year_mwh if state.tariff.steps.yearly else registers.month_mwh


def rate_price(state: State) -> int:
    """Return the price of the current rate, without the addition of a step, 1e-4 per kWh."""
    return state.tariff.prices.prices[state.calendar.rate - 1]


def unit_price(state: State) -> int:
    """Return the price of the next mWh, 1e-4 account unit per kWh."""
    steps = state.tariff.steps
    return rate_price(state) + steps.additions[step_at(step_counter(state), steps)]


def to_next_level(state: State, price: int) -> int:
    """Return the mWh up to the nearest credit level or step limit at a price; each is charged."""
    left = to_step_end(step_counter(state), state.tariff.steps)
    watch = UNREACHED if left is None else left
    if state.account.is_open and price:
        credit = state.account.credit
        for level in state.settings.levels():
            if level < credit:
                return min(watch, -(-(credit - level) // price))
    return watch


def charge(state: State, count: int, price: int | None) -> None:
    """Charge `count` mWh to an open account and feed the step counters.

    Args:
        price: of all of them; None where a level was reached, so that each has that of its step.
    """
    registers = state.registers
    if state.account.is_open:
        amount = (
            cost(count, step_counter(state), rate_price(state), state.tariff.steps)
            if price is None
            else count * price
        )
        charge_consumption(state.account, amount)
    registers.month_mwh += count
    registers.year_mwh += count
