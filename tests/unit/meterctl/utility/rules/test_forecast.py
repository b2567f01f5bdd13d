"""How long a credit lasts, with figures worked by hand."""

from __future__ import annotations

import pytest

from meterctl.utility.rules.forecast import Charged, days_left, trip_level
from meterctl.utility.rules.terms import Terms
from protocols.quantities import CENT, DAY, HOUR


@pytest.mark.parametrize(
    ("credit", "terms", "level"),
    [
        (50_00, Terms(low_credit_threshold_2=5_00), 5_00),
        (4_00, Terms(low_credit_threshold_2=5_00), 0),
        (4_00, Terms(low_credit_threshold_2=5_00, overdraft_limit=10_00), 0),
        (-1_00, Terms(low_credit_threshold_2=5_00, overdraft_limit=10_00), -10_00),
        (50_00, Terms(low_credit_threshold_2=5_00, trip_mode="direct"), 0),
        (-20_00, Terms(overdraft_limit=10_00), -10_00),
    ],
)
def test_the_next_level_below_a_credit_interrupts(credit: int, terms: Terms, level: int) -> None:
    assert trip_level(credit * CENT, terms) == level * CENT


@pytest.mark.parametrize(
    ("credit", "readings", "days"),
    [
        (45_00, [(0, 0), (20, 40_00)], 22),
        (45_00, [(0, 0), (10, 20_00), (20, 40_00)], 22),
        (45_00, [(-20, 0), (0, 100_00), (20, 120_00)], 45),
        (45_00, [(-9, 0), (20, 40_00)], None),
        (45_00, [(19, 38_00), (20, 40_00)], 22),
        (45_00, [(20, 40_00)], None),
        (45_00, [], None),
        (45_00, [(0, 40_00), (20, 40_00)], None),
        (0, [], None),
        (-1_00, [(0, 0), (20, 40_00)], 0),
        (1_99, [(0, 0), (20, 40_00)], 0),
    ],
)
def test_days_are_at_the_mean_daily_cost_of_28_days(
    credit: int, readings: list[tuple[int, int]], days: int | None
) -> None:
    read = [Charged(day * DAY + HOUR, cost * CENT) for day, cost in readings]
    assert days_left(credit * CENT, 0, read, 20 * DAY + HOUR) == days
