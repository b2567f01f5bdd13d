"""Refusals of authenticated instructions at their limits (METER.md 4, 5, 6, 7)."""

from __future__ import annotations

import pytest

from firmware_sim.acceptance.admission import refusal
from firmware_sim.acceptance.sealed import instruction_of
from firmware_sim.clock import LAST_CLOCK
from firmware_sim.meter_description import DEFAULT_START
from firmware_sim.settings import Settings
from protocols.data_model.items import SETTINGS
from protocols.data_model.tariff import Prices, Seasons, Steps, Tariff, TariffChange
from protocols.data_model.words import Carrier
from protocols.quantities import CENT, DAY, LEDGER, MONEY_LIMIT
from protocols.sealed_message import (
    MessageKind,
    Outcome,
    SwitchAction,
    encode_limits,
    encode_number,
)
from tests.support.meters import Host, make

NUMBER_OF = {item.name: number for number, item in SETTINGS.items()}
TODAY = DEFAULT_START // DAY
MAX_CENTS = MONEY_LIMIT // CENT
ENERGY_TARIFF = Tariff(prices=Prices((10_000,)))


def number(kind: MessageKind, value: int) -> bytes:
    return encode_number(kind, value)


def limits(**values: int | None) -> bytes:
    return encode_limits({NUMBER_OF[name]: value for name, value in values.items()})


def refused(
    kind: MessageKind, amount: int = 0, parameters: bytes = b"", **description: object
) -> Outcome | None:
    """Return the refusal of a message by a meter of a description."""
    meter = make(**description)
    message = Host(meter).message(kind, amount=amount, parameters=parameters)
    return refusal(meter.state, instruction_of(message, Carrier.WIRE))


@pytest.mark.parametrize(
    ("kind", "amount", "outcome"),
    [
        (MessageKind.CREDIT, 0, Outcome.OUT_OF_RANGE),
        (MessageKind.CREDIT, 1, None),
        (MessageKind.CREDIT, MAX_CENTS + 1, Outcome.OUT_OF_RANGE),
        (MessageKind.CREDIT, MAX_CENTS, Outcome.EXCEEDS_MAX_CREDIT),
        (MessageKind.CREDIT, MAX_CENTS - 2000, None),
        (MessageKind.REFUND, 0, Outcome.OUT_OF_RANGE),
        (MessageKind.REFUND, 2000, None),
        (MessageKind.REFUND, 2001, Outcome.OUT_OF_RANGE),
        (MessageKind.DEBT, 0, Outcome.OUT_OF_RANGE),
        (MessageKind.DEBT, MAX_CENTS, None),
        (MessageKind.DEBT, MAX_CENTS + 1, Outcome.OUT_OF_RANGE),
        (MessageKind.CLOSE, 1, Outcome.OUT_OF_RANGE),
        (MessageKind.CLOSE, 0, None),
        (MessageKind.VOID, 1, Outcome.OUT_OF_RANGE),
        (MessageKind.CLEAR_EVENTS, 1, Outcome.OUT_OF_RANGE),
    ],
)
def test_amounts_at_the_limits_of_a_meter_with_20_00(
    kind: MessageKind, amount: int, outcome: Outcome | None
) -> None:
    assert refused(kind, amount) is outcome


def test_nothing_is_refunded_from_an_overdraft() -> None:
    overdraft = Settings(overdraft_limit=9 * LEDGER)
    assert (
        refused(MessageKind.REFUND, 1, credit=-5 * LEDGER, settings=overdraft)
        is Outcome.OUT_OF_RANGE
    )


