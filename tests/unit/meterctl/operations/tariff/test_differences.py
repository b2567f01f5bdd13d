"""What a command changes: values that are other ones, and pending parts that it replaces."""

from __future__ import annotations

from typing import Any

from meterctl.operations.local_time import Offsets
from meterctl.operations.tariff.differences import PartDifference, ValueDifference, differences
from meterctl.operations.tariff.sets import TariffSets
from protocols.data_model.tariff import Part, Prices, Seasons, Tariff

NOW = 1000


def difference(activation: int, part: Part, **pending: Any) -> PartDifference:
    sets = TariffSets(Tariff(prices=Prices((10, 20))), pending, NOW, Offsets(((0, 0),)))
    (found,) = differences(sets, [(activation, part)])
    return found


def test_a_part_that_is_in_force_changes_nothing_at_once_or_later() -> None:
    for activation in (0, 5000):
        assert difference(activation, Prices((10, 20))).is_none


def test_a_value_that_is_another_one_is_named_with_the_old_and_the_new_one() -> None:
    assert difference(0, Prices((10, 30, 40))).values == (
        ValueDifference("price_2", "0.0020", None, "0.0030"),
        ValueDifference("price_3", None, None, "0.0040"),
    )
    assert difference(0, Prices((10,))).values == (
        ValueDifference("price_2", "0.0020", None, None),
    )


def test_a_part_that_waits_already_changes_nothing() -> None:
    assert difference(5000, Prices((1,)), prices=(5000, Prices((1,)))).is_none


def test_a_pending_part_is_replaced_by_one_with_another_moment_or_value() -> None:
    later = difference(6000, Prices((1,)), prices=(5000, Prices((1,))))
    assert later.replaces == 5000
    assert [value.name for value in later.values] == ["price_1", "price_2"]
    other = difference(5000, Prices((2, 20)), prices=(5000, Prices((10, 30))))
    assert other.values == (
        ValueDifference("price_1", "0.0010", "0.0010", "0.0002"),
        ValueDifference("price_2", "0.0020", "0.0030", "0.0020"),
    )


def test_the_present_part_at_once_takes_the_pending_one_away() -> None:
    found = difference(0, Prices((10, 20)), prices=(5000, Prices((1,))))
    assert (found.is_none, found.replaces) == (False, 5000)


def test_another_moment_of_the_same_values_is_a_difference() -> None:
    found = difference(6000, Prices((10, 20)), prices=(5000, Prices((10, 20))))
    assert (found.values, found.replaces, found.is_none) == ((), 5000, False)


def test_the_order_of_holidays_is_no_difference() -> None:
    sets = TariffSets(
        Tariff(seasons=Seasons(holidays=((1, 0), (2, 0)))), {}, NOW, Offsets(((0, 0),))
    )
    assert differences(sets, [(0, Seasons(holidays=((2, 0), (1, 0))))])[0].is_none
