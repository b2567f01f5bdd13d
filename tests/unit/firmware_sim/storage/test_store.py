"""NVRAM (METER.md 9): cuts at every byte of a write, lost unflushed writes, full disks, damage."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from firmware_sim.assembly import build
from firmware_sim.hal.nvram import PowerCutError, SimulatedNvram
from firmware_sim.meter import Meter, MeterStoppedError
from firmware_sim.meter_description import MeterDescription
from firmware_sim.metrology.load import Load
from firmware_sim.records.ring import CREDIT_RECEIPTS, EVENT_RING, PROFILE_RING, PURCHASE_RING
from firmware_sim.storage import record
from firmware_sim.storage.layouts import LAYOUT
from firmware_sim.storage.store import (
    DRAIN_AT,
    FIRST_SLOT,
    MAX_TAIL,
    SLOT_SIZE,
    SLOTS,
    ForeignStorageError,
    StorageLostError,
    load,
)
from protocols.control import CutPower, PressButton, ReturnPower
from protocols.data_model.tables import PROFILE, PURCHASES
from protocols.quantities import HOUR, LEDGER
from protocols.sealed_message import MessageKind, Outcome, encode_limits
from tests.support.meters import Host, make
from tests.support.storages import Image, RecordingNvram, found_on

DESCRIPTION = MeterDescription(load=Load.constant((2_000_000,)), credit=20 * LEDGER)
PERIOD = HOUR // 4

Action = Callable[[Meter, Host], object]
STORY: tuple[Action, ...] = (
    lambda m, h: m.advance(m.state.elapsed_ms + PERIOD),
    lambda m, h: h.send(MessageKind.CREDIT, amount=500),
    lambda m, h: m.advance(m.state.elapsed_ms + PERIOD),
    lambda m, h: m.advance(m.state.elapsed_ms + PERIOD),
    lambda m, h: h.send(MessageKind.LIMITS, parameters=encode_limits({1: 10 * LEDGER, 3: LEDGER})),
    lambda m, h: h.send(MessageKind.CREDIT, amount=1),
    lambda m, h: m.advance(m.state.elapsed_ms + PERIOD),
    lambda m, h: h.send(MessageKind.REFUND, amount=100),
    lambda m, h: m.handle(CutPower()),
    lambda m, h: m.handle(ReturnPower()),
    *(lambda m, h: h.send(MessageKind.CREDIT, amount=7) for _ in range(DRAIN_AT)),
    lambda m, h: m.advance(m.state.elapsed_ms + PERIOD),
)


def essence(meter: Meter) -> tuple[object, ...]:
    """Return the record and the rings to compare, without the tail and the restart's own event."""
    state = meter.state.clone()
    state.tail = []
    state.numbers[EVENT_RING] = 0
    rings = [
        tuple(ring.get(n) for n in range(ring.first, ring.last + 1))
        for index, ring in enumerate(meter.rings)
        if index != EVENT_RING
    ]
    return record.encode(state), tuple(rings)


def play(nvram: SimulatedNvram, until: int | None = None) -> tuple[Meter, list[tuple[object, ...]]]:
    """Run the story up to a step; return the meter and the states before and after each step."""
    meter = build(DESCRIPTION, nvram)
    states = [essence(meter)]
    for action in STORY[:until]:
        action(meter, Host(meter))
        states.append(essence(meter))
    return meter, states


def test_a_restart_goes_on_exactly_where_the_last_commit_was() -> None:
    nvram = SimulatedNvram()
    meter, states = play(nvram)
    meter.save()
    again = build(DESCRIPTION, nvram.power_cycle())
    assert essence(again) == states[-1]
    newest = next(again.rings[EVENT_RING].newest(1))
    assert newest[20:22] == b"\x00\x19", "the restart is an event"


@pytest.mark.parametrize("step", [0, 1, 4, 8, 10 + DRAIN_AT - 8, 10 + DRAIN_AT - 1])
def test_a_cut_at_every_byte_of_every_write_yields_the_state_before_or_after(step: int) -> None:
    nvram = RecordingNvram()
    meter, _ = play(nvram, step)
    image = bytes(nvram.data)
    nvram.writes.clear()
    STORY[step](meter, Host(meter))
    assert nvram.writes
    for offset, data in nvram.writes:
        image = image.ljust(offset + len(data), b"\0")
        device = Image(image)
        before = found_on(device)
        whole = image[:offset] + data + image[offset + len(data) :]
        after = found_on(Image(whole))
        for cut in range(len(data)):
            assert found_on(device) in (before, after), f"cut {cut} of {len(data)} at {offset}"
            device.data[offset + cut] = data[cut]
        assert found_on(device) == after
        image = whole


