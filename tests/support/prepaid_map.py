"""A register map of tests with every plain write: credit, force control, settings, coils."""

from __future__ import annotations

from protocols.data_model import items
from protocols.modbus.areas import Area
from protocols.modbus.plain_writes import ForceControl, PlainCredit
from protocols.modbus.register_map import RegisterMap
from protocols.modbus.register_parts import Register, Section, Span
from protocols.modbus.value_layout import Layout, ValueType

U16, MONEY = Layout(ValueType.U16), Layout(ValueType.U32, 2)
OFF = Layout(ValueType.U32, 2, off=0xFFFF_FFFF)
CREDIT, CONTROL, LIMITS, COILS = 0x46, 0x57, 0x100, 0x20
TURN_OFF, TURN_ON, DIRECT = 0xAAAA, 0x5555, 0x1111
PREPAID = RegisterMap(
    "prepaid",
    (
        Section(
            "Account",
            (
                Register(Area.REGISTERS, CREDIT, items.PURCHASE_COUNT, U16),
                Register(Area.REGISTERS, CREDIT + 1, items.REMAINING_CREDIT, MONEY),
                Register(Area.HOLDING, CONTROL, items.SUPPLY_SWITCH, U16),
            ),
        ),
        Section(
            "Settings",
            (
                Register(Area.HOLDING, LIMITS, items.LOW_CREDIT_1, OFF, writable=True),
                Register(Area.HOLDING, LIMITS + 2, items.LOW_CREDIT_2, OFF, writable=True),
                Register(Area.HOLDING, LIMITS + 4, items.TRIP_MODE, U16, writable=True),
                Register(Area.HOLDING, LIMITS + 5, items.OVERDRAFT_LIMIT, MONEY),
                Register(Area.HOLDING, LIMITS + 7, items.RECONNECT_MODE, U16, writable=True),
                Register(Area.HOLDING, LIMITS + 8, items.LOW_CREDIT_1, OFF, writable=True),
                Register(
                    Area.COIL,
                    COILS,
                    items.FRIENDLY_WEEKENDS,
                    Layout(ValueType.BOOL),
                    writable=True,
                ),
                Register(
                    Area.COIL,
                    COILS + 1,
                    items.TAMPER_TRIP,
                    Layout(ValueType.BOOL, bit="magnet"),
                    writable=True,
                ),
            ),
        ),
    ),
    scratch=(Span(Area.HOLDING, LIMITS + 10, 2), Span(Area.COIL, COILS + 2, 2)),
    credit=PlainCredit(CREDIT, U16, MONEY),
    control=ForceControl(
        Area.HOLDING, CONTROL, {TURN_OFF: "interrupt", TURN_ON: "permit", DIRECT: "direct"}
    ),
)
"""Purchase count, remaining credit and force control lie where some prepaid meters have them."""
