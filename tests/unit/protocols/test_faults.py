"""The registry of faults, rules with their limits, plans, and the draws of a seed."""

from __future__ import annotations

import pytest

from protocols.errors import QuantityError
from protocols.faults import (
    ALWAYS,
    FAULTS,
    OPTIONS,
    FaultPlan,
    FaultRule,
    FaultScope,
    RandomDraws,
    Way,
    parse_plan,
    parse_rule,
    parse_words,
    takes,
)
from protocols.quantities import HOUR

LINE, REPLY, STORAGE, METER = FaultScope

REGISTRY = {
    LINE: (
        "flip drop duplicate insert truncate noise delay echo meter_echo pacing packets stall "
        "hang_up"
    ),
    REPLY: (
        "request_lost reply_lost reply_late reply_twice wrong_unit wrong_transaction wrong_length "
        "byte_by_byte busy exception"
    ),
    STORAGE: "torn_write lost_writes storage_full flush_fails",
    METER: (
        "clock_step clock_drift clock_lost switch_welded switch_stuck_open lost_phase cover_open "
        "terminal_cover_open magnet reverse_flow brown_out"
    ),
}
VALUES = {
    "noise": (3, "3"),
    "delay": (50, "50ms"),
    "pacing": (9600, "9600"),
    "packets": (62, "62"),
    "stall": (50, "50ms"),
    "hang_up": (1000, "1s"),
    "reply_late": (500, "500ms"),
    "wrong_length": (1, "1"),
    "byte_by_byte": (5, "5ms"),
    "exception": (4, "4"),
    "torn_write": (-1, "drawn"),
    "clock_step": (HOUR, "1h"),
    "clock_drift": (200, "200"),
    "lost_phase": (1, "1"),
    "brown_out": (1000, "1s"),
}


def test_each_fault_has_its_scope() -> None:
    assert {name: kind.scope for name, kind in FAULTS.items()} == {
        name: scope for scope, names in REGISTRY.items() for name in names.split()
    }


def test_a_fault_that_takes_a_value_has_a_default() -> None:
    assert {
        name: (kind.default, kind.show(kind.default))
        for name, kind in FAULTS.items()
        if kind.parse is not None
    } == VALUES
    for name, kind in FAULTS.items():
        assert bool(kind.takes) == (name in VALUES)
        assert FaultRule(name).amount == kind.default


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("noise", 1, 64),
        ("pacing", 50, 4_000_000),
        ("packets", 1, 512),
        ("wrong_length", 1, 125),
        ("exception", 1, 11),
        ("torn_write", 0, 1 << 20),
        ("clock_drift", -100_000, 100_000),
        ("lost_phase", 1, 3),
    ],
)
def test_a_value_is_read_at_both_ends_of_its_range(name: str, low: int, high: int) -> None:
    for value in (low, high):
        rule = parse_rule(name, {"value": str(value)})
        assert (rule.value, rule.amount) == (value, value)
    for value in (low - 1, high + 1):
        with pytest.raises(QuantityError, match=rf"'{value}': allowed is {low} to {high}"):
            parse_rule(name, {"value": str(value)})


@pytest.mark.parametrize(
    ("option", "field", "low", "high"),
    [
        ("count", "count", 1, 1 << 31),
        ("unit", "unit", 1, 247),
        ("address", "address", 0, 65_535),
        ("quantity", "quantity", 1, 2_000),
        ("function", "function", 1, 127),
    ],
)
def test_an_option_is_read_at_both_ends_of_its_range(
    option: str, field: str, low: int, high: int
) -> None:
    for value in (low, high):
        assert getattr(parse_rule("busy", {option: str(value)}), field) == value
    for value in (low - 1, high + 1):
        with pytest.raises(QuantityError, match=rf"busy: {option} = {value}: "):
            parse_rule("busy", {option: str(value)})


