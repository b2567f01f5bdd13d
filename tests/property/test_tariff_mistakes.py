"""Tariff files with random mistakes: all of them are named at once, each at its line, no other."""

from __future__ import annotations

import re
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.description.files import describe_keys
from firmware_sim.hosting.errors import HostingError
from firmware_sim.meter_description import DEFAULT_START
from meterctl.errors import UsageError
from meterctl.operations.tariff.file import parse_tariff_file
from protocols.toml_text import parse_toml

ROWS = """step_period = "month"
billing_day = "0100"
billing_year = "0101"
prices = [
  "0.50",
  "0.25",
  # prices
]
step_limits_kwh = [
  100,
  200,
]
step_additions = [
  0,
  "0.05",
  "0.10",
  # additions
]
[weekdays]
monday = 1
tuesday = 2
# days
[[seasons]]
start = "01-01"
day_table = 1
[[seasons]]
start = "05-01"
day_table = 2
# seasons
[[holidays]]
date = "2030-10-01"
day_table = 2
# holidays
[[day_tables]]
entries = [
  "00:00 1",
  "08:00 2",
  # entries
]
[[day_tables]]
entries = ["00:00 1"]
# tables
""".splitlines()


class Mistake(NamedTuple):
    """A row of the file, numbered from 1, what stands in its place, and where that is told."""

    row: int
    text: str
    line: int
    place: str


MISTAKES = [
    Mistake(row, text, line or row, place)
    for row, text, line, place in (
        (1, 'step_period = "week"', 0, "step_period"),
        (2, 'billing_day = "3100"', 0, "billing_day"),
        (2, "billing_day = 2026-01-01", 0, "billing_day"),
        (3, 'billing_year = "1301"', 0, "billing_year"),
        *((5, text, 0, "prices.1") for text in ('"0,50",', "-1,", '"10000",', "true,")),
        *((6, text, 0, "prices.2") for text in ('"0,25",', '"free",', '"10000",')),
        (7, "1, 1, 1,", 4, "prices"),
        *((10, text, 0, "step_limits_kwh.1") for text in ('"x",', "0,", '"1,5",')),
        *((11, text, 0, "step_limits_kwh.2") for text in ('"x",', "0,", "-3,")),
        (14, '"0,0",', 0, "step_additions.1"),
        (15, "-1,", 0, "step_additions.2"),
        (16, '"10000",', 0, "step_additions.3"),
        (17, "1,", 13, "step_additions"),
        (20, "monday = 9", 0, "weekdays.monday"),
        (21, 'tuesday = "x"', 0, "weekdays.tuesday"),
        (22, "someday = 1", 0, "weekdays.someday"),
        (24, 'start = "13-01"', 0, "seasons.1.start"),
        (24, "# start", 23, "seasons.1.start"),
        (25, "day_table = 9", 0, "seasons.1.day_table"),
        (27, 'start = "02-30"', 0, "seasons.2.start"),
        (28, "# day_table", 26, "seasons.2.day_table"),
        (28, 'day_table = "x"', 0, "seasons.2.day_table"),
        (29, "table = 1", 0, "seasons.2.table"),
        (31, 'date = "2030-13-01"', 0, "holidays.1.date"),
        (32, "day_table = 3", 0, "holidays.1.day_table"),
        (33, "table = 1", 0, "holidays.1.table"),
        (36, '"00:00 9",', 0, "day_tables.1.entries.1"),
        (37, '"25:00 1",', 0, "day_tables.1.entries.2"),
        (37, '"08:00 0",', 0, "day_tables.1.entries.2"),
        (38, '"00:00 1",', 0, "day_tables.1.entries.3"),
        (41, "entries = []", 0, "day_tables.2.entries"),
        (42, "more = 1", 0, "day_tables.2.more"),
    )
]


def with_mistakes(mistakes: list[Mistake]) -> str:
    """Return the file with mistakes, each of a row of its own."""
    rows = list(ROWS)
    for mistake in mistakes:
        rows[mistake.row - 1] = mistake.text
    return "\n".join(rows)


SOME = st.lists(
    st.sampled_from(MISTAKES), min_size=1, max_size=12, unique_by=lambda mistake: mistake.row
)


def test_the_file_without_a_mistake_is_read() -> None:
    assert len(parse_tariff_file(with_mistakes([])).parts) == 4


@given(SOME)
@settings(max_examples=60, deadline=None)
def test_every_mistake_of_a_file_is_named_in_the_first_round(mistakes: list[Mistake]) -> None:
    with pytest.raises(UsageError) as caught:
        parse_tariff_file(with_mistakes(mistakes))
    told = [re.match(r"line (\d+): ([\w.]+)", line) for line in str(caught.value).splitlines()]
    assert sorted((int(found[1]), found[2]) for found in told if found) == sorted(
        (mistake.line, mistake.place) for mistake in mistakes
    )
    assert None not in told


@given(SOME)
@settings(max_examples=40, deadline=None)
def test_a_description_of_a_meter_names_the_same_mistakes(mistakes: list[Mistake]) -> None:
    with pytest.raises(HostingError) as caught:
        describe_keys(None, {"tariff": parse_toml(with_mistakes(mistakes))}, DEFAULT_START)
    told = [re.match(r"tariff\.([\w.]+)", line) for line in str(caught.value).splitlines()]
    assert sorted(found[1] for found in told if found) == sorted(
        mistake.place for mistake in mistakes
    )
    assert None not in told
