"""Sealed messages: byte layouts, stable numbers, and codes that detect every flipped bit."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from protocols import sealed_message as s
from protocols.data_model.items import SETTINGS
from protocols.data_model.kinds import Optional
from protocols.data_model.words import Cause, SupplyState
from protocols.errors import AuthenticationError, MalformedMessageError, UnsupportedVersionError
from protocols.keys import MessageClass, authentication_code, development_keys
from protocols.sealed_message import (
    NO_ORIGIN,
    Answer,
    MessageKind,
    Origin,
    Outcome,
    Receipt,
    SealedMessage,
)

SERIAL = "123456789012"
KEYS = development_keys(SERIAL)
MESSAGE = SealedMessage(
    MessageKind.CREDIT,
    SERIAL,
    0xDEADBEEF,
    7,
    amount=5000,
    account_unit=156,
    customer_number="000000004711",
    issued_at=1_767_225_600,
    parameters=b"\x01\x02",
    key_version=3,
    origin=Origin(0x0A0B0C0D, 0xCAFED00D),
)
MESSAGE_BODY = bytes.fromhex(
    "02 03 123456789012 deadbeef 02 009c 000000004711 00000007 00001388 6955b900 "
    "00000000 0a0b0c0d cafed00d 0002 0102"
)
COMMAND = replace(MESSAGE, kind=MessageKind.GUARANTEE, expires_at=3_661)
FORMER = replace(MESSAGE, expires_at=1_767_229_200, origin=NO_ORIGIN, version=s.FORMER_VERSION)
FORMER_BODY = bytes.fromhex(
    "01 03 123456789012 deadbeef 02 009c 000000004711 00000007 00001388 6955b900 6955c710 0002 0102"
)
ANSWER = Answer(
    Outcome.ACCEPTED,
    7,
    b"\xca\xfe\xba\xbe",
    -5,
    6,
    7,
    8,
    SupplyState.READY_FOR_RECONNECTION,
    Cause.REMOTE | Cause.ACCOUNT,
    9,
)
RECEIPT = Receipt(
    MessageKind.CREDIT,
    SERIAL,
    0xDEADBEEF,
    7,
    5000,
    b"\xca\xfe\xba\xbe",
    1_767_225_600_123,
    -5,
    6,
    7,
    8,
    9,
    -10,
    3,
)


def flips(data: bytes) -> list[bytes]:
    """Return every byte string that differs in one bit."""
    return [
        bytes((*data[:i], data[i] ^ 1 << bit, *data[i + 1 :]))
        for i in range(len(data))
        for bit in range(8)
    ]


# ---- numbers


def test_kinds_keep_their_numbers() -> None:
    assert {kind.name: kind.value for kind in MessageKind} == {
        "OPEN": 1, "CREDIT": 2, "REFUND": 3, "DEBT": 4, "CLOSE": 5, "VOID": 6, "LIMITS": 16,
        "TARIFF": 17, "CLOCK": 18,
        "SWITCH": 19, "GUARANTEE": 20, "MORATORIUM": 21, "CLEAR_TAMPER": 22, "CLEAR_EVENTS": 23,
        "CLEAR_DEMAND": 24,
    }  # fmt: skip


def test_outcomes_keep_their_numbers_which_are_their_precedence() -> None:
    assert {outcome.name: outcome.value for outcome in Outcome} == {
        "MALFORMED": 1, "UNSUPPORTED_VERSION": 2, "NOT_FOR_THIS_METER": 3, "UNKNOWN_KEY_VERSION": 4,
        "BAD_AUTHENTICATION": 5, "SUSPENDED": 6, "ALREADY_ACCEPTED": 7, "SEQUENCE_CONFLICT": 8,
        "SEQUENCE_OLD": 9,
        "SEQUENCE_GAP": 10, "EXPIRED": 11, "NOT_OPENED": 12, "ALREADY_OPENED": 13,
        "NOT_FOR_THIS_CUSTOMER": 14,
        "WRONG_UNIT": 15, "OUT_OF_RANGE": 16, "EXCEEDS_MAX_CREDIT": 17, "REFUSED_BY_GUARANTEE": 18,
        "STORAGE_FAULT": 19, "ACCEPTED": 20,
    }  # fmt: skip


def test_switch_actions_keep_their_numbers() -> None:
    assert {action.name: action.value for action in s.SwitchAction} == {
        "INTERRUPT": 1,
        "PERMIT": 2,
        "DIRECT": 3,
    }


def test_only_accepted_now_or_before_stands_in_the_books() -> None:
    assert {o for o in Outcome if o.applied} == {Outcome.ACCEPTED, Outcome.ALREADY_ACCEPTED}


@pytest.mark.parametrize("kind", MessageKind)
def test_kinds_below_16_are_credit_and_the_others_commands(kind: MessageKind) -> None:
    assert kind.message_class is (MessageClass.CREDIT if kind < 16 else MessageClass.COMMAND)
    assert kind.word == kind.name.lower()


# ---- message


def test_a_message_has_the_layout_of_the_byte_diagram() -> None:
    assert MESSAGE.encode() == MESSAGE_BODY
    assert MESSAGE_BODY[37:41] == bytes.fromhex("0a0b0c0d"), "the number of the journal"
    assert MESSAGE_BODY[41:45] == bytes.fromhex("cafed00d"), "the mark"
    assert MESSAGE_BODY[45:47] == b"\0\2", "the length of the parameters"
    assert MESSAGE_BODY[47:] == b"\1\2"
    assert MESSAGE.seal(KEYS.credit) == MESSAGE_BODY + authentication_code(
        KEYS.credit, MESSAGE_BODY
    )
    assert (
        s.code_of(MESSAGE.seal(KEYS.credit)) == authentication_code(KEYS.credit, MESSAGE_BODY)[:4]
    )


def test_defaults_of_a_message_are_nothing() -> None:
    message = SealedMessage(MessageKind.VOID, SERIAL, 1, 2)
    assert (message.amount, message.account_unit, message.customer_number) == (
        0,
        156,
        "000000000000",
    )
    assert (message.issued_at, message.expires_at, message.parameters) == (0, 0, b"")
    assert (message.key_version, message.origin, message.version) == (0, Origin(0, 0), 2)


def test_a_credit_message_has_63_bytes_and_the_longest_message_1079() -> None:
    assert len(replace(MESSAGE, parameters=b"").seal(KEYS.credit)) == 63
    assert s.MAX_PARAMETERS == 1016
    longest = replace(COMMAND, parameters=bytes(s.MAX_PARAMETERS)).seal(KEYS.command)
    assert len(longest) == s.MAX_MESSAGE == 1079


def test_a_command_carries_its_expiry_before_its_origin() -> None:
    body = COMMAND.encode()
    assert body[33:37] == (3_661).to_bytes(4, "big")
    assert SealedMessage.decode(COMMAND.seal(KEYS.command)) == COMMAND


@pytest.mark.parametrize("kind", MessageKind)
@pytest.mark.parametrize("size", [0, 1, 255, 256, s.MAX_PARAMETERS])
def test_a_message_of_every_kind_comes_back(kind: MessageKind, size: int) -> None:
    expires_at = 3_661 if kind.message_class is MessageClass.COMMAND else 0
    message = replace(MESSAGE, kind=kind, parameters=bytes(size), expires_at=expires_at)
    sealed = message.seal(KEYS.key(kind.message_class))
    s.verify(sealed, KEYS.key(kind.message_class))
    assert SealedMessage.decode(sealed) == message


def test_the_largest_numbers_come_back() -> None:
    message = SealedMessage(
        MessageKind.CLEAR_DEMAND,
        "999999999999",
        0xFFFFFFFF,
        s.LAST_SEQUENCE,
        0xFFFFFFFF,
        0xFFFF,
        "999999999999",
        s.LAST_SECOND,
        0xFFFFFFFF,
        b"",
        255,
        Origin(0xFFFFFFFF, 0xFFFFFFFF),
    )
    assert SealedMessage.decode(message.seal(KEYS.command)) == message


@pytest.mark.parametrize(
    "kind", [kind for kind in MessageKind if kind.message_class is MessageClass.CREDIT]
)
@pytest.mark.parametrize("expires_at", [1, 3_600, 0xFFFFFFFF])
def test_a_message_of_the_credit_class_that_expires_is_malformed(
    kind: MessageKind, expires_at: int
) -> None:
    sealed = replace(MESSAGE, kind=kind, expires_at=expires_at).seal(KEYS.credit)
    with pytest.raises(MalformedMessageError, match=f"^a {kind.word} has no expiry") as caught:
        SealedMessage.decode(sealed)
    assert not isinstance(caught.value, UnsupportedVersionError)


def test_a_message_of_format_1_is_still_read_and_has_no_origin() -> None:
    assert FORMER.encode() == FORMER_BODY
    sealed = FORMER_BODY + authentication_code(KEYS.credit, FORMER_BODY)
    assert FORMER.seal(KEYS.credit) == sealed
    s.verify(sealed, KEYS.credit)
    message = SealedMessage.decode(sealed)
    assert message == FORMER
    assert message.origin == NO_ORIGIN == Origin(0, 0)
    assert (message.version, message.expires_at) == (1, 1_767_229_200), (
        "it may expire, of the credit class too"
    )


def test_the_longest_message_of_format_1_is_still_read() -> None:
    message = replace(FORMER, kind=MessageKind.TARIFF, parameters=bytes(1024))
    sealed = message.seal(KEYS.command)
    assert len(sealed) == s.MAX_MESSAGE
    assert SealedMessage.decode(sealed) == message
    with pytest.raises(MalformedMessageError):
        SealedMessage.decode(replace(message, parameters=bytes(1025)).seal(KEYS.command))


@pytest.mark.parametrize("size", range(39 + 16))
def test_a_message_of_format_1_cut_short_is_malformed(size: int) -> None:
    sealed = replace(FORMER, parameters=b"").seal(KEYS.credit)
    assert len(sealed) == 55
    with pytest.raises(MalformedMessageError):
        SealedMessage.decode(sealed[:size])


@pytest.mark.parametrize("first", sorted(set(range(256)) - {s.FORMAT_VERSION, s.FORMER_VERSION}))
@pytest.mark.parametrize("rest", [b"", b"x", MESSAGE_BODY[1:] + bytes(16), bytes(2000)])
def test_a_format_that_is_not_known_is_named_whatever_follows(first: int, rest: bytes) -> None:
    with pytest.raises(UnsupportedVersionError, match=f"^format version {first} is not known"):
        SealedMessage.decode(bytes((first,)) + rest)


def test_no_bytes_are_malformed_and_of_no_format() -> None:
    with pytest.raises(MalformedMessageError) as caught:
        SealedMessage.decode(b"")
    assert not isinstance(caught.value, UnsupportedVersionError)


def test_no_flipped_bit_of_a_sealed_message_survives() -> None:
    sealed = MESSAGE.seal(KEYS.credit)
    s.verify(sealed, KEYS.credit)
    for flipped in flips(sealed):
        with pytest.raises(AuthenticationError):
            s.verify(flipped, KEYS.credit)


def test_a_flipped_bit_of_the_body_is_another_message_or_none_at_all() -> None:
    sealed = MESSAGE.seal(KEYS.credit)
    for flipped in flips(sealed)[: 8 * len(MESSAGE_BODY)]:
        try:
            assert SealedMessage.decode(flipped) != MESSAGE
        except MalformedMessageError:
            continue


@pytest.mark.parametrize("size", range(s.CODE_SIZE + len(MESSAGE_BODY)))
def test_a_message_cut_short_is_malformed_and_not_authentic(size: int) -> None:
    sealed = MESSAGE.seal(KEYS.credit)[:size]
    with pytest.raises(MalformedMessageError):
        SealedMessage.decode(sealed)
    with pytest.raises(AuthenticationError):
        s.verify(sealed, KEYS.credit)


def test_a_surplus_byte_is_malformed() -> None:
    sealed = MESSAGE.seal(KEYS.credit)
    with pytest.raises(
        MalformedMessageError,
        match=f"2 bytes of parameters do not fit a message of {len(sealed) + 1}",
    ):
        SealedMessage.decode(sealed + b"\0")


def test_a_message_beyond_the_limit_is_malformed() -> None:
    sealed = replace(COMMAND, parameters=bytes(s.MAX_PARAMETERS + 1)).seal(KEYS.command)
    with pytest.raises(
        MalformedMessageError, match=f"{s.MAX_MESSAGE + 1} bytes are no sealed message"
    ):
        SealedMessage.decode(sealed)


@pytest.mark.parametrize("kind", sorted(set(range(256)) - {kind.value for kind in MessageKind}))
def test_an_unknown_kind_is_malformed_and_named(kind: int) -> None:
    body = bytearray(MESSAGE_BODY)
    body[12] = kind
    with pytest.raises(MalformedMessageError, match=f"^{kind} is no kind of message"):
        SealedMessage.decode(bytes(body) + bytes(16))


@pytest.mark.parametrize("at", [*range(2, 8), *range(15, 21)])
@pytest.mark.parametrize("value", [0x0A, 0xA0, 0xFF])
def test_digits_that_are_none_are_malformed_and_named(at: int, value: int) -> None:
    body = bytearray(MESSAGE_BODY)
    body[at] = value
    digits = bytes(body[2:8] if at < 8 else body[15:21]).hex()
    with pytest.raises(MalformedMessageError, match=f"{digits} is no packed BCD"):
        SealedMessage.decode(bytes(body) + bytes(16))


def test_the_keys_of_the_two_classes_do_not_open_each_other() -> None:
    with pytest.raises(AuthenticationError):
        s.verify(MESSAGE.seal(KEYS.credit), KEYS.command)
    with pytest.raises(AuthenticationError):
        s.verify(MESSAGE.seal(KEYS.command), KEYS.credit)


# ---- answer


def test_an_answer_has_the_layout_of_the_byte_diagram_and_comes_back() -> None:
    def q(value: int) -> bytes:
        return value.to_bytes(8, "big", signed=True)

    data = (
        b"\x14"
        + b"\0\0\0\x07"
        + b"\xca\xfe\xba\xbe"
        + q(-5)
        + q(6)
        + q(7)
        + q(8)
        + b"\x01"
        + b"\0\x24"
        + q(9)
    )
    assert ANSWER.encode() == data
    assert len(data) == Answer.SIZE == 52
    assert Answer.decode(data) == ANSWER


@pytest.mark.parametrize("outcome", Outcome)
@pytest.mark.parametrize("state", SupplyState)
def test_an_answer_of_every_outcome_and_state_comes_back(
    outcome: Outcome, state: SupplyState
) -> None:
    answer = replace(ANSWER, outcome=outcome, supply_state=state, causes=Cause.NONE)
    assert Answer.decode(answer.encode()) == answer
    assert Answer.decode(Answer(outcome).encode()) == Answer(outcome)


@pytest.mark.parametrize(("at", "value"), [(0, 0), (0, 21), (0, 255), (41, 3), (41, 255)])
def test_an_answer_whose_words_cannot_be_is_malformed(at: int, value: int) -> None:
    data = bytearray(ANSWER.encode())
    data[at] = value
    with pytest.raises(MalformedMessageError, match=f"{data.hex()} is no answer"):
        Answer.decode(bytes(data))


@pytest.mark.parametrize("size", [0, 1, 51, 53])
def test_an_answer_of_another_length_is_malformed(size: int) -> None:
    with pytest.raises(MalformedMessageError):
        Answer.decode(ANSWER.encode().ljust(53, b"\0")[:size])


# ---- receipt


def test_money_beyond_64_bits_is_cut_in_answers_and_receipts() -> None:
    answer = Answer.decode(replace(ANSWER, credit_before=-(2**70), credit_after=2**70).encode())
    assert (answer.credit_before, answer.credit_after) == (-(2**63), 2**63 - 1)
    receipt = Receipt.decode(
        replace(RECEIPT, cumulative=2**70, settlement=-(2**70)).seal(KEYS.credit)
    )
    assert (receipt.cumulative, receipt.settlement) == (2**63 - 1, -(2**63))


def test_a_receipt_has_the_layout_of_the_byte_diagram_and_comes_back() -> None:
    def q(value: int) -> bytes:
        return value.to_bytes(8, "big", signed=True)

    body = bytes.fromhex("82 03 123456789012 deadbeef 02 00000007 00001388 cafebabe") + q(
        1_767_225_600_123
    )
    body += q(-5) + q(6) + q(7) + q(8) + q(9) + q(-10)
    sealed = RECEIPT.seal(KEYS.credit)
    assert sealed == body + authentication_code(KEYS.credit, body)
    assert len(sealed) == Receipt.SIZE == 97
    assert Receipt.decode(sealed) == RECEIPT


@pytest.mark.parametrize("kind", MessageKind)
def test_a_receipt_of_every_kind_comes_back(kind: MessageKind) -> None:
    receipt = replace(RECEIPT, kind=kind)
    sealed = receipt.seal(KEYS.key(kind.message_class))
    s.verify(sealed, KEYS.key(kind.message_class))
    assert Receipt.decode(sealed) == receipt


def test_no_flipped_bit_of_a_receipt_survives() -> None:
    for flipped in flips(RECEIPT.seal(KEYS.credit)):
        with pytest.raises(AuthenticationError):
            s.verify(flipped, KEYS.credit)


@pytest.mark.parametrize("size", [0, 1, 96, 98])
def test_a_receipt_of_another_length_is_malformed(size: int) -> None:
    with pytest.raises(MalformedMessageError, match=f"^{size} bytes are no receipt"):
        Receipt.decode(RECEIPT.seal(KEYS.credit).ljust(98, b"\0")[:size])


def test_a_receipt_whose_fields_cannot_be_is_malformed() -> None:
    sealed = bytearray(RECEIPT.seal(KEYS.credit))
    sealed[12] = 7
    with pytest.raises(MalformedMessageError, match=r"^7 is no kind of message"):
        Receipt.decode(bytes(sealed))
    sealed[12], sealed[2] = 2, 0xAB
    with pytest.raises(MalformedMessageError, match="ab3456789012 is no packed BCD"):
        Receipt.decode(bytes(sealed))


@pytest.mark.parametrize("version", [s.FORMER_VERSION, s.FORMAT_VERSION])
def test_a_receipt_is_never_taken_for_a_message(version: int) -> None:
    """Its first byte names no format of a message, whatever its bytes at the length field."""
    sealed = replace(RECEIPT, version=version).seal(KEYS.credit)
    s.verify(sealed, KEYS.credit)
    assert sealed[0] == 0x80 + version
    with pytest.raises(UnsupportedVersionError):
        SealedMessage.decode(sealed)


def test_a_receipt_of_format_1_is_still_read() -> None:
    receipt = replace(RECEIPT, version=s.FORMER_VERSION)
    sealed = receipt.seal(KEYS.credit)
    assert sealed[0] == 0x81
    assert Receipt.decode(sealed) == receipt
    assert RECEIPT.version == 2


@pytest.mark.parametrize("first", sorted(set(range(256)) - {0x81, 0x82}))
def test_a_receipt_of_another_format_is_malformed(first: int) -> None:
    with pytest.raises(MalformedMessageError):
        Receipt.decode(bytes((first,)) + RECEIPT.seal(KEYS.credit)[1:])


def test_a_receipt_is_kept_with_zeros_for_its_code() -> None:
    assert RECEIPT.encode() == RECEIPT.seal(KEYS.credit)[:-16] + bytes(16)
    assert Receipt.decode(RECEIPT.encode()) == RECEIPT


@pytest.mark.parametrize(("version", "header"), [(s.FORMER_VERSION, 39), (s.FORMAT_VERSION, 47)])
def test_a_message_is_never_taken_for_a_receipt(version: int, header: int) -> None:
    message = replace(
        MESSAGE, version=version, parameters=bytes(Receipt.SIZE - header - s.CODE_SIZE)
    )
    sealed = message.seal(KEYS.credit)
    assert len(sealed) == Receipt.SIZE
    with pytest.raises(MalformedMessageError):
        Receipt.decode(sealed)


def test_an_answer_is_neither_a_message_nor_a_receipt() -> None:
    for decode in (SealedMessage.decode, Receipt.decode):
        with pytest.raises(MalformedMessageError):
            decode(ANSWER.encode())


@pytest.mark.parametrize("frame", [SealedMessage, Origin, Answer, Receipt])
def test_frames_are_values(frame: type) -> None:
    assert frame.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert set(frame.__slots__) == {field.name for field in fields(frame)}


# ---- limits


def test_limits_have_ten_bytes_a_setting() -> None:
    data = s.encode_limits({2: 5 * 10**10, 4: None, 22: -60})
    assert data == bytes.fromhex(
        "02 00 0000000ba43b7400  04 01 0000000000000000  16 00 ffffffffffffffc4"
    )
    assert s.decode_limits(data) == {2: 5 * 10**10, 4: None, 22: -60}


def test_all_settings_fit_one_message() -> None:
    values: dict[int, int | None] = dict.fromkeys(SETTINGS, 1)
    data = s.encode_limits(values)
    assert len(data) == 240 <= s.MAX_PARAMETERS
    assert s.decode_limits(data) == values
    assert list(s.decode_limits(data)) == list(values)


@pytest.mark.parametrize("number", sorted(SETTINGS))
def test_only_a_setting_that_can_be_off_is_taken_as_off(number: int) -> None:
    data = s.encode_limits({number: None})
    if isinstance(SETTINGS[number].kind, Optional):
        assert s.decode_limits(data) == {number: None}
    else:
        with pytest.raises(MalformedMessageError, match=f"setting {number} .* cannot be off"):
            s.decode_limits(data)


@pytest.mark.parametrize("number", [0, *range(25, 256)])
def test_an_unknown_setting_is_malformed(number: int) -> None:
    with pytest.raises(MalformedMessageError, match=f"setting {number} is unknown"):
        s.decode_limits(s.encode_limits({number: 1}))


def test_a_setting_that_stands_twice_is_malformed() -> None:
    with pytest.raises(MalformedMessageError, match=r"setting 3 .* given twice"):
        s.decode_limits(2 * s.encode_limits({3: 1}))


@pytest.mark.parametrize("size", [0, 1, 9, 11, 19])
def test_limits_of_another_length_are_malformed(size: int) -> None:
    with pytest.raises(MalformedMessageError, match=f"^{size} bytes are no settings"):
        s.decode_limits(s.encode_limits({1: 1, 2: 1})[:size])


@pytest.mark.parametrize("flag", [2, 128, 255])
def test_a_flag_that_is_neither_on_nor_off_is_malformed(flag: int) -> None:
    with pytest.raises(MalformedMessageError, match="setting 1 "):
        s.decode_limits(bytes((1, flag)) + bytes(8))


def test_a_value_out_of_range_is_not_malformed() -> None:
    assert s.decode_limits(s.encode_limits({6: 99, 3: -(2**63)})) == {6: 99, 3: -(2**63)}


# ---- one number

WIDTHS = {
    MessageKind.CLOCK: 8,
    MessageKind.SWITCH: 1,
    MessageKind.GUARANTEE: 1,
    MessageKind.MORATORIUM: 4,
}


@pytest.mark.parametrize(("kind", "width"), WIDTHS.items())
def test_the_only_parameter_is_one_unsigned_number_of_its_width(
    kind: MessageKind, width: int
) -> None:
    for value in (0, 1, 2 ** (8 * width) - 1):
        data = s.encode_number(kind, value)
        assert data == value.to_bytes(width, "big")
        assert s.decode_number(kind, data) == value


@pytest.mark.parametrize(("kind", "width"), WIDTHS.items())
def test_another_width_is_malformed(kind: MessageKind, width: int) -> None:
    for size in {0, 1, 2, 4, 8, 9} - {width}:
        with pytest.raises(
            MalformedMessageError,
            match=f"{size} bytes of parameters are not the {width} of {kind.word}",
        ):
            s.decode_number(kind, bytes(size))


def test_an_answer_that_names_only_its_outcome_says_nothing_else() -> None:
    assert Answer(Outcome.MALFORMED) == Answer(
        Outcome.MALFORMED, 0, bytes(4), 0, 0, 0, 0, SupplyState.CONNECTED, Cause.NONE, 0
    )
