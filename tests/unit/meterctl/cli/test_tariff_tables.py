"""The picture of a day: a digit for each half hour or hour, and a mark where the rate changes."""

from __future__ import annotations

import pytest

from meterctl.cli.tariff_tables import day_picture, part_tables, rates_of
from protocols.command_line.tables import Table
from protocols.data_model.tariff import DayTables, Prices, Seasons, Steps

SHOP = ((360, 2), (600, 3), (780, 2), (1320, 1))


def test_before_its_first_entry_the_last_one_of_a_day_applies() -> None:
    rates = rates_of(SHOP)
    assert len(rates) == 1440
    assert (rates[0], rates[359], rates[360], rates[1319], rates[1320]) == (1, 1, 2, 2, 1)


def test_a_picture_has_a_digit_for_each_part_of_the_day() -> None:
    assert day_picture(SHOP, 24) == "111111" + "2222" + "333" + "222222222" + "11"
    assert day_picture(SHOP, 48) == "1" * 12 + "2" * 8 + "3" * 6 + "2" * 18 + "1" * 4


def test_a_change_within_a_digit_has_a_mark() -> None:
    assert day_picture(((0, 1), (610, 2)), 24) == "1" * 10 + "*" + "2" * 13
    assert day_picture(((0, 1), (630, 2)), 48) == "1" * 21 + "2" * 27


def tables(part: object, **given: object) -> list[Table]:
    return list(part_tables(part, **given))  # type: ignore[arg-type]


@pytest.mark.parametrize(("columns", "cells"), [("80", 48), ("64", 48), ("63", 24), ("40", 24)])
def test_a_narrow_screen_has_hours_and_a_wide_one_half_hours(
    monkeypatch: pytest.MonkeyPatch, columns: str, cells: int
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    picture, _ = tables(DayTables((SHOP,)))
    assert len(picture.columns[1]) == len(picture.rows[0][1]) == cells


def test_rates_have_their_prices_where_they_are_known() -> None:
    _, without = tables(DayTables((((0, 2),),)))
    assert without.columns == ("table", "from", "rate")
    _, with_prices = tables(DayTables((((0, 2), (60, 3)),)), prices=Prices((1, 5000)))
    assert with_prices.rows == [("1", "00:00", "2", "0.5000"), ("1", "01:00", "3", "-")]


def test_rates_of_a_day_begin_at_midnight_also_where_its_entries_do_not() -> None:
    _, rates = tables(DayTables((SHOP, ((0, 2),))))
    assert rates.rows == [
        ("1", "00:00", "1"),
        ("1", "06:00", "2"),
        ("1", "10:00", "3"),
        ("1", "13:00", "2"),
        ("1", "22:00", "1"),
        ("2", "00:00", "2"),
    ]


def test_steps_are_shown_from_limit_to_limit() -> None:
    steps, billing = tables(Steps((500_000, 2_000_000), (0, 5, 7), True, 9, 6, 7, 1), title="New")
    assert steps.title == "New steps of each billing year"
    assert steps.rows == [
        ("1", "0", "0.5", "0.0000"),
        ("2", "0.5", "2", "0.0005"),
        ("3", "2", "-", "0.0007"),
    ]
    assert billing.rows == [("billing month", "day 09 at 06:00"), ("billing year", "07-01")]


def test_weekdays_and_holidays_are_shown_where_there_are_any() -> None:
    assert [table.title for table in tables(Seasons())] == ["Seasons"]
    shown = tables(Seasons(weekdays=(0, 2, 0, 0, 0, 0, 0), holidays=((2, 0), (1, 3))))
    assert [table.title for table in shown] == ["Seasons", "Weekdays", "Holidays"]
    assert shown[1].rows == [("tuesday", "2")]
    assert shown[2].rows == [("1970-01-02", "3"), ("1970-01-03", "of the day")]
