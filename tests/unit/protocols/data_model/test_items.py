"""Items: unique names, stable setting numbers, and the kinds that only items have."""

from __future__ import annotations

import json
import re

import pytest

from protocols.data_model import items
from protocols.data_model.items import (
    BY_NAME,
    ITEMS,
    SETTINGS,
    AccountUnit,
    Item,
    Windows,
    settable,
)
from protocols.data_model.kinds import Digits, Fixed, Optional
from protocols.errors import QuantityError
from protocols.quantities import LEDGER, MONEY_LIMIT


def test_names_are_unique_lower_case_words() -> None:
    names = [item.name for item in ITEMS]
    assert len(names) == len(set(names)) == len(BY_NAME)
    assert all(re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name) for name in names)
    assert all(BY_NAME[item.name] is item for item in ITEMS)


def test_every_item_of_the_page_is_an_item() -> None:
    declared = [value for value in vars(items).values() if isinstance(value, Item)]
    several = [
        item
        for value in vars(items).values()
        if isinstance(value, tuple) and value is not ITEMS
        for item in value
    ]
    assert sorted(item.name for item in [*declared, *several]) == sorted(BY_NAME)


def test_the_names_that_users_write_down_are_stable() -> None:
    assert {
        "available_credit", "energy_import_kwh", "active_power_kw", "voltage_l1_v", "supply_state",
        "supply_causes",
        "amount_to_reconnect", "remaining_credit", "overdraft", "serial_number", "clock", "epoch",
        "key_version",
        "key_check_value", "available_credit_exact",
    } <= set(BY_NAME)  # fmt: skip


def test_setting_numbers_are_stable() -> None:
    assert {number: item.name for number, item in SETTINGS.items()} == {
        1: "low_credit_threshold_1",
        2: "low_credit_threshold_2",
        3: "overdraft_limit",
        4: "max_credit",
        5: "reconnect_threshold",
        6: "trip_mode",
        7: "reconnect_mode",
        8: "trip_delay_minutes",
        9: "remote_trip_delay",
        10: "power_limit_kw",
        11: "power_limit_delay_s",
        12: "overload_reconnect_s",
        13: "overload_attempts",
        14: "overload_reset_s",
        15: "unopened_supply",
        16: "tamper_trip",
        17: "standing_charge",
        18: "debt_instalment",
        19: "debt_share_percent",
        20: "friendly_hours",
        21: "friendly_weekends",
        22: "utc_offset_minutes",
        23: "strict_suspension",
        24: "friendly_holidays",
    }


def test_setting_numbers_are_unique_and_fit_a_byte() -> None:
    numbers = [item.setting for item in ITEMS if item.setting]
    assert len(numbers) == len(set(numbers)) == len(SETTINGS)
    assert all(1 <= number <= 255 for number in numbers)


@pytest.mark.parametrize("item", SETTINGS.values(), ids=lambda item: item.name)
def test_a_setting_knows_what_may_be_set_and_its_range_fits_a_message(item: Item) -> None:
    kind = settable(item)
    assert kind.allowed()
    number = kind.inner if isinstance(kind, Optional) else kind
    if isinstance(number, Fixed):
        assert number.low is not None
        assert number.high is not None
        for value in (number.low, number.high):
            assert kind.holds(value)
            assert kind.parse(kind.text(value)) == value
            assert -(2**63) <= value < 2**63
        assert not kind.holds(number.low - 1)
        assert not kind.holds(number.high + 1)


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("utc_offset_minutes", "-840 to 840 min"),
        ("low_credit_threshold_1", "off or 0.00 to 999999.99"),
        ("low_credit_threshold_2", "off or 0.00 to 999999.99"),
        ("overdraft_limit", "0.00 to 999999.99"),
        ("max_credit", "off or 0.00 to 999999.99"),
        ("reconnect_threshold", "0.00 to 999999.99"),
        ("trip_mode", "two_stage, direct, delayed"),
        ("reconnect_mode", "automatic, manual"),
        ("trip_delay_minutes", "0 to 9999 min"),
        ("remote_trip_delay", "on, off"),
        ("power_limit_kw", "off or 0.000000 to 1000000.000000 kW"),
        ("power_limit_delay_s", "0 to 86400 s"),
        ("overload_reconnect_s", "1 to 86400 s"),
        ("overload_attempts", "0 to 255"),
        ("overload_reset_s", "0 to 86400 s"),
        ("unopened_supply", "connected, disconnected"),
        ("tamper_trip", "none or any of cover, terminal_cover, magnet"),
        ("standing_charge", "0.00 to 999999.99"),
        ("debt_instalment", "0.00 to 999999.99"),
        ("debt_share_percent", "0 to 100 %"),
        (
            "friendly_hours",
            "off or at most two windows such as 22:00-06:00,12:00-13:00; "
            "00:00-24:00 is the whole day",
        ),
        ("friendly_weekends", "on, off"),
        ("strict_suspension", "on, off"),
        ("friendly_holidays", "on, off"),
    ],
)
def test_a_setting_has_its_range(name: str, allowed: str) -> None:
    assert settable(BY_NAME[name]).allowed() == allowed


