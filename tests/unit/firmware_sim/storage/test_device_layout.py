"""Where a storage keeps what: the header, the three slots and the rings, byte by byte."""

from __future__ import annotations

import json
import zlib
from struct import unpack

import pytest

from firmware_sim.assembly import build
from firmware_sim.hal.nvram import NvramError, SimulatedNvram
from firmware_sim.meter import Meter
from firmware_sim.meter_description import MeterDescription
from firmware_sim.metrology.load import Load
from firmware_sim.records.ring import EVENT_RING, PROFILE_RING, PURCHASE_RING
from firmware_sim.storage.layouts import LAYOUT
from firmware_sim.storage.store import ForeignStorageError, StorageLostError, Store, load
from protocols.data_model.tariff import (
    DayTables,
    Part,
    Prices,
    Seasons,
    Steps,
    Tariff,
    TariffChange,
)
from protocols.quantities import DAY, HOUR
from protocols.sealed_message import MessageKind, Outcome
from tests.support.meters import Host

SLOTS = [4096, 4096 + 131_072, 4096 + 2 * 131_072]
RINGS = 4096 + 3 * 131_072
QUARTER = HOUR // 4


def stored(nvram: SimulatedNvram, **description: object) -> Meter:
    fields = {"epoch": 7, "profile_days": 2, **description}
    return build(MeterDescription(**fields), nvram)  # type: ignore[arg-type]


def slot(nvram: SimulatedNvram, place: int) -> tuple[int, list[object]] | None:
    """Return (generation, record) of a slot; None where it was never written."""
    head = bytes(nvram.data[place : place + 16])
    if len(head) < 16 or not any(head):
        return None
    size, generation, crc = unpack(">IQI", head)
    data = bytes(nvram.data[place + 16 : place + 16 + size])
    assert zlib.crc32(head[:12] + bytes(4) + data) == crc
    return generation, json.loads(data)


def test_the_header_names_the_layout_and_the_rows_of_the_profile() -> None:
    nvram = SimulatedNvram()
    stored(nvram)
    header = bytes(nvram.data[:24])
    assert header[:20] == b"PPMETER1" + LAYOUT.to_bytes(4, "big") + (192).to_bytes(
        4, "big"
    ) + bytes(4)
    assert int.from_bytes(header[20:], "big") == zlib.crc32(header[:20])


def test_commits_go_round_the_slots_and_never_over_the_last_one() -> None:
    nvram = SimulatedNvram()
    meter = stored(nvram)
    for _ in range(7):
        before = {place: slot(nvram, place) for place in SLOTS}
        newest = max(one[0] for one in before.values() if one is not None)
        meter.save()
        after = {place: slot(nvram, place) for place in SLOTS}
        (changed,) = [place for place in SLOTS if after[place] != before[place]]
        there, now = before[changed], after[changed]
        assert there is None or there[0] != newest
        assert now is not None
        assert now[0] == newest + 1
        assert now[1][0] == LAYOUT


def test_rows_of_the_rings_stand_at_their_numbers_with_their_code() -> None:
    nvram = SimulatedNvram()
    meter = stored(nvram)
    host = Host(meter)
    for _ in range(40):
        assert host.send(MessageKind.CREDIT, amount=1).outcome is Outcome.ACCEPTED
    purchases, events = meter.rings[PURCHASE_RING], meter.rings[EVENT_RING]
    second = RINGS + purchases.depth * (purchases.row_size + 8)
    assert {number for number in range(1, 21) if events.get(number) == row_at(
        nvram, second + (number - 1) * (events.row_size + 8), number, events.row_size
    )} == set(range(1, 21))  # fmt: skip
    held = set()
    for place in range(10):
        begin = RINGS + place * (purchases.row_size + 8)
        number = int.from_bytes(nvram.data[begin : begin + 4], "big")
        assert number % 10 == (place + 1) % 10
        row = row_at(nvram, begin, number, purchases.row_size)
        held |= {number} if row == purchases.get(number) else set()
    assert held


def row_at(nvram: SimulatedNvram, begin: int, number: int, size: int) -> bytes:
    """Return the row at a place, whose number and code are right."""
    row = bytes(nvram.data[begin + 8 : begin + 8 + size])
    head = number.to_bytes(4, "big") + zlib.crc32(row).to_bytes(4, "big")
    assert nvram.data[begin : begin + 8] == head
    return row


def test_a_ring_begins_again_in_its_place() -> None:
    nvram = SimulatedNvram()
    meter = stored(nvram, profile_days=1, load=Load.constant((1_000_000,)))
    ring = meter.rings[PROFILE_RING]
    for quarter in range(1, 96 + 96):
        meter.advance(quarter * QUARTER)
    meter.save()
    meter.save()
    again = build(MeterDescription(epoch=7), nvram.power_cycle())
    kept = again.rings[PROFILE_RING]
    assert (kept.first, kept.last) == (96, 191)
    assert [kept.get(number) for number in range(96, 192)] == [
        ring.get(number) for number in range(96, 192)
    ]
    assert kept.get(95) is None


@pytest.mark.parametrize("damaged", range(2))
def test_the_newest_whole_slot_counts(damaged: int) -> None:
    nvram = SimulatedNvram()
    meter = stored(nvram)
    host = Host(meter)
    for _ in range(3):
        host.send(MessageKind.CREDIT, amount=100)
    newest = sorted(SLOTS, key=lambda place: -(slot(nvram, place) or (0,))[0])
    for place in newest[:damaged]:
        nvram.data[place + 20] ^= 1
    found = load(SimulatedNvram(bytes(nvram.data)))
    assert found is not None
    assert found.state.account.purchases == 3 - damaged


