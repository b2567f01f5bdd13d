"""One insertion step by step: time between steps, a pulled card, a power failure, its result."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from firmware_sim.hal.nvram import SimulatedNvram
from firmware_sim.rack.rack import Rack
from firmware_sim.rack.stations import Station
from firmware_sim.token_carriers.insertion import CardInsertion, describe
from protocols.card.applet import Card
from protocols.control import CutPower
from protocols.data_model.insertion import InsertionError
from protocols.errors import CardGoneError
from tests.support.setup import METER, SERIAL, Setup

SECOND_US = 1_000_000


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return Setup(tmp_path)


@pytest.fixture
def card(setup: Setup) -> Card:
    """An opening card of 30.00 that was not inserted yet."""
    made = setup.formatted()
    setup.open(made)
    return made


def station_of(setup: Setup, speed: int = 0) -> Station:
    return Rack([(1, setup.meter)], speed).stations[0]


def insertion_of(setup: Setup, speed: int = 0) -> CardInsertion:
    return CardInsertion(station_of(setup, speed), setup.random)


def gone(_: bytes) -> bytes:
    raise CardGoneError("pulled")


def test_commands_go_out_one_by_one_until_the_result(setup: Setup, card: Card) -> None:
    insertion = insertion_of(setup)
    command = insertion.begin(card.power_on(), 0)
    steps = 0
    while command is not None:
        assert insertion.inserted is None
        command = insertion.answer(card.apdu(command), 0)
        steps += 1
    assert steps > 5
    assert insertion.inserted is not None
    assert insertion.inserted.written_back
    assert setup.credit == 3000


def test_the_meter_is_brought_to_the_present_before_each_step(setup: Setup, card: Card) -> None:
    insertion = insertion_of(setup, speed=1000)
    command = insertion.begin(card.power_on(), SECOND_US)
    assert setup.meter.state.elapsed_ms == 1000
    assert command is not None
    insertion.answer(card.apdu(command), 3 * SECOND_US)
    assert setup.meter.state.elapsed_ms == 3000


def test_a_card_that_is_pulled_at_once_changes_no_credit(setup: Setup, card: Card) -> None:
    insertion = insertion_of(setup)
    inserted = insertion.play(card.power_on(), gone, 0)
    assert inserted is not None
    assert inserted.insertion is not None
    assert inserted.insertion.error is InsertionError.PULLED_EARLY
    assert setup.credit == 0


def test_a_foreign_object_gets_no_command(setup: Setup) -> None:
    insertion = insertion_of(setup)
    assert insertion.begin(b"", 0) is None
    assert insertion.inserted is not None
    assert insertion.inserted.insertion is not None
    assert insertion.inserted.insertion.error is InsertionError.CARD_RESET


def test_a_meter_without_power_takes_no_card(setup: Setup, card: Card) -> None:
    setup.meter.handle(CutPower())
    insertion = insertion_of(setup)
    assert insertion.begin(card.power_on(), 0) is None
    assert insertion.inserted is not None
    assert insertion.inserted.insertion is None


def test_after_a_power_failure_the_insertion_ends_without_a_result(tmp_path: Path) -> None:
    device = SimulatedNvram()
    setup = Setup(tmp_path, device)
    card = setup.formatted()
    setup.open(card)
    station = station_of(setup)
    insertion = CardInsertion(station, setup.random)
    station.rebuild = lambda: setup.build(SimulatedNvram(bytes(device.data)))
    command = insertion.begin(card.power_on(), 0)
    assert command is not None
    station.restart()
    assert insertion.power_failed
    assert insertion.answer(card.apdu(command), 0) is None
    assert insertion.inserted is None


def test_a_result_is_described_by_name(setup: Setup, card: Card) -> None:
    station = station_of(setup)
    inserted = CardInsertion(station, setup.random).play(card.power_on(), card.apdu, 0)
    assert inserted is not None
    assert describe(station, inserted) == {
        "serial_number": METER,
        "card": SERIAL.hex(),
        "card_type": "open",
        "outcome": "accepted",
        "command_outcome": None,
        "error": None,
        "error_name": None,
        "display": "30.00",
        "written_back": True,
        "credit_before": Decimal("0.00"),
        "available_credit": Decimal("30.00"),
        "supply_state": "connected",
    }


def test_an_error_is_described_by_number_and_name_without_an_outcome(setup: Setup) -> None:
    station = station_of(setup)
    inserted = CardInsertion(station, setup.random).play(b"", gone, 0)
    assert inserted is not None
    shown = describe(station, inserted)
    assert (shown["error"], shown["display"]) == (int(InsertionError.CARD_RESET), "Err-32")
    assert shown["error_name"] == InsertionError.CARD_RESET.word
    assert shown["card"] is shown["outcome"] is shown["card_type"] is None