@pytest.mark.parametrize(
    ("name", "finest", "too_fine"),
    [
        ("low_credit_threshold_1", "0.01", "0.011"),
        ("overdraft_limit", "0.01", "0.010"),
        ("standing_charge", "0.01", "0.001"),
        ("power_limit_kw", "0.000001", "0.0000001"),
        ("power_limit_delay_s", "1", "1.0"),
        ("debt_share_percent", "1", "1.5"),
    ],
)
def test_a_setting_has_its_grain(name: str, finest: str, too_fine: str) -> None:
    kind = settable(BY_NAME[name])
    assert kind.text(kind.parse(finest)) == finest
    with pytest.raises(QuantityError):
        kind.parse(too_fine)


def test_items_that_change_by_themselves_are_known() -> None:
    assert {item.name for item in ITEMS if item.live} == {
        "clock", "elapsed_ms", "energy_import_kwh", "energy_export_kwh", "energy_rate_1_kwh",
        "energy_rate_2_kwh", "energy_rate_3_kwh", "energy_rate_4_kwh", "energy_month_kwh",
        "energy_year_kwh", "available_credit", "available_credit_exact", "remaining_credit",
        "overdraft", "consumption_charged_exact", "current_step", "current_price",
        "energy_total_kwh", *(item.name for item in ITEMS if item.kept_on_request),
    }  # fmt: skip


def test_every_item_says_what_it_means() -> None:
    assert all(item.meaning.endswith(".") for item in ITEMS)


@pytest.mark.parametrize("name", ["low_credit_threshold_1", "low_credit_threshold_2", "max_credit"])
def test_money_limits_that_can_be_off(name: str) -> None:
    kind = settable(BY_NAME[name])
    assert kind.parse("off") is None
    assert kind.parse("999999.99") == MONEY_LIMIT
    with pytest.raises(
        QuantityError, match=r"1000000\.00 is out of range: allowed is 0\.00 to 999999\.99"
    ):
        kind.parse("1000000.00")


def test_money_limits_that_cannot_be_off() -> None:
    kind = settable(items.OVERDRAFT_LIMIT)
    assert kind.parse("20") == 20 * LEDGER
    with pytest.raises(QuantityError, match="'off' is not a number"):
        kind.parse("off")
    with pytest.raises(QuantityError, match=r"-0\.01 is out of range"):
        kind.parse("-0.01")


# ---- AccountUnit


@pytest.mark.parametrize(
    ("text", "number", "shown"),
    [
        ("CNY", 156, "CNY"),
        ("eur", 978, "EUR"),
        ("kWh", 0, "kWh"),
        ("156", 156, "CNY"),
        ("36", 36, "036"),
    ],
)
def test_account_units_are_read_by_letters_or_number(text: str, number: int, shown: str) -> None:
    assert AccountUnit().parse(text) == number
    assert AccountUnit().text(number) == shown
    assert json.loads(AccountUnit().json(number)) == shown


@pytest.mark.parametrize(
    "text", ["", "XYZ", "1000", "-1", "1.5", pytest.param("9" * 5000, id="5000 digits")]
)
def test_what_is_no_account_unit_is_refused_with_examples(text: str) -> None:
    with pytest.raises(QuantityError) as caught:
        AccountUnit().parse(text)
    assert (
        str(caught.value) == f"{text!r} is not an account unit: a currency (CNY, EUR, 156) or kWh"
    )


