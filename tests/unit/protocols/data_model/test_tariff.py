"""The tariff's four parts: valid values, the bytes of a change, and malformed changes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from protocols.data_model import tariff as t
from protocols.data_model.tariff import (
    DayTables,
    Part,
    Prices,
    Seasons,
    Steps,
    Tariff,
    TariffChange,
)
from protocols.data_model.tariff_rules import MAX_PRICE
from protocols.errors import MalformedMessageError
from protocols.sealed_message import MAX_PARAMETERS

SECOND = 1000
SEASONS = Seasons(((3, 1, 1), (11, 1, 2)), (0, 0, 0, 0, 0, 3, 3), ((20_454, 4), (20_500, 0)))
DAY_TABLES = DayTables((((0, 1),), ((0, 1), (480, 2), (1320, 1)), ((60, 3),), ((1439, 4),)))
PRICES = Prices((5283, 0, 99_999_999, 1))
STEPS = Steps((180_000_000, 400_000_000), (0, 500, 3000), True, 28, 23, 12, 28)
PARTS: tuple[Part, ...] = (SEASONS, DAY_TABLES, PRICES, STEPS)
LARGEST = TariffChange(
    (
        (
            0,
            Seasons(
                tuple((1, day, 8) for day in range(1, 15)),
                (8,) * 7,
                tuple((d, 8) for d in range(64)),
            ),
        ),
        (0, DayTables((tuple((m, 4) for m in range(14)),) * 8)),
        (0, Prices((MAX_PRICE,) * 4)),
        (0, Steps(tuple(range(1, 7)), (MAX_PRICE,) * 7)),
    )
)


# ---- valid values


def test_the_default_is_one_price_all_day() -> None:
    assert Tariff().problem() is None
    assert Tariff().prices.prices == (5283,)
    assert Tariff().steps.additions == (0,)


def test_a_full_tariff_can_be() -> None:
    assert Tariff(SEASONS, DAY_TABLES, PRICES, STEPS).problem() is None
    assert Tariff(*(part for _, part in LARGEST.parts)).problem() is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "part",
    [
        Seasons(tuple((1, day, 1) for day in range(1, 15))),
        Seasons(((1, 1, 1), (12, 31, 1))),
        Seasons(((2, 29, 1),)),
        Seasons(holidays=((3, 1), (3, 1))),
        Seasons(holidays=tuple((day, 1) for day in range(64))),
        DayTables((((0, 1),),) * 8),
        DayTables((tuple((m, 1) for m in range(1426, 1440)),)),
        Prices((0, 99_999_999, 1, 1)),
        Prices((1,)),
        Steps((1, 2, 3, 4, 5, 10**15), (0, 99_999_999, 0, 0, 0, 0, 0)),
        Steps(billing_day=28, billing_hour=23, year_month=12, year_day=28),
        Steps(billing_day=1, billing_hour=0, year_month=1, year_day=1),
    ],
)
def test_a_part_at_its_limits_can_be(part: Part) -> None:
    assert part.problem() is None


def test_a_step_limit_above_a_billion_kilowatt_hours_cannot_be() -> None:
    assert Steps((10**15 + 1,), (0, 0)).problem() == (
        "step_limits_kwh.1: a step limit is at most 1,000,000,000 kWh"
    )
    assert Steps((10**15,), (0, 0)).problem() is None


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (Seasons(()), "allowed is 1 to 14"),
        (Seasons(tuple((1, day, 1) for day in range(1, 16))), "allowed is 1 to 14"),
        (Seasons(((2, 1, 1), (1, 1, 2))), "the order of their dates"),
        (Seasons(((1, 1, 1), (1, 1, 1))), "seasons.2: 01-01 starts two seasons"),
        (Seasons(((1, 1, 1), (1, 1, 2))), "seasons.2: 01-01 starts two seasons"),
        (Seasons(((0, 1, 1),)), "a start is no date"),
        (Seasons(((13, 1, 1),)), "a start is no date"),
        (Seasons(((1, 0, 1),)), "a start is no date"),
        (Seasons(((1, 32, 1),)), "a start is no date"),
        *(
            (Seasons(((month, day, 1),)), f"a start is no date: {month:02d}-{day}")
            for month, day in ((2, 30), (2, 31), (4, 31), (6, 31), (9, 31), (11, 31))
        ),
        (Seasons(holidays=((0, 1), (1, 2), (0, 0))), "holidays.3: 1970-01-01 has two day tables"),
        (Seasons(holidays=((-1, 1),)), "holidays.1: a date is before 1970"),
        (Seasons(weekdays=(0,) * 6), "weekdays are seven"),
        (Seasons(weekdays=(0,) * 8), "weekdays are seven"),
        (
            Seasons(holidays=tuple((day, 1) for day in range(65))),
            "holidays: 65 are given: allowed is at most 64",
        ),
        (DayTables(()), "day_tables: none is given: allowed is 1 to 8"),
        (DayTables((((0, 1),),) * 9), "day_tables: 9 are given: allowed is 1 to 8"),
        (DayTables(((),)), "day_tables.1.entries: none is given: allowed is 1 to 14"),
        (DayTables((tuple((m, 1) for m in range(15)),)), "15 are given: allowed is 1 to 14"),
        (DayTables((((60, 1), (0, 1)),)), "day_tables.1.entries: allowed is the order of"),
        (
            DayTables((((0, 1),), ((0, 1), (480, 1), (480, 2)))),
            "day_tables.2.entries.3: 08:00 begins two entries: allowed is one",
        ),
        (DayTables((((0, 1),), ((1440, 1),))), "past 23:59"),
        (Prices(()), "prices: none is given: allowed is 1 to 4"),
        (Prices((1,) * 5), "prices: 5 are given: allowed is 1 to 4"),
        (Prices((-1,)), "prices.1 = -0.0001: allowed is 0 to 9999.9999"),
        (Prices((1, 10**8)), "prices.2 = 10000.0000: allowed is 0 to 9999.9999"),
        (Steps(tuple(range(1, 8)), (0,) * 8), "step_limits_kwh: 7 are given: allowed is at most 6"),
        (Steps((1,), (0,)), "step_additions: 1 limit needs 2 additions, there is 1"),
        (Steps((), ()), "0 limits need 1 addition, there is none"),
        (
            Steps((2, 1), (0, 0, 0)),
            "step_limits_kwh.2: 0.000001 is not above 0.000002: step limits",
        ),
        (
            Steps((1, 1), (0, 0, 0)),
            "step_limits_kwh.2: 0.000001 is not above 0.000001: step limits",
        ),
        (
            Steps((0,), (0, 0)),
            "step_limits_kwh.1: 0.000000 is not above 0.000000: step limits rise",
        ),
        (Steps((), (-1,)), "step_additions.1 = -0.0001: allowed is 0 to 9999.9999"),
        (Steps((), (10**8,)), "step_additions.1 = 10000.0000: allowed is 0 to 9999.9999"),
        (Steps(billing_day=0), "allowed is DDhh"),
        (Steps(billing_day=29), "allowed is DDhh"),
        (Steps(billing_hour=24), "allowed is DDhh"),
        (Steps(year_month=0), "allowed is MMDD"),
        (Steps(year_month=13), "allowed is MMDD"),
        (Steps(year_day=0), "allowed is MMDD"),
        (Steps(year_day=29), "allowed is MMDD"),
    ],
)
def test_what_cannot_be_is_named_by_the_part_and_by_the_whole(part: Part, words: str) -> None:
    problem = part.problem()
    assert problem is not None
    assert words in problem
    assert replace(Tariff(), **{t.PART_NAMES[type(part)]: part}).problem() == problem


@pytest.mark.parametrize(
    ("tariff", "words"),
    [
        (Tariff(seasons=Seasons(((1, 1, 2),))), "names a day table beyond 1"),
        (Tariff(seasons=Seasons(((1, 1, 0),))), "names a day table beyond 1"),
        (Tariff(seasons=Seasons(weekdays=(0,) * 6 + (2,))), "names a day table beyond 1"),
        (Tariff(seasons=Seasons(holidays=((1, 2),))), "names a day table beyond 1"),
        (Tariff(day_tables=DayTables((((0, 2),),))), "names a rate beyond 1"),
        (Tariff(day_tables=DayTables((((0, 0),),))), "names a rate beyond 1"),
    ],
)
def test_what_cannot_be_between_the_parts_is_named(tariff: Tariff, words: str) -> None:
    problem = tariff.problem()
    assert problem is not None
    assert words in problem


def test_the_named_tables_and_rates_leave_out_by_season() -> None:
    assert SEASONS.tables() == {1, 2, 3, 4}
    assert DAY_TABLES.rates() == {1, 2, 3, 4}


def test_parts_are_named() -> None:
    assert list(t.PART_NAMES.values()) == ["seasons", "day_tables", "prices", "steps"]


# ---- bytes


@pytest.mark.parametrize(
    ("part", "which", "body"),
    [
        (
            Seasons(((3, 1, 1),), (0, 0, 0, 0, 0, 2, 2), ((20_454, 2),)),
            0,
            "01 030101 00000000000202 01 00004fe6 02",
        ),
        (DayTables((((0, 1), (480, 2)), ((1320, 1),))), 1, "02 02 0000 01 01e0 02 01 0528 01"),
        (Prices((5283, 99_999_999)), 2, "02 000014a3 05f5e0ff"),
        (
            Steps((180_000_000,), (0, 500), True, 28, 23, 12, 31),
            3,
            "01 01 1c 17 0c 1f 000000000aba9500 00000000 000001f4",
        ),
    ],
)
def test_a_part_has_the_bytes_of_its_diagram(part: Part, which: int, body: str) -> None:
    data = bytes.fromhex(body)
    change = TariffChange(((1_767_225_600 * SECOND, part),))
    assert (
        change.encode()
        == bytes((1, which)) + bytes.fromhex("6955b900") + len(data).to_bytes(2, "big") + data
    )
    assert TariffChange.decode(change.encode()) == change


@pytest.mark.parametrize(
    "change",
    [
        TariffChange(tuple((0, part) for part in PARTS)),
        TariffChange(tuple((i * SECOND, part) for i, part in enumerate(reversed(PARTS)))),
        TariffChange(((0xFFFF_FFFF * SECOND, Prices(())),)),
        TariffChange(((0, Seasons((), (0,) * 7)), (0, DayTables(())))),
        LARGEST,
    ],
)
def test_a_change_comes_back(change: TariffChange) -> None:
    assert TariffChange.decode(change.encode()) == change


def test_the_largest_change_fits_a_message() -> None:
    assert len(LARGEST.encode()) <= MAX_PARAMETERS


# ---- malformed changes


def test_a_change_cut_anywhere_is_malformed() -> None:
    data = TariffChange(tuple((0, part) for part in PARTS)).encode()
    for size in range(len(data)):
        with pytest.raises(MalformedMessageError):
            TariffChange.decode(data[:size])


def test_a_part_cut_anywhere_with_its_size_told_is_malformed() -> None:
    for part in PARTS:
        data = TariffChange(((0, part),)).encode()
        body = data[8:]
        for size in range(len(body)):
            with pytest.raises(MalformedMessageError):
                TariffChange.decode(data[:6] + size.to_bytes(2, "big") + body[:size])


@pytest.mark.parametrize("part", PARTS, ids=lambda part: t.PART_NAMES[type(part)])
def test_surplus_bytes_within_a_part_are_malformed(part: Part) -> None:
    data = TariffChange(((0, part),)).encode()
    body = data[8:] + b"\0"
    with pytest.raises(MalformedMessageError):
        TariffChange.decode(data[:6] + len(body).to_bytes(2, "big") + body)


def test_surplus_bytes_behind_the_parts_are_malformed() -> None:
    with pytest.raises(MalformedMessageError, match="no trailing bytes"):
        TariffChange.decode(TariffChange(((0, PRICES),)).encode() + b"\0")


def test_no_parts_are_no_change() -> None:
    with pytest.raises(MalformedMessageError, match="each part at most once"):
        TariffChange.decode(b"\0")
    with pytest.raises(MalformedMessageError, match="cut short"):
        TariffChange.decode(b"")


def test_a_part_that_stands_twice_is_malformed() -> None:
    with pytest.raises(MalformedMessageError, match="each part at most once"):
        TariffChange.decode(TariffChange(((0, PRICES), (0, Prices()))).encode())


@pytest.mark.parametrize("which", [4, 5, 255])
def test_an_unknown_part_is_malformed(which: int) -> None:
    data = bytearray(TariffChange(((0, PRICES),)).encode())
    data[1] = which
    with pytest.raises(MalformedMessageError, match="unknown"):
        TariffChange.decode(bytes(data))


def test_a_year_flag_that_is_neither_no_nor_yes_is_malformed() -> None:
    data = bytearray(TariffChange(((0, STEPS),)).encode())
    data[9] = 2
    with pytest.raises(MalformedMessageError):
        TariffChange.decode(bytes(data))
