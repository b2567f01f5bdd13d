"""The keys of a tariff: what they say together, and refusals that name the place."""

from __future__ import annotations

import pytest

from protocols.data_model.tariff import PART_NAMES, DayTables, Prices, Seasons, Steps, Tariff
from protocols.errors import QuantityError
from protocols.quantities import KWH, LocalMoment
from protocols.tariff_file import (
    KEYS_OF_PARTS,
    TARIFF_KEYS,
    parse_activation,
    parse_tariff,
    tariff_of,
)
from protocols.toml_values import ConfigurationError


def test_a_whole_tariff() -> None:
    values = parse_tariff(
        'prices = ["0.5000", "0.8000"]\n'
        "step_limits_kwh = [100]\n"
        'step_additions = [0, "0.0500"]\n'
        'step_period = "year"\n'
        'billing_day = "1506"\n'
        'billing_year = "0701"\n'
        'day_tables = [{ entries = ["22:00 1", "08:00 2"] }]\n'
        'seasons = [{ start = "10-01", day_table = 1 }, { start = "04-01", day_table = 1 }]\n'
        "weekdays = { sunday = 1 }\n"
        'holidays = [{ date = "1970-01-03" }]\n'
    )
    assert tariff_of(values) == Tariff(
        Seasons(((4, 1, 1), (10, 1, 1)), (0, 0, 0, 0, 0, 0, 1), ((2, 0),)),
        DayTables((((480, 2), (1320, 1)),)),
        Prices((5000, 8000)),
        Steps((100 * KWH,), (0, 500), True, 15, 6, 7, 1),
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('day_tables = [{ entries = ["24:00 1"] }]', "no time of day"),
        ('day_tables = [{ entries = ["08:60 1"] }]', "no time of day"),
        ('day_tables = [{ entries = ["08:00"] }]', "write '08:00 2'"),
        ("day_tables = [{ entries = [] }]", "at least 1 item"),
        ('seasons = [{ start = "0401", day_table = 1 }]', "write 05-01"),
        ("weekdays = { someday = 1 }", "weekdays"),
        ('prices = ["0.12345"]', "0.12345"),
    ],
)
def test_an_entry_of_a_tariff_that_cannot_be_read_is_refused(text: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        parse_tariff(text)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("prices = 1", "prices = 1: allowed is a list"),
        ("prices = [1, -2]", "prices.2 = -2"),
        ("seasons = [1]", "seasons.1 = 1: allowed is a table with the keys day_table, start"),
        ('seasons = [{ start = "04-01" }]', "seasons.1.day_table: this key is missing"),
        ('step_period = "week"', "step_period = 'week': allowed is 'month' or 'year'"),
        ("holidays = [{ date = 2026-02-30 }]", "it is not TOML"),
        ("weekdays = { sunday = 1, someday = 1 }", "weekdays.someday: there is no such key"),
        ("energy = 1", "energy: there is no such key; allowed are billing_day"),
    ],
)
def test_a_refusal_of_a_tariff_names_the_place_of_the_value(text: str, place: str) -> None:
    with pytest.raises((ConfigurationError, QuantityError)) as caught:
        parse_tariff(text)
    assert str(caught.value).startswith(place)


def test_a_tariff_that_names_a_rate_without_a_price_is_refused() -> None:
    values = parse_tariff('day_tables = [{ entries = ["00:00 2"] }]')
    with pytest.raises(
        ConfigurationError, match=r"^tariff\.day_tables\.1\.entries\.1 = rate 2: allowed is 1: "
    ):
        tariff_of(values)


def test_every_key_belongs_to_one_part() -> None:
    keys = [key for part in KEYS_OF_PARTS.values() for key in part]
    assert sorted(keys) == sorted(TARIFF_KEYS)
    assert set(KEYS_OF_PARTS) == set(PART_NAMES)


def test_an_activation_is_an_instant_or_local_time_in_whole_seconds() -> None:
    assert parse_activation("1970-01-02T00:00:00+00:00") == 86_400_000
    assert parse_activation("1970-01-02") == LocalMoment(86_400_000)
    for text in ("1969-12-31", "2026-01-01T00:00:00.5Z", "2106-02-07T06:28:16Z"):
        with pytest.raises(QuantityError, match="whole seconds from 1970 to 2106"):
            parse_activation(text)
