"""Freezes of layout 4 in a storage: a longer row, another place, and nothing is lost.

`tests/fixtures/layout_4` was written by commit 5db0865: 62 daily and 12 billing freezes, of which
the newest of each stand in the tail of the record and in no ring.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from firmware_sim.assembly import build
from firmware_sim.hal.nvram import NvramError, PowerCutError, SimulatedNvram
from firmware_sim.meter import Meter
from firmware_sim.meter_description import MeterDescription
from firmware_sim.metrology.load import Load
from firmware_sim.rack.values import fragments
from firmware_sim.records.ring import BILLING_RING, DAILY_RING
from firmware_sim.storage import layouts
from firmware_sim.storage.layouts import LAYOUT
from firmware_sim.storage.ring_places import RingPlaces, ring_places
from firmware_sim.storage.store import FIRST_RING, FIRST_SLOT, HEADER_PLACES, Loaded, load
from protocols.data_model import json_lines
from protocols.data_model.items import BY_NAME
from protocols.data_model.tables import Freeze
from protocols.keys import derive_meter_keys
from protocols.quantities import HOUR
from protocols.sealed_message import MessageKind, Outcome
from tests.support.meters import Host
from tests.support.storages import Image, RecordingNvram, found_on

FOLDER = Path(__file__).parents[3] / "fixtures" / "layout_4"
SERIAL = "000000000074"
KEYS = {1: derive_meter_keys(bytes(range(16)), SERIAL, 1)}
IMAGE = gzip.decompress((FOLDER / f"{SERIAL}.nv.gz").read_bytes())
THEN = [json.loads(line) for line in (FOLDER / f"{SERIAL}.freezes.jsonl").read_text().splitlines()]
"""The freezes as that build showed them, oldest first."""
PLACES: RingPlaces = ring_places(FIRST_RING, 96)
KINDS = {"daily": DAILY_RING, "billing": BILLING_RING}
Rows = dict[str, list[Freeze]]


def meter_of(device: SimulatedNvram) -> Meter:
    """Return the meter of the state file, with the load that it had."""
    return build(MeterDescription(SERIAL, keys=KEYS, load=Load.constant((700_001,))), device)


def freezes(found: Meter | Loaded) -> Rows:
    """Return the freezes of a meter, oldest first."""
    return {
        kind: [Freeze.unpack(row) for row in found.rings[ring].newest(99)][::-1]
        for kind, ring in KINDS.items()
    }


def shown(rows: Rows) -> list[dict[str, object]]:
    """Return freezes as JSON shows them, each with its kind."""
    return [
        {"kind": kind, **json.loads(json_lines.line(row.fragments().items()))}
        for kind, some in rows.items()
        for row in some
    ]


def loaded(device: SimulatedNvram) -> Loaded:
    """Return what a device holds."""
    found = load(device)
    assert found is not None
    return found


def layout_at(device: SimulatedNvram, place: int) -> int | None:
    """Return the layout that a header names."""
    return layouts.layout_of_header(int.from_bytes(device.read(place + 8, 4), "big"))


def after(meter: Meter, quarters_of_a_day: int) -> None:
    """Advance by quarters of a day, with a save after each."""
    for _ in range(quarters_of_a_day):
        meter.advance(meter.state.elapsed_ms + 6 * HOUR)
        meter.save()


def test_a_meter_of_layout_4_shows_what_it_showed_then() -> None:
    device = SimulatedNvram(IMAGE)
    assert layout_at(device, 0) == 4
    then = (FOLDER / f"{SERIAL}.read.json").read_text().strip()
    meter = meter_of(device)
    now = fragments(meter, [BY_NAME[name] for name in json.loads(then)])
    assert int(now["event_number"]) == json.loads(then)["event_number"] + 1, "the restart"
    now["event_number"] = str(json.loads(then)["event_number"])
    assert json_lines.line(now.items()) == then


def test_its_freezes_are_whole_and_what_was_charged_until_then_is_not_kept() -> None:
    device = SimulatedNvram(IMAGE)
    rows = freezes(loaded(device))
    assert shown(rows) == [{**row, "consumption_charged_exact": None} for row in THEN]
    assert [len(some) for some in rows.values()] == [62, 12]
    assert (device.written, bytes(device.data)) == (0, IMAGE), "reading alone changes nothing"


def test_newer_freezes_keep_what_was_charged_and_older_ones_leave_in_their_turn() -> None:
    device = SimulatedNvram(IMAGE)
    meter = meter_of(device)
    for _ in range(62):
        before = freezes(meter)["daily"]
        after(meter, 4)
        now = freezes(meter)["daily"]
        assert now[:-1] == before[1:]
        assert freezes(loaded(SimulatedNvram(bytes(device.data))))["daily"] == now
        midnight = now[-1].available_credit + (now[-1].consumption_charged_exact or 0)
        assert midnight == meter.state.account.opening
    assert all(row.consumption_charged_exact is not None for row in freezes(meter)["daily"])
    billing = [row.consumption_charged_exact is None for row in freezes(meter)["billing"]]
    assert billing == [True] * 10 + [False] * 2


def test_older_rows_stay_in_their_place_and_no_ring_moves() -> None:
    device = SimulatedNvram(IMAGE)
    meter = meter_of(device)
    after(meter, 90)
    for ring in KINDS.values():
        older = PLACES.older[ring]
        assert older is not None
        assert device.data[older.begin : older.end] == IMAGE[older.begin : older.end]
        assert PLACES.rings[ring].begin >= PLACES.rings[-1].end, "behind all others"
    assert PLACES.rings[DAILY_RING].end == PLACES.rings[BILLING_RING].begin
    assert [layout_at(device, place) for place in HEADER_PLACES] == [LAYOUT, LAYOUT]


def test_a_row_that_is_whole_in_its_new_place_is_taken_from_there() -> None:
    device = SimulatedNvram()
    meter = build(MeterDescription(SERIAL, keys=KEYS, load=Load.constant((700_001,))), device)
    for _ in range(20):
        after(meter, 4)
    whole = freezes(loaded(SimulatedNvram(bytes(device.data))))["daily"]
    assert len(whole) == 20
    older = PLACES.older[DAILY_RING]
    assert older is not None
    assert not any(device.data[older.begin : older.end]), "a new storage has no older rows"


# ---- cuts


Action = Callable[[Meter], object]
STORY: tuple[Action, ...] = (
    lambda meter: meter.save(),
    *(lambda meter: after(meter, 1) for _ in range(4)),
    lambda meter: Host(meter, KEYS[1]).send(MessageKind.VOID),
)
"""The first record of the present layout, and all that moves the freezes of its tail to a ring."""


def cuts_of(offset: int, size: int) -> Iterator[int]:
    """Yield where a write is cut: of a header and of a freeze everywhere, else at some bytes."""
    in_freezes = offset >= PLACES.rings[DAILY_RING].begin
    if offset < FIRST_SLOT or in_freezes:
        yield from range(size)
    else:
        yield from (*range(0, size, 67), *range(max(0, size - 8), size))


@pytest.mark.parametrize("step", range(len(STORY)))
def test_a_cut_while_the_freezes_are_brought_up_yields_the_state_before_or_after(step: int) -> None:
    nvram = RecordingNvram(IMAGE)
    meter = meter_of(nvram)
    for action in STORY[:step]:
        action(meter)
    image = bytes(nvram.data)
    nvram.writes.clear()
    STORY[step](meter)
    for offset, data in nvram.writes:
        image = image.ljust(offset + len(data), b"\0")
        before = found_on(Image(image))
        whole = image[:offset] + data + image[offset + len(data) :]
        then = found_on(Image(whole))
        for cut in cuts_of(offset, len(data)):
            torn = Image(image[:offset] + data[:cut] + image[offset + cut :])
            assert found_on(torn) in (before, then), f"cut {cut} of {len(data)} at {offset}"
        image = whole
    rows = shown(freezes(loaded(Image(image))))
    newer = [row for row in rows if row["consumption_charged_exact"] is not None]
    kept = [{**row, "consumption_charged_exact": None} for row in THEN]
    assert [row for row in rows if row not in newer] == kept[len(newer) :]


@pytest.mark.parametrize("seed", range(24))
def test_a_device_that_forgets_unflushed_writes_loses_no_freeze(seed: int) -> None:
    rng = Random(seed)
    device = SimulatedNvram(IMAGE)
    meter = meter_of(device)
    oldest = freezes(meter)["daily"][0].number
    device.cut_after = rng.randrange(1, 14_000)
    try:
        for action in STORY:
            action(meter)
    except PowerCutError:
        pass
    again = loaded(device.power_cycle(lambda _: rng.random() < 0.5))
    rows = freezes(again)
    assert len(rows["daily"]) == 62
    assert len(rows["billing"]) == 12
    assert rows["daily"][0].number - oldest in (0, 1)
    then = {row["number"]: row for row in THEN if row["kind"] == "daily"}
    for row in shown({"daily": rows["daily"]}):
        if row["number"] in then:
            assert row == {**then[row["number"]], "consumption_charged_exact": None}


def test_a_meter_that_is_killed_while_it_is_brought_up_goes_on_each_time() -> None:
    device, count = SimulatedNvram(IMAGE), 0
    while layout_at(device, HEADER_PLACES[0]) != LAYOUT or count < 40:
        meter = meter_of(device)
        device.cut_after = 1 + 37 * count
        try:
            meter.save()
        except PowerCutError:
            pass
        device, count = device.power_cycle(), count + 1
    assert shown(freezes(loaded(device))) == [
        {**row, "consumption_charged_exact": None} for row in THEN
    ]


def test_a_full_disk_refuses_and_the_freezes_are_brought_up_once_it_has_room() -> None:
    device = SimulatedNvram(IMAGE)
    meter = meter_of(device)
    device.full = True
    assert not meter.save()
    assert Host(meter, KEYS[1]).send(MessageKind.VOID).outcome is Outcome.STORAGE_FAULT
    assert bytes(device.data) == IMAGE
    device.full = False
    assert Host(meter, KEYS[1]).send(MessageKind.VOID).outcome is Outcome.ACCEPTED
    assert shown(freezes(loaded(device.power_cycle(lambda _: False)))) == [
        {**row, "consumption_charged_exact": None} for row in THEN
    ]


class FullBehindTheRings(SimulatedNvram):
    """A device without room for the new places of the freezes."""

    def write(self, offset: int, data: bytes) -> None:
        if offset >= PLACES.rings[DAILY_RING].begin:
            raise NvramError("the device is full")
        super().write(offset, data)


def test_freezes_without_room_for_their_ring_stay_in_the_record() -> None:
    device = FullBehindTheRings(IMAGE)
    meter = meter_of(device)
    after(meter, 24)
    rows = freezes(loaded(SimulatedNvram(bytes(device.data))))
    assert rows == freezes(meter)
    assert len(rows["daily"]) == 62
