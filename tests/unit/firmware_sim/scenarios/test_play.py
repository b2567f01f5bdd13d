"""A scenario played in virtual time: expectations at their instants, windows, orders, events."""

from __future__ import annotations

import pytest

from firmware_sim.assembly import rack_of
from firmware_sim.meter_description import MeterDescription
from firmware_sim.metrology.load import Load
from firmware_sim.rack.operator import Operator
from firmware_sim.scenarios.play import ExpectationResult, check
from firmware_sim.scenarios.script import parse_scenario
from firmware_sim.settings import Settings
from protocols.data_model.tariff import Prices, Tariff
from protocols.errors import QuantityError
from protocols.quantities import HOUR, LEDGER, MINUTE
from tests.support.racks import one_kilowatt

DESCRIPTION = MeterDescription(
    credit=2 * LEDGER,
    load=Load.constant((1_000_000,)),
    tariff=Tariff(prices=Prices((10_000,))),
    settings=Settings(low_credit_threshold_1=LEDGER, max_credit=10 * LEDGER),
)
"""1 kW at 1.0000: the warning after an hour, the trip after two."""


def played(steps: str) -> list[ExpectationResult]:
    rack = rack_of(DESCRIPTION, 0)
    scenario = parse_scenario(f'name = "n"\n{steps}')
    return check(scenario, Operator(rack, one_kilowatt, lambda: 0))


def held(steps: str) -> list[bool]:
    return [result.held for result in played(steps)]


def found(steps: str) -> list[tuple[int, int, str]]:
    """Return step, instant and finding of each expectation."""
    return [(result.step, result.at, result.found) for result in played(steps)]


@pytest.mark.parametrize(("at", "state"), [("+7199999ms", "connected"), ("+2h", "disconnected")])
def test_an_expectation_is_checked_at_its_very_millisecond(at: str, state: str) -> None:
    assert held(f'[[step]]\nat = "{at}"\nexpect = {{ supply_state = "{state}" }}\n') == [True]


def test_each_condition_of_a_step_is_a_result_and_says_what_was_found() -> None:
    step = '[[step]]\nat = "+1h"\nexpect = { supply_state = "disconnected", available_credit = 1 }'
    assert found(step) == [(1, HOUR, "connected"), (1, HOUR, "")]


def test_a_window_holds_at_the_first_instant_at_which_all_its_conditions_do() -> None:
    step = '[[step]]\nwithin = ["+90m", "+3h"]\nexpect = { supply_state = "disconnected" }'
    assert found(step) == [(1, 2 * HOUR, "")]


def test_a_window_that_is_missed_says_what_was_last_found() -> None:
    step = '[[step]]\nwithin = ["+1h", "+90m"]\nexpect = { supply_state = "disconnected" }'
    assert found(step) == [(1, 90 * MINUTE, "supply_state connected")]


def test_a_window_sees_what_a_step_does() -> None:
    steps = (
        '[[step]]\nwithin = ["+0h", "+1h"]\nexpect = { guarantee = true }\n'
        '[[step]]\nat = "+10m"\ndo = "guarantee on"\n'
    )
    assert found(steps) == [(1, 10 * MINUTE, "")]


@pytest.mark.parametrize(
    ("events", "wanted"),
    [
        ('"low_credit_warning", "supply_disconnected"', ""),
        ('"supply_disconnected", "low_credit_warning"', "no low_credit_warning in its place"),
        ('"supply_disconnected", "supply_disconnected"', "no supply_disconnected in its place"),
        ('"supply_connected"', "no supply_connected in its place"),
    ],
)
def test_events_are_expected_in_their_order(events: str, wanted: str) -> None:
    (result,) = played(f'lasts = "+3h"\n[[step]]\nevents = [{events}]\n')
    assert result.found.startswith(wanted)
    assert result.held is not bool(wanted)


@pytest.mark.parametrize(
    ("amount", "refused", "wanted"),
    [
        ("5.00", "", []),
        ("50.00", "", [(2, 0, "exceeds_max_credit")]),
        ("50.00", 'refused = "exceeds_max_credit"\n', [(2, 0, "")]),
        ("5.00", 'refused = "exceeds_max_credit"\n', [(2, 0, "accepted")]),
    ],
)
def test_an_order_must_end_as_the_step_says(
    amount: str, refused: str, wanted: list[tuple[int, int, str]]
) -> None:
    events = '[[step]]\nevents = ["low_credit_warning"]\n'
    steps = f'lasts = "+9h"\n{events}[[step]]\nat = "+0h"\ndo = "topup {amount}"\n{refused}'
    assert [row for row in found(steps) if row[0] == 2] == wanted


def test_an_order_to_a_meter_without_power_meets_silence() -> None:
    steps = (
        '[[step]]\nat = "+1m"\ndo = ["power cut", "topup 1.00"]\n'
        '[[step]]\nat = "+1m"\nexpect = { debt = 0 }\n'
    )
    (silence, _) = played(steps)
    assert silence.found.startswith("silence")


def test_a_fault_that_the_meter_cannot_have_is_refused_before_anything_is_played() -> None:
    steps = (
        '[[step]]\nat = "+1m"\ndo = "fault lost_phase on --value 3"\n'
        '[[step]]\nat = "+1m"\nexpect = { debt = 0 }\n'
    )
    with pytest.raises(QuantityError, match="no meter here has a phase 3"):
        played(steps)


def test_what_is_not_reached_after_a_storage_failure_did_not_hold() -> None:
    steps = (
        '[[step]]\nat = "+1m"\ndo = "fault flush_fails on"\n'
        '[[step]]\nat = "+2m"\ndo = "cover open"\n'
        '[[step]]\nat = "+1h"\nexpect = { debt = 0 }\n'
    )
    last = played(steps)[-1]
    assert (last.step, last.found) == (3, "not reached")
