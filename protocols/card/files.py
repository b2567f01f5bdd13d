"""The files of a card: sizes, access and content; docs/card.md has the byte diagrams.

    MF 3F00
    └ application PPC1
      ├ EF01 identity      the binding: meter, customer, key version
      ├ EF02 credit        slots A and B: the sealed credit transfer, the card type
      ├ EF03 parameters    sealed commands: limits, tariff, ...
      ├ EF04 return        slots A and B: the meter's write-back (protocols/card/write_back.py)
      └ EF05 log           the last 8 sales and insertions

A slot is written whole and checked by its CRC, while the other slot stays. The valid slot with the
highest number is current. All numbers are big-endian.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from struct import Struct
from typing import ClassVar, Self

from protocols.card.keys import KeyReference
from protocols.errors import CardFormatError, CardTypeError
from protocols.keys import bcd
from protocols.sealed_message import MAX_MESSAGE

APPLICATION = bytes.fromhex("F05050433101")
"""Application identifier: F0 (proprietary, unregistered), "PPC1" and its version."""
MASTER_FILE = 0x3F00
LAYOUT = 1


class CardFile(IntEnum):
    """Elementary files by short identifier n; the file identifier is EF00 + n."""

    IDENTITY = 1
    CREDIT = 2
    PARAMETERS = 3
    RETURN = 4
    LOG = 5


class CardType(IntEnum):
    """Purpose of a card (DL/T 645 user card subtypes 01 to 03; preset and service cards)."""

    OPEN = 1
    PURCHASE = 2
    REPLACEMENT = 3
    PRESET = 4
    SERVICE = 5

    @property
    def word(self) -> str:
        """The type's name in output."""
        return self.name.lower()


LAST_NUMBER = 0xFFFF_FFFF
CREDIT_SLOT = 80
RETURN_SLOT = 240
LOG_ROW = 24
LOG_ROWS = 8
PARAMETER_HEAD = 8
SIZES: dict[CardFile, int] = {
    CardFile.IDENTITY: 32,
    CardFile.CREDIT: 2 * CREDIT_SLOT,
    CardFile.PARAMETERS: PARAMETER_HEAD + 2 * (2 + MAX_MESSAGE),
    CardFile.RETURN: 2 * RETURN_SLOT,
    CardFile.LOG: LOG_ROW * LOG_ROWS,
}
"""Bytes of each file."""

MAY_WRITE: dict[CardFile, frozenset[KeyReference]] = {
    CardFile.IDENTITY: frozenset({KeyReference.ISSUING}),
    CardFile.CREDIT: frozenset({KeyReference.VENDING}),
    CardFile.PARAMETERS: frozenset({KeyReference.VENDING}),
    CardFile.RETURN: frozenset({KeyReference.VENDING, KeyReference.METER}),
    CardFile.LOG: frozenset({KeyReference.VENDING, KeyReference.METER}),
}
"""Keys that may write a file. Reading is free: only the keys of a card are secret."""


def digits_of(data: bytes) -> str:
    """Return the digits of packed BCD; raises CardFormatError."""
    text = data.hex()
    if not text.isdigit():
        raise CardFormatError(f"{text} is no packed BCD")
    return text


def checked(body: bytes) -> bytes:
    """Return a record with its CRC appended."""
    return body + zlib.crc32(body).to_bytes(4, "big")


def holds(data: bytes) -> bool:
    """Return whether a record is present and its CRC is right."""
    return any(data) and zlib.crc32(data[:-4]) == int.from_bytes(data[-4:], "big")


_IDENTITY = Struct(">BB6s6sIH8x")


@dataclass(frozen=True, slots=True)
class CardIdentity:
    """EF01: the binding of a card. `issued_at` in s since 1970 UTC by the host's clock."""

    meter: str
    customer: str
    key_version: int
    issued_at: int = 0
    account_unit: int = 156

    def encode(self) -> bytes:
        """Return the file."""
        body = _IDENTITY.pack(
            LAYOUT,
            self.key_version,
            bcd(self.meter),
            bcd(self.customer),
            self.issued_at,
            self.account_unit,
        )
        return checked(body)

    @classmethod
    def decode(cls, data: bytes) -> Self | None:
        """Return the fields of the file, None for an unbound card; raises CardFormatError."""
        if not any(data):
            return None
        if len(data) != SIZES[CardFile.IDENTITY] or not holds(data) or data[0] != LAYOUT:
            raise CardFormatError("the identity file is damaged or of another layout")
        _, version, meter, customer, issued_at, unit = _IDENTITY.unpack_from(data)
        return cls(digits_of(meter), digits_of(customer), version, issued_at, unit)


_CREDIT = Struct(">BBII")
_MAX_CREDIT_MESSAGE = CREDIT_SLOT - _CREDIT.size - 1 - 4


