"""Exact units as amounts: rounded down, without drift."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from meterctl.utility.rules.money import difference, floored, raised

UNITS = st.integers(-(10**16), 10**16)
GROWING = st.lists(st.integers(0, 10**12), min_size=1)


def test_units_are_rounded_down_below_zero_too() -> None:
    units = (0, 99_999_999, 100_000_000, -1, -100_000_000, -100_000_001)
    assert [floored(each) for each in units] == [0, 0, 1, -1, -1, -2]


@given(st.integers(0, 10**15), GROWING)
def test_amounts_of_spans_add_up_to_the_amount_of_the_whole(start: int, steps: list[int]) -> None:
    values = [start]
    for step in steps:
        values.append(values[-1] + step)
    booked = sum(difference(now, before) for before, now in itertools.pairwise(values))
    assert booked == difference(values[-1], start)
    assert -(10**8) < booked * 10**8 - (values[-1] - start) < 10**8


def test_a_balance_is_raised_by_the_fractions_that_were_taken_from_it() -> None:
    assert raised(1_999_999_990, 3_00000010) == 20
    assert raised(20_00000000) == 20
    assert raised(20_00000001) == 21
    assert raised(-5_00000000, 1) == -4
    assert raised(-50, 50) == 0


@given(UNITS, st.lists(st.tuples(st.integers(0, 10**15), st.integers(0, 10**12)), max_size=4))
def test_a_raised_balance_stays_at_or_above_the_exact_one(
    balance: int, taken: list[tuple[int, int]]
) -> None:
    booked = raised(balance, *(before for before, _ in taken))
    for before, step in taken:
        booked -= difference(before + step, before)
        balance -= step
    assert 0 <= booked * 10**8 - balance < (len(taken) + 1) * 10**8
