"""A scenario's TOML: its end, its conditions, and the refusal of every step that cannot be."""

from __future__ import annotations

from decimal import Decimal

import pytest

from firmware_sim.scenarios.script import Scenario, ScenarioError, parse_scenario
from firmware_sim.vending import Order
from protocols.control import ChangeLoad, PressButton
from protocols.quantities import HOUR, MINUTE
from protocols.sealed_message import MessageKind, Outcome

EXPECTATION = '[[step]]\nat = "+1h"\nexpect = { supply_state = "connected" }\n'


def scenario(steps: str, head: str = 'name = "n"\n') -> Scenario:
    return parse_scenario(head + steps)


def expecting(item: str, value: str) -> str:
    return f'[[step]]\nat = "+1h"\nexpect = {{ {item} = {value} }}\n'


def holds(item: str, value: str, shown: object) -> bool:
    (condition,) = scenario(expecting(item, value)).step[0].conditions
    return condition.holds(shown)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("steps", "end"),
    [
        (EXPECTATION, HOUR),
        ('[[step]]\nwithin = ["+1h", "+2h"]\nexpect = { debt = 0 }\n', 2 * HOUR),
        (EXPECTATION + '[[step]]\nat = "+90m"\ndo = "button"\n', 90 * MINUTE),
    ],
)
def test_a_scenario_ends_with_its_last_step(steps: str, end: int) -> None:
    assert scenario(steps).end == end


@pytest.mark.parametrize(("lasts", "end"), [("+3h", 3 * HOUR), ("+1m", HOUR)])
def test_a_scenario_lasts_as_long_as_it_says_but_not_shorter_than_its_steps(
    lasts: str, end: int
) -> None:
    assert scenario(EXPECTATION, f'name = "n"\nlasts = "{lasts}"\n').end == end


def test_a_step_takes_commands_and_orders() -> None:
    steps = (
        '[[step]]\nat = "+1h"\ndo = ["button", "load 2kW", "topup 5.00"]\n'
        '[[step]]\nat = "+1h"\ndo = "topup 5.00"\nrefused = "exceeds_max_credit"\n'
    )
    several, refused = scenario(steps + EXPECTATION).step[:2]
    assert several.do == [PressButton(), ChangeLoad("2kW"), Order(MessageKind.CREDIT, 500)]
    assert refused.refused is Outcome.EXCEEDS_MAX_CREDIT


@pytest.mark.parametrize(
    ("item", "value", "shown", "wanted"),
    [
        ("available_credit", "5", Decimal("5.00"), True),
        ("available_credit", '"5.00"', Decimal("5.00"), True),
        ("available_credit", '"<= 0"', Decimal("0.00"), True),
        ("available_credit", '"< 0"', Decimal("0.00"), False),
        ("available_credit", '">= 0"', Decimal("-0.01"), False),
        ("available_credit", '"!= 5"', Decimal("5.01"), True),
        ("supply_state", '"connected"', "connected", True),
        ("supply_state", '"!= connected"', "connected", False),
        ("supply_causes", '"has remote"', ("remote", "tamper"), True),
        ("supply_causes", '"has remote"', ("tamper",), False),
        ("supply_causes", '"none"', (), True),
        ("supply_causes", '"remote,tamper"', ("remote", "tamper"), True),
        ("guarantee", "true", True, True),
        ("guarantee", "false", True, False),
        ("max_credit", '"off"', None, True),
        ("max_credit", '"off"', Decimal("5.00"), False),
        ("max_credit", '"!= off"', Decimal("5.00"), True),
        ("energy_import_l1_kwh", '"not_kept"', None, True),
        ("energy_import_l1_kwh", '"!= not_kept"', Decimal("0.000000"), True),
        ("energy_import_l1_kwh", '"off"', None, True),
        ("energy_import_l1_kwh", '">= 0"', Decimal("0.000000"), True),
        ("clock", '"2026-07-10T12:00"', "2026-07-10T12:00:00.000+02:00", True),
        ("clock", '"2026-07-10T12:00Z"', "2026-07-10T12:00:00.000+02:00", False),
        ("clock", '"2026-07-10T10:00Z"', "2026-07-10T12:00:00.000+02:00", True),
        ("clock", '">= 2026-07-10"', "2026-07-10T00:00:00.000+02:00", True),
        ("clock", '"< 2026-07-10"', "2026-07-10T00:00:00.000+02:00", False),
        ("clock", '"> 2026-07-09T22:00Z"', "2026-07-10T00:00:00.000+02:00", False),
        ("trip_due", '"never"', None, True),
        ("trip_due", '"!= never"', None, False),
        ("trip_due", '"!= never"', "2026-07-10T00:00:00.000Z", True),
        ("trip_due", '">= 2026-01-01"', None, False),
        ("trip_due", '"!= 2026-01-01"', None, True),
    ],
)
def test_a_condition_holds_or_not(item: str, value: str, shown: object, wanted: bool) -> None:
    assert holds(item, value, shown) is wanted


