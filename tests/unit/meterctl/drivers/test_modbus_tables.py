"""Freezes and the tariff as the driver reads them, of meters of this build and of older ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from firmware_sim.meter import Meter
from firmware_sim.metrology.load import Load
from firmware_sim.rack.rack import Rack
from firmware_sim.servers.line import Line
from meterctl.drivers.modbus import ModbusDriver
from meterctl.errors import CorruptAnswerError, RefusedError, UsageError
from protocols.data_model.tables import (
    BILLING_FREEZES,
    DAILY_FREEZES,
    PROFILE,
    PURCHASES,
    TABLES,
    UTC_OFFSETS,
    Freeze,
)
from protocols.data_model.tariff import (
    DayTables,
    Prices,
    Seasons,
    Steps,
    Tariff,
    TariffChange,
    TariffSet,
)
from protocols.modbus.native_map import NATIVE_MAP
from protocols.modbus.register_map import RegisterMap
from protocols.quantities import DAY, HOUR, LEDGER
from protocols.sealed_message import MessageKind, Outcome
from tests.support.maps import SMALL_MAP
from tests.support.meters import Host, make
from tests.support.racks import rtu_server, tcp_server
from tests.support.wire import Fault, PipeTransport

OLDER_MAP = replace(
    NATIVE_MAP,
    row_windows=tuple(one for one in NATIVE_MAP.row_windows if one.address < 0x1800),
    tariff=None,
)
"""The map of the builds before state layout 5."""
LARGEST = Tariff(
    Seasons(tuple((1, day, 1) for day in range(1, 15)), holidays=tuple((d, 2) for d in range(64))),
    DayTables((tuple((100 * entry, 1) for entry in range(14)),) * 8),
    Prices((1, 2, 3, 4)),
    Steps(tuple(10**9 * step for step in range(1, 7)), tuple(range(7)), True),
)
FRAMED = pytest.mark.parametrize("framed", [False, True], ids=["rtu", "tcp"])


def wired(
    meter: Meter,
    register_map: RegisterMap = NATIVE_MAP,
    framed: bool = True,
    fault: Fault | None = None,
) -> tuple[ModbusDriver, PipeTransport]:
    """Return a driver with the native map on the wire of a meter with a map of its own."""
    rack = Rack([(1, meter)], 0)
    rack.stations[0].register_map = register_map
    line = Line(tcp_server(rack) if framed else rtu_server(rack))
    transport = PipeTransport(line, fault, framed)
    return ModbusDriver(transport, 1, 1000, transport.clock), transport


def consumer() -> Meter:
    """Return a meter that used 2 kW at 0.5000 for three days."""
    meter = make(
        credit=100 * LEDGER, tariff=Tariff(prices=Prices((5000,))), load=Load.constant((2_000_000,))
    )
    meter.advance(3 * DAY)
    return meter


# ---- freezes


@FRAMED
def test_a_freeze_says_what_was_charged_until_then(framed: bool) -> None:
    driver, _ = wired(consumer(), framed=framed)
    rows, more = driver.rows(DAILY_FREEZES, 1)
    assert [(row.number, row.consumption_charged_exact) for row in rows] == [
        (1, 24 * LEDGER),
        (2, 48 * LEDGER),
        (3, 72 * LEDGER),
    ]
    assert more
    assert driver.rows(DAILY_FREEZES, 4) == ([], False)
    fragments = rows[0].fragments()
    assert fragments["consumption_charged_exact"] == "24.0000000000"
    assert Freeze.columns()["consumption_charged_exact"].text(None) == "not_kept"


@FRAMED
def test_of_a_meter_of_an_older_build_the_older_window_is_read_without_what_it_lacks(
    framed: bool,
) -> None:
    driver, transport = wired(consumer(), OLDER_MAP, framed)
    rows, more = driver.rows(DAILY_FREEZES, 2)
    assert [(row.number, row.available_credit) for row in rows] == [
        (2, 52 * LEDGER),
        (3, 28 * LEDGER),
    ]
    assert [row.fragments()["consumption_charged_exact"] for row in rows] == ["null", "null"]
    assert not more
    asked = transport.exchanges
    assert driver.rows(DAILY_FREEZES)[0][-1].number == 3
    assert transport.exchanges == asked + 1, "the newer window is not asked for again"
    assert driver.rows(BILLING_FREEZES) == ([], False)


def test_a_lost_reply_is_no_refusal_and_the_whole_rows_are_read() -> None:
    def lose(exchange: int, direction: str, data: bytes) -> bytes:
        return b"" if exchange == 2 and direction == "reply" else data

    driver, _ = wired(consumer(), fault=lose)
    assert driver.rows(DAILY_FREEZES, 3)[0][0].consumption_charged_exact == 72 * LEDGER


@pytest.mark.parametrize("code", [2, 3])
def test_a_single_refusal_of_the_newer_window_is_no_older_build(code: int) -> None:
    """A refusal may be a late reply to another request: 02 is asked for again, 03 says nothing."""

    def refuse(exchange: int, direction: str, data: bytes) -> bytes:
        refused = exchange == 2 and direction == "reply"
        return data[:5] + bytes((3, data[6], data[7] | 0x80, code)) if refused else data

    driver, _ = wired(consumer(), fault=refuse)
    if code == 3:
        with pytest.raises(RefusedError, match="exception 03"):
            driver.rows(DAILY_FREEZES, 3)
    assert driver.rows(DAILY_FREEZES, 3)[0][0].consumption_charged_exact == 72 * LEDGER


def test_a_meter_without_any_window_of_a_table_refuses_it() -> None:
    bare = replace(OLDER_MAP, row_windows=())
    with pytest.raises(RefusedError, match="exception 02"):
        wired(consumer(), bare)[0].rows(DAILY_FREEZES)


def test_whether_a_table_can_be_read_is_known_without_a_byte() -> None:
    driver, transport = wired(consumer())
    assert all(driver.has_rows(table) for table in TABLES.values())
    assert driver.has_tariff()
    foreign = ModbusDriver(transport, 1, 1000, transport.clock, None, SMALL_MAP)
    for table in (PURCHASES, PROFILE, DAILY_FREEZES, UTC_OFFSETS):
        assert not foreign.has_rows(table)
        with pytest.raises(UsageError, match=f"has no {table.name}; nothing was sent"):
            foreign.rows(table)
    assert not foreign.has_tariff()
    with pytest.raises(UsageError, match="has no window of the tariff; nothing was sent"):
        foreign.tariff(TariffSet.CURRENT)
    assert transport.exchanges == 0


# ---- the tariff


@FRAMED
def test_the_tariff_in_force_has_its_four_parts(framed: bool) -> None:
    driver, transport = wired(make(tariff=LARGEST), framed=framed)
    assert driver.tariff(TariffSet.CURRENT) == TariffChange(
        tuple((0, part) for part in LARGEST.parts)
    )
    assert transport.exchanges == 5 + (not framed), "contact and four parts"


@FRAMED
def test_the_parts_that_wait_have_their_instants_and_there_may_be_none(framed: bool) -> None:
    meter = make()
    driver, _ = wired(meter, framed=framed)
    assert driver.tariff(TariffSet.PENDING) == TariffChange(())
    change = TariffChange(((meter.clock + HOUR, Prices((7,))), (meter.clock + DAY, Steps())))
    sent = Host(meter).send(MessageKind.TARIFF, parameters=change.encode())
    assert sent.outcome is Outcome.ACCEPTED
    assert driver.tariff(TariffSet.PENDING) == change
    assert driver.tariff(TariffSet.CURRENT).parts[2] == (0, Prices())


def changing(meter: Meter, *exchanges: int) -> Fault:
    """Return a fault that changes the set of a meter after the replies to some exchanges."""

    def change(exchange: int, direction: str, data: bytes) -> bytes:
        if direction == "reply" and exchange in exchanges:
            state, smaller = meter.state, Seasons(holidays=((exchange, 1),))
            state.tariff = replace(state.tariff, seasons=smaller)
        return data

    return change


@pytest.mark.parametrize("exchange", [2, 3, 4])
def test_a_set_that_changes_between_two_parts_is_read_again(exchange: int) -> None:
    meter = make(tariff=LARGEST)
    driver, _ = wired(meter, fault=changing(meter, exchange))
    found = driver.tariff(TariffSet.CURRENT)
    assert found.parts == tuple((0, part) for part in meter.state.tariff.parts)
    assert found.parts[0] == (0, Seasons(holidays=((exchange, 1),)))


def test_a_set_that_changes_each_time_is_no_answer() -> None:
    meter = make(tariff=LARGEST)
    grow = [0]

    def change(exchange: int, direction: str, data: bytes) -> bytes:
        if direction == "reply":
            grow[0] += 1
            meter.state.tariff = replace(LARGEST, prices=Prices((grow[0], 2, 3, 4)))
        return data

    driver, transport = wired(meter, fault=change)
    with pytest.raises(CorruptAnswerError, match="the tariff changed each time it was read"):
        driver.tariff(TariffSet.CURRENT)
    assert transport.exchanges == 1 + 3 * 2


def replies(change: Callable[[bytes], bytes], times: int = 99) -> Fault:
    """Return a fault that changes the first replies of function 23 on TCP."""
    left = [times]

    def fault(_: int, direction: str, data: bytes) -> bytes:
        if direction == "request" or data[7] != 23 or not left[0]:
            return data
        left[0] -= 1
        return change(data)

    return fault


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: data[:9] + b"\0\1" + data[11:], "another part"),
        (lambda data: data[:11] + b"\0\1" + data[13:], "another part"),
        (lambda data: data[:13] + b"\0\0" + data[15:], "no 0 bytes"),
        (lambda data: data[:13] + b"\x10\x01" + data[15:], "no 4097 bytes"),
        (lambda data: data[:15] + bytes(4) + data[19:], "the CRC of the tariff is wrong"),
        (lambda data: data[:19] + b"\5" + data[20:], "the CRC of the tariff is wrong"),
    ],
    ids=["set", "offset", "empty", "large", "crc", "content"],
)
def test_an_answer_that_cannot_be_the_tariff_is_corrupt(
    change: Callable[[bytes], bytes], said: str
) -> None:
    driver, _ = wired(make(), fault=replies(change))
    with pytest.raises(CorruptAnswerError, match=said):
        driver.tariff(TariffSet.CURRENT)


def test_a_late_part_is_not_taken_for_another_and_is_asked_for_again() -> None:
    driver, transport = wired(
        make(), fault=replies(lambda data: data[:11] + b"\0\1" + data[13:], times=1)
    )
    assert driver.tariff(TariffSet.CURRENT).parts[2] == (0, Prices())
    assert transport.exchanges == 3


@FRAMED
def test_a_meter_of_an_older_build_shows_no_tariff(framed: bool) -> None:
    driver, _ = wired(make(), OLDER_MAP, framed)
    with pytest.raises(RefusedError, match="shows no tariff: its build is older") as raised:
        driver.tariff(TariffSet.PENDING)
    assert "nothing was changed" in str(raised.value)
