"""Whether balances of a meter agree with its accounts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterctl.utility.rules.books import credit_agrees, debt_agrees
from meterctl.utility.rules.money import difference
from meterctl.utility.rules.postings import Books, MeterBalances

AMOUNT = 10**8
EXACT = st.integers(min_value=0, max_value=10**13)


@pytest.mark.parametrize(
    ("above", "credit", "debt"),
    [
        (-1, False, False),
        (0, True, True),
        (2 * AMOUNT - 1, True, True),
        (2 * AMOUNT, True, False),
        (4 * AMOUNT - 1, True, False),
        (4 * AMOUNT, False, False),
    ],
)
@pytest.mark.parametrize("booked", [-1234, 0, 5000])
def test_the_booked_amount_is_above_by_less_than_its_floors(
    booked: int, above: int, credit: bool, debt: bool
) -> None:
    assert credit_agrees(booked, booked * AMOUNT - above) is credit
    assert debt_agrees(booked, booked * AMOUNT - above) is debt


@given(
    credit=st.integers(min_value=-(10**13), max_value=10**13),
    debt=EXACT,
    before=st.tuples(EXACT, EXACT, EXACT, EXACT),
    later=st.tuples(EXACT, EXACT, EXACT, EXACT),
)
def test_books_agree_from_the_taking_over_on(
    credit: int, debt: int, before: tuple[int, ...], later: tuple[int, ...]
) -> None:
    """A meter's books are whole 0.01 less its cumulative values, so its credit is made of them."""
    consumption, standing, instalments, to_debt = before
    spent, debt_paid = sum(before), instalments + to_debt
    credit = credit // AMOUNT * AMOUNT - spent
    debt = debt // AMOUNT * AMOUNT + debt_paid // AMOUNT * AMOUNT + AMOUNT - debt_paid
    meter = MeterBalances(credit, debt, Books(consumption, standing, instalments), to_debt)
    booked, owed = meter.booked_credit(), meter.booked_debt()
    assert credit_agrees(booked, credit)
    assert debt_agrees(owed, debt)
    now = [value + more for value, more in zip(before, later, strict=True)]
    moved = [difference(after, value) for after, value in zip(now, before, strict=True)]
    assert credit_agrees(booked - sum(moved), credit - sum(later))
    assert debt_agrees(owed - sum(moved[2:]), debt - sum(later[2:]))
