"""A meter's TOML: defaults, values, refusals that name the key and the allowed values."""

from __future__ import annotations

import pytest

from firmware_sim.description.files import describe_keys
from firmware_sim.description.tariffs import tariff_in_force
from firmware_sim.hosting.errors import HostingError
from firmware_sim.meter_description import DEFAULT_START, MeterDescription
from firmware_sim.settings import Settings
from protocols.data_model.tariff import Prices, Tariff
from protocols.data_model.words import ENERGY_ACCOUNT, MeterType, ReconnectMode, TripMode
from protocols.errors import QuantityError
from protocols.quantities import LEDGER
from protocols.tariff_file import parse_tariff
from protocols.toml_text import parse_toml
from protocols.toml_values import MAX_SHOWN, ConfigurationError


def described(text: str) -> MeterDescription:
    return describe_keys(None, parse_toml(text), DEFAULT_START)


def refused(text: str) -> str:
    with pytest.raises((ConfigurationError, HostingError, QuantityError)) as caught:
        described(text)
    return str(caught.value)


def test_an_empty_text_is_the_default_meter() -> None:
    meter = described("")
    assert (meter.serial_number, meter.unit, meter.account_unit) == ("000000000001", 1, 156)
    assert meter.meter_type == MeterType.SINGLE_PHASE
    assert meter.settings == Settings()
    assert meter.tariff == Tariff()


def test_settings_are_given_by_their_item_names() -> None:
    meter = described(
        "low_credit_threshold_1 = 10.00\n"
        'low_credit_threshold_2 = "off"\n'
        'power_limit_kw = "2.5"\n'
        'trip_mode = "delayed"\n'
        'reconnect_mode = "manual"\n'
        "friendly_weekends = true\n"
    )
    assert meter.settings == Settings(
        low_credit_threshold_1=10 * LEDGER,
        power_limit_mw=2_500_000,
        trip_mode=TripMode.DELAYED,
        reconnect_mode=ReconnectMode.MANUAL,
        friendly_weekends=1,
    )


def test_numbers_keep_every_digit_that_was_written() -> None:
    assert described("credit = 0.1").credit == LEDGER // 10
    assert described("credit = 999999.99").credit == 99_999_999 * LEDGER // 100


@pytest.mark.parametrize("unit", [1, 247])
def test_the_limits_of_a_unit_number_are_allowed(unit: int) -> None:
    assert described(f"unit = {unit}").unit == unit


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("credit = ", "it is not TOML"),
        ("credits = 1", "credits: there is no such key; did you mean credit?"),
        ("qqq = 1", "qqq: there is no such key; allowed are account, account_unit"),
        ("unit = 0", "unit = 0"),
        ("unit = 248", "unit = 248"),
        ('serial_number = "12"', "serial_number = '12'"),
        ('trip_mode = "three_stage"', "two_stage"),
        ('credit = "1.001"', "credit = '1.001'"),
        ('epoch = "00000000"', "00000001 to ffffffff"),
        ('account = "closed"', "'open' or 'unopened'"),
        ("overdraft_limit = -1", "overdraft_limit"),
        ("friendly_weekends = 2", "friendly_weekends"),
    ],
)
def test_a_refusal_names_the_key_and_what_is_allowed(text: str, told: str) -> None:
    assert told in refused(text)


def test_every_wrong_key_is_named() -> None:
    assert len(refused("unit = 0\ndrift_ppm = 100001\nnothing = 1").splitlines()) == 3


def test_a_long_value_is_shortened_in_its_refusal() -> None:
    assert len(refused(f'account = "{"x" * 5000}"')) < 2 * MAX_SHOWN


def test_a_number_of_thousands_of_digits_is_a_refusal() -> None:
    assert refused(f"unit = {'1' * 5000}")


def test_settings_that_do_not_agree_are_refused() -> None:
    told = refused("low_credit_threshold_1 = 4\nlow_credit_threshold_2 = 5")
    assert "low_credit_threshold_1 is below" in told


def test_the_place_in_a_tariff_of_a_meter_begins_with_its_key() -> None:
    assert refused('[tariff]\nprices = ["x"]\n[[tariff.day_tables]]\n').splitlines() == [
        "tariff.prices.1 = 'x': 'x' is not a price per kWh: digits with at most 4 decimals are "
        "allowed",
        "tariff.day_tables.1.entries: this key is missing",
    ]


def test_a_price_goes_over_the_tariff_of_the_text() -> None:
    values = parse_tariff('prices = ["0.7000", "0.8000"]')
    assert tariff_in_force(values, 6000, 156) == Tariff(prices=Prices((6000,)))


def test_an_energy_account_has_the_price_of_one_and_no_other() -> None:
    assert described('account_unit = "kWh"').tariff.prices == Prices((10_000,))
    with pytest.raises(ConfigurationError, match=r"fixed price 1\.0000"):
        tariff_in_force({}, 9_999, ENERGY_ACCOUNT)
    stepped = refused(
        'account_unit = "kWh"\n[tariff]\nprices = ["1"]\n'
        "step_limits_kwh = [1]\nstep_additions = [0, 1]"
    )
    assert "no steps" in stepped
