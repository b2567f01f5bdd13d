"""Overload: its limit, its delay, its reclosings and its lock (METER.md 5)."""

from __future__ import annotations

import pytest

from firmware_sim.meter import Meter
from firmware_sim.metrology.load import Load
from firmware_sim.requests import CutPower, PressButton, ReturnPower, SetLoad
from firmware_sim.settings import Settings
from protocols.data_model.items import SETTINGS
from protocols.data_model.words import Cause, ReconnectMode, SupplyState, SwitchedBy
from protocols.quantities import SECOND
from protocols.sealed_message import MessageKind, Outcome, encode_limits
from tests.support.meters import Host, event_names, events, make

LIMIT = 2_000_000
NUMBER_OF = {item.name: number for number, item in SETTINGS.items()}


def limited(power_mw: int, **values: int) -> Meter:
    """Return a meter with a limit of 2 kW for 3 s, reclosing after 5 s, reset after 20 s."""
    fields = {
        "power_limit_mw": LIMIT,
        "power_limit_delay_s": 3,
        "overload_reconnect_s": 5,
        "overload_attempts": 2,
        "overload_reset_s": 20,
        **values,
    }
    return make(settings=Settings(**fields), load=Load.constant((power_mw,)))  # type: ignore[arg-type]


def draw(meter: Meter, power_mw: int) -> None:
    meter.handle(SetLoad(Load.constant((power_mw,))))


def after(meter: Meter, seconds: int, ms: int = 0) -> SupplyState:
    """Advance to an elapsed time; return the supply state."""
    meter.advance(seconds * SECOND + ms)
    return meter.state.supply.state


CONNECTED, DISCONNECTED = SupplyState.CONNECTED, SupplyState.DISCONNECTED


def test_power_at_the_limit_is_no_overload() -> None:
    meter = limited(LIMIT)
    assert after(meter, 3600) is CONNECTED
    assert event_names(meter) == []


def test_export_is_no_overload() -> None:
    assert after(limited(-2 * LIMIT), 3600) is CONNECTED


def test_power_above_the_limit_trips_at_the_end_of_the_delay() -> None:
    meter = limited(LIMIT + 1)
    assert after(meter, 3, -1) is CONNECTED
    assert after(meter, 3) is DISCONNECTED
    assert [(event.name, event.a) for event in events(meter)] == [
        ("supply_disconnected", Cause.OVERLOAD)
    ]
    assert meter.state.supply.overload_count == 1


def test_without_a_delay_it_trips_at_once() -> None:
    meter = limited(LIMIT, power_limit_delay_s=0)
    draw(meter, LIMIT + 1)
    assert meter.state.supply.state is DISCONNECTED
    assert meter.demand.phases == (0,)
    assert meter.state.registers.import_mwh == 0


def test_a_break_of_the_overload_begins_the_delay_again() -> None:
    meter = limited(LIMIT + 1)
    after(meter, 2)
    draw(meter, LIMIT)
    draw(meter, LIMIT + 1)
    assert after(meter, 5, -1) is CONNECTED
    assert after(meter, 5) is DISCONNECTED


def test_more_power_during_an_overload_does_not_begin_the_delay_again() -> None:
    meter = limited(LIMIT + 1)
    after(meter, 2)
    draw(meter, 2 * LIMIT)
    assert after(meter, 3, -1) is CONNECTED
    assert after(meter, 3) is DISCONNECTED


def test_it_recloses_by_itself_until_no_attempt_is_left_and_the_button_restores_all_attempts() -> (
    None
):
    meter = limited(LIMIT + 1, reconnect_mode=ReconnectMode.MANUAL)
    for trip_s in (3, 11):
        assert after(meter, trip_s, -1) is CONNECTED
        assert after(meter, trip_s + 5, -1) is DISCONNECTED
        assert not meter.state.supply.overload_locked
        assert after(meter, trip_s + 5) is CONNECTED
        last = events(meter)[-1]
        assert (last.name, last.a) == ("supply_connected", SwitchedBy.OVERLOAD_RECLOSING)
    assert meter.state.supply.overload_count == 2
    assert after(meter, 19) is SupplyState.READY_FOR_RECONNECTION
    assert meter.state.supply.overload_locked
    assert meter.state.supply.overload_count == 3
    assert after(meter, 3600) is SupplyState.READY_FOR_RECONNECTION
    meter.handle(PressButton())
    assert meter.state.supply.state is CONNECTED
    assert meter.state.supply.overload_count == 0
    last = events(meter)[-1]
    assert (last.name, last.a) == ("supply_connected", SwitchedBy.BUTTON)
    assert after(meter, 3603) is DISCONNECTED
    assert after(meter, 3608) is CONNECTED


def test_the_button_does_nothing_while_reclosings_are_left() -> None:
    meter = limited(LIMIT + 1)
    after(meter, 3)
    before = len(events(meter))
    meter.handle(PressButton())
    assert meter.state.supply.state is DISCONNECTED
    assert len(events(meter)) == before


@pytest.mark.parametrize("attempts", [0, 1, 3])
def test_as_many_reclosings_as_attempts(attempts: int) -> None:
    meter = limited(LIMIT + 1, overload_attempts=attempts)
    after(meter, 3600)
    assert event_names(meter).count("supply_connected") == attempts
    assert event_names(meter).count("supply_disconnected") == attempts + 1
    assert meter.state.supply.overload_count == attempts + 1


@pytest.mark.parametrize(("begins_s", "count"), [(27, 2), (28, 1), (29, 1)])
def test_attempts_count_from_zero_after_the_reset_time_without_overload(
    begins_s: int, count: int
) -> None:
    meter = limited(LIMIT + 1)
    after(meter, 3)  # tripped: the overload ends with the flow
    draw(meter, 0)
    after(meter, 8)
    draw(meter, LIMIT + 1)
    draw(meter, LIMIT)
    assert meter.state.supply.overload_ended_ms == 8 * SECOND
    after(meter, begins_s)
    draw(meter, LIMIT + 1)
    after(meter, begins_s + 3)
    assert meter.state.supply.overload_count == count


def test_a_limit_that_is_set_below_the_power_begins_an_overload_and_one_above_ends_it() -> None:
    meter = limited(LIMIT)
    host = Host(meter)

    def limit(power_mw: int | None) -> None:
        values = encode_limits({NUMBER_OF["power_limit_kw"]: power_mw})
        assert host.send(MessageKind.LIMITS, parameters=values).outcome is Outcome.ACCEPTED

    limit(LIMIT - 1)
    after(meter, 2)
    limit(None)
    assert after(meter, 10) is CONNECTED
    assert "supply_disconnected" not in event_names(meter)
    limit(LIMIT - 1)
    assert after(meter, 13, -1) is CONNECTED
    assert after(meter, 13) is DISCONNECTED


def test_an_overload_does_not_go_on_without_power() -> None:
    meter = limited(LIMIT + 1)
    after(meter, 2)
    meter.handle(CutPower())
    after(meter, 10)
    meter.handle(ReturnPower())
    assert after(meter, 13, -1) is CONNECTED
    assert after(meter, 13) is DISCONNECTED


def test_a_reclosing_that_is_due_without_power_happens_when_power_returns() -> None:
    meter = limited(LIMIT + 1)
    after(meter, 3)
    draw(meter, 0)
    meter.handle(CutPower())
    after(meter, 20)
    assert meter.state.supply.causes == Cause.OVERLOAD
    meter.handle(ReturnPower())
    assert meter.state.supply.state is CONNECTED
