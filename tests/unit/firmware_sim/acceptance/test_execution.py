"""Effects of executed instructions (METER.md 4, 5, 6)."""

from __future__ import annotations

from datetime import date

import pytest

from firmware_sim.meter_description import DEFAULT_START
from firmware_sim.metrology.load import Load
from firmware_sim.requests import LoseClock
from protocols.data_model import items
from protocols.data_model.words import AccountState, Cause, SupplyState
from protocols.quantities import DAY, HOUR, LEDGER
from protocols.sealed_message import MessageKind, encode_limits, encode_number
from tests.support.meters import Host, event_names, make

TODAY = DEFAULT_START // DAY


def test_closing_settles_the_balance_and_ends_the_credit_causes() -> None:
    meter = make(credit=-5 * LEDGER)
    assert meter.state.supply.causes == Cause.CREDIT_EXHAUSTED
    Host(meter).send(MessageKind.CLOSE)
    account = meter.state.account
    assert (account.state, account.credit) == (AccountState.CLOSED, 0)
    assert account.settled == -5 * LEDGER
    assert meter.state.supply.state is SupplyState.CONNECTED
    assert account.imbalance() == (0, 0)


def test_a_debt_adds_debt_and_leaves_the_credit() -> None:
    meter = make()
    Host(meter).send(MessageKind.DEBT, amount=3000)
    assert (meter.state.account.debt, meter.state.account.credit) == (30 * LEDGER, 20 * LEDGER)
    assert meter.state.account.imbalance() == (0, 0)


@pytest.mark.parametrize(("until", "on"), [(TODAY, False), (TODAY + 1, True)])
def test_a_moratorium_that_ends_today_never_begins(until: int, on: bool) -> None:
    meter = make()
    Host(meter).send(
        MessageKind.MORATORIUM, parameters=encode_number(MessageKind.MORATORIUM, until)
    )
    assert meter.state.supply.moratorium is on


def test_a_guarantee_that_is_on_already_is_no_event() -> None:
    meter = make()
    for value in (1, 1, 0, 0):
        Host(meter).send(
            MessageKind.GUARANTEE, parameters=encode_number(MessageKind.GUARANTEE, value)
        )
    assert event_names(meter).count("guarantee_set") == 2


def test_cleared_events_leave_the_clearing_alone() -> None:
    meter = make()
    Host(meter).send(MessageKind.DEBT, amount=1)
    Host(meter).send(MessageKind.CLEAR_EVENTS)
    assert event_names(meter) == ["events_cleared"]


def test_cleared_demand_begins_at_zero() -> None:
    meter = make(load=Load.constant((1_000_000,)))
    meter.advance(HOUR)
    assert meter.state.period.maximum_demand_mw == 1_000_000
    Host(meter).send(MessageKind.CLEAR_DEMAND)
    period = meter.state.period
    assert (period.maximum_demand_mw, period.maximum_demand_at_ms) == (0, 0)


@pytest.mark.parametrize(("until", "on"), [(0, False), (1, True), (TODAY, True)])
def test_a_moratorium_begins_without_a_valid_clock_whatever_its_end(until: int, on: bool) -> None:
    meter = make()
    meter.handle(LoseClock())
    Host(meter).send(
        MessageKind.MORATORIUM, parameters=encode_number(MessageKind.MORATORIUM, until)
    )
    assert meter.state.supply.moratorium is on
    assert meter.state.supply.moratorium_until == (until if on else 0)


def test_a_set_offset_applies_to_the_date_and_the_billing_period_at_once() -> None:
    last_of_january = (date(2026, 1, 31) - date(1970, 1, 1)).days
    meter = make(start=last_of_january * DAY + 20 * HOUR, load=Load.constant((1_000_000,)))
    meter.advance(HOUR)
    assert (meter.state.calendar.date, meter.state.registers.month_mwh > 0) == (
        last_of_january,
        True,
    )
    number = items.UTC_OFFSET.setting
    assert number is not None
    Host(meter).send(MessageKind.LIMITS, parameters=encode_limits({number: 480}))
    assert (meter.state.calendar.date, meter.state.registers.month_mwh) == (last_of_january + 1, 0)


def test_the_end_of_a_moratorium_arms_all_levels_and_its_renewal_arms_none() -> None:
    meter = make()

    def until(date: int) -> None:
        parameters = encode_number(MessageKind.MORATORIUM, date)
        Host(meter).send(MessageKind.MORATORIUM, parameters=parameters)

    until(TODAY + 5)
    meter.state.supply.spent = 2
    until(TODAY + 9)
    assert (meter.state.supply.spent, meter.state.supply.moratorium_until) == (2, TODAY + 9)
    until(0)
    assert (meter.state.supply.spent, meter.state.supply.moratorium) == (0, False)
