"""Names of registers in manuals: which item they mean, and that a doubtful one means none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.programs.register_lists.names import (
    ITEM_OF,
    has_other_phases,
    item_named,
    meaning_of,
    near_items,
)
from protocols.data_model.items import BY_NAME

MEANT = [
    ("Phase 1 line to neutral volts", "V", "voltage_l1_v"),
    ("Voltage L2-N", "V", "voltage_l2_v"),
    ("U_a", "V", "voltage_l1_v"),
    ("Ub", "V", "voltage_l2_v"),
    ("A相电压", "V", "voltage_l1_v"),
    ("Current Phase C", "A", "current_l3_a"),
    ("Phase 3 power", "W", "active_power_l3_kw"),
    ("ActivePowerL1", "W", "active_power_l1_kw"),
    ("active_power_total", "W", "active_power_kw"),
    ("Total system power", "W", "active_power_kw"),
    ("总有功功率", "kW", "active_power_kw"),
    ("Total system VAr", "var", "reactive_power_kvar"),
    ("Total system volt amps", "VA", "apparent_power_kva"),
    ("Power", "var", "reactive_power_kvar"),
    ("cos φ", "", "power_factor"),
    ("Frequency of supply voltages", "Hz", "frequency_hz"),
    ("Import Wh since last reset", "kWh", "energy_import_kwh"),
    ("Total export active energy", "kWh", "energy_export_kwh"),
    ("正向有功总电能", "kWh", "energy_import_kwh"),
    ("Import energy tariff 2", "kWh", "energy_rate_2_kwh"),
    ("Maximum power demand", "W", "maximum_demand_kw"),
    ("剩余金额", "money", "available_credit"),
    ("购电次数", "", "purchase_count"),
    ("Serial number", "", "serial_number"),
    ("Purchase Count", "", "purchase_count"),
    ("low_credit_threshold_1", "money", "low_credit_threshold_1"),
    ("L1", "A", "current_l1_a"),
    ("Phase 1 volt amps reactive", "var", "reactive_power_l1_kvar"),
    ("Average line to neutral volts", "V", "voltage_mean_v"),
    ("Average line to line volts", "V", "voltage_line_mean_v"),
    ("Line 1 to Line 2 volts", "V", "voltage_l12_v"),
    ("Uab", "V", "voltage_l12_v"),
    ("Sum of line currents", "A", "current_sum_a"),
    ("Neutral current", "A", "current_neutral_a"),
    ("PFa", "", "power_factor_l1"),
    ("Total system phase angle", "deg", "phase_angle_deg"),
    ("Total kWh", "kWh", "energy_total_kwh"),
    ("Tensão Linha 1", "V", "voltage_l1_v"),
    ("Corriente de fase 2", "A", "current_l2_a"),
    ("Potência Reativa Trifásica", "var", "reactive_power_kvar"),
    ("Facteur de puissance", "", "power_factor"),
    ("Energia Ativa Positiva", "kWh", "energy_import_kwh"),
    ("Spannung L3", "V", "voltage_l3_v"),
    ("VOLTAGE_L1_VOLTS", "V", "voltage_l1_v"),
    ("POWER_TOTAL_KW", "kW", "active_power_kw"),
    ("ENERGY_TOTAL_KWH", "kWh", "energy_total_kwh"),
    ("FREQUENCY_HZ", "Hz", "frequency_hz"),
    ("IMP_ACT_ENERGY", "kWh", "energy_import_kwh"),
    ("a_b_line_voltage", "V", "voltage_l12_v"),
    ("phase_a_voltage", "V", "voltage_l1_v"),
    ("L2 total kWh", "kWh", "energy_total_l2_kwh"),
    ("Import VArh since last reset", "kvarh", "energy_reactive_import_kvarh"),
    ("Total system power demand", "W", "demand_kw"),
]


@pytest.mark.parametrize(("name", "unit", "item"), MEANT)
def test_a_name_means_an_item(name: str, unit: str, item: str) -> None:
    assert item_named(name, unit) == item


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("Phase 1 current THD", "%"),
        ("Maximum current L1", "A"),
        ("Current demand", "A"),
        ("Active energy", "kWh"),
        ("Voltage L1", "kWh"),
        ("Import active power", "W"),
        ("Net energy", "kWh"),
        ("Voltage", "V"),
        ("Baud rate", ""),
        ("Energy power", ""),
        ("", ""),
    ],
)
def test_a_doubtful_name_means_no_item(name: str, unit: str) -> None:
    assert item_named(name, unit) == ""


def test_without_other_phases_the_voltage_is_that_of_phase_1() -> None:
    assert item_named("Voltage", "V", single_phase=True) == "voltage_l1_v"
    assert item_named("Line current", "A", single_phase=True) == "current_l1_a"
    assert has_other_phases([meaning_of("Voltage L1"), meaning_of("Uab")])
    assert not has_other_phases([meaning_of("Voltage"), meaning_of("Voltage L1")])


def test_the_nearest_items_of_a_doubtful_name_are_those_of_its_quantity() -> None:
    assert near_items("Active energy", "kWh")[0].startswith("energy_")
    assert near_items("Phase 1 voltage, maximum", "V")[0] == "voltage_l1_v"
    assert near_items("Phase 1 voltage THD", "%") == []
    assert near_items("low credit treshold 1")[0] == "low_credit_threshold_1"
    assert near_items("qqq") == []


def test_every_item_that_names_lead_to_exists() -> None:
    assert set(ITEM_OF.values()) <= set(BY_NAME)
    assert {"voltage_l1_v", "active_power_kw", "energy_import_kwh"} <= set(ITEM_OF.values())


@pytest.mark.parametrize("item", sorted(BY_NAME))
def test_the_name_of_every_item_means_it(item: str) -> None:
    assert item_named(item) == item


@given(
    st.text("abcilnopuvwxACILPQSU123 _-.电压总有功率正向相", max_size=20),
    st.sampled_from(["", "V", "kWh", "money", "%"]),
)
def test_any_name_means_an_item_or_none(name: str, unit: str) -> None:
    assert item_named(name, unit) in {"", *BY_NAME}
    assert len(near_items(name, unit)) <= 3


@pytest.mark.parametrize(
    ("name", "unit", "item"),
    [
        ("Frequenz", "Hz", "frequency_hz"),
        ("Netzfrequenz", "", "frequency_hz"),
        ("Seriennummer", "", "serial_number"),
        ("Zählernummer", "", "serial_number"),
        ("Spannung", "V", "voltage_l1_v"),
        ("Strom", "A", "current_l1_a"),
        ("Stromstärke L2", "A", "current_l2_a"),
        ("Phasenspannung L3", "V", "voltage_l3_v"),
        ("Außenleiterspannung L1-L2", "V", "voltage_l12_v"),
        ("Spannung zwischen L3 und L1", "V", "voltage_l31_v"),
        ("Neutralleiterstrom", "A", "current_neutral_a"),
        ("Mittlere Spannung", "V", "voltage_mean_v"),
        ("Gesamte Wirkleistung", "W", "active_power_kw"),
        ("Aktuelle Blindleistung L1", "var", "reactive_power_l1_kvar"),
        ("Gesamtscheinleistung", "VA", "apparent_power_kva"),
        ("Wirkarbeit Bezug", "kWh", "energy_import_kwh"),
        ("Gelieferte Energie", "kWh", "energy_export_kwh"),
        ("Zählerstand Bezug", "kWh", "energy_import_kwh"),
        ("Leistungsfaktor gesamt", "", "power_factor"),
        ("Phasenwinkel", "deg", "phase_angle_deg"),
        ("Guthaben", "", "available_credit"),
        ("Kundennummer", "", "customer_number"),
        ("Zählerstand", "kWh", ""),
        ("Frequenzabweichung", "Hz", ""),
        ("Stromwandlerfaktor", "", ""),
    ],
)
def test_german_names_mean_items(name: str, unit: str, item: str) -> None:
    assert item_named(name, unit, single_phase=True) == item
