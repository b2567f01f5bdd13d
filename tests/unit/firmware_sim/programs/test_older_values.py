"""A state of an older build goes on with values that are refused today, and they are named."""

from __future__ import annotations

from firmware_sim.assembly import build
from firmware_sim.hal.nvram import SimulatedNvram
from firmware_sim.meter_description import MeterDescription
from firmware_sim.programs.older_values import refused_today
from firmware_sim.settings import Settings
from protocols.data_model.tariff import Seasons, Tariff
from protocols.quantities import CENT, LEDGER, MONEY_LIMIT
from protocols.sealed_message import MessageKind, Outcome
from tests.support.meters import Host, make

OLDER = MeterDescription(
    debt=-5 * LEDGER,
    settings=Settings(
        max_credit=8 * LEDGER, reconnect_threshold=8 * LEDGER, friendly_hours=360 | 360 << 16
    ),
    tariff=Tariff(Seasons(((1, 1, 1), (2, 30, 1)))),
)


def test_a_state_with_values_that_are_refused_today_is_loaded_as_it_was() -> None:
    device = SimulatedNvram()
    before = build(OLDER, device).state
    after = build(MeterDescription(), device).state
    assert (after.settings, after.tariff, after.account.debt) == (
        before.settings, OLDER.tariff, OLDER.debt,
    )  # fmt: skip


def test_each_of_these_values_is_named_with_what_is_allowed() -> None:
    assert [text[:40] for text in refused_today(build(OLDER).state)] == [
        "friendly_hours = off: allowed is off or ",
        "reconnect_threshold 8.00 + 0.01 is above",
        "debt = -5.00: allowed is 0.00 or more; i",
        "tariff: seasons.2: a start is no date: 0",
    ]


def test_a_negative_debt_does_to_top_ups_and_entered_debts_what_its_text_says() -> None:
    meter = make(debt=-5 * LEDGER, settings=Settings(debt_share_percent=50))
    (told,) = refused_today(meter.state)
    assert told.endswith(
        "it takes no part of a top-up, and a debt that is entered is smaller by it"
    )
    credit, host = meter.state.account.credit, Host(meter)
    assert host.send(MessageKind.CREDIT, amount=1000).outcome is Outcome.ACCEPTED
    assert meter.state.account.credit == credit + 10 * LEDGER
    assert host.send(MessageKind.DEBT, amount=1000).outcome is Outcome.ACCEPTED
    assert meter.state.account.debt == 5 * LEDGER
    assert not list(refused_today(meter.state))


def test_a_credit_above_the_largest_amount_is_named() -> None:
    assert list(refused_today(make(credit=MONEY_LIMIT + CENT).state)) == [
        "credit = 1000000.00: allowed is at most 999999.99; it is spent as it is"
    ]
    assert not list(refused_today(make(credit=MONEY_LIMIT).state))


def test_a_state_of_today_has_none() -> None:
    assert not list(refused_today(build(MeterDescription()).state))
