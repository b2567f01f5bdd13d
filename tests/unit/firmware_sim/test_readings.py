"""Values of items: money with both signs, electrical values, the status word, no effect."""

from __future__ import annotations

import pytest

from firmware_sim.meter import Meter
from firmware_sim.metrology.load import Demand, Load, OnEnd
from firmware_sim.readings import GETTERS, read, status, utc_offset_minutes
from firmware_sim.requests import LoseClock, LosePhase
from firmware_sim.settings import Settings
from protocols.control import CutPower, Sense
from protocols.data_model import items
from protocols.data_model.tariff import Prices, Steps, Tariff
from protocols.data_model.words import MeterType, PhaseSummation, Status, SupplyState, Tamper
from protocols.quantities import HOUR, KWH, LEDGER, MINUTE
from protocols.sealed_message import MessageKind, encode_number
from tests.support.meters import Host, make

KILOWATT = Load.constant((1_000_000,))
START = 1_767_225_600_000


def shown(meter: Meter, *names: items.Item) -> list[object]:
    return [read(meter, item) for item in names]


@pytest.mark.parametrize(
    ("credit", "remaining", "overdraft"),
    [(LEDGER, LEDGER, 0), (0, 0, 0), (-LEDGER, 0, LEDGER)],
)
def test_credit_is_shown_as_remaining_credit_or_as_overdraft(
    credit: int, remaining: int, overdraft: int
) -> None:
    meter = make(credit=credit, settings=Settings(overdraft_limit=5 * LEDGER))
    assert shown(
        meter,
        items.AVAILABLE_CREDIT,
        items.AVAILABLE_CREDIT_EXACT,
        items.REMAINING_CREDIT,
        items.OVERDRAFT,
    ) == [credit, credit, remaining, overdraft]


def test_a_single_phase_meter_shows_nothing_on_the_other_phases() -> None:
    meter = make(load=KILOWATT)
    assert shown(meter, *items.VOLTAGES) == [230_000, 0, 0]
    assert shown(meter, *items.ACTIVE_POWERS) == [1_000_000, 0, 0]
    assert shown(meter, *items.CURRENTS) == [4347, 0, 0]


def test_a_lost_phase_has_neither_voltage_nor_current() -> None:
    meter = make(meter_type=MeterType.THREE_PHASE, load=Load.constant((1_000_000,) * 3))
    meter.handle(LosePhase(1, True))
    assert shown(meter, *items.VOLTAGES) == [230_000, 0, 230_000]
    assert shown(meter, *items.ACTIVE_POWERS) == [1_000_000, 0, 1_000_000]
    assert read(meter, items.ACTIVE_POWER) == 2_000_000


def test_without_power_voltage_frequency_and_load_are_zero() -> None:
    meter = make(load=KILOWATT)
    meter.handle(CutPower())
    assert shown(meter, items.VOLTAGES[0], items.FREQUENCY, items.ACTIVE_POWER) == [0, 0, 0]


OF_THREE_PHASES = [item for item in items.ITEMS if item.phases > 1]


def test_items_say_how_many_phases_a_meter_needs_for_them() -> None:
    needed = {item.name: item.phases for item in items.ITEMS}
    assert [needed[f"voltage_l{n}_v"] for n in (1, 2, 3, 12, 23, 31)] == [1, 2, 3, 2, 3, 3]
    assert needed["voltage_line_mean_v"] == 3
    assert needed["power_factor_l2"] == needed["energy_import_l2_kwh"] == 2
    assert needed["current_neutral_a"] == needed["voltage_mean_v"] == needed["power_factor"] == 1


def test_what_a_single_phase_meter_lacks_is_zero_or_not_kept() -> None:
    meter = make(load=Load.constant((1_000_000,), 8_000))
    assert len(OF_THREE_PHASES) == 24
    for item in OF_THREE_PHASES:
        assert read(meter, item) == (None if item.kept_on_request else 0), item.name


