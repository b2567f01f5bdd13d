"""Plain writes on a wire: what is written whole acts, all else is refused and moves nothing."""

from __future__ import annotations

from dataclasses import replace
from struct import pack
from typing import Any

import pytest

from firmware_sim.assembly import build
from firmware_sim.hal.nvram import SimulatedNvram
from firmware_sim.meter import Meter
from firmware_sim.meter_description import MeterDescription
from firmware_sim.rack.rack import Rack
from firmware_sim.records.ring import PURCHASE_RING
from firmware_sim.settings import Settings
from firmware_sim.storage.store import load
from protocols.control import CutPower, ReturnPower
from protocols.data_model import items
from protocols.data_model.words import Cause, ReconnectMode, SupplyState, Tamper, TripMode
from protocols.modbus import rtu, tcp
from protocols.modbus.areas import Area
from protocols.modbus.native_map import NATIVE_MAP
from protocols.modbus.pdu import read_request, write_request
from protocols.modbus.plain_writes import ForceControl, PlainCredit
from protocols.modbus.register_map import RegisterMap
from protocols.modbus.register_parts import Register, Section
from protocols.modbus.value_layout import NAN, Layout, Order, ValueType
from protocols.quantities import CENT, LEDGER
from protocols.sealed_message import MessageKind, Outcome
from tests.support.meters import Host, event_names
from tests.support.prepaid_map import (
    COILS,
    CONTROL,
    CREDIT,
    DIRECT,
    LIMITS,
    MONEY,
    OFF,
    PREPAID,
    TURN_OFF,
    TURN_ON,
    U16,
)
from tests.support.racks import rtu_server, tcp_server

BAD_ADDRESS, BAD_VALUE, FAILED = 2, 3, 4


class Wire:
    """A TCP wire and a serial line to one meter with a map."""

    def __init__(
        self,
        register_map: RegisterMap = PREPAID,
        *,
        unsafe_writes: bool = True,
        nvram: SimulatedNvram | None = None,
        **fields: Any,
    ) -> None:
        description = MeterDescription(unsafe_writes=unsafe_writes, **fields)
        self.rack = Rack([(1, build(description, nvram))], 0)
        station = self.rack.stations[0]
        station.register_map = register_map

        def rebuild() -> Meter:
            if nvram is not None:
                nvram.cut_after = None
            return build(description, nvram)

        station.rebuild = rebuild
        self._tcp, self._rtu = tcp_server(self.rack), rtu_server(self.rack)

    @property
    def meter(self) -> Meter:
        """The meter."""
        return self.rack.stations[0].meter

    def ask(self, pdu: bytes) -> bytes:
        """Return the reply PDU, empty where there is none."""
        return self._tcp.receive(tcp.encode(7, 1, pdu), 0)[tcp.HEADER_SIZE :]

    def code(self, pdu: bytes) -> int:
        """Return the code of the exception that answers a write, 0 where it is confirmed."""
        reply = self.ask(pdu)
        if reply[0] == pdu[0]:
            assert reply == pdu[:5]
            return 0
        assert (reply[0], len(reply)) == (pdu[0] | 0x80, 2)
        return reply[1]

    def broadcast(self, pdu: bytes) -> bytes:
        """Return what a serial line answers to a broadcast."""
        return self._rtu.receive(rtu.encode(0, pdu), 0)

    def read(self, address: int, count: int) -> bytes:
        """Return holding registers."""
        return self.ask(read_request(3, address, count))[2:]

    def limits(self, address: int, data: bytes) -> int:
        """Return the code that answers a write."""
        return self.code(write_request(address, data))

    @property
    def essence(self) -> tuple[object, ...]:
        """What a refused write must not change."""
        state = self.meter.state
        return state.account, state.settings, state.supply, list(state.numbers)


def credit(count: int, cents: int) -> bytes:
    """Return a request that writes a purchase."""
    return write_request(CREDIT, pack(">HI", count, cents))


def control(value: int) -> bytes:
    """Return a request of function 6 at the force control."""
    return pack(">BHH", 6, CONTROL, value)