@pytest.mark.parametrize(
    ("item", "value", "told"),
    [
        ("no_such_item", "1", "is no item"),
        ("supply_state", '"conected"', "allowed are connected"),
        ("supply_state", '"< connected"', "allowed are connected"),
        ("supply_causes", '"has nothing"', "has before one of"),
        ("available_credit", '"much"', "a number"),
        ("available_credit", '"off"', "a number"),
        ("guarantee", '"yes"', "true and false"),
        ("serial_number", '"> 1"', "allowed is a value"),
        ("clock", '"noon"', "is not a date and time"),
        ("clock", '"has 2026-01-01"', "a moment, with"),
        ("trip_due", '"< never"', "a moment, with"),
    ],
)
def test_a_condition_that_could_never_hold_is_refused(item: str, value: str, told: str) -> None:
    with pytest.raises(ScenarioError, match=told):
        scenario(expecting(item, value))


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ('at = "+1h"', "one of do, expect and events"),
        ('at = "+1h"\ndo = "button"\nevents = ["restart"]', "one of do, expect and events"),
        ('do = "button"', "has an instant"),
        ('within = ["+1h", "+2h"]\ndo = "button"', "has an instant"),
        ("expect = { debt = 0 }", "either at"),
        ('at = "+1h"\nwithin = ["+1h", "+2h"]\nexpect = { debt = 0 }', "either at"),
        ('within = ["+2h", "+1h"]\nexpect = { debt = 0 }', "ends before it begins"),
        ('at = "1h"\ndo = "button"', r"\+2h30m"),
        (
            'at = "+99999d"\ndo = "button"',
            r"'\+99999d': an instant is at most 3660d after the start",
        ),
        ('within = ["+1h", "+3660d1ms"]\nexpect = { debt = 0 }', "at most 3660d after the start"),
        ('at = "+1h"\ndo = "button"\nrefused = "expired"', "belongs to one order"),
        ('at = "+1h"\ndo = ["topup 1", "topup 2"]\nrefused = "expired"', "belongs to one order"),
        (
            'at = "+1h"\ndo = "topup 1"\nrefused = "lost"',
            "'lost' is no refusal: allowed are malformed",
        ),
        ('at = "+1h"\ndo = "topup 1"\nrefused = "accepted"', "'accepted' is no refusal"),
        ('at = "+1h"\ndo = []', "a command, or a list"),
        ('at = "+1h"\ndo = "advance 1h"', "time passes by itself"),
        ('at = "+1h"\ndo = "card insert a.img"', "no cards"),
        ('at = "+1h"\ndo = "dance"', "dance"),
        ('events = ["no_such_event"]', "is no event"),
        ('at = "+1h"\ndo = "button"\nsurplus = 1', "surplus"),
    ],
)
def test_a_step_that_cannot_be_is_refused(step: str, told: str) -> None:
    with pytest.raises(ScenarioError, match=told):
        scenario(f"[[step]]\n{step}\n{EXPECTATION}")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name = ", "it is not TOML"),
        ('name = "n"', "without an expectation"),
        ('name = "n"\n[[step]]\nat = "+1h"\ndo = "button"', "without an expectation"),
        (EXPECTATION, "name: "),
        (f'name = "n"\n[[fault]]\nname = "no_such_fault"\n{EXPECTATION}', "no_such_fault"),
    ],
)
def test_a_scenario_that_cannot_be_is_refused(text: str, told: str) -> None:
    with pytest.raises(ScenarioError, match=told):
        parse_scenario(text)


def test_a_refusal_names_the_step_counted_from_one() -> None:
    with pytest.raises(ScenarioError, match=r"^line 6: step\.2\.at: "):
        scenario(EXPECTATION + '[[step]]\nat = "soon"\ndo = "button"\n')


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('abuot = "x"', "line 2: abuot: there is no such key; did you mean about?"),
        ('[[step]]\nat = "+1h"\nexpct = { clock = 1 }', "line 4: step.1.expct: there is no such"),
        (
            '[[step]]\nat = "+1h"\nqqq = 1',
            "line 4: step.1.qqq: there is no such key; allowed are a",
        ),
        (
            '[[step]]\nat = "+1h"\nexpect = { clok = 1 }',
            "line 4: step.1.expect: 'clok' is no item; did you mean clock",
        ),
        ('[[fault]]\nname = "flip"\n[[fault]]\nname = "flop"', "line 4: scenario: fault 2: 'flop'"),
    ],
)
def test_a_mistake_is_told_with_its_line(text: str, told: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(f'name = "x"\n{text}\n')
    assert str(caught.value).splitlines()[0].startswith(told)
