"""Access to a card: selection, files, unreadable keys, blank and issued life, the log, T=0."""

from __future__ import annotations

import pytest

from protocols.card.answer_to_reset import Transmission
from protocols.card.apdu import CommandApdu, Instruction, ResponseApdu
from protocols.card.applet import Card
from protocols.card.files import APPLICATION, LOG_ROW, LOG_ROWS, SIZES, CardFile
from protocols.card.keys import KeyReference
from protocols.card.secure_messaging import SecureChannel
from tests.support.cards import SERIAL, Numbers, authenticate, blank, issued, select, status

transmissions = pytest.mark.parametrize("transmission", Transmission)
files = pytest.mark.parametrize("file", CardFile)
WRITERS = {
    CardFile.IDENTITY: {KeyReference.ISSUING},
    CardFile.CREDIT: {KeyReference.VENDING},
    CardFile.PARAMETERS: {KeyReference.VENDING},
    CardFile.RETURN: {KeyReference.VENDING, KeyReference.METER},
    CardFile.LOG: {KeyReference.VENDING, KeyReference.METER},
}


def secured(
    card: Card, session: SecureChannel, ins: int, p1: int, p2: int, data: bytes
) -> tuple[bytes, int]:
    """Send a secured command; return the verified data of the response and its status."""
    response = ResponseApdu.decode(card.apdu(session.secure(ins, p1, p2, data).encode()))
    return session.open_response(response), response.status


def send(card: Card, text: str) -> str:
    """Send a command and return the response, both as hexadecimal digits."""
    return card.apdu(bytes.fromhex(text)).hex().upper()


# ---- selection


@transmissions
@pytest.mark.parametrize(
    "name",
    [
        "",
        "A0000000031010",
        "315041592E5359532E4444463031",
        "F0505043310100",
        "F05050433102",
        "F15050433101",
        "505043310100",
        "D2760000850101",
    ],
)
def test_a_foreign_application_is_not_found_and_nothing_is_selected(
    transmission: Transmission, name: str
) -> None:
    card = issued(transmission)
    data = bytes.fromhex(name)
    assert status(card.apdu(CommandApdu(0, 0xA4, 4, 0, data, 0).encode())) == 0x6A82
    assert send(card, "0084000008") == "6985"


@transmissions
def test_a_foreign_application_ends_the_session_of_ours(transmission: Transmission) -> None:
    card = issued(transmission)
    session = authenticate(card, KeyReference.VENDING)
    assert send(card, "00A4040007A000000003101000") == "6A82"
    assert (
        status(card.apdu(session.secure(Instruction.READ_BINARY, 0x81, 0, b"\0\0\1").encode()))
        == 0x6982
    )


def test_the_application_says_its_name_its_serial_its_life_and_its_key_versions() -> None:
    name = "8406" + APPLICATION.hex() + "8508" + SERIAL.hex()
    assert select(issued()).hex() == "6f1a" + name + "8a0105" + "9003000000"
    card = Card(blank(), Numbers())
    assert select(card).hex() == "6f1a" + name + "8a0101" + "9003ffffff"
    assert send(card, "80D8070210" + "00" * 16) == "9000"
    assert select(card).hex() == "6f1a" + name + "8a0101" + "9003ff07ff"


@transmissions
@files
def test_a_file_is_selected_by_its_identifier_and_says_its_size(
    transmission: Transmission, file: CardFile
) -> None:
    card = issued(transmission)
    select(card)
    assert send(card, f"00A4000C02EF{file:02X}") == "9000"
    response = card.apdu(CommandApdu(0, 0xA4, 0, 0, bytes((0xEF, file)), 0).encode())
    if transmission is Transmission.T0:
        assert response == b"\x61\x0a"
        response = card.apdu(bytes.fromhex("00C000000A"))
    assert response.hex() == f"6f088002{SIZES[file]:04x}8302ef{file:02x}9000"


def test_only_our_files_are_found_and_only_within_the_application() -> None:
    card = issued()
    for low in range(256):
        select(card)
        for high in (0x00, 0x3F, 0xDF, 0xEF, 0xFF):
            select(card)
            word = send(card, f"00A4000C02{high:02X}{low:02X}")
            known = (high == 0xEF and low in SIZES) or (high, low) in ((0x3F, 0), (0, 0))
            assert word == ("9000" if known else "6A82")
    for file in CardFile:
        card.power_on()
        assert send(card, f"00A4000C02EF{file:02X}") == "6A82"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("00A4040106F0505043310100", "6A86"),
        ("00A4050006F0505043310100", "6A86"),
        ("00A4000001EF", "6700"),
        ("00A4000003EF0101", "6700"),
        ("00B08101", "6700"),
        ("00B0810001", "6985"),
        ("00B2012C18", "6985"),
        ("0084000008", "6985"),
        ("0082000210" + "00" * 16, "6985"),
        ("00A4", "6700"),
    ],
)
def test_parameters_lengths_and_order_are_checked(text: str, word: str) -> None:
    assert send(issued(), text) == word


