"""Windows for rows, for sealed messages and for the tariff are shown field by field."""

from __future__ import annotations

import pytest

from protocols.data_model.tables import (
    DAILY_FREEZES,
    EVENTS,
    PROFILE,
    PURCHASES,
    Event,
    Freeze,
    ProfileRecord,
    Purchase,
)
from protocols.data_model.tariff import TariffSet
from protocols.data_model.words import AccountState, Cause, SupplyState
from protocols.keys import MessageClass
from protocols.modbus.dissection import sealed
from protocols.modbus.dissection.sheet import Sheet
from protocols.modbus.native_map import NATIVE_MAP
from protocols.modbus.pdu import read_request, write_request
from protocols.modbus.rtu import encode
from protocols.modbus.sealed_windows import MESSAGE_HEAD
from protocols.modbus.tariff_window import TariffPart
from protocols.sealed_message import (
    FORMER_VERSION,
    Answer,
    MessageKind,
    Origin,
    Outcome,
    Receipt,
    SealedMessage,
)
from protocols.sealed_status import LastOfJournal, SealedStatus
from tests.unit.protocols.modbus.dissection.support import decode, fields, values

KEY = bytes(16)
MOMENT = 1_767_225_600_000
MESSAGE = SealedMessage(
    MessageKind.CREDIT, "000000000042", 0xE0, 12, 5000, customer_number="000000000007",
    issued_at=MOMENT // 1000, origin=Origin(1, 2), key_version=1,
)  # fmt: skip
ANSWER = Answer(Outcome.ACCEPTED, 12, b"abcd", 10**10, 2 * 10**10, 0, 0, SupplyState.CONNECTED)
RECEIPT = Receipt(
    MessageKind.CREDIT, "000000000042", 0xE0, 12, 5000, b"abcd", MOMENT, 0, 10**10, 0, 0, 10**10,
    0, 1,
)  # fmt: skip
STATUS = SealedStatus(
    1, "000000000042", 0xE0, b"12345678", 9, 1, AccountState.OPEN, 156, "000000000007", 12, 3,
    MOMENT, 5_000, 10**10, 4_000, 1_000_000, 10**10, b"abcd", MOMENT, LastOfJournal(2, 12, b"abcd"),
    0,
)  # fmt: skip
WINDOWS = NATIVE_MAP.windows
assert WINDOWS is not None


