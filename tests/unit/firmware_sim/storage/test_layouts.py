"""State layouts: an older one is upgraded, a later one is refused, no change goes undetected."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import fields, make_dataclass, replace
from pathlib import Path
from random import Random
from typing import Any, Optional

import pytest

from firmware_sim.assembly import WrongKeysError, build
from firmware_sim.hal.nvram import NvramError, PowerCutError, SimulatedNvram
from firmware_sim.meter import Meter
from firmware_sim.meter_description import MeterDescription
from firmware_sim.metrology.load import Load
from firmware_sim.rack.values import fragments
from firmware_sim.records.ring import (
    COMMAND_RECEIPTS,
    CREDIT_RECEIPTS,
    DAILY_RING,
    EVENT_RING,
    PROFILE_RING,
    PURCHASE_RING,
)
from firmware_sim.requests import AskReceipt, AskStatus
from firmware_sim.security.replay import JournalRow, Security
from firmware_sim.storage import layouts, record
from firmware_sim.storage.layouts import FINGERPRINT_OF_1, LAYOUT
from firmware_sim.storage.store import (
    FIRST_SLOT,
    HEADER_PLACES,
    SLOT_SIZE,
    SLOTS,
    ForeignStorageError,
    Loaded,
    load,
)
from protocols.data_model import json_lines
from protocols.data_model.items import BY_NAME
from protocols.data_model.tables import Event, Freeze, Purchase
from protocols.keys import MessageClass, MeterKeys, derive_meter_keys
from protocols.quantities import HOUR, LEDGER
from protocols.sealed_message import MessageKind, Origin, Outcome, Receipt, verify
from protocols.sealed_status import LastOfJournal, SealedStatus, StatusQuestion
from tests.support.meters import Host

FOLDER = Path(__file__).parents[3] / "fixtures" / "layout_1"
"""State files written by commit 30f1bce, their keys, and the readings of the first at that time."""
SERIALS = tuple(sorted(path.name.split(".")[0] for path in FOLDER.glob("*.nv.gz")))
READ = "000000000042"
SEQUENCES = {
    "000000000042": (7, 3),
    "000000000043": (1, 0),
    "000000000044": (1, 0),
    "000000000045": (1, 0),
    "000000000046": (0, 0),
    "000000000047": (0, 0),
}
"""Credit and command sequence of each meter."""
HEADER_SIZE = 24
SHAPES = {2: 0x0BA06E32, 3: 0xD31556BC, 4: 0xF87F899F, 5: 0xF87F899F}
"""The CRC of `record.shape()` of each layout since 2, with the field names of that time.

Layout 5 changed rows of rings, which the shape does not describe.
"""

RENAMED = {
    "elapsed_ms": "elapsed",
    "power_limit_mw": "power_limit_kw",
    "drift_from_ms": "drift_from",
    "maximum_demand_at_ms": "maximum_demand_at",
    "credit_due_ms": "credit_due",
    "remote_due_ms": "remote_due",
    "overload_due_ms": "overload_due",
    "overload_since_ms": "overload_since",
    "overload_ended_ms": "overload_ended",
    "reclose_due_ms": "reclose_due",
    "fault_due_ms": "fault_due",
    "offset_ms": "offset",
    "began_ms": "began",
    "bound_at_s": "bound_at",
    "activation_ms": "activation",
}
"""Fields renamed without a new layout: a record holds values in order, without names."""


def image(serial: str) -> bytes:
    """Return the bytes of a state file of layout 1."""
    return gzip.decompress((FOLDER / f"{serial}.nv.gz").read_bytes())


def keys_of(serial: str) -> dict[int, MeterKeys]:
    """Return the meter's keys: version 1 of the ring, as in its key file."""
    keys = derive_meter_keys(bytes(range(16)), serial, 1)
    (written,) = json.loads((FOLDER / f"{serial}.keys.json").read_text())["keys"]
    assert (written["version"], written["credit"]) == (1, keys.credit.hex())
    return {1: keys}