# ---- reading


@transmissions
@files
def test_every_file_but_the_log_is_read_at_every_offset(
    transmission: Transmission, file: CardFile
) -> None:
    if file is CardFile.LOG:
        return
    card = issued(transmission, sold=True)
    select(card)
    content = card.state.file(file)
    for offset in range(0, 256, 7):
        size = min(200, len(content) - offset)
        if size > 0:
            response = card.apdu(CommandApdu(0, 0xB0, 0x80 | file, offset, b"", size).encode())
            assert response == content[offset : offset + size] + b"\x90\x00"
    for offset in range(len(content)):
        response = card.apdu(CommandApdu(0, 0xB0, offset >> 8, offset & 0xFF, b"", 0).encode())
        assert response == content[offset : offset + 256] + b"\x90\x00"
    assert (
        card.apdu(CommandApdu(0, 0xB0, len(content) >> 8, len(content) & 0xFF, b"", 1).encode())
        == b"\x6b\x00"
    )


@transmissions
def test_more_than_is_there_is_answered_by_what_there_is(transmission: Transmission) -> None:
    card = issued(transmission)
    select(card)
    assert send(card, "00B0810021") == "6C20"
    assert send(card, "00B0811EFF") == "6C02"
    assert send(card, "00B0811E02")[-4:] == "9000"
    assert send(card, "00B0812001") == "6B00"


def test_a_secured_read_beyond_the_end_is_refused_and_the_session_goes_on() -> None:
    card = issued(sold=True)
    session = authenticate(card, KeyReference.METER)
    for file in (CardFile.IDENTITY, CardFile.CREDIT, CardFile.RETURN):
        size = SIZES[file]
        content = card.state.file(file)
        last = (size - 4).to_bytes(2, "big")
        assert secured(card, session, 0xB0, 0x80 | file, 0, last + b"\x04") == (
            content[-4:],
            0x9000,
        )
        assert secured(card, session, 0xB0, 0x80 | file, 0, last + b"\x05") == (b"", 0x6B00)
    for p1 in set(range(256)) - {0x80 | file for file in CardFile}:
        assert secured(card, session, 0xB0, p1, 0, b"\0\0\x01") == (b"", 0x6A82)


# ---- writing


@pytest.mark.parametrize("reference", KeyReference)
@files
def test_only_its_writers_write_a_file(file: CardFile, reference: KeyReference) -> None:
    card = issued(sold=True)
    session = authenticate(card, reference)
    before = card.state.file(file)
    may = reference in WRITERS[file]
    if file is CardFile.LOG:
        assert secured(card, session, 0xD6, 0x85, 0, b"\0\0new") == (b"", 0x6985)
        answer = secured(card, session, 0xE2, 0, file << 3, b"row".ljust(LOG_ROW, b"."))
    else:
        answer = secured(card, session, 0xD6, 0x80 | file, 0, b"\0\x05new")
    assert answer == (b"", 0x9000 if may else 0x6982)
    assert (card.state.file(file) != before) is may
    if may and file is not CardFile.LOG:
        assert card.state.file(file) == before[:5] + b"new" + before[8:]


@pytest.mark.parametrize("reference", KeyReference)
def test_a_write_is_checked_by_file_length_and_end(reference: KeyReference) -> None:
    card = issued()
    session = authenticate(card, reference)
    mine = next(
        file for file in CardFile if reference in WRITERS[file] and file is not CardFile.LOG
    )
    size = SIZES[mine]
    assert secured(card, session, 0xD6, 0x80 | mine, 0, b"") == (b"", 0x6700)
    assert secured(card, session, 0xD6, 0x80 | mine, 0, b"\0\0") == (b"", 0x6700)
    assert secured(card, session, 0xD6, 0x80 | mine, 0, (size - 1).to_bytes(2, "big") + b"12") == (
        b"",
        0x6B00,
    )
    assert secured(card, session, 0xD6, 0x80 | mine, 0, b"\xff\xff1") == (b"", 0x6B00)
    assert secured(card, session, 0xD6, 0x86, 0, b"\0\x001") == (b"", 0x6A82)
    assert secured(card, session, 0xD6, 0x00 | mine, 0, b"\0\x001") == (b"", 0x6A82)
    assert not any(card.state.file(mine)) or reference is KeyReference.ISSUING
    assert secured(card, session, 0xD6, 0x80 | mine, 0, (size - 1).to_bytes(2, "big") + b"1") == (
        b"",
        0x9000,
    )
    assert card.state.file(mine)[-1:] == b"1"