def coil(address: int, *, on: bool) -> bytes:
    """Return a request of function 5."""
    return pack(">BHH", 5, address, 0xFF00 if on else 0)


def coils(address: int, count: int, bits: int) -> bytes:
    """Return a request of function 15."""
    return pack(">BHHBB", 15, address, count, 1, bits)


@pytest.fixture
def wire() -> Wire:
    """Return a wire to a meter with 20.00."""
    return Wire()


# ---- credit


def test_a_purchase_in_one_request_credits_and_the_registers_there_show_the_map(wire: Wire) -> None:
    assert wire.read(CREDIT, 3) == pack(">HI", 0, 2000)
    assert wire.code(credit(1, 5000)) == 0
    assert wire.read(CREDIT, 3) == pack(">HI", 1, 7000)
    assert wire.meter.state.account.credit == 70 * LEDGER
    assert event_names(wire.meter) == ["credit_accepted", "plain_write_accepted"]


@pytest.mark.parametrize(
    ("register_map", "unsafe_writes"),
    [(PREPAID, False), (NATIVE_MAP, True), (NATIVE_MAP, False)],
)
def test_without_unsafe_writes_or_without_a_place_nothing_is_written(
    register_map: RegisterMap, unsafe_writes: bool
) -> None:
    wire = Wire(register_map, unsafe_writes=unsafe_writes)
    before = wire.essence
    writes = (
        credit(1, 5000),
        control(TURN_OFF),
        write_request(LIMITS, pack(">I", 1)),
        pack(">BHH", 6, LIMITS + 4, 1),
        coil(COILS, on=True),
        coils(COILS, 2, 3),
    )
    assert [wire.code(pdu) for pdu in writes] == [BAD_ADDRESS] * len(writes)
    assert wire.essence == before


def test_a_count_out_of_order_and_another_amount_are_refused(wire: Wire) -> None:
    for count in (0, 2, 65_535):
        assert wire.code(credit(count, 5000)) == BAD_VALUE
    assert wire.code(credit(1, 5000)) == 0
    before = wire.essence
    assert wire.code(credit(1, 5000)) == 0, "credited already"
    assert wire.code(credit(1, 5001)) == BAD_VALUE
    assert wire.essence == before


def test_two_masters_with_the_same_count_get_one_credit_in(wire: Wire) -> None:
    """The second one is refused, unless it wrote the same amount: then it is the same purchase."""
    other = tcp_server(wire.rack)
    assert wire.code(credit(1, 5000)) == 0
    refused = other.receive(tcp.encode(1, 1, credit(1, 3000)), 0)
    assert refused[tcp.HEADER_SIZE :] == bytes((0x90, BAD_VALUE))
    taken = other.receive(tcp.encode(2, 1, credit(2, 3000)), 0)
    assert taken[tcp.HEADER_SIZE :] == credit(2, 3000)[:5]
    assert wire.meter.state.account.credit == 100 * LEDGER


@pytest.mark.parametrize(
    ("fields", "cents"),
    [
        ({}, 0),
        ({}, 99_999_999),
        ({"credit": -5 * LEDGER, "settings": Settings(overdraft_limit=9 * LEDGER)}, 100_000_000),
        ({"settings": Settings(max_credit=50 * LEDGER)}, 3001),
        ({"opened": False}, 100),
    ],
)
def test_what_a_sealed_credit_is_refused_for_is_exception_03(
    fields: dict[str, Any], cents: int
) -> None:
    wire = Wire(**fields)
    before = wire.essence
    assert wire.code(credit(1, cents)) == BAD_VALUE
    assert wire.essence == before


def test_a_closed_account_takes_no_credit(wire: Wire) -> None:
    Host(wire.meter).send(MessageKind.CLOSE)
    assert wire.code(credit(1, 100)) == BAD_VALUE
    assert wire.meter.state.account.purchases == 0


def test_a_full_storage_is_exception_04_and_the_count_stays_unused() -> None:
    device = SimulatedNvram()
    wire = Wire(nvram=device)
    device.full = True
    before = wire.essence
    for pdu in (credit(1, 100), control(TURN_OFF), write_request(LIMITS + 4, b"\0\1")):
        assert wire.code(pdu) == FAILED
    assert wire.essence == before
    device.full = False
    assert wire.code(credit(1, 100)) == 0


