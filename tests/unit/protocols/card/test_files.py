"""Card files: round trips, and no damaged byte is read as valid content."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.card.files import (
    CREDIT_SLOT,
    LAYOUT,
    LOG_ROW,
    PARAMETER_HEAD,
    RETURN_SLOT,
    SIZES,
    CardFile,
    CardIdentity,
    CardType,
    CreditRecord,
    LogActor,
    LogRow,
    Slots,
    checked,
    decode_parameters,
    encode_parameters,
    holds,
    parameter_size,
    split_credit,
)
from protocols.card.write_back import WriteBack, split_write_back, verify_write_back
from protocols.errors import AuthenticationError, CardFormatError, CardTypeError
from protocols.sealed_message import MAX_MESSAGE, Receipt
from tests.support.cards import (
    CUSTOMER,
    IDENTITY,
    METER,
    METER_CARD_KEY,
    SERIAL,
    flips,
    sale,
    write_back,
)

modest = settings(deadline=None, max_examples=100, database=None)
SLOT_MESSAGE = CREDIT_SLOT - 15


def unsigned(bits: int) -> st.SearchStrategy[int]:
    return st.integers(0, 2**bits - 1)


def signed(bits: int) -> st.SearchStrategy[int]:
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


digits = st.text("0123456789", min_size=12, max_size=12)
IDENTITIES = st.builds(CardIdentity, digits, digits, unsigned(8), unsigned(32), unsigned(16))
CREDITS = st.builds(
    CreditRecord,
    st.sampled_from(CardType),
    unsigned(32),
    st.binary(max_size=SLOT_MESSAGE),
    unsigned(32),
)
ROWS = st.builds(
    LogRow,
    unsigned(32),
    st.sampled_from(LogActor),
    unsigned(8),
    unsigned(8),
    unsigned(32),
    unsigned(32),
    signed(64),
)
four, six = st.binary(min_size=4, max_size=4), digits.map(bytes.fromhex)
WRITE_BACKS = st.builds(
    WriteBack,
    st.just(LAYOUT),
    unsigned(8),
    unsigned(32),
    unsigned(8),
    six,
    unsigned(32),
    six,
    st.binary(min_size=8, max_size=8),
    unsigned(32),
    four,
    unsigned(8),
    unsigned(8),
    unsigned(8),
    unsigned(32),
    unsigned(32),
    unsigned(8),
    unsigned(16),
    signed(64),
    signed(64),
    signed(64),
    unsigned(32),
    unsigned(64),
    unsigned(64),
    unsigned(64),
    unsigned(8),
    unsigned(16),
    unsigned(32),
    unsigned(32),
    st.just(b"") | st.binary(min_size=Receipt.SIZE, max_size=Receipt.SIZE),
)
MESSAGES = st.lists(
    st.binary(max_size=80) | st.binary(min_size=200, max_size=MAX_MESSAGE), max_size=2
).map(tuple)


# ---- round trips


@modest
@given(IDENTITIES)
def test_an_identity_comes_back(identity: CardIdentity) -> None:
    assert len(identity.encode()) == SIZES[CardFile.IDENTITY]
    assert CardIdentity.decode(identity.encode()) == identity


@modest
@given(CREDITS)
def test_a_sale_comes_back(credit: CreditRecord) -> None:
    slot = credit.encode()
    assert len(slot) == CREDIT_SLOT
    assert holds(slot)
    assert CreditRecord.decode(slot) == credit


@modest
@given(ROWS)
def test_a_row_of_the_log_comes_back(row: LogRow) -> None:
    assert len(row.encode()) == LOG_ROW
    assert LogRow.decode(row.encode()) == row


@modest
@given(WRITE_BACKS, st.binary(min_size=16, max_size=16))
def test_a_write_back_comes_back_sealed(back: WriteBack, key: bytes) -> None:
    slot = back.seal(key)
    assert len(slot) == RETURN_SLOT
    assert holds(slot)
    verify_write_back(slot, key)
    assert WriteBack.decode(slot) == back


@modest
@given(MESSAGES)
def test_parameters_come_back(messages: tuple[bytes, ...]) -> None:
    head, body = encode_parameters(messages)
    assert len(head) == PARAMETER_HEAD
    assert parameter_size(head) == len(body)
    assert decode_parameters(head, body) == messages


def test_records_have_the_layout_of_the_description() -> None:
    body = bytes.fromhex("01 00 123456789012 000000004711 6955b900 009c") + bytes(8)
    assert IDENTITY.encode() == body + zlib.crc32(body).to_bytes(4, "big")
    body = bytes.fromhex("01 02 00000007 6955b900 03") + b"abc".ljust(SLOT_MESSAGE, b"\0")
    credit = CreditRecord(CardType.PURCHASE, 7, b"abc", 0x6955B900)
    assert credit.encode() == body + zlib.crc32(body).to_bytes(4, "big")
    row = LogRow(0x6955B900, LogActor.METER, 3, 20, 7, 5000, -1)
    assert row.encode() == bytes.fromhex("6955b900 02 03 14 00 00000007 00001388 ffffffffffffffff")
    assert encode_parameters((b"abc", b"")) == (
        bytes.fromhex("01 02 0007") + zlib.crc32(b"\0\3abc\0\0").to_bytes(4, "big"),
        b"\0\3abc\0\0",
    )


def test_a_write_back_names_its_meter_and_customer_and_saturates() -> None:
    back = write_back(1)
    assert (back.meter_digits, back.customer_digits, back.layout) == (METER, CUSTOMER, LAYOUT)
    decoded = WriteBack.decode(
        replace(back, cumulative=2**70, debt=-(2**70), energy_mwh=2**70).seal(METER_CARD_KEY)
    )
    assert (decoded.cumulative, decoded.debt, decoded.energy_mwh) == (
        2**63 - 1,
        -(2**63),
        2**64 - 1,
    )


def test_card_types_keep_their_numbers() -> None:
    assert {kind.word: kind.value for kind in CardType} == {
        "open": 1,
        "purchase": 2,
        "replacement": 3,
        "preset": 4,
        "service": 5,
    }


# ---- damage


def whole_identity(data: bytes) -> bool:
    try:
        return CardIdentity.decode(data) is not None
    except CardFormatError:
        return False


def whole_parameters(data: bytes) -> bool:
    try:
        decode_parameters(data[:PARAMETER_HEAD], data[PARAMETER_HEAD:])
    except CardFormatError:
        return False
    return True


@pytest.mark.parametrize(
    ("whole", "is_whole"),
    [
        (IDENTITY.encode(), whole_identity),
        (
            sale(1, 2).encode(),
            lambda slot: bool(split_credit(slot.ljust(2 * CREDIT_SLOT, b"\0")).valid),
        ),
        (
            write_back(1).seal(METER_CARD_KEY),
            lambda slot: bool(split_write_back(slot.ljust(2 * RETURN_SLOT, b"\0")).valid),
        ),
        (b"".join(encode_parameters((b"first", b"second"))), whole_parameters),
        (b"".join(encode_parameters((bytes(256),))), whole_parameters),
    ],
    ids=["identity", "credit", "write-back", "parameters", "long parameters"],
)
def test_damage_of_every_byte_is_seen(whole: bytes, is_whole: Callable[[bytes], bool]) -> None:
    assert is_whole(whole)
    for at in range(len(whole)):
        for change in (1, 2, 4, 8, 16, 32, 64, 128, 0xFF, whole[at]):
            if change:
                assert not is_whole(bytes((*whole[:at], whole[at] ^ change, *whole[at + 1 :])))
    for size in range(1, len(whole)):
        assert is_whole(whole[:size].ljust(len(whole), b"\0")) is (not any(whole[size:]))


def test_a_file_of_noughts_is_empty_and_no_record() -> None:
    assert CardIdentity.decode(bytes(32)) is None
    assert not any(holds(bytes(size)) for size in (0, 4, CREDIT_SLOT))
    assert split_credit(bytes(2 * CREDIT_SLOT)).newest is None
    assert (parameter_size(bytes(8)), decode_parameters(bytes(8), b"")) == (0, ())


@modest
@given(st.binary(max_size=2 * RETURN_SLOT))
def test_any_bytes_are_records_or_format_errors(data: bytes) -> None:
    for decode in (
        lambda: CardIdentity.decode(data.ljust(32, b"\1")[:32]),
        lambda: CardIdentity.decode(checked(b"\1" + data.ljust(27, b"\1")[:27])),
        lambda: CreditRecord.decode(checked(b"\1" + data.ljust(CREDIT_SLOT)[: CREDIT_SLOT - 5])),
        lambda: LogRow.decode(data[:LOG_ROW]),
        lambda: decode_parameters(data[:8].ljust(8), data[8:]),
        lambda: decode_parameters(
            b"\1\2" + len(data).to_bytes(2, "big") + zlib.crc32(data).to_bytes(4, "big"), data
        ),
        lambda: parameter_size(data[:8].ljust(8)),
        lambda: WriteBack.decode(data),
        lambda: WriteBack.decode(checked(b"\1" + data.ljust(RETURN_SLOT)[: RETURN_SLOT - 5])),
        lambda: split_credit(data),
        lambda: split_write_back(data),
    ):
        try:
            decode()  # type: ignore[no-untyped-call]
        except CardFormatError:
            continue


@pytest.mark.parametrize("layout", sorted(set(range(256)) - {LAYOUT}))
def test_another_layout_is_refused(layout: int) -> None:
    def other(record: bytes) -> bytes:
        return checked(bytes((layout,)) + record[1:-4])

    head, body = encode_parameters((b"first",))
    for decode in (
        lambda: CardIdentity.decode(other(IDENTITY.encode())),
        lambda: CreditRecord.decode(other(sale(1, 1).encode())),
        lambda: WriteBack.decode(other(write_back(1).seal(METER_CARD_KEY))),
        lambda: decode_parameters(bytes((layout,)) + head[1:], body),
    ):
        with pytest.raises(CardFormatError, match="layout"):
            decode()  # type: ignore[no-untyped-call]


def test_fields_that_cannot_be_are_named() -> None:
    with pytest.raises(CardFormatError, match="is no packed BCD"):
        CardIdentity.decode(checked(b"\1\0\xab" + IDENTITY.encode()[3:-4]))
    with pytest.raises(CardFormatError, match="is no packed BCD"):
        WriteBack.decode(replace(write_back(1), customer=b"\xab" * 6).seal(METER_CARD_KEY))
    slot = sale(1, 1).encode()
    for kind in set(range(256)) - set(CardType):
        with pytest.raises(CardTypeError, match=f"^{kind} is no type of card"):
            CreditRecord.decode(checked(bytes((1, kind)) + slot[2:-4]))
    row = LogRow(1, LogActor.METER, 3, 4, 5, 6, 7).encode()
    for actor in set(range(256)) - set(LogActor):
        with pytest.raises(CardFormatError, match=f"^{actor} writes no log"):
            LogRow.decode(row[:4] + bytes((actor,)) + row[5:])
    with pytest.raises(CardFormatError, match="23 bytes are no row"):
        LogRow.decode(row[:-1])


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(CardFormatError, match=f"{SLOT_MESSAGE + 1} bytes are no credit transfer"):
        CreditRecord(CardType.OPEN, 1, bytes(SLOT_MESSAGE + 1)).encode()
    encode_parameters((bytes(MAX_MESSAGE), bytes(MAX_MESSAGE)))
    with pytest.raises(CardFormatError, match="do not fit a card"):
        encode_parameters((bytes(MAX_MESSAGE), bytes(MAX_MESSAGE + 1)))


def test_the_seal_of_a_write_back_covers_everything_that_is_said() -> None:
    slot = write_back(1, receipt=bytes(range(Receipt.SIZE))).seal(METER_CARD_KEY)
    sealed = WriteBack.PACKING.size + 1 + Receipt.SIZE
    for forged in flips(slot[: sealed + 16]):
        with pytest.raises(AuthenticationError):
            verify_write_back(checked(forged + slot[sealed + 16 : -4]), METER_CARD_KEY)
    with pytest.raises(AuthenticationError):
        verify_write_back(slot, bytes(16))
    assert not any(slot[sealed + 16 : -4])
    assert SERIAL in slot


# ---- slots


@modest
@given(a=unsigned(32), b=unsigned(32), whole=st.tuples(st.booleans(), st.booleans()))
def test_the_newest_valid_slot_counts_and_the_next_goes_beside_it(
    a: int, b: int, whole: tuple[bool, bool]
) -> None:
    slots = [
        CreditRecord(CardType.PURCHASE, number, b"x").encode()
        if is_whole
        else CreditRecord(CardType.PURCHASE, number, b"x").encode()[:-1] + b"?"
        for number, is_whole in zip((a, b), whole, strict=True)
    ]
    valid = [(number, at) for at, number in enumerate((a, b)) if holds(slots[at])]
    found = split_credit(b"".join(slots))
    assert [(number, at) for number, at, _ in found.valid] == sorted(valid, reverse=True)
    if not valid:
        assert (found.newest, found.next_number, found.next_offset) == (None, 1, 0)
        return
    number, at = max(valid)
    assert found.newest == slots[at]
    assert found.next_number == number + 1
    assert found.next_offset == (CREDIT_SLOT if at == 0 else 0)


def test_a_slot_that_is_cut_short_does_not_count() -> None:
    data = sale(1, 1).encode() + sale(2, 2).encode()
    assert len(Slots.split(data, CREDIT_SLOT, 2).valid) == 2
    assert len(Slots.split(data[:-1], CREDIT_SLOT, 2).valid) == 1
    assert Slots.split(data[: CREDIT_SLOT - 1], CREDIT_SLOT, 2).valid == ()


def test_parameters_that_fill_their_file_are_whole_and_one_byte_more_is_refused() -> None:
    messages = (bytes(MAX_MESSAGE), bytes(MAX_MESSAGE))
    head, body = encode_parameters(messages)
    assert PARAMETER_HEAD + len(body) == SIZES[CardFile.PARAMETERS]
    assert parameter_size(head) == len(body)
    assert decode_parameters(head, body) == messages
    longer = (len(body) + 1).to_bytes(2, "big")
    with pytest.raises(CardFormatError, match="of another layout"):
        parameter_size(head[:2] + longer + head[4:])
    with pytest.raises(CardFormatError, match=f"{len(body) + 1} bytes .* do not fit a card"):
        encode_parameters((*messages[1:], bytes(MAX_MESSAGE - 1), b""))


def test_up_to_255_parameters_of_any_size_that_fits_come_back() -> None:
    room = SIZES[CardFile.PARAMETERS] - PARAMETER_HEAD
    for count in (0, 1, 2, 255):
        messages = (b"",) * count
        assert decode_parameters(*encode_parameters(messages)) == messages
    assert room >= 2 * 256
    with pytest.raises(CardFormatError, match="256 sealed commands do not fit"):
        encode_parameters((b"",) * 256)


def test_the_last_sale_number_is_written_and_none_after_it() -> None:
    last = CreditRecord(CardType.PURCHASE, 0xFFFF_FFFF, b"x")
    assert CreditRecord.decode(last.encode()) == last
    with pytest.raises(CardFormatError, match="last sale number"):
        replace(last, number=0x1_0000_0000).encode()


def test_a_record_that_names_only_what_it_must_says_nothing_else() -> None:
    assert CardIdentity(METER, CUSTOMER, 1) == CardIdentity(METER, CUSTOMER, 1, 0, 156)
    assert CreditRecord(CardType.OPEN, 1) == CreditRecord(CardType.OPEN, 1, b"", 0)


def test_files_keep_their_sizes() -> None:
    assert {file.name.lower(): SIZES[file] for file in CardFile} == {
        "identity": 32,
        "credit": 160,
        "parameters": 8 + 2 * (2 + MAX_MESSAGE),
        "return": 480,
        "log": 192,
    }


@pytest.mark.parametrize("size", [0, 1, SLOT_MESSAGE - 1, SLOT_MESSAGE])
def test_a_sale_of_any_size_that_fits_a_slot_comes_back(size: int) -> None:
    credit = CreditRecord(CardType.OPEN, 1, b"x" * size)
    assert CreditRecord.decode(credit.encode()) == credit