@transmissions
@pytest.mark.parametrize("power", ["issued", "blank"])
def test_nothing_is_written_in_the_plain(transmission: Transmission, power: str) -> None:
    card = issued(transmission) if power == "issued" else Card(blank(transmission), Numbers())
    select(card)
    before = card.state
    for ins in (
        Instruction.UPDATE_BINARY,
        Instruction.APPEND_RECORD,
        Instruction.PUT_KEY,
        Instruction.ACTIVATE,
    ):
        for p1 in (0, *(0x80 | file for file in CardFile)):
            for p2 in (0, 1, 2, 3, CardFile.LOG << 3):
                for size in (0, 1, 16, 24, 255):
                    command = CommandApdu(0, ins, p1, p2, bytes(size)).encode()
                    assert card.apdu(command) == b"\x69\x82"
    assert card.state is before


# ---- the log


def test_the_log_is_cyclic_and_gives_its_newest_row_first() -> None:
    card = issued()
    rows: list[bytes] = []
    for number in range(3 * LOG_ROWS + 3):
        session = authenticate(card, (KeyReference.VENDING, KeyReference.METER)[number % 2])
        row = number.to_bytes(2, "big") * (LOG_ROW // 2)
        assert secured(card, session, 0xE2, 0, CardFile.LOG << 3, row) == (b"", 0x9000)
        rows.insert(0, row)
        select(card)
        for record in range(1, LOG_ROWS + 2):
            response = card.apdu(bytes((0, 0xB2, record, CardFile.LOG << 3 | 4, LOG_ROW)))
            if record <= min(len(rows), LOG_ROWS):
                assert response == rows[record - 1] + b"\x90\x00"
            else:
                assert response == b"\x6a\x83"
        assert card.apdu(bytes.fromhex("00B0850000")) == b"".join(rows[:LOG_ROWS]) + b"\x90\x00"


def test_an_empty_log_has_no_records() -> None:
    card = issued()
    select(card)
    assert [send(card, f"00B2{record:02X}2C18") for record in range(256)] == ["6A83"] * 256
    assert send(card, "00B0850000") == "6B00"
    assert send(card, "00B2012C17") == "6700"
    assert send(card, "00B2012418") == "6A86"


def test_a_row_of_the_log_has_one_length_and_one_place() -> None:
    card = issued()
    session = authenticate(card, KeyReference.VENDING)
    for size in (0, LOG_ROW - 1, LOG_ROW + 1):
        assert secured(card, session, 0xE2, 0, CardFile.LOG << 3, bytes(size)) == (b"", 0x6700)
    assert secured(card, session, 0xE2, 1, CardFile.LOG << 3, bytes(LOG_ROW)) == (b"", 0x6A86)
    assert secured(card, session, 0xE2, 0, CardFile.CREDIT << 3, bytes(LOG_ROW)) == (b"", 0x6A86)
    assert card.state.logged == 0


@pytest.mark.parametrize("identifier", ["", "3F00"])
def test_with_the_master_file_no_application_is_selected(identifier: str) -> None:
    card = issued()
    select(card)
    data = bytes.fromhex(identifier)
    command = CommandApdu(0, Instruction.SELECT, 0, 0x0C, data)
    assert card.apdu(command.encode()) == b"\x90\x00"
    for refused in ("0084000008", "00B0810010", "00B2012C18"):
        assert status(card.apdu(bytes.fromhex(refused))) == 0x6985
    assert status(card.apdu(bytes.fromhex("00A4000002EF01"))) == 0x6A82


def test_a_row_of_the_log_is_read_with_its_length_or_with_any() -> None:
    card = issued(sold=True)
    select(card)
    answers = [card.apdu(bytes.fromhex(f"00B2012C{le}")) for le in ("18", "00")]
    assert answers[0] == answers[1]
    assert len(answers[0]) == LOG_ROW + 2
    for le in ("17", "19", "01", "FF"):
        assert send(card, f"00B2012C{le}") == "6700"