@pytest.mark.parametrize(
    ("text", "millionths"), [("1", ALWAYS), ("0.5", 500_000), ("0.000001", 1), ("1.000000", ALWAYS)]
)
def test_a_probability_is_held_in_millionths(text: str, millionths: int) -> None:
    assert parse_rule("flip", {"probability": text}).probability == millionths
    assert ALWAYS == 1_000_000


@pytest.mark.parametrize("text", ["0", "1.000001", "-0.5", "0.0000001", "often"])
def test_what_is_no_probability_is_refused(text: str) -> None:
    with pytest.raises(QuantityError, match="probability"):
        parse_rule("flip", {"probability": text})


@pytest.mark.parametrize(
    ("name", "options", "rule"),
    [
        (
            "noise",
            {"value": "5", "probability": "0.25", "count": "3", "from": "1s", "for": "2m",
             "unit": "7", "way": "reply"},
            FaultRule("noise", 5, 250_000, 3, 1000, 120_000, 7, Way.REPLY),
        ),
        ("busy", {"address": "0", "quantity": "1"}, FaultRule("busy", address=0, quantity=1)),
        ("busy", {"function": "6"}, FaultRule("busy", function=6)),
        ("clock_step", {"value": "-1h"}, FaultRule("clock_step", -HOUR)),
        ("reply_late", {"value": "20ms"}, FaultRule("reply_late", 20)),
        ("flip", {"way": "request"}, FaultRule("flip", way=Way.REQUEST)),
        ("echo", {"way": "request"}, FaultRule("echo", way=Way.REQUEST)),
        ("meter_echo", {"way": "reply"}, FaultRule("meter_echo", way=Way.REPLY)),
        ("stall", {"value": "80ms"}, FaultRule("stall", 80)),
        ("drop", {"probability": "0.000001"}, FaultRule("drop", probability=1)),
        ("magnet", {}, FaultRule("magnet")),
    ],
)  # fmt: skip
def test_a_rule_is_read_and_written(name: str, options: dict[str, str], rule: FaultRule) -> None:
    assert parse_rule(name, options) == rule
    written = dict(word.split("=", 1) for word in rule.words())
    assert written == options
    assert parse_words(name, [f"--{key}={text}" for key, text in options.items()]) == rule
    words = [word for key, text in options.items() for word in (f"--{key}", text)]
    assert parse_words(name, words) == rule


def test_a_rule_without_options_applies_always_and_to_all() -> None:
    rule = FaultRule("flip")
    assert (rule.probability, rule.begins) == (ALWAYS, 0)
    assert (rule.value, rule.count, rule.lasts, rule.unit, rule.way) == (None,) * 5
    assert (rule.address, rule.quantity, rule.function) == (None, None, None)
    assert rule.words() == []


ALLOWED = {
    LINE: {"value", "probability", "count", "from", "for", "unit", "way"},
    REPLY: {
        "value",
        "probability",
        "count",
        "from",
        "for",
        "unit",
        "address",
        "quantity",
        "function",
    },
    STORAGE: {"value", "probability", "count", "unit"},
    METER: {"value", "from", "for", "unit"},
}
TEXTS = {
    "value": "1",
    "probability": "0.5",
    "count": "2",
    "from": "1s",
    "for": "1s",
    "unit": "1",
    "way": "reply",
    "address": "1",
    "quantity": "1",
    "function": "3",
}
EXAMPLES = {LINE: "noise", REPLY: "exception", STORAGE: "torn_write", METER: "lost_phase"}


