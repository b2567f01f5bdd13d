"""The native Modbus map: address of each item, table and window (DESIGN.md 5.4).

docs/register-map.md is generated from it. Holding and input registers carry the same map. From
address 0 there are no gaps up to `MAP_END`; unused registers read 0. Numbers are big-endian, the
high register first. Energy wraps at 1,000,000.00 kWh, money saturates at 999,999.99 with a status
bit; the `_exact` registers are 64-bit. "Off" is all ones.
"""

from __future__ import annotations

from protocols.data_model import items
from protocols.data_model.items import Item
from protocols.data_model.kinds import Digits, Optional
from protocols.data_model.tables import (
    BILLING_FREEZES,
    DAILY_FREEZES,
    EVENTS,
    PROFILE,
    PURCHASES,
    UTC_OFFSETS,
)
from protocols.modbus.areas import Area
from protocols.modbus.register_map import RegisterMap
from protocols.modbus.register_parts import Constant, Register, RowList, RowWindow, Section, Span
from protocols.modbus.sealed_windows import SealedWindows
from protocols.modbus.tariff_window import TariffWindow
from protocols.modbus.value_layout import Layout, ValueType

MAP_END = 504
U16, S16, U32, S32 = ValueType.U16, ValueType.S16, ValueType.U32, ValueType.S32
U64, S64, BCD = ValueType.U64, ValueType.S64, ValueType.BCD
_Entry = tuple[Item, ValueType, int]
"""An item, the type of its registers and its decimals."""


def _section(title: str, address: int, *entries: _Entry) -> Section:
    """Return a section whose registers follow each other from an address on."""
    registers = []
    for item, kind, decimals in entries:
        register = Register(Area.REGISTERS, address, item, _layout(item, kind, decimals))
        registers.append(register)
        address += register.width
    return Section(title, tuple(registers))


def _layout(item: Item, kind: ValueType, decimals: int) -> Layout:
    size = (item.kind.count + 3) // 4 if isinstance(item.kind, Digits) else 0
    off = Layout(kind).all_ones if isinstance(item.kind, Optional) else None
    return Layout(kind, decimals, off, size)


def _each(several: tuple[Item, ...], kind: ValueType, decimals: int) -> list[_Entry]:
    return [(item, kind, decimals) for item in several]


_ENERGIES = (
    items.ENERGY_IMPORT,
    items.ENERGY_EXPORT,
    *items.ENERGY_RATES,
    items.ENERGY_MONTH,
    items.ENERGY_YEAR,
)
_FURTHER_ENERGIES = (
    items.ENERGY_TOTAL,
    *items.ENERGY_IMPORTS,
    *items.ENERGY_EXPORTS,
    *items.ENERGY_TOTALS,
    items.REACTIVE_IMPORT,
    items.REACTIVE_EXPORT,
    items.REACTIVE_TOTAL,
    items.APPARENT_TOTAL,
)
_BOOKS = (
    items.OPENING_BALANCE,
    items.CREDITED,
    items.REFUNDED,
    items.SETTLED,
    items.CONSUMPTION_CHARGED,
    items.STANDING_CHARGED,
    items.INSTALMENTS_TAKEN,
    items.DEBT_ENTERED,
    items.DEBT_FROM_TOP_UPS,
)