def test_a_cut_within_a_commit_loses_or_keeps_the_top_up_whole() -> None:
    base = SimulatedNvram()
    build(DESCRIPTION, base)
    image = bytes(base.data)
    outcomes = set()
    for cut in (*range(40), *range(40, 6_000, 13)):
        nvram = SimulatedNvram(image)
        meter = build(DESCRIPTION, nvram)
        message = Host(meter).seal(MessageKind.CREDIT, amount=5000)
        nvram.cut_after = cut
        answered = None
        try:
            answered = Host(meter).deliver(message)
        except PowerCutError:
            pass
        again = build(DESCRIPTION, nvram.power_cycle(lambda _: True))
        credit, sequence = again.state.account.credit, again.state.security.credit_sequence
        assert (credit, sequence) in ((20 * LEDGER, 0), (70 * LEDGER, 1))
        assert again.rings[PURCHASE_RING].last == sequence
        assert again.state.account.imbalance() == (0, 0)
        if answered is not None:
            assert sequence == 1, "what was acknowledged lasts"
        # In either case the same bytes again credit the amount exactly once.
        assert Host(again).deliver(message).outcome.applied
        assert again.state.account.credit == 70 * LEDGER
        outcomes.add(sequence)
        if answered is not None:
            break
    assert outcomes == {0, 1}


@pytest.mark.parametrize("seed", range(25))
def test_a_device_that_forgets_unflushed_writes_never_yields_a_third_state(seed: int) -> None:
    rng = Random(seed)
    nvram = SimulatedNvram()
    meter = build(DESCRIPTION, nvram)
    history = [essence(meter)]
    durable = 0
    for _ in range(30):
        action = rng.choice(STORY[:8])
        flushes = nvram.flushes
        action(meter, Host(meter))
        history.append(essence(meter))
        if nvram.flushes > flushes:
            durable = len(history) - 1
    again = build(DESCRIPTION, nvram.power_cycle(lambda _: rng.random() < 0.5))
    found = essence(again)
    assert found in history[durable:], "nothing acknowledged is ever lost, and nothing is invented"


def test_an_acknowledged_message_is_flushed_and_a_periodic_save_is_not() -> None:
    nvram = SimulatedNvram()
    meter = build(DESCRIPTION, nvram)
    flushes = nvram.flushes
    meter.advance(PERIOD)
    assert nvram.flushes == flushes
    Host(meter).send(MessageKind.CREDIT, amount=1)
    assert nvram.flushes == flushes + 1, "a commit is one write and one flush"


def test_a_full_device_refuses_with_nothing_changed_and_takes_the_same_bytes_later() -> None:
    nvram = SimulatedNvram()
    meter = build(DESCRIPTION, nvram)
    meter.advance(HOUR)
    before = essence(meter)
    message = Host(meter).seal(MessageKind.CREDIT, amount=5000)
    nvram.full = True
    answer = Host(meter).deliver(message)
    assert answer.outcome is Outcome.STORAGE_FAULT
    assert essence(meter) == before
    meter.advance(2 * HOUR)
    nvram.full = False
    assert Host(meter).deliver(message).outcome is Outcome.ACCEPTED
    assert meter.state.account.imbalance() == (0, 0)


def test_a_failing_flush_stops_the_meter_without_an_answer() -> None:
    nvram = SimulatedNvram()
    meter = build(DESCRIPTION, nvram)
    nvram.flush_fails = True
    with pytest.raises(MeterStoppedError):
        Host(meter).send(MessageKind.CREDIT, amount=5000)
    for work in (lambda: meter.advance(HOUR), lambda: meter.handle(PressButton()), meter.save):
        with pytest.raises(MeterStoppedError):
            work()


def test_every_slot_damaged_is_lost_and_a_strange_file_is_foreign() -> None:
    nvram = SimulatedNvram()
    play(nvram)
    for slot in range(SLOTS):
        nvram.data[FIRST_SLOT + slot * SLOT_SIZE + 40] ^= 1
    image = bytes(nvram.data)
    with pytest.raises(StorageLostError):
        load(SimulatedNvram(image))
    for strange in (b"x", b"hello world" * 50, b"PPMETER1" + b"\0" * 4):
        device = SimulatedNvram(strange)
        with pytest.raises((ForeignStorageError, StorageLostError)):
            load(device)
        assert device.written == 0
    assert load(SimulatedNvram()) is None