def test_without_power_it_is_silent(wire: Wire) -> None:
    wire.meter.handle(CutPower())
    assert wire.ask(credit(1, 100)) == wire.ask(control(TURN_OFF)) == b""
    wire.meter.handle(ReturnPower())
    assert (wire.meter.state.account.purchases, wire.meter.state.supply.causes) == (0, 0)


def test_a_purchase_is_written_whole_or_not_at_all(wire: Wire) -> None:
    before = wire.essence
    data = pack(">HI", 1, 5000)
    for pdu in (
        pack(">BHH", 6, CREDIT, 1),
        pack(">BHH", 6, CREDIT + 2, 5000),
        write_request(CREDIT, data[:2]),
        write_request(CREDIT, data[:4]),
        write_request(CREDIT + 1, data[2:]),
        write_request(CREDIT + 1, data[2:4]),
    ):
        assert wire.code(pdu) == BAD_VALUE
    for pdu in (
        write_request(CREDIT, data + bytes(2)),
        write_request(CREDIT - 1, bytes(2) + data),
        pack(">BHHH", 22, CREDIT, 0, 1),
        pack(">BHHHHB", 23, CREDIT, 3, CREDIT, 3, 6) + data,
    ):
        reply = wire.ask(pdu)
        assert reply[1:] == bytes((BAD_ADDRESS,))
    assert wire.essence == before


def test_a_broadcast_credits_sets_and_switches_nothing(wire: Wire) -> None:
    before = wire.essence
    for pdu in (
        credit(1, 5000),
        control(TURN_OFF),
        write_request(LIMITS + 4, b"\0\1"),
        coil(COILS, on=True),
        coils(COILS, 2, 3),
    ):
        assert wire.broadcast(pdu) == b""
    assert wire.essence == before
    assert wire.broadcast(write_request(LIMITS + 10, b"\1\2")) == b""
    assert wire.read(LIMITS + 10, 1) == b"\1\2", "scratch takes a broadcast"
    assert wire.code(credit(1, 5000)) == 0


@pytest.mark.parametrize("count", [65_534, 65_535, 65_536, 200_000])
def test_a_count_ends_where_its_layout_ends_and_one_that_wraps_goes_on(count: int) -> None:
    wire = Wire()
    wire.meter.state.account.purchases = count
    following = count + 1
    expected = 0 if following <= 65_535 else BAD_VALUE
    assert wire.code(credit(following % 65_536, 100)) == expected
    assert wire.code(credit(0, 100)) == BAD_VALUE

    wrapping = PlainCredit(CREDIT, replace(U16, wraps=True), MONEY)
    wire = Wire(replace(PREPAID, credit=wrapping))
    wire.meter.state.account.purchases = count
    for wrong in (count - 1, count, count + 2, count + 32_768):
        assert wire.code(credit(wrong % 65_536, 100)) == BAD_VALUE
    assert wire.code(credit(following % 65_536, 100)) == 0
    assert wire.code(credit(following % 65_536, 100)) == 0
    assert wire.code(credit(following % 65_536, 101)) == BAD_VALUE
    account = wire.meter.state.account
    assert (account.purchases, account.cumulative) == (following, LEDGER)


def test_a_count_of_32_bits_ends_before_a_purchase_record_does() -> None:
    layout = Layout(ValueType.U64)
    wire = Wire(replace(PREPAID, sections=(), credit=PlainCredit(CREDIT, layout, MONEY)))
    wire.meter.state.account.purchases = 0xFFFF_FFFE
    assert wire.limits(CREDIT, pack(">QI", 0xFFFF_FFFF, 100)) == 0
    for count in (0x1_0000_0000, 0, 1, (1 << 64) - 1):
        assert wire.limits(CREDIT, pack(">QI", count, 100)) == BAD_VALUE
    assert wire.limits(CREDIT, pack(">QI", 0xFFFF_FFFF, 100)) == 0


