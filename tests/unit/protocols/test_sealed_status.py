"""The sealed status: byte layout, code against flipped bits, never a message or a receipt."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from protocols import sealed_message as s
from protocols.data_model.words import AccountState
from protocols.errors import AuthenticationError, MalformedMessageError, UnsupportedVersionError
from protocols.keys import CODE_SIZE, authentication_code, development_keys
from protocols.sealed_message import Answer, MessageKind, Receipt, SealedMessage
from protocols.sealed_status import NONCE_SIZE, LastOfJournal, SealedStatus, StatusQuestion
from tests.support.cards import flips

SERIAL = "123456789012"
KEYS = development_keys(SERIAL)
STATUS = SealedStatus(
    key_version=3,
    serial_number=SERIAL,
    epoch=0xDEADBEEF,
    nonce=bytes.fromhex("0011223344556677"),
    journal=0x0A0B0C0D,
    current_version=2,
    account_state=AccountState.CLOSED,
    account_unit=978,
    customer_number="000000004711",
    credit_sequence=7,
    command_sequence=8,
    clock=-9,
    elapsed_ms=10,
    credit=-11,
    committed_elapsed=12,
    committed_energy=13,
    committed_cumulative=-14,
    last_code=bytes.fromhex("cafebabe"),
    last_at=15,
    of_journal=LastOfJournal(0xCAFED00D, 6, bytes.fromhex("01020304")),
    forgotten=5,
)
DIAGRAM = (
    (0, "42"),  # first byte: format version 2 and 40H
    (1, "03"),  # key version asked for
    (2, "123456789012"),  # serial number
    (8, "deadbeef"),  # epoch
    (12, "0011223344556677"),  # nonce
    (20, "0a0b0c0d"),  # number of the journal
    (24, "02"),  # current key version
    (25, "02"),  # account state
    (26, "03d2"),  # account unit
    (28, "000000004711"),  # customer number
    (34, "00000007"),  # credit sequence
    (38, "00000008"),  # command sequence
    (42, "fffffffffffffff7"),  # clock, ms
    (50, "000000000000000a"),  # elapsed, ms
    (58, "fffffffffffffff5"),  # credit
    (66, "000000000000000c"),  # elapsed of the last flushed commit
    (74, "000000000000000d"),  # import energy of that commit, mWh
    (82, "fffffffffffffff2"),  # cumulative amount of that commit
    (90, "cafebabe"),  # code of the last message of the credit class
    (94, "000000000000000f"),  # its instant, ms
    (102, "cafed00d"),  # mark of the last message from that journal
    (106, "00000006"),  # its sequence
    (110, "01020304"),  # its code
    (114, "00000005"),  # forgotten
)


def test_a_status_has_the_layout_of_the_byte_diagram() -> None:
    sealed = STATUS.seal(KEYS.credit)
    for offset, text in DIAGRAM:
        field = bytes.fromhex(text)
        assert sealed[offset : offset + len(field)] == field, f"at {offset}"
    body = b"".join(bytes.fromhex(text) for _, text in DIAGRAM)
    assert len(body) == 118
    assert sealed == body + authentication_code(KEYS.credit, body)
    assert len(sealed) == SealedStatus.SIZE == 134


@pytest.mark.parametrize("state", AccountState)
def test_a_status_of_every_state_comes_back(state: AccountState) -> None:
    status = replace(STATUS, account_state=state)
    sealed = status.seal(KEYS.credit)
    s.verify(sealed, KEYS.credit)
    assert SealedStatus.decode(sealed) == status


def test_the_largest_numbers_come_back() -> None:
    most, least = 2**63 - 1, -(2**63)
    status = SealedStatus(
        255,
        "9" * 12,
        2**32 - 1,
        b"\xff" * 8,
        2**32 - 1,
        255,
        AccountState.OPEN,
        0xFFFF,
        "9" * 12,
        2**32 - 1,
        2**32 - 1,
        most,
        2**64 - 1,
        least,
        2**64 - 1,
        2**64 - 1,
        most,
        b"\xff" * 4,
        2**64 - 1,
        LastOfJournal(2**32 - 1, 2**32 - 1, b"\xff" * 4),
        2**32 - 1,
    )
    assert SealedStatus.decode(status.seal(KEYS.credit)) == status


def test_no_row_of_a_journal_is_sequence_0() -> None:
    assert LastOfJournal() == LastOfJournal(0, 0, bytes(4))
    status = replace(STATUS, of_journal=LastOfJournal())
    assert SealedStatus.decode(status.seal(KEYS.credit)).of_journal.sequence == 0


def test_no_flipped_bit_of_a_status_survives() -> None:
    sealed = STATUS.seal(KEYS.credit)
    s.verify(sealed, KEYS.credit)
    for flipped in flips(sealed):
        with pytest.raises(AuthenticationError):
            s.verify(flipped, KEYS.credit)


def test_a_flipped_bit_of_the_body_is_another_status_or_none_at_all() -> None:
    sealed = STATUS.seal(KEYS.credit)
    for flipped in flips(sealed)[: 8 * (len(sealed) - CODE_SIZE)]:
        try:
            assert SealedStatus.decode(flipped) != STATUS
        except MalformedMessageError:
            continue


def test_a_status_is_sealed_by_the_credit_key_and_no_other() -> None:
    sealed = STATUS.seal(KEYS.credit)
    for key in (KEYS.command, KEYS.card, development_keys("123456789013").credit):
        with pytest.raises(AuthenticationError):
            s.verify(sealed, key)


def test_numbers_beyond_their_field_are_cut_to_it() -> None:
    status = replace(
        STATUS,
        clock=-(2**70),
        elapsed_ms=2**70,
        credit=2**70,
        committed_elapsed=2**70,
        committed_energy=2**70,
        committed_cumulative=2**70,
        last_at=2**70,
    )
    found = SealedStatus.decode(status.seal(KEYS.credit))
    assert (found.clock, found.credit, found.committed_cumulative) == (
        -(2**63),
        2**63 - 1,
        2**63 - 1,
    )
    assert (found.elapsed_ms, found.committed_elapsed, found.committed_energy, found.last_at) == (
        2**64 - 1,
    ) * 4
    assert found.forgotten == STATUS.forgotten, "the other fields stay"
    assert SealedStatus.decode(replace(STATUS, credit=-(2**70)).seal(KEYS.credit)).credit == -(
        2**63
    )


def test_a_status_is_never_taken_for_a_message_or_a_receipt() -> None:
    sealed = STATUS.seal(KEYS.credit)
    with pytest.raises(UnsupportedVersionError):
        SealedMessage.decode(sealed)
    for decode in (Receipt.decode, Answer.decode):
        with pytest.raises(MalformedMessageError):
            decode(sealed)
        with pytest.raises(MalformedMessageError):
            decode(sealed[: Receipt.SIZE])


@pytest.mark.parametrize("version", [1, 2, 0x42])
def test_a_message_or_a_receipt_is_never_taken_for_a_status(version: int) -> None:
    header = 39 if version == 1 else 47
    message = SealedMessage(
        MessageKind.TARIFF,
        SERIAL,
        1,
        1,
        parameters=bytes(SealedStatus.SIZE - header - CODE_SIZE),
        version=version,
    )
    sealed = message.seal(KEYS.command)
    assert len(sealed) == SealedStatus.SIZE
    if version != 0x42:  # such a message is never sealed by a host and never accepted by a meter
        with pytest.raises(MalformedMessageError):
            SealedStatus.decode(sealed)
    receipt = Receipt(MessageKind.CREDIT, SERIAL, 1, 1, 1, b"code", 1, 1, 1, 1, 1, 1, 1, 1).seal(
        KEYS.credit
    )
    with pytest.raises(MalformedMessageError):
        SealedStatus.decode(receipt.ljust(SealedStatus.SIZE, b"\0"))


@pytest.mark.parametrize("first", sorted(set(range(256)) - {0x42}))
def test_another_first_byte_is_no_status(first: int) -> None:
    with pytest.raises(MalformedMessageError):
        SealedStatus.decode(bytes((first,)) + STATUS.seal(KEYS.credit)[1:])


@pytest.mark.parametrize("size", [0, 1, 97, 133, 135])
def test_a_status_of_another_length_is_malformed(size: int) -> None:
    with pytest.raises(MalformedMessageError, match=f"^{size} bytes are no sealed status"):
        SealedStatus.decode(STATUS.seal(KEYS.credit).ljust(135, b"\0")[:size])


@pytest.mark.parametrize("at", [*range(2, 8), *range(28, 34)])
@pytest.mark.parametrize("value", [0x0A, 0xA0, 0xFF])
def test_digits_that_are_none_are_malformed(at: int, value: int) -> None:
    sealed = bytearray(STATUS.seal(KEYS.credit))
    sealed[at] = value
    with pytest.raises(MalformedMessageError, match="no packed BCD"):
        SealedStatus.decode(bytes(sealed))


@pytest.mark.parametrize("state", [3, 255])
def test_an_unknown_account_state_is_malformed_and_named(state: int) -> None:
    sealed = bytearray(STATUS.seal(KEYS.credit))
    sealed[25] = state
    with pytest.raises(MalformedMessageError, match=f"^{state} is no state of an account"):
        SealedStatus.decode(bytes(sealed))


def test_a_question_has_a_nonce_of_8_bytes() -> None:
    assert NONCE_SIZE == 8 == len(STATUS.nonce)
    assert StatusQuestion(STATUS.nonce, 1, 2) == StatusQuestion(
        nonce=STATUS.nonce, journal=1, key_version=2
    )


@pytest.mark.parametrize("frame", [SealedStatus, StatusQuestion, LastOfJournal])
def test_frames_are_values(frame: type) -> None:
    assert frame.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert set(frame.__slots__) == {field.name for field in fields(frame)}
