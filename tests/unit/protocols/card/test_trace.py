"""Trace of APDUs: every command and response has a line, and no line shows a key in clear."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.card.apdu import CommandApdu, Instruction
from protocols.card.applet import Card
from protocols.card.terminal import Terminal, drive
from protocols.card.trace import command_line, command_text, response_line
from tests.support.cards import KEYS, Contacts, Numbers, blank, issue, issued, read

modest = settings(deadline=None, max_examples=200, database=None)
byte = st.integers(0, 255)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("00A4040006F0505043310100", "SELECT"),
        ("0084000008", "GET CHALLENGE"),
        ("0082000210" + "00" * 16, "MUTUAL AUTHENTICATE vending"),
        ("0082000410" + "00" * 16, "MUTUAL AUTHENTICATE"),
        ("00B0810020", "READ BINARY identity"),
        ("00B0820020", "READ BINARY credit"),
        ("00B0830020", "READ BINARY parameters"),
        ("00B0840020", "READ BINARY return"),
        ("00B0860020", "READ BINARY"),
        ("00B0010020", "READ BINARY"),
        ("00B2012C18", "READ RECORD log"),
        ("0CD682000B000061111111111111111100", "UPDATE BINARY credit, secured"),
        ("0CE200280811111111111111" + "1100", "APPEND RECORD log, secured"),
        ("0CD8000318" + "00" * 24, "PUT KEY meter, secured"),
        ("80D8000110" + "00" * 16, "PUT KEY issuing"),
        ("80440000", "ACTIVATE"),
        ("00C0000010", "GET RESPONSE"),
        ("00FF0000", "INS FF"),
        ("00000000", "INS 00"),
    ],
)
def test_commands_have_names(text: str, name: str) -> None:
    data = bytes.fromhex(text)
    assert command_text(CommandApdu.decode(data)) == name
    assert command_line(data).endswith(f"  {name}")


@pytest.mark.parametrize("cla", sorted(set(range(256)) - {0x0C}))
@pytest.mark.parametrize("size", [1, 16, 24, 255])
def test_a_key_in_clear_is_not_shown(cla: int, size: int) -> None:
    secret = bytes(0xA0 | i & 7 for i in range(size))
    line = command_line(CommandApdu(cla, Instruction.PUT_KEY, 0, 1, secret).encode())
    assert secret[:1].hex() not in line[15:]
    assert line == f"-> {cla:02x} d8 00 01 {size:02x} (the key is not shown)  PUT KEY issuing"


def test_nothing_of_issuing_and_reading_shows_a_key() -> None:
    contacts = Contacts(Card(blank(), Numbers()))
    drive(issue(Terminal(Numbers(1))), contacts)
    other = Contacts(issued(sold=True))
    drive(read(Terminal(Numbers(1))), other)
    lines = [command_line(command) for command in contacts.commands + other.commands]
    lines += [response_line(response) for response in contacts.responses + other.responses]
    given_in_clear = [
        command for command in contacts.commands if any(key in command for key in KEYS.values())
    ]
    assert len(given_in_clear) == 2
    for key in KEYS.values():
        assert not any(key[i : i + 4].hex(" ") in line for line in lines for i in range(13))


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"\x90\x00", "<- 90 00  9000 ok"),
        (b"\x01\x02\x90\x00", "<- 01 02 90 00  9000 ok"),
        (b"\x63\xc7", "<- 63 c7  63C7 authentication failed, 7 tries left"),
        (b"\x12\x34", "<- 12 34  1234 unknown"),
        (b"", "<-   no response"),
        (b"\x90", "<- 90  no response"),
    ],
)
def test_responses_have_the_names_of_their_status_words(data: bytes, line: str) -> None:
    assert response_line(data) == line


def test_what_is_no_command_is_said_to_be_none() -> None:
    assert command_line(b"") == "->   no command"
    assert command_line(b"\x00\xa4\x04") == "-> 00 a4 04  no command"


@modest
@given(st.binary(max_size=300))
def test_any_bytes_have_a_line(data: bytes) -> None:
    for line in (command_line(data), response_line(data)):
        assert "\n" not in line
        assert line.isascii()


@modest
@given(byte, byte, byte, byte, st.binary(max_size=255), st.none() | byte)
def test_any_command_has_a_name(
    cla: int, ins: int, p1: int, p2: int, data: bytes, le: int | None
) -> None:
    command = CommandApdu(cla, ins, p1, p2, data, le)
    assert command_line(command.encode()).endswith(f"  {command_text(command)}")
    assert ("secured" in command_text(command)) is (cla == 0x0C and ins in tuple(Instruction))