def test_values_of_a_single_phase_are_those_of_the_whole_meter() -> None:
    meter = make(load=Load.constant((1_000_000,), 8_000))
    assert shown(meter, items.VOLTAGE_MEAN, items.CURRENT_NEUTRAL, items.CURRENT_SUM) == [
        230_000,
        5_434,
        5_434,
    ]
    for whole, of_phases in (
        (items.REACTIVE_POWER, items.REACTIVE_POWERS),
        (items.APPARENT_POWER, items.APPARENT_POWERS),
        (items.POWER_FACTOR, items.POWER_FACTORS),
        (items.PHASE_ANGLE, items.PHASE_ANGLES),
        (items.CURRENT_MEAN, items.CURRENTS),
    ):
        assert read(meter, whole) == read(meter, of_phases[0]) != 0


def test_means_and_sums_are_over_the_phases_without_signs() -> None:
    load = Load.constant((2_300_000, -1_150_000, 0), 10_000)
    meter = make(meter_type=MeterType.THREE_PHASE, load=load)
    assert shown(meter, *items.CURRENTS) == [10_000, -5_000, 0]
    assert shown(meter, items.CURRENT_SUM, items.CURRENT_MEAN) == [15_000, 5_000]
    assert read(meter, items.CURRENT_NEUTRAL) == 13_228
    assert shown(meter, *items.POWER_FACTORS) == [10_000] * 3
    assert shown(meter, *items.PHASE_ANGLES, items.PHASE_ANGLE) == [0, 0, 0, 7_053]


def test_voltages_between_phases_with_a_lost_phase_and_without_power() -> None:
    meter = make(meter_type=MeterType.THREE_PHASE, load=Load.constant((1_000_000,) * 3))
    voltages = (*items.LINE_VOLTAGES, items.LINE_VOLTAGE_MEAN, items.VOLTAGE_MEAN)
    assert shown(meter, *voltages) == [398_371, 398_371, 398_371, 398_371, 230_000]
    assert read(meter, items.CURRENT_NEUTRAL) == 0
    meter.handle(LosePhase(1, True))
    assert shown(meter, *voltages) == [230_000, 230_000, 398_371, 286_123, 153_333]
    assert read(meter, items.CURRENT_NEUTRAL) == read(meter, items.CURRENTS[0]) == 4_347
    meter.handle(CutPower())
    assert shown(meter, *voltages) == [0, 0, 0, 0, 0]
    assert shown(meter, items.CURRENT_NEUTRAL, items.CURRENT_SUM, items.PHASE_ANGLE) == [0, 0, 0]


def test_the_demand_is_the_mean_of_the_last_complete_period() -> None:
    powers = (Demand((1_200_000,)), Demand((3_000_000,)), Demand((0,)))
    meter = make(load=Load((0, 15 * MINUTE, 20 * MINUTE), powers, OnEnd.HOLD))
    meter.advance(15 * MINUTE - 1)
    assert shown(meter, items.DEMAND, items.MAXIMUM_DEMAND) == [0, 0]
    meter.advance(29 * MINUTE)
    assert read(meter, items.DEMAND) == 1_200_000
    meter.advance(30 * MINUTE)
    assert shown(meter, items.DEMAND, items.MAXIMUM_DEMAND) == [1_000_000, 1_200_000]
    meter.advance(45 * MINUTE)
    assert shown(meter, items.DEMAND, items.MAXIMUM_DEMAND) == [0, 1_200_000]


def test_import_and_export_make_the_total_energy() -> None:
    load = Load.constant((3_000_000, 1_000_000, -2_000_000))
    meter = make(
        meter_type=MeterType.THREE_PHASE, load=load, phase_summation=PhaseSummation.PER_PHASE
    )
    meter.advance(HOUR)
    assert shown(meter, items.ENERGY_IMPORT, items.ENERGY_EXPORT, items.ENERGY_TOTAL) == [
        4 * KWH,
        2 * KWH,
        6 * KWH,
    ]


