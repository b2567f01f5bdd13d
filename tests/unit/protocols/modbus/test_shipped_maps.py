"""The shipped maps show what the real meters show: facts of their manuals and readers.

Addresses, units and expected values stand here, not taken from the map files; the values are those
of a known load, computed here. Everything is read through the server of a TCP connection.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import acos, degrees, sqrt
from pathlib import Path

import pytest

from firmware_sim.assembly import build, rack_of
from firmware_sim.faults.in_force import Faults
from firmware_sim.meter_description import MeterDescription
from firmware_sim.metrology.load import Load
from firmware_sim.rack.rack import Rack
from firmware_sim.servers.line import Line
from firmware_sim.settings import Settings
from protocols.control import Advance
from protocols.data_model.words import Cause, MeterType, PhaseSummation
from protocols.faults import parse_plan
from protocols.modbus import shipped_maps, tcp
from protocols.modbus.areas import Area
from protocols.modbus.pdu import read_request, write_request
from protocols.quantities import CENT, HOUR, LEDGER
from tests.support.racks import operate, tcp_server

ADDRESS, VALUE, FUNCTION = 2, 3, 1
"""Exception codes."""
U = 230.0


@dataclass(frozen=True)
class Known:
    """A load that stood for an hour; powers of the phases in W, power factor 0.8 (inductive)."""

    powers: tuple[float, ...]
    power_factor: float = 0.8

    @property
    def apparent(self) -> list[float]:
        return [abs(p) / self.power_factor for p in self.powers]

    @property
    def reactive(self) -> list[float]:
        return [sqrt(s * s - p * p) for s, p in zip(self.apparent, self.powers, strict=True)]

    @property
    def currents(self) -> list[float]:
        return [s / U for s in self.apparent]

    @property
    def power(self) -> float:
        return sum(self.powers)

    @property
    def total_factor(self) -> float:
        return abs(self.power) / sum(self.apparent)

    @property
    def neutral(self) -> float:
        """The vector sum of the currents of three phases, 120 degrees apart, with their signs."""
        a, b, c = (i if p >= 0 else -i for i, p in zip(self.currents, self.powers, strict=True))
        return sqrt(max(a * a + b * b + c * c - a * b - b * c - c * a, 0))

    @property
    def imports(self) -> list[float]:
        """Imported energy of each phase in kWh after the hour."""
        return [max(p, 0) / 1000 for p in self.powers]

    @property
    def exports(self) -> list[float]:
        return [max(-p, 0) / 1000 for p in self.powers]


LOAD = Known((2400.0, 800.0, 1600.0))
EXPORT = Known((-2400.0, -800.0, -1600.0))
MIXED = Known((2400.0, 800.0, -1600.0))
ONE = Known((2400.0,))
ONE_EXPORT = Known((-2400.0,))
ANGLE = degrees(acos(0.8))


class Wire:
    """A TCP connection to a meter with a shipped map, an hour after its load began."""

    def __init__(self, name: str, known: Known, unsafe_writes: bool = False) -> None:
        three = len(known.powers) == 3
        description = MeterDescription(
            serial_number="202611300042",
            unit=1,
            meter_type=MeterType.THREE_PHASE if three else MeterType.SINGLE_PHASE,
            credit=10_000 * LEDGER,
            settings=Settings(
                low_credit_threshold_1=500 * CENT,
                low_credit_threshold_2=100 * CENT,
                overdraft_limit=1000 * CENT,
            ),
            load=Load.constant(
                tuple(round(1000 * p) for p in known.powers), round(10_000 * known.power_factor)
            ),
            phase_summation=int(PhaseSummation.PER_PHASE),
            register_map=shipped_maps.shipped(name).register_map,
            unsafe_writes=unsafe_writes,
        )
        self.rack = rack_of(description, 0)
        operate(self.rack, Advance(HOUR))
        self._server = tcp_server(self.rack)

    def ask(self, pdu: bytes, unit: int = 1) -> bytes:
        """Return the reply PDU."""
        return self._server.receive(tcp.encode(7, unit, pdu), 0)[tcp.HEADER_SIZE :]

    def read(self, function: int, address: int, count: int) -> bytes:
        """Return the bytes of registers; an exception fails the test."""
        reply = self.ask(read_request(function, address, count))
        assert reply[0] == function, f"function {function} at {address:#06x}: exception {reply[1]}"
        return reply[2:]

    def refused(self, function: int, address: int, count: int) -> int:
        """Return the exception code of a read, 0 where it is answered."""
        reply = self.ask(read_request(function, address, count))
        return reply[1] if reply[0] & 0x80 else 0

    def f32(self, function: int, address: int) -> float:
        value: float = struct.unpack(">f", self.read(function, address, 2))[0]
        return value

    def number(self, form: str, address: int, function: int = 3) -> int:
        """Return a whole number: `form` is the code of `struct`."""
        size = struct.calcsize(f">{form}") // 2
        value: int = struct.unpack(f">{form}", self.read(function, address, size))[0]
        return value


def floats(wire: Wire, function: int, facts: Iterable[tuple[int, float]]) -> None:
    """Compare 32-bit floats, the high word first, with expected values."""
    for address, expected in facts:
        shown = wire.f32(function, address)
        assert shown == pytest.approx(expected, rel=2e-6, abs=0.0051), f"{address:#06x}"


# ---- Eastron


def sdm630_facts(known: Known) -> list[tuple[int, float]]:
    """The 45 values of the manual that the meter has, in its units: V, A, W, VA, var, kWh."""
    sign = 1 if known.power >= 0 else -1
    total_in, total_out = sum(known.imports), sum(known.exports)
    line = U * sqrt(3)
    facts = [(0x00 + 2 * n, U) for n in range(3)]
    facts += [(0x06 + 2 * n, value) for n, value in enumerate(known.currents)]
    facts += [(0x0C + 2 * n, value) for n, value in enumerate(known.powers)]
    facts += [(0x12 + 2 * n, value) for n, value in enumerate(known.apparent)]
    facts += [(0x18 + 2 * n, value) for n, value in enumerate(known.reactive)]
    facts += [(0x1E + 2 * n, 0.8 if p >= 0 else -0.8) for n, p in enumerate(known.powers)]
    facts += [
        (0x2A, U),
        (0x2E, sum(known.currents) / 3),
        (0x30, sum(known.currents)),
        (0x34, known.power),
        (0x38, sum(known.apparent)),
        (0x3C, sum(known.reactive)),
        (0x3E, sign * known.total_factor),
        (0x46, 50.0),
        (0x48, total_in),
        (0x4A, total_out),
        (0xC8, line),
        (0xCA, line),
        (0xCC, line),
        (0xCE, line),
        (0xE0, known.neutral),
        (0x156, total_in + total_out),
    ]
    facts += [(0x15A + 2 * n, value) for n, value in enumerate(known.imports)]
    facts += [(0x160 + 2 * n, value) for n, value in enumerate(known.exports)]
    facts += [
        (0x166 + 2 * n, i + e)
        for n, (i, e) in enumerate(zip(known.imports, known.exports, strict=True))
    ]
    return facts


@pytest.mark.parametrize("known", [LOAD, EXPORT, MIXED], ids=["load", "export", "mixed"])
def test_an_sdm630_shows_three_phases_in_the_units_of_its_manual(known: Known) -> None:
    wire = Wire("sdm630", known)
    floats(wire, 4, sdm630_facts(known))


def test_an_sdm630_shows_demands_angles_and_reactive_and_apparent_energy() -> None:
    wire = Wire("sdm630", LOAD)
    angles = [(0x24, ANGLE), (0x26, ANGLE), (0x28, ANGLE), (0x42, ANGLE)]
    floats(wire, 4, [*angles, (0x54, 4800.0), (0x56, 4800.0)])
    floats(wire, 4, [(0x4C, 3.6), (0x4E, 0.0), (0x50, 6.0), (0x158, 3.6)])
    floats(Wire("sdm630", EXPORT), 4, [(0x4C, 0.0), (0x4E, 3.6), (0x158, 3.6), (0x54, 0.0)])


@pytest.mark.parametrize("name", ["sdm120", "sdm630"])
def test_an_eastron_meter_refuses_reads_of_odd_addresses_and_lengths(name: str) -> None:
    wire = Wire(name, LOAD)
    for function in (3, 4):
        assert len(wire.read(function, 0, 60)) == 120
        for address, count in ((0, 3), (2, 1), (3, 2), (11, 3)):
            assert wire.refused(function, address, count) == ADDRESS


def test_an_sdm630_with_one_phase_reads_0_where_its_wiring_has_nothing() -> None:
    """The manual: values that the wiring does not have read 0."""
    wire = Wire("sdm630", ONE)
    floats(wire, 4, [(0x00, U), (0x06, 3000 / U), (0x0C, 2400.0), (0x34, 2400.0), (0x2A, U)])
    absent = (0x02, 0x04, 0x08, 0x0A, 0x0E, 0x10, 0x14, 0x20, 0x26, 0xC8, 0xCA, 0xCE, 0x15C, 0x162)
    for address in absent:
        assert wire.read(4, address, 2) == bytes(4), f"{address:#06x}"
    assert wire.f32(3, 0x0A) == 1, "system type: one phase, two wires"
    assert Wire("sdm630", LOAD).f32(3, 0x0A) == 3, "three phases, four wires"


def test_openems_reads_registers_0_to_79_of_an_sdm630_at_once() -> None:
    wire = Wire("sdm630", LOAD)
    block = wire.read(4, 0, 80)
    values = struct.unpack(">40f", block)
    for address, expected in sdm630_facts(LOAD):
        if address < 80:
            assert values[address // 2] == pytest.approx(expected, rel=2e-6, abs=0.0051)
    unused = (0x2C, 0x32, 0x36, 0x3A, 0x40, 0x44)
    assert [values[address // 2] for address in unused] == [0.0] * len(unused)
    assert wire.refused(4, 0, 81) == VALUE, "40 values are the most of one request"


def test_sdm_modbus_reads_an_sdm630_in_its_batches() -> None:
    """Its batches run from the first to the last register of a group: gaps within read 0."""
    wire = Wire("sdm630", LOAD)
    for address, count in ((0x50, 28), (0xC8, 70), (0x14E, 48)):
        wire.read(4, address, count)
    for address, count in ((0x00, 38), (0xF910, 2), (0xFC00, 2)):
        wire.read(3, address, count)
    assert wire.refused(4, 0x17E, 2) == ADDRESS


@pytest.mark.parametrize("known", [ONE, ONE_EXPORT], ids=["load", "export"])
def test_an_sdm120_shows_one_phase(known: Known) -> None:
    wire = Wire("sdm120", known)
    sign = 1 if known.power >= 0 else -1
    imported, exported = known.imports[0], known.exports[0]
    facts = [
        (0x00, U),
        (0x06, 3000 / U),
        (0x0C, known.power),
        (0x12, 3000.0),
        (0x18, 1800.0),
        (0x1E, sign * 0.8),
        (0x46, 50.0),
        (0x48, imported),
        (0x4A, exported),
        (0x4C, 1.8 if sign > 0 else 0.0),
        (0x4E, 0.0 if sign > 0 else 1.8),
        (0x54, 1000 * imported),
        (0x156, imported + exported),
        (0x158, 1.8),
    ]
    floats(wire, 4, facts)
    block = struct.unpack(">36f", wire.read(4, 0, 72))
    for address, expected in facts:
        if address < 72:
            assert block[address // 2] == pytest.approx(expected, rel=2e-6, abs=0.0051)
    assert block[1] == block[2] == block[4] == 0.0


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("sdm630", {0x02: 60, 0x12: 0, 0x14: 1, 0x18: 1000, 0x1C: 2}),
        ("sdm120", {0x02: 60, 0x12: 0, 0x14: 1, 0x1C: 0}),
    ],
)
def test_settings_of_an_eastron_meter_are_floats_in_holding_registers(
    name: str, settings: dict[int, int]
) -> None:
    wire = Wire(name, ONE)
    assert {address: wire.f32(3, address) for address in settings} == settings
    written = wire.ask(write_request(0x14, struct.pack(">f", 5.0)))
    assert written == bytes((0x90, ADDRESS)), "no setting of the real meter is taken"
    assert wire.ask(bytes.fromhex("06 0014 0005")) == bytes((0x86, FUNCTION)), "no function 6"


# ---- Chint


@pytest.mark.parametrize("function", [3, 4])
@pytest.mark.parametrize("known", [ONE, ONE_EXPORT], ids=["load", "export"])
def test_a_ddsu666_shows_kw_and_kwh(known: Known, function: int) -> None:
    wire = Wire("ddsu666", known)
    facts = [
        (0x2000, U),
        (0x2002, 3000 / U),
        (0x2006, 1.8),
        (0x200A, 0.8),
        (0x200E, 50.0),
        (0x4000, known.imports[0]),
        (0x400A, known.exports[0]),
    ]
    floats(wire, function, facts)
    assert wire.f32(function, 0x2004) == pytest.approx(known.power / 1000, rel=1e-6)


def test_a_ddsu666_answers_what_solax_growatt_and_openems_ask_first() -> None:
    wire = Wire("ddsu666", ONE)
    assert wire.number("H", 0x000B) == 166
    for address, count in ((0x0000, 16), (0x2000, 32), (0x2012, 18), (0x4000, 24)):
        wire.read(3, address, count)
    assert wire.number("H", 0x0006) == 1
    wire.read(3, 0x2000, 10)
    wire.read(3, 0x200A, 8)


@pytest.mark.parametrize("function", [3, 4])
@pytest.mark.parametrize("known", [LOAD, EXPORT, MIXED], ids=["load", "export", "mixed"])
def test_a_dtsu666_shows_tenths_and_thousandths(known: Known, function: int) -> None:
    wire = Wire("dtsu666", known)
    line = U * sqrt(3) * 10
    facts = [(0x2000 + 2 * n, line) for n in range(3)]
    facts += [(0x2006 + 2 * n, U * 10) for n in range(3)]
    facts += [(0x200C + 2 * n, value * 1000) for n, value in enumerate(known.currents)]
    facts += [(0x2012, known.power * 10)]
    facts += [(0x2014 + 2 * n, value * 10) for n, value in enumerate(known.powers)]
    facts += [(0x201A, sum(known.reactive) * 10)]
    facts += [(0x201C + 2 * n, value * 10) for n, value in enumerate(known.reactive)]
    facts += [(0x202A, known.total_factor * 1000), (0x202C, 800.0), (0x2044, 5000.0)]
    for address, expected in facts:
        shown = wire.f32(function, address)
        assert shown == pytest.approx(expected, rel=1e-6, abs=1.01), f"{address:#06x}"
    floats(wire, function, [(0x101E, sum(known.imports)), (0x1028, sum(known.exports))])
    floats(wire, function, [(0x401E, sum(known.imports)), (0x4028, sum(known.exports))])
    floats(wire, function, [(0x1020 + 2 * n, value) for n, value in enumerate(known.imports)])
    floats(wire, function, [(0x102A + 2 * n, value) for n, value in enumerate(known.exports)])
    floats(wire, function, [(0x4000, sum(known.imports))])


def test_a_dtsu666_shows_what_its_manual_says_of_settings() -> None:
    wire = Wire("dtsu666", LOAD)
    shown = {address: wire.number("h", address) for address in (0x06, 0x07, 0x0B, 0x2C, 0x2D, 0x2E)}
    assert shown == {0x06: 1, 0x07: 10, 0x0B: 10, 0x2C: 3, 0x2D: 3, 0x2E: 1}
    wire.read(3, 0x2000, 82)
    wire.read(3, 0x101E, 20)
    assert wire.refused(3, 0x1000, 2) == ADDRESS


# ---- SunSpec

NONE = -0x8000


def point(wire: Wire, offset: int, form: str = "h") -> int:
    """Return a point of the meter model, which begins at 40070."""
    return wire.number(form, 40070 + offset)


@pytest.mark.parametrize(
    ("name", "model", "known"), [("sunspec-201", 201, ONE), ("sunspec-203", 203, LOAD)]
)
def test_a_sunspec_meter_is_found_by_its_chain_of_models(
    name: str, model: int, known: Known
) -> None:
    wire = Wire(name, known)
    assert wire.read(3, 40000, 2) == b"SunS"
    assert (wire.number("H", 40002), wire.number("H", 40003)) == (1, 66)
    assert wire.read(3, 40052, 16) == b"202611300042".ljust(32, b"\0")
    assert wire.read(3, 40004, 16).rstrip(b"\0").isascii()
    assert (point(wire, 0), point(wire, 1)) == (model, 105)
    assert (wire.number("H", 40177), wire.number("H", 40178)) == (0xFFFF, 0)
    assert len(wire.read(3, 40070, 107)) == 214, "the whole model in one request"
    assert wire.refused(3, 40179, 1) == ADDRESS
    assert wire.refused(3, 0, 2) == ADDRESS, "nothing at the other bases"


@pytest.mark.parametrize("known", [LOAD, EXPORT, MIXED], ids=["load", "export", "mixed"])
def test_model_203_shows_three_phases_by_its_scale_factors(known: Known) -> None:
    wire = Wire("sunspec-203", known)

    def scaled(offset: int, factor: int) -> float:
        return float(point(wire, offset) * 10.0 ** point(wire, factor))

    for n in range(3):
        assert scaled(3 + n, 6) == pytest.approx(known.currents[n], abs=0.011)
        assert scaled(8 + n, 15) == pytest.approx(U)
        assert scaled(12 + n, 15) == pytest.approx(U * sqrt(3), abs=0.11)
        assert scaled(19 + n, 22) == pytest.approx(known.powers[n], abs=11)
        assert scaled(24 + n, 27) == pytest.approx(known.apparent[n], abs=11)
        assert scaled(29 + n, 32) == pytest.approx(known.reactive[n], abs=11)
        assert scaled(34 + n, 37) == pytest.approx(80.0 if known.powers[n] >= 0 else -80.0)
        assert point(wire, 40 + 2 * n, "I") == pytest.approx(1000 * known.exports[n])
        assert point(wire, 48 + 2 * n, "I") == pytest.approx(1000 * known.imports[n])
    assert scaled(2, 6) == pytest.approx(sum(known.currents), abs=0.03)
    assert scaled(7, 15) == pytest.approx(U)
    assert scaled(11, 15) == pytest.approx(U * sqrt(3), abs=0.11)
    assert scaled(16, 17) == pytest.approx(50.0)
    assert scaled(18, 22) == pytest.approx(known.power, abs=11)
    assert point(wire, 38, "I") == pytest.approx(1000 * sum(known.exports))
    assert point(wire, 46, "I") == pytest.approx(1000 * sum(known.imports))
    assert point(wire, 105, "I") == 0, "no event"


def test_model_203_says_of_missing_phases_that_they_are_not_implemented() -> None:
    wire = Wire("sunspec-203", ONE)
    absent = (4, 5, 9, 10, 11, 12, 13, 14, 20, 21, 25, 26, 30, 31, 35, 36)
    assert [point(wire, offset) for offset in absent] == [NONE] * len(absent)
    assert [point(wire, offset, "I") for offset in (42, 44, 50, 52)] == [0] * 4
    assert point(wire, 3) == pytest.approx(1304, abs=1)
    assert point(wire, 8) == 2300


def test_model_201_shows_one_phase_and_nothing_of_the_others() -> None:
    for known in (ONE, ONE_EXPORT):
        wire = Wire("sunspec-201", known)
        assert [point(wire, n) for n in (2, 3)] == pytest.approx([1304, 1304], abs=1)
        assert [point(wire, n) for n in (7, 8, 16)] == [2300, 2300, 5000]
        assert [point(wire, n) for n in (18, 19)] == [known.power] * 2
        assert [point(wire, n) for n in (23, 24, 28, 29)] == [3000, 3000, 1800, 1800]
        assert point(wire, 33) == (8000 if known is ONE else -8000)
        assert point(wire, 38, "I") == 1000 * known.exports[0]
        assert point(wire, 46, "I") == 1000 * known.imports[0]
        absent = (4, 5, 9, 10, 11, 12, 13, 14, 20, 21, 25, 26, 30, 31, 35, 36)
        assert [point(wire, offset) for offset in absent] == [NONE] * len(absent)
        factors = {n: point(wire, n) for n in (6, 15, 17, 22, 27, 32, 37, 54, 104)}
        assert factors == {6: -2, 15: -1, 17: -2, 22: 0, 27: 0, 32: 0, 37: -2, 54: 0, 104: 0}


@pytest.mark.parametrize("sign", [1, -1])
def test_the_scale_factors_hold_100_a_and_25_kw_of_each_phase(sign: int) -> None:
    heavy = Known((sign * 25_000.0,) * 3, 1.0)
    wire = Wire("sunspec-203", heavy)
    assert point(wire, 18) == sign * 7_500
    assert point(wire, 2) == pytest.approx(32_608, abs=3)
    one = Wire("sunspec-201", replace(heavy, powers=heavy.powers[:1]))
    assert point(one, 18) == sign * 25_000


def test_no_value_of_a_sunspec_meter_looks_like_an_absent_one() -> None:
    """0x8000 is for 16 bits alone: an energy of 32,768 Wh is shown, a power of -32,768 W is not."""
    wire = Wire("sunspec-201", Known((-32_768.0,), 1.0))
    assert point(wire, 38, "I") == 0x8000
    assert point(wire, 18) == NONE + 1


# ---- Acrel


def test_an_acrel_meter_shows_its_measurements_and_its_prepayment_block() -> None:
    wire = Wire("acrel-prepaid", ONE)
    numbers = [
        (0x0000, "I", 240),
        (0x0002, "I", 240),
        (0x0004, "I", 0),
        (0x000B, "H", 2300),
        (0x000C, "H", 1304),
        (0x000D, "h", 2400),
        (0x000F, "H", 3000),
        (0x0010, "h", 800),
        (0x0046, "I", 500),
        (0x0048, "I", 100),
        (0x004A, "I", 1000),
        (0x0057, "H", 0),
        (0x0058, "H", 0),
        (0x0059, "I", 5283),
    ]
    shown = [(address, form, wire.number(form, address)) for address, form, _ in numbers]
    assert shown == numbers
    account = wire.rack.stations[0].meter.state.account
    assert wire.number("H", 0x004E) == account.purchases
    assert wire.number("i", 0x004F) == account.credit // CENT
    assert wire.read(3, 0x0043, 3) == bytes.fromhex("202611300042")
    assert len(wire.read(3, 0x0046, 28)) == 56, "the block as Acrel's program reads it"


def test_an_exporting_acrel_meter_shows_an_unsigned_current_and_a_negative_power() -> None:
    wire = Wire("acrel-prepaid", ONE_EXPORT)
    assert wire.number("H", 0x000C) == pytest.approx(1304, abs=1)
    assert wire.number("h", 0x000D) == -2400
    assert wire.number("h", 0x0010) == -800


def test_an_acrel_meter_takes_a_purchase_by_its_count() -> None:
    wire = Wire("acrel-prepaid", ONE, unsafe_writes=True)
    money = wire.number("i", 0x004F)
    purchase = write_request(0x004E, struct.pack(">HI", 1, 2500))
    for _ in range(2):
        assert wire.ask(purchase) == bytes.fromhex("10 004e 0003")
        assert (wire.number("H", 0x004E), wire.number("i", 0x004F)) == (1, money + 2500)
    for count, amount in ((1, 2600), (3, 2500)):
        assert wire.ask(write_request(0x004E, struct.pack(">HI", count, amount))) == b"\x90\3"
    assert wire.ask(write_request(0x0046, bytes(56))) == bytes((0x90, ADDRESS)), "the whole block"
    assert wire.number("i", 0x004F) == money + 2500


def test_an_acrel_meter_takes_orders_to_its_switch_and_alarms() -> None:
    wire = Wire("acrel-prepaid", ONE, unsafe_writes=True)
    meter = wire.rack.stations[0].meter
    for order, causes in ((0x0001_0001, Cause.REMOTE), (0x0001_0000, 0)):
        assert wire.ask(write_request(0x0057, order.to_bytes(4))) == bytes.fromhex("10 0057 0002")
        assert meter.state.supply.causes == causes
        assert [wire.number("H", address) for address in (0x0057, 0x0058)] == [bool(causes)] * 2
    assert wire.ask(write_request(0x0057, b"\0\1")) == bytes((0x90, VALUE)), "half of an order"
    assert wire.ask(write_request(0x0046, struct.pack(">II", 600, 200)))[0] == 16
    assert [wire.number("I", address) for address in (0x0046, 0x0048)] == [600, 200]


def test_an_acrel_meter_takes_nothing_without_unsafe_writes() -> None:
    wire = Wire("acrel-prepaid", ONE)
    for address, data in ((0x004E, "0001 000009c4"), (0x0057, "00010001"), (0x0046, "00000258")):
        assert wire.ask(write_request(address, bytes.fromhex(data))) == bytes((0x90, ADDRESS))


# ---- libmodbus


def test_the_layout_of_libmodbus_holds_what_its_client_reads_and_writes() -> None:
    wire = Wire("libmodbus-unit-test", ONE)
    assert wire.ask(read_request(2, 0x1C4, 22)) == bytes.fromhex("02 03 acdb35")
    assert wire.read(4, 0x108, 1) == b"\0\x0a"
    assert wire.ask(bytes((17,))) == bytes.fromhex("11 0a b4ff") + b"LMB3.1.6"
    bits = bytes.fromhex("0f 0130 0025 05 cd6bb20e1b")
    assert wire.ask(bits) == bits[:5]
    assert wire.ask(read_request(1, 0x130, 37)) == bytes.fromhex("01 05 cd6bb20e1b")
    values = bytes.fromhex("022b 0001 0064")
    assert wire.ask(write_request(0x160, values))[0] == 16
    assert wire.read(3, 0x160, 3) == values
    assert wire.ask(bytes.fromhex("06 0160 0012")) == bytes.fromhex("06 0160 0012")
    assert wire.ask(bytes.fromhex("16 0160 00f2 0025"))[0] == 0x16
    assert wire.read(3, 0x160, 1) == b"\0\x17"
    for function, address, count in (
        (1, 0, 1),
        (1, 0x130, 38),
        (2, 0, 1),
        (2, 0x1C4, 23),
        (3, 0, 1),
        (3, 0x160, 33),
        (4, 0, 1),
        (4, 0x108, 2),
    ):
        assert wire.refused(function, address, count) == ADDRESS
    assert wire.ask(bytes.fromhex("42 0000 0000")) == bytes((0xC2, FUNCTION))


@pytest.mark.parametrize("unit", [0, 1, 17, 18, 255])
def test_the_layout_of_libmodbus_answers_every_unit_on_tcp(unit: int) -> None:
    wire = Wire("libmodbus-unit-test", ONE)
    assert wire.ask(read_request(4, 0x108, 1), unit) == b"\4\2\0\x0a"


PLAN = Path(__file__).parents[4] / "examples" / "faults" / "libmodbus-unit-test.toml"


def heard(pdu: bytes, until_us: int = 0) -> bytes:
    """Return what a host has of the reply at a time, with the plan of the examples in force."""
    meter = build(
        MeterDescription(register_map=shipped_maps.shipped("libmodbus-unit-test").register_map)
    )
    rack = Rack([(1, meter)], 0, Faults(parse_plan(PLAN.read_text())))
    rack.begin_faults()
    line = Line(tcp_server(rack), faults=rack.faults)
    out = line.receive(tcp.encode(7, 1, pdu), 0)
    while (due := line.next_wake()) is not None and due <= until_us:
        out += line.wake(due)
    return out


def test_the_plan_of_the_examples_answers_as_the_server_of_libmodbus_does() -> None:
    """Its special addresses: those of the sources of libmodbus, tests/unit-test.h."""
    assert heard(read_request(3, 0x160, 2)) == tcp.encode(7, 1, b"\3\2\0\0"), "one register of two"
    assert heard(read_request(3, 0x160, 1)) == tcp.encode(7, 1, b"\3\2\0\0")
    assert heard(read_request(3, 0x170, 1)) == tcp.encode(7, 1, b"\x83\6"), "busy"
    other = heard(read_request(3, 0x171, 1))
    assert other[:2] != b"\0\7", "another transaction"
    assert other[6] != 1, "another unit"
    assert heard(read_request(3, 0x172, 1), 499_000) == b""
    late = heard(read_request(3, 0x172, 1), 501_000)
    assert late == tcp.encode(7, 1, b"\3\2\0\0")
    assert len(heard(read_request(3, 0x173, 1), 30_000)) in range(2, len(late)), "byte by byte"
    assert heard(read_request(3, 0x173, 1), 100_000) == late
    assert heard(bytes.fromhex("05 0132 ff00")) == tcp.encode(7, 1, b"\x85\3")
    assert heard(bytes.fromhex("06 0170 0001")) == tcp.encode(7, 1, b"\x86\3")


# ---- all of them


def test_the_shipped_maps_are_named_in_order() -> None:
    assert shipped_maps.names() == (
        "native",
        "acrel-prepaid",
        "ddsu666",
        "dtsu666",
        "libmodbus-unit-test",
        "sdm120",
        "sdm630",
        "sunspec-201",
        "sunspec-203",
    )


FILES = [name for name in shipped_maps.names() if name != "native"]


@pytest.mark.parametrize("name", FILES)
def test_every_shipped_map_says_its_sources_and_what_its_readers_need(name: str) -> None:
    shipped = shipped_maps.shipped(name)
    assert shipped.sources
    assert shipped.quirks
    assert shipped.register_map.name == name


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("known", [ONE, LOAD], ids=["one", "three"])
def test_every_run_of_a_shipped_map_can_be_read(name: str, known: Known) -> None:
    """Whole, in pieces of the largest read, on a meter of one phase and of three."""
    wire = Wire(name, known)
    plan = wire.rack.stations[0].register_map
    for area, function in ((Area.HOLDING, 3), (Area.INPUT, 4)):
        for run in plan.runs(area):
            for start in range(run.start, run.stop, plan.largest_read):
                wire.read(function, start, min(plan.largest_read, run.stop - start))
