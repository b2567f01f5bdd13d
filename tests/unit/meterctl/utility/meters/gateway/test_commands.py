"""Limits and tariffs: done when they are read back, left alone where they stand already."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from meterctl.errors import UsageError
from meterctl.utility.meters.gateway import CommandOutcome, CommandWord, Problem, Terms
from protocols.data_model.items import (
    AVAILABLE_CREDIT,
    FRIENDLY_HOURS,
    LOW_CREDIT_1,
    LOW_CREDIT_2,
    MAX_CREDIT,
    SETTINGS,
    TRIP_MODE,
    UNOPENED_SUPPLY,
    Item,
)
from protocols.data_model.tariff import Prices, Seasons, TariffChange
from protocols.data_model.words import TripMode, UnopenedSupply
from protocols.quantities import CENT, DAY
from tests.support.desk_lines import URL, AtDelivery, DeskLine, place_of, silent
from tests.support.meters import make

WANTED = {
    LOW_CREDIT_1: 3000 * CENT,
    LOW_CREDIT_2: 1000 * CENT,
    MAX_CREDIT: None,
    TRIP_MODE: TripMode.DIRECT,
    FRIENDLY_HOURS: FRIENDLY_HOURS.kind.parse("17:00-09:00"),
    UNOPENED_SUPPLY: UnopenedSupply.DISCONNECTED,
}
PRICES = Prices((6000, 9000, 3000, 6000))


class Desk:
    """A meter on a line of the desk."""

    def __init__(self, folder: Path) -> None:
        self.meter = make(serial_number="000000000042")
        self.line = DeskLine(self.meter)
        self.gateway = self.line.gateway(folder)
        self.place = place_of(self.meter)

    def limits(self, **changed: object) -> CommandOutcome:
        """Set the wanted limits."""
        with self.gateway.wire(URL) as wire:
            return wire.limits(self.place, {**WANTED, **changed})  # type: ignore[arg-type]

    def tariff(self, change: TariffChange) -> CommandOutcome:
        """Set parts of the tariff."""
        with self.gateway.wire(URL) as wire:
            return wire.tariff(self.place, change)

    def terms(self) -> Terms:
        """Read what the meter is set to."""
        with self.gateway.wire(URL) as wire:
            told = wire.terms(self.place)
        assert told.value is not None, told
        return told.value

    @property
    def commands(self) -> int:
        """The meter's command sequence."""
        return self.meter.state.security.command_sequence


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_limits_are_set_once_and_read_back(desk: Desk) -> None:
    first = desk.limits()
    assert (first.state, first.is_changed, first.problem) == (CommandWord.DONE, True, Problem.NONE)
    assert first.settings == WANTED
    again = desk.limits()
    assert (again.state, again.is_changed) == (CommandWord.DONE, False)
    assert again.settings == WANTED
    assert desk.commands == 1


def test_terms_are_what_was_set(desk: Desk) -> None:
    desk.limits()
    desk.tariff(TariffChange(((0, PRICES),)))
    later = desk.meter.clock + DAY
    desk.tariff(TariffChange(((later, Prices((1, 2, 3, 4))),)))
    terms = desk.terms()
    assert set(terms.settings) <= set(SETTINGS.values())
    assert {item: terms.settings[item] for item in WANTED} == WANTED
    assert (0, PRICES) in terms.current.parts
    assert len(terms.current.parts) == 4
    assert [moment for moment, _ in terms.pending.parts] == [later]
    assert (terms.serial, terms.command_sequence) == (desk.place.serial, 3)


def test_limits_that_no_meter_takes_are_refused_before_anything_is_sealed(desk: Desk) -> None:
    with desk.gateway.wire(URL) as wire:
        outcome = wire.limits(desk.place, {LOW_CREDIT_1: -5})
    assert (outcome.state, outcome.problem) == (CommandWord.REFUSED, Problem.REFUSED)
    assert outcome.cause
    assert desk.commands == 0


def test_a_silent_meter_may_be_asked_again(desk: Desk) -> None:
    desk.line.fault = silent
    assert desk.limits().state is CommandWord.SILENT
    desk.line.fault = AtDelivery()
    lost = desk.limits()
    assert (lost.state, lost.problem) == (CommandWord.SILENT, Problem.NO_ANSWER)
    desk.line.fault = None
    again = desk.limits()
    assert (again.state, again.is_changed) == (CommandWord.DONE, False), "it had been done"
    assert desk.commands == 1


def test_limits_that_are_not_read_back_are_not_done(desk: Desk) -> None:
    fault = AtDelivery()
    replied = False

    def after_the_receipt(number: int, way: str, data: bytes) -> bytes:
        nonlocal replied
        if fault.is_over and not replied:
            replied = way == "reply"
            return data
        return fault(number, way, data)

    desk.line.fault = after_the_receipt
    outcome = desk.limits()
    assert (outcome.state, outcome.problem) == (CommandWord.SILENT, Problem.NO_ANSWER)
    assert "did not answer when it was to be read back" in outcome.cause


def test_another_meter_is_set_nothing(desk: Desk) -> None:
    desk.place = replace(desk.place, serial="000000000043")
    outcome = desk.limits()
    assert (outcome.state, outcome.problem) == (CommandWord.REFUSED, Problem.ANOTHER_METER)
    assert desk.commands == 0


def test_a_tariff_waits_and_is_not_sent_again(desk: Desk) -> None:
    later = TariffChange(((desk.meter.clock + DAY, PRICES),))
    first = desk.tariff(later)
    assert (first.state, first.is_changed) == (CommandWord.DONE, True)
    assert [(part.name, part.activation) for part in first.parts] == [
        ("prices", desk.meter.clock + DAY)
    ]
    again = desk.tariff(later)
    assert (again.state, again.is_changed) == (CommandWord.DONE, False)
    assert desk.commands == 1


def test_a_tariff_that_does_not_agree_with_the_others_is_refused(desk: Desk) -> None:
    outcome = desk.tariff(TariffChange(((0, Seasons(starts=((1, 1, 8),))),)))
    assert (outcome.state, outcome.problem) == (CommandWord.REFUSED, Problem.REFUSED)
    assert desk.commands == 0


@pytest.mark.parametrize(
    "change",
    [
        TariffChange(()),
        TariffChange(((1 << 50, PRICES),)),
        TariffChange(((0, Prices((-1, 0, 0, 0))),)),
    ],
    ids=["nothing", "too late", "too low"],
)
def test_a_tariff_that_no_message_carries_is_refused_before_a_wire_is_opened(
    desk: Desk, change: TariffChange
) -> None:
    with pytest.raises(UsageError, match="nothing was sent"):
        desk.tariff(change)
    assert desk.line.opened == 0


@pytest.mark.parametrize("wanted", [{}, {AVAILABLE_CREDIT: 1}], ids=["nothing", "no setting"])
def test_what_is_no_limit_is_refused_before_a_wire_is_opened(
    desk: Desk, wanted: dict[Item, int]
) -> None:
    with desk.gateway.wire(URL) as wire, pytest.raises(UsageError, match="nothing was sent"):
        wire.limits(desk.place, wanted)
    assert desk.line.opened == 0


def test_a_value_beyond_every_range_is_refused(desk: Desk) -> None:
    with desk.gateway.wire(URL) as wire:
        assert wire.limits(desk.place, {LOW_CREDIT_1: 1 << 70}).state is CommandWord.REFUSED
