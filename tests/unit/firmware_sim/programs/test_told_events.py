"""Events as they fall: each once, as the meter stood at its instant, for one meter and several."""

from __future__ import annotations

import json

from firmware_sim.assembly import build
from firmware_sim.faults.in_force import Faults
from firmware_sim.hal.nvram import SimulatedNvram
from firmware_sim.hosting.line_output import LineOutput
from firmware_sim.meter import Meter
from firmware_sim.meter_description import MeterDescription
from firmware_sim.metrology.load import Load
from firmware_sim.programs.told_events import ToldEvents
from firmware_sim.rack.rack import Rack
from firmware_sim.settings import Settings
from protocols.control import Advance, PressButton, Sense
from protocols.data_model.tariff import Prices, Tariff
from protocols.data_model.words import Tamper
from protocols.faults import FaultPlan, FaultRule
from protocols.quantities import DAY, HOUR, LEDGER
from tests.support.racks import operate

SETTINGS = Settings(low_credit_threshold_1=3 * LEDGER, low_credit_threshold_2=2 * LEDGER)


class Kept(LineOutput):
    """An output that keeps the lines, or takes none."""

    def __init__(self) -> None:
        super().__init__(None, lambda line, _: line)
        self.lines: list[str] = []
        self.missing, self.takes = 0, True

    @property
    def has_room(self) -> bool:
        return self.takes

    def put(self, line: str) -> None:
        self.lines.append(line)

    def miss(self, count: int) -> None:
        self.missing += count


def described(number: int = 1) -> MeterDescription:
    """Return a meter of 1 kW at 1.0000 that warns after one hour and trips after two."""
    return MeterDescription(
        f"{number:012d}",
        number,
        credit=4 * LEDGER,
        settings=SETTINGS,
        tariff=Tariff(prices=Prices((10_000,))),
        load=Load.constant((1_000_000,)),
        start=MeterDescription().start + 12 * HOUR,
    )


def told(rack: Rack, *, as_json: bool = True) -> Kept:
    output = Kept()
    ToldEvents(rack, output, as_json).begin()
    return output


def rack_of(*numbers: int) -> Rack:
    return Rack([(number, build(described(number))) for number in numbers], 0)


def rows(output: Kept) -> list[dict[str, object]]:
    return [json.loads(line) for line in output.lines]


def names(output: Kept) -> list[str]:
    return [str(row["event"]) for row in rows(output)]


def test_an_event_shows_the_meter_at_its_instant_however_far_time_jumped() -> None:
    rack = rack_of(1)
    output = told(rack)
    operate(rack, Advance(5 * HOUR))
    assert rows(output) == [
        {
            "event": "low_credit_warning",
            "serial_number": "000000000001",
            "unit": 1,
            "number": 1,
            "at": "2026-01-01T13:00:00.000Z",
            "elapsed_ms": HOUR,
            "available_credit": 3.00,
            "energy_import_kwh": 1.0,
            "supply_state": "connected",
            "threshold": 3.00,
        },
        {
            "event": "supply_disconnected",
            "serial_number": "000000000001",
            "unit": 1,
            "number": 2,
            "at": "2026-01-01T14:00:00.000Z",
            "elapsed_ms": 2 * HOUR,
            "available_credit": 2.00,
            "energy_import_kwh": 2.0,
            "supply_state": "ready_for_reconnection",
            "cause": "credit_reminder",
        },
    ]


def test_lines_for_people_are_aligned_and_name_the_meter_where_there_are_several() -> None:
    one, two = rack_of(1), rack_of(1, 2)
    shown, named = told(one, as_json=False), told(two, as_json=False)
    for rack in (one, two):
        operate(rack, Advance(3 * HOUR))
        operate(rack, PressButton())
    assert shown.lines == [
        "2026-01-01T13:00:00.000Z  low_credit_warning      credit       3.00  "
        "connected               threshold=3.00",
        "2026-01-01T14:00:00.000Z  supply_disconnected     credit       2.00  "
        "ready_for_reconnection  cause=credit_reminder",
        "2026-01-01T15:00:00.000Z  supply_connected        credit       2.00  "
        "connected               by=button",
    ]
    assert [line.split()[1:3] for line in named.lines] == [
        ["000000000001", "low_credit_warning"],
        ["000000000001", "supply_disconnected"],
        ["000000000002", "low_credit_warning"],
        ["000000000002", "supply_disconnected"],
        ["000000000001", "supply_connected"],
        ["000000000002", "supply_connected"],
    ]


def test_a_deadline_that_the_host_serves_tells_its_event() -> None:
    rack = Rack([(1, build(described()))], 1000)
    output = told(rack)
    rack.run((HOUR - 1) * 1000, 64)
    assert names(output) == []
    rack.run(HOUR * 1000, 64)
    assert names(output) == ["low_credit_warning"]


def test_before_it_begins_events_are_kept_for_after_the_ready_line() -> None:
    rack = rack_of(1)
    output = Kept()
    events = ToldEvents(rack, output, True)
    operate(rack, Advance(2 * HOUR))
    assert output.lines == []
    events.begin()
    operate(rack, PressButton())
    assert names(output) == ["low_credit_warning", "supply_disconnected", "supply_connected"]
    assert [row["available_credit"] for row in rows(output)] == [3.00, 2.00, 2.00]


def stored(*rules: FaultRule) -> tuple[Rack, SimulatedNvram]:
    device, faults = SimulatedNvram(), Faults(FaultPlan(rules))

    def make() -> Meter:
        return build(described(), faults.nvram(device, 1))

    rack = Rack([(1, make())], 0, faults)
    rack.stations[0].rebuild = make
    rack.begin_faults()
    return rack, device


def test_the_past_of_a_storage_is_not_told_but_what_its_restart_records_is() -> None:
    rack, device = stored()
    operate(rack, Advance(2 * HOUR))
    again = Rack([(1, build(described(), device))], 0)
    output = told(again)
    operate(again, PressButton())
    assert names(output) == ["restart", "supply_connected"]
    assert [row["number"] for row in rows(output)] == [3, 4]


def test_a_meter_whose_power_failed_tells_what_falls_from_its_storage_on() -> None:
    rack, _ = stored()
    output = told(rack)
    operate(rack, Advance(HOUR))
    rack.begin_fault(FaultRule("torn_write", count=1), 0)
    rack.stations[0].hand_over(Sense(Tamper.COVER, True))
    operate(rack, Advance(HOUR))
    assert names(output) == ["low_credit_warning", "restart", "supply_disconnected"]
    assert [row["number"] for row in rows(output)] == [1, 2, 3]


def test_events_without_room_are_counted_and_not_made() -> None:
    rack = rack_of(1, 2)
    output = told(rack)
    output.takes = False
    operate(rack, Advance(DAY))
    assert (output.lines, output.missing) == ([], 4)
