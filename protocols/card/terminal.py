"""The terminal's side of a card session, for a vending point and a meter's slot; no I/O.

Each step is a generator that yields command bytes and is sent response bytes; `drive` runs it on a
reader:

    contents = drive(terminal.read_all(), reader.transmit)

so that a slot can wait for a slow card between two commands while its meter goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TypeVar

from protocols.card.apdu import CommandApdu, Instruction, ResponseApdu, StatusWord, status_text
from protocols.card.files import (
    APPLICATION,
    LOG_ROW,
    LOG_ROWS,
    PARAMETER_HEAD,
    SIZES,
    CardFile,
    CardIdentity,
    CreditRecord,
    LogRow,
    Slots,
    decode_parameters,
    encode_parameters,
    parameter_size,
    split_credit,
)
from protocols.card.keys import SERIAL_SIZE, KeyReference
from protocols.card.secure_messaging import (
    NONCE_SIZE,
    SecureChannel,
    card_proof,
    same,
    terminal_proof,
)
from protocols.card.write_back import split_write_back
from protocols.errors import (
    ApduError,
    AuthenticationError,
    CardForgedError,
    CardFormatError,
    CardGoneError,
    CardRefusedError,
)

Result = TypeVar("Result")
Exchange = Generator[bytes, bytes, Result]
"""Yields commands, is sent responses, returns a result."""
Transmit = Callable[[bytes], bytes]
"""Sends a command to a card and returns its response; raises CardGoneError without one."""

CHUNK = 200
"""Bytes of a file in one command: with offset and code they fit a short command."""
MAX_RESPONSES = 16
"""Maximum of GET RESPONSE for one command; more are a faulty card."""


def drive(exchange: Exchange[Result], transmit: Transmit) -> Result:
    """Run an exchange on a card to its end."""
    try:
        command = next(exchange)
        while True:
            try:
                response = transmit(command)
            except CardGoneError as error:
                command = exchange.throw(error)
            else:
                command = exchange.send(response)
    except StopIteration as end:
        result: Result = end.value
        return result


@dataclass(frozen=True, slots=True)
class Selected:
    """Control information of the application."""

    serial: bytes
    issued: bool
    key_versions: bytes
    """Version of each key in the order of its reference; FF where the card lacks the key."""

    @property
    def vendor_version(self) -> int:
        """Version of the masters from which the issuing and vending keys are derived."""
        return self.key_versions[KeyReference.VENDING - 1]


@dataclass(frozen=True, slots=True)
class Contents:
    """Contents of a card.

    `identity` is None for an unbound card, `credit` before the first sale. `credit_slots` and
    `return_slots` give the offsets of the next records; the seal of the write-back is not verified
    here.
    """

    identity: CardIdentity | None
    credit: CreditRecord | None
    credit_slots: Slots
    parameters: tuple[bytes, ...]
    return_slots: Slots


class Terminal:
    """One powered card at a reader. After `authenticate` every command is secured.

    Raises, in every step:
        CardRefusedError: a status word other than success.
        CardForgedError: a wrong proof or code.
        CardFormatError: a file with invalid content.
        CardGoneError: no response.
    """

    def __init__(self, random: Callable[[int], bytes]) -> None:
        self._random = random
        self._session: SecureChannel | None = None
        self._serial = bytes(SERIAL_SIZE)

    # ---- steps

    def select(self) -> Exchange[Selected]:
        """Select the application."""
        self._session = None
        command = CommandApdu(0, Instruction.SELECT, 0x04, 0x00, APPLICATION, 0)
        information = (yield from self._demand(command)).data
        fields = _fields(information)
        serial, life, versions = fields.get(0x85, b""), fields.get(0x8A, b""), fields.get(0x90, b"")
        if len(serial) != SERIAL_SIZE or len(life) != 1 or len(versions) != len(KeyReference):
            raise CardFormatError("the control information of the application is incomplete")
        self._serial = serial
        return Selected(serial, life == b"\x05", versions)

    def authenticate(self, reference: KeyReference, key: bytes) -> Exchange[None]:
        """Authenticate terminal and card to each other; from then on every command is secured."""
        self._session = None
        card_nonce = (
            yield from self._demand(
                CommandApdu(0, Instruction.GET_CHALLENGE, 0, 0, b"", NONCE_SIZE)
            )
        ).data
        if len(card_nonce) != NONCE_SIZE:
            raise CardForgedError("the challenge of the card has a wrong length")
        nonce = self._random(NONCE_SIZE)
        proof = terminal_proof(key, card_nonce, nonce, self._serial, reference)
        command = CommandApdu(0, Instruction.MUTUAL_AUTHENTICATE, 0, reference, nonce + proof, 0)
        answered = (yield from self._demand(command)).data
        if not same(answered, card_proof(key, card_nonce, nonce, self._serial, reference)):
            raise CardForgedError("the card's authentication proof is wrong")
        self._session = SecureChannel(key, card_nonce, nonce, reference)

    def read(self, file: CardFile, offset: int, size: int) -> Exchange[bytes]:
        """Read bytes of a file, in pieces."""
        found = b""
        while len(found) < size:
            want = min(CHUNK, size - len(found))
            piece = yield from self._read_piece(file, offset + len(found), want)
            if len(piece) != want:
                raise CardFormatError(f"{file.name.lower()}: {len(piece)} bytes instead of {want}")
            found += piece
        return found

    def update(self, file: CardFile, offset: int, data: bytes) -> Exchange[None]:
        """Write into a file; up to 240 bytes in one command, longer data in pieces."""
        step = len(data) or 1 if len(data) <= 240 else CHUNK
        for begin in range(0, len(data), step):
            piece = (offset + begin).to_bytes(2, "big") + data[begin : begin + step]
            yield from self._secured(Instruction.UPDATE_BINARY, 0x80 | file, 0, piece)

    def append_log(self, row: LogRow) -> Exchange[None]:
        """Add a row to the card's log."""
        yield from self._secured(Instruction.APPEND_RECORD, 0, CardFile.LOG << 3, row.encode())

    def read_log(self) -> Exchange[list[LogRow]]:
        """Read the log, newest row first; needs no authentication."""
        rows: list[LogRow] = []
        for record in range(1, LOG_ROWS + 1):
            command = CommandApdu(
                0, Instruction.READ_RECORD, record, CardFile.LOG << 3 | 4, b"", LOG_ROW
            )
            response = yield from self._exchange(command)
            if response.status == StatusWord.RECORD_NOT_FOUND:
                break
            rows.append(LogRow.decode(_succeeded(command, response).data))
        return rows

    def put_key(self, reference: KeyReference, key: bytes, version: int) -> Exchange[None]:
        """Write a key to the card; needs a session with the issuing key."""
        assert self._session is not None, "authenticate first"
        yield from self._secured(Instruction.PUT_KEY, version, reference, self._session.wrap(key))

    def put_first_key(self, reference: KeyReference, key: bytes, version: int) -> Exchange[None]:
        """Write a key to a blank card, in clear; cards are issued in a trusted place."""
        yield from self._demand(CommandApdu(0x80, Instruction.PUT_KEY, version, reference, key))

    def activate(self) -> Exchange[None]:
        """Change a blank card to an issued one."""
        yield from self._demand(CommandApdu(0x80, Instruction.ACTIVATE, 0, 0))

    # ---- files by content

    def read_identity(self) -> Exchange[CardIdentity | None]:
        """Read the meter and customer to which the card is bound, None for an unbound card."""
        return CardIdentity.decode(
            (yield from self.read(CardFile.IDENTITY, 0, SIZES[CardFile.IDENTITY]))
        )

    def read_all(self) -> Exchange[Contents]:
        """Read every file but the log."""
        identity = yield from self.read_identity()
        slots = split_credit((yield from self.read(CardFile.CREDIT, 0, SIZES[CardFile.CREDIT])))
        credit = CreditRecord.decode(slots.newest) if slots.newest else None
        head = yield from self.read(CardFile.PARAMETERS, 0, PARAMETER_HEAD)
        parameters: tuple[bytes, ...] = ()
        if any(head):
            body = yield from self.read(CardFile.PARAMETERS, PARAMETER_HEAD, parameter_size(head))
            parameters = decode_parameters(head, body)
        returned = split_write_back(
            (yield from self.read(CardFile.RETURN, 0, SIZES[CardFile.RETURN]))
        )
        return Contents(identity, credit, slots, parameters, returned)

    def write_credit(self, slots: Slots, record: CreditRecord) -> Exchange[None]:
        """Write a sale into the inactive slot, in one command."""
        yield from self.update(CardFile.CREDIT, slots.next_offset, record.encode())

    def clear_write_back(self, slots: Slots) -> Exchange[None]:
        """Empty the write-back, older slot first: a tear must not make an older one current."""
        for _, index, slot in reversed(slots.valid):
            yield from self.update(CardFile.RETURN, index * slots.size, bytes(len(slot)))

    def write_parameters(self, messages: tuple[bytes, ...]) -> Exchange[None]:
        """Write sealed commands; a tear leaves the file empty.

        Raises:
            CardFormatError: they do not fit; the card is unchanged.
        """
        head, body = encode_parameters(messages)
        yield from self.update(CardFile.PARAMETERS, 0, bytes(PARAMETER_HEAD))
        if messages:
            yield from self.update(CardFile.PARAMETERS, PARAMETER_HEAD, body)
            yield from self.update(CardFile.PARAMETERS, 0, head)

    # ---- commands

    def _read_piece(self, file: CardFile, offset: int, size: int) -> Exchange[bytes]:
        if self._session is not None:
            data = offset.to_bytes(2, "big") + bytes((size,))
            return (yield from self._secured(Instruction.READ_BINARY, 0x80 | file, 0, data))
        if offset <= 0xFF:
            command = CommandApdu(0, Instruction.READ_BINARY, 0x80 | file, offset, b"", size)
        else:  # a short file identifier leaves one byte for the offset: select the file first
            identifier = bytes((0xEF, file))
            yield from self._demand(CommandApdu(0, Instruction.SELECT, 0x02, 0x0C, identifier))
            command = CommandApdu(0, Instruction.READ_BINARY, offset >> 8, offset & 0xFF, b"", size)
        return (yield from self._demand(command)).data

    def _secured(self, ins: int, p1: int, p2: int, data: bytes) -> Exchange[bytes]:
        session = self._session
        assert session is not None, "authenticate first"
        command = session.secure(ins, p1, p2, data)
        response = yield from self._exchange(command)
        if not response.data:
            _succeeded(command, response)
            raise CardForgedError("a secured response has no code")
        try:
            opened = session.open_response(response)
        except AuthenticationError as error:
            self._session = None
            raise CardForgedError("the code of a response is wrong") from error
        _succeeded(command, response)
        return opened

    def _demand(self, command: CommandApdu) -> Exchange[ResponseApdu]:
        return _succeeded(command, (yield from self._exchange(command)))

    def _exchange(self, command: CommandApdu) -> Exchange[ResponseApdu]:
        """Send a command and return its complete response.

        T=0 needs further commands: after 6Cxx the command again with that length, after 61xx GET
        RESPONSE.
        """
        response = _response((yield command.encode()))
        if response.status >> 8 == StatusWord.LENGTH_IS >> 8:
            again = CommandApdu(
                command.cla,
                command.ins,
                command.p1,
                command.p2,
                command.data,
                response.status & 0xFF,
            )
            response = _response((yield again.encode()))
        data = response.data
        for _ in range(MAX_RESPONSES):
            if response.status >> 8 != StatusWord.MORE_DATA >> 8:
                return ResponseApdu(data, response.status)
            more = CommandApdu(0, Instruction.GET_RESPONSE, 0, 0, b"", response.status & 0xFF)
            response = _response((yield more.encode()))
            data += response.data
        raise CardFormatError("the card announces more data without end")


def _response(data: bytes) -> ResponseApdu:
    try:
        return ResponseApdu.decode(data)
    except ApduError as error:
        raise CardGoneError(f"the card answered {len(data)} bytes, which is no response") from error


def _succeeded(command: CommandApdu, response: ResponseApdu) -> ResponseApdu:
    if response.status != StatusWord.OK:
        from protocols.card.trace import command_text  # noqa: PLC0415 - on failures only

        raise CardRefusedError(
            f"{command_text(command)}: the card answered {response.status:04X} "
            f"({status_text(response.status)})",
            response.status,
        )
    return response


def _fields(information: bytes) -> dict[int, bytes]:
    """Return the objects within a file control information, one-byte tags and lengths.

    A truncated object is cut.
    """
    fields: dict[int, bytes] = {}
    inner = information[2:] if information[:1] == b"\x6f" else b""
    while len(inner) >= 2:
        size = inner[1]
        fields[inner[0]] = inner[2 : 2 + size]
        inner = inner[2 + size :]
    return fields
