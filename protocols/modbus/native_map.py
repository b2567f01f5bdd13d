"""The native Modbus map: address of each item, table and window (DESIGN.md 5.4).

docs/register-map.md is generated from it. Holding and input registers carry the same map. From
address 0 there are no gaps up to `MAP_END`; unused registers read 0. Numbers are big-endian, the
high register first. Energy wraps at 1,000,000.00 kWh, money saturates at 999,999.99 with a status
bit; the `_exact` registers are 64-bit. "Off" is all ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from struct import Struct
from typing import Any

from protocols.data_model import items
from protocols.data_model.items import Item
from protocols.data_model.kinds import ENERGY, MONEY, Digits, Fixed, Optional
from protocols.data_model.tables import BILLING_FREEZES, DAILY_FREEZES, EVENTS, PROFILE, PURCHASES
from protocols.errors import MalformedMessageError
from protocols.quantities import ENERGY_WRAP
from protocols.sealed_message import Answer, Receipt
from protocols.sealed_status import SealedStatus

MAGIC = b"PPM1"
"""Registers 0 and 1: a prepaid meter with version 1 of this map."""
BLOCK = 32
IDENTITY_END = 10


@dataclass(frozen=True, slots=True)
class Place:
    """Place of an item: first register, big-endian struct code, decimals of a fixed-point value."""

    address: int
    item: Item
    code: str
    decimals: int = 0

    @property
    def registers(self) -> int:
        """Number of registers of the value."""
        return Struct(">" + self.code).size // 2

    def packer(self) -> Callable[[Any], bytes]:
        """Return the function that encodes a value into its registers."""
        return _packer(self)

    def unpack(self, data: bytes) -> Any:
        """Return the value of the registers in the item's kind; raises MalformedMessageError."""
        if len(data) != 2 * self.registers:
            raise MalformedMessageError(
                f"{self.item.name} has {self.registers} registers, not {len(data)} bytes"
            )
        (raw,) = Struct(">" + self.code).unpack(data)
        if isinstance(self.item.kind, Digits):
            digits: str = raw.hex()[-self.item.kind.count :]
            if not digits.isdigit():
                raise MalformedMessageError(f"{self.item.name}: {digits} is no packed BCD")
            return digits
        kind = self.item.kind
        if isinstance(kind, Optional):
            if raw == _off(self.code):
                return None
            kind = kind.inner
        return raw * 10 ** (kind.decimals - self.decimals) if isinstance(kind, Fixed) else raw


def _off(code: str) -> int:
    return int((1 << 8 * Struct(">" + code).size) - 1)


def _bounds(code: str) -> tuple[int, int]:
    bits = 8 * Struct(">" + code).size
    return (-(1 << bits - 1), (1 << bits - 1) - 1) if code.islower() else (0, (1 << bits) - 1)


MONEY_CENTS = 99_999_999