@pytest.mark.parametrize(
    ("layout", "data", "cents"),
    [
        (Layout(ValueType.U32, 2, word_order=Order.LOW_FIRST), "1388 0000", 5000),
        (Layout(ValueType.U16, 2, byte_order=Order.LOW_FIRST), "8813", 5000),
        (Layout(ValueType.U16), "0032", 5000),
        (Layout(ValueType.U32, 3), "0000 c350", 5000),
        (Layout(ValueType.S64, 10), "0000 0074 6a52 8800", 5000),
        (Layout(ValueType.U32, 3), "0000 c351", None),
        (Layout(ValueType.S32, 2), "ffff fff6", None),
        (Layout(ValueType.U64, 0), "ffff ffff ffff ffff", None),
        (Layout(ValueType.U64, 0), "8000 0000 0000 0000", None),
    ],
)
def test_an_amount_is_whole_cents_in_the_layout_of_the_map(
    layout: Layout, data: str, cents: int | None
) -> None:
    wire = Wire(replace(PREPAID, sections=(), credit=PlainCredit(CREDIT, U16, layout)))
    written = pack(">H", 1) + bytes.fromhex(data)
    assert wire.limits(CREDIT, written) == (BAD_VALUE if cents is None else 0)
    assert wire.meter.state.account.cumulative == (cents or 0) * CENT
    assert wire.ask(read_request(3, CREDIT, 1))[1:] == bytes((BAD_ADDRESS,))


def test_a_sealed_top_up_between_two_plain_ones_moves_the_count(wire: Wire) -> None:
    host = Host(wire.meter)
    assert wire.code(credit(1, 100)) == 0
    assert host.send(MessageKind.CREDIT, amount=100).outcome is Outcome.ACCEPTED
    assert wire.code(credit(2, 100)) == BAD_VALUE
    assert wire.read(CREDIT, 1) == b"\0\2"
    assert wire.code(credit(3, 100)) == 0
    assert wire.meter.state.security.credit_sequence == 1


