"""APDUs: round trips, refusal of every other byte string, and a name for every status word."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.card.apdu import CommandApdu, Instruction, ResponseApdu, StatusWord, status_text
from protocols.errors import ApduError

modest = settings(deadline=None, max_examples=200, database=None)
byte = st.integers(0, 255)
COMMANDS = st.builds(CommandApdu, byte, byte, byte, byte, st.binary(max_size=255), st.none() | byte)
RESPONSES = st.builds(ResponseApdu, st.binary(max_size=256), st.integers(0, 0xFFFF))


# ---- commands


@modest
@given(COMMANDS)
def test_a_command_comes_back(command: CommandApdu) -> None:
    assert CommandApdu.decode(command.encode()) == command


@pytest.mark.parametrize("le", [None, 0, 1, 255])
def test_a_command_of_every_length_comes_back(le: int | None) -> None:
    for size in range(256):
        command = CommandApdu(0x0C, 0xD6, 0x82, 0x01, bytes(range(size)), le)
        assert CommandApdu.decode(command.encode()) == command


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("80440000", CommandApdu(0x80, 0x44, 0, 0)),
        ("0084000008", CommandApdu(0, 0x84, 0, 0, b"", 8)),
        ("0084000000", CommandApdu(0, 0x84, 0, 0, b"", 0)),
        ("00A4000002EF01", CommandApdu(0, 0xA4, 0, 0, b"\xef\x01")),
        ("00A4000002EF0100", CommandApdu(0, 0xA4, 0, 0, b"\xef\x01", 0)),
    ],
)
def test_the_four_cases_of_iso_7816_3_are_told_apart(text: str, command: CommandApdu) -> None:
    assert CommandApdu.decode(bytes.fromhex(text)) == command
    assert command.encode() == bytes.fromhex(text)


def test_the_header_is_the_first_four_bytes() -> None:
    assert CommandApdu(1, 2, 3, 4, b"data", 0).header == b"\1\2\3\4"


@pytest.mark.parametrize("size", [256, 257, 65535])
def test_more_data_than_a_short_command_holds_is_refused(size: int) -> None:
    with pytest.raises(ApduError, match=f"^{size} bytes do not fit a short command"):
        CommandApdu(0, 0xD6, 0, 0, bytes(size)).encode()


@pytest.mark.parametrize("size", range(4))
def test_less_than_a_header_is_no_command(size: int) -> None:
    with pytest.raises(ApduError, match=f"^{size} bytes are no command"):
        CommandApdu.decode(bytes(size))


@pytest.mark.parametrize("fill", [0x00, 0x01, 0x7F, 0xFF])
def test_a_text_is_a_command_exactly_where_its_lengths_fit(fill: int) -> None:
    for size in range(4, 301):
        data = bytes((fill,)) * size
        if size <= 5 or (fill > 0 and size in (5 + fill, 6 + fill)):
            assert CommandApdu.decode(data).encode() == data
        else:
            with pytest.raises(ApduError):
                CommandApdu.decode(data)


@modest
@given(st.binary(max_size=300))
def test_any_bytes_are_a_command_or_an_error(data: bytes) -> None:
    try:
        command = CommandApdu.decode(data)
    except ApduError:
        return
    assert command.encode() == data


@pytest.mark.parametrize("size", [1, 255, 256, 300, 65535])
def test_an_extended_length_is_refused(size: int) -> None:
    header = bytes.fromhex("00D60000")
    extended = b"\0" + size.to_bytes(2, "big")
    for data in (
        header + extended,
        header + extended + bytes(size),
        header + extended + bytes(size) + b"\0\0",
    ):
        with pytest.raises(ApduError, match="extended"):
            CommandApdu.decode(data)


def test_apdus_are_values() -> None:
    for apdu in (CommandApdu(0, 0, 0, 0), ResponseApdu()):
        with pytest.raises((FrozenInstanceError, TypeError)):
            apdu.data = b"x"  # type: ignore[misc]


# ---- responses


@modest
@given(RESPONSES)
def test_a_response_comes_back(response: ResponseApdu) -> None:
    assert ResponseApdu.decode(response.encode()) == response


def test_a_text_of_every_length_is_a_response_or_an_error() -> None:
    for size in range(301):
        data = bytes(i % 251 for i in range(size))
        if 2 <= size <= 258:
            assert ResponseApdu.decode(data).encode() == data
        else:
            with pytest.raises(ApduError, match=f"^{size} bytes are no response"):
                ResponseApdu.decode(data)


# ---- numbers and names


def test_instructions_keep_their_numbers() -> None:
    assert {one.name: one.value for one in Instruction} == {
        "ACTIVATE": 0x44, "MUTUAL_AUTHENTICATE": 0x82, "GET_CHALLENGE": 0x84, "SELECT": 0xA4,
        "READ_BINARY": 0xB0,
        "READ_RECORD": 0xB2, "GET_RESPONSE": 0xC0, "UPDATE_BINARY": 0xD6, "PUT_KEY": 0xD8,
        "APPEND_RECORD": 0xE2,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("word", "text"),
    [
        (0x9000, "ok"),
        (0x6581, "memory failure"),
        (0x6700, "wrong length"),
        (0x6982, "security status not satisfied"),
        (0x6983, "authentication blocked"),
        (0x6984, "challenge invalid"),
        (0x6985, "conditions not satisfied"),
        (0x6987, "secure messaging missing"),
        (0x6988, "secure messaging wrong"),
        (0x6A82, "file not found"),
        (0x6B00, "wrong offset"),
        (0x6D00, "instruction not supported"),
        (0x6E00, "class not supported"),
        (0x6F00, "fault"),
        (0x6118, "more data 24"),
        (0x6C0A, "the length is 10"),
        (0x63C7, "authentication failed, 7 tries left"),
        (0x63C0, "authentication failed, 0 tries left"),
        (0x63B0, "unknown"),
        (0x9001, "unknown"),
        (0x0000, "unknown"),
    ],
)
def test_status_words_have_names(word: int, text: str) -> None:
    assert status_text(word) == text


def test_every_status_word_of_the_card_has_a_name_of_its_own() -> None:
    names = [status_text(word) for word in StatusWord]
    assert "unknown" not in names
    assert len(set(names)) == len(StatusWord)


def test_every_number_has_a_text() -> None:
    assert all(status_text(word) for word in range(0x10000))


def test_status_words_keep_their_numbers() -> None:
    assert {one.name: f"{one.value:04X}" for one in StatusWord} == {
        "OK": "9000", "MORE_DATA": "6100", "AUTHENTICATION_FAILED": "63C0",
        "MEMORY_FAILURE": "6581", "WRONG_LENGTH": "6700",
        "SECURITY_STATUS_NOT_SATISFIED": "6982", "AUTHENTICATION_BLOCKED": "6983",
        "CHALLENGE_INVALID": "6984", "CONDITIONS_NOT_SATISFIED": "6985",
        "NO_CURRENT_FILE": "6986", "SECURE_MESSAGING_MISSING": "6987",
        "SECURE_MESSAGING_WRONG": "6988", "WRONG_DATA": "6A80", "FILE_NOT_FOUND": "6A82",
        "RECORD_NOT_FOUND": "6A83", "NO_SPACE": "6A84", "WRONG_PARAMETERS": "6A86",
        "KEY_NOT_FOUND": "6A88", "WRONG_OFFSET": "6B00", "LENGTH_IS": "6C00",
        "INSTRUCTION_NOT_SUPPORTED": "6D00", "CLASS_NOT_SUPPORTED": "6E00", "FAULT": "6F00",
    }  # fmt: skip