def test_without_a_whole_slot_the_storage_is_lost_and_stays_as_it_is() -> None:
    nvram = SimulatedNvram()
    stored(nvram).save()
    for place in SLOTS:
        if slot(nvram, place) is not None:
            nvram.data[place + 20] ^= 1
    before = bytes(nvram.data)
    with pytest.raises(StorageLostError):
        load(nvram)
    assert bytes(nvram.data) == before


def test_both_copies_of_the_header_damaged_is_a_lost_storage() -> None:
    nvram = SimulatedNvram()
    stored(nvram)
    nvram.data[12] ^= 1
    with pytest.raises(StorageLostError, match="header"):
        load(nvram)


@pytest.mark.parametrize("content", [b"x", b"PPMETER1", b"PPMETER2" + bytes(16), b"\0" * 5000])
def test_other_bytes_are_foreign(content: bytes) -> None:
    nvram = SimulatedNvram(content)
    with pytest.raises(ForeignStorageError):
        load(nvram)
    assert bytes(nvram.data) == content


def test_an_empty_device_holds_no_meter() -> None:
    assert load(SimulatedNvram()) is None


def test_a_pending_tariff_is_stored_part_by_part() -> None:
    nvram = SimulatedNvram()
    meter = stored(nvram)
    parts: tuple[tuple[int, Part], ...] = (
        (9_000, Seasons(((1, 1, 1), (6, 1, 2)), (0, 0, 0, 0, 0, 1, 2), ((20_000, 2),))),
        (8_000, DayTables((((0, 1),), ((0, 2), (60, 1))))),
        (7_000, Prices((1, 2))),
        (6_000, Steps((10, 20), (0, 1, 2), True, 5, 6, 4, 7)),
    )
    change = TariffChange(tuple((meter.clock + at, part) for at, part in parts)).encode()
    assert Host(meter).send(MessageKind.TARIFF, parameters=change).outcome is Outcome.ACCEPTED
    again = build(MeterDescription(epoch=7), nvram.power_cycle())
    assert again.state.pending == meter.state.pending
    assert {(one.activation_ms - meter.clock, one.part) for one in again.state.pending} == set(
        parts
    )
    again.advance(9_000)
    assert again.state.pending == ()
    assert again.state.tariff == Tariff(*(part for _, part in parts))  # type: ignore[arg-type]


class CountingNvram(SimulatedNvram):
    """Refuses writes of rings while `no_rings` is set."""

    no_rings = False

    def write(self, offset: int, data: bytes) -> None:
        if self.no_rings and offset >= RINGS:
            raise NvramError("no room")
        super().write(offset, data)


def test_rows_that_the_rings_refuse_stay_in_the_record() -> None:
    nvram = CountingNvram()
    nvram.no_rings = True
    meter = stored(nvram)
    host = Host(meter)
    for _ in range(40):
        assert host.send(MessageKind.CREDIT, amount=1).outcome is Outcome.ACCEPTED
    assert len(nvram.data) <= RINGS
    again = build(MeterDescription(epoch=7), nvram.power_cycle())
    assert again.rings[PURCHASE_RING].last == 40
    assert again.rings[PURCHASE_RING].get(1) == meter.rings[PURCHASE_RING].get(1)


def test_a_long_advance_saves_on_its_way() -> None:
    nvram = SimulatedNvram()
    meter = stored(nvram, profile_days=30)
    flushed, rows = nvram.flushes, meter.rings[PROFILE_RING]
    meter.advance(30 * DAY)
    assert rows.last == 30 * 96
    assert nvram.flushes - flushed >= 30 * 96 // 64 - 1
    assert len(meter.state.tail) < 128
    again = build(MeterDescription(epoch=7), nvram.power_cycle())
    assert again.state.elapsed_ms == 30 * DAY
    assert again.rings[PROFILE_RING].last == 30 * 96
    kept = [again.rings[PROFILE_RING].get(number) for number in range(1, rows.last + 1)]
    assert kept == [rows.get(number) for number in range(1, rows.last + 1)]


def test_a_save_is_not_flushed_while_its_tail_is_short() -> None:
    nvram = SimulatedNvram()
    meter = stored(nvram)
    flushed, written = nvram.flushes, nvram.written
    meter.advance(QUARTER)
    assert nvram.flushes == flushed
    assert nvram.written > written
    meter.save()
    assert nvram.flushes == flushed + 1


def test_a_new_storage_is_written_and_flushed_before_the_meter_runs() -> None:
    nvram = SimulatedNvram()
    meter = stored(nvram)
    assert nvram.flushes > 0
    again = build(MeterDescription(epoch=9), nvram.power_cycle())
    assert again.state.identity == meter.state.identity
    assert again.state.identity.epoch == 7
    assert bytes(nvram.data[2048:2072]) == bytes(24), "the second header is written with a layout"


def test_a_storage_that_was_formatted_holds_its_state_whatever_follows() -> None:
    nvram, state = SimulatedNvram(), stored(SimulatedNvram()).state
    Store(nvram, 192).format(state)
    found = load(nvram.power_cycle())
    assert found is not None
    assert found.state.identity == state.identity
