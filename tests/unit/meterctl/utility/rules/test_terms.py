"""Terms of an agreement: file, JSON, the meter's settings, and what they have in common."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterctl.operations.limits import encode_settings, limit_mistakes
from meterctl.utility.errors import Invalid
from meterctl.utility.rules.terms import (
    FIELDS,
    Difference,
    Terms,
    WayOfBuying,
    default_terms,
    differences,
    json_of_terms,
    limits_of,
    missing_to_sign,
    read_terms,
    settings_of,
    shown_terms,
    terms_of_json,
    terms_of_meter,
)
from protocols.data_model import items
from protocols.quantities import CENT
from protocols.sealed_message import decode_limits

ROOT = Path(__file__).resolve().parents[5]

FILE = """
way_of_buying = "card"
tariff = "resident"
low_credit_threshold_1 = "20.00"
low_credit_threshold_2 = 5.00
max_credit = "300"
trip_mode = "direct"
friendly_hours = ["22:00-06:00", "12:00-13:00"]
friendly_weekends = false
power_limit_kw = "4"
debt_share_percent = 30
"""
MONEY = st.integers(0, 99_999_998)
OFF_OR_MONEY = st.none() | MONEY
WINDOWS = st.sampled_from(("off", "17:00-09:00", "22:00-06:00,12:00-13:00", "00:00-24:00"))


@st.composite
def some_terms(draw: st.DrawFn) -> Terms:
    thresholds = sorted([draw(MONEY), draw(MONEY)], reverse=True)
    reconnect = draw(MONEY)
    return terms_of_json(
        {
            "way_of_buying": draw(st.sampled_from([None, *map(str, WayOfBuying)])),
            "tariff": draw(st.none() | st.just("resident")),
            "low_credit_threshold_1": draw(st.none() | st.just(thresholds[0])),
            "low_credit_threshold_2": draw(st.none() | st.just(thresholds[1])),
            "overdraft_limit": draw(MONEY),
            "max_credit": draw(st.none() | st.integers(reconnect + 1, 99_999_999)),
            "reconnect_threshold": reconnect,
            "trip_mode": draw(st.sampled_from(("two_stage", "direct", "delayed"))),
            "reconnect_mode": draw(st.sampled_from(("automatic", "manual"))),
            "friendly_hours": draw(WINDOWS),
            "friendly_weekends": draw(st.booleans()),
            "friendly_holidays": draw(st.booleans()),
            "power_limit_mw": draw(st.none() | st.integers(0, 10**12)),
            "unopened_supply": draw(st.sampled_from(("connected", "disconnected"))),
            "standing_charge": draw(MONEY),
            "debt_share_percent": draw(st.integers(0, 100)),
            "debt_instalment": draw(MONEY),
        }
    )


def test_a_file_is_read_with_the_texts_of_the_meters_settings() -> None:
    terms = read_terms(FILE, in_meter=True)
    assert json_of_terms(terms) == {
        "way_of_buying": "card",
        "tariff": "resident",
        "tariff_text": None,
        "low_credit_threshold_1": 20_00,
        "low_credit_threshold_2": 5_00,
        "overdraft_limit": 0,
        "max_credit": 300_00,
        "reconnect_threshold": 0,
        "trip_mode": "direct",
        "reconnect_mode": "automatic",
        "friendly_hours": "22:00-06:00,12:00-13:00",
        "friendly_weekends": False,
        "friendly_holidays": True,
        "power_limit_mw": 4_000_000,
        "unopened_supply": "disconnected",
        "standing_charge": 0,
        "debt_share_percent": 30,
        "debt_instalment": 0,
    }


def test_defaults_are_those_of_the_contract() -> None:
    terms = default_terms(in_meter=True)
    assert terms.friendly_hours == "17:00-09:00"
    assert terms.friendly_weekends
    assert terms.friendly_holidays
    assert terms.unopened_supply == "disconnected"
    assert default_terms(in_meter=False).unopened_supply == "connected"
    assert read_terms("", in_meter=True) == terms


@given(some_terms())
def test_json_and_file_hold_the_same_terms(terms: Terms) -> None:
    assert terms_of_json(json_of_terms(terms)) == terms
    file = "".join(f'{name} = "{text}"\n' for name, text in shown_terms(terms))
    assert read_terms(file, in_meter=True) == terms


@given(some_terms())
def test_a_meter_that_took_the_terms_has_no_difference(terms: Terms) -> None:
    wanted = limits_of(terms, in_meter=True)
    assert limit_mistakes(wanted) == []
    assert decode_limits(encode_settings(wanted)) == {
        item.setting: value for item, value in wanted.items()
    }
    assert differences(terms, wanted, in_meter=True) == []
    further = {"way_of_buying": terms.way_of_buying, "tariff": terms.tariff}
    assert terms_of_meter(settings_of(terms), **further) == terms


def test_every_setting_is_sent_to_a_meter_that_keeps_the_credit() -> None:
    sent = limits_of(read_terms(FILE, in_meter=True), in_meter=True)
    assert set(sent) == set(FIELDS.values())
    assert sent[items.LOW_CREDIT_1] == 20_00 * CENT
    assert sent[items.UNOPENED_SUPPLY] == 1
    assert sent[items.POWER_LIMIT] == 4_000_000


def test_a_meter_whose_account_stays_unopened_gets_its_supply_and_its_power_limit() -> None:
    terms = read_terms("power_limit_kw = 4", in_meter=False)
    assert limits_of(terms, in_meter=False) == {
        items.POWER_LIMIT: 4_000_000,
        items.UNOPENED_SUPPLY: 0,
    }
    with pytest.raises(Invalid, match="without supply"):
        read_terms('unopened_supply = "disconnected"', in_meter=False)


def test_a_difference_has_both_texts() -> None:
    terms = read_terms(FILE, in_meter=True)
    read = limits_of(terms, in_meter=True)
    read |= {items.MAX_CREDIT: None, items.LOW_CREDIT_1: 10_00 * CENT}
    del read[items.FRIENDLY_HOLIDAYS]
    assert differences(terms, read, in_meter=True) == [
        Difference("low_credit_threshold_1", "20.00", "10.00"),
        Difference("max_credit", "300.00", "off"),
        Difference("friendly_holidays", "on", None),
    ]


def test_a_meter_that_lacks_settings_has_their_defaults() -> None:
    assert terms_of_meter({items.OVERDRAFT_LIMIT: 5_00 * CENT}) == Terms(overdraft_limit=5_00)


def test_the_example_names_every_term_and_can_be_signed() -> None:
    text = (ROOT / "examples" / "terms" / "household.toml").read_text()
    terms = read_terms(text, in_meter=True)
    assert missing_to_sign(terms, in_meter=True) == []
    for name in ("way_of_buying", "tariff", *(item.name for item in FIELDS.values())):
        assert re.search(rf"^(# )?{name} = ", text, re.MULTILINE), name


def test_way_of_buying_and_a_warning_level_are_required_to_sign() -> None:
    needed = ["way_of_buying", "low_credit_threshold_1"]
    assert missing_to_sign(default_terms(in_meter=True), in_meter=True) == needed
    assert missing_to_sign(read_terms(FILE, in_meter=True), in_meter=True) == []
    assert missing_to_sign(default_terms(in_meter=False), in_meter=False) == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "max_credit = '1.001'\nlow = 3",
            ("line 1: max_credit = '1.001'", "line 2: low: there is"),
        ),
        (
            "way_of_buying = 'post'",
            ("line 1: way_of_buying = 'post': allowed is 'wire' or 'card'",),
        ),
        ("\ntariff = 3", ("line 2: tariff = 3: allowed is the name of a tariff",)),
        ("max_credit = ,", ("terms: it is not TOML: line 1",)),
        ("trip_mode = 'foo'", ("line 1: trip_mode = 'foo'", "two_stage, direct, delayed")),
        (
            "low_credit_threshold_1 = '5'\nlow_credit_threshold_2 = '6'",
            ("terms: low_credit_threshold_1 is below low_credit_threshold_2 (5.00 < 6.00)",),
        ),
        ("max_credit = '5'\nreconnect_threshold = '5'", ("no top-up could reconnect",)),
    ],
)
def test_a_mistake_in_a_file_is_named_with_its_line(text: str, told: tuple[str, ...]) -> None:
    with pytest.raises(Invalid) as refused:
        read_terms(text, in_meter=True)
    assert refused.value.code == "terms"
    assert all(words in str(refused.value) for words in told), str(refused.value)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"max_credit": "3"}, "max_credit"),
        ({"friendly_weekends": 1}, "friendly_weekends"),
        ({"overdraft_limit": True}, "overdraft_limit"),
        ({"overdraft_limit": -1}, "overdraft_limit = -0.01: allowed is 0.00 to 999999.99"),
        ({"trip_mode": "foo"}, "trip_mode: 'foo' is not one of"),
        ({"way_of_buying": "post"}, "way_of_buying: allowed is wire, card"),
        ({"max_credits": 3}, "max_credits"),
    ],
)
def test_stored_terms_that_no_meter_takes_are_refused(values: dict[str, Any], told: str) -> None:
    with pytest.raises(Invalid) as refused:
        terms_of_json(values)
    assert told in str(refused.value)
    assert "Value error" not in str(refused.value)
