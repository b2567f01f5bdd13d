"""Preset files: permitted contents, and errors that name the key."""

from __future__ import annotations

import pytest

from meterctl.errors import UsageError
from meterctl.operations.card.preset_file import parse_presets
from protocols.data_model.tariff import Prices, TariffChange
from protocols.quantities import LEDGER, LocalMoment
from protocols.sealed_message import MessageKind, decode_limits


def test_limits_and_prices_become_sealed_commands_in_their_order() -> None:
    (limits, tariff) = parse_presets(
        '[limits]\nlow_credit_threshold_1 = 10.00\nmax_credit = "off"\nfriendly_weekends = true\n'
        'tamper_trip = ["cover", "magnet"]\n[tariff]\nprices = ["0.5283", 0.9, "1", 2]\n'
        'activation = "2027-01-01T00:00:00Z"\n'
    )
    assert limits[0] is MessageKind.LIMITS
    assert decode_limits(limits[1]) == {1: 10 * LEDGER, 4: None, 21: 1, 16: 5}
    assert tariff == (
        MessageKind.TARIFF,
        TariffChange(((1_798_761_600_000, Prices((5283, 9000, 10000, 20000))),)).encode(),
    )


def test_prices_without_an_instant_hold_at_once() -> None:
    ((_, parameters),) = parse_presets('[tariff]\nprices = ["1.0000"]\n')
    assert TariffChange.decode(parameters).parts == ((0, Prices((10000,) * 4)),), (
        "one price is that of every rate"
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "it is empty"),
        ("limits = 5\n", r"write \[limits\]"),
        ("[limits]\n", r"write \[limits\]"),
        ("[limit]\nx = 1\n", "limit"),
        ("[limits]\nprice = 1\n", "is no setting"),
        ('[limits]\noverdraft_limit = "-1.00"\n', "overdraft_limit"),
        ("[tariff]\nprices = []\n", "no prices"),
        ('[tariff]\nprices = ["0.5", "0.6"]\n', "each of the 4"),
        ('[tariff]\nprices = "0.5"\n', "no prices"),
        ('[tariff]\nprices = ["-1"]\n', "negative"),
        ('[tariff]\nprices = ["0.1","0.1","0.1","0.1","0.1"]\n', "tariff"),
        ('[tariff]\nprices = ["0.1"]\nactivation = "tomorrow"\n', "tomorrow"),
        ('[tariff]\nprices = ["0.1"]\nsteps = 1\n', "steps"),
        ("x = [", "not TOML"),
        ("x = " + "9" * 5000, "not TOML|x"),
    ],
)
def test_what_is_no_preset_says_which_key(text: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        parse_presets(text)


TARIFF = '[tariff]\nprices = ["1"]\nactivation = "{}"\n'


@pytest.mark.parametrize(
    ("activation", "seconds"),
    [("1970-01-01T00:00:00Z", 0), ("2106-02-07T06:28:15Z", 0xFFFF_FFFF)],
)
def test_an_activation_is_a_whole_second_that_32_bits_hold(activation: str, seconds: int) -> None:
    ((_, parameters),) = parse_presets(TARIFF.format(activation))
    assert TariffChange.decode(parameters).parts[0][0] == seconds * 1000


@pytest.mark.parametrize("written", ['"2027-01-01"', '"2027-01-01T00:00"', "2027-01-01"])
def test_an_activation_without_an_offset_is_local_time_of_the_meter(written: str) -> None:
    ((_, parameters),) = parse_presets(TARIFF.replace('"{}"', written))
    assert TariffChange.decode(parameters).parts[0][0] == LocalMoment(1_798_761_600_000)


@pytest.mark.parametrize(
    "activation",
    [
        "1969-12-31T23:59:59",
        "1969-12-31T23:59:59Z",
        "2106-02-07T06:28:16Z",
        "2027-01-01T00:00:00.001Z",
        "1969-12-31T23:59:59.999Z",
    ],
)
def test_another_activation_is_refused(activation: str) -> None:
    with pytest.raises(UsageError, match="activation: whole seconds from 1970 to 2106 are allowed"):
        parse_presets(TARIFF.format(activation))


def test_a_price_has_at_most_eight_digits() -> None:
    ((_, parameters),) = parse_presets('[tariff]\nprices = ["9999.9999"]\n')
    assert TariffChange.decode(parameters).parts[0][1] == Prices((99_999_999,) * 4)
    with pytest.raises(UsageError, match="allowed is 0 to 9999"):
        parse_presets('[tariff]\nprices = ["10000"]\n')


def test_every_mistake_of_a_preset_is_told_with_its_line_and_key() -> None:
    text = (
        "[limits]\nmax_credit = 8.00\nreconnect_threshold = 8.00\noverdraft_limit = -1\n"
        'trip_mod = "direct"\n\n[tariff]\nprices = ["0,5"]\nactivation = "tomorrow"\nsteps = 1\n'
        "[other]\nx = 1\n"
    )
    with pytest.raises(UsageError) as caught:
        parse_presets(text)
    told = str(caught.value).splitlines()
    assert [line.partition(": ")[0] for line in told] == [
        "line 4", "line 5", "line 3", "line 10", "line 8", "line 9", "line 11",
    ]  # fmt: skip
    assert "limits.overdraft_limit: " in told[0]
    assert "no top-up could reconnect" in told[2]
    assert "tariff.prices: '0,5' is not a price" in told[4]


@pytest.mark.parametrize(
    "limits",
    [
        "low_credit_threshold_1 = 1\nlow_credit_threshold_2 = 2",
        "reconnect_threshold = 0\nmax_credit = 0",
        'friendly_hours = "00:00-00:00"',
        "debt_instalment = 1000000",
    ],
)
def test_a_card_carries_no_limits_that_its_meter_would_refuse(limits: str) -> None:
    if limits == "max_credit = 0":
        limits += "\nreconnect_threshold = 0"
    with pytest.raises(UsageError, match=r"line 2: limits\."):
        parse_presets(f"[limits]\n{limits}\n")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            '[limits]\noverdraft_limit = "-1.00"\n',
            "line 2: limits.overdraft_limit: -1.00 is out of range: allowed is 0.00 to 999999.99",
        ),
        ('[tariff]\nprices = ["10000"]\n', "line 2: tariff.prices: allowed is 0 to 9999.9999"),
    ],
)
def test_a_mistake_names_its_key_once(text: str, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_presets(text)
    assert str(caught.value) == told
