"""Charging by step and rate, and the count of mWh to the next level (METER.md 4, 6)."""

from __future__ import annotations

from firmware_sim import charging
from firmware_sim.assembly import new_state
from firmware_sim.meter_description import MeterDescription
from firmware_sim.metrology.stretch import UNREACHED
from firmware_sim.settings import Settings
from firmware_sim.state import State
from protocols.data_model.tariff import Prices, Steps, Tariff
from protocols.quantities import LEDGER

TWO_STEPS = Tariff(prices=Prices((5_000,)), steps=Steps((1_000,), (0, 2_000)))


def state_of(**described: object) -> State:
    """Return the state of a new meter with two steps."""
    return new_state(MeterDescription(**{"tariff": TWO_STEPS, **described}))  # type: ignore[arg-type]


def test_the_price_of_the_next_mwh_is_rate_plus_step() -> None:
    state = state_of()
    assert charging.unit_price(state) == 5_000
    state.registers.month_mwh = 1_000
    assert charging.unit_price(state) == 7_000


def test_a_yearly_tariff_counts_the_year() -> None:
    state = state_of(tariff=Tariff(prices=Prices((1,)), steps=Steps((10,), (0, 1), yearly=True)))
    state.registers.month_mwh = 50
    assert charging.step_counter(state) == 0
    state.registers.year_mwh = 10
    assert charging.unit_price(state) == 2


def test_the_next_level_is_the_nearer_of_step_and_credit() -> None:
    state = state_of(credit=5_000 * 999)
    assert charging.to_next_level(state, 5_000) == 999
    state.account.credit = 5_000 * 1_001
    assert charging.to_next_level(state, 5_000) == 1_000


def test_a_level_counts_up_to_the_mwh_that_passes_it() -> None:
    state = state_of(tariff=Tariff(prices=Prices((5_000,))), credit=5_001)
    assert charging.to_next_level(state, 5_000) == 2


def test_a_credit_at_a_level_watches_the_level_below_it() -> None:
    settings = Settings(low_credit_threshold_1=10_000, overdraft_limit=20_000)
    plain = Tariff(prices=Prices((5_000,)))
    assert (
        charging.to_next_level(state_of(settings=settings, tariff=plain, credit=10_000), 5_000) == 2
    )
    assert charging.to_next_level(state_of(settings=settings, tariff=plain, credit=0), 5_000) == 4
    lowest = state_of(settings=settings, tariff=plain, credit=-20_000)
    assert charging.to_next_level(lowest, 5_000) == UNREACHED


def test_without_price_or_open_account_only_steps_are_watched() -> None:
    assert charging.to_next_level(state_of(credit=1), 0) == 1_000
    assert charging.to_next_level(state_of(opened=False), 5_000) == 1_000


def test_each_mwh_across_a_step_has_the_price_of_its_step() -> None:
    state = state_of(credit=LEDGER)
    state.registers.month_mwh = 999
    charging.charge(state, 3, None)
    assert state.account.consumption == 5_000 + 2 * 7_000
    assert state.account.credit == LEDGER - 19_000
    assert (state.registers.month_mwh, state.registers.year_mwh) == (1_002, 3)


def test_within_a_step_the_given_price_is_charged() -> None:
    state = state_of(credit=LEDGER)
    charging.charge(state, 3, 5_000)
    assert state.account.consumption == 15_000


def test_an_unopened_account_is_charged_nothing_and_its_steps_count() -> None:
    state = state_of(opened=False)
    charging.charge(state, 3, 5_000)
    assert (state.account.consumption, state.account.credit) == (0, 0)
    assert state.registers.month_mwh == 3
