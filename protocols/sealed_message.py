"""Sealed messages, the only access to a meter's credit and commands (METER.md 7).

    message    sealed by a host, transported by any carrier
    answer     the meter's immediate reply: a named outcome, unsealed, so it is no proof
    receipt    the meter's record of an accepted message, sealed when it is asked for: a proof

docs/sealed-messages.md has the byte diagrams. A sealed status (`protocols/sealed_status.py`) proves
the meter's present state. The first byte identifies them: a message begins with its format version,
a receipt with 80H more, a status with 40H more. All numbers are big-endian. This module encodes and
decodes; the meter decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from struct import Struct
from struct import error as StructError
from typing import ClassVar, Self

from protocols.data_model.items import SETTINGS
from protocols.data_model.kinds import Optional
from protocols.data_model.words import Cause, SupplyState
from protocols.errors import MalformedMessageError, UnsupportedVersionError
from protocols.fixed_width import SaturatingStruct
from protocols.keys import CODE_SIZE, MessageClass, authentication_code, bcd, verify_code
from protocols.quantities import LocalMoment

FORMAT_VERSION = 2
FORMER_VERSION = 1
"""Format without an origin. Meters refuse it; journals and cards may still hold such messages."""
MAX_PARAMETERS = 1016
"""Maximum size of the parameters, bytes; the largest tariff set has 844."""
MAX_MESSAGE = 47 + MAX_PARAMETERS + CODE_SIZE
ANY_CUSTOMER = "0" * 12
LAST_SEQUENCE = 0xFFFF_FFFF
LAST_SECOND = 0xFFFF_FFFF
"""Maximum of the issue instant, 4 bytes; a later clock of the host is cut to it."""
COMMAND_REACH = 65_536
"""Maximum distance of a command from the last sequence of its class (METER.md 7)."""


class MessageKind(IntEnum):
    """Kind of a message; below 16 credit class, above it command class."""

    OPEN = 1
    CREDIT = 2
    REFUND = 3
    DEBT = 4
    CLOSE = 5
    VOID = 6
    LIMITS = 16
    TARIFF = 17
    CLOCK = 18
    SWITCH = 19
    GUARANTEE = 20
    MORATORIUM = 21
    CLEAR_TAMPER = 22
    CLEAR_EVENTS = 23
    CLEAR_DEMAND = 24

    @property
    def message_class(self) -> MessageClass:
        """The class whose key and sequence the kind uses."""
        return MessageClass.CREDIT if self < MessageKind.LIMITS else MessageClass.COMMAND

    @property
    def word(self) -> str:
        """The kind's name in journals and output."""
        return self.name.lower()


class SwitchAction(IntEnum):
    """Parameter of a `switch` message."""

    INTERRUPT = 1
    PERMIT = 2
    DIRECT = 3


class Outcome(IntEnum):
    """Named outcomes in their fixed precedence: the first that applies is the answer.

    Only ACCEPTED changes the meter's state.
    """

    MALFORMED = 1
    UNSUPPORTED_VERSION = 2
    NOT_FOR_THIS_METER = 3
    UNKNOWN_KEY_VERSION = 4
    BAD_AUTHENTICATION = 5
    SUSPENDED = 6
    ALREADY_ACCEPTED = 7
    SEQUENCE_CONFLICT = 8
    SEQUENCE_OLD = 9
    SEQUENCE_GAP = 10
    EXPIRED = 11
    NOT_OPENED = 12
    ALREADY_OPENED = 13
    NOT_FOR_THIS_CUSTOMER = 14
    WRONG_UNIT = 15
    OUT_OF_RANGE = 16
    EXCEEDS_MAX_CREDIT = 17
    REFUSED_BY_GUARANTEE = 18
    STORAGE_FAULT = 19
    ACCEPTED = 20

    @property
    def applied(self) -> bool:
        """Whether the message is in the meter's books, from this delivery or an earlier one."""
        return self in (Outcome.ACCEPTED, Outcome.ALREADY_ACCEPTED)


@dataclass(frozen=True, slots=True)
class Origin:
    """Origin of a message: number of the journal, and a mark drawn for each message (METER.md 7).

    Journal number 0 is vending inside the meter's own process.
    """

    journal: int = 0
    mark: int = 0


NO_ORIGIN = Origin()

_HEADER = Struct(">BB6sIBH6sIIIIIIH")
_FORMER_HEADER = Struct(">BB6sIBH6sIIIIH")