@dataclass(frozen=True, slots=True)
class CreditRecord:
    """EF02: the card type and the sealed credit transfer on the card (empty: none).

    `number` rises with every sale; `sold_at` is in s since 1970 UTC by the host's clock.
    """

    card_type: CardType
    number: int
    message: bytes = b""
    sold_at: int = 0

    def encode(self) -> bytes:
        """Return one slot."""
        if len(self.message) > _MAX_CREDIT_MESSAGE:
            raise CardFormatError(
                f"{len(self.message)} bytes are no credit transfer that fits a card"
            )
        if self.number > LAST_NUMBER:
            raise CardFormatError("the card has reached its last sale number: replace it")
        head = _CREDIT.pack(LAYOUT, self.card_type, self.number, self.sold_at) + bytes(
            (len(self.message),)
        )
        return checked(head + self.message.ljust(_MAX_CREDIT_MESSAGE, b"\0"))

    @classmethod
    def decode(cls, slot: bytes) -> Self:
        """Return the fields of a valid slot; raises CardFormatError."""
        layout, kind, number, sold_at = _CREDIT.unpack_from(slot)
        size = slot[_CREDIT.size]
        if layout != LAYOUT or size > _MAX_CREDIT_MESSAGE:
            raise CardFormatError("the credit file is of another layout")
        try:
            card_type = CardType(kind)
        except ValueError as error:
            raise CardTypeError(f"{kind} is no type of card") from error
        return cls(card_type, number, slot[_CREDIT.size + 1 : _CREDIT.size + 1 + size], sold_at)


@dataclass(frozen=True, slots=True)
class Slots:
    """A file of two slots: the valid ones by their number, and the place of the next record."""

    valid: tuple[tuple[int, int, bytes], ...]
    size: int

    @classmethod
    def split(cls, data: bytes, size: int, number_at: int) -> Self:
        """Return the valid slots of a file, the newest first."""
        found = []
        for index in (0, 1):
            slot = data[index * size : (index + 1) * size]
            if len(slot) == size and holds(slot):
                found.append((int.from_bytes(slot[number_at : number_at + 4], "big"), index, slot))
        return cls(tuple(sorted(found, reverse=True)), size)

    @property
    def newest(self) -> bytes | None:
        """The current slot, None where no slot is valid."""
        return self.valid[0][2] if self.valid else None

    @property
    def next_number(self) -> int:
        """The number of the next record."""
        return self.valid[0][0] + 1 if self.valid else 1

    @property
    def next_offset(self) -> int:
        """Offset of the next record: never that of the current slot."""
        return (1 - self.valid[0][1]) * self.size if self.valid else 0


def split_credit(data: bytes) -> Slots:
    """Return the slots of the credit file."""
    return Slots.split(data, CREDIT_SLOT, 2)


def encode_parameters(messages: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Return the head and the body of the parameter file.

    The head is written last, so that a tear leaves the file empty.

    Raises:
        CardFormatError: the messages do not fit.
    """
    if len(messages) > 255 or any(len(message) > MAX_MESSAGE for message in messages):
        raise CardFormatError(f"{len(messages)} sealed commands do not fit a card")
    body = b"".join(len(message).to_bytes(2, "big") + message for message in messages)
    if len(body) > SIZES[CardFile.PARAMETERS] - PARAMETER_HEAD:
        raise CardFormatError(f"{len(body)} bytes of sealed commands do not fit a card")
    return bytes((LAYOUT, len(messages))) + len(body).to_bytes(2, "big") + zlib.crc32(
        body
    ).to_bytes(4, "big"), body


def parameter_size(head: bytes) -> int:
    """Return the number of bytes after the head of the parameter file; raises CardFormatError."""
    if not any(head):
        return 0
    size = int.from_bytes(head[2:4], "big")
    if head[0] != LAYOUT or size > SIZES[CardFile.PARAMETERS] - PARAMETER_HEAD:
        raise CardFormatError("the parameter file is of another layout")
    return size


def decode_parameters(head: bytes, body: bytes) -> tuple[bytes, ...]:
    """Return the sealed commands of the parameter file; raises CardFormatError."""
    if (
        len(head) != PARAMETER_HEAD
        or parameter_size(head) != len(body)
        or zlib.crc32(body) != int.from_bytes(head[4:8], "big")
    ):
        raise CardFormatError("the parameter file is damaged")
    messages, rest = [], body
    while rest:
        size = int.from_bytes(rest[:2], "big")
        messages.append(rest[2 : 2 + size])
        rest = rest[2 + size :]
    if len(messages) != head[1] or sum(map(len, messages)) + 2 * len(messages) != len(body):
        raise CardFormatError("the parameter file is damaged")
    return tuple(messages)


class LogActor(IntEnum):
    """Writer of a row of the log."""

    VENDING = 1
    METER = 2


@dataclass(frozen=True, slots=True)
class LogRow:
    """EF05, one of 8 rows: a sale or an insertion.

    `detail` is the card type of a sale, the error of an insertion (0 is none). `at` in s since 1970
    UTC, of the host or of the meter's clock; `amount` and `credit` in 0.01 account unit.
    """

    PACKING: ClassVar[Struct] = Struct(">IBBBxIIq")

    at: int
    actor: LogActor
    detail: int
    outcome: int
    sequence: int
    amount: int
    credit: int

    def encode(self) -> bytes:
        """Return the row."""
        return self.PACKING.pack(
            self.at, self.actor, self.detail, self.outcome, self.sequence, self.amount, self.credit
        )

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Return a row; raises CardFormatError."""
        if len(data) != LOG_ROW:
            raise CardFormatError(f"{len(data)} bytes are no row of a card's log")
        at, actor, detail, outcome, sequence, amount, credit = cls.PACKING.unpack(data)
        try:
            return cls(at, LogActor(actor), detail, outcome, sequence, amount, credit)
        except ValueError as error:
            raise CardFormatError(f"{actor} writes no log of a card") from error
