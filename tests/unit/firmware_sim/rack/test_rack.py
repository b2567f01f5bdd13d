"""The rack: deadlines at their time, work that does not grow with the number of meters."""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections.abc import Callable, Iterator

import pytest

from firmware_sim.assembly import build
from firmware_sim.faults.in_force import Faults
from firmware_sim.hal.nvram import SimulatedNvram
from firmware_sim.meter import Meter, MeterStoppedError
from firmware_sim.meter_description import MeterDescription
from firmware_sim.metrology.load import Demand, Load, OnEnd
from firmware_sim.rack.errors import CommandFailedError
from firmware_sim.rack.operator import Operator
from firmware_sim.rack.rack import Rack
from firmware_sim.rack.stations import Observer, Station
from firmware_sim.requests import Reply, Request, Sealed
from firmware_sim.servers.modbus.bank import bank_of
from firmware_sim.servers.modbus.server import ModbusRtuServer
from firmware_sim.servers.seam import Group, WireStations
from firmware_sim.settings import Settings
from protocols.control import (
    Advance,
    BeginFault,
    Command,
    CutPower,
    PressButton,
    Sense,
    Show,
    Speed,
)
from protocols.data_model.words import Cause, Tamper
from protocols.faults import FaultPlan, FaultRule, parse_words
from protocols.modbus import rtu
from protocols.modbus.pdu import read_request, write_request
from protocols.modbus.sealed_windows import MESSAGE_HEAD
from protocols.quantities import DAY, HOUR, LEDGER
from protocols.sealed_message import MessageKind, SwitchAction, encode_number
from tests.support.maps import WINDOWS
from tests.support.meters import Host, event_names
from tests.support.racks import one_kilowatt, operate, rtu_server

SECOND_US = 1_000_000
STOPPED = "stopped: meter 000000000001: the device failed to flush"
DELAYED = Settings(trip_delay_minutes=1, remote_trip_delay=1)


def described(number: int, **given: object) -> MeterDescription:
    """Return meter `number` under the unit of the same number."""
    return MeterDescription(f"{number:012d}", number, **given)  # type: ignore[arg-type]


def two_meters(speed: int) -> Rack:
    """Return a rack whose first meter delays a remote trip; the second has a deadline at 170 s."""
    step = Load((0, 170_000), (Demand((1_000,)), Demand((2_000,))), OnEnd.HOLD)
    meters = [described(1, settings=DELAYED), described(2, load=step)]
    return Rack([(each.unit, build(each)) for each in meters], speed)


def switch(rack: Rack, action: SwitchAction, at_us: int) -> None:
    """Send the first meter a sealed switch command over a wire."""
    parameters = encode_number(MessageKind.SWITCH, action)
    sealed = Host(rack.stations[0].meter).seal(MessageKind.SWITCH, parameters=parameters)
    head = MESSAGE_HEAD.pack(len(sealed), 0, len(sealed), 1)
    request = write_request(WINDOWS.message, head + sealed + bytes(len(sealed) % 2))
    reply = rtu_server(rack).receive(rtu.encode(1, request), at_us)
    assert reply[1] == request[0]


def serve_until(rack: Rack, at_us: int, end_us: int) -> list[int]:
    """Serve deadlines as a host does, by the timer alone; return when the timer ran, us."""
    ran = []
    due = rack.run(at_us, 64)
    while due is not None and due <= end_us:
        ran.append(due)
        due = rack.run(due, 64)
    return ran


# ---- a deadline that moved earlier


def test_a_deadline_that_a_wire_moved_earlier_is_served_at_its_time() -> None:
    rack = two_meters(speed=1000)
    serve_until(rack, 0, SECOND_US)
    switch(rack, SwitchAction.INTERRUPT, SECOND_US)
    assert serve_until(rack, SECOND_US, 61 * SECOND_US)[-1] == 61 * SECOND_US
    meter = rack.stations[0].meter
    assert meter.state.supply.causes == Cause.REMOTE
    assert meter.state.elapsed_ms == 61_000
    assert event_names(meter)[-1] == "supply_disconnected"


@pytest.mark.parametrize("reads", [False, True])
def test_at_speed_0_an_advance_passes_a_deadline_that_a_wire_moved_earlier(reads: bool) -> None:
    rack = two_meters(speed=0)
    switch(rack, SwitchAction.INTERRUPT, SECOND_US)
    operate(rack, Advance(59_999), SECOND_US)
    if reads:
        assert rtu_server(rack).receive(rtu.encode(1, read_request(3, 0, 2)), SECOND_US)
    assert not rack.stations[0].meter.state.supply.causes
    operate(rack, Advance(1), SECOND_US)
    assert rack.stations[0].meter.state.supply.causes == Cause.REMOTE