@dataclass(frozen=True, slots=True)
class SealedMessage:
    """One message.

    Amount in 0.01 account unit; issue instant in s since 1970 UTC by the host's clock, for people
    only; expiry in s of the meter's elapsed time. Expiry 0 is never; messages of the credit class
    have no other.
    """

    kind: MessageKind
    serial_number: str
    epoch: int
    sequence: int
    amount: int = 0
    account_unit: int = 156
    customer_number: str = ANY_CUSTOMER
    issued_at: int = 0
    expires_at: int = 0
    parameters: bytes = b""
    key_version: int = 0
    origin: Origin = NO_ORIGIN
    version: int = FORMAT_VERSION

    def encode(self) -> bytes:
        """Return the bytes that are sealed, without the code, in the format of `version`."""
        former = self.version == FORMER_VERSION
        header = _FORMER_HEADER if former else _HEADER
        origin = () if former else (self.origin.journal, self.origin.mark)
        return (
            header.pack(
                self.version,
                self.key_version,
                bcd(self.serial_number),
                self.epoch,
                self.kind,
                self.account_unit,
                bcd(self.customer_number),
                self.sequence,
                self.amount,
                self.issued_at,
                self.expires_at,
                *origin,
                len(self.parameters),
            )
            + self.parameters
        )

    def seal(self, key: bytes) -> bytes:
        """Return the whole message, sealed under the key of its class."""
        body = self.encode()
        return body + authentication_code(key, body)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Return the fields of a whole message of either format without verifying the code.

        Raises:
            UnsupportedVersionError: the first byte names an unknown format.
            MalformedMessageError: invalid lengths, digits or kind, or a message of the credit class
                with an expiry.
        """
        if data and data[0] not in (FORMAT_VERSION, FORMER_VERSION):
            raise UnsupportedVersionError(f"format version {data[0]} is not known")
        former = data[:1] == bytes((FORMER_VERSION,))
        header = _FORMER_HEADER if former else _HEADER
        if not header.size + CODE_SIZE <= len(data) <= MAX_MESSAGE:
            raise MalformedMessageError(f"{len(data)} bytes are no sealed message")
        fields = header.unpack_from(data)
        (
            version,
            key_version,
            serial,
            epoch,
            kind,
            unit,
            customer,
            sequence,
            amount,
            issued,
            expires,
        ) = fields[:11]
        origin = NO_ORIGIN if former else Origin(*fields[11:13])
        size = fields[-1]
        if len(data) != header.size + size + CODE_SIZE:
            raise MalformedMessageError(
                f"{size} bytes of parameters do not fit a message of {len(data)}"
            )
        try:
            word = MessageKind(kind)
        except ValueError as error:
            raise MalformedMessageError(f"{kind} is no kind of message") from error
        if expires and not former and word.message_class is MessageClass.CREDIT:
            raise MalformedMessageError(f"a {word.word} has no expiry")
        return cls(
            word,
            _digits(serial),
            epoch,
            sequence,
            amount,
            unit,
            _digits(customer),
            issued,
            expires,
            data[header.size : -CODE_SIZE],
            key_version,
            origin,
            version,
        )


def code_of(data: bytes) -> bytes:
    """Return the first four bytes of a message's code, by which an answer identifies it."""
    return data[-CODE_SIZE:][:4]


def verify(data: bytes, key: bytes) -> None:
    """Raise AuthenticationError unless a message or receipt is sealed under `key`."""
    verify_code(key, data[:-CODE_SIZE], data[-CODE_SIZE:])


def _digits(data: bytes) -> str:
    text = data.hex()
    if not text.isdigit():
        raise MalformedMessageError(f"{text} is no packed BCD")
    return text


_ANSWER = SaturatingStruct("BI4sqqqqBHq")


