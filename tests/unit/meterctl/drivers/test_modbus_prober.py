"""What a device is: by the mark of its map, its identification, and the values it shows."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from meterctl.drivers.modbus_prober import IDENTIFY_MS
from meterctl.drivers.probing import Identity, Prober
from meterctl.drivers.table import modbus
from meterctl.errors import CorruptAnswerError
from protocols.data_model import items
from protocols.data_model.items import Item
from protocols.modbus.areas import Area
from protocols.modbus.native_map import NATIVE_MAP
from protocols.modbus.pdu import Function
from protocols.modbus.register_map import RegisterMap
from protocols.modbus.shipped_maps import shipped
from tests.support.maps import SMALL_MAP
from tests.support.scanned_lines import Device, Registers, ScannedLine, registers_of

ONE_PHASE: Mapping[Item, int | str] = {
    items.VOLTAGES[0]: 231_500,
    items.VOLTAGE_MEAN: 231_500,
    items.FREQUENCY: 49_980,
    items.POWER_FACTOR: 9_800,
    items.POWER_FACTORS[0]: 9_800,
    items.SERIAL_NUMBER: "000000000042",
}
THREE_PHASES: Mapping[Item, int | str] = {
    **ONE_PHASE,
    **dict.fromkeys(items.VOLTAGES, 231_500),
    **dict.fromkeys((*items.LINE_VOLTAGES, items.LINE_VOLTAGE_MEAN), 401_000),
    **dict.fromkeys(items.POWER_FACTORS, 9_800),
}
MAPS = ("acrel-prepaid", "ddsu666", "dtsu666", "sdm120", "sdm630", "sunspec-201", "sunspec-203")


def prober(line: ScannedLine, register_map: RegisterMap | None = None) -> Prober:
    """Return the prober of Modbus on a line."""
    kind = modbus(register_map, "own.toml" if register_map else None).prober()
    return kind.open(line, 200, line.clock, None)


def identity(device: Device, register_map: RegisterMap | None = None) -> Identity:
    """Return what a device at unit 5 is taken for."""
    probing = prober(ScannedLine({5: device}), register_map)
    assert probing.probe(5) is not None
    return probing.identify(5)


def registers(name: str, values: Mapping[Item, int | str] = THREE_PHASES) -> Registers:
    """Return the registers of a device with a shipped map."""
    return registers_of(shipped(name).register_map, values)


def test_a_native_meter_is_known_by_its_mark_with_its_number_and_vendor() -> None:
    found = identity(Device(registers("native"), vendor=b"prepaid-meter"))
    assert found == Identity("native", (), "000000000042", "prepaid-meter")


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("values", [ONE_PHASE, THREE_PHASES], ids=["one_phase", "three_phases"])
def test_each_shipped_map_is_recognised(name: str, values: Mapping[Item, int | str]) -> None:
    assert identity(Device(registers(name, values))).map == name


def test_of_several_maps_that_fit_all_are_named() -> None:
    assert identity(Device(registers("sdm630"))).also_fits == ("sdm120",)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {**THREE_PHASES, items.FREQUENCY: 0},
        {**THREE_PHASES, items.FREQUENCY: 400_000},
        {**THREE_PHASES, items.VOLTAGES[0]: 24_000},
    ],
    ids=["zeros", "no_frequency", "400_hz", "24_v"],
)
def test_no_map_is_claimed_without_voltage_and_frequency_of_a_supply(
    values: Mapping[Item, int | str],
) -> None:
    assert identity(Device(registers("sdm630", values))) == Identity()


def test_a_device_that_refuses_everything_is_found_and_unknown() -> None:
    assert identity(Device()) == Identity()


def test_a_sunspec_meter_with_other_scale_factors_has_no_map_but_its_number() -> None:
    other = registers("sunspec-203")
    other[Area.HOLDING, 40092] = b"\x00\x00"  # W_SF
    found = identity(Device(other, vendor=b"maker"))
    assert found == Identity(None, (), "000000000042", "prepaid-meter")


def test_a_map_of_the_user_is_tried_under_the_name_that_was_given() -> None:
    own = shipped("sdm630").register_map
    assert identity(Device(registers("sdm630")), own).map == "own.toml"
    assert identity(Device(registers("sdm630")), SMALL_MAP).map == "sdm630"


def test_a_device_that_ignores_a_function_is_identified_all_the_same() -> None:
    ignoring = Device(registers("sdm630"), ignored=(43,))
    assert identity(ignoring).map == "sdm630"


def test_a_device_that_answers_once_is_left_after_a_few_silences() -> None:
    line = ScannedLine({5: Device(registers("sdm630"))})
    probing = prober(line)
    probing.probe(5)
    line.devices = {}
    assert probing.identify(5) == Identity()
    assert len(line.sent) <= 5
    assert line.now < 8 * IDENTIFY_MS


def test_a_damaged_reply_is_asked_for_again() -> None:
    count = 0

    def damaged(frame: bytes) -> bytes:
        nonlocal count
        count += 1
        return frame if count % 3 else frame[:-2] + b"??"

    assert identity(Device(registers("ddsu666"), answers=damaged)).map == "ddsu666"


def test_a_late_reply_is_not_taken_for_the_value_at_another_address() -> None:
    late = Device(registers("sdm630"), latency_ms=(10, 10, 1500, 10))
    assert identity(late).map == "sdm630"


def test_a_reply_that_is_lost_hides_no_map() -> None:
    lost = iter([False, True, False, True])
    device = Device(registers("sdm630"), answers=lambda frame: b"" if next(lost, False) else frame)
    assert identity(device).map == "sdm630"


def test_the_second_copy_of_a_reply_is_not_the_value_at_another_address() -> None:
    class Repeating(ScannedLine):
        def _arrives(self, at: int, data: bytes) -> None:
            super()._arrives(at, data)
            super()._arrives(at + 20, data)

    probing = prober(Repeating({5: Device(registers("dtsu666"))}))
    probing.probe(5)
    assert probing.identify(5).map == "dtsu666"


def test_nothing_is_written_and_nothing_is_broadcast() -> None:
    line = ScannedLine({unit: Device(registers(name)) for unit, name in enumerate(MAPS, 1)})
    probing = prober(line)
    for unit in range(1, 9):
        if probing.probe(unit) is not None:
            probing.identify(unit)
    functions = {frame[1] for frame in line.sent}
    reads = {Function.READ_HOLDING_REGISTERS, Function.READ_INPUT_REGISTERS}
    assert functions <= {*reads, Function.ENCAPSULATED_INTERFACE}
    assert 0 not in line.asked


def test_two_meters_of_one_number_are_no_meter() -> None:
    def both(frame: bytes) -> bytes:
        return bytes(one & other for one, other in zip(frame, frame[1:] + b"\x5a", strict=True))

    line = ScannedLine({5: Device(registers_of(NATIVE_MAP, ONE_PHASE), answers=both)})
    with pytest.raises(CorruptAnswerError):
        prober(line).probe(5)
