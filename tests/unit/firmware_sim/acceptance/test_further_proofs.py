"""A third proof through acceptance: a token with an identifier, an identifier store, no receipt.

It exists in the tests only. It shows what a carrier of another standard needs: a form of
submission, an authenticator and a proof; the meter, admission, execution and records are those of
sealed messages.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import pytest

from firmware_sim.acceptance.acceptance import Acceptance
from firmware_sim.acceptance.instruction import (
    Authenticated,
    Authenticator,
    Content,
    Done,
    Instruction,
    Refused,
)
from firmware_sim.acceptance.sealed import SealedAuthenticator
from firmware_sim.assembly import new_state
from firmware_sim.hal.nvram import NvramError
from firmware_sim.hal.switch import SimulatedSwitch
from firmware_sim.meter import Meter
from firmware_sim.meter_description import MeterDescription
from firmware_sim.metrology.load import Load
from firmware_sim.records.ring import PURCHASE_RING
from firmware_sim.requests import AskReceipt, Reply, Submission
from firmware_sim.security.replay import Security
from firmware_sim.settings import Settings
from firmware_sim.state import State
from firmware_sim.storage.store import VolatileStore, make_rings
from protocols.control import CutPower
from protocols.data_model.tables import Purchase
from protocols.data_model.words import Carrier, Cause
from protocols.keys import MessageClass, development_keys
from protocols.quantities import CENT, LEDGER
from protocols.sealed_message import MessageKind, Outcome
from tests.support.meters import Host, event_names

IDENTIFIERS_KEPT = 3
"""Identifiers that the store of this token keeps; an older one is refused."""


class EnterToken(Submission):
    """Digits of a token: identifier (4), amount in cents (6), check digit."""

    __slots__ = ()


@dataclass(slots=True)
class TokenSecurity(Security):
    """The security state with a store of identifiers, part of the same commit."""

    identifiers: tuple[int, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class TokenProof:
    """An unused identifier."""

    number: int

    def spend(self, security: Security, at: int) -> None:
        """Store the identifier."""
        assert isinstance(security, TokenSecurity)
        security.identifiers = (*security.identifiers, self.number)[-IDENTIFIERS_KEPT:]

    def receipt(self, done: Done) -> Content | None:
        """A token has no receipt."""
        return None


class TokenAuthenticator(Authenticator):
    """Accepts each identifier once, and none below those that are kept."""

    def authenticate(self, data: bytes, carrier: Carrier, state: State) -> Authenticated | Refused:
        """Check digits, then the identifier against the store."""
        security = state.security
        assert isinstance(security, TokenSecurity)
        if len(data) != 11 or not data.isdigit():
            return Refused(Outcome.MALFORMED)
        identifier, cents = int(data[:4]), int(data[4:10])
        if sum(data[:10]) % 10 != int(data[10:]):
            attack = security.fail(carrier, state.elapsed_ms)
            return Refused(Outcome.BAD_AUTHENTICATION, attack=attack)
        kept = security.identifiers
        if identifier in kept:
            return Refused(Outcome.ALREADY_ACCEPTED)
        if len(kept) == IDENTIFIERS_KEPT and identifier < min(kept):
            return Refused(Outcome.SEQUENCE_OLD)
        instruction = Instruction(MessageKind.CREDIT, carrier, cents * CENT)
        return self._authenticated(instruction, TokenProof(identifier))


class FailingStore(VolatileStore):
    """A store that can refuse writes."""

    refuses = False

    def commit(self, state: State) -> int:
        """Accept or refuse the state."""
        if self.refuses:
            raise NvramError("the disk is full")
        return super().commit(state)


def token(identifier: int, cents: int) -> EnterToken:
    """Return a genuine token."""
    digits = f"{identifier:04d}{cents:06d}".encode()
    return EnterToken(digits + str(sum(digits) % 10).encode(), Carrier.KEYPAD)


@dataclass
class Setup:
    """A meter that takes tokens beside sealed messages."""

    meter: Meter
    store: FailingStore

    @classmethod
    def make(cls, **described: object) -> Setup:
        """Return a meter of a description."""
        description = MeterDescription(**described)  # type: ignore[arg-type]
        state = new_state(description)
        old = state.security
        state.security = TokenSecurity(*(getattr(old, f.name) for f in fields(old)))
        keys = development_keys(description.serial_number)
        state.security.key_version = keys.version
        rings, store = make_rings(96), FailingStore()
        sealed = SealedAuthenticator({keys.version: keys}, rings)
        acceptance = Acceptance(sealed, {EnterToken: TokenAuthenticator()})
        load = Load.constant((0,))
        return cls(Meter(state, rings, store, acceptance, load, SimulatedSwitch()), store)

    def enter(self, submission: EnterToken) -> Reply:
        """Enter a token; return the reply."""
        reply = self.meter.handle(submission)
        assert reply is not None
        assert reply.answer is not None
        return reply

    def outcome(self, submission: EnterToken) -> Outcome:
        """Enter a token; return its outcome."""
        answer = self.enter(submission).answer
        assert answer is not None
        return answer.outcome


def test_a_token_credits_once_and_moves_purchases_but_no_sequence() -> None:
    setup = Setup.make()
    reply = setup.enter(token(7, 5000))
    account, security = setup.meter.state.account, setup.meter.state.security
    assert reply.answer is not None
    assert reply.answer.outcome is Outcome.ACCEPTED
    assert (reply.answer.credit_before, reply.answer.credit_after) == (20 * LEDGER, 70 * LEDGER)
    assert (account.credit, account.purchases, account.cumulative) == (
        70 * LEDGER,
        1,
        50 * LEDGER,
    )
    assert account.imbalance() == (0, 0)
    assert (security.credit_sequence, security.command_sequence) == (0, 0)
    assert setup.outcome(token(7, 5000)) is Outcome.ALREADY_ACCEPTED
    assert setup.outcome(token(7, 6000)) is Outcome.ALREADY_ACCEPTED
    assert setup.meter.state.account.credit == 70 * LEDGER


def test_a_token_has_no_receipt_and_its_purchase_record_has_its_identifier() -> None:
    setup = Setup.make()
    reply = setup.enter(token(7, 100))
    assert reply.receipt == b""
    assert reply.answer is not None
    assert (reply.answer.sequence, reply.answer.code) == (0, bytes(4))
    asked = setup.meter.handle(AskReceipt(MessageClass.CREDIT, 7))
    assert asked is not None
    assert asked.receipt == b""
    (row,) = setup.meter.rings[PURCHASE_RING].newest(10)
    purchase = Purchase.unpack(row)
    assert (purchase.sequence, purchase.carrier, purchase.amount) == (7, Carrier.KEYPAD, LEDGER)


def test_an_identifier_below_the_kept_ones_is_old() -> None:
    setup = Setup.make()
    for identifier in (5, 6, 7, 8):
        assert setup.outcome(token(identifier, 1)) is Outcome.ACCEPTED
    assert setup.outcome(token(5, 1)) is Outcome.SEQUENCE_OLD


def test_tokens_pass_the_same_admission_as_sealed_messages() -> None:
    assert Setup.make(opened=False).outcome(token(1, 1)) is Outcome.NOT_OPENED
    assert Setup.make().outcome(token(1, 0)) is Outcome.OUT_OF_RANGE
    limited = Setup.make(settings=Settings(max_credit=50 * LEDGER))
    assert limited.outcome(token(1, 3001)) is Outcome.EXCEEDS_MAX_CREDIT
    assert limited.outcome(token(1, 3000)) is Outcome.ACCEPTED


def test_a_token_reconnects_the_supply_as_a_sealed_top_up_does() -> None:
    setup = Setup.make(credit=0)
    assert setup.meter.state.supply.causes == Cause.CREDIT_EXHAUSTED
    setup.enter(token(1, 1))
    assert setup.meter.state.supply.closed


def test_wrong_tokens_suspend_the_keypad_and_not_the_wire() -> None:
    setup = Setup.make()
    genuine = token(1, 100).data
    wrong = EnterToken(genuine[:10] + str((int(genuine[10:]) + 1) % 10).encode(), Carrier.KEYPAD)
    for _ in range(5):
        assert setup.outcome(wrong) is Outcome.BAD_AUTHENTICATION
    assert event_names(setup.meter)[-1] == "authentication_attack"
    assert setup.meter.state.security.suspended(Carrier.KEYPAD, 0)
    assert Host(setup.meter).send(MessageKind.CREDIT, amount=1).outcome is Outcome.ACCEPTED


def test_a_refused_write_leaves_the_identifier_unused() -> None:
    setup = Setup.make()
    setup.store.refuses = True
    assert setup.outcome(token(1, 100)) is Outcome.STORAGE_FAULT
    assert setup.meter.state.account.credit == 20 * LEDGER
    setup.store.refuses = False
    assert setup.outcome(token(1, 100)) is Outcome.ACCEPTED


def test_sealed_messages_and_tokens_on_one_meter_do_not_touch_each_other() -> None:
    setup = Setup.make()
    host = Host(setup.meter)
    first = host.seal(MessageKind.CREDIT, amount=100)
    assert setup.outcome(token(1, 100)) is Outcome.ACCEPTED
    assert host.deliver(first).outcome is Outcome.ACCEPTED
    assert setup.outcome(token(1, 100)) is Outcome.ALREADY_ACCEPTED
    assert host.deliver(first).outcome is Outcome.ALREADY_ACCEPTED
    assert setup.meter.state.account.credit == 22 * LEDGER


@pytest.mark.parametrize("digits", [b"", b"1234567890", b"0001000100x"])
def test_digits_that_are_no_token_are_malformed(digits: bytes) -> None:
    assert Setup.make().outcome(EnterToken(digits, Carrier.KEYPAD)) is Outcome.MALFORMED


def test_without_power_a_token_is_not_answered() -> None:
    setup = Setup.make()
    setup.meter.handle(CutPower())
    assert setup.meter.handle(token(1, 100)) is None
    assert setup.meter.state.account.credit == 20 * LEDGER


def test_an_instruction_of_which_nothing_else_is_said_moves_nothing() -> None:
    instruction = Instruction(MessageKind.CLEAR_EVENTS, Carrier.WIRE)
    assert instruction == Instruction(MessageKind.CLEAR_EVENTS, Carrier.WIRE, 0, None, None, None)
