"""Readings of a proved meter: consistent to the last unit, or a problem that says why not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from struct import pack

import pytest

from firmware_sim.metrology.load import Load
from meterctl.utility.meters.gateway import CreditKind, JournalWord, Problem, Reading, Told
from protocols.data_model.words import AccountState, Cause, SupplyState
from protocols.quantities import CENT, DAY, HOUR, LEDGER
from protocols.sealed_message import MessageKind, encode_limits
from tests.support.desk_lines import URL, DeskLine, place_of, silent
from tests.support.meters import Host, make

SERIAL = "000000000042"
STANDING_CHARGE, DEBT_INSTALMENT, DEBT_SHARE = 17, 18, 19


class Desk:
    """A meter of half a kilowatt that began with 20.00, on a line of the desk."""

    def __init__(self, folder: Path, **description: object) -> None:
        fields = {"serial_number": SERIAL, "load": Load.constant((500_000,)), **description}
        self.meter = make(**fields)  # type: ignore[arg-type]
        self.line = DeskLine(self.meter)
        self.gateway = self.line.gateway(folder)
        self.place = place_of(self.meter)

    def run(self, ms: int) -> None:
        """Let the meter's time pass."""
        self.meter.advance(self.meter.state.elapsed_ms + ms)

    def read(self) -> Told[Reading]:
        """Read the meter over a wire of its own."""
        with self.gateway.wire(URL) as wire:
            return wire.reading(self.place)

    def reading(self) -> Reading:
        """Read the meter; there is no problem."""
        told = self.read()
        assert told.value is not None, told
        return told.value

    def sell(self, key: str, amount: int, kind: CreditKind = CreditKind.CREDIT) -> None:
        """Carry out an order."""
        with self.gateway.wire(URL) as wire:
            done = wire.sell(self.place, key, kind, amount)
        assert done.state is JournalWord.CONFIRMED


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_reading_has_the_books_of_the_meter(desk: Desk) -> None:
    desk.sell("D-1", 900, CreditKind.DEBT)
    limits = {STANDING_CHARGE: 35 * CENT, DEBT_INSTALMENT: 50 * CENT, DEBT_SHARE: 33}
    Host(desk.meter).send(MessageKind.LIMITS, parameters=encode_limits({**limits}))
    desk.sell("S-1", 1001)
    desk.sell("R-1", 100, CreditKind.REFUND)
    desk.run(3 * DAY + 7 * HOUR + 13)
    reading, account = desk.reading(), desk.meter.state.account
    assert reading.credit_exact == reading.credit_floor_exact == account.credit
    assert (reading.debt_exact, reading.opening_exact) == (account.debt, 20 * LEDGER)
    assert (reading.credited_exact, reading.refunded_exact) == (account.credited, 100 * CENT)
    assert (reading.consumption_exact, reading.standing_exact, reading.instalments_exact) == (
        account.consumption,
        account.standing,
        account.instalments,
    )
    assert (reading.standing_exact, reading.instalments_exact) == (105 * CENT, 150 * CENT)
    assert reading.debt_from_top_ups_exact == 1001 * CENT * 33 // 100
    assert (reading.debt_entered_exact, reading.cumulative) == (900 * CENT, 1001)
    assert reading.energy_mwh == desk.meter.state.registers.import_mwh
    assert reading.consumption_exact > 0
    assert (reading.serial, reading.epoch) == (SERIAL, desk.meter.state.identity.epoch)
    assert (reading.credit_sequence, reading.command_sequence) == (3, 1)
    assert (reading.account_state, reading.account_unit) == (AccountState.OPEN, 156)
    assert (reading.clock_ms, reading.taken_at_ms) == (desk.meter.clock, desk.line.now_ms)
    assert reading.elapsed_ms == desk.meter.state.elapsed_ms
    assert (reading.supply_state, reading.causes) == (SupplyState.CONNECTED, Cause.NONE)


def test_a_negative_credit_and_what_brings_the_supply_back(desk: Desk) -> None:
    desk.run(30 * DAY)
    reading = desk.reading()
    assert reading.credit_exact == desk.meter.state.account.credit < 0
    assert Cause.CREDIT_EXHAUSTED in reading.causes
    assert reading.amount_to_reconnect_exact > 0


def test_an_unopened_meter_is_read_too(tmp_path: Path) -> None:
    reading = Desk(tmp_path, opened=False, credit=0).reading()
    assert (reading.account_state, reading.credit_exact) == (AccountState.UNOPENED, 0)
    assert reading.cumulative == reading.credit_sequence == 0


