"""Sealed messages: authentication in the fixed order of METER.md 7, receipts and sealed status."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from firmware_sim.acceptance.instruction import (
    Authenticated,
    Authenticator,
    Content,
    Done,
    Instruction,
    Parameters,
    Reference,
    Refused,
)
from firmware_sim.records.ring import COMMAND_RECEIPTS, CREDIT_RECEIPTS, RECEIPT_CODE_SIZE, Ring
from firmware_sim.security.replay import Security
from firmware_sim.state import State
from firmware_sim.storage.lasting import Lasting
from protocols.data_model.tariff import TariffChange
from protocols.data_model.words import AccountState, Carrier
from protocols.errors import AuthenticationError, MalformedMessageError
from protocols.keys import CODE_SIZE, MessageClass, MeterKeys
from protocols.quantities import CENT
from protocols.sealed_message import (
    COMMAND_REACH,
    FORMAT_VERSION,
    MessageKind,
    Outcome,
    Receipt,
    SealedMessage,
    SwitchAction,
    code_of,
    decode_clock,
    decode_limits,
    decode_number,
    verify,
)
from protocols.sealed_status import LastOfJournal, SealedStatus, StatusQuestion

_RINGS = {MessageClass.CREDIT: CREDIT_RECEIPTS, MessageClass.COMMAND: COMMAND_RECEIPTS}


@dataclass(frozen=True, slots=True)
class SealedProof:
    """A sealed message with a correct code, sequence and expiry; `epoch` is the meter's."""

    message: SealedMessage
    code: bytes
    epoch: int

    @property
    def number(self) -> int:
        """The sequence."""
        return self.message.sequence

    def spend(self, security: Security, at: int) -> None:
        """Record sequence, key version, opening code, and the last message of its journal."""
        message, message_class = self.message, self.message.kind.message_class
        security.take(message_class, message.sequence)
        security.key_version = message.key_version
        if message.kind is MessageKind.OPEN:
            security.opening_code = self.code.hex()
        if message_class is MessageClass.CREDIT:
            security.remember(message.origin, message.sequence, self.code, at)

    def receipt(self, done: Done) -> Content:
        """Return the receipt's content; its row begins with the message's code and sequence."""
        message = self.message
        receipt = Receipt(
            message.kind,
            message.serial_number,
            self.epoch,
            message.sequence,
            message.amount,
            self.code[:4],
            done.at,
            done.credit_before,
            done.credit_after,
            done.split.to_overdraft,
            done.split.to_debt,
            done.cumulative,
            done.settlement,
            message.key_version,
        )
        key = self.code + message.sequence.to_bytes(4, "big")
        return Content(_RINGS[message.kind.message_class], key, receipt.encode())


