"""How long the credit lasts: to zero, and to the next level that interrupts the supply."""

from __future__ import annotations

from typing import Any

import pytest

from meterctl.operations.days_left import days_left
from meterctl.operations.snapshots import Consumption
from meterctl.operations.usage import Dated
from protocols.data_model import items
from protocols.data_model.items import Item
from protocols.data_model.words import SupplyState, TripMode
from protocols.quantities import DAY, LEDGER

TODAY = 20_500


def day(before: int, cost: int | None, days: int = 1) -> Dated:
    begin = TODAY - before
    part = Consumption(begin * DAY, (begin + days) * DAY, 1, 0, (1, 0, 0, 0), cost)
    return Dated(part, begin, begin + days)


WEEK = [day(before, 2 * LEDGER) for before in range(1, 8)]


def values(credit: int = 20 * LEDGER, **changed: Any) -> dict[Item, Any]:
    given: dict[Item, Any] = {
        items.AVAILABLE_CREDIT_EXACT: credit,
        items.TRIP_MODE: TripMode.TWO_STAGE,
        items.OVERDRAFT_LIMIT: 0,
        items.SUPPLY_STATE: SupplyState.CONNECTED,
    }
    return given | {items.BY_NAME[name]: value for name, value in changed.items()}


def test_the_credit_over_the_mean_cost_of_the_last_seven_whole_days() -> None:
    rows = [day(9, 900 * LEDGER), day(8, 900 * LEDGER), *WEEK[1:], day(1, 9 * LEDGER)]
    found = days_left(rows, TODAY, values())
    assert (found.counted, found.mean_cost) == (7, 3 * LEDGER)
    assert (found.tenths, found.tenths_to_trip, found.trips_at) == (66, 66, 0)


def test_today_and_rows_of_several_days_do_not_count() -> None:
    rows = [day(7, 100 * LEDGER, days=4), *WEEK[:3], day(0, 50 * LEDGER)]
    assert days_left(rows, TODAY, values()).mean_cost == 2 * LEDGER


@pytest.mark.parametrize("rows", [[], WEEK[:2], [*WEEK[:2], day(3, None), day(4, None)]])
def test_fewer_than_three_days_with_their_cost_tell_nothing(rows: list[Dated]) -> None:
    found = days_left(rows, TODAY, values())
    assert (found.tenths, found.tenths_to_trip, found.mean_cost) == (None, None, None)


def test_a_credit_that_is_not_consumed_has_no_days() -> None:
    rows = [day(before, 0) for before in range(1, 8)]
    found = days_left(rows, TODAY, values())
    assert (found.mean_cost, found.tenths, found.tenths_to_trip) == (0, None, None)


def test_a_credit_that_is_used_up_lasts_no_day_and_the_overdraft_some() -> None:
    found = days_left(WEEK, TODAY, values(-LEDGER, overdraft_limit=10 * LEDGER))
    assert (found.tenths, found.trips_at, found.tenths_to_trip) == (0, -10 * LEDGER, 45)


def test_the_standing_charge_is_consumed_too() -> None:
    found = days_left(WEEK, TODAY, values(standing_charge=3 * LEDGER))
    assert (found.mean_cost, found.daily, found.tenths) == (2 * LEDGER, 5 * LEDGER, 40)


@pytest.mark.parametrize(("debt", "tenths"), [(10, 50), (4, 80), (100, 50)])
def test_instalments_are_taken_as_long_as_there_is_debt(debt: int, tenths: int) -> None:
    found = days_left(WEEK, TODAY, values(debt=debt * LEDGER, debt_instalment=2 * LEDGER))
    assert found.tenths == tenths


@pytest.mark.parametrize(
    ("credit", "mode", "level"),
    [
        (20, TripMode.TWO_STAGE, 5),
        (5, TripMode.TWO_STAGE, 0),
        (0, TripMode.TWO_STAGE, -30),
        (20, TripMode.DIRECT, -30),
        (20, TripMode.DELAYED, -30),
        (-30, TripMode.DIRECT, None),
    ],
)
def test_the_next_level_that_interrupts_the_supply(
    credit: int, mode: TripMode, level: int | None
) -> None:
    given = values(
        credit * LEDGER,
        trip_mode=mode,
        overdraft_limit=30 * LEDGER,
        low_credit_threshold_2=5 * LEDGER,
    )
    found = days_left(WEEK, TODAY, given)
    assert found.trips_at == (None if level is None else level * LEDGER)
    assert found.tenths_to_trip == (None if level is None else 5 * (credit - level))


@pytest.mark.parametrize(
    "changed",
    [{"supply_state": SupplyState.DISCONNECTED}, {"guarantee": 1}, {"moratorium_until": 20_600}],
)
def test_no_level_is_told_where_none_interrupts(changed: dict[str, Any]) -> None:
    found = days_left(WEEK, TODAY, values(**changed))
    assert (found.trips_at, found.tenths_to_trip, found.tenths) == (None, None, 100)


def test_a_meter_that_shows_no_credit_has_no_days() -> None:
    found = days_left(WEEK, TODAY, {})
    assert (found.credit, found.tenths, found.tenths_to_trip) == (None, None, None)
