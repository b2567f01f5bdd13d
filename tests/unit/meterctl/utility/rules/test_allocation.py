"""An amount over open amounts: nothing is lost, nothing exceeds what is open, the order is kept."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from meterctl.utility.rules.allocation import Part, Spread, spread, taken_back

OPENED = st.lists(st.builds(Part, st.integers(1, 99), st.integers(0, 10_000)), max_size=8)


def test_the_first_ones_are_paid_first() -> None:
    opened = [Part(1, 1000), Part(2, 0), Part(3, 500), Part(4, 800)]
    assert spread(1200, opened) == Spread((Part(1, 1000), Part(3, 200)), 0)
    assert spread(2400, opened) == Spread((Part(1, 1000), Part(3, 500), Part(4, 800)), 100)


def test_nothing_is_spread_of_0_or_less() -> None:
    assert spread(0, [Part(1, 5)]) == spread(-7, [Part(1, 5)]) == Spread((), 0)


def test_the_newest_allocations_go_back_first() -> None:
    made = [Part(1, 1000), Part(2, 500), Part(1, 300)]
    assert taken_back(900, made) == Spread((Part(1, 300), Part(2, 500), Part(1, 100)), 0)
    assert taken_back(2000, made).rest == 200


@given(st.integers(-100, 50_000), OPENED)
def test_parts_and_rest_are_the_amount(amount: int, opened: list[Part]) -> None:
    parts, rest = spread(amount, opened)
    assert sum(part.amount for part in parts) + rest == max(amount, 0)
    assert all(part.amount > 0 for part in parts)
    assert rest == 0 or sum(part.amount for part in parts) == sum(each.amount for each in opened)


@given(st.integers(1, 50_000), OPENED)
def test_all_before_the_last_part_are_paid_in_full(amount: int, opened: list[Part]) -> None:
    parts = spread(amount, opened).parts
    positive = [each for each in opened if each.amount]
    assert list(parts[:-1]) == positive[: max(len(parts) - 1, 0)]
    if parts:
        last = positive[len(parts) - 1]
        assert parts[-1].id == last.id
        assert parts[-1].amount <= last.amount


@given(st.integers(0, 50_000), OPENED)
def test_what_was_spread_can_be_taken_back(amount: int, opened: list[Part]) -> None:
    parts, rest = spread(amount, opened)
    assert taken_back(amount - rest, parts) == Spread(tuple(reversed(parts)), 0)
