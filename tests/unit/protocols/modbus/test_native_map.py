"""The native map: every item has its own place, whose registers hold the values of its kind."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from protocols.data_model import items
from protocols.data_model.items import ITEMS, AccountUnit, Windows
from protocols.data_model.kinds import (
    Boolean,
    Choice,
    Date,
    Digits,
    Fixed,
    Flags,
    Hex,
    Kind,
    Moment,
    Optional,
)
from protocols.data_model.tables import TABLES
from protocols.errors import ProtocolError
from protocols.modbus import sealed_windows as w
from protocols.modbus.areas import Area
from protocols.modbus.native_map import MAP_END, NATIVE_MAP
from protocols.modbus.pdu import (
    MAX_PDU,
    MAX_READ_REGISTERS,
    MAX_READ_WRITE_REGISTERS,
    MAX_WRITE_REGISTERS,
)
from protocols.modbus.register_parts import Register
from protocols.modbus.value_layout import ValueType
from protocols.quantities import CENT, ENERGY_WRAP, KWH, LEDGER, MONEY_LIMIT
from protocols.sealed_message import MAX_MESSAGE, Answer, Receipt
from protocols.sealed_status import SealedStatus
from tests.support.maps import (
    MAGIC,
    PLACES,
    PURCHASE_LIST,
    SCRATCH,
    SCRATCH_COILS,
    STATUS_INPUTS,
    WINDOWS,
)

BEST_PLACES = NATIVE_MAP.best_registers
BEST_PLACE = {item: places[0] for item, places in BEST_PLACES.items()}


def place(name: str, decimals: int | None = None) -> Register:
    """Return the first place of an item; `decimals` selects one if its places differ in them."""
    found = [p for p in PLACES if p.item.name == name and decimals in (None, p.layout.decimals)]
    assert len({p.layout.decimals for p in found}) == 1
    return found[0]


def named(one: Register) -> str:
    return f"{one.item.name} at {one.address}"


# ---- addresses


def test_no_two_places_overlap_and_all_lie_within_the_map() -> None:
    spans = sorted((p.address, p.address + p.width) for p in PLACES)
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))
    assert spans[0][0] >= len(MAGIC) // 2
    assert spans[-1][1] <= MAP_END


def test_sections_stand_in_order_and_hold_every_place() -> None:
    assert [
        p for section in NATIVE_MAP.sections for p in section.registers if Area.HOLDING in p.area
    ] == list(PLACES)
    assert [p.address for p in PLACES] == sorted(p.address for p in PLACES)


def test_the_windows_overlap_neither_the_map_nor_each_other() -> None:
    assert NATIVE_MAP.tariff is not None
    tariff = NATIVE_MAP.tariff.extent
    spans = [
        (0, MAP_END),
        (
            PURCHASE_LIST.address,
            PURCHASE_LIST.address + PURCHASE_LIST.row_registers * TABLES["purchases"].depth,
        ),
        *((one.address, one.read_address + one.read_registers) for one in NATIVE_MAP.row_windows),
        (tariff.start, tariff.stop),
        (WINDOWS.receipt, WINDOWS.receipt_read + w.RECEIPT_REGISTERS),
        (WINDOWS.message, WINDOWS.message + (w.MESSAGE_HEAD.size + w.MESSAGE_PART) // 2),
        (WINDOWS.answer, WINDOWS.answer + w.ANSWER_REGISTERS),
        (WINDOWS.status, WINDOWS.status_read + w.STATUS_REGISTERS),
        (SCRATCH.address, SCRATCH.address + SCRATCH.size),
    ]
    spans.sort()
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))
    assert spans[-1][1] <= 0x10000


def test_no_item_is_missing_and_a_driver_reads_the_place_with_the_most_decimals() -> None:
    assert set(BEST_PLACE) == set(ITEMS)
    for item, best in BEST_PLACE.items():
        every = [p for p in PLACES if p.item == item]
        assert best in every
        assert best.layout.decimals == max(p.layout.decimals for p in every)
    assert BEST_PLACE[items.ENERGY_IMPORT].layout.decimals == 6
    assert {p.item for p in PLACES if p not in BEST_PLACE.values()} == {
        items.ENERGY_IMPORT,
        items.ENERGY_EXPORT,
        *items.ENERGY_RATES,
        items.ENERGY_MONTH,
        items.ENERGY_YEAR,
        items.ENERGY_TOTAL,
        items.AVAILABLE_CREDIT_EXACT,
        *(item for item in ITEMS if item.kept_on_request),
    }


def test_the_exact_credit_stands_beside_the_books_too_so_that_one_read_holds_their_sum() -> None:
    assert [p.address for p in BEST_PLACES[items.AVAILABLE_CREDIT_EXACT]] == [72, 228]
    assert BEST_PLACE[items.AVAILABLE_CREDIT_EXACT].address == 72
    (books,) = [
        section.registers
        for section in NATIVE_MAP.sections
        if section.title == "Books, 1e-10 account unit"
    ]
    assert books[-1] == BEST_PLACES[items.AVAILABLE_CREDIT_EXACT][1]
    assert books[-1].address + books[-1].width - books[0].address <= MAX_READ_REGISTERS
    assert all(places[0] == BEST_PLACE[item] for item, places in BEST_PLACES.items())


def test_addresses_that_integrators_write_down_are_stable() -> None:
    assert {
        name: place(name).address
        for name in (
            "serial_number",
            "epoch",
            "clock",
            "status",
            "supply_state",
            "available_credit",
            "available_credit_exact",
            "purchase_count",
            "active_power_kw",
            "low_credit_threshold_1",
            "trip_mode",
            "friendly_hours",
            "current_price",
            "tariff_activation",
        )
    } == {
        "serial_number": 2,
        "epoch": 5,
        "clock": 10,
        "status": 19,
        "supply_state": 32,
        "available_credit": 64,
        "available_credit_exact": 72,
        "purchase_count": 80,
        "active_power_kw": 156,
        "low_credit_threshold_1": 232,
        "trip_mode": 242,
        "friendly_hours": 264,
        "current_price": 290,
        "tariff_activation": 341,
    }
    assert place("energy_import_kwh", 2).address == 96
    assert place("energy_import_kwh", 6).address == 112
    assert (PURCHASE_LIST.address, WINDOWS.receipt, WINDOWS.message, WINDOWS.answer) == (
        512,
        0x1400,
        0x1500,
        0x1600,
    )
    assert (WINDOWS.status, WINDOWS.status_read) == (0x1700, 0x1707)
    assert [(one.address, one.table.name, one.rows) for one in NATIVE_MAP.row_windows] == [
        (0x1000, "events", 6),
        (0x1100, "profile", 20),
        (0x1200, "daily_freezes", 3),
        (0x1300, "billing_freezes", 3),
        (0x1380, "utc_offsets", 16),
        (0x1800, "daily_freezes", 3),
        (0x1900, "billing_freezes", 3),
    ]
    assert [one.address for one in NATIVE_MAP.row_windows if one.older_rows] == [0x1200, 0x1300]
    assert NATIVE_MAP.tariff is not None
    assert (NATIVE_MAP.tariff.address, NATIVE_MAP.tariff.read_address) == (0x1A00, 0x1A02)
    assert (SCRATCH.address, SCRATCH.size, SCRATCH_COILS.size) == (0x2000, 16, 16)
    assert MAGIC == b"PPM1"


def test_the_first_ten_registers_are_identity() -> None:
    assert {p.item for p in PLACES if p.address < 10} == {
        items.SERIAL_NUMBER,
        items.EPOCH,
        items.METER_TYPE,
        items.ACCOUNT_UNIT,
        items.FIRMWARE_VERSION,
    }
    assert all(p.address + p.width <= 10 or p.address >= 10 for p in PLACES)


def test_every_exchange_fits_one_request() -> None:
    for window in NATIVE_MAP.row_windows:
        table = TABLES[window.table.name]
        assert window.read_address == window.address + 2
        size = 68 if window.older_rows else table.row_size
        assert window.read_registers == 3 + window.rows * size // 2 <= MAX_READ_REGISTERS
    assert TABLES["purchases"].row_size == 2 * PURCHASE_LIST.row_registers
    assert 2 * w.RECEIPT_REGISTERS >= 2 + Receipt.SIZE
    assert 2 * w.ANSWER_HEAD_REGISTERS == 2 + Answer.SIZE
    assert w.ANSWER_REGISTERS == w.ANSWER_HEAD_REGISTERS + w.RECEIPT_REGISTERS <= MAX_READ_REGISTERS
    assert w.STATUS_QUESTION.size == 14
    assert 2 * w.STATUS_REGISTERS == 2 + SealedStatus.SIZE
    assert w.STATUS_REGISTERS <= MAX_READ_REGISTERS
    assert w.STATUS_QUESTION.size // 2 <= min(MAX_WRITE_REGISTERS, MAX_READ_WRITE_REGISTERS)
    part = (w.MESSAGE_HEAD.size + w.MESSAGE_PART) // 2
    assert part <= min(MAX_WRITE_REGISTERS, MAX_READ_WRITE_REGISTERS)
    assert MAX_MESSAGE <= 0xFFFF
    assert 7 + sum(2 + len(value) for value in NATIVE_MAP.identification.values()) <= MAX_PDU
    assert STATUS_INPUTS == 32


@pytest.mark.parametrize("one", PLACES, ids=named)
def test_a_place_has_a_code_that_can_hold_its_kind(one: Register) -> None:
    size = one.layout.struct.size
    assert size == 2 * one.width > 0
    kind: Kind = one.item.kind
    if isinstance(kind, Digits):
        assert one.layout.type is ValueType.BCD
        assert 2 * size >= kind.count
    elif isinstance(kind, Choice):
        assert len(kind.words) <= 256**size
    elif isinstance(kind, Flags):
        assert len(kind.words) <= 8 * size
    elif isinstance(kind, Hex):
        assert kind.digits <= 2 * size
    elif isinstance(kind, Windows | Moment):
        assert size == 8
    elif isinstance(kind, Fixed | Optional):
        inner = kind.inner if isinstance(kind, Optional) else kind
        assert 0 <= one.layout.decimals <= inner.decimals
        if inner.high is not None:  # every settable value can be read back and is not read as "off"
            assert inner.low is not None
            scale = 10 ** (inner.decimals - one.layout.decimals)
            low, high = one.layout.bounds
            assert low <= inner.low // scale
            assert inner.high // scale < high


# ---- values of registers


def samples(one: Register) -> list[Any]:
    """Return values of an item within the range and the resolution of its place."""
    kind, (low, high) = one.item.kind, one.layout.bounds
    if isinstance(kind, Digits):
        return ["0" * kind.count, "9" * kind.count, "0123456789012"[: kind.count]]
    if isinstance(kind, Optional):
        scale = 10 ** (kind.inner.decimals - one.layout.decimals)
        if kind.inner.wraps:
            return [None, 0, scale, ENERGY_WRAP - scale]
        return [None, 0, scale, 12_345 * scale, high * scale - scale]
    if isinstance(kind, Fixed):
        scale = 10 ** (kind.decimals - one.layout.decimals)
        if kind.wraps:
            return [0, scale, ENERGY_WRAP - scale]
        if one.layout.decimals == 2 and kind.decimals == 10:
            return [max(low * scale, -MONEY_LIMIT), 0, CENT, MONEY_LIMIT]
        return [low * scale, 0, scale, high * scale]
    if isinstance(kind, Choice):
        return list(range(len(kind.words)))
    if isinstance(kind, Flags):
        return [0, *(1 << bit for bit in range(len(kind.words))), (1 << len(kind.words)) - 1]
    if isinstance(kind, Hex):
        return [0, 1, 16**kind.digits - 1]
    if isinstance(kind, Windows):
        return [0, kind.pack([(1320, 360)]), kind.pack([(1320, 360), (1439, 1)])]
    assert isinstance(kind, Moment | Date | Boolean | AccountUnit)
    return [0, 1] if isinstance(kind, Boolean) else [0, 1, 156]


@pytest.mark.parametrize("one", PLACES, ids=named)
def test_a_value_in_range_comes_back(one: Register) -> None:
    pack = one.packer()
    for value in samples(one):
        data = pack(value)
        assert len(data) == 2 * one.width
        assert one.unpack(data) == value


def test_numbers_are_big_endian_with_the_high_register_first() -> None:
    assert place("available_credit").packer()(-CENT) == b"\xff\xff\xff\xff"
    assert place("available_credit").packer()(123_456_78 * CENT) == bytes.fromhex("00bc614e")
    assert place("clock").packer()(1_767_225_600_000) == bytes.fromhex("0000019b76daa800")
    assert place("serial_number").packer()("123456789012") == bytes.fromhex("123456789012")
    assert place("billing_day").packer()("2823") == bytes.fromhex("2823")
    assert place("supply_state").packer()(2) == b"\0\2"
    assert place("utc_offset_minutes").packer()(-60) == b"\xff\xc4"


@pytest.mark.parametrize(
    "name", ["available_credit", "remaining_credit", "overdraft", "debt", "cumulative_purchased"]
)
def test_money_is_cut_towards_zero(name: str) -> None:
    one = place(name)
    assert one.unpack(one.packer()(CENT - 1)) == 0
    assert one.unpack(one.packer()(1 - CENT)) == 0
    assert one.unpack(one.packer()(2 * CENT - 1)) == CENT


def test_money_saturates_at_the_largest_amount() -> None:
    credit = place("available_credit")
    for value in (MONEY_LIMIT + CENT, 10**30):
        assert credit.unpack(credit.packer()(value)) == MONEY_LIMIT
        assert credit.unpack(credit.packer()(-value)) == -MONEY_LIMIT
    for name in (
        "remaining_credit",
        "overdraft",
        "debt",
        "cumulative_purchased",
        "amount_to_reconnect",
    ):
        one = place(name)
        assert one.unpack(one.packer()(10**30)) == MONEY_LIMIT
        assert one.unpack(one.packer()(-LEDGER)) == 0


def test_exact_money_saturates_at_64_bits() -> None:
    one = place("available_credit_exact")
    assert one.unpack(one.packer()(10**30)) == 2**63 - 1
    assert one.unpack(one.packer()(-(10**30))) == -(2**63)
    assert one.unpack(one.packer()(-1)) == -1


@pytest.mark.parametrize("decimals", [2, 6])
def test_energy_wraps_at_a_million_kilowatt_hours(decimals: int) -> None:
    one = place("energy_import_kwh", decimals)
    pack = one.packer()
    scale = 10 ** (6 - decimals)
    assert one.unpack(pack(ENERGY_WRAP - 1)) == ENERGY_WRAP - scale
    assert one.unpack(pack(ENERGY_WRAP)) == 0
    assert one.unpack(pack(7 * ENERGY_WRAP + 3 * KWH)) == 3 * KWH
    assert one.unpack(pack(scale - 1)) == 0


def test_counters_and_measurements_saturate_at_their_registers() -> None:
    for name, most in (
        ("purchase_count", 2**32 - 1),
        ("overload_count", 2**16 - 1),
        ("elapsed_ms", 2**64 - 1),
    ):
        one = place(name)
        assert one.unpack(one.packer()(most + 1)) == most
        assert one.unpack(one.packer()(-1)) == 0
    power = place("active_power_kw")
    assert power.unpack(power.packer()(-1_500_000)) == -1_500_000
    current = place("current_l1_a")
    assert current.unpack(current.packer()(2**40)) == 2**31 - 1
    assert current.unpack(current.packer()(-(2**40))) == -(2**31)
    frequency = place("frequency_hz")
    assert frequency.unpack(frequency.packer()(49_987)) == 49_980
    assert frequency.unpack(frequency.packer()(2**20)) == 655_350


@pytest.mark.parametrize("one", [p for p in PLACES if isinstance(p.item.kind, Optional)], ids=named)
def test_off_is_all_ones_and_nothing_else_is_off(one: Register) -> None:
    data = one.packer()(None)
    assert data == b"\xff" * (2 * one.width)
    assert one.unpack(data) is None
    assert one.unpack(data[:-1] + b"\xfe") is not None
    assert one.unpack(bytes(2 * one.width)) == 0


def test_what_can_be_off_is_known() -> None:
    assert {p.item.name for p in PLACES if isinstance(p.item.kind, Optional)} == {
        "low_credit_threshold_1",
        "low_credit_threshold_2",
        "max_credit",
        "power_limit_kw",
        *(f"step_limit_{n}_kwh" for n in range(1, 7)),
        *(item.name for item in ITEMS if item.kept_on_request),
    }


def test_a_truth_of_the_meter_is_a_whole_register() -> None:
    one = place("guarantee")
    assert one.packer()(True) == b"\0\1"
    assert one.packer()(False) == b"\0\0"


# ---- any registers


@pytest.mark.parametrize("one", [p for p in PLACES if isinstance(p.item.kind, Digits)], ids=named)
@pytest.mark.parametrize("fill", [0xAA, 0xFF, 0x0A])
def test_registers_that_are_no_digits_are_no_digits(one: Register, fill: int) -> None:
    with pytest.raises(ProtocolError):
        one.unpack(bytes([fill]) * (2 * one.width))


def test_too_few_or_too_many_registers_are_a_protocol_error() -> None:
    for one in PLACES:
        for size in (0, 2 * one.width - 1, 2 * one.width + 2):
            with pytest.raises(ProtocolError):
                one.unpack(bytes(size))


@pytest.mark.parametrize(
    "one", [p for p in PLACES if not isinstance(p.item.kind, Digits)], ids=named
)
@pytest.mark.parametrize("fill", [0x00, 0x7F, 0x80, 0xFF])
def test_whatever_registers_hold_can_be_shown(one: Register, fill: int) -> None:
    value = one.unpack(bytes([fill]) * (2 * one.width))
    assert one.item.kind.text(value)
    assert one.item.kind.json(value)


def test_the_windows_for_sealed_messages_lie_where_the_docs_say() -> None:
    windows = NATIVE_MAP.windows
    assert windows is not None
    assert (windows.receipt, windows.receipt_read) == (0x1400, 0x1403)
    assert windows.message == 0x1500
    assert windows.answer == 0x1600
    assert (windows.status, windows.status_read) == (0x1700, 0x1707)


def test_the_map_identifies_itself() -> None:
    assert NATIVE_MAP.identification == {
        0: b"prepaid-meter",
        1: b"PPM1",
        2: b"1",
        4: b"Simulated prepaid electricity meter",
        5: b"PPM1 native map",
    }, "vendor, product code, revision, product name, model"


def test_the_windows_extend_over_their_registers() -> None:
    part = (w.MESSAGE_HEAD.size + w.MESSAGE_PART) // 2
    assert [(one.start, len(one)) for one in WINDOWS.extents] == [
        (0x1400, WINDOWS.receipt_read - 0x1400 + w.RECEIPT_REGISTERS),
        (0x1500, part),
        (0x1600, w.ANSWER_REGISTERS),
        (0x1700, 7 + w.STATUS_REGISTERS),
    ]
    assert {window.name: (one.start, len(one)) for window, one in WINDOWS.readable.items()} == {
        "RECEIPT": (WINDOWS.receipt_read, w.RECEIPT_REGISTERS),
        "STATUS": (0x1707, w.STATUS_REGISTERS),
        "ANSWER": (0x1600, w.ANSWER_REGISTERS),
    }
