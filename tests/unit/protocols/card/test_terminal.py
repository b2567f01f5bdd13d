"""The terminal: true contents or a card error, tampering included (attacks 8, 11, 15)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from protocols.card.answer_to_reset import Transmission
from protocols.card.apdu import CommandApdu, Instruction
from protocols.card.applet import Card
from protocols.card.files import SIZES, CardFile, LogActor, LogRow
from protocols.card.keys import KeyReference
from protocols.card.memory import BytesMemory
from protocols.card.terminal import CHUNK, Contents, Exchange, Selected, Terminal, drive
from protocols.card.write_back import WriteBack, verify_write_back
from protocols.errors import (
    CardError,
    CardForgedError,
    CardFormatError,
    CardGoneError,
    CardRefusedError,
)
from tests.support.cards import (
    CARD_KEYS,
    IDENTITY,
    METER_ACCESS,
    METER_CARD_KEY,
    SERIAL,
    Contacts,
    FragileMemory,
    Numbers,
    blank,
    issued,
    issued_image,
    play,
    read,
    sale,
    write_back,
)


def vendor(step: Callable[[Terminal], Exchange[None]]) -> Exchange[None]:
    """Select, authenticate with the vending key, and run a step."""
    terminal = Terminal(Numbers(7))
    yield from terminal.select()
    yield from terminal.authenticate(KeyReference.VENDING, CARD_KEYS.vending)
    yield from step(terminal)


def rewritten(steps: list[bytes], responses: list[bytes]) -> Callable[[bytes], bytes]:
    """Return contacts that record commands and take the responses from a list."""
    left = iter(responses)
    return lambda command: steps.append(command) or next(left)  # type: ignore[func-returns-value]


# ---- reading


@pytest.mark.parametrize("transmission", Transmission)
def test_all_that_stands_on_a_card_is_read(transmission: Transmission) -> None:
    contents = play(issued(transmission, sold=True), read(Terminal(Numbers(3))))
    assert contents.identity == IDENTITY
    assert contents.credit == sale(1, 1)
    assert contents.parameters == (b"first" * 50, b"second")
    slot = contents.return_slots.newest
    assert slot is not None
    verify_write_back(slot, METER_CARD_KEY)
    assert WriteBack.decode(slot) == write_back(1)


def test_a_card_without_anything_is_read_as_such() -> None:
    card = Card(blank(), Numbers())
    terminal, contacts = Terminal(Numbers(3)), Contacts(card)
    assert drive(terminal.select(), contacts) == Selected(SERIAL, False, b"\xff\xff\xff")
    contents = drive(terminal.read_all(), contacts)
    assert (contents.identity, contents.credit, contents.parameters) == (None, None, ())
    assert (contents.credit_slots.valid, contents.return_slots.valid) == ((), ())
    assert drive(terminal.read_log(), contacts) == []


def test_files_are_read_without_a_key_too() -> None:
    terminal, contacts = Terminal(Numbers(3)), Contacts(issued(sold=True))
    selected = drive(terminal.select(), contacts)
    assert (selected.issued, selected.vendor_version) == (True, 0)
    assert drive(terminal.read_all(), contacts) == play(
        issued(sold=True), read(Terminal(Numbers(4)))
    )
    assert all(command[0] == 0 for command in contacts.commands)


def test_after_authentication_everything_is_secured() -> None:
    contacts = Contacts(issued(sold=True))
    drive(read(Terminal(Numbers(3))), contacts)
    assert [command[0] for command in contacts.commands[:3]] == [0, 0, 0]
    assert {command[0] for command in contacts.commands[3:]} == {0x0C}


@pytest.mark.parametrize(
    "file", [CardFile.IDENTITY, CardFile.CREDIT, CardFile.PARAMETERS, CardFile.RETURN]
)
def test_files_longer_than_a_command_are_written_and_read_in_pieces(file: CardFile) -> None:
    card = issued()
    content = bytes(i % 251 for i in range(SIZES[file]))
    reference, key = (
        (KeyReference.ISSUING, CARD_KEYS.issuing)
        if file == 1
        else (KeyReference.VENDING, CARD_KEYS.vending)
    )
    terminal, contacts = Terminal(Numbers(3)), Contacts(card)
    drive(terminal.select(), contacts)
    drive(terminal.authenticate(reference, key), contacts)
    drive(terminal.update(file, 0, content), contacts)
    assert card.state.file(file) == content
    assert drive(terminal.read(file, 0, len(content)), contacts) == content
    drive(terminal.select(), contacts)
    assert drive(terminal.read(file, 0, len(content)), contacts) == content
    for size in (1, CHUNK, 240):
        if size <= len(content):
            drive(terminal.select(), contacts)
            drive(terminal.authenticate(reference, key), contacts)
            before = len(contacts.commands)
            drive(terminal.update(file, 0, content[:size]), contacts)
            assert len(contacts.commands) == before + 1
    if len(content) > 240:
        before = len(contacts.commands)
        drive(terminal.update(file, 0, content[:241]), contacts)
        assert len(contacts.commands) == before + -(-241 // CHUNK)


def test_the_log_is_read_newest_first() -> None:
    card = issued()
    rows = [LogRow(at, LogActor.VENDING, 1, 2, at, 4, -5) for at in range(10)]

    def log(terminal: Terminal) -> Exchange[None]:
        for row in rows:
            yield from terminal.append_log(row)

    play(card, vendor(log))
    terminal, contacts = Terminal(Numbers(3)), Contacts(card)
    drive(terminal.select(), contacts)
    assert drive(terminal.read_log(), contacts) == rows[:1:-1]


# ---- tampering


def tampered(number: int, bit: int) -> Callable[[int, bytes], bytes]:
    def change(n: int, response: bytes) -> bytes:
        if n != number or bit >= 8 * len(response):
            return response
        return bytes(
            (*response[: bit // 8], response[bit // 8] ^ 1 << bit % 8, *response[bit // 8 + 1 :])
        )

    return change


@pytest.mark.parametrize("transmission", Transmission)
def test_a_flipped_bit_of_any_response_is_an_error_or_harmless_and_never_wrong_contents(
    transmission: Transmission,
) -> None:
    honest = Contacts(issued(transmission, sold=True))
    wanted = drive(read(Terminal(Numbers(3))), honest)
    errors: set[type] = set()
    for number, response in enumerate(honest.responses):
        step = 1 if number < 5 or len(response) < 60 else 23
        for bit in [
            *range(0, 8 * len(response) - 16, step),
            *range(8 * len(response) - 16, 8 * len(response)),
        ]:
            contacts = Contacts(issued(transmission, sold=True), tampered(number, bit))
            try:
                contents = drive(read(Terminal(Numbers(3))), contacts)
            except CardError as error:
                errors.add(type(error))
                continue
            assert contents == wanted
            assert (
                contacts.commands[number][0] != 0x0C or len(response) == 2
            )  # 61xx: another length is fetched
    assert {CardForgedError, CardRefusedError} <= errors


@pytest.mark.parametrize(
    "response", [b"", b"\x90", b"\x90\x00", b"\x61\x00", bytes(300), b"x" * 8 + b"\x90\x00"]
)
def test_a_response_that_was_replaced_is_an_error(response: bytes) -> None:
    honest = Contacts(issued(sold=True))
    drive(read(Terminal(Numbers(3))), honest)
    for number in range(len(honest.responses)):
        contacts = Contacts(
            issued(sold=True), lambda n, r, number=number: response if n == number else r
        )
        with pytest.raises(CardError):
            drive(read(Terminal(Numbers(3))), contacts)


def test_responses_of_another_session_are_forged() -> None:
    recorded = Contacts(issued(sold=True))
    drive(read(Terminal(Numbers(3))), recorded)
    with pytest.raises(CardForgedError):
        drive(read(Terminal(Numbers(99))), rewritten([], recorded.responses))
    asked: list[bytes] = []
    drive(read(Terminal(Numbers(3))), rewritten(asked, recorded.responses))
    assert asked == recorded.commands


def test_responses_in_another_order_are_forged() -> None:
    honest = Contacts(issued(sold=True))
    drive(read(Terminal(Numbers(3))), honest)
    first = next(i for i, command in enumerate(honest.commands) if command[0] == 0x0C)
    for number in range(first, len(honest.responses) - 1):
        swapped = [*honest.responses]
        swapped[number], swapped[number + 1] = swapped[number + 1], swapped[number]
        with pytest.raises(CardForgedError):
            drive(read(Terminal(Numbers(3))), rewritten([], swapped))


def test_a_write_that_was_dropped_in_between_is_no_success() -> None:
    """Neither a bare 9000 nor the response to the previous write is accepted for a write."""
    card = issued()
    contacts = Contacts(card)
    terminal = Terminal(Numbers(3))
    drive(terminal.select(), contacts)
    drive(terminal.authenticate(KeyReference.VENDING, CARD_KEYS.vending), contacts)
    drive(terminal.update(CardFile.CREDIT, 0, b"first"), contacts)
    old = contacts.responses[-1]
    for answer in (b"\x90\x00", old, bytes(8) + b"\x90\x00"):
        with pytest.raises(CardForgedError):
            drive(terminal.update(CardFile.CREDIT, 0, b"second"), lambda _, answer=answer: answer)
        drive(terminal.select(), contacts)
        drive(terminal.authenticate(KeyReference.VENDING, CARD_KEYS.vending), contacts)
    assert card.state.file(CardFile.CREDIT).startswith(b"first")


@pytest.mark.parametrize(
    "information",
    [b"", b"\x6f", b"\x6f\x00", b"\x6f\x0a\x85\x08" + SERIAL, bytes(40), b"\x6f\x03\x85\xff\x01"],
)
def test_an_application_that_does_not_say_who_it_is_is_none(information: bytes) -> None:
    with pytest.raises(CardFormatError, match="the application is incomplete"):
        drive(Terminal(Numbers()).select(), lambda _: information + b"\x90\x00")


# ---- card removed


@pytest.mark.parametrize("executes", [False, True])
def test_a_card_that_is_pulled_at_any_command_is_gone(executes: bool) -> None:
    whole = Contacts(issued(sold=True))
    drive(read(Terminal(Numbers(3))), whole)
    for number in range(len(whole.commands)):
        contacts = Contacts(issued(sold=True))
        contacts.dies_at, contacts.executes_last = number, executes
        with pytest.raises(CardGoneError):
            drive(read(Terminal(Numbers(3))), contacts)


@pytest.mark.parametrize("executes", [False, True])
@pytest.mark.parametrize("old", [(), (b"old",)])
@pytest.mark.parametrize("new", [(), (b"new" * 150, b"er")])
def test_parameters_that_are_torn_at_any_command_are_the_old_none_or_the_new(
    executes: bool, old: tuple[bytes, ...], new: tuple[bytes, ...]
) -> None:
    card = issued()
    play(card, vendor(lambda terminal: terminal.write_parameters(old)))
    image = bytes(card._memory._memory.data)  # type: ignore[attr-defined]
    found = []
    for number in range(40):
        card = Card(BytesMemory(image), Numbers(number))
        contacts = Contacts(card)
        contacts.dies_at, contacts.executes_last = number, executes
        try:
            drive(vendor(lambda terminal: terminal.write_parameters(new)), contacts)
        except CardGoneError:
            found.append(play(card, read(Terminal(Numbers(99)))).parameters)
            continue
        assert play(card, read(Terminal(Numbers(99)))).parameters == new
        break
    clears = 4 - executes
    assert found[:clears] == [old] * clears
    assert set(found[clears:-1]) <= {()}
    assert found[-1] in (old, (), new)
    assert len(found) == (8 if new else 4)


def test_an_exchange_ends_where_its_card_is_gone_and_nowhere_else() -> None:
    def transmit(_: bytes) -> bytes:
        raise CardGoneError("pulled")

    with pytest.raises(CardGoneError, match="pulled"):
        drive(Terminal(Numbers()).select(), transmit)

    def nothing() -> Exchange[str]:
        return "done"
        yield b""

    assert drive(nothing(), transmit) == "done"


def test_a_step_that_needs_a_session_says_so() -> None:
    with pytest.raises(AssertionError, match="authenticate first"):
        next(Terminal(Numbers()).update(CardFile.CREDIT, 0, b"x"))
    with pytest.raises(AssertionError, match="authenticate first"):
        next(Terminal(Numbers()).put_key(KeyReference.METER, METER_ACCESS, 0))


def test_no_command_is_too_short_for_a_reader() -> None:
    contacts = Contacts(Card(FragileMemory(issued_image(sold=True)), Numbers()))
    contents: Contents = drive(read(Terminal(Numbers(3))), contacts)
    assert contents.credit is not None
    assert all(
        CommandApdu.decode(command).ins in tuple(Instruction) for command in contacts.commands
    )
    assert min(map(len, contacts.commands)) >= 5


def test_every_step_sends_the_commands_of_the_description() -> None:
    contacts, terminal = Contacts(issued(sold=True)), Terminal(Numbers(7))
    row = LogRow(1, LogActor.VENDING, 1, 2, 3, 4, -5)

    def heads(step: Exchange[object]) -> list[str]:
        """Return the first five bytes of each command of a step."""
        before = len(contacts.commands)
        drive(step, contacts)
        return [command[:5].hex(" ") for command in contacts.commands[before:]]

    select = ["00 a4 04 00 06"]
    assert heads(terminal.select()) == select
    assert heads(terminal.read(CardFile.RETURN, 0, SIZES[CardFile.RETURN])) == [
        "00 b0 84 00 c8",
        "00 b0 84 c8 c8",
        "00 a4 02 0c 02",
        "00 b0 01 90 50",
    ]
    assert heads(terminal.authenticate(KeyReference.ISSUING, CARD_KEYS.issuing)) == [
        "00 84 00 00 08",
        "00 82 00 01 10",
    ]
    assert heads(terminal.read(CardFile.IDENTITY, 0, 32)) == ["0c b0 81 00 0b"]
    assert heads(terminal.read(CardFile.RETURN, 0, 201)) == ["0c b0 84 00 0b"] * 2
    assert heads(terminal.put_key(KeyReference.METER, METER_ACCESS, 9)) == ["0c d8 09 03 20"]
    assert heads(terminal.select()) == select
    assert heads(terminal.authenticate(KeyReference.VENDING, CARD_KEYS.vending)) == [
        "00 84 00 00 08",
        "00 82 00 02 10",
    ]
    assert heads(terminal.update(CardFile.CREDIT, 0, bytes(80))) == ["0c d6 82 00 5a"]
    assert heads(terminal.update(CardFile.CREDIT, 0, b"")) == []
    assert heads(terminal.append_log(row)) == ["0c e2 00 28 20"]
    assert heads(terminal.select()) == select
    assert heads(terminal.read_log()) == [f"00 b2 0{n} 2c 18" for n in (1, 2, 3)], "two rows"
    contacts = Contacts(Card(blank(), Numbers()))
    heads(terminal.select())
    assert heads(terminal.put_first_key(KeyReference.ISSUING, bytes(16), 9)) == ["80 d8 09 01 10"]
    assert heads(terminal.put_first_key(KeyReference.VENDING, bytes(16), 9)) == ["80 d8 09 02 10"]
    assert heads(terminal.activate()) == ["80 44 00 00"]
