"""Edge cases: torn erasing, keys in malformed commands, overlong reads, failing flushes."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from protocols.card.applet import MAX_LOGGED, Card
from protocols.card.files import (
    LOG_ROWS,
    CardFile,
    CardIdentity,
    CardType,
    CreditRecord,
    LogActor,
    LogRow,
    split_credit,
)
from protocols.card.issuing import bind, erase, give_keys, read_as_vendor, write_sale
from protocols.card.keys import KeyReference, derive_card_keys
from protocols.card.memory import LAST_GENERATION, BytesMemory, CardMemory, make_blank
from protocols.card.secure_messaging import SecureChannel
from protocols.card.terminal import Terminal, drive
from protocols.card.trace import command_line
from protocols.errors import CardFormatError, CardGoneError, CardMemoryError, CardRefusedError

SERIAL = bytes.fromhex("0011223344556677")
KEYS = derive_card_keys(bytes(16), SERIAL, 1)


class StubbornMemory(BytesMemory):
    """A memory whose flushes can fail."""

    fails = False

    def flush(self) -> None:
        if self.fails:
            raise CardMemoryError("it does not flush")


def used_card(memory: BytesMemory) -> Card:
    """Return an issued card with two sales on it."""
    make_blank(memory, SERIAL)
    card = Card(memory, Random(1).randbytes)
    card.power_on()
    terminal = Terminal(Random(2).randbytes)
    drive(terminal.select(), card.apdu)
    drive(give_keys(terminal, KEYS, 1), card.apdu)
    drive(
        bind(terminal, KEYS, CardIdentity("000000000042", "000000001001", 1), bytes(16)), card.apdu
    )
    for number in (1, 2):
        contents = drive(read_as_vendor(terminal, KEYS), card.apdu)
        drive(
            write_sale(terminal, contents, CreditRecord(CardType.PURCHASE, number, b"sale")),
            card.apdu,
        )
    return card


def at_counter(card: Card) -> Terminal:
    card.power_on()
    terminal = Terminal(Random(3).randbytes)
    drive(terminal.select(), card.apdu)
    return terminal


def sale_on(card: Card) -> int | None:
    newest = split_credit(card.state.file(CardFile.CREDIT)).newest
    return CreditRecord.decode(newest).number if newest else None


@pytest.mark.parametrize("commands", range(20))
def test_an_erasing_that_breaks_off_never_lets_an_older_sale_count(commands: int) -> None:
    card = used_card(BytesMemory())
    terminal = at_counter(card)
    left = commands

    def transmit(command: bytes) -> bytes:
        nonlocal left
        if left == 0:
            raise CardGoneError("pulled")
        left -= 1
        return card.apdu(command)

    try:
        drive(erase(terminal, KEYS), transmit)
    except CardGoneError:
        pass
    assert sale_on(card) in (2, None)


@pytest.mark.parametrize("command", ["80d8000110{key}0000", "0cd8000110{key}", "80d80001{key}"])
def test_what_may_be_a_key_is_not_shown_however_broken_its_command(command: str) -> None:
    key = bytes(range(0xA0, 0xB0)).hex()
    shown = command_line(bytes.fromhex(command.format(key=key)))
    assert key not in shown.replace(" ", "")
    assert "not shown" in shown


@pytest.mark.parametrize(("size", "allowed"), [(248, True), (249, False), (255, False)])
def test_a_secured_read_gives_no_more_than_fits_beside_its_code(size: int, allowed: bool) -> None:
    card = used_card(BytesMemory())
    terminal = at_counter(card)
    drive(terminal.authenticate(KeyReference.VENDING, KEYS.vending), card.apdu)
    session = terminal._session
    assert isinstance(session, SecureChannel)
    command = session.secure(0xB0, 0x80 | CardFile.RETURN, 0, bytes((0, 0, size)))
    response = card.apdu(command.encode())
    assert (response[-2:] == b"\x90\x00") is allowed
    assert len(response) <= 258


def test_commands_that_do_not_fit_leave_those_that_stand() -> None:
    card = used_card(BytesMemory())
    terminal = at_counter(card)
    drive(terminal.authenticate(KeyReference.VENDING, KEYS.vending), card.apdu)
    drive(terminal.write_parameters((b"first",)), card.apdu)
    for too_many in ((bytes(1079),) * 3, (bytes(1080),), (b"",) * 256):
        with pytest.raises(CardFormatError):
            drive(terminal.write_parameters(too_many), card.apdu)
    assert drive(terminal.read_all(), card.apdu).parameters == (b"first",)


def test_a_flush_that_fails_is_refused_and_the_state_before_stays_in_force() -> None:
    memory = StubbornMemory()
    card = used_card(memory)
    terminal = at_counter(card)
    drive(terminal.authenticate(KeyReference.VENDING, KEYS.vending), card.apdu)
    before = card.state
    memory.fails = True
    with pytest.raises(CardRefusedError, match="6581"):
        drive(terminal.update(CardFile.CREDIT, 0, b"hello"), card.apdu)
    assert card.state == before
    assert CardMemory(BytesMemory(bytes(memory.data))).state == before


def test_a_card_whose_writes_are_used_up_refuses_and_keeps_what_it_has() -> None:
    memory = CardMemory(used_card(BytesMemory())._memory._memory)
    memory._generation = LAST_GENERATION
    before = memory.state
    with pytest.raises(CardMemoryError, match="worn out"):
        memory.commit(replace(before, logged=7))
    assert memory.state == before


def test_the_count_of_log_rows_begins_again_in_its_place() -> None:
    card = used_card(BytesMemory())
    card._memory.commit(replace(card.state, logged=MAX_LOGGED - 1))
    terminal = at_counter(card)
    drive(terminal.authenticate(KeyReference.VENDING, KEYS.vending), card.apdu)
    for at in range(10):
        drive(terminal.append_log(LogRow(at, LogActor.METER, 0, 0, 0, 0, 0)), card.apdu)
        assert card.state.logged == LOG_ROWS + at
    assert [row.at for row in drive(at_counter(card).read_log(), card.apdu)] == list(
        range(9, 9 - LOG_ROWS, -1)
    )


def test_a_plain_read_beyond_the_short_offsets_reads_its_own_file() -> None:
    card = used_card(BytesMemory())
    terminal = at_counter(card)
    drive(terminal.read_identity(), card.apdu)
    assert drive(terminal.read(CardFile.PARAMETERS, 256, 300), card.apdu) == bytes(300)


def test_a_get_response_with_nothing_to_give_ends_a_session_like_any_other_command() -> None:
    card = used_card(BytesMemory())
    terminal = at_counter(card)
    drive(terminal.authenticate(KeyReference.VENDING, KEYS.vending), card.apdu)
    assert card.apdu(bytes.fromhex("00c0000008")) == b"\x69\x87"
    with pytest.raises(CardRefusedError, match="6982"):
        drive(terminal.read_all(), card.apdu)