def _packer(place: Place) -> Callable[[Any], bytes]:
    pack = Struct(">" + place.code).pack
    kind = place.item.kind
    if isinstance(kind, Digits):
        width = Struct(">" + place.code).size * 2
        return lambda value: pack(bytes.fromhex(value.rjust(width, "0")))
    if isinstance(kind, Optional):
        scale, off = 10 ** (kind.inner.decimals - place.decimals), _off(place.code)
        return lambda value: pack(off if value is None else value // scale)
    if not isinstance(kind, Fixed):
        return lambda value: pack(int(value))
    scale = 10 ** (kind.decimals - place.decimals)
    low, high = _bounds(place.code)
    if kind == ENERGY:
        return lambda value: pack(value % ENERGY_WRAP // scale)
    if kind.decimals == MONEY.decimals and place.decimals == 2:
        low, high = max(low, -MONEY_CENTS), min(high, MONEY_CENTS)

    def number(value: int) -> bytes:
        cut = value // scale if value >= 0 else -(-value // scale)
        return pack(min(max(cut, low), high))

    return number


def _section(address: int, *entries: tuple[Item, str, int]) -> list[Place]:
    places = []
    for item, code, decimals in entries:
        place = Place(address, item, code, decimals)
        places.append(place)
        address += place.registers
    return places


def _each(several: tuple[Item, ...], code: str, decimals: int) -> list[tuple[Item, str, int]]:
    return [(item, code, decimals) for item in several]


_ENERGIES = (
    items.ENERGY_IMPORT,
    items.ENERGY_EXPORT,
    *items.ENERGY_RATES,
    items.ENERGY_MONTH,
    items.ENERGY_YEAR,
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

SECTIONS: dict[str, list[Place]] = {
    "Identity": _section(
        2,
        (items.SERIAL_NUMBER, "6s", 0),
        (items.EPOCH, "I", 0),
        (items.METER_TYPE, "H", 0),
        (items.ACCOUNT_UNIT, "H", 0),
        (items.FIRMWARE_VERSION, "H", 0),
    ),
    "Clock and status": _section(
        10,
        (items.CLOCK, "Q", 0),
        (items.UTC_OFFSET, "h", 0),
        (items.ELAPSED, "Q", 0),
        (items.STATUS, "I", 0),
        (items.EVENT_NUMBER, "I", 0),
    ),
    "Supply": _section(
        32,
        (items.SUPPLY_STATE, "H", 0),
        (items.SUPPLY_CAUSES, "H", 0),
        (items.SUPPLY_COMMANDED, "H", 0),
        (items.SUPPLY_SWITCH, "H", 0),
        (items.LOW_CREDIT_WARNING, "H", 0),
        (items.TRIP_PENDING, "H", 0),
        (items.TRIP_DUE, "Q", 0),
        (items.AMOUNT_TO_RECONNECT, "I", 2),
        (items.GUARANTEE, "H", 0),
        (items.MORATORIUM, "I", 0),
        (items.OVERLOAD_COUNT, "H", 0),
    ),
    "Account": _section(
        64,
        (items.AVAILABLE_CREDIT, "i", 2),
        (items.REMAINING_CREDIT, "I", 2),
        (items.OVERDRAFT, "I", 2),
        (items.DEBT, "I", 2),
        (items.AVAILABLE_CREDIT_EXACT, "q", 10),
        (items.ACCOUNT_STATE, "H", 0),
        (items.CUSTOMER_NUMBER, "6s", 0),
        (items.PURCHASE_COUNT, "I", 0),
        (items.CUMULATIVE_PURCHASED, "I", 2),
        (items.CREDIT_SEQUENCE, "I", 0),
        (items.COMMAND_SEQUENCE, "I", 0),
        (items.KEY_VERSION, "H", 0),
        (items.KEY_CHECK_VALUE, "I", 0),
        (items.CARD_SERIAL, "Q", 0),
        (items.ILLEGAL_INSERTIONS, "H", 0),
    ),
    "Energies in 0.01 kWh": _section(96, *_each(_ENERGIES, "I", 2)),
    "Energies in 0.000001 kWh": _section(112, *_each(_ENERGIES, "Q", 6)),
    "Instantaneous values": _section(
        144,
        *_each(items.VOLTAGES, "I", 3),
        *_each(items.CURRENTS, "i", 3),
        (items.ACTIVE_POWER, "q", 6),
        *_each(items.ACTIVE_POWERS, "q", 6),
        (items.REACTIVE_POWER, "q", 6),
        (items.APPARENT_POWER, "q", 6),
        (items.POWER_FACTOR, "H", 4),
        (items.FREQUENCY, "H", 2),
        (items.MAXIMUM_DEMAND, "q", 6),
        (items.MAXIMUM_DEMAND_AT, "Q", 0),
    ),
    "Books, 1e-10 account unit": _section(
        192, *_each((*_BOOKS, items.AVAILABLE_CREDIT_EXACT), "q", 10)
    ),
    "Thresholds and settings": _section(
        232,
        (items.LOW_CREDIT_1, "I", 2),
        (items.LOW_CREDIT_2, "I", 2),
        (items.OVERDRAFT_LIMIT, "I", 2),
        (items.MAX_CREDIT, "I", 2),
        (items.RECONNECT_THRESHOLD, "I", 2),
        (items.TRIP_MODE, "H", 0),
        (items.RECONNECT_MODE, "H", 0),
        (items.TRIP_DELAY, "H", 0),
        (items.REMOTE_TRIP_DELAY, "H", 0),
        (items.POWER_LIMIT, "Q", 6),
        (items.POWER_LIMIT_DELAY, "I", 0),
        (items.OVERLOAD_RECONNECT, "I", 0),
        (items.OVERLOAD_ATTEMPTS, "H", 0),
        (items.OVERLOAD_RESET, "I", 0),
        (items.UNOPENED_SUPPLY, "H", 0),
        (items.TAMPER_TRIP, "H", 0),
        (items.STANDING_CHARGE, "I", 2),
        (items.DEBT_INSTALMENT, "I", 2),
        (items.DEBT_SHARE, "H", 0),
        (items.FRIENDLY_HOURS, "Q", 0),
        (items.FRIENDLY_WEEKENDS, "H", 0),
        (items.FRIENDLY_HOLIDAYS, "H", 0),
        (items.STRICT_SUSPENSION, "H", 0),
        (items.PHASE_SUMMATION, "H", 0),
        (items.REVERSE_CHARGED, "H", 0),
    ),
    "Tariff": _section(
        288,
        (items.CURRENT_RATE, "H", 0),
        (items.CURRENT_STEP, "H", 0),
        (items.CURRENT_PRICE, "I", 4),
        *_each(items.PRICES, "I", 4),
        *_each(items.STEP_LIMITS, "Q", 6),
        *_each(items.STEP_ADDITIONS, "I", 4),
        (items.STEP_PERIOD, "H", 0),
        (items.BILLING_DAY, "2s", 0),
        (items.BILLING_YEAR, "2s", 0),
        (items.TARIFF_ACTIVATION, "Q", 0),
    ),
}
PLACES: tuple[Place, ...] = tuple(place for section in SECTIONS.values() for place in section)
MAP_END = 352

BEST_PLACES: dict[Item, tuple[Place, ...]] = {}
"""Places of an item with the most decimals; a driver may read any of them."""
for _place in PLACES:
    _best = BEST_PLACES.get(_place.item, ())
    if not _best or _place.decimals > _best[0].decimals:
        BEST_PLACES[_place.item] = (_place,)
    elif _place.decimals == _best[0].decimals:
        BEST_PLACES[_place.item] = (*_best, _place)
BEST_PLACE: dict[Item, Place] = {item: places[0] for item, places in BEST_PLACES.items()}
"""The first of the best places of an item."""


@dataclass(frozen=True, slots=True)
class RowWindow:
    """A cursor window: write the number of the first row (u32, 0 = the newest rows), read the rows.

        address      cursor, u32
        address + 2  number of the first row, u32 · row count, u16 · the rows, oldest first

    Made for function 23, which writes the cursor and reads the rows in one exchange. The cursor
    belongs to the session.
    """

    address: int
    name: str
    row_size: int
    rows: int

    @property
    def read_address(self) -> int:
        """First register of the read part."""
        return self.address + 2

    @property
    def read_registers(self) -> int:
        """Number of registers of the read part."""
        return 3 + self.rows * self.row_size // 2


PURCHASE_ADDRESS = 512
PURCHASE_REGISTERS = PURCHASES.row_size // 2
"""The last ten purchases, newest first, one row after another; absent rows read 0."""
EVENT_WINDOW = RowWindow(0x1000, "events", EVENTS.row_size, 6)
PROFILE_WINDOW = RowWindow(0x1100, "profile", PROFILE.row_size, 20)
DAILY_WINDOW = RowWindow(0x1200, "daily_freezes", DAILY_FREEZES.row_size, 3)
BILLING_WINDOW = RowWindow(0x1300, "billing_freezes", BILLING_FREEZES.row_size, 3)
ROW_WINDOWS = (EVENT_WINDOW, PROFILE_WINDOW, DAILY_WINDOW, BILLING_WINDOW)

RECEIPT_ADDRESS = 0x1400
"""Write class (u16: 0 credit, 1 command) and sequence (u32); read at + 3: size in bytes, receipt.
"""
RECEIPT_READ = RECEIPT_ADDRESS + 3
RECEIPT_REGISTERS = 1 + (Receipt.SIZE + 1) // 2
MESSAGE_ADDRESS = 0x1500
"""Write total, offset and size in bytes, commit, then the part, padded to registers.

Commit 1 delivers the message to the meter.
"""
MESSAGE_HEAD = Struct(">HHHH")
MESSAGE_PART = 200
"""Bytes in one part: fits function 16 and function 23."""
ANSWER_ADDRESS = 0x1600
"""Read state (0 none, 1 answered), answer, size of the receipt, receipt.

They belong to the last message of this session.
"""
ANSWER_HEAD_REGISTERS = 1 + Answer.SIZE // 2
ANSWER_REGISTERS = ANSWER_HEAD_REGISTERS + RECEIPT_REGISTERS

STATUS_ADDRESS = 0x1700
"""Write a nonce (4 registers), a journal number (2) and the key version (1, high byte 0)."""
STATUS_QUESTION = Struct(">8sIH")
STATUS_READ = STATUS_ADDRESS + STATUS_QUESTION.size // 2
"""Read size in bytes (0: no status under this version), sealed status. Function 23 does both."""
STATUS_REGISTERS = 1 + SealedStatus.SIZE // 2

SCRATCH_ADDRESS = 0x2000
SCRATCH_REGISTERS = 16
SCRATCH_COILS = 16
"""Registers and coils (from coil 0) without effect, for write tests, broadcast included."""
STATUS_INPUTS = 32
"""Discrete inputs 0 to 31: the bits of the status word."""
IDENTIFICATION = {
    0: b"prepaid-meter",
    1: b"PPM1",
    2: b"1",
    4: b"Simulated prepaid electricity meter",
    5: b"PPM1 native map",
}
"""Objects of function 43/14: vendor, product code, revision, product name, model."""
