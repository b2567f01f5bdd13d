"""What is in force after each activation of a tariff."""

from __future__ import annotations

from dataclasses import replace

import pytest

from protocols.data_model.tariff import DayTables, Prices, Seasons, Steps, Tariff
from protocols.data_model.tariff_sets import is_energy_tariff, replace_part, sets_in_turn


@pytest.mark.parametrize(
    ("part", "name"),
    [
        (Seasons(starts=((2, 1, 1),)), "seasons"),
        (DayTables((((60, 1),),)), "day_tables"),
        (Prices((1,)), "prices"),
        (Steps((1,), (0, 1)), "steps"),
    ],
)
def test_one_part_of_a_tariff_is_replaced(part: object, name: str) -> None:
    wanted = replace(Tariff(), **{name: part})  # type: ignore[arg-type]
    assert replace_part(Tariff(), part) == wanted  # type: ignore[arg-type]


def test_a_part_that_is_due_activates_now_and_a_later_one_at_its_instant() -> None:
    later, due = Prices((3,)), Steps((1,), (0, 1))
    first = replace(Tariff(), steps=due)
    found = list(sets_in_turn(Tariff(), [(20, later), (5, due)], 10))
    assert found == [(10, first), (20, replace(first, prices=later))]


def test_without_a_pending_part_no_set_follows() -> None:
    assert not list(sets_in_turn(Tariff(), [], 10))


def test_an_energy_account_has_one_price_and_no_addition() -> None:
    assert is_energy_tariff(Tariff(prices=Prices((10_000, 10_000))))
    assert not is_energy_tariff(Tariff(prices=Prices((10_000, 9_999))))
    stepped = Tariff(prices=Prices((10_000,)), steps=Steps((1,), (0, 1)))
    assert not is_energy_tariff(stepped)
