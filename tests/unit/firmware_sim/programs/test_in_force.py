"""The settings in force: some short lines, once for all meters that have the same."""

from __future__ import annotations

from firmware_sim.assembly import build
from firmware_sim.meter_description import MeterDescription
from firmware_sim.programs.in_force import WIDTH, in_force
from firmware_sim.rack.rack import Rack
from firmware_sim.settings import Settings
from protocols.quantities import LEDGER


def texts(*described: MeterDescription) -> list[str]:
    rack = Rack([(each.unit, build(each)) for each in described], 0)
    return in_force(rack.stations)


def meter(number: int, credit: int = 20, **settings: object) -> MeterDescription:
    return MeterDescription(
        f"{number:012d}",
        number,
        credit=credit * LEDGER,
        settings=Settings(**settings),  # type: ignore[arg-type]
    )


def test_a_meter_has_a_few_lines_with_its_credit_and_the_defaults_that_matter() -> None:
    (text,) = texts(meter(1))
    lines = text.splitlines()
    assert lines[0].startswith("meter 000000000001 (unit 1): available_credit=20.00 ")
    assert len(lines) <= 6
    assert max(map(len, lines)) <= WIDTH
    words = text.split()
    for wanted in (
        "meter_type=single_phase", "account_state=open", "account_unit=CNY", "price_1=0.5283",
        "trip_mode=two_stage", "reconnect_mode=automatic", "low_credit_threshold_1=off",
        "low_credit_threshold_2=off", "overdraft_limit=0.00", "max_credit=off",
        "reconnect_threshold=0.00", "power_limit_kw=off", "trip_delay_minutes=0",
    ):  # fmt: skip
        assert wanted in words
    assert "friendly_hours" not in text


def test_a_setting_that_differs_from_its_default_is_told() -> None:
    (text,) = texts(meter(1, low_credit_threshold_1=5 * LEDGER, standing_charge=LEDGER))
    assert "low_credit_threshold_1=5.00" in text
    assert "standing_charge=1.00" in text


def test_meters_that_agree_are_told_once_and_others_apart() -> None:
    alike = [meter(number, number) for number in range(1, 31)]
    (text,) = texts(*alike)
    assert "30 meters, 000000000001 (unit 1) to 000000000030 (unit 30):" in text
    assert "available_credit=1.00..30.00" in text
    assert len(text.splitlines()) <= 7
    first, second = texts(*alike, meter(31, overdraft_limit=LEDGER))
    assert "000000000031 (unit 31)" in second
    assert "overdraft_limit=1.00" in second
    assert "overdraft_limit=0.00" in first