def test_one_damaged_slot_falls_back_to_the_state_before() -> None:
    nvram = SimulatedNvram()
    meter = build(DESCRIPTION, nvram)
    Host(meter).send(MessageKind.CREDIT, amount=100)
    before = essence(meter)
    Host(meter).send(MessageKind.CREDIT, amount=200)
    newest = max(
        range(SLOTS),
        key=lambda s: int.from_bytes(nvram.data[FIRST_SLOT + s * SLOT_SIZE + 4 :][:8], "big"),
    )
    nvram.data[FIRST_SLOT + newest * SLOT_SIZE + 60] ^= 0xFF
    assert essence(build(DESCRIPTION, SimulatedNvram(bytes(nvram.data)))) == before


def test_rings_are_whole_after_many_commits_and_a_restart() -> None:
    nvram = SimulatedNvram()
    meter = build(DESCRIPTION, nvram)
    for index in range(300):
        Host(meter).send(MessageKind.CREDIT, amount=1 + index)
        if index % 7 == 0:
            meter.advance(meter.state.elapsed_ms + PERIOD)
    again = build(DESCRIPTION, nvram.power_cycle())
    for kept, found in zip(meter.rings, again.rings, strict=True):
        for number in range(kept.first + (kept is meter.rings[EVENT_RING]), kept.last + 1):
            assert found.get(number) == kept.get(number)
    assert again.rings[PROFILE_RING].last == meter.rings[PROFILE_RING].last > 40


def test_the_record_of_a_state_is_exact() -> None:
    meter, _ = play(SimulatedNvram())
    data = record.encode(meter.state)
    decoded, layout = record.decode(data)
    assert record.encode(decoded) == data
    assert layout == LAYOUT
    for broken in (b"", b"[]", b"{}", data[:-1], b"[1" + data[2:], b"null"):
        with pytest.raises(record.RecordError):
            record.decode(broken)


def test_a_tail_above_its_limit_loses_exactly_its_oldest_profile_rows() -> None:
    meter = make(SimulatedNvram())
    state, store = meter.state, meter._store
    purchase = bytes(PURCHASES.row_size)
    state.append(PURCHASE_RING, purchase)
    rows = [number.to_bytes(PROFILE.row_size, "big") for number in range(MAX_TAIL + 4)]
    for row in rows:
        state.append(PROFILE_RING, row)
    events = [row for row in state.tail if row.ring == EVENT_RING]
    excess = len(state.tail) - MAX_TAIL
    store.commit(state)
    assert len(state.tail) == MAX_TAIL
    assert [row.row for row in state.tail if row.ring == PROFILE_RING] == rows[excess:]
    assert [row for row in state.tail if row.ring == EVENT_RING] == events
    assert purchase in [row.row for row in state.tail if row.ring == PURCHASE_RING]


@pytest.mark.parametrize("ends_in", ["row", "head of the row"])
def test_a_device_that_ends_within_a_row_yields_the_meter_with_the_rows_behind_it(
    ends_in: str,
) -> None:
    nvram = SimulatedNvram()
    meter = make(nvram)
    for _ in range(40):  # so that rows leave the tail for their ring
        Host(meter).send(MessageKind.CREDIT, amount=1)
    whole = bytes(nvram.read(0, 1 << 24))
    cut = 3 if ends_in == "row" else meter.rings[CREDIT_RECEIPTS].row_size + 3
    found = load(SimulatedNvram(whole[:-cut]))
    assert found is not None
    assert found.state.account.credit == meter.state.account.credit
    credit = found.rings[CREDIT_RECEIPTS]
    kept = [number for number in range(1, 41) if credit.get(number) is not None]
    assert kept == list(range(kept[0], 41)), "the newest rows, without a gap"
    assert kept[0] > 25, "the row that the device ends in is not made up"


def test_between_two_profile_periods_nothing_is_written() -> None:
    nvram = SimulatedNvram()
    meter = build(DESCRIPTION, nvram)
    meter.advance(PERIOD)
    written = nvram.written
    for ms in (1, 1000, PERIOD - 1):
        meter.advance(PERIOD + ms)
        assert nvram.written == written
    meter.advance(2 * PERIOD)
    assert nvram.written > written
