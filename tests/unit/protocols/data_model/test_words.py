"""Words sent as numbers: every number, as a literal."""

from __future__ import annotations

from enum import IntEnum, IntFlag

import pytest

from protocols.data_model import words as w

ENUMERATIONS: dict[type[IntEnum], dict[str, int]] = {
    w.SupplyState: {"CONNECTED": 0, "READY_FOR_RECONNECTION": 1, "DISCONNECTED": 2},
    w.SwitchPosition: {"OPEN": 0, "CLOSED": 1},
    w.TripMode: {"TWO_STAGE": 0, "DIRECT": 1, "DELAYED": 2},
    w.ReconnectMode: {"AUTOMATIC": 0, "MANUAL": 1},
    w.AccountState: {"UNOPENED": 0, "OPEN": 1, "CLOSED": 2},
    w.UnopenedSupply: {"CONNECTED": 0, "DISCONNECTED": 1},
    w.MeterType: {"SINGLE_PHASE": 0, "THREE_PHASE": 1},
    w.PhaseSummation: {"ARITHMETIC": 0, "PER_PHASE": 1},
    w.StepPeriod: {"MONTH": 0, "YEAR": 1},
    w.Carrier: {"WIRE": 0, "CARD": 1, "KEYPAD": 2, "PLAIN": 3},
    w.SwitchedBy: {"AUTOMATIC": 0, "BUTTON": 1, "CARD": 2, "REMOTE": 3, "OVERLOAD_RECLOSING": 4},
}
SETS: dict[type[IntFlag], dict[str, int]] = {
    w.Cause: {
        "NONE": 0, "CREDIT_REMINDER": 1, "CREDIT_EXHAUSTED": 2, "REMOTE": 4, "OVERLOAD": 8,
        "TAMPER": 16, "ACCOUNT": 32,
    },
    w.Tamper: {"NONE": 0, "COVER": 1, "TERMINAL_COVER": 2, "MAGNET": 4},
    w.Status: {
        "NONE": 0, "LOW_CREDIT_WARNING": 0x1, "TRIP_PENDING": 0x2, "GUARANTEE": 0x4,
        "MORATORIUM": 0x8,
        "FRIENDLY_WINDOW": 0x10, "OVERDRAFT": 0x20, "OVERLOAD": 0x40, "SWITCH_FAULT": 0x80,
        "COVER_OPEN": 0x100,
        "TERMINAL_COVER_OPEN": 0x200, "MAGNET_PRESENT": 0x400, "CLOCK_INVALID": 0x800,
        "STORAGE_LOST": 0x1000,
        "AUTHENTICATION_ATTACK": 0x2000, "MONEY_SATURATED": 0x4000, "TARIFF_PENDING": 0x8000,
        "REVERSE_POWER": 0x10000,
    },
}  # fmt: skip


@pytest.mark.parametrize("words", ENUMERATIONS, ids=lambda words: words.__name__)
def test_numbers_are_stable(words: type[IntEnum]) -> None:
    assert {name: member.value for name, member in words.__members__.items()} == ENUMERATIONS[words]


@pytest.mark.parametrize("words", SETS, ids=lambda words: words.__name__)
def test_bits_are_stable(words: type[IntFlag]) -> None:
    assert {name: member.value for name, member in words.__members__.items()} == SETS[words]


def test_no_enumeration_is_missing_here() -> None:
    declared = {
        value
        for value in vars(w).values()
        if isinstance(value, type) and issubclass(value, int) and value.__module__ == w.__name__
    }
    assert declared == {*ENUMERATIONS, *SETS}


@pytest.mark.parametrize("words", ENUMERATIONS, ids=lambda words: words.__name__)
def test_a_choice_has_each_member_at_its_number(words: type[IntEnum]) -> None:
    kind = w.choice(words)
    for member in words:
        assert kind.text(member) == member.name.lower()
        assert kind.parse(member.name.lower()) == member
    assert not kind.holds(len(words))


@pytest.mark.parametrize("words", SETS, ids=lambda words: words.__name__)
def test_flags_have_each_member_at_its_bit(words: type[IntFlag]) -> None:
    kind = w.flags(words)
    for name, value in SETS[words].items():
        assert kind.text(value) == name.lower()
        assert kind.parse(name.lower()) == value
    assert "none" not in kind.words


def test_credit_causes_are_the_two_that_credit_sets() -> None:
    assert w.CREDIT_CAUSES == w.Cause.CREDIT_REMINDER | w.Cause.CREDIT_EXHAUSTED == 3


def test_causes_are_named_in_the_order_of_the_table() -> None:
    assert w.cause_words(0) == []
    assert w.cause_words(63) == [
        "credit_reminder",
        "credit_exhausted",
        "remote",
        "overload",
        "tamper",
        "account",
    ]
    assert w.cause_words(w.Cause.TAMPER | w.Cause.CREDIT_REMINDER) == ["credit_reminder", "tamper"]


def test_account_units_are_those_of_iso_4217() -> None:
    assert w.ACCOUNT_UNITS == {
        0: "kWh",
        156: "CNY",
        710: "ZAR",
        356: "INR",
        826: "GBP",
        840: "USD",
        978: "EUR",
    }


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("CNY", 156),
        ("cny", 156),
        (" EUR ", 978),
        ("KWH", 0),
        ("0", 0),
        ("156", 156),
        ("036", 36),
        ("999", 999),
    ],
)
def test_account_units_are_read_by_letters_or_number(text: str, number: int) -> None:
    assert w.parse_account_unit(text) == number


@pytest.mark.parametrize(
    "text", ["", "XYZ", "1000", "-1", "1.0", "²", "٣", pytest.param("9" * 5000, id="5000 digits")]
)
def test_what_is_no_account_unit_is_none(text: str) -> None:
    assert w.parse_account_unit(text) is None


def test_an_account_unit_without_known_letters_is_its_three_digits() -> None:
    assert [w.account_unit_text(number) for number in (0, 156, 36, 999)] == [
        "kWh",
        "CNY",
        "036",
        "999",
    ]
    for number in range(1000):
        assert w.parse_account_unit(w.account_unit_text(number)) == number