@dataclass(frozen=True, slots=True)
class Answer:
    """The meter's answer to a message.

    Money in ledger units; `causes` and `amount_to_reconnect` are those at the time of the answer.
    """

    outcome: Outcome
    sequence: int = 0
    code: bytes = bytes(4)
    credit_before: int = 0
    credit_after: int = 0
    to_overdraft: int = 0
    to_debt: int = 0
    supply_state: SupplyState = SupplyState.CONNECTED
    causes: Cause = Cause.NONE
    amount_to_reconnect: int = 0

    SIZE: ClassVar[int] = _ANSWER.size

    def encode(self) -> bytes:
        """Return the answer's bytes."""
        return _ANSWER.saturate(
            self.outcome,
            self.sequence,
            self.code,
            self.credit_before,
            self.credit_after,
            self.to_overdraft,
            self.to_debt,
            self.supply_state,
            self.causes,
            self.amount_to_reconnect,
        )

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Return the answer; raises MalformedMessageError."""
        try:
            outcome, sequence, code, before, after, overdraft, debt, state, causes, reconnect = (
                _ANSWER.unpack(data)
            )
            return cls(
                Outcome(outcome),
                sequence,
                code,
                before,
                after,
                overdraft,
                debt,
                SupplyState(state),
                Cause(causes),
                reconnect,
            )
        except (ValueError, StructError) as error:
            raise MalformedMessageError(f"{data.hex()} is no answer") from error


_RECEIPT = SaturatingStruct("BB6sIBII4sQqqqqqq")
_RECEIPT_MARK = 0x80
"""Set in the first byte, so that no receipt can pass as a message under the same key."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """Effect of an accepted message.

    Money in ledger units, amount in 0.01 account unit, `at` in ms by the meter's clock.
    """

    kind: MessageKind
    serial_number: str
    epoch: int
    sequence: int
    amount: int
    code: bytes
    at: int
    credit_before: int
    credit_after: int
    to_overdraft: int
    to_debt: int
    cumulative: int
    settlement: int
    key_version: int
    version: int = FORMAT_VERSION

    SIZE: ClassVar[int] = _RECEIPT.size + CODE_SIZE

    def seal(self, key: bytes) -> bytes:
        """Return the receipt, sealed under the current key of the message's class."""
        body = self.encode()[:-CODE_SIZE]
        return body + authentication_code(key, body)

    def encode(self) -> bytes:
        """Return the receipt with zeros for its code, as the meter keeps it."""
        return _RECEIPT.saturate(
            self.version | _RECEIPT_MARK,
            self.key_version,
            bcd(self.serial_number),
            self.epoch,
            self.kind,
            self.sequence,
            self.amount,
            self.code,
            self.at,
            self.credit_before,
            self.credit_after,
            self.to_overdraft,
            self.to_debt,
            self.cumulative,
            self.settlement,
        ) + bytes(CODE_SIZE)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Return the fields of either format without verifying the code.

        Raises:
            MalformedMessageError: a wrong size or first byte, invalid digits or kind.
        """
        if len(data) != cls.SIZE or data[0] ^ _RECEIPT_MARK not in (FORMAT_VERSION, FORMER_VERSION):
            raise MalformedMessageError(f"{len(data)} bytes are no receipt")
        (
            version,
            key_version,
            serial,
            epoch,
            kind,
            sequence,
            amount,
            code,
            at,
            before,
            after,
            overdraft,
            debt,
            cumulative,
            settlement,
        ) = _RECEIPT.unpack_from(data)
        try:
            word = MessageKind(kind)
        except ValueError as error:
            raise MalformedMessageError(f"{kind} is no kind of message") from error
        return cls(
            word,
            _digits(serial),
            epoch,
            sequence,
            amount,
            code,
            at,
            before,
            after,
            overdraft,
            debt,
            cumulative,
            settlement,
            key_version,
            version & ~_RECEIPT_MARK,
        )


_SETTING = Struct(">BBq")


def encode_limits(values: dict[int, int | None]) -> bytes:
    """Return the parameters of a `limits` message from setting numbers and values; None is off."""
    return b"".join(
        _SETTING.pack(number, value is None, value or 0) for number, value in values.items()
    )


def decode_limits(data: bytes) -> dict[int, int | None]:
    """Return setting numbers and values.

    The range is not checked here: a setting outside its range is OUT_OF_RANGE, not MALFORMED.

    Raises:
        MalformedMessageError: a wrong length, an unknown number, a number given twice, or "off" for
            a setting that cannot be off.
    """
    if not data or len(data) % _SETTING.size:
        raise MalformedMessageError(f"{len(data)} bytes are no settings")
    values: dict[int, int | None] = {}
    for number, off, value in _SETTING.iter_unpack(data):
        item = SETTINGS.get(number)
        cannot_be_off = off and (value or item is None or not isinstance(item.kind, Optional))
        if item is None or off > 1 or cannot_be_off or number in values:
            raise MalformedMessageError(
                f"setting {number} is unknown, given twice or cannot be off"
            )
        values[number] = None if off else value
    return values


_WIDTHS = {
    MessageKind.CLOCK: 8,
    MessageKind.SWITCH: 1,
    MessageKind.GUARANTEE: 1,
    MessageKind.MORATORIUM: 4,
}
"""Kinds whose parameters are one unsigned number -> its bytes.

Clock in ms (`encode_clock`), moratorium in days since 1970, 0 is off.
"""


def encode_number(kind: MessageKind, value: int) -> bytes:
    """Return the parameters of a message whose only parameter is a number."""
    return value.to_bytes(_WIDTHS[kind], "big")


_LOCAL_CLOCK = 1 << 63
"""Mark of a clock that is local time of the meter; as a clock it is far out of range."""


def encode_clock(moment: int | LocalMoment) -> bytes:
    """Return the parameters of a `clock` message: an instant, or local time of the meter.

    A moment before 1970 is encoded as the clock 0, which every meter refuses.
    """
    if isinstance(moment, LocalMoment) and moment.ms >= 0:
        return encode_number(MessageKind.CLOCK, _LOCAL_CLOCK | moment.ms)
    return encode_number(
        MessageKind.CLOCK, 0 if isinstance(moment, LocalMoment) else max(moment, 0)
    )


def decode_clock(data: bytes) -> int | LocalMoment:
    """Return the moment of a `clock` message; raises MalformedMessageError for a wrong width."""
    number = decode_number(MessageKind.CLOCK, data)
    return LocalMoment(number & ~_LOCAL_CLOCK) if number & _LOCAL_CLOCK else number


def decode_number(kind: MessageKind, data: bytes) -> int:
    """Return the only parameter of a message; raises MalformedMessageError for a wrong width."""
    if len(data) != _WIDTHS[kind]:
        raise MalformedMessageError(
            f"{len(data)} bytes of parameters are not the {_WIDTHS[kind]} of {kind.word}"
        )
    return int.from_bytes(data, "big")