def meter_of(device: SimulatedNvram, serial: str = READ) -> Meter:
    """Return the meter of a state file, with the load that it had."""
    load_then = Load.constant((1_500_000,)) if serial == READ else None
    return build(
        MeterDescription(serial, keys=keys_of(serial), keys_of=serial, load=load_then), device
    )


def loaded(device: SimulatedNvram) -> Loaded:
    """Return the state and the rings of a device."""
    found = load(device)
    assert found is not None
    return found


def essence(found: Loaded | Meter) -> tuple[object, ...]:
    """Return record and rings without the tail and the events (a restart adds an event)."""
    state = found.state.clone()
    state.tail = []
    state.numbers[EVENT_RING] = 0
    rings = [
        tuple(ring.get(n) for n in range(ring.first, ring.last + 1))
        for place, ring in enumerate(found.rings)
        if place != EVENT_RING
    ]
    return record.encode(state), rings


# ---- a state of layout 1 is read in full


def test_there_are_fixtures_of_layout_1() -> None:
    assert set(SERIALS) == set(SEQUENCES)
    for serial in SERIALS:
        assert int.from_bytes(image(serial)[8:12], "big") == FINGERPRINT_OF_1


def test_a_meter_of_layout_1_shows_what_it_showed_then() -> None:
    then = (FOLDER / f"{READ}.read.json").read_text().strip()
    names = json.loads(then)
    shown = fragments(meter_of(SimulatedNvram(image(READ))), [BY_NAME[name] for name in names])
    assert shown["event_number"] == "11", "the restart is an event"
    assert json_lines.line((shown | {"event_number": "10"}).items()) == then


@pytest.mark.parametrize("serial", SERIALS)
def test_sequences_epoch_and_what_counts_as_forgotten(serial: str) -> None:
    state = loaded(SimulatedNvram(image(serial))).state
    security = state.security
    assert state.identity.serial_number == serial
    assert (security.credit_sequence, security.command_sequence) == SEQUENCES[serial]
    assert security.forgotten == security.credit_sequence, "the journals of these are not known"
    assert security.journals == ()
    assert security.key_version == 1


@pytest.mark.parametrize("serial", SERIALS)
def test_last_code_and_instant_are_those_of_the_newest_receipt(serial: str) -> None:
    meter = meter_of(SimulatedNvram(image(serial)), serial)
    reply = meter.handle(AskReceipt(MessageClass.CREDIT, SEQUENCES[serial][0]))
    status = status_of(meter, serial)
    assert reply is not None
    if SEQUENCES[serial][0]:
        receipt = Receipt.decode(reply.receipt)
        assert (status.last_code, status.last_at) == (receipt.code, receipt.at)
        assert receipt.at > 0
    else:
        assert reply.receipt == b""
        assert (status.last_code, status.last_at) == (bytes(4), 0)


def status_of(meter: Meter, serial: str, journal: int = 7) -> SealedStatus:
    """Return a meter's status after verification of its code."""
    reply = meter.handle(AskStatus(StatusQuestion(bytes(8), journal, 1)))
    assert reply is not None
    verify(reply.status, keys_of(serial)[1].credit)
    return SealedStatus.decode(reply.status)


def test_the_status_of_a_meter_of_layout_1() -> None:
    meter = meter_of(SimulatedNvram(image(READ)))
    status = status_of(meter, READ)
    assert (status.epoch, status.credit_sequence, status.command_sequence) == (0x980E5F10, 7, 3)
    assert (status.of_journal, status.forgotten) == (LastOfJournal(), 7)
    assert (status.committed_elapsed, status.elapsed_ms) == (172_800_000, 172_800_000)
    assert (status.committed_energy, status.committed_cumulative) == (72_000_000, 105 * 10**10)


