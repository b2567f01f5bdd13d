"""Effects of executed instructions (METER.md 4, 5, 6)."""

from __future__ import annotations

import pytest

from firmware_sim.meter_description import DEFAULT_START
from firmware_sim.metrology.load import Load
from protocols.data_model.words import AccountState, Cause, SupplyState
from protocols.quantities import DAY, HOUR, LEDGER
from protocols.sealed_message import MessageKind, encode_number
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


@pytest.mark.parametrize(("date", "on"), [(TODAY, False), (TODAY + 1, True)])
def test_a_moratorium_that_ends_today_never_begins(date: int, on: bool) -> None:
    meter = make()
    Host(meter).send(MessageKind.MORATORIUM, parameters=encode_number(MessageKind.MORATORIUM, date))
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
