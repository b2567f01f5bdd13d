"""Energies of phases of a whole meter: who keeps them, since when, and through which failures."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace

import pytest

from firmware_sim.assembly import build, build_lost, rack_of
from firmware_sim.hal.nvram import PowerCutError, SimulatedNvram
from firmware_sim.meter import Meter
from firmware_sim.meter_description import MeterDescription
from firmware_sim.metrology.load import Load
from firmware_sim.rack.values import fragments
from firmware_sim.readings import read
from firmware_sim.requests import SetLoad
from protocols.data_model import items
from protocols.data_model.words import MeterType, PhaseSummation
from protocols.modbus.native_map import NATIVE_MAP
from protocols.modbus.register_map import Area, RegisterMap
from protocols.modbus.register_parts import Register, Section
from protocols.modbus.value_layout import Layout, ValueType
from protocols.quantities import DAY, ENERGY_WRAP, HOUR, KWH, LEDGER, MWH_IN_MW_MS
from protocols.sealed_message import MessageKind, Outcome
from tests.support.meters import Host

KEPT = [item for item in items.ITEMS if item.kept_on_request]
SOLAR = Load.constant((3_000_000, 1_000_000, -2_000_000))
THREE = MeterDescription(
    meter_type=MeterType.THREE_PHASE, load=SOLAR, credit=1_000 * LEDGER, phase_energies=True
)


def asking_map(*, asks: bool = True) -> RegisterMap:
    """Return a map with one register of an energy of a phase."""
    layout = Layout(ValueType.U32, 2, off=0xFFFF_FFFF)
    register = Register(Area.INPUT, 0, items.ENERGY_IMPORTS[0], layout)
    return RegisterMap("asking", (Section("one", (register,)),), asks_phase_energies=asks)


def shown(meter: Meter, several: tuple[items.Item, ...]) -> list[object]:
    return [read(meter, item) for item in several]


def test_thirteen_items_are_kept_on_request() -> None:
    assert [item.name for item in KEPT] == [
        *(f"energy_{way}_l{n}_kwh" for way in ("import", "export", "total") for n in (1, 2, 3)),
        *(f"energy_reactive_{way}_kvarh" for way in ("import", "export", "total")),
        "energy_apparent_kvah",
    ]
    assert [KEPT[0].unit, KEPT[-2].unit, KEPT[-1].unit] == ["kWh", "kvarh", "kVAh"]


def test_a_meter_that_is_not_asked_shows_not_kept() -> None:
    meter = build(replace(THREE, phase_energies=False))
    meter.advance(HOUR)
    assert meter.state.registers.phase_energies is None
    assert [read(meter, item) for item in KEPT] == [None] * 13
    assert {item.kind.text(None) for item in KEPT} == {"not_kept"}
    assert set(fragments(meter, KEPT).values()) == {"null"}


def test_the_native_map_shows_the_counters_and_does_not_ask_for_them() -> None:
    places = [one for one in NATIVE_MAP.registers if one.item in KEPT]
    assert len(places) == 26
    assert not NATIVE_MAP.asks_phase_energies
    meter = build(replace(THREE, phase_energies=False, register_map=NATIVE_MAP))
    assert meter.state.registers.phase_energies is None
    assert {one.packer()(read(meter, one.item)) for one in places} == {b"\xff" * 4, b"\xff" * 8}


@pytest.mark.parametrize("asks", [True, False])
def test_a_map_that_asks_makes_the_meter_keep_them(asks: bool) -> None:
    described = replace(THREE, phase_energies=False, register_map=asking_map(asks=asks))
    assert described.keeps_phase_energies is asks
    station = rack_of(described, 0).stations[0]
    assert station.meter.state.registers.phase_energies == ((0,) * 9 if asks else None)


@pytest.mark.parametrize(
    ("summation", "imported", "exported"),
    [(PhaseSummation.ARITHMETIC, 2, 0), (PhaseSummation.PER_PHASE, 4, 2)],
)
def test_phases_sum_to_the_total_per_phase_and_do_not_under_arithmetic(
    summation: PhaseSummation, imported: int, exported: int
) -> None:
    """The hour of docs/energies.md."""
    meter = build(replace(THREE, phase_summation=summation))
    meter.advance(HOUR)
    assert shown(meter, items.ENERGY_IMPORTS) == [3 * KWH, KWH, 0]
    assert shown(meter, items.ENERGY_EXPORTS) == [0, 0, 2 * KWH]
    assert shown(meter, items.ENERGY_TOTALS) == [3 * KWH, KWH, 2 * KWH]
    assert read(meter, items.ENERGY_IMPORT) == imported * KWH
    assert read(meter, items.ENERGY_EXPORT) == exported * KWH


def test_a_sum_of_shown_phases_is_at_most_two_milliwatt_hours_short() -> None:
    per_phase = PhaseSummation.PER_PHASE
    meter = build(replace(THREE, phase_summation=per_phase, load=Load.constant((999,) * 3)))
    for hour in range(1, 30):
        meter.advance(hour * HOUR + hour)
        of_phases = sum(read(meter, item) for item in items.ENERGY_IMPORTS)
        assert 0 <= read(meter, items.ENERGY_IMPORT) - of_phases <= 2


def test_a_single_phase_meter_keeps_its_one_phase() -> None:
    load = Load.constant((-800_000,), 8_000)
    meter = build(MeterDescription(load=load, phase_energies=True))
    meter.advance(HOUR)
    assert shown(meter, items.ENERGY_IMPORTS) == [0, None, None]
    assert shown(meter, items.ENERGY_EXPORTS) == [800_000, None, None]
    reactive = (items.REACTIVE_IMPORT, items.REACTIVE_EXPORT, items.REACTIVE_TOTAL)
    assert shown(meter, reactive) == [0, 600_000, 600_000]
    assert read(meter, items.APPARENT_TOTAL) == KWH


def test_counters_wrap_on_the_wire_as_the_totals_do() -> None:
    meter = build(THREE)
    meter.state.registers.phase_energies = ((ENERGY_WRAP + 1) * MWH_IN_MW_MS, *(0,) * 8)
    assert read(meter, items.ENERGY_IMPORTS[0]) == ENERGY_WRAP + 1
    assert fragments(meter, KEPT)["energy_import_l1_kwh"] == "0.000001"
    exact = next(one for one in NATIVE_MAP.registers if one.item is items.ENERGY_IMPORTS[0])
    assert exact.unpack(exact.packer()(ENERGY_WRAP + 2 * KWH)) == 2 * KWH


def test_a_counter_without_a_load_or_power_does_not_move() -> None:
    meter = build(THREE)
    meter.advance(HOUR)
    meter.handle(SetLoad(Load.constant((0, 0, 0))))
    counted = meter.state.registers.phase_energies
    meter.advance(DAY)
    assert meter.state.registers.phase_energies == counted


# ---- storage


def test_a_state_without_counters_begins_them_at_zero_and_later_keeps_them() -> None:
    device = SimulatedNvram()
    meter = build(replace(THREE, phase_energies=False), device)
    meter.advance(HOUR)
    meter.save()
    asked = build(THREE, device)
    assert asked.state.registers.phase_energies == (0,) * 9
    asked.advance(2 * HOUR)
    asked.save()
    later = build(replace(THREE, phase_energies=False), device)
    assert shown(later, items.ENERGY_IMPORTS) == [3 * KWH, KWH, 0]
    later.advance(3 * HOUR)
    assert shown(later, items.ENERGY_IMPORTS) == [6 * KWH, 2 * KWH, 0]
    assert read(later, items.ENERGY_IMPORT) == 6 * KWH


def test_a_refused_write_takes_the_counters_back_with_the_totals() -> None:
    device = SimulatedNvram()
    meter = build(THREE, device)
    meter.advance(HOUR // 2)
    device.full = True
    before = json.dumps(fragments(meter))
    answer = Host(meter).send(MessageKind.CREDIT, amount=100)
    assert answer.outcome is Outcome.STORAGE_FAULT
    assert json.dumps(fragments(meter)) == before
    device.full = False
    meter.advance(HOUR)
    assert shown(meter, items.ENERGY_IMPORTS) == [3 * KWH, KWH, 0]


def test_a_power_failure_in_a_write_leaves_counters_and_totals_of_one_commit() -> None:
    described = replace(THREE, phase_summation=PhaseSummation.PER_PHASE)
    found = set()
    for cut in range(0, 4_000, 97):
        device = SimulatedNvram()
        meter = build(described, device)
        meter.advance(7_777)
        device.cut_after = cut
        with suppress(PowerCutError):
            meter.save()
        registers = build(described, device.power_cycle()).state.registers
        assert registers.phase_energies is not None
        of_phases = sum(registers.phase_energies[:3])
        assert of_phases == registers.import_mwh * MWH_IN_MW_MS + registers.import_remainder
        found.add(of_phases)
    assert found == {0, 7_777 * 4_000_000}, "the commit before and the one that was cut"


def test_a_lost_storage_keeps_counters_where_they_are_asked() -> None:
    assert build_lost(THREE).state.registers.phase_energies == (0,) * 9
    assert build_lost(MeterDescription()).state.registers.phase_energies is None