def test_every_kept_receipt_of_layout_1_still_proves() -> None:
    meter, keys = meter_of(SimulatedNvram(image(READ))), keys_of(READ)[1]
    kinds = [
        MessageKind.OPEN,
        MessageKind.CREDIT,
        MessageKind.CREDIT,
        MessageKind.VOID,
        MessageKind.CREDIT,
        MessageKind.DEBT,
        MessageKind.REFUND,
    ]
    for number, kind in enumerate(kinds, 1):
        reply = meter.handle(AskReceipt(MessageClass.CREDIT, number))
        assert reply is not None
        assert reply.receipt[0] == 0x81, "as it was made"
        verify(reply.receipt, keys.credit)
        receipt = Receipt.decode(reply.receipt)
        assert (receipt.kind, receipt.sequence, receipt.version) == (kind, number, 1)
        assert (receipt.serial_number, receipt.epoch) == (READ, 0x980E5F10)
    for number in range(1, 4):
        reply = meter.handle(AskReceipt(MessageClass.COMMAND, number))
        assert reply is not None
        assert reply.receipt[0] == 0x81
        verify(reply.receipt, keys.command)


def test_a_receipt_of_layout_1_is_byte_for_byte_what_the_meter_gave_then() -> None:
    """Its code and the still current key version were kept: sealing again gives the same bytes."""
    found = loaded(SimulatedNvram(image(READ)))
    meter = meter_of(SimulatedNvram(image(READ)))
    for ring, message_class in (
        (CREDIT_RECEIPTS, MessageClass.CREDIT),
        (COMMAND_RECEIPTS, MessageClass.COMMAND),
    ):
        rows = list(found.rings[ring].newest(16))
        assert len(rows) == (7 if ring == CREDIT_RECEIPTS else 3)
        for row in rows:
            reply = meter.handle(AskReceipt(message_class, int.from_bytes(row[16:20], "big")))
            assert reply is not None
            assert reply.receipt == row[20:]