def window_of(address: int, data: bytes) -> dict[str, object]:
    """Return what a read of a window shows."""
    data += bytes(len(data) % 2)
    asked = encode(1, read_request(3, address, len(data) // 2))
    reply = encode(1, bytes((3, len(data))) + data)
    (shown,) = values(decode(asked, reply)[1])["values"]
    return dict(shown)


def test_a_message_is_shown_and_its_code_not_verified() -> None:
    data = MESSAGE.seal(KEY)
    written = MESSAGE_HEAD.pack(len(data), 0, len(data), 1) + data + bytes(len(data) % 2)
    (found,) = decode(encode(1, write_request(WINDOWS.message, written)))
    (shown,) = values(found)["values"]
    message = shown["message"]
    assert message["kind"] == "credit"
    assert message["serial_number"] == "000000000042"
    assert (message["amount"], message["sequence"]) == (50.00, 12)
    assert message["issued_at"] == "2026-01-01T00:00:00.000Z"
    assert message["code"] == data[-16:].hex()
    (code,) = [meaning for _, name, meaning in fields(found) if name == "code"]
    assert "not verified" in code


def test_a_message_of_the_former_format_and_one_with_parameters_are_shown() -> None:
    former = SealedMessage(MessageKind.CREDIT, "000000000042", 1, 2, version=FORMER_VERSION)
    switch = SealedMessage(MessageKind.SWITCH, "000000000042", 1, 2, parameters=b"\1")
    for message in (former, switch):
        data = message.seal(KEY)
        sheet = Sheet(data)
        found = sealed.read_message(sheet, len(data))
        assert found["kind"] == f'"{message.kind.word}"'
        assert sheet.left == 0
    assert found["parameters"] == '"01"'


def test_a_part_of_a_long_message_says_which_part() -> None:
    written = MESSAGE_HEAD.pack(300, 200, 100, 1) + bytes(100)
    (found,) = decode(encode(1, write_request(WINDOWS.message, written)))
    names = {name: meaning for _, name, meaning in fields(found)}
    assert names["part of a message"] == "bytes 200 to 299 of 300"
    assert names["commit"] == "1: the message is delivered"


def test_answer_receipt_and_status_are_shown() -> None:
    receipt = RECEIPT.seal(KEY)
    answer = ANSWER.encode()
    head = len(receipt).to_bytes(2, "big")
    shown = window_of(WINDOWS.answer, b"\0\1" + answer + head + receipt + b"\0")
    assert shown["answer"]["outcome"] == "accepted"  # type: ignore[index]
    assert shown["answer"]["credit_after"] == 2.0  # type: ignore[index]
    assert shown["receipt"]["at"] == "2026-01-01T00:00:00.000Z"  # type: ignore[index]
    assert window_of(WINDOWS.receipt_read, head + receipt)["receipt"]["sequence"] == 12  # type: ignore[index]
    status = STATUS.seal(KEY)
    shown = window_of(WINDOWS.status_read, len(status).to_bytes(2, "big") + status)
    assert shown["status"]["credit_sequence"] == 12  # type: ignore[index]
    assert shown["status"]["committed_energy_kwh"] == 1.0  # type: ignore[index]
    assert window_of(WINDOWS.answer, bytes(4 + Answer.SIZE))["state"] == 0
    assert window_of(WINDOWS.status_read, bytes(40))["status"] is None


@pytest.mark.parametrize(
    ("parts", "size"),
    [
        (sealed.ANSWER, Answer.SIZE),
        (sealed.RECEIPT, Receipt.SIZE),
        (sealed.STATUS, SealedStatus.SIZE),
    ],
)
def test_the_fields_of_a_sealed_form_are_all_its_bytes(
    parts: tuple[sealed.Part, ...], size: int
) -> None:
    assert sum(part.size for part in parts) == size


def test_what_is_asked_of_a_window_is_shown() -> None:
    nonce = b"12345678" + (9).to_bytes(4, "big") + (1).to_bytes(2, "big")
    (found,) = decode(encode(1, write_request(WINDOWS.status, nonce)))
    assert values(found)["values"][0]["key_version"] == 1
    question = bytes((0, list(MessageClass).index(MessageClass.COMMAND), 0, 0, 0, 5))
    (found,) = decode(encode(1, write_request(WINDOWS.receipt, question)))
    assert values(found)["values"][0]["class"] == "command"


def test_rows_of_a_window_are_shown_column_by_column() -> None:
    event = Event(7, MOMENT, 5_000, 2, 1, 0)
    window = NATIVE_MAP.row_window(EVENTS)
    assert window is not None
    data = (7).to_bytes(4, "big") + (1).to_bytes(2, "big") + event.pack() + bytes(38)
    shown = window_of(window.read_address, data)
    (row,) = shown["rows"]  # type: ignore[misc]
    assert (row["number"], row["event"]) == (7, event.name)
    record = ProfileRecord(MOMENT, 250_000, 0, power_down=True)
    window = NATIVE_MAP.row_window(PROFILE)
    assert window is not None
    shown = window_of(window.read_address, bytes((0, 0, 0, 1, 0, 1)) + record.pack())
    assert shown["rows"][0]["import_mwh"] == 0.25  # type: ignore[index]


def test_rows_of_the_older_window_of_freezes_lack_a_column() -> None:
    freeze = Freeze(1, MOMENT, *[10**6] * 6, 10**10, 5)
    older, whole = sorted(
        NATIVE_MAP.row_windows_of(DAILY_FREEZES), key=lambda window: window.row_size
    )
    head = bytes((0, 0, 0, 1, 0, 1))
    shown = window_of(whole.read_address, head + freeze.pack())
    assert shown["rows"][0]["consumption_charged_exact"] == 5e-10  # type: ignore[index]
    shown = window_of(older.read_address, head + freeze.pack()[: older.row_size])
    assert shown["rows"][0]["consumption_charged_exact"] is None  # type: ignore[index]


def test_the_list_of_purchases_is_shown_from_its_beginning() -> None:
    purchase = Purchase(3, MOMENT, 1, *[10**10] * 6, 12, 0)
    rows = NATIVE_MAP.row_list(PURCHASES)
    assert rows is not None
    shown = window_of(rows.address, purchase.pack() + bytes(PURCHASES.row_size))
    (row,) = shown["rows"]  # type: ignore[misc]
    assert (row["number"], row["amount"]) == (3, 1.0)


def test_a_part_of_a_tariff_is_shown_with_its_place() -> None:
    assert NATIVE_MAP.tariff is not None
    part = TariffPart.of(b"abcdef", TariffSet.PENDING, 2)
    shown = window_of(NATIVE_MAP.tariff.read_address, part.encode())
    assert (shown["set"], shown["offset"], shown["size"]) == ("pending", 2, 6)
    assert shown["bytes"] == b"cdef".hex(" ")


def test_a_window_that_the_request_cuts_is_shown_as_numbers() -> None:
    shown = window_of(WINDOWS.answer, bytes((0, 1, 20, 0)))
    assert shown["value"] == [1, 0x1400]
    shown = window_of(WINDOWS.answer + 1, bytes((0, 1, 20, 0)))
    assert shown["name"] == "part of sealed answer"


def test_causes_are_words() -> None:
    answer = Answer(Outcome.ACCEPTED, supply_state=SupplyState.DISCONNECTED, causes=Cause.OVERLOAD)
    found = sealed.read_form(Sheet(answer.encode()), Answer.SIZE, "answer", sealed.ANSWER)
    assert found["supply_causes"] == '["overload"]'
    assert found["supply_state"] == '"disconnected"'


def test_the_summary_names_the_money_that_passes() -> None:
    data = MESSAGE.seal(KEY)
    written = MESSAGE_HEAD.pack(len(data), 0, len(data), 1) + data + bytes(len(data) % 2)
    (found,) = decode(encode(1, write_request(WINDOWS.message, written)))
    assert "part of a message (credit, 50.00, 12)" in found.summary


def test_a_message_in_several_parts_is_shown_with_its_last_one() -> None:
    long = SealedMessage(
        MessageKind.TARIFF, "000000000042", 0xE0, 3, parameters=bytes(range(250))
    ).seal(KEY)
    parts = [long[at : at + 200] for at in range(0, len(long), 200)]
    frames = [
        encode(
            1,
            write_request(
                WINDOWS.message,
                MESSAGE_HEAD.pack(len(long), 200 * place, len(part), place + 1 == len(parts))
                + part
                + bytes(len(part) % 2),
            ),
        )
        for place, part in enumerate(parts)
    ]
    *first, last = decode(*frames)
    assert not any("message" in values(frame) for frame in first)
    assert values(last)["message"]["kind"] == "tariff"
    assert values(last)["message"]["parameters"] == bytes(range(250)).hex()
    assert "completes a message (tariff, 0.00, 3)" in last.summary
    last = decode(frames[1], frames[1])[-1]
    assert "message" not in values(last)