class SealedAuthenticator(Authenticator):
    """The meter's secure element: its own keys by version, never a master; and kept receipts."""

    def __init__(self, keys: Mapping[int, MeterKeys], rings: tuple[Ring, ...]) -> None:
        self._keys, self._rings = dict(keys), rings

    # ---- keys

    def keys(self, version: int) -> MeterKeys | None:
        """Return the keys of a version, None where the meter has none."""
        return self._keys.get(version)

    def accepts(self, version: int, current: int) -> bool:
        """Return whether a version is the current one or the next: the lowest held above it."""
        if version == current:
            return version in self._keys
        return version == min((held for held in self._keys if held > current), default=None)

    # ---- messages

    def authenticate(self, data: bytes, carrier: Carrier, state: State) -> Authenticated | Refused:
        """Check a message up to its expiry and decode its parameters.

        The elapsed time decides expiry, and no clock does. During a suspension genuine messages
        are refused too where `strict_suspension` is set.
        """
        if data and data[0] != FORMAT_VERSION:
            return Refused(Outcome.UNSUPPORTED_VERSION)
        try:
            message = SealedMessage.decode(data)
        except MalformedMessageError:
            return Refused(Outcome.MALFORMED)
        code, security = data[-CODE_SIZE:], state.security
        if message.serial_number != state.identity.serial_number or not _epoch_fits(
            message, code, state
        ):
            return Refused(Outcome.NOT_FOR_THIS_METER)
        keys = self._keys.get(message.key_version)
        if keys is None or not self.accepts(message.key_version, security.key_version):
            known = self._accepted_before(message, code, security)
            return known or Refused(Outcome.UNKNOWN_KEY_VERSION)
        suspended = security.suspended(carrier, state.elapsed_ms)
        try:
            verify(data, keys.key(message.kind.message_class))
        except AuthenticationError:
            if suspended:
                return Refused(Outcome.SUSPENDED)
            attack = security.fail(carrier, state.elapsed_ms)
            return Refused(Outcome.BAD_AUTHENTICATION, attack=attack)
        if suspended and state.settings.strict_suspension:
            return Refused(Outcome.SUSPENDED)
        refused = self._check_replay(message, code, security, state.elapsed_ms)
        if refused is not None:
            return refused
        security.forgive(carrier)
        try:
            instruction = instruction_of(message, carrier)
        except MalformedMessageError:
            return Refused(Outcome.MALFORMED)
        return self._authenticated(instruction, SealedProof(message, code, state.identity.epoch))

    def reference(self, data: bytes) -> Reference:
        """Return the sequence of a message, 0 where it cannot be decoded, and its code."""
        try:
            sequence = SealedMessage.decode(data).sequence
        except MalformedMessageError:
            sequence = 0
        return Reference(sequence, code_of(data).ljust(4, b"\0"))

    def _check_replay(
        self, message: SealedMessage, code: bytes, security: Security, elapsed_ms: int
    ) -> Refused | None:
        message_class = message.kind.message_class
        last = security.last(message_class)
        if message.sequence <= last:
            before = self._accepted_before(message, code, security)
            if before is not None:
                return before
            known = self._find(message_class, message.sequence)
            return Refused(Outcome.SEQUENCE_CONFLICT if known else Outcome.SEQUENCE_OLD)
        reach = 1 if message_class is MessageClass.CREDIT else COMMAND_REACH
        if message.sequence > last + reach:
            return Refused(Outcome.SEQUENCE_GAP)
        if message.expires_at and elapsed_ms >= message.expires_at * 1000:
            return Refused(Outcome.EXPIRED, since_ms=message.expires_at * 1000)
        return None

    def _accepted_before(
        self, message: SealedMessage, code: bytes, security: Security
    ) -> Refused | None:
        """Return ALREADY_ACCEPTED for the code of a kept receipt or of the opening, else None."""
        known = self._find(message.kind.message_class, message.sequence)
        if known and known[0] == code:
            return Refused(Outcome.ALREADY_ACCEPTED, known[1])
        opened = message.kind is MessageKind.OPEN and code.hex() == security.opening_code
        return Refused(Outcome.ALREADY_ACCEPTED) if known is None and opened else None

    # ---- receipts and status

    def receipt(self, state: State, message_class: MessageClass, sequence: int) -> bytes:
        """Return the receipt of an accepted sequence, sealed now; empty where it is not kept."""
        found = self._find(message_class, sequence)
        return self.seal(found[1], state.security) if found else b""

    def seal(self, kept: bytes, security: Security) -> bytes:
        """Seal the content of a kept receipt under the current key of its class."""
        keys = self.keys(security.key_version)
        assert keys is not None, "the current version is held"
        receipt = replace(Receipt.decode(kept), key_version=keys.version)
        return receipt.seal(keys.key(receipt.kind.message_class))

    def status(self, state: State, question: StatusQuestion, lasting: Lasting) -> bytes:
        """Return the sealed status for a question; empty for a version neither current nor next.

        Args:
            lasting: values of the last flushed commit.
        """
        security, account = state.security, state.account
        keys = self.keys(question.key_version)
        if keys is None or not self.accepts(question.key_version, security.key_version):
            return b""
        row = security.last_of(question.journal)
        of_journal = (
            LastOfJournal(row.mark, row.sequence, bytes.fromhex(row.code))
            if row
            else LastOfJournal()
        )
        status = SealedStatus(
            question.key_version,
            state.identity.serial_number,
            state.identity.epoch,
            question.nonce,
            question.journal,
            security.key_version,
            AccountState(account.state),
            account.unit,
            account.customer_number,
            security.credit_sequence,
            security.command_sequence,
            state.clock.read(state.elapsed_ms),
            state.elapsed_ms,
            account.credit,
            lasting.elapsed_ms,
            lasting.import_mwh,
            lasting.cumulative,
            bytes.fromhex(security.last_code),
            security.last_at,
            of_journal,
            security.forgotten,
        )
        return status.seal(keys.credit)

    def _find(self, message_class: MessageClass, sequence: int) -> tuple[bytes, bytes] | None:
        """Return code and kept receipt of an accepted message of the last 16 of its class."""
        ring = self._rings[_RINGS[message_class]]
        wanted = sequence.to_bytes(4, "big")
        for row in ring.newest(ring.depth):
            if row[RECEIPT_CODE_SIZE : RECEIPT_CODE_SIZE + 4] == wanted:
                return row[:RECEIPT_CODE_SIZE], row[RECEIPT_CODE_SIZE + 4 :]
        return None


def instruction_of(message: SealedMessage, carrier: Carrier) -> Instruction:
    """Return the instruction of a message; raises MalformedMessageError for wrong parameters."""
    return Instruction(
        message.kind,
        carrier,
        message.amount * CENT,
        _parameters(message),
        message.account_unit,
        message.customer_number,
    )


def _parameters(message: SealedMessage) -> Parameters:
    """Return the parameters of a message, decoded; raises MalformedMessageError."""
    match message.kind:
        case MessageKind.LIMITS:
            return decode_limits(message.parameters)
        case MessageKind.TARIFF:
            return TariffChange.decode(message.parameters)
        case MessageKind.CLOCK:
            return decode_clock(message.parameters)
        case MessageKind.GUARANTEE | MessageKind.MORATORIUM:
            return decode_number(message.kind, message.parameters)
        case MessageKind.SWITCH:
            try:
                return SwitchAction(decode_number(message.kind, message.parameters))
            except ValueError as error:
                raise MalformedMessageError("no such switch action") from error
        case (
            MessageKind.OPEN
            | MessageKind.CREDIT
            | MessageKind.REFUND
            | MessageKind.DEBT
            | MessageKind.CLOSE
            | MessageKind.VOID
            | MessageKind.CLEAR_TAMPER
            | MessageKind.CLEAR_EVENTS
            | MessageKind.CLEAR_DEMAND
        ):
            if message.parameters:
                raise MalformedMessageError(f"a {message.kind.word} has no parameters")
            return None


def _epoch_fits(message: SealedMessage, code: bytes, state: State) -> bool:
    """Return whether the epoch of a message is the meter's.

    Epoch 0 fits only an opening card that was sold before the meter was ever read.
    """
    if message.epoch == state.identity.epoch:
        return True
    first_open = message.epoch == 0 and message.kind is MessageKind.OPEN and message.sequence == 1
    return first_open and (
        state.account.state == AccountState.UNOPENED or code.hex() == state.security.opening_code
    )