def test_events_purchases_and_records_of_layout_1_are_kept() -> None:
    found = loaded(SimulatedNvram(image(READ)))
    assert [Event.unpack(row).name for row in found.rings[EVENT_RING].newest(20)][::-1] == [
        "account_opened",
        "credit_accepted",
        "credit_accepted",
        "limits_set",
        "sequence_voided",
        "credit_accepted",
        "debt_entered",
        "credit_refunded",
        "supply_disconnected",
        "supply_connected",
    ]
    purchases = [Purchase.unpack(row) for row in found.rings[PURCHASE_RING].newest(20)][::-1]
    assert [(p.sequence, p.amount // 10**10) for p in purchases] == [
        (1, 30),
        (2, 50),
        (3, 20),
        (5, 5),
    ]
    assert (found.rings[DAILY_RING].first, found.rings[DAILY_RING].last) == (1, 2)
    profile = found.rings[PROFILE_RING]
    assert (profile.first, profile.last) == (1, 192)
    assert all(profile.get(number) for number in range(1, 193)), "two days of 15 minutes"


@pytest.mark.parametrize("serial", SERIALS)
def test_the_books_of_layout_1_balance_and_the_meter_goes_on(serial: str) -> None:
    device = SimulatedNvram(image(serial))
    meter = meter_of(device, serial)
    assert meter.state.account.imbalance() == (0, 0)
    host = Host(meter, keys_of(serial)[1])
    origin = Origin(7, 9)
    assert host.send(MessageKind.VOID, origin=origin).outcome is Outcome.ACCEPTED
    number = SEQUENCES[serial][0] + 1
    meter.advance(meter.state.elapsed_ms + HOUR)
    again = meter_of(device.power_cycle(lambda _: False), serial)
    status = status_of(again, serial)
    assert (status.of_journal.mark, status.of_journal.sequence) == (9, number)
    assert status.forgotten == number - 1, "what was forgotten before stays so"
    reply = again.handle(AskReceipt(MessageClass.CREDIT, number))
    assert reply is not None
    assert reply.receipt[0] == 0x82
    assert Receipt.decode(reply.receipt).code == status.last_code


def test_the_bytes_of_format_1_that_a_meter_took_are_of_an_unsupported_version_now() -> None:
    meter = meter_of(SimulatedNvram(image(READ)))
    answer = Host(meter, keys_of(READ)[1]).send(
        MessageKind.CREDIT, sequence=5, amount=500, version=1
    )
    assert answer.outcome is Outcome.UNSUPPORTED_VERSION


@pytest.mark.parametrize("serial", SERIALS)
def test_a_commit_and_a_reload_give_the_same(serial: str) -> None:
    device = SimulatedNvram(image(serial))
    meter = meter_of(device, serial)
    before = essence(meter)
    assert meter.save()
    for _ in range(2):
        found = loaded(device.power_cycle(lambda _: False))
        assert essence(found) == before
        assert record.decode(record.encode(found.state)) == (found.state, LAYOUT)


def test_an_older_slot_of_layout_1_is_read_where_the_newest_is_damaged() -> None:
    data = bytearray(image(READ))
    newest = max(range(SLOTS), key=lambda slot: generation(data, slot))
    data[FIRST_SLOT + newest * SLOT_SIZE + 60] ^= 1
    found = loaded(SimulatedNvram(bytes(data)))
    assert found.state.security.forgotten == found.state.security.credit_sequence > 0
    assert found.state.account.imbalance() == (0, 0)


def generation(data: bytearray | bytes, slot: int) -> int:
    """Return the generation of a slot."""
    return int.from_bytes(data[FIRST_SLOT + slot * SLOT_SIZE + 4 :][:8], "big")


def test_the_last_is_not_taken_from_a_receipt_of_another_sequence() -> None:
    """Without the newest receipt, last code and instant stay unset: older ones would be wrong."""
    state, rings = (
        loaded(SimulatedNvram(image(READ))).state,
        loaded(SimulatedNvram(image(READ))).rings,
    )
    state.security.last_code, state.security.last_at, state.security.credit_sequence = (
        "00000000",
        0,
        8,
    )
    layouts.complete(state, 1, rings)
    assert (state.security.last_code, state.security.last_at) == ("00000000", 0)


def test_a_state_of_this_layout_is_taken_as_it_stands() -> None:
    found = loaded(SimulatedNvram(image(READ)))
    found.state.security.last_code, found.state.security.last_at = "01020304", 5
    layouts.complete(found.state, LAYOUT, found.rings)
    assert (found.state.security.last_code, found.state.security.last_at) == ("01020304", 5)


# ---- upgrade of the storage


class Recording(SimulatedNvram):
    """A device that records every write and flush in order."""

    def __init__(self, data: bytes = b"") -> None:
        super().__init__(data)
        self.work: list[tuple[int, bytes] | None] = []

    def write(self, offset: int, data: bytes) -> None:
        super().write(offset, data)
        self.work.append((offset, data))

    def flush(self) -> None:
        super().flush()
        self.work.append(None)


def layout_at(data: bytes | bytearray, place: int) -> int:
    """Return the layout in a header."""
    return int.from_bytes(data[place + 8 : place + 12], "big")


def test_reading_alone_changes_nothing() -> None:
    device = Recording(image(READ))
    meter = meter_of(device)
    meter.advance(meter.state.elapsed_ms + 1)
    assert bytes(device.data) == image(READ)
    assert device.written == 0
    with pytest.raises(WrongKeysError):
        build(MeterDescription(keys=keys_of(READ), keys_of="000000000099"), device)
    assert device.written == 0, "it can still be opened by the build that wrote it"


def test_the_header_is_named_again_before_the_first_record_and_one_of_its_places_stays_whole() -> (
    None
):
    device = Recording(image(READ))
    meter = meter_of(device)
    device.work.clear()
    meter.save()
    places = [None if work is None else work[0] for work in device.work]
    assert places[:4] == [HEADER_PLACES[1], None, HEADER_PLACES[0], None], (
        "each is flushed before the next"
    )
    assert len(places) == 6
    assert places[5] is None
    assert all(place is None or place >= FIRST_SLOT for place in places[4:])
    assert [layout_at(device.data, place) for place in HEADER_PLACES] == [LAYOUT, LAYOUT]
    meter.save()
    assert len(device.work) == 8, "once is enough"
    build(MeterDescription(keys=keys_of(READ)), device).save()
    assert sum(work is not None and work[0] in HEADER_PLACES for work in device.work) == 2


def cuts(before: bytes, work: list[tuple[int, bytes] | None]) -> Iterator[tuple[str, bytes]]:
    """Yield the contents of the device after a power cut at each byte of each write."""
    data = bytearray(before)
    for number, step in enumerate(work):
        if step is None:
            continue
        offset, written = step
        for cut, byte in enumerate(written):
            yield f"write {number} at {offset}, byte {cut}", bytes(data)
            if len(data) <= offset + cut:
                data.extend(bytes(offset + cut + 1 - len(data)))
            data[offset + cut] = byte
    yield "whole", bytes(data)


@pytest.mark.parametrize("serial", ["000000000045", "000000000046"])
def test_a_cut_at_any_byte_of_any_write_yields_the_state_before_or_after(serial: str) -> None:
    device = Recording(image(serial))
    meter = meter_of(device, serial)
    before = essence(meter)
    device.work.clear()
    credit = meter.state.account.credit
    assert (
        Host(meter, keys_of(serial)[1]).send(MessageKind.CREDIT, amount=100).outcome
        is Outcome.ACCEPTED
    )
    after = essence(meter)
    found = []
    for where, data in cuts(image(serial), device.work):
        again = loaded(SimulatedNvram(data))
        found.append(essence(again))
        assert found[-1] in (before, after), where
        assert again.state.account.credit in (credit, meter.state.account.credit)
    assert found.count(after) >= 1
    assert found[-1] == after
    assert found == sorted(found, key=lambda one: one == after), "once it is there, it stays"


@pytest.mark.parametrize("cut", range(1, 2 * HEADER_SIZE + 2))
def test_a_meter_that_was_cut_while_it_was_brought_up_is_brought_up_again(cut: int) -> None:
    device = SimulatedNvram(image(READ))
    meter = meter_of(device)
    device.cut_after = cut
    with pytest.raises(PowerCutError):
        Host(meter, keys_of(READ)[1]).send(MessageKind.VOID)
    again = device.power_cycle()
    meter = meter_of(again)
    assert meter.state.security.credit_sequence == 7
    assert Host(meter, keys_of(READ)[1]).send(MessageKind.VOID).outcome is Outcome.ACCEPTED
    last = loaded(again.power_cycle(lambda _: False))
    assert last.state.security.credit_sequence == 8
    assert layout_at(again.data, HEADER_PLACES[1]) == LAYOUT


@pytest.mark.parametrize("seed", range(20))
def test_a_device_that_forgets_unflushed_writes_yields_the_state_before_or_after(seed: int) -> None:
    rng = Random(seed)
    device = SimulatedNvram(image(READ))
    meter = meter_of(device)
    before = essence(meter)
    device.cut_after = rng.randrange(1, 4000)
    try:
        meter.save()
    except PowerCutError:
        pass
    assert essence(loaded(device.power_cycle(lambda _: rng.random() < 0.5))) == before


@pytest.mark.parametrize("broken", range(HEADER_SIZE))
@pytest.mark.parametrize("place", HEADER_PLACES)
def test_one_damaged_header_of_two_is_enough(place: int, broken: int) -> None:
    device = SimulatedNvram(image(READ))
    meter_of(device).save()
    device.data[place + broken] ^= 0x10
    assert loaded(SimulatedNvram(bytes(device.data))).state.security.credit_sequence == 7


@pytest.mark.parametrize("cut", range(1, 2 * HEADER_SIZE))
def test_the_place_of_the_header_that_is_not_whole_is_written_first(cut: int) -> None:
    """If the first header is damaged, the second is the only valid one and must not be torn."""
    data = bytearray(image(READ))
    data[HEADER_PLACES[1] : HEADER_PLACES[1] + HEADER_SIZE] = data[:HEADER_SIZE]
    data[5] ^= 1
    device = SimulatedNvram(bytes(data))
    meter = meter_of(device)
    device.cut_after = cut
    with pytest.raises(PowerCutError):
        meter.save()
    assert loaded(device.power_cycle()).state.security.credit_sequence == 7


def test_a_full_device_refuses_with_nothing_changed_and_takes_the_same_bytes_later() -> None:
    device = SimulatedNvram(image(READ))
    meter = meter_of(device)
    host = Host(meter, keys_of(READ)[1])
    sealed = host.seal(MessageKind.VOID)
    device.full = True
    assert host.deliver(sealed).outcome is Outcome.STORAGE_FAULT
    assert bytes(device.data) == image(READ)
    device.full = False
    assert host.deliver(sealed).outcome is Outcome.ACCEPTED
    assert loaded(device.power_cycle(lambda _: False)).state.security.credit_sequence == 8


class FullBehindTheHeader(SimulatedNvram):
    """A device that accepts one header write and refuses every later write."""

    def write(self, offset: int, data: bytes) -> None:
        if self.written:
            raise NvramError("the device is full")
        super().write(offset, data)


def test_a_device_that_takes_half_of_the_header_loses_nothing() -> None:
    device = FullBehindTheHeader(image(READ))
    assert not meter_of(device).save()
    again = SimulatedNvram(bytes(device.data))
    assert loaded(again).state.security.credit_sequence == 7
    assert meter_of(again).save()
    assert [layout_at(again.data, place) for place in HEADER_PLACES] == [LAYOUT, LAYOUT]


# ---- a later layout


def test_a_storage_of_a_later_layout_is_refused_by_name_and_untouched() -> None:
    for later in (LAYOUT + 1, 99, 0xFFFF_FFFF, 0, 1):
        device = SimulatedNvram()
        meter_of(device).save()
        data = bytearray(device.data)
        for place in HEADER_PLACES:
            data[place : place + HEADER_SIZE] = header_of(data, later)
        found = SimulatedNvram(bytes(data))
        with pytest.raises(ForeignStorageError, match="a later version of the meter"):
            load(found)
        assert (bytes(found.data), found.written) == (bytes(data), 0)


def header_of(data: bytes | bytearray, layout: int) -> bytes:
    """Return a valid header of the given layout."""
    head = bytes(data[:8]) + layout.to_bytes(4, "big") + bytes(data[12:20])
    return head + zlib.crc32(head).to_bytes(4, "big")


def test_a_storage_begun_by_a_later_build_is_refused_once_its_first_place_is_torn() -> None:
    device = SimulatedNvram()
    meter_of(device).save()
    data = bytearray(device.data)
    data[HEADER_PLACES[1] : HEADER_PLACES[1] + HEADER_SIZE] = header_of(data, LAYOUT + 1)
    assert loaded(SimulatedNvram(bytes(data))).state.identity.serial_number, (
        "no record of it is there yet"
    )
    data[3] ^= 1
    with pytest.raises(ForeignStorageError, match="a later version of the meter"):
        load(SimulatedNvram(bytes(data)))


def test_a_record_of_a_layout_that_is_not_known_is_no_state() -> None:
    text = record.encode(meter_of(SimulatedNvram()).state)
    head = f"[{LAYOUT},".encode()
    assert text.startswith(head)
    for other in (LAYOUT + 1, 0, -1, 10**30, "true", "1.0", '"2"'):
        with pytest.raises(record.RecordError):
            record.decode(f"[{other},".encode() + text[len(head) :])


# ---- the shape of a state


def test_the_shape_of_a_state_is_that_of_its_layout() -> None:
    shape = re.sub(r"\w+", lambda word: RENAMED.get(word[0], word[0]), record.shape())
    assert zlib.crc32(shape.encode()) == SHAPES.get(LAYOUT), (
        f"the fields of a state are others than those of layout {LAYOUT}: raise LAYOUT "
        f"in firmware_sim/storage/"
        "layouts.py, write there the step from the layout before, keep state files that "
        "the build before wrote as "
        "fixtures, and enter the CRC of the new shape here (a later CRC is never entered "
        "for an older layout)"
    )


def test_every_older_layout_has_a_step() -> None:
    assert set(layouts._STEPS) == set(range(1, LAYOUT))
    assert set(SHAPES) == set(range(2, LAYOUT + 1))
    assert layouts.layout_of_header(FINGERPRINT_OF_1) == 1
    assert [layouts.layout_of_header(named) for named in SHAPES] == [*SHAPES]


def outer_names(shape: str) -> list[str]:
    """Return the names at the outer level of a shape."""
    outer, depth = "", 0
    for sign in shape[1:-1]:
        depth -= sign in ")]"
        outer += sign if depth == 0 else ""
        depth += sign in "(["
    return [part.split(":")[0] for part in outer.split(",")]


def test_the_shape_names_every_field_in_the_order_of_the_record() -> None:
    shape = record.shape()
    assert outer_names(shape) == list(record.FIELDS)
    assert {field.name for field in fields(Security)} <= {
        part.split(":")[0] for part in shape.split("security:(")[1].split(",")
    }
    for name in (field.name for field in fields(JournalRow)):
        assert f"{name}:" in shape.split("journals:")[1]


def test_a_renamed_class_does_not_change_the_shape_and_a_changed_field_does() -> None:
    def described(name: str, *inner: tuple[str, Any]) -> str:
        return record._describe(
            make_dataclass(name, [("row", make_dataclass(f"{name}Row", inner))])
        )

    one = described("Old", ("first", int), ("second", str))
    assert described("New", ("first", int), ("second", str)) == one
    assert described("X", ("first", Optional[int])) == described("X", ("first", int | None))  # noqa: UP045
    assert "Old" not in one
    others = [
        described("Old", ("second", str), ("first", int)),
        described("Old", ("first", int), ("other", str)),
        described("Old", ("first", int), ("second", int)),
        described("Old", ("first", int)),
        described("Old", ("first", int), ("second", str), ("third", int)),
        described("Old", ("first", tuple[int, ...]), ("second", str)),
        described("Old", ("first", tuple[int]), ("second", str)),
        described("Old", ("first", list[int]), ("second", str)),
        described("Old", ("first", int | None), ("second", str)),
    ]  # fmt: skip
    assert len({one, *others}) == 10


def test_no_class_of_a_state_is_named_in_its_shape() -> None:
    shape = record.shape()
    for name in (
        "State",
        "Security",
        "JournalRow",
        "Account",
        "TailRow",
        "Prices",
        "Identity",
        "Settings",
    ):
        assert name not in shape


def test_the_step_from_layout_1_adds_to_the_security_alone() -> None:
    state = meter_of(SimulatedNvram()).state.clone()
    state.security = replace(state.security, credit_sequence=9, command_sequence=4)
    plain = json.loads(record.encode(state))[1:]
    place = record.FIELDS.index("security")
    former = [*plain[:place], plain[place][:5], *plain[place + 1 :]]
    former[place][4] = plain[place][4][:-1]
    for added in ("calendar", "registers"):
        former[record.FIELDS.index(added)] = plain[record.FIELDS.index(added)][:-1]
    found = layouts.brought_up(former, 1)
    assert found[:place] + found[place + 1 :] == plain[:place] + plain[place + 1 :]
    assert found[place] == [*plain[place][:5], "00000000", 0, [], 9]


def test_a_meter_of_layout_2_keeps_its_zone_and_its_records() -> None:
    """Its list of offset changes began a day before its start; before it its first one holds."""
    folder = FOLDER.parent / "layout_2"
    device = SimulatedNvram(gzip.decompress((folder / "000000000052.nv.gz").read_bytes()))
    meter = build(MeterDescription("000000000052"), device)
    changes = meter.state.identity.transitions
    assert changes[0] == (0, 120)
    assert len(changes) > 80
    assert meter.state.calendar.past_offsets == ()
    assert [Freeze.unpack(row).number for row in meter.rings[DAILY_RING].newest(9)] == [3, 2, 1]
    assert meter.state.account.cumulative == 50 * LEDGER
    meter.save()
    assert layouts.layout_of_header(int.from_bytes(device.read(8, 4), "big")) == LAYOUT
    again = build(MeterDescription("000000000052"), device)
    assert again.state.identity == meter.state.identity


LAYOUT_3, OF_LAYOUT_3 = FOLDER.parent / "layout_3", "000000000063"
LOAD_OF_LAYOUT_3 = Load.constant((1_500_001, -250_000, 500_000), 9_000)


def meter_of_layout_3(device: SimulatedNvram, **described: Any) -> Meter:
    """Return the meter of a state file that commit e48a4c6 wrote."""
    keys = {1: derive_meter_keys(bytes(range(16)), OF_LAYOUT_3, 1)}
    return build(
        MeterDescription(OF_LAYOUT_3, keys=keys, load=LOAD_OF_LAYOUT_3, **described), device
    )


def image_of_layout_3() -> bytes:
    return gzip.decompress((LAYOUT_3 / f"{OF_LAYOUT_3}.nv.gz").read_bytes())


def test_a_meter_of_layout_3_shows_what_it_showed_then_and_keeps_no_energies_of_phases() -> None:
    device = SimulatedNvram(image_of_layout_3())
    assert layouts.layout_of_header(int.from_bytes(device.read(8, 4), "big")) == 3
    meter = meter_of_layout_3(device)
    then = (LAYOUT_3 / f"{OF_LAYOUT_3}.read.json").read_text().strip()
    shown = fragments(meter, [BY_NAME[name] for name in json.loads(then)])
    assert json_lines.line((shown | {"event_number": "3"}).items()) == then
    assert meter.state.registers.phase_energies is None
    assert {
        item.name for item in BY_NAME.values() if fragments(meter, [item])[item.name] == "null"
    } >= {
        "energy_import_l1_kwh",
        "energy_apparent_kvah",
    }
    meter.save()
    assert layouts.layout_of_header(int.from_bytes(device.read(8, 4), "big")) == LAYOUT
    assert meter_of_layout_3(device).state.registers == meter.state.registers


def test_a_meter_of_layout_3_begins_to_count_at_zero_where_it_is_asked() -> None:
    device = SimulatedNvram(image_of_layout_3())
    meter = meter_of_layout_3(device, phase_energies=True)
    began = meter.state.registers
    assert began.phase_energies == (0,) * 9
    imported, exported = began.import_mwh, began.export_mwh
    meter.advance(meter.state.elapsed_ms + 4 * HOUR)
    meter.save()
    again = meter_of_layout_3(device.power_cycle(lambda _: False))
    assert again.state.registers == meter.state.registers, "it goes on, whatever is described"
    shown = {name: value for name, value in fragments(again).items() if "_l" in name}
    assert (shown["energy_import_l1_kwh"], shown["energy_export_l2_kwh"]) == (
        "6.000004",
        "1.000000",
    )
    assert (again.state.registers.import_mwh - imported) == 8_000_004
    assert (again.state.registers.export_mwh - exported) == 1_000_000


def test_a_meter_of_layout_3_keeps_the_failures_of_its_carriers() -> None:
    """It knew three carriers; its keypad was suspended."""
    folder = FOLDER.parent / "layout_3"
    device = SimulatedNvram(gzip.decompress((folder / "000000000053.nv.gz").read_bytes()))
    meter = build(MeterDescription("000000000053"), device)
    kept = (1000, 2000, 3000, 4000, 5000)
    assert meter.state.security.failures == ((), (), kept, ())
    assert meter.state.security.attacked(meter.state.elapsed_ms)
    assert meter.state.account.cumulative == 50 * LEDGER
    meter.save()
    again = build(MeterDescription("000000000053"), device)
    assert again.state.security == meter.state.security
