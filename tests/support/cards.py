"""Cards for tests, with a memory that loses power and contacts that fail or change bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

from protocols.card import issuing
from protocols.card.answer_to_reset import Transmission
from protocols.card.applet import Card
from protocols.card.files import CardFile, CardIdentity, CardType, CreditRecord
from protocols.card.keys import KeyReference, derive_card_keys, meter_access_of
from protocols.card.memory import BytesMemory, CardMemory, CardState, make_blank
from protocols.card.secure_messaging import SecureChannel, card_proof, terminal_proof
from protocols.card.terminal import Contents, Exchange, Result, Terminal, drive
from protocols.card.write_back import WriteBack
from protocols.errors import CardGoneError, CardMemoryError
from protocols.keys import CARD_LABEL, DEVELOPMENT_MASTER, derive_key, development_keys
from protocols.sealed_message import MessageKind, SealedMessage

SERIAL = bytes.fromhex("0123456789abcdef")
METER = "123456789012"
CUSTOMER = "000000004711"
VERSION = 0
CARD_KEYS = derive_card_keys(DEVELOPMENT_MASTER, SERIAL, VERSION)
METER_CARD_KEY = derive_key(DEVELOPMENT_MASTER, CARD_LABEL, METER, VERSION)
METER_ACCESS = meter_access_of(DEVELOPMENT_MASTER, METER, SERIAL, VERSION)
KEYS = {
    KeyReference.ISSUING: CARD_KEYS.issuing,
    KeyReference.VENDING: CARD_KEYS.vending,
    KeyReference.METER: METER_ACCESS,
}
IDENTITY = CardIdentity(METER, CUSTOMER, VERSION, 1_767_225_600)


class PowerLossError(Exception):
    """The power failed during a write."""


class FragileMemory(BytesMemory):
    """A card's memory that refuses writes, or loses power after `cut_after` bytes.

    It records every write.
    """

    def __init__(self, data: bytes = b"") -> None:
        super().__init__(data)
        self.refuses = False
        self.cut_after: int | None = None
        self.writes: list[tuple[int, bytes, bytes]] = []
        """Offset and data of each write, and the whole memory before it."""

    def write(self, offset: int, data: bytes) -> None:
        """Write whole, not at all, or as far as the power lasts."""
        if self.refuses:
            raise CardMemoryError("the device is full")
        self.writes.append((offset, data, bytes(self.data)))
        if self.cut_after is None:
            super().write(offset, data)
            return
        super().write(offset, data[: self.cut_after])
        self.cut_after -= min(len(data), self.cut_after)
        if self.cut_after == 0:
            raise PowerLossError


class Numbers:
    """A reproducible source of bytes that never repeats."""

    def __init__(self, seed: int = 0) -> None:
        self._next = seed << 32

    def __call__(self, size: int) -> bytes:
        """Return the next bytes."""
        self._next += 1
        return self._next.to_bytes(size, "big")


class Contacts:
    """A terminal's transmit function.

    `dies_at` pulls the card at a command, `change` alters response number n.
    """

    def __init__(
        self, card: Card, change: Callable[[int, bytes], bytes] = lambda _, response: response
    ) -> None:
        self.card = card
        self.change = change
        self.commands: list[bytes] = []
        self.responses: list[bytes] = []
        self.dies_at: int | None = None
        self.executes_last = False
        """Whether the card executes its last command before it is pulled."""
        card.power_on()

    def __call__(self, command: bytes) -> bytes:
        """Send a command to the card."""
        if len(self.commands) == self.dies_at:
            if self.executes_last:
                self.card.apdu(command)
            raise CardGoneError("pulled")
        self.commands.append(command)
        self.responses.append(self.change(len(self.responses), self.card.apdu(command)))
        return self.responses[-1]


def blank(transmission: Transmission = Transmission.T1, serial: bytes = SERIAL) -> BytesMemory:
    """Return the memory of a blank card."""
    memory = BytesMemory()
    make_blank(memory, serial, transmission)
    return memory


@lru_cache
def issued_image(transmission: Transmission = Transmission.T1, sold: bool = False) -> bytes:
    """Return the memory of an issued and bound card.

    If `sold`, it holds credit, parameters and a write-back.
    """
    memory = blank(transmission)
    card = Card(memory, Numbers())
    drive(issue(Terminal(Numbers(1))), Contacts(card))
    if sold:
        drive(sell(Terminal(Numbers(1)), 1), Contacts(card))
        drive(fill(Terminal(Numbers(1))), Contacts(card))
    return bytes(memory.data)


def issued(transmission: Transmission = Transmission.T1, sold: bool = False, seed: int = 0) -> Card:
    """Return an issued and bound card, powered on."""
    card = Card(FragileMemory(issued_image(transmission, sold)), Numbers(seed + 2))
    card.power_on()
    return card


def memory_of(card: Card) -> FragileMemory:
    """Return the memory of a card that `issued` made."""
    memory = card._memory._memory
    assert isinstance(memory, FragileMemory)
    return memory


def kept(memory: BytesMemory) -> CardState:
    """Return the state that a card reads from its memory at power-on."""
    return CardMemory(BytesMemory(bytes(memory.data))).state


# ---- exchanges


def issue(terminal: Terminal) -> Exchange[None]:
    """Issue and bind a blank card."""
    yield from terminal.select()
    yield from issuing.give_keys(terminal, CARD_KEYS, VERSION)
    yield from issuing.bind(terminal, CARD_KEYS, IDENTITY, METER_ACCESS)


def sell(terminal: Terminal, sequence: int) -> Exchange[None]:
    """Read a card and write a sale on it."""
    contents = yield from read(terminal)
    yield from issuing.write_sale(
        terminal, contents, sale(sequence, contents.credit_slots.next_number)
    )


def read(terminal: Terminal) -> Exchange[Contents]:
    """Read a card as its vendor."""
    yield from terminal.select()
    return (yield from issuing.read_as_vendor(terminal, CARD_KEYS))


def fill(terminal: Terminal) -> Exchange[None]:
    """Write parameters and a write-back, as vendor and meter do."""
    yield from terminal.select()
    yield from terminal.authenticate(KeyReference.VENDING, CARD_KEYS.vending)
    yield from terminal.write_parameters((b"first" * 50, b"second"))
    yield from terminal.authenticate(KeyReference.METER, METER_ACCESS)
    yield from terminal.update(CardFile.RETURN, 0, write_back(1).seal(METER_CARD_KEY))


def play(card: Card, exchange: Exchange[Result]) -> Result:
    """Run an exchange on a card that was just inserted."""
    return drive(exchange, Contacts(card))


# ---- records


def sale(sequence: int, number: int) -> CreditRecord:
    """Return a sale."""
    message = SealedMessage(MessageKind.CREDIT, METER, 1, sequence, 5000, customer_number=CUSTOMER)
    return CreditRecord(
        CardType.PURCHASE, number, message.seal(development_keys(METER).credit), 1_767_225_600
    )


def write_back(number: int, **values: int | bytes) -> WriteBack:
    """Return a write-back with a different number in every field."""
    known: dict[str, int | bytes] = {
        "meter_key_version": 2, "epoch": 3, "card_serial": SERIAL, "answered_sequence": 4,
        "answered_code": b"code",
        "outcome": 20, "error": 5, "command_outcome": 6, "credit_sequence": 7,
        "command_sequence": 8,
        "account_state": 9, "account_unit": 156, "credit": -10, "debt": 11, "cumulative": 12,
        "purchases": 13,
        "energy_mwh": 14, "clock": 15, "elapsed_ms": 16, "supply_state": 17, "causes": 18,
        "status": 19,
        "illegal_insertions": 21,
    }  # fmt: skip
    return replace(WriteBack.of(number, VERSION, METER, CUSTOMER, **known), **values)


# ---- single commands


def status(response: bytes) -> int:
    """Return the status word of a response."""
    return int.from_bytes(response[-2:], "big")


def select(card: Card) -> bytes:
    """Select the application; return its control information."""
    response = card.apdu(bytes.fromhex("00A4040006F0505043310100"))
    if status(response) >> 8 == 0x61:
        response = card.apdu(bytes.fromhex("00C00000") + response[-1:])
    assert status(response) == 0x9000
    return response[:-2]


def challenge(card: Card) -> bytes:
    """Return a challenge of the card."""
    response = card.apdu(bytes.fromhex("0084000008"))
    assert status(response) == 0x9000
    return response[:-2]


def proof(
    reference: int, key: bytes, card_nonce: bytes, nonce: bytes = bytes(8), serial: bytes = SERIAL
) -> bytes:
    """Return the command that proves a key."""
    data = nonce + terminal_proof(key, card_nonce, nonce, serial, reference)
    return bytes((0, 0x82, 0, reference, 16)) + data + b"\0"


def authenticate(card: Card, reference: KeyReference) -> SecureChannel:
    """Select, prove a key of an `issued` card, and return the terminal's end of the session."""
    select(card)
    card_nonce = challenge(card)
    response = card.apdu(proof(reference, KEYS[reference], card_nonce))
    if status(response) >> 8 == 0x61:
        response = card.apdu(bytes.fromhex("00C00000") + response[-1:])
    assert (
        response
        == card_proof(KEYS[reference], card_nonce, bytes(8), SERIAL, reference) + b"\x90\x00"
    )
    return SecureChannel(KEYS[reference], card_nonce, bytes(8), reference)


def flips(data: bytes) -> list[bytes]:
    """Return every variant of some bytes with one bit flipped."""
    return [
        bytes((*data[:i], data[i] ^ 1 << bit, *data[i + 1 :]))
        for i in range(len(data))
        for bit in range(8)
    ]