def test_the_current_step_counts_from_one() -> None:
    steps = Steps((KWH,), (0, 1000))
    meter = make(load=KILOWATT, tariff=Tariff(prices=Prices((5000,)), steps=steps))
    meter.advance(HOUR - 1)
    assert shown(meter, items.CURRENT_STEP, items.CURRENT_PRICE) == [1, 5000]
    meter.advance(HOUR)
    assert shown(meter, items.CURRENT_STEP, items.CURRENT_PRICE) == [2, 6000]


def test_a_step_or_a_rate_that_the_tariff_does_not_have_is_off_or_zero() -> None:
    meter = make()
    assert shown(meter, items.STEP_LIMITS[0], items.STEP_ADDITIONS[1]) == [None, 0]
    assert shown(meter, *items.PRICES) == [5283, 0, 0, 0]


@pytest.mark.parametrize(
    ("description", "wanted"),
    [
        ({}, Status(0)),
        ({"credit": -1, "settings": Settings(overdraft_limit=LEDGER)}, Status.OVERDRAFT),
        ({"guarantee": True}, Status.GUARANTEE),
        ({"load": Load.constant((-1,))}, Status.REVERSE_POWER),
        ({"settings": Settings(low_credit_threshold_1=20 * LEDGER)}, Status.LOW_CREDIT_WARNING),
        ({"settings": Settings(friendly_hours=60 << 16)}, Status.FRIENDLY_WINDOW),
    ],
)
def test_a_description_shows_its_status(description: dict[str, object], wanted: Status) -> None:
    assert status(make(**description)) == wanted


@pytest.mark.parametrize(
    ("request_", "wanted"),
    [
        (LoseClock(), Status.CLOCK_INVALID),
        (Sense(Tamper.COVER, True), Status.COVER_OPEN),
        (Sense(Tamper.TERMINAL_COVER, True), Status.TERMINAL_COVER_OPEN),
        (Sense(Tamper.MAGNET, True), Status.MAGNET_PRESENT),
    ],
)
def test_a_condition_of_the_meter_is_a_status_bit(request_: object, wanted: Status) -> None:
    meter = make()
    meter.handle(request_)  # type: ignore[arg-type]
    assert status(meter) == wanted


def test_a_pending_trip_shows_the_clock_at_which_it_is_due() -> None:
    delay = Settings(trip_delay_minutes=30, remote_trip_delay=1)
    meter = make(settings=delay)
    meter.advance(HOUR)
    assert read(meter, items.TRIP_DUE) == 0
    Host(meter).send(MessageKind.SWITCH, parameters=encode_number(MessageKind.SWITCH, 1))
    assert read(meter, items.TRIP_DUE) == START + HOUR + HOUR // 2
    assert status(meter) == Status.TRIP_PENDING


def test_the_utc_offset_is_the_one_at_the_clock() -> None:
    meter = make(transitions=((START - 1, 60), (START + HOUR, 120)))
    assert read(meter, items.UTC_OFFSET) == 60
    assert utc_offset_minutes(meter, START + HOUR) == 120
    meter.advance(HOUR)
    assert read(meter, items.UTC_OFFSET) == 120


def test_reading_every_item_changes_nothing() -> None:
    meter = make(load=KILOWATT)
    meter.advance(HOUR)
    before = (meter.state.clone(), meter.revision)
    values = [read(meter, item) for item in GETTERS]
    assert (meter.state, meter.revision) == before
    assert [read(meter, item) for item in GETTERS] == values
    assert read(meter, items.SUPPLY_STATE) is SupplyState.CONNECTED


@pytest.mark.parametrize(("yearly", "step"), [(False, 1), (True, 2)])
def test_the_current_step_is_that_of_the_month_or_of_the_year(yearly: bool, step: int) -> None:
    steps = Steps(limits=(KWH,), additions=(0, 100), yearly=yearly)
    meter = make(tariff=Tariff(steps=steps))
    meter.state.registers.month_mwh, meter.state.registers.year_mwh = KWH - 1, KWH + 1
    assert read(meter, items.CURRENT_STEP) == step