@pytest.mark.parametrize("scope", list(FaultScope))
@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_without_effect_in_a_scope_is_refused(scope: FaultScope, option: str) -> None:
    allowed = option in ALLOWED[scope]
    assert takes(scope, option) is allowed
    if allowed:
        assert parse_rule(EXAMPLES[scope], {option: TEXTS[option]}) != FaultRule(EXAMPLES[scope])
        return
    with pytest.raises(QuantityError, match=f"where '{option}' has no effect"):
        parse_rule(EXAMPLES[scope], {option: TEXTS[option]})


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("no_such", {}, "'no_such' is no fault: allowed are flip, drop"),
        ("flip", {"often": "1"}, "flip: 'often' is no option: allowed are value, probability"),
        ("flip", {"value": "1"}, "flip takes no value"),
        ("flip", {"way": "both"}, "'both': allowed are request and reply"),
        ("echo", {"way": "reply"}, "echo echoes a request: way = reply has no effect"),
        ("meter_echo", {"way": "request"}, "meter_echo echoes a reply: way = request has no"),
        ("delay", {"value": "-1s"}, "delay: value = -1s"),
        ("flip", {"for": "soon"}, "flip: for = soon"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(name: str, options: dict[str, str], message: str) -> None:
    with pytest.raises(QuantityError) as caught:
        parse_rule(name, options)
    assert message in str(caught.value)
    if not options:
        with pytest.raises(QuantityError, match="is no fault"):
            FaultRule(name)


def test_a_value_of_a_fault_that_takes_none_is_refused_in_the_rule_too() -> None:
    with pytest.raises(QuantityError, match="flip takes no value"):
        FaultRule("flip", 1)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["count", "3"], "'count' is no option: write --count 3"),
        (["--count"], "--count needs a value"),
        (["--count", "3", "--unit"], "--unit needs a value"),
    ],
)
def test_words_that_are_no_options_are_refused(words: list[str], message: str) -> None:
    with pytest.raises(QuantityError) as caught:
        parse_words("flip", words)
    assert message in str(caught.value)


def test_a_plan_has_a_seed_and_a_table_for_each_rule() -> None:
    text = """
        seed = 7
        [[fault]]
        name = "flip"
        probability = 0.5
        count = 3
        [[fault]]
        name = "clock_step"
        value = "-1h"
    """
    assert parse_plan(text) == FaultPlan(
        (FaultRule("flip", probability=500_000, count=3), FaultRule("clock_step", -HOUR)), 7
    )
    assert parse_plan("") == FaultPlan((), 0) == FaultPlan()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed = ", "it is not TOML"),
        ("sead = 1\nfalt = 2", "sead, falt: there is no such key"),
        ("seed = true", "seed = True: write a whole number"),
        ('seed = "1"', "seed = '1': write a whole number"),
        ("fault = 1", "write each as a table of its own"),
        ("fault = [1]", "write each as a table of its own"),
        ("[[fault]]\ncount = 1", "a fault without a name"),
        ("[[fault]]\nname = 1", "a fault without a name"),
        ('[[fault]]\nname = "flip"\ncount = true', "flip: count = True: write a text or a number"),
        ('[[fault]]\nname = "flip"\ncount = [1]', "flip: count = [1]: write a text or a number"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(text: str, message: str) -> None:
    with pytest.raises(QuantityError) as caught:
        parse_plan(text)
    assert message in str(caught.value)


def test_every_mistake_of_a_plan_is_told_with_its_line() -> None:
    text = 'seed = true\n[[fault]]\nname = "flop"\n[[fault]]\nname = "flip"\ncount = 0\nx = 1\n'
    with pytest.raises(QuantityError) as caught:
        parse_plan(text)
    assert [line[: line.index(": ", 8)] for line in str(caught.value).splitlines()] == [
        "line 1: seed = True", "line 2: fault.1", "line 4: fault.2",
    ]  # fmt: skip


def test_draws_depend_on_seed_point_and_number_alone() -> None:
    draws = RandomDraws(7, "flip/1")
    assert [draws.below(1000) for _ in range(4)] == [852, 388, 55, 320]
    assert draws.drawn == 4
    assert RandomDraws(7, "flip/1", 3).below(1000) == 320
    other = RandomDraws(0, "")
    assert [other.below(1000) for _ in range(2)] == [870, 897]
    assert {RandomDraws(n, "x").below(1) for n in range(20)} == {0}