def test_a_deadline_that_moved_later_is_not_served_early() -> None:
    rack = two_meters(speed=1000)
    switch(rack, SwitchAction.INTERRUPT, 0)
    switch(rack, SwitchAction.DIRECT, 30 * SECOND_US)
    ran = serve_until(rack, 30 * SECOND_US, 200 * SECOND_US)
    assert ran == [170 * SECOND_US]
    assert not rack.stations[0].meter.state.supply.causes


# ---- memory


def test_200000_commands_at_speed_0_leave_no_memory_behind() -> None:
    rack = two_meters(speed=0)
    operator = Operator(rack, one_kilowatt, lambda: 0)
    for _ in range(1000):
        operator.execute(PressButton(), "000000000001")
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for number in range(200_000):
        if number % 2:
            operator.execute(Speed(0))
        else:
            operator.execute(PressButton(), "000000000001")
    after, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - before < 1 << 20
    assert peak - before < 1 << 20


def test_a_deadline_that_moves_with_every_request_leaves_no_entries_behind() -> None:
    rack = two_meters(speed=1000)
    station = rack.stations[0]
    for number in range(2_000):
        station.bring(number)
        station.offset_ms += 1  # every touch finds another deadline
        rack.deadlines.touch(station)
    assert len(rack.deadlines) <= 2 * len(rack.stations) + 65


# ---- nothing loops over all stations for one of them


class Counting(tuple[Station, ...]):
    """Stations that count how often all of them are walked over."""

    walks = 0

    def __iter__(self) -> Iterator[Station]:
        Counting.walks += 1
        return super().__iter__()


@pytest.fixture
def counted() -> Rack:
    """Return a rack of five meters that counts walks over its stations."""
    faults = Faults(FaultPlan())
    devices = {number: SimulatedNvram() for number in range(1, 6)}

    def make(number: int) -> Meter:
        return build(described(number), faults.nvram(devices[number], number))

    rack = Rack([(number, make(number)) for number in devices], 1000, faults)
    for station in rack.stations:
        station.rebuild = lambda number=station.unit: make(number)  # type: ignore[misc]
    rack.begin_faults()
    rack.stations = Counting(rack.stations)
    rack.deadlines._stations = CountingList(rack.deadlines._stations)
    Counting.walks = CountingList.walks = 0
    return rack


class CountingList(list[Station]):
    """The same for the stations that `Deadlines` knows."""

    walks = 0

    def __iter__(self) -> Iterator[Station]:
        CountingList.walks += 1
        return super().__iter__()


@pytest.mark.parametrize(
    "command",
    [
        PressButton(),
        Sense(Tamper.COVER, True),
        Speed(500),
        Show(),
        BeginFault(parse_words("magnet", ["--unit", "3", "--for", "1s"])),
        BeginFault(FaultRule("torn_write", unit=3, count=1)),
    ],
)
def test_a_command_to_one_meter_walks_over_no_other(counted: Rack, command: Command) -> None:
    name = None if isinstance(command, Speed) else "000000000003"
    operate(counted, command, 10 * SECOND_US, name)
    counted.run(3600 * SECOND_US, 2)
    assert (Counting.walks, CountingList.walks) == (0, 0)


def test_a_request_and_a_deadline_walk_over_no_other_meter(counted: Rack) -> None:
    server = rtu_server(counted)
    Counting.walks = 0
    assert server.receive(rtu.encode(2, read_request(3, 0, 2)), 1)
    counted.station("000000000003").hand_over(Sense(Tamper.MAGNET, True))
    assert counted.run(900 * SECOND_US, 1) is not None
    assert (Counting.walks, CountingList.walks) == (0, 0)


