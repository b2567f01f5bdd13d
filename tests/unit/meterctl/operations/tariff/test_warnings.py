"""What a tariff says and hardly means is found; a plain one has no warning."""

from __future__ import annotations

from dataclasses import replace

import pytest

from meterctl.operations.tariff.file import parse_tariff_file
from meterctl.operations.tariff.warnings import activation_warnings, set_warnings, warnings_of
from protocols.data_model.tariff import DayTables, Prices, Seasons, Tariff
from protocols.quantities import DAY, parse_moment

NOW = parse_moment("2026-06-15T12:00:00Z")
DAYS = 'day_tables = [{ entries = ["00:00 1"] }, { entries = ["00:00 1"] }]\n'


def warned(text: str) -> list[str]:
    return [finding.said() for finding in warnings_of(parse_tariff_file(text), NOW)]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("prices = [0, 0]", "line 1: prices: all prices are 0"),
        ('prices = ["0.5", 0]', "line 1: prices.2: rate 2 costs nothing"),
        ('prices = ["0.5283",\n"52.83"]', "line 2: prices.2: 52.8300 is 100 times 0.5283"),
        (
            'prices = ["0.5"]\nstep_limits_kwh = [1]\nstep_additions = [0, 50]',
            "line 3: step_additions.2: 50.0000 is 100 times 0.5000: is its decimal point right?",
        ),
        (
            'day_tables = [{ entries = ["00:00 1"] }]\nprices = ["0.5", "0.6"]',
            "line 2: prices.2: rate 2 is in no day table: it is never used",
        ),
        (
            f'{DAYS}seasons = [{{ start = "01-01", day_table = 1 }}]',
            "line 1: day_tables.2: day table 2 is used by no season, weekday or holiday",
        ),
        (
            'seasons = [{ start = "01-01", day_table = 1 }]\n[weekdays]\n'
            + "".join(
                f"{day}day = 2\n"
                for day in ("mon", "tues", "wednes", "thurs", "fri", "satur", "sun")
            ),
            "line 1: seasons: every weekday has a day table: no season is ever used",
        ),
        ('holidays = [{ date = "2026-06-14" }]', "line 1: holidays.1: 2026-06-14 is past"),
    ],
)
def test_a_suspicious_value_has_a_warning_with_its_line(text: str, told: str) -> None:
    (warning,) = warned(text)
    assert warning.startswith(told)


@pytest.mark.parametrize(
    "text",
    [
        'prices = ["0.5283", "52.8299"]',
        'prices = ["0.5", "0.6"]',
        DAYS,
        f'{DAYS}seasons = [{{ start = "01-01", day_table = 1 }}, '
        '{ start = "06-01", day_table = 2 }]',
        f'{DAYS}seasons = [{{ start = "01-01", day_table = 1 }}]\nweekdays = {{ sunday = 2 }}',
        f'{DAYS}seasons = [{{ start = "01-01", day_table = 1 }}]\n'
        'holidays = [{ date = "2026-06-15", day_table = 2 }]',
    ],
)
def test_a_plain_file_has_no_warning(text: str) -> None:
    assert warned(text) == []


def test_warnings_stand_in_the_order_of_their_lines() -> None:
    told = warned('holidays = [{ date = "2026-06-14" }]\nprices = [0]')
    assert [line[:7] for line in told] == ["line 1:", "line 2:"]


def test_an_activation_that_is_past_in_every_time_zone_applies_at_once() -> None:
    def told(text: str) -> list[str]:
        file = parse_tariff_file(f'activation = "{text}"\nprices = [1]')
        return [finding.text for finding in activation_warnings(file, NOW)]

    assert told("now") == told("2026-06-15T12:00:01Z") == told("2026-06-14T12:00:01") == []
    for past in ("2026-06-15T12:00:00Z", "2026-06-14T12:00:00"):
        assert told(past)[0].startswith(
            "activation.prices: it is past by the clock of this computer: it applies at once"
        )


def test_a_complete_set_has_warnings_of_rates_and_day_tables_that_nothing_uses() -> None:
    assert set_warnings(Tariff()) == []
    two = Tariff(prices=Prices((1, 2)), day_tables=DayTables((((0, 1),), ((0, 1),))))
    assert set_warnings(two) == [
        "rate 2 is in no day table: its price is never used",
        "day table 2 is used by no season, weekday or holiday",
    ]
    by_holiday = replace(two, seasons=Seasons(holidays=((NOW // DAY, 2),)))
    assert len(set_warnings(by_holiday)) == 1
    by_weekdays = replace(two, seasons=Seasons(weekdays=(2,) * 7))
    assert "day table 1 is used by no" in set_warnings(by_weekdays)[1]