@pytest.mark.parametrize(
    ("kind", "value", "outcome"),
    [
        (MessageKind.CLOCK, 0, Outcome.OUT_OF_RANGE),
        (MessageKind.CLOCK, 1, None),
        (MessageKind.CLOCK, LAST_CLOCK - 1, None),
        (MessageKind.CLOCK, LAST_CLOCK, Outcome.OUT_OF_RANGE),
        (MessageKind.GUARANTEE, 2, Outcome.OUT_OF_RANGE),
        (MessageKind.MORATORIUM, 0, None),
        (MessageKind.MORATORIUM, 1, Outcome.OUT_OF_RANGE),
        (MessageKind.MORATORIUM, TODAY, Outcome.OUT_OF_RANGE),
        (MessageKind.MORATORIUM, TODAY + 1, None),
        (MessageKind.MORATORIUM, LAST_CLOCK // DAY, Outcome.OUT_OF_RANGE),
    ],
)
def test_numbers_at_the_limits_of_a_command(
    kind: MessageKind, value: int, outcome: Outcome | None
) -> None:
    assert refused(kind, parameters=number(kind, value)) is outcome


@pytest.mark.parametrize(
    ("values", "outcome"),
    [
        ({"low_credit_threshold_1": LEDGER, "low_credit_threshold_2": LEDGER}, None),
        (
            {"low_credit_threshold_1": LEDGER - 1, "low_credit_threshold_2": LEDGER},
            Outcome.OUT_OF_RANGE,
        ),
        ({"low_credit_threshold_1": None, "low_credit_threshold_2": LEDGER}, None),
        ({"overdraft_limit": -1}, Outcome.OUT_OF_RANGE),
        ({"overdraft_limit": MONEY_LIMIT + 1}, Outcome.OUT_OF_RANGE),
        ({"max_credit": LEDGER, "reconnect_threshold": 2 * LEDGER}, Outcome.OUT_OF_RANGE),
        ({"max_credit": LEDGER, "reconnect_threshold": LEDGER}, Outcome.OUT_OF_RANGE),
        ({"max_credit": LEDGER, "reconnect_threshold": LEDGER - CENT + 1}, Outcome.OUT_OF_RANGE),
        ({"max_credit": LEDGER, "reconnect_threshold": LEDGER - CENT}, None),
        ({"max_credit": None, "reconnect_threshold": MONEY_LIMIT}, Outcome.OUT_OF_RANGE),
        ({"max_credit": None, "reconnect_threshold": MONEY_LIMIT - CENT}, None),
        ({"max_credit": 0}, Outcome.OUT_OF_RANGE),
        ({"max_credit": CENT}, None),
        ({"friendly_hours": 360 | 360 << 16}, Outcome.OUT_OF_RANGE),
        ({"friendly_hours": 1440 << 16}, None),
    ],
)
def test_limits_must_agree_with_each_other(
    values: dict[str, int | None], outcome: Outcome | None
) -> None:
    assert refused(MessageKind.LIMITS, parameters=limits(**values)) is outcome


def test_an_interrupt_is_refused_under_a_guarantee_and_a_permit_is_not() -> None:
    interrupt, permit = (
        number(MessageKind.SWITCH, action)
        for action in (SwitchAction.INTERRUPT, SwitchAction.PERMIT)
    )
    wanted = Outcome.REFUSED_BY_GUARANTEE
    assert refused(MessageKind.SWITCH, parameters=interrupt, guarantee=True) is wanted
    assert refused(MessageKind.SWITCH, parameters=permit, guarantee=True) is None


@pytest.mark.parametrize(
    ("part", "outcome"),
    [
        (Prices((10_000,)), None),
        (Prices((10_001,)), Outcome.OUT_OF_RANGE),
        (Steps((1,), (0, 1)), Outcome.OUT_OF_RANGE),
        (Steps((1,), (0, 0)), None),
    ],
)
def test_an_energy_account_has_the_price_of_one_and_no_additions(
    part: Prices | Steps, outcome: Outcome | None
) -> None:
    change = TariffChange(((0, part),)).encode()
    description = {"account_unit": 0, "tariff": ENERGY_TARIFF}
    assert refused(MessageKind.TARIFF, parameters=change, **description) is outcome


@pytest.mark.parametrize("kind", [MessageKind.CREDIT, MessageKind.REFUND, MessageKind.DEBT])
def test_an_unopened_account_takes_no_credit_message(kind: MessageKind) -> None:
    assert refused(kind, 1, opened=False) is Outcome.NOT_OPENED


def test_a_limit_that_makes_a_standing_pair_impossible_is_refused() -> None:
    eight = Settings(reconnect_threshold=8 * LEDGER)
    too_low, enough = limits(max_credit=8 * LEDGER), limits(max_credit=8 * LEDGER + CENT)
    assert refused(MessageKind.LIMITS, parameters=too_low, settings=eight) is Outcome.OUT_OF_RANGE
    assert refused(MessageKind.LIMITS, parameters=enough, settings=eight) is None


def test_a_pair_of_an_older_state_stands_only_in_its_own_way() -> None:
    older = Settings(max_credit=8 * LEDGER, reconnect_threshold=8 * LEDGER, friendly_hours=360)
    other = limits(trip_delay_minutes=5, low_credit_threshold_1=LEDGER)
    assert refused(MessageKind.LIMITS, parameters=other, settings=older) is None
    again = limits(trip_delay_minutes=5, reconnect_threshold=8 * LEDGER)
    assert refused(MessageKind.LIMITS, parameters=again, settings=older) is Outcome.OUT_OF_RANGE
    mended = limits(reconnect_threshold=7 * LEDGER)
    assert refused(MessageKind.LIMITS, parameters=mended, settings=older) is None


@pytest.mark.parametrize("minutes", [0, 60, 480])
def test_an_offset_is_refused_where_a_time_zone_says_the_local_time(minutes: int) -> None:
    offset = limits(utc_offset_minutes=minutes)
    zone = ((0, 60),)
    assert refused(MessageKind.LIMITS, parameters=offset, transitions=zone) is Outcome.OUT_OF_RANGE
    assert refused(MessageKind.LIMITS, parameters=offset) is None


@pytest.mark.parametrize(
    ("part", "outcome"),
    [
        (Seasons(((1, 1, 1), (2, 30, 1))), Outcome.OUT_OF_RANGE),
        (Seasons(((4, 31, 1),)), Outcome.OUT_OF_RANGE),
        (Seasons(((2, 29, 1),)), None),
        (Seasons(holidays=((TODAY, 0), (TODAY, 1))), Outcome.OUT_OF_RANGE),
        (Seasons(holidays=((TODAY, 1), (TODAY, 1))), None),
    ],
)
def test_a_season_starts_on_a_date_and_a_holiday_has_one_table(
    part: Seasons, outcome: Outcome | None
) -> None:
    change = TariffChange(((0, part),)).encode()
    assert refused(MessageKind.TARIFF, parameters=change) is outcome


def test_a_part_of_an_older_state_does_not_stand_in_the_way_of_other_parts() -> None:
    older = Tariff(Seasons(((1, 1, 1), (2, 30, 1)), holidays=((TODAY, 0), (TODAY, 1))))
    change = TariffChange(((0, Prices((1,))),)).encode()
    assert refused(MessageKind.TARIFF, parameters=change, tariff=older) is None
