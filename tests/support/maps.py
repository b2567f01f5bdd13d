"""Register maps of tests: the native one, and a small one that differs from it in every way."""

from __future__ import annotations

from protocols.data_model import items
from protocols.modbus.areas import Area
from protocols.modbus.native_map import NATIVE_MAP
from protocols.modbus.pdu import Function
from protocols.modbus.register_map import RegisterMap
from protocols.modbus.register_parts import Constant, Register, Section, Span
from protocols.modbus.sealed_windows import SealedWindows
from protocols.modbus.tariff_window import TariffWindow
from protocols.modbus.value_layout import Layout, Order, ValueType

PLACES = tuple(one for one in NATIVE_MAP.registers if one.area & Area.REGISTERS)
"""Where items lie in the registers of the native map."""
ADDRESS = {one.item.name: one.address for one in reversed(PLACES)}
"""The first of the addresses of each item."""
assert NATIVE_MAP.windows is not None
WINDOWS: SealedWindows = NATIVE_MAP.windows
assert NATIVE_MAP.tariff is not None
TARIFF_WINDOW: TariffWindow = NATIVE_MAP.tariff
assert NATIVE_MAP.mark is not None
MAGIC = NATIVE_MAP.mark.data
SCRATCH, SCRATCH_COILS = NATIVE_MAP.scratch
STATUS_INPUTS = NATIVE_MAP.runs(Area.DISCRETE)[0].stop
"""Number of discrete inputs of the native map: the bits of the status word."""
PURCHASE_LIST = NATIVE_MAP.row_lists[0]
EVENT_WINDOW = NATIVE_MAP.row_windows[0]

_ENERGY = Layout(ValueType.U32, 1, word_order=Order.LOW_FIRST)
_OFF = Layout(ValueType.U32, 2, off=0, byte_order=Order.LOW_FIRST)
SMALL_MAP = RegisterMap(
    "small",
    (
        Section(
            "Energies in 0.1 kWh, the low word first",
            (
                Register(Area.INPUT, 1000, items.ENERGY_IMPORT, _ENERGY),
                Register(Area.INPUT, 1002, items.ENERGY_EXPORT, _ENERGY),
                Register(Area.INPUT, 1010, items.ENERGY_MONTH, _ENERGY),
            ),
        ),
        Section(
            "Account",
            (
                Register(Area.INPUT, 65_532, items.SERIAL_NUMBER, Layout(ValueType.BCD, size=4)),
                Register(Area.INPUT, 40, items.AVAILABLE_CREDIT, Layout(ValueType.S32, 1)),
                Register(Area.HOLDING, 40, items.LOW_CREDIT_1, _OFF),
                Register(Area.HOLDING, 42, items.TRIP_MODE, Layout(ValueType.U16)),
            ),
        ),
        Section(
            "Switch",
            (
                Register(Area.DISCRETE, 7, items.SUPPLY_SWITCH, Layout(ValueType.BITS, size=1)),
                Register(Area.DISCRETE, 8, items.GUARANTEE, Layout(ValueType.BITS, size=1)),
                Register(Area.COIL, 100, items.TAMPER_TRIP, Layout(ValueType.BITS, size=3)),
            ),
        ),
    ),
    constants=(Constant(Area.HOLDING, 43, bytes.fromhex("cafe")),),
    zeros=(Span(Area.HOLDING, 500, 100),),
    scratch=(Span(Area.HOLDING, 700, 2), Span(Area.COIL, 103, 2), Span(Area.HOLDING, 710, 1)),
    identification={0: b"another", 1: b"small", 2: b"3"},
    functions=frozenset(Function) - {Function.DIAGNOSTICS},
    largest_read=60,
)
"""Input and holding registers differ, gaps are refused with exception 02, and there is no mark, no
table and no window."""


def map_text(name: str) -> str:
    """Return the text of a map file: energy in input register 72, credit at 5000H."""
    return f"""\
format = 1
name = "{name}"
title = "A map of the tests"
[[source]]
text = "nothing but the tests"
confidence = "memory"
[[register]]
area = "input"
address = 72
type = "f32"
item = "energy_import_kwh"
[[register]]
area = "holding"
address = 20480
type = "s32"
item = "available_credit"
decimals = 2
[[scratch]]
area = "holding"
address = 256
size = 4
"""
