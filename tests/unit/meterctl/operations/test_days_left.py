"""How long the credit lasts: to zero, and to the next level that interrupts the supply."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from firmware_sim.metrology.load import Load
from firmware_sim.requests import PressButton
from meterctl.operations.days_left import CREDIT_ITEMS, NotCounted, days_left, not_counted
from meterctl.operations.event_log import EventLog
from meterctl.operations.local_time import read_offsets
from meterctl.operations.rates_and_steps import TARIFF_ITEMS
from meterctl.operations.snapshots import Consumption, read_registers
from meterctl.operations.time_span import Span
from meterctl.operations.usage import Dated, by_day
from protocols.data_model import items
from protocols.data_model.events import EVENTS
from protocols.data_model.items import Item
from protocols.data_model.tables import Event
from protocols.data_model.tariff import Prices, Tariff
from protocols.data_model.words import SupplyState, TripMode
from protocols.quantities import DAY, KWH, LEDGER
from protocols.sealed_message import MessageKind
from tests.support.days import Days
from tests.support.wire import connect

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


# ---- days without supply, and what is not counted


def log_of(*events: tuple[float, str]) -> EventLog:
    """Return a log of events, each some days before today."""
    rows = [
        Event(number, int((TODAY - before) * DAY), 0, EVENTS[name].code, 0, 0)
        for number, (before, name) in enumerate(events, 1)
    ]
    return EventLog(rows, True, True)


@pytest.mark.parametrize(
    "names", [("supply_disconnected", "supply_connected"), ("power_lost", "power_restored")]
)
def test_days_with_an_interrupted_supply_or_a_power_cut_do_not_count(
    names: tuple[str, str],
) -> None:
    rows = [*(day(before, 12 * LEDGER) for before in (7, 6, 5)),
            *(day(before, LEDGER) for before in (4, 3, 2, 1))]  # fmt: skip
    log = log_of((3.5, names[0]), (0.5, names[1]))
    found = days_left(rows, TODAY, values(15 * LEDGER), log)
    assert (found.counted, found.without_supply, found.mean_cost) == (3, 4, 12 * LEDGER)
    assert found.tenths == 12


def test_too_few_days_with_supply_tell_nothing() -> None:
    log = log_of((5.5, "supply_disconnected"), (0.5, "supply_connected"))
    found = days_left(WEEK, TODAY, values(), log)
    assert (found.counted, found.without_supply, found.tenths) == (1, 6, None)


@pytest.mark.parametrize(
    ("events", "counted"),
    [
        ([(2.5, "supply_connected")], 2),
        ([(2.5, "supply_disconnected")], 4),
        ([(4.5, "supply_disconnected"), (4.2, "ready_for_reconnection")], 2),
        ([(4.0, "supply_disconnected"), (3.0, "supply_connected")], 6),
    ],
)
def test_a_supply_is_interrupted_until_it_is_connected(
    events: list[tuple[float, str]], counted: int
) -> None:
    assert days_left(WEEK, TODAY, values(), log_of(*events)).counted == counted


def test_days_before_the_oldest_event_kept_do_not_count() -> None:
    log = EventLog(log_of((3.5, "cover_opened")).events, True)
    found = days_left(WEEK, TODAY, values(), log)
    assert (found.counted, found.untold) == (3, 4)


def test_four_days_without_supply_on_a_meter_are_no_mean_of_the_days_to_come() -> None:
    days = Days("2026-01-01T00:00:00Z", transitions=(), load=Load.constant((1_000_000,)),
                tariff=Tariff(prices=Prices((5_000,))), credit=48 * LEDGER)  # fmt: skip
    days.run(8 * 24 + 4)
    amount = 10_000
    days.host.send(MessageKind.CREDIT, amount=amount)
    days.meter.handle(PressButton())
    days.run(24)
    session, _ = connect(days.meter)
    registers = read_registers(session.driver, (*CREDIT_ITEMS, *TARIFF_ITEMS))
    offsets = read_offsets(session.driver, [days.clock])
    rows = by_day(registers, offsets, Span()).rows
    found = days_left(rows, offsets.date(days.clock), registers.values, registers.log)
    assert (found.counted, found.without_supply, found.tenths) == (2, 5, None)


NOW = TODAY * DAY


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, []),
        ({"tariff_activation": NOW + 9 * DAY}, [NotCounted.TARIFF]),
        ({"tariff_activation": NOW + 11 * DAY}, []),
        ({"trip_mode": TripMode.DELAYED, "trip_delay_minutes": 30}, [NotCounted.TRIP_DELAY]),
        ({"trip_mode": TripMode.DIRECT, "trip_delay_minutes": 30}, []),
        ({"friendly_weekends": 1}, [NotCounted.FRIENDLY]),
        ({"friendly_hours": 5}, [NotCounted.FRIENDLY]),
    ],
)
def test_what_the_days_left_do_not_count(
    changed: dict[str, Any], expected: list[NotCounted]
) -> None:
    given = values(**changed)
    log = log_of()
    left = days_left(WEEK, TODAY, given, log)
    assert left.tenths == 100
    assert not_counted(left, given, NOW, TODAY, log) == expected


@pytest.mark.parametrize(
    ("counter", "billing_day", "expected"),
    [
        (91, "2700", NotCounted.STEP),
        (89, "2700", None),
        (95, "1800", NotCounted.PERIOD),
        (99, "1800", NotCounted.STEP),
    ],
)
def test_a_step_that_is_reached_before_the_end_is_not_counted(
    counter: int, billing_day: str, expected: NotCounted | None
) -> None:
    """TODAY is 2026-02-16; a day consumes 1 kWh, and the credit lasts ten days."""
    given = values(step_period=0, energy_month_kwh=counter * KWH, billing_day=billing_day,
                   step_limit_1_kwh=100 * KWH, step_addition_2=500)  # fmt: skip
    rows = [replace(one, part=replace(one.part, import_mwh=KWH)) for one in WEEK]
    given[items.AVAILABLE_CREDIT_EXACT] = 19 * LEDGER
    left = days_left(rows, TODAY, given, log_of())
    found = not_counted(left, given, NOW, TODAY, log_of())
    assert found == ([] if expected is None else [expected])