def calls_of(work: Callable[[], object]) -> int:
    """Return how many Python and C functions some work calls."""
    count = 0

    def profile(_: object, event: str, __: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    gc.disable()  # its callbacks would be counted
    sys.setprofile(profile)
    try:
        work()
    finally:
        sys.setprofile(None)
        gc.enable()
    return count


@pytest.mark.parametrize("what", ["request", "command", "deadline"])
def test_the_work_for_one_meter_is_the_same_among_ten_and_a_thousand(what: str) -> None:
    counts = []
    for meters in (10, 1_000):
        rack = Rack([(n % 247 + 1, build(described(n))) for n in range(1, meters + 1)], 1000)
        server = ModbusRtuServer(WireStations(rack.stations[:247]))
        frame = rtu.encode(5, read_request(3, 0, 100))
        work: dict[str, Callable[[], object]] = {
            "request": lambda server=server, frame=frame: server.receive(frame, 1),
            "command": lambda rack=rack: operate(rack, PressButton(), 1, "000000000004"),
            "deadline": lambda rack=rack: rack.run(900 * SECOND_US, 1),
        }
        if what == "command":
            work[what]()  # objects that are made once are made here
        counts.append(calls_of(work[what]))
    assert counts[0] == counts[1] > 0


# ---- the one way to a meter


class Seen(Observer):
    """Keeps the names of what it saw."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def before(self, station: Station, request: Request) -> None:
        self.names.append(f"before {type(request).__name__}")

    def after(self, station: Station, request: Request, reply: Reply | None) -> None:
        self.names.append(f"after {type(request).__name__} {reply is not None}")

    def interrupted(self, station: Station) -> None:
        self.names.append("interrupted")

    def restarted(self, station: Station) -> None:
        self.names.append("restarted")

    def stopped(self, station: Station, error: MeterStoppedError) -> None:
        self.names.append(f"stopped: {error}")


def stored(*rules: FaultRule) -> tuple[Rack, Seen]:
    """Return a rack of one meter on a storage that suffers faults, and what its observer saw."""
    device, faults = SimulatedNvram(), Faults(FaultPlan(rules))

    def make() -> Meter:
        return build(described(1, credit=LEDGER), faults.nvram(device, 1))

    rack = Rack([(1, make())], 0, faults)
    rack.stations[0].rebuild = make
    rack.begin_faults()
    seen = Seen()
    rack.observers.append(seen)
    return rack, seen


def test_a_power_failure_in_a_write_restarts_the_meter_and_answers_nothing() -> None:
    rack, seen = stored(FaultRule("torn_write", count=1))
    station = rack.stations[0]
    meter, image = station.meter, station.image(bank_of)
    assert station.hand_over(Sense(Tamper.COVER, True)) is None
    assert station.meter is not meter
    assert (station.restarts, station.image(bank_of) != image) == (1, True)
    assert seen.names == ["before Sense", "interrupted", "restarted", "after Sense False"]
    assert station.hand_over(Sense(Tamper.COVER, True)) is not None


def test_a_meter_that_stopped_answers_nothing_and_is_named_once() -> None:
    rack, seen = stored(FaultRule("flush_fails", count=1))
    station = rack.stations[0]
    assert station.hand_over(Sense(Tamper.COVER, True)) is None
    assert station.hand_over(PressButton()) is None
    station.bring(HOUR)
    assert station.save() is None
    assert seen.names == ["before Sense", STOPPED, "after Sense False"]


@pytest.mark.parametrize("duration_ms", [2 * HOUR, 120 * DAY])
def test_a_power_failure_while_time_moves_leaves_the_meter_at_its_last_save(
    duration_ms: int,
) -> None:
    """Its elapsed time goes on from there: time that it lost is not made up."""
    rack, _ = stored()
    operate(rack, Advance(HOUR))
    rack.begin_fault(FaultRule("torn_write", count=1, value=0), 0)
    with pytest.raises(CommandFailedError, match="at the instant of its last save"):
        operate(rack, Advance(duration_ms))
    station = rack.stations[0]
    assert (station.restarts, station.meter.state.elapsed_ms) == (1, HOUR)
    operate(rack, Advance(1))
    assert station.meter.state.elapsed_ms == HOUR + 1


def test_a_meter_without_power_answers_no_message_but_counts_time() -> None:
    rack, _ = stored()
    station = rack.stations[0]
    station.hand_over(CutPower())
    assert station.hand_over(Sealed(b"")) is None
    assert station.present(0) is station.meter
    assert station.next_deadline() is None


# ---- the stations of a wire


def test_a_wire_reaches_its_own_stations_by_unit_and_by_group() -> None:
    rack = Rack([(number, build(described(number))) for number in (1, 2, 3)], 0)
    wire, single = WireStations(rack.stations[:2]), WireStations(rack.stations[2:])
    assert [station.unit for station in wire.select(2, 0)] == [2]
    assert list(wire.select(3, 0)) == []
    assert [station.unit for station in wire.select(Group.ALL, 0)] == [1, 2]
    assert list(wire.select(Group.ONLY, 0)) == []
    assert [station.unit for station in single.select(Group.ONLY, 0)] == [3]


def test_a_selected_meter_is_at_the_present_and_the_others_stay() -> None:
    rack = Rack([(number, build(described(number))) for number in (1, 2)], 1000)
    WireStations(rack.stations).select(1, 5 * SECOND_US)
    assert [station.meter.state.elapsed_ms for station in rack.stations] == [5_000, 0]
