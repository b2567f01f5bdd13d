"""Profile records and maximum demand, power cuts and clock commands among them (METER.md 1, 2).

Each record carries the clock at the end of its period, a quarter of an hour of UTC.
"""

from __future__ import annotations

import pytest

from firmware_sim.meter import Meter
from firmware_sim.metrology.load import Load
from firmware_sim.records.ring import PROFILE_RING
from firmware_sim.requests import CutPower, LoseClock, ReturnPower, SetLoad
from firmware_sim.settings import Settings
from protocols.data_model.tables import ProfileRecord
from protocols.data_model.words import SupplyState, TripMode
from protocols.quantities import DAY, HOUR, MINUTE
from protocols.sealed_message import MessageKind, Outcome, SwitchAction, encode_number
from tests.support.meters import Host, event_names, events, make

START = 1_767_225_600_000
QUARTER = 15 * MINUTE
KILOWATT = 1_000_000


def loaded(power_mw: int = KILOWATT, **description: object) -> Meter:
    fields = {"start": START, "load": Load.constant((power_mw,)), **description}
    return make(**fields)


def records(meter: Meter) -> list[ProfileRecord]:
    """Return the profile records, oldest first."""
    return [ProfileRecord.unpack(row) for row in meter.rings[PROFILE_RING].newest(1000)][::-1]


def command(meter: Meter, kind: MessageKind, value: int) -> None:
    answer = Host(meter).send(kind, parameters=encode_number(kind, value))
    assert answer.outcome is Outcome.ACCEPTED


def demand(meter: Meter) -> tuple[int, int]:
    period = meter.state.period
    return period.maximum_demand_mw, period.maximum_demand_at_ms


def test_each_quarter_of_an_hour_is_a_record() -> None:
    meter = loaded()
    meter.advance(QUARTER - 1)
    assert records(meter) == []
    meter.advance(2 * QUARTER)
    assert records(meter) == [
        ProfileRecord(START + QUARTER, 250_000, 0),
        ProfileRecord(START + 2 * QUARTER, 250_000, 0),
    ]
    assert demand(meter) == (KILOWATT, START + QUARTER)


def test_export_and_an_open_switch_are_recorded() -> None:
    meter = loaded(-2 * KILOWATT)
    meter.advance(QUARTER)
    command(meter, MessageKind.SWITCH, SwitchAction.INTERRUPT)
    meter.advance(2 * QUARTER)
    assert records(meter) == [
        ProfileRecord(START + QUARTER, 0, 500_000),
        ProfileRecord(START + 2 * QUARTER, 0, 0, supply_open=True),
    ]
    assert demand(meter) == (0, 0)


def test_a_higher_mean_power_is_a_new_maximum_and_an_equal_one_is_not() -> None:
    meter = loaded()
    meter.advance(2 * QUARTER)
    assert demand(meter) == (KILOWATT, START + QUARTER)
    meter.handle(SetLoad(Load.constant((KILOWATT + 4,))))
    meter.advance(3 * QUARTER)
    assert demand(meter) == (KILOWATT + 4, START + 3 * QUARTER)
    meter.handle(SetLoad(Load.constant((KILOWATT,))))
    meter.advance(4 * QUARTER)
    assert demand(meter) == (KILOWATT + 4, START + 3 * QUARTER)


