"""Counting a till, and how much cash it may hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterctl.utility.errors import Invalid, Refused
from meterctl.utility.rules.cash_up import CashUp, cash_up, require_room, to_bank

AMOUNTS = st.integers(0, 10_000_00)


@pytest.mark.parametrize(
    ("counted", "difference", "short", "over", "needs_task"),
    [
        (650_00, 0, 0, 0, False),
        (639_50, -10_50, 10_50, 0, True),
        (640_00, -10_00, 10_00, 0, False),
        (660_00, 10_00, 0, 10_00, False),
        (660_01, 10_01, 0, 10_01, True),
    ],
)
def test_what_is_counted_is_compared_with_float_and_cash(
    counted: int, difference: int, short: int, over: int, needs_task: bool
) -> None:
    found = cash_up(200_00, 450_00, counted)
    assert found.expected == 650_00
    assert (found.difference, found.short, found.over) == (difference, short, over)
    assert found.needs_task(10_00) is needs_task


def test_a_negative_count_is_refused() -> None:
    with pytest.raises(Invalid):
        cash_up(0, 0, -1)


def test_all_but_the_float_is_banked() -> None:
    assert to_bank(CashUp(650_00, 639_50), 200_00) == 439_50
    assert to_bank(CashUp(650_00, 100_00), 200_00) == 0


@given(AMOUNTS, AMOUNTS, AMOUNTS)
def test_short_and_over_explain_the_count(float_amount: int, cash: int, counted: int) -> None:
    found = cash_up(float_amount, cash, counted)
    assert found.expected - found.short + found.over == counted
    assert 0 in (found.short, found.over)


def test_cash_may_reach_its_limit_but_not_pass_it() -> None:
    require_room(19_950_00, 50_00, 20_000_00)
    with pytest.raises(Refused, match=r"19950\.00 is not banked, and 20000\.00 is the limit") as no:
        require_room(19_950_00, 50_01, 20_000_00)
    assert no.value.code == "cash_limit"
