"""Steps and prices: the mWh that reaches a limit is the last of its step (METER.md 6)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.tariff.pricing import cost, step_at, to_step_end
from protocols.data_model.tariff import Steps

modest = settings(deadline=None, max_examples=100, database=None)

TWO = Steps((100, 250), (0, 30, 500))
NONE = Steps()

LIMITS = st.lists(st.integers(1, 1000), max_size=6, unique=True).map(sorted)
STEPS = LIMITS.flatmap(
    lambda limits: st.lists(
        st.integers(0, 10_000), min_size=len(limits) + 1, max_size=len(limits) + 1
    ).map(lambda additions: Steps(tuple(limits), tuple(additions)))
)


@pytest.mark.parametrize(
    ("counter", "step", "left"),
    [(0, 0, 100), (99, 0, 1), (100, 1, 150), (249, 1, 1), (250, 2, None), (10**9, 2, None)],
)
def test_a_limit_is_the_last_mwh_of_its_step(counter: int, step: int, left: int | None) -> None:
    assert step_at(counter, TWO) == step
    assert to_step_end(counter, TWO) == left


def test_without_limits_there_is_one_step_without_end() -> None:
    assert step_at(10**12, NONE) == 0
    assert to_step_end(0, NONE) is None


@pytest.mark.parametrize(
    ("count", "counter", "wanted"),
    [
        (0, 99, 0),
        (1, 99, 1000),
        (1, 100, 1030),
        (2, 99, 2030),
        (252, 99, 1000 + 150 * 1030 + 101 * 1500),
        (3, 250, 3 * 1500),
    ],
)
def test_each_mwh_has_the_price_of_its_step(count: int, counter: int, wanted: int) -> None:
    assert cost(count, counter, 1000, TWO) == wanted


@modest
@given(steps=STEPS, counter=st.integers(0, 1200), count=st.integers(0, 1200), price=st.integers(0))
def test_a_charge_is_the_sum_of_the_charges_of_single_mwh(
    steps: Steps, counter: int, count: int, price: int
) -> None:
    single = sum(price + steps.additions[step_at(counter + n, steps)] for n in range(count))
    assert cost(count, counter, price, steps) == single


@modest
@given(steps=STEPS, counter=st.integers(0, 1200), parts=st.lists(st.integers(0, 400), max_size=5))
def test_a_charge_does_not_depend_on_how_the_energy_is_divided(
    steps: Steps, counter: int, parts: list[int]
) -> None:
    at, total = counter, 0
    for part in parts:
        total += cost(part, at, 5283, steps)
        at += part
    assert total == cost(sum(parts), counter, 5283, steps)


def test_a_charge_above_64_bits_is_exact() -> None:
    assert cost(10**15, 0, 99_999_999, NONE) == 99_999_999 * 10**15