def test_a_cut_within_a_period_marks_its_record_and_gives_no_demand() -> None:
    meter = loaded()
    meter.advance(5 * MINUTE)
    meter.handle(CutPower())
    meter.advance(10 * MINUTE)
    meter.handle(ReturnPower())
    meter.advance(2 * QUARTER)
    first, second = records(meter)
    assert first.end == START + QUARTER
    assert abs(first.import_mwh - KILOWATT // 6) <= 1
    assert first.power_down
    assert second == ProfileRecord(START + 2 * QUARTER, 250_000, 0)
    assert demand(meter) == (KILOWATT, START + 2 * QUARTER)


@pytest.mark.parametrize("returned", [2 * QUARTER, 2 * QUARTER + MINUTE, 3 * QUARTER - 1])
def test_a_cut_over_the_ends_of_periods_leaves_the_record_of_the_first(returned: int) -> None:
    meter = loaded()
    meter.advance(5 * MINUTE)
    meter.handle(CutPower())
    meter.advance(returned)
    assert records(meter) == []
    meter.handle(ReturnPower())
    (first,) = records(meter)
    assert (first.end, first.import_mwh, first.power_down) == (START + QUARTER, 83_333, True)
    meter.advance(4 * QUARTER)
    assert [one.end for one in records(meter)] == [
        START + QUARTER,
        START + 3 * QUARTER,
        START + 4 * QUARTER,
    ]
    assert not any(one.power_down for one in records(meter)[1:])


def test_a_cut_and_return_at_the_end_of_a_period_closes_it_once() -> None:
    meter = loaded()
    meter.advance(5 * MINUTE)
    meter.handle(CutPower())
    meter.advance(QUARTER)
    meter.handle(ReturnPower())
    assert [(one.end, one.power_down) for one in records(meter)] == [(START + QUARTER, True)]
    meter.advance(2 * QUARTER)
    assert len(records(meter)) == 2


def test_without_power_nothing_is_metered_and_nothing_is_due() -> None:
    meter = loaded()
    meter.handle(CutPower())
    assert meter.next_deadline() is None
    assert meter.demand.phases == (0,)
    meter.advance(HOUR)
    assert (meter.state.registers.import_mwh, meter.state.elapsed_ms) == (0, HOUR)
    assert meter.handle(CutPower()) is not None
    meter.handle(ReturnPower())
    meter.handle(ReturnPower())
    assert event_names(meter) == ["power_lost", "power_restored"]
    assert meter.demand.phases == (KILOWATT,)


def test_a_clock_command_closes_the_open_record_and_marks_it() -> None:
    meter = loaded()
    meter.advance(6 * MINUTE)
    command(meter, MessageKind.CLOCK, START + HOUR + MINUTE)
    assert records(meter) == [ProfileRecord(START + 6 * MINUTE, 100_000, 0, clock_set=True)]
    meter.advance(20 * MINUTE)
    assert records(meter)[1:] == [ProfileRecord(START + HOUR + QUARTER, 233_333, 0)]
    assert demand(meter) == (0, 0), "neither period was whole"
    meter.advance(35 * MINUTE)
    assert demand(meter) == (1_000_000, START + HOUR + 2 * QUARTER)


def test_a_lost_clock_is_set_to_end_the_loss() -> None:
    meter = loaded(settings=Settings(friendly_hours=24 * 60 - 1 << 16))
    assert meter.state.calendar.friendly
    meter.handle(LoseClock())
    assert not meter.state.calendar.friendly
    assert not meter.state.clock.valid
    meter.handle(CutPower())
    meter.advance(2 * DAY)
    meter.handle(ReturnPower())
    assert records(meter) == []
    command(meter, MessageKind.CLOCK, START + 2 * DAY)
    assert meter.state.clock.valid
    assert meter.state.calendar.friendly
    assert event_names(meter) == ["clock_invalid", "power_lost", "power_restored", "clock_set"]


def test_a_trip_delay_runs_on_without_power_and_is_due_at_power_up() -> None:
    delayed = Settings(trip_mode=TripMode.DELAYED, trip_delay_minutes=5)
    meter = loaded(settings=delayed, credit=0)
    assert meter.state.supply.pending
    meter.advance(MINUTE)
    meter.handle(CutPower())
    meter.advance(10 * MINUTE)
    assert meter.state.supply.state is SupplyState.CONNECTED
    meter.handle(ReturnPower())
    assert meter.state.supply.state is SupplyState.DISCONNECTED
    assert [event.elapsed_ms for event in events(meter)][-2:] == [10 * MINUTE] * 2
