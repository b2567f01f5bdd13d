"""Authentication of sealed messages, in the fixed order of checks of METER.md 7.

Only `Authenticator.authenticate` makes an `Authenticated` message, and only an authenticated
message reaches the account.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from firmware_sim.security.replay import Security
from firmware_sim.state import Identity
from protocols.data_model.words import AccountState, Carrier
from protocols.errors import AuthenticationError, MalformedMessageError
from protocols.keys import CODE_SIZE, MessageClass, MeterKeys
from protocols.sealed_message import (
    COMMAND_REACH,
    FORMAT_VERSION,
    MessageKind,
    Outcome,
    SealedMessage,
    verify,
)

FindReceipt = Callable[[MessageClass, int], tuple[bytes, bytes] | None]
"""Returns (message code, kept receipt) of an accepted sequence of the last 16 of its class."""

_MADE_HERE = object()


@dataclass(frozen=True, slots=True)
class Authenticated:
    """A message with a correct code, sequence and expiry; made by `Authenticator` alone."""

    message: SealedMessage
    code: bytes
    carrier: Carrier
    made_by: object = field(repr=False)

    def __post_init__(self) -> None:
        if self.made_by is not _MADE_HERE:
            raise PermissionError("only Authenticator makes an authenticated message")


@dataclass(frozen=True, slots=True)
class Refused:
    """A refused message, with the fields that could be decoded."""

    outcome: Outcome
    message: SealedMessage | None = None
    kept: bytes = b""
    """The kept receipt of a message that was accepted before."""
    attack: bool = False


class Authenticator:
    """The meter's secure element: its own keys by version, never a master."""

    def __init__(self, keys: Mapping[int, MeterKeys]) -> None:
        self._keys = dict(keys)

    def keys(self, version: int) -> MeterKeys | None:
        """Return the keys of a version, None where the meter has none."""
        return self._keys.get(version)

    @property
    def first_version(self) -> int:
        """The lowest version that the meter holds; a new state begins with it."""
        return min(self._keys)

    def accepts(self, version: int, current: int) -> bool:
        """Return whether a version is the current one or the next: the lowest held above it."""
        if version == current:
            return version in self._keys
        return version == min((held for held in self._keys if held > current), default=None)

    def authenticate(
        self,
        data: bytes,
        carrier: Carrier,
        identity: Identity,
        security: Security,
        account_state: int,
        elapsed_ms: int,
        strict: bool,
        find_receipt: FindReceipt,
    ) -> Authenticated | Refused:
        """Check a message up to its expiry; of `security` only the failures of a carrier change.

        Args:
            elapsed_ms: elapsed time of the meter; it decides expiry, and no clock does.
            strict: during a suspension, refuse genuine messages too.
        """
        if data and data[0] != FORMAT_VERSION:
            return Refused(Outcome.UNSUPPORTED_VERSION)
        try:
            message = SealedMessage.decode(data)
        except MalformedMessageError:
            return Refused(Outcome.MALFORMED)
        code = data[-CODE_SIZE:]
        if message.serial_number != identity.serial_number or not _epoch_fits(
            message, code, identity, security, account_state
        ):
            return Refused(Outcome.NOT_FOR_THIS_METER, message)
        keys = self._keys.get(message.key_version)
        if keys is None or not self.accepts(message.key_version, security.key_version):
            known = _accepted_before(message, code, security, find_receipt)
            return known or Refused(Outcome.UNKNOWN_KEY_VERSION, message)
        suspended = security.suspended(carrier, elapsed_ms)
        try:
            verify(data, keys.key(message.kind.message_class))
        except AuthenticationError:
            if suspended:
                return Refused(Outcome.SUSPENDED, message)
            return Refused(
                Outcome.BAD_AUTHENTICATION, message, attack=security.fail(carrier, elapsed_ms)
            )
        if suspended and strict:
            return Refused(Outcome.SUSPENDED, message)
        checked = _check_sequence(message, code, carrier, security, elapsed_ms, find_receipt)
        if isinstance(checked, Authenticated):
            security.forgive(carrier)
        return checked


def _check_sequence(
    message: SealedMessage,
    code: bytes,
    carrier: Carrier,
    security: Security,
    elapsed_ms: int,
    find_receipt: FindReceipt,
) -> Authenticated | Refused:
    message_class = message.kind.message_class
    last = security.last(message_class)
    if message.sequence <= last:
        before = _accepted_before(message, code, security, find_receipt)
        if before is not None:
            return before
        known = find_receipt(message_class, message.sequence)
        return Refused(Outcome.SEQUENCE_CONFLICT if known else Outcome.SEQUENCE_OLD, message)
    reach = 1 if message_class is MessageClass.CREDIT else COMMAND_REACH
    if message.sequence > last + reach:
        return Refused(Outcome.SEQUENCE_GAP, message)
    if message.expires_at and elapsed_ms >= message.expires_at * 1000:
        return Refused(Outcome.EXPIRED, message)
    return Authenticated(message, code, carrier, _MADE_HERE)


def _accepted_before(
    message: SealedMessage, code: bytes, security: Security, find_receipt: FindReceipt
) -> Refused | None:
    """Return ALREADY_ACCEPTED for the code of a kept receipt or of the opening, else None."""
    known = find_receipt(message.kind.message_class, message.sequence)
    if known and known[0] == code:
        return Refused(Outcome.ALREADY_ACCEPTED, message, known[1])
    if known is None and message.kind is MessageKind.OPEN and code.hex() == security.opening_code:
        return Refused(Outcome.ALREADY_ACCEPTED, message)
    return None


def _epoch_fits(
    message: SealedMessage, code: bytes, identity: Identity, security: Security, account_state: int
) -> bool:
    """Return whether the epoch of a message is the meter's.

    Epoch 0 fits only an opening card that was sold before the meter was ever read.
    """
    if message.epoch == identity.epoch:
        return True
    first_open = message.epoch == 0 and message.kind is MessageKind.OPEN and message.sequence == 1
    return first_open and (
        account_state == AccountState.UNOPENED or code.hex() == security.opening_code
    )
