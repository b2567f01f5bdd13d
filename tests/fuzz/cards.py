"""Targets of the card: commands, memory images, responses to a slot, contents of files."""

from __future__ import annotations

from functools import cache
from random import Random

from firmware_sim.assembly import build
from firmware_sim.meter_description import MeterDescription
from firmware_sim.vending import Vending
from protocols.card.answer_to_reset import Transmission, parse_answer
from protocols.card.apdu import CommandApdu, ResponseApdu
from protocols.card.applet import Card
from protocols.card.files import (
    CREDIT_SLOT,
    LOG_ROW,
    PARAMETER_HEAD,
    SIZES,
    CardFile,
    CardIdentity,
    CreditRecord,
    LogRow,
    checked,
    decode_parameters,
    split_credit,
)
from protocols.card.keys import KeyReference, derive_card_keys
from protocols.card.memory import BytesMemory, make_blank
from protocols.card.terminal import Terminal, drive
from protocols.card.trace import command_line, response_line
from protocols.card.write_back import WriteBack, split_write_back
from protocols.errors import ProtocolError
from protocols.keys import development_keys
from tests.fuzz.source import Source
from tests.support.setup import insert_into

SERIAL_NUMBER = "000000000001"


@cache
def _images() -> dict[str, bytes]:
    """Return the memory of a blank card of each transmission and of a card with a sale."""
    found = {}
    for transmission in Transmission:
        memory = BytesMemory()
        make_blank(memory, bytes(range(1, 9)), transmission)
        found[transmission.name] = bytes(memory.data)
    meter = build(MeterDescription(SERIAL_NUMBER, opened=False))
    sold = Vending().buy_card(meter, 3000, None, Random("fuzz").randbytes)
    found["sold"] = bytes(sold._memory._memory.data)  # type: ignore[attr-defined]
    return found


def _card(name: str) -> Card:
    return Card(BytesMemory(_images()[name]), Random("card").randbytes)


def card_commands(data: bytes) -> None:
    """Any commands to a blank card, a card with a sale, or a card with a session."""
    source = Source(data)
    card = _card(source.choice(("T0", "T1", "sold", "session")).replace("session", "sold"))
    card.power_on()
    before = card.state
    if source.number() % 2:
        terminal = Terminal(Random("terminal").randbytes)
        selected = drive(terminal.select(), card.apdu)
        if selected.issued:
            keys = derive_card_keys(development_keys(SERIAL_NUMBER).card, selected.serial, 0)
            drive(terminal.authenticate(KeyReference.VENDING, keys.vending), card.apdu)
            before = card.state
    while source:
        command = source.sized()
        response = ResponseApdu.decode(card.apdu(command))
        assert 0x6100 <= response.status <= 0x6FFF or response.status == 0x9000, hex(
            response.status
        )
        assert response_line(response.encode())
        assert command_line(command)
    if before.life:
        assert card.state.files == before.files, "a file was written without a code"
        assert [key.key for key in card.state.keys] == [key.key for key in before.keys]


def card_image(data: bytes) -> None:
    """Any bytes as a card's memory: either no card, or a card that answers."""
    source = Source(data)
    image = bytearray(_images()[source.choice(tuple(_images()))])
    while source:
        at = source.number(2) % (len(image) + 1)
        piece = source.sized()
        image[at : at + len(piece)] = piece
    try:
        card = Card(BytesMemory(bytes(image)), Random(1).randbytes)
    except ProtocolError:
        return
    parse_answer(card.power_on())
    assert len(card.apdu(b"\x00\xa4\x04\x00\x00")) >= 2


def card_responses(data: bytes) -> None:
    """Any responses to a meter's slot: no credit but that of the sale."""
    source = Source(data)
    meter = build(MeterDescription(SERIAL_NUMBER, opened=False))
    card = _card("sold")
    answer = source.sized() if source.number() % 4 == 0 else card.answer_to_reset

    def respond(command: bytes) -> bytes:
        response = card.apdu(command)
        match source.number() % 4:
            case 1:
                return source.sized()
            case 2:
                at = source.number() % len(response)
                return response[:at] + bytes((source.number(),)) + response[at + 1 :]
            case 3:
                return response[: source.number() % (len(response) + 1)]
        return response

    insert_into(meter, card, Random(2).randbytes, respond, answer)
    account = meter.state.account
    assert account.imbalance() == (0, 0)
    assert account.cumulative in (0, 3000 * 10**8), "only what was sold"


def card_files(data: bytes) -> None:
    """Any bytes in every file: a ProtocolError, or a value with one encoding."""
    whole = checked(data.ljust(CREDIT_SLOT - 4, b"\0")[: CREDIT_SLOT - 4])
    for slot in (whole, split_credit(data).newest):
        record = _value(CreditRecord.decode, slot) if slot else None
        assert record is None or len(record.encode()) == CREDIT_SLOT
    returned = split_write_back(data).newest
    if returned:
        _value(WriteBack.decode, returned)
    _value(WriteBack.decode, data.ljust(240, b"\0")[:240])
    _value(CardIdentity.decode, checked(data.ljust(28, b"\0")[:28]))
    _value(CardIdentity.decode, data[: SIZES[CardFile.IDENTITY]])
    _value(LogRow.decode, data[:LOG_ROW])
    head, body = data[:PARAMETER_HEAD].ljust(PARAMETER_HEAD, b"\0"), data[PARAMETER_HEAD:]
    try:
        decode_parameters(head, body)
    except ProtocolError:
        pass
    _value(parse_answer, data)
    command = _value(CommandApdu.decode, data)
    assert command is None or command.encode() == data


def _value(decode, data):  # type: ignore[no-untyped-def]
    try:
        return decode(data)
    except ProtocolError:
        return None