_SECTIONS = (
    _section(
        "Identity",
        2,
        (items.SERIAL_NUMBER, BCD, 0),
        (items.EPOCH, U32, 0),
        (items.METER_TYPE, U16, 0),
        (items.ACCOUNT_UNIT, U16, 0),
        (items.FIRMWARE_VERSION, U16, 0),
    ),
    _section(
        "Clock and status",
        10,
        (items.CLOCK, U64, 0),
        (items.UTC_OFFSET, S16, 0),
        (items.ELAPSED, U64, 0),
        (items.STATUS, U32, 0),
        (items.EVENT_NUMBER, U32, 0),
    ),
    _section(
        "Supply",
        32,
        (items.SUPPLY_STATE, U16, 0),
        (items.SUPPLY_CAUSES, U16, 0),
        (items.SUPPLY_COMMANDED, U16, 0),
        (items.SUPPLY_SWITCH, U16, 0),
        (items.LOW_CREDIT_WARNING, U16, 0),
        (items.TRIP_PENDING, U16, 0),
        (items.TRIP_DUE, U64, 0),
        (items.AMOUNT_TO_RECONNECT, U32, 2),
        (items.GUARANTEE, U16, 0),
        (items.MORATORIUM, U32, 0),
        (items.OVERLOAD_COUNT, U16, 0),
    ),
    _section(
        "Account",
        64,
        (items.AVAILABLE_CREDIT, S32, 2),
        (items.REMAINING_CREDIT, U32, 2),
        (items.OVERDRAFT, U32, 2),
        (items.DEBT, U32, 2),
        (items.AVAILABLE_CREDIT_EXACT, S64, 10),
        (items.ACCOUNT_STATE, U16, 0),
        (items.CUSTOMER_NUMBER, BCD, 0),
        (items.PURCHASE_COUNT, U32, 0),
        (items.CUMULATIVE_PURCHASED, U32, 2),
        (items.CREDIT_SEQUENCE, U32, 0),
        (items.COMMAND_SEQUENCE, U32, 0),
        (items.KEY_VERSION, U16, 0),
        (items.KEY_CHECK_VALUE, U32, 0),
        (items.CARD_SERIAL, U64, 0),
        (items.ILLEGAL_INSERTIONS, U16, 0),
    ),
    _section("Energies in 0.01 kWh", 96, *_each(_ENERGIES, U32, 2)),
    _section("Energies in 0.000001 kWh", 112, *_each(_ENERGIES, U64, 6)),
    _section(
        "Instantaneous values",
        144,
        *_each(items.VOLTAGES, U32, 3),
        *_each(items.CURRENTS, S32, 3),
        (items.ACTIVE_POWER, S64, 6),
        *_each(items.ACTIVE_POWERS, S64, 6),
        (items.REACTIVE_POWER, S64, 6),
        (items.APPARENT_POWER, S64, 6),
        (items.POWER_FACTOR, U16, 4),
        (items.FREQUENCY, U16, 2),
        (items.MAXIMUM_DEMAND, S64, 6),
        (items.MAXIMUM_DEMAND_AT, U64, 0),
    ),
    _section(
        "Books, 1e-10 account unit", 192, *_each((*_BOOKS, items.AVAILABLE_CREDIT_EXACT), S64, 10)
    ),
    _section(
        "Thresholds and settings",
        232,
        (items.LOW_CREDIT_1, U32, 2),
        (items.LOW_CREDIT_2, U32, 2),
        (items.OVERDRAFT_LIMIT, U32, 2),
        (items.MAX_CREDIT, U32, 2),
        (items.RECONNECT_THRESHOLD, U32, 2),
        (items.TRIP_MODE, U16, 0),
        (items.RECONNECT_MODE, U16, 0),
        (items.TRIP_DELAY, U16, 0),
        (items.REMOTE_TRIP_DELAY, U16, 0),
        (items.POWER_LIMIT, U64, 6),
        (items.POWER_LIMIT_DELAY, U32, 0),
        (items.OVERLOAD_RECONNECT, U32, 0),
        (items.OVERLOAD_ATTEMPTS, U16, 0),
        (items.OVERLOAD_RESET, U32, 0),
        (items.UNOPENED_SUPPLY, U16, 0),
        (items.TAMPER_TRIP, U16, 0),
        (items.STANDING_CHARGE, U32, 2),
        (items.DEBT_INSTALMENT, U32, 2),
        (items.DEBT_SHARE, U16, 0),
        (items.FRIENDLY_HOURS, U64, 0),
        (items.FRIENDLY_WEEKENDS, U16, 0),
        (items.FRIENDLY_HOLIDAYS, U16, 0),
        (items.STRICT_SUSPENSION, U16, 0),
        (items.PHASE_SUMMATION, U16, 0),
        (items.REVERSE_CHARGED, U16, 0),
    ),
    _section(
        "Tariff",
        288,
        (items.CURRENT_RATE, U16, 0),
        (items.CURRENT_STEP, U16, 0),
        (items.CURRENT_PRICE, U32, 4),
        *_each(items.PRICES, U32, 4),
        *_each(items.STEP_LIMITS, U64, 6),
        *_each(items.STEP_ADDITIONS, U32, 4),
        (items.STEP_PERIOD, U16, 0),
        (items.BILLING_DAY, BCD, 0),
        (items.BILLING_YEAR, BCD, 0),
        (items.TARIFF_ACTIVATION, U64, 0),
    ),
    _section(
        "Further instantaneous values",
        352,
        *_each(items.LINE_VOLTAGES, U32, 3),
        (items.VOLTAGE_MEAN, U32, 3),
        (items.LINE_VOLTAGE_MEAN, U32, 3),
        (items.CURRENT_NEUTRAL, U32, 3),
        (items.CURRENT_MEAN, U32, 3),
        (items.CURRENT_SUM, U32, 3),
        *_each(items.REACTIVE_POWERS, S64, 6),
        *_each(items.APPARENT_POWERS, S64, 6),
        *_each(items.POWER_FACTORS, U16, 4),
        *_each(items.PHASE_ANGLES, S16, 2),
        (items.PHASE_ANGLE, S16, 2),
        (items.DEMAND, S64, 6),
    ),
    _section("Further energies in 0.01 kWh, kvarh, kVAh", 416, *_each(_FURTHER_ENERGIES, U32, 2)),
    _section(
        "Further energies in 0.000001 kWh, kvarh, kVAh", 448, *_each(_FURTHER_ENERGIES, U64, 6)
    ),
)

_STATUS_INPUTS = Register(Area.DISCRETE, 0, items.STATUS, Layout(ValueType.BITS, size=32))
_SCRATCH = (Span(Area.REGISTERS, 0x2000, 16), Span(Area.COIL, 0, 16))
"""For write tests, broadcast included."""

NATIVE_MAP = RegisterMap(
    "native",
    (*_SECTIONS, Section("Discrete inputs", (_STATUS_INPUTS,))),
    mark=Constant(Area.REGISTERS, 0, b"PPM1"),
    zeros=(Span(Area.REGISTERS, 0, MAP_END),),
    scratch=_SCRATCH,
    row_lists=(RowList(512, PURCHASES, PURCHASES.depth),),
    row_windows=(
        RowWindow(0x1000, EVENTS, 6),
        RowWindow(0x1100, PROFILE, 20),
        RowWindow(0x1200, DAILY_FREEZES, 3, older_rows=True),
        RowWindow(0x1300, BILLING_FREEZES, 3, older_rows=True),
        RowWindow(0x1380, UTC_OFFSETS, 16),
        RowWindow(0x1800, DAILY_FREEZES, 3),
        RowWindow(0x1900, BILLING_FREEZES, 3),
    ),
    windows=SealedWindows(0x1400),
    tariff=TariffWindow(0x1A00),
    identification={
        0: b"prepaid-meter",
        1: b"PPM1",
        2: b"1",
        4: b"Simulated prepaid electricity meter",
        5: b"PPM1 native map",
    },
)
"""The map that meters have and hosts expect where no other is chosen.

The mark is of a prepaid meter with version 1 of this map; registers 0 to 9 never change. Objects of
function 43/14: vendor, product code, revision, product name, model.
"""