# ---- Windows

WINDOWS = Windows()
NIGHT, NOON = (1320, 360), (720, 780)


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("off", []),
        ("22:00-06:00", [NIGHT]),
        ("22:00-06:00,12:00-13:00", [NIGHT, NOON]),
        ("12:00-13:00,22:00-06:00", [NOON, NIGHT]),
        ("00:00-23:59", [(0, 1439)]),
    ],
)
def test_windows_are_read_and_written(text: str, pairs: list[tuple[int, int]]) -> None:
    value = WINDOWS.parse(text)
    assert WINDOWS.pairs(value) == pairs
    assert WINDOWS.pack(pairs) == value
    assert WINDOWS.text(value) == text
    assert json.loads(WINDOWS.json(value)) == text
    assert WINDOWS.holds(value)


def test_windows_are_held_as_four_16_bit_minutes() -> None:
    assert WINDOWS.pack([NIGHT, NOON]) == 1320 | 360 << 16 | 720 << 32 | 780 << 48


@pytest.mark.parametrize("text", ["00:00-00:00", "06:00-06:00", "12:00-13:00,06:00-06:00"])
def test_equal_hours_are_refused_with_the_way_to_write_a_whole_day(text: str) -> None:
    with pytest.raises(QuantityError, match="write 00:00-24:00 for the whole day, or off"):
        WINDOWS.parse(text)
    assert not WINDOWS.holds(WINDOWS.pack([(360, 360)]))
    assert not WINDOWS.holds(WINDOWS.pack([NOON, (360, 360)]))


def test_equal_hours_of_an_older_state_are_no_window() -> None:
    assert WINDOWS.pairs(WINDOWS.pack([(360, 360), NOON])) == [NOON]
    assert WINDOWS.text(WINDOWS.pack([(360, 360), NOON])) == "12:00-13:00"


def test_a_window_may_end_with_the_day() -> None:
    assert WINDOWS.pairs(WINDOWS.parse("00:00-24:00")) == [(0, 1440)]
    assert WINDOWS.text(WINDOWS.parse("22:00-24:00")) == "22:00-24:00"
    assert WINDOWS.holds(WINDOWS.parse("00:00-24:00,23:00-24:00"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'' is not a window: write 22:00-06:00"),
        ("22:00", "'22:00' is not a window: write 22:00-06:00"),
        ("22:00-06:00,", "'' is not a window: write 22:00-06:00"),
        ("24:00-06:00", "'24:00' is not a time of day: write 22:00"),
        ("22:00-06:60", "'06:60' is not a time of day: write 22:00"),
        ("22-06", "'22' is not a time of day: write 22:00"),
        ("-1:00-06:00", "'' is not a time of day: write 22:00"),
        ("²:00-06:00", "'²:00' is not a time of day: write 22:00"),
        (
            "01:00-02:00,03:00-04:00,05:00-06:00",
            "'01:00-02:00,03:00-04:00,05:00-06:00' is not off or at most two windows "
            "such as 22:00-06:00,12:00-13:00; 00:00-24:00 is the whole day",
        ),
    ],
)
def test_what_is_no_window_is_refused_with_an_example(text: str, message: str) -> None:
    with pytest.raises(QuantityError) as caught:
        WINDOWS.parse(text)
    assert str(caught.value) == message


def test_an_hour_of_thousands_of_digits_is_no_time_of_day() -> None:
    with pytest.raises(QuantityError):
        WINDOWS.parse("9" * 5000 + ":00-06:00")


@pytest.mark.parametrize("value", [1440, 1441 << 16, 1440 << 32, 1441 << 48, 1 << 64, -1])
def test_minutes_past_the_day_cannot_be_set(value: int) -> None:
    assert not WINDOWS.holds(value)


def test_numbers_of_digits_keep_their_counts() -> None:
    assert {
        item.name: item.kind.count for item in items.ITEMS if isinstance(item.kind, Digits)
    } == {"serial_number": 12, "customer_number": 12, "billing_day": 4, "billing_year": 4}
