"""The sealed status: a proof of a meter's present state for one question (METER.md 7).

    question   nonce (8 bytes, drawn for each question), number of a journal, a key version
    status     134 bytes, sealed by the credit key of the version asked for; its nonce proves that
               it is fresh

Any client may ask, at any time. A question has no effect on the meter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from protocols.data_model.words import AccountState
from protocols.errors import MalformedMessageError
from protocols.fixed_width import SaturatingStruct
from protocols.keys import CODE_SIZE, authentication_code, bcd
from protocols.sealed_message import FORMAT_VERSION

NONCE_SIZE = 8
_STATUS_MARK = 0x40
_STATUS = SaturatingStruct("BB6sI8sIBBH6sIIqQqQQq4sQII4sI")


@dataclass(frozen=True, slots=True)
class StatusQuestion:
    """A host's question about the messages of one journal, under one key version."""

    nonce: bytes
    journal: int
    key_version: int


@dataclass(frozen=True, slots=True)
class LastOfJournal:
    """The last accepted message of the credit class from one journal; sequence 0 is none."""

    mark: int = 0
    sequence: int = 0
    code: bytes = bytes(4)


@dataclass(frozen=True, slots=True)
class SealedStatus:
    """State of a meter at the time of the answer.

    Money in ledger units, `clock`, `elapsed_ms` and `last_at` in ms, energy in mWh. `key_version`
    is the version that was asked for, `current_version` the meter's. The values named `committed_`
    are those of the last flushed commit; a kill does not set them back. `last_code` and `last_at`
    are of the last accepted message of the credit class, as in its receipt. `forgotten` is the
    highest sequence of a journal whose row was replaced.
    """

    key_version: int
    serial_number: str
    epoch: int
    nonce: bytes
    journal: int
    current_version: int
    account_state: AccountState
    account_unit: int
    customer_number: str
    credit_sequence: int
    command_sequence: int
    clock: int
    elapsed_ms: int
    credit: int
    committed_elapsed: int
    committed_energy: int
    committed_cumulative: int
    last_code: bytes
    last_at: int
    of_journal: LastOfJournal
    forgotten: int

    SIZE: ClassVar[int] = _STATUS.size + CODE_SIZE

    def seal(self, key: bytes) -> bytes:
        """Return the status, sealed under the credit key of the version that was asked for."""
        row = self.of_journal
        body = _STATUS.saturate(
            FORMAT_VERSION | _STATUS_MARK,
            self.key_version,
            bcd(self.serial_number),
            self.epoch,
            self.nonce,
            self.journal,
            self.current_version,
            self.account_state,
            self.account_unit,
            bcd(self.customer_number),
            self.credit_sequence,
            self.command_sequence,
            self.clock,
            self.elapsed_ms,
            self.credit,
            self.committed_elapsed,
            self.committed_energy,
            self.committed_cumulative,
            self.last_code,
            self.last_at,
            row.mark,
            row.sequence,
            row.code,
            self.forgotten,
        )
        return body + authentication_code(key, body)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Return the fields without verifying the code; raises MalformedMessageError."""
        if len(data) != cls.SIZE or data[0] != FORMAT_VERSION | _STATUS_MARK:
            raise MalformedMessageError(f"{len(data)} bytes are no sealed status")
        (
            _,
            key_version,
            serial,
            epoch,
            nonce,
            journal,
            current,
            state,
            unit,
            customer,
            credit_sequence,
            command_sequence,
            clock,
            elapsed_ms,
            credit,
            committed_elapsed,
            energy,
            cumulative,
            last_code,
            last_at,
            mark,
            sequence,
            code,
            forgotten,
        ) = _STATUS.unpack_from(data)
        if not (serial.hex() + customer.hex()).isdigit():
            raise MalformedMessageError("the digits of a status are no packed BCD")
        try:
            account_state = AccountState(state)
        except ValueError as error:
            raise MalformedMessageError(f"{state} is no state of an account") from error
        return cls(
            key_version,
            serial.hex(),
            epoch,
            nonce,
            journal,
            current,
            account_state,
            unit,
            customer.hex(),
            credit_sequence,
            command_sequence,
            clock,
            elapsed_ms,
            credit,
            committed_elapsed,
            energy,
            cumulative,
            last_code,
            last_at,
            LastOfJournal(mark, sequence, code),
            forgotten,
        )
