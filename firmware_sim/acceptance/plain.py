"""Plain writes: instructions that nothing authenticates, under `unsafe_writes` alone (METER.md 7).

    credit     purchase count (u32), amount in 0.01 (u64)
    switch     the number of an action
    limits     settings as in a sealed message

The first byte of a submission is the kind. What a plain write asks passes the same admission and
execution as a sealed message. Its carrier is PLAIN; it moves no sequence and has no receipt.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from struct import Struct
from struct import error as StructError

from firmware_sim.acceptance.instruction import (
    Authenticated,
    Authenticator,
    Content,
    Done,
    Instruction,
    Refused,
)
from firmware_sim.records.ring import PURCHASE_RING, Ring
from firmware_sim.requests import Plain
from firmware_sim.security.replay import Security
from firmware_sim.state import State
from protocols.data_model.tables import Purchase
from protocols.data_model.words import Carrier
from protocols.errors import MalformedMessageError
from protocols.quantities import CENT
from protocols.sealed_message import (
    MessageKind,
    Outcome,
    SwitchAction,
    decode_limits,
    encode_limits,
)

LAST_COUNT = 0xFFFF_FFFF
"""The highest purchase count that a purchase record holds."""
_CREDIT = Struct(">IQ")


def plain_credit(count: int, cents: int) -> Plain:
    """Return the write of a credit that makes `count` purchases, at most LAST_COUNT."""
    return _plain(MessageKind.CREDIT, _CREDIT.pack(count, cents))


def plain_switch(action: SwitchAction) -> Plain:
    """Return the write of an action of the switch."""
    return _plain(MessageKind.SWITCH, bytes((action,)))


def plain_limits(values: Mapping[int, int | None]) -> Plain:
    """Return the write of settings by number; None is off."""
    return _plain(MessageKind.LIMITS, encode_limits(dict(values)))


def _plain(kind: MessageKind, body: bytes) -> Plain:
    return Plain(bytes((kind,)) + body, Carrier.PLAIN)


@dataclass(frozen=True, slots=True)
class PlainProof:
    """The purchase count of a credit, 0 of anything else; nothing is spent and nothing kept.

    An accepted credit raises the account's purchase count, so that its own count is passed.
    """

    number: int = 0

    def spend(self, security: Security, at: int) -> None:
        """Nothing is spent: neither sequence moves."""

    def receipt(self, done: Done) -> Content | None:
        """A plain write has no receipt."""
        return None


class PlainAuthenticator(Authenticator):
    """Takes plain writes; a credit counts once by its purchase count.

    Args:
        rings: the meter's records; its purchases hold count and amount of accepted credits.
    """

    def __init__(self, rings: tuple[Ring, ...]) -> None:
        self._purchases = rings[PURCHASE_RING]

    def authenticate(self, data: bytes, carrier: Carrier, state: State) -> Authenticated | Refused:
        """Decode a plain write, and check the count of a credit."""
        try:
            kind, body = MessageKind(data[0]), data[1:]
            match kind:
                case MessageKind.CREDIT:
                    count, cents = _CREDIT.unpack(body)
                    return self._credit(state, count, cents)
                case MessageKind.SWITCH:
                    (number,) = body
                    return self._command(kind, SwitchAction(number))
                case MessageKind.LIMITS:
                    return self._command(kind, decode_limits(body))
                case _:
                    return Refused(Outcome.MALFORMED)
        except (IndexError, ValueError, StructError, MalformedMessageError):
            return Refused(Outcome.MALFORMED)

    def _command(
        self, kind: MessageKind, parameters: SwitchAction | dict[int, int | None]
    ) -> Authenticated:
        instruction = Instruction(kind, Carrier.PLAIN, parameters=parameters)
        return self._authenticated(instruction, PlainProof())

    def _credit(self, state: State, count: int, cents: int) -> Authenticated | Refused:
        """Take the next count; one that a plain credit had is accepted again for its own amount."""
        amount, purchases = cents * CENT, state.account.purchases
        if count <= purchases:
            accepted = self._accepted(count)
            if accepted is None:
                return Refused(Outcome.SEQUENCE_OLD)
            same = accepted == amount
            return Refused(Outcome.ALREADY_ACCEPTED if same else Outcome.SEQUENCE_CONFLICT)
        if count > purchases + 1:
            return Refused(Outcome.SEQUENCE_GAP)
        instruction = Instruction(MessageKind.CREDIT, Carrier.PLAIN, amount)
        return self._authenticated(instruction, PlainProof(count))

    def _accepted(self, count: int) -> int | None:
        """Return the amount of the plain credit with a count, None where none is kept."""
        for row in self._purchases.newest(self._purchases.depth):
            purchase = Purchase.unpack(row)
            if purchase.carrier == Carrier.PLAIN and purchase.sequence == count:
                return purchase.amount
        return None
