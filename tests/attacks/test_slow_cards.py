"""Row 24: a card that hangs or is foreign is given up after a time limit; the meter runs on."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest

from firmware_sim.assembly import build
from firmware_sim.faults.in_force import Faults
from firmware_sim.hal.nvram import SimulatedNvram
from firmware_sim.hosting.cards.slot import SESSION_S, Contacts, insert_slowly
from firmware_sim.hosting.clock import line_time
from firmware_sim.meter import MeterStoppedError
from firmware_sim.meter_description import MeterDescription
from firmware_sim.metrology.load import Load
from firmware_sim.rack.rack import Rack
from firmware_sim.token_carriers.insertion import CardInsertion
from firmware_sim.vending import Vending
from protocols.control import Sense
from protocols.data_model.words import Cause, Tamper
from protocols.faults import FaultPlan, FaultRule
from protocols.quantities import LEDGER
from tests.support.meters import event_names
from tests.support.setup import Setup

PATIENCE_S = 0.4
SPEED = 100_000_000
"""Meter time runs 100,000 times as fast: a day in a second."""


@pytest.fixture
def released() -> Iterator[threading.Event]:
    """Set at the end of the test; it releases waiting cards and readers."""
    event = threading.Event()
    yield event
    event.set()


def play(
    connect: Callable[[], Contacts], seconds: float = PATIENCE_S
) -> tuple[Mapping[str, Any], Rack, float, int]:
    """Insert a card in a meter whose load uses up its credit.

    Return the result, the rack, the time in s and the number of turns of the meter.
    """
    meter = build(MeterDescription(credit=2 * LEDGER, load=Load.constant((2_000_000,))))
    rack = Rack([(1, meter)], SPEED)
    turns = 0

    async def go_on() -> None:
        nonlocal turns
        while True:
            rack.run(line_time(), 64)
            turns += 1
            await asyncio.sleep(0.01)

    async def scene() -> tuple[Mapping[str, Any], float]:
        rack.timeline.line_origin_us = line_time()
        meter_goes_on = asyncio.create_task(go_on())
        began = time.monotonic()
        told = await insert_slowly(rack.stations[0], connect, seconds=seconds)
        took = time.monotonic() - began
        meter_goes_on.cancel()
        with suppress(asyncio.CancelledError):
            await meter_goes_on
        return told, took

    told, took = asyncio.run(scene())
    return told, rack, took, turns


def test_row_24_a_card_that_never_answers_is_given_up_while_the_supply_trips(
    released: threading.Event,
) -> None:
    def hang(_: bytes) -> bytes:
        released.wait(30)
        return b"\x90\x00"

    told, rack, took, turns = play(lambda: (b"\x3b\x05PPC1\x01", hang, lambda: None))
    meter = rack.stations[0].meter
    assert (told["error_name"], told["display"]) == ("pulled_early", "Err-35")
    assert PATIENCE_S * 0.9 < took < 10
    assert turns > 5, "the meter had its turns all the while"
    assert meter.state.supply.causes == Cause.CREDIT_EXHAUSTED
    assert "supply_disconnected" in event_names(meter)


def test_row_24_a_reader_that_hangs_while_it_powers_the_card_is_a_foreign_object(
    released: threading.Event,
) -> None:
    def connect() -> Contacts:
        released.wait(30)
        raise AssertionError("too late")

    told, rack, _, turns = play(connect)
    assert (told["error_name"], told["display"]) == ("card_reset", "Err-32")
    assert turns > 5
    assert rack.stations[0].meter.state.slot.illegal_insertions == 1


def test_row_24_a_card_left_in_and_answering_noise_ends_too() -> None:
    told, *_ = play(lambda: (b"\x3b\x05PPC1\x01", lambda _: b"\x61\xff", lambda: None))
    assert told["error"] in (14, 19, 20)


def test_the_time_of_a_session_is_three_seconds() -> None:
    assert SESSION_S == 3.0


def test_a_meter_that_restarts_while_its_card_is_read_takes_the_sale_once_and_keeps_it(
    tmp_path: Path,
) -> None:
    """At every exchange: the restarted meter has the card's credit or the card still has it."""
    exchanges = 0
    for restart_after in range(16):
        device = SimulatedNvram()
        folder = tmp_path / str(restart_after)
        folder.mkdir()
        setup = Setup(folder, device)
        card = setup.formatted()
        setup.open(card, 3000)
        station = Rack([(1, setup.meter)], 0).stations[0]
        station.rebuild = lambda setup=setup, device=device: setup.build(device)  # type: ignore[misc]
        insertion, count = CardInsertion(station, setup.random), 0
        command = insertion.begin(card.power_on(), 0)
        while command is not None:
            response = card.apdu(command)
            count += 1
            if count == restart_after:
                station.restart()
            command = insertion.answer(response, 0)
        card.power_off()
        exchanges = max(exchanges, count)
        if 0 < restart_after <= count:
            assert insertion.inserted is None
        again = CardInsertion(station, setup.random)
        again.play(card.power_on(), card.apdu, 0)
        card.power_off()
        station.hand_over(Sense(Tamper.COVER, True))  # the next commit keeps it
        assert setup.build(device.power_cycle()).state.account.credit == 30 * LEDGER
        setup.journal.close()
    assert 8 < exchanges < 15


def test_a_card_in_a_reader_whose_meter_stops_is_no_success() -> None:
    faults = Faults(FaultPlan((FaultRule("flush_fails"),)))
    device = SimulatedNvram()
    meter = build(MeterDescription(), faults.nvram(device, 1))
    rack = Rack([(1, meter)], 0, faults)
    rack.stations[0].rebuild = lambda: meter
    card = Vending().buy_card(meter, 500, None, Random(1).randbytes)
    rack.begin_faults()
    contacts = card.power_on(), card.apdu, lambda: None
    with pytest.raises(MeterStoppedError, match="meter 000000000001"):
        asyncio.run(insert_slowly(rack.stations[0], lambda: contacts))
