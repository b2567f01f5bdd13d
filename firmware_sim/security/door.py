"""The door: who may come in. Every sealed message is judged here, in the fixed order of METER.md 7.

Only `Door.judge` makes a `Vouched` message, and only a vouched message reaches the account.
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
    FORMAT_VERSION,
    MessageKind,
    Outcome,
    SealedMessage,
    verify,
)

FindReceipt = Callable[[MessageClass, int], tuple[bytes, bytes] | None]
"""Finds (code of the message, sealed receipt) of an accepted sequence among the last 16 of its class."""

_NEVER_EXPIRES = frozenset({MessageKind.CLOCK, MessageKind.VOID})
_VOUCHER = object()


@dataclass(frozen=True, slots=True)
class Vouched:
    """A message whose code, sequence and expiry are right; made by the door alone."""

    message: SealedMessage
    code: bytes
    carrier: Carrier
    voucher: object = field(repr=False)

    def __post_init__(self) -> None:
        if self.voucher is not _VOUCHER:
            raise PermissionError("only the door vouches for a message")


@dataclass(frozen=True, slots=True)
class Refused:
    """A message that was refused at the door, with whatever could be read of it."""

    outcome: Outcome
    message: SealedMessage | None = None
    receipt: bytes = b""
    attack: bool = False


class Door:
    """The meter's secure element: its own keys by version, never a master."""

    def __init__(self, keys: Mapping[int, MeterKeys]) -> None:
        self._keys = dict(keys)

    def keys(self, version: int) -> MeterKeys | None:
        """Return the keys of a version, None where the meter has none."""
        return self._keys.get(version)

    @property
    def first_version(self) -> int:
        """The oldest version that the meter holds: where a new state begins."""
        return min(self._keys)

    def judge(
        self, data: bytes, carrier: Carrier, identity: Identity, security: Security, account_state: int,
        elapsed: int, clock: int | None, strict: bool, find_receipt: FindReceipt,
    ) -> Vouched | Refused:  # fmt: skip
        """Judge a message up to its expiry; a wrong code is counted in `security`, nothing else is changed.

        Args:
            clock: the meter's clock in ms, None while it is invalid (then nothing expires).
            strict: refuse genuine messages too while a suspension stands.
        """
        try:
            message = SealedMessage.decode(data)
        except MalformedMessageError:
            return Refused(Outcome.MALFORMED)
        if message.version != FORMAT_VERSION:
            return Refused(Outcome.UNSUPPORTED_VERSION, message)
        code = data[-CODE_SIZE:]
        if message.serial_number != identity.serial_number or not _epoch_fits(
            message, code, identity, security, account_state
        ):
            return Refused(Outcome.NOT_FOR_THIS_METER, message)
        keys = self._keys.get(message.key_version) if message.key_version >= security.key_version else None
        if keys is None:
            return Refused(Outcome.UNKNOWN_KEY_VERSION, message)
        suspended = security.suspended(carrier, elapsed)
        try:
            verify(data, keys.key(message.kind.message_class))
        except AuthenticationError:
            if suspended:
                return Refused(Outcome.SUSPENDED, message)
            return Refused(Outcome.BAD_AUTHENTICATION, message, attack=security.fail(carrier, elapsed))
        if suspended and strict:
            return Refused(Outcome.SUSPENDED, message)
        verdict = self._judge_sequence(message, code, carrier, security, clock, find_receipt)
        if isinstance(verdict, Vouched):
            security.forgive(carrier)
        return verdict

    def _judge_sequence(
        self, message: SealedMessage, code: bytes, carrier: Carrier, security: Security,
        clock: int | None, find_receipt: FindReceipt,
    ) -> Vouched | Refused:  # fmt: skip
        kind = message.kind
        last = security.last(kind.message_class)
        if message.sequence <= last:
            known = find_receipt(kind.message_class, message.sequence)
            if known and known[0] == code:
                return Refused(Outcome.ALREADY_ACCEPTED, message, known[1])
            if known is None and kind is MessageKind.OPEN and code.hex() == security.opening_code:
                return Refused(Outcome.ALREADY_ACCEPTED, message)
            return Refused(Outcome.SEQUENCE_CONFLICT if known else Outcome.SEQUENCE_OLD, message)
        if kind.message_class is MessageClass.CREDIT and message.sequence != last + 1:
            return Refused(Outcome.SEQUENCE_GAP, message)
        expires = 0 if kind in _NEVER_EXPIRES else message.expires_at
        if expires and clock is not None and clock >= expires * 1000:
            return Refused(Outcome.EXPIRED, message)
        return Vouched(message, code, carrier, _VOUCHER)


def _epoch_fits(
    message: SealedMessage, code: bytes, identity: Identity, security: Security, account_state: int
) -> bool:
    """Epoch 0 stands for the meter's own only in an opening card sold before the meter was ever read."""
    if message.epoch == identity.epoch:
        return True
    first_open = message.epoch == 0 and message.kind is MessageKind.OPEN and message.sequence == 1
    return first_open and (account_state == AccountState.UNOPENED or code.hex() == security.opening_code)
