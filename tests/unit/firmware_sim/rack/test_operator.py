"""Commands to one meter of several, to all of them, and to the process: a result a meter."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial

import pytest

from firmware_sim.assembly import build
from firmware_sim.faults.in_force import Faults
from firmware_sim.meter import Meter, MeterStoppedError
from firmware_sim.meter_description import MeterDescription
from firmware_sim.rack.errors import CommandFailedError, UnknownMeterError
from firmware_sim.rack.operator import Operator, Result
from firmware_sim.rack.rack import Rack
from protocols.control import parse_command
from protocols.errors import QuantityError
from protocols.faults import FaultPlan, FaultRule
from protocols.quantities import HOUR
from tests.support.maps import SMALL_MAP
from tests.support.racks import FailingNvram, one_kilowatt

SERIALS = [f"{number:012d}" for number in (1, 2, 3)]
STANDING = ["serial_number", "unit", "clock", "elapsed_ms", "available_credit", "supply_state"]


class Bench:
    """Three meters at speed 0 on storages that can fail, and their operator."""

    def __init__(self, units: Iterable[int] = (1, 2, 3)) -> None:
        self.devices = [FailingNvram() for _ in units]
        faults = Faults(FaultPlan())

        def maker(index: int, unit: int) -> Callable[[], Meter]:
            described = MeterDescription(SERIALS[index], unit)
            return lambda: build(described, faults.nvram(self.devices[index], unit))

        makers = [(unit, maker(index, unit)) for index, unit in enumerate(units)]
        self.rack = Rack([(unit, make()) for unit, make in makers], 0, faults)
        for station, (_, make) in zip(self.rack.stations, makers, strict=True):
            station.rebuild = make
        self.rack.begin_faults()
        self.operator = Operator(self.rack, one_kilowatt, lambda: 0)

    def do(self, words: str, name: str | None = None) -> list[Result]:
        """Execute a command; return its results with the values that are told."""
        operator = self.operator
        return [
            replace(result, read=partial(operator.told, result)) if result.station else result
            for result in operator.execute_each(parse_command(words.split()), name)
        ]


def serials(results: Iterable[Result]) -> list[object]:
    return [result.values["serial_number"] for result in results]


@pytest.mark.parametrize(
    "words",
    ["advance 1h", "load 1kW", "button", "power cut", "cover open", "magnet on", "state",
     "fault magnet on", "fault storage_full on"],
)  # fmt: skip
def test_a_command_without_a_name_gives_a_result_for_each_meter(words: str) -> None:
    results = Bench().do(words)
    assert serials(results) == SERIALS
    assert [result.values["unit"] for result in results] == [1, 2, 3]
    assert all([*result.values][:2] == STANDING[:2] for result in results)
    if words != "state":
        assert all([*result.values] == STANDING for result in results)


@pytest.mark.parametrize("words", ["load 1kW", "cover open", "state", "fault magnet on"])
@pytest.mark.parametrize("name", ["2", SERIALS[1], "002"])
def test_a_named_meter_alone_is_meant_by_its_serial_number_or_its_unit(
    words: str, name: str
) -> None:
    bench = Bench()
    before = [station.meter.revision for station in bench.rack.stations]
    assert serials(bench.do(words, name)) == [SERIALS[1]]
    after = [station.meter.revision for station in bench.rack.stations]
    assert (after[0], after[2]) == (before[0], before[2])


def test_time_is_that_of_all_meters_also_where_one_is_named() -> None:
    bench = Bench()
    assert serials(bench.do("advance 1h", "2")) == [SERIALS[1]]
    assert [station.meter.state.elapsed_ms for station in bench.rack.stations] == [HOUR] * 3


@pytest.mark.parametrize(
    "words", ["speed 0", "stop", "fault flip on", "fault busy on", "fault flip off", "fault off"]
)
def test_what_concerns_the_process_is_done_once_and_tells_nothing(words: str) -> None:
    assert Bench().do(words) == [Result()]


@pytest.mark.parametrize("words", ["speed 100", "stop"])
def test_what_is_for_all_meters_is_refused_with_the_name_of_one(words: str) -> None:
    bench = Bench()
    name = words.split(maxsplit=1)[0]
    with pytest.raises(QuantityError, match=f"{name} is for all meters; leave out --meter"):
        bench.do(words, "2")
    assert not bench.operator.stopping
    assert bench.rack.timeline.speed == 0
    lone = Bench(units=(2,))
    assert lone.do(words, "2") == [Result()], "it is all meters"


def test_the_faults_in_force_are_those_of_the_process() -> None:
    bench = Bench()
    bench.do("fault flip on")
    bench.do("fault magnet on", "2")
    (result,) = bench.do("fault list")
    shown = [(fault["name"], fault["options"]) for fault in result.values["faults"]]  # type: ignore[union-attr, index, call-overload]
    assert shown == [("flip", ()), ("magnet", ("unit=2",))]


def test_a_fault_of_a_named_meter_ends_by_that_name_and_a_common_one_does_not() -> None:
    bench = Bench()
    bench.do("fault magnet on", "2")
    bench.do("fault cover_open on")
    for words, name in (("fault magnet off", "1"), ("fault cover_open off", "2")):
        with pytest.raises(QuantityError, match=f"is in force at unit {name} alone"):
            bench.do(words, name)
    with pytest.raises(QuantityError, match="give one of them"):
        bench.do("fault magnet on --unit 3", "2")
    assert serials(bench.do("fault magnet off", "2")) == [SERIALS[1]]
    assert not bench.rack.stations[1].meter.state.supply.sensors & 4
    assert serials(bench.do("fault cover_open off")) == SERIALS


def test_a_unit_that_several_meters_have_is_refused_by_name() -> None:
    bench = Bench(units=(1, 5, 5))
    with pytest.raises(UnknownMeterError, match=f"{SERIALS[1]}, {SERIALS[2]}"):
        bench.do("button", "5")
    assert serials(bench.do("button", SERIALS[2])) == [SERIALS[2]]


@pytest.mark.parametrize("name", ["4", "0", "", "000000000004", "x", "-1", "\u0661", "0000"])
def test_a_name_that_no_meter_has_is_refused(name: str) -> None:
    with pytest.raises(UnknownMeterError, match="here"):
        Bench().do("state", name)


@pytest.mark.parametrize("words", ["load 1kW", "cover open", "advance 1h"])
def test_a_meter_that_refuses_does_not_keep_the_command_from_the_others(words: str) -> None:
    bench = Bench()
    bench.rack.begin_fault(FaultRule("storage_full", unit=2), 0)
    results = bench.do(words)
    assert serials(results) == SERIALS
    assert [type(result.failure) for result in results] == [
        type(None), CommandFailedError, type(None),
    ]  # fmt: skip
    with pytest.raises(CommandFailedError, match="is the disk full"):
        bench.operator.execute(parse_command(words.split()))


@pytest.mark.parametrize("words", ["cover open", "advance 1h", "fault magnet on"])
def test_a_meter_that_stops_does_not_keep_the_command_from_the_others(words: str) -> None:
    bench = Bench()
    bench.devices[1].fails = True
    results = bench.do(words)
    assert [type(result.failure) for result in results] == [
        type(None), MeterStoppedError, type(None),
    ]  # fmt: skip
    meters = [station.meter for station in bench.rack.stations]
    changed = [bool(meter.state.supply.sensors or meter.state.elapsed_ms) for meter in meters]
    assert (changed[0], changed[2]) == (True, True)


def test_the_failure_of_a_meter_that_was_not_named_is_told_with_the_named_one() -> None:
    bench = Bench()
    bench.rack.begin_fault(FaultRule("storage_full", unit=3), 0)
    results = bench.do("advance 1h", "1")
    assert serials(results) == [SERIALS[0], SERIALS[2]]
    assert [result.failure is None for result in results] == [True, False]


def test_a_lone_meter_tells_what_it_always_told_and_who_it_is() -> None:
    bench = Bench(units=(1,))
    assert bench.do("button")[0].values == {}
    assert bench.do("fault magnet on")[0].values == {}
    assert [*bench.do("advance 1h")[0].values] == STANDING
    assert bench.do("state")[0].values["unit"] == 1
    assert bench.do("fault magnet off", "1")[0].failure is None
    bench.rack.begin_fault(FaultRule("storage_full"), 0)
    assert bench.do("advance 1h")[0].values == {}


def test_the_items_of_many_meters_are_read_one_meter_at_a_time() -> None:
    bench = Bench()
    results = iter(bench.operator.execute_each(parse_command(["state"])))
    next(results)
    bench.do("cover open")
    assert "cover_open" in next(results).values["status"]  # type: ignore[operator]


def test_the_state_of_a_meter_names_a_map_that_is_not_native() -> None:
    bench = Bench((1, 2))
    bench.rack.stations[1].register_map = SMALL_MAP
    first, second = (result.values for result in bench.do("state"))
    assert "map" not in first
    assert list(second)[:3] == ["serial_number", "unit", "map"]
    assert second["map"] == "small"