def between(desk: Desk, times: int, happens: Callable[[], None]) -> None:
    """Let something happen just before the books are asked for, so many times."""
    left = times

    def fault(_: int, way: str, data: bytes) -> bytes:
        nonlocal left
        is_books = way == "request" and data[7:10] == b"\x03" + pack(">H", 192)
        if is_books and left:
            left -= 1
            happens()
        return data

    desk.line.fault = fault


def test_consumption_between_the_statuses_is_no_contradiction(desk: Desk) -> None:
    desk.run(HOUR)
    between(desk, 1, lambda: desk.run(5 * 1000))
    reading = desk.reading()
    assert reading.credit_exact == desk.meter.state.account.credit


def test_a_purchase_between_the_statuses_makes_it_be_read_again(desk: Desk) -> None:
    between(desk, 2, lambda: Host(desk.meter).send(MessageKind.CREDIT, amount=100) and None)
    reading = desk.reading()
    assert (reading.credit_sequence, reading.cumulative) == (2, 200)
    assert reading.credit_exact == desk.meter.state.account.credit


def test_a_meter_that_never_rests_is_a_problem(desk: Desk) -> None:
    between(desk, 99, lambda: Host(desk.meter).send(MessageKind.CREDIT, amount=100) and None)
    told = desk.read()
    assert (told.value, told.problem) == (None, Problem.BOOKS_DO_NOT_ADD_UP)
    assert "credit sequence changed from 2 to 3" in told.cause


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("consumption", "its books have"),
        ("opening", "its books have"),
        ("instalments", "its books have"),
        ("credited", "its books have"),
        ("debt_entered", "debt"),
        ("debt_from_top_ups", "its seal has"),
    ],
)
def test_books_that_do_not_add_up_are_a_problem(desk: Desk, name: str, text: str) -> None:
    account = desk.meter.state.account
    setattr(account, name, getattr(account, name) + 7 * CENT)
    told = desk.read()
    assert (told.value, told.problem) == (None, Problem.BOOKS_DO_NOT_ADD_UP)
    assert text in told.cause


def test_registers_that_agree_and_are_not_sealed_are_a_problem(desk: Desk) -> None:
    """A line that adds 0.01 to a register of the books and to the credit is found by the seal."""
    desk.sell("S-1", 1001)

    def fault(_: int, way: str, data: bytes) -> bytes:
        credit = pack(">q", desk.meter.state.account.credit)
        opening = pack(">q", 20 * LEDGER)
        if way == "reply" and opening in data and credit in data:
            data = data.replace(credit, pack(">q", desk.meter.state.account.credit + CENT))
            return data.replace(opening, pack(">q", 20 * LEDGER + CENT))
        return data

    desk.line.fault = fault
    told = desk.read()
    assert told.problem is Problem.BOOKS_DO_NOT_ADD_UP
    assert "its seals have" in told.cause


def test_a_silent_meter_and_another_one_are_problems(desk: Desk) -> None:
    desk.line.fault = silent
    assert desk.read().problem is Problem.NO_ANSWER
    desk.line.fault = None
    desk.line.connect(make(serial_number="000000000043"))
    assert desk.read().problem is Problem.ANOTHER_METER


def test_a_meter_that_was_set_back_is_not_read(desk: Desk, tmp_path: Path) -> None:
    desk.sell("S-1", 100)
    epoch = desk.meter.state.identity.epoch
    desk.line.connect(make(serial_number=SERIAL, epoch=epoch))
    assert desk.read().problem is Problem.SET_BACK
    with desk.gateway.wire(URL) as wire:
        served = wire.reading(desk.place, set_back=True).value
    assert served is not None
    assert (served.epoch, served.credit_sequence) == (epoch, 0)
    assert desk.read().problem is Problem.NONE, "what was proved of it began again"


def test_freezes_of_midnights_are_read_from_a_number_on(desk: Desk) -> None:
    desk.run(5 * DAY)
    with desk.gateway.wire(URL) as wire:
        told, later = wire.freezes(desk.place), wire.freezes(desk.place, 4)
    assert told.value is not None
    assert later.value is not None
    numbers = [row.number for row in told.value.rows]
    assert numbers == [1, 2, 3, 4, 5]
    assert [row.number for row in later.value.rows] == [4, 5]
    charged = [row.consumption_charged_exact for row in told.value.rows]
    assert charged == sorted(charged)  # type: ignore[type-var]
    assert (told.value.serial, told.value.epoch) == (SERIAL, desk.meter.state.identity.epoch)
    desk.line.fault = silent
    with desk.gateway.wire(URL) as wire:
        assert wire.freezes(desk.place).problem is Problem.NO_ANSWER