class RecordingNvram(SimulatedNvram):
    """A storage that records its writes."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[tuple[int, bytes]] = []

    def write(self, offset: int, data: bytes) -> None:
        """Write and record."""
        super().write(offset, data)
        self.writes.append((offset, data))


def test_a_power_failure_at_every_byte_of_the_commit_leaves_the_credit_whole_or_absent() -> None:
    device = RecordingNvram()
    wire = Wire(nvram=device)
    torn = bytearray(device.data)
    device.writes.clear()
    assert wire.code(credit(1, 5000)) == 0
    purchases = []
    for offset, data in device.writes:
        torn.extend(bytes(max(0, offset + len(data) - len(torn))))
        for at, byte in enumerate(data):
            torn[offset + at] = byte
            found = load(SimulatedNvram(bytes(torn)))
            assert found is not None
            account = found.state.account
            purchases.append(account.purchases)
            assert account.credit == (20 + 50 * account.purchases) * LEDGER
            assert found.rings[PURCHASE_RING].last == account.purchases
    assert purchases == sorted(purchases)
    assert (purchases[0], purchases[-1]) == (0, 1)


def test_a_write_that_the_power_failure_cut_is_silent_and_the_same_request_again_credits_once() -> (
    None
):
    whole = SimulatedNvram()
    wire = Wire(nvram=whole)
    written = whole.written
    assert wire.code(credit(1, 5000)) == 0
    seen = set()
    size = whole.written - written
    for cut in (*range(1, size, size // 40), size - 1, size):
        device = SimulatedNvram()
        wire = Wire(nvram=device)
        device.cut_after = cut
        assert wire.ask(credit(1, 5000)) == b""
        seen.add(wire.meter.state.account.purchases)
        assert wire.code(credit(1, 5000)) == 0
        assert wire.meter.state.account.cumulative == 50 * LEDGER
        assert wire.code(credit(1, 5001)) == BAD_VALUE
    assert seen == {0, 1}


# ---- force control


def test_force_control_is_the_remote_cause_and_a_permit(wire: Wire) -> None:
    assert wire.code(control(TURN_OFF)) == 0
    assert wire.meter.state.supply.causes == Cause.REMOTE
    assert wire.read(CONTROL, 1) == b"\0\0"
    assert wire.code(control(TURN_ON)) == 0
    assert wire.meter.state.supply.state is SupplyState.READY_FOR_RECONNECTION
    assert wire.limits(CONTROL, pack(">H", DIRECT)) == 0
    assert wire.meter.state.supply.closed


def test_a_number_without_a_meaning_and_an_interrupt_under_the_guarantee_are_refused() -> None:
    wire = Wire(guarantee=True)
    for value in (0, 1, 0xFFFF, TURN_OFF):
        assert wire.code(control(value)) == BAD_VALUE
    assert wire.meter.state.supply.closed
    assert wire.code(control(TURN_ON)) == 0


def test_a_coil_may_control_by_function_5_and_15() -> None:
    register_map = replace(
        PREPAID, control=ForceControl(Area.COIL, 9, {0: "interrupt", 1: "permit"})
    )
    wire = Wire(register_map)
    assert wire.code(coil(9, on=False)) == 0
    assert wire.meter.state.supply.causes == Cause.REMOTE
    assert wire.code(coils(9, 1, 1)) == 0
    assert wire.meter.state.supply.state is SupplyState.READY_FOR_RECONNECTION
    assert wire.code(coils(9, 2, 0)) == BAD_ADDRESS
    assert wire.code(control(TURN_OFF)) == BAD_ADDRESS
    assert wire.broadcast(coil(9, on=False)) == b""
    assert not wire.meter.state.supply.causes


def test_an_order_of_two_registers_is_written_whole() -> None:
    register_map = replace(
        PREPAID,
        control=ForceControl(Area.HOLDING, 0x300, {0x0000_5AA5: "interrupt"}, size=2),
    )
    wire = Wire(register_map)
    for address in (0x300, 0x301):
        assert wire.code(pack(">BHH", 6, address, 0x5AA5)) == BAD_VALUE
    assert wire.limits(0x300, bytes.fromhex("00005aa5")) == 0
    assert wire.meter.state.supply.causes == Cause.REMOTE


# ---- settings


def test_a_written_setting_is_set_under_the_rules_between_settings(wire: Wire) -> None:
    assert wire.limits(LIMITS, pack(">I", 1000)) == 0
    assert wire.read(LIMITS, 2) == pack(">I", 1000)
    assert wire.limits(LIMITS + 2, pack(">I", 1001)) == BAD_VALUE
    assert wire.limits(LIMITS + 2, pack(">I", 1000)) == 0
    assert wire.limits(LIMITS, pack(">I", 0xFFFF_FFFF)) == 0
    settings = wire.meter.state.settings
    assert (settings.low_credit_threshold_1, settings.low_credit_threshold_2) == (
        None,
        10 * LEDGER,
    )
    assert event_names(wire.meter).count("plain_write_accepted") == 3


def test_several_settings_of_a_request_are_one_change_all_or_nothing(wire: Wire) -> None:
    assert wire.limits(LIMITS, pack(">IIH", 1000, 500, TripMode.DIRECT)) == 0
    before = wire.essence
    for values in ((400, 500, 0), (2000, 500, 9), (2000, 2001, 0)):
        assert wire.limits(LIMITS, pack(">IIH", *values)) == BAD_VALUE
    assert wire.essence == before
    assert event_names(wire.meter).count("limits_set") == 1


def test_a_request_that_cuts_a_setting_or_writes_another_address_is_refused(wire: Wire) -> None:
    before = wire.essence
    for pdu in (
        pack(">BHH", 6, LIMITS, 1),
        write_request(LIMITS + 1, bytes(4)),
        write_request(LIMITS, bytes(6)),
    ):
        assert wire.code(pdu) == BAD_VALUE
    for pdu in (
        pack(">BHH", 6, LIMITS + 5, 1),
        write_request(LIMITS + 4, bytes(4)),
        write_request(LIMITS + 5, bytes(4)),
        write_request(LIMITS + 8, bytes(6)),
        write_request(CONTROL, pack(">HH", TURN_OFF, 1)),
    ):
        assert wire.code(pdu) == BAD_ADDRESS
    assert wire.essence == before


def test_one_setting_twice_in_a_request_has_one_value() -> None:
    twice = (
        Register(Area.HOLDING, LIMITS, items.LOW_CREDIT_1, OFF, writable=True),
        Register(Area.HOLDING, LIMITS + 2, items.LOW_CREDIT_1, OFF, writable=True),
    )
    wire = Wire(RegisterMap("twice", (Section("", twice),)))
    assert wire.limits(LIMITS, pack(">II", 100, 200)) == BAD_VALUE
    assert wire.limits(LIMITS, pack(">II", 100, 0xFFFF_FFFF)) == BAD_VALUE
    assert wire.limits(LIMITS, pack(">II", 100, 100)) == 0


def test_a_number_that_is_finer_than_the_setting_is_refused_not_cut() -> None:
    amount = Layout(ValueType.F32, off=NAN)
    watts = Layout(ValueType.F32, factor=(1, 1000), off=NAN)
    fields = (
        Register(Area.HOLDING, LIMITS, items.POWER_LIMIT, watts, writable=True),
        Register(Area.HOLDING, LIMITS + 2, items.LOW_CREDIT_1, amount, writable=True),
    )
    wire = Wire(RegisterMap("finer", (Section("", fields),)))
    assert wire.limits(LIMITS, pack(">f", 1.4e-45)) == BAD_VALUE
    assert wire.limits(LIMITS + 2, pack(">f", 3.145)) == BAD_VALUE
    assert wire.limits(LIMITS, pack(">f", 1234.5)) == 0
    assert wire.limits(LIMITS + 2, pack(">f", 3.14)) == 0
    settings = wire.meter.state.settings
    assert (settings.power_limit_mw, settings.low_credit_threshold_1) == (1_234_500, 314 * CENT)


def test_credit_control_and_settings_do_not_share_a_request() -> None:
    register_map = replace(
        PREPAID,
        sections=(Section("", (Register(Area.HOLDING, 13, items.TRIP_MODE, U16, writable=True),)),),
        credit=PlainCredit(10, U16, MONEY),
        control=ForceControl(Area.HOLDING, 14, {1: "interrupt"}),
    )
    wire = Wire(register_map)
    before = wire.essence
    assert wire.limits(10, pack(">HIH", 1, 100, 1)) == BAD_VALUE
    assert wire.limits(13, pack(">HH", 1, 1)) == BAD_VALUE
    assert wire.essence == before
    assert wire.limits(10, pack(">HI", 1, 100)) == 0


def test_settings_may_be_coils_and_one_word_of_a_set_leaves_the_others() -> None:
    wire = Wire(settings=Settings(tamper_trip=int(Tamper.COVER)))
    assert wire.code(coil(COILS, on=True)) == 0
    assert wire.code(coil(COILS + 1, on=True)) == 0
    settings = wire.meter.state.settings
    assert (settings.friendly_weekends, settings.tamper_trip) == (1, Tamper.COVER | Tamper.MAGNET)
    assert wire.code(coils(COILS, 2, 0b1101)) == 0
    settings = wire.meter.state.settings
    assert (settings.friendly_weekends, settings.tamper_trip) == (1, Tamper.COVER)
    assert wire.code(coils(COILS + 1, 2, 0)) == BAD_ADDRESS
    assert wire.code(coils(COILS + 2, 2, 3)) == 0, "scratch coils"


def test_settings_with_words_of_the_maps_own_numbers() -> None:
    layout = Layout(ValueType.U16, values={"automatic": 7, "manual": 9})
    register = Register(Area.HOLDING, 1, items.RECONNECT_MODE, layout, writable=True)
    wire = Wire(RegisterMap("own", (Section("", (register,)),)))
    assert wire.code(pack(">BHH", 6, 1, 9)) == 0
    assert wire.meter.state.settings.reconnect_mode == ReconnectMode.MANUAL
    assert wire.code(pack(">BHH", 6, 1, 1)) == BAD_VALUE
