"""Acceptance of sealed messages: authenticate, check, apply, receipt, answer (METER.md 7).

It works on an uncommitted copy of the state; the meter commits it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from firmware_sim import calendar_work, messages
from firmware_sim.authenticator import Authenticated, Authenticator, Refused
from firmware_sim.records.ring import COMMAND_RECEIPTS, CREDIT_RECEIPTS, RECEIPT_CODE_SIZE, Ring
from firmware_sim.requests import AskReceipt, AskStatus, Reply, Request, Sealed
from firmware_sim.state import State
from firmware_sim.storage.lasting import Lasting
from firmware_sim.supply.control import Emit
from protocols.data_model.words import AccountState, Cause
from protocols.errors import MalformedMessageError
from protocols.keys import MessageClass
from protocols.sealed_message import Answer, Outcome, Receipt, SealedMessage, code_of
from protocols.sealed_status import LastOfJournal, SealedStatus

_RINGS = {MessageClass.CREDIT: CREDIT_RECEIPTS, MessageClass.COMMAND: COMMAND_RECEIPTS}


def answer(
    state: State,
    request: Request,
    outcome: Outcome,
    before: int | None = None,
    to_overdraft: int = 0,
    to_debt: int = 0,
) -> Answer:
    """Return the answer to a message, with the sequence and code answered, credit and supply."""
    data = request.data if isinstance(request, Sealed) else b""
    try:
        sequence = SealedMessage.decode(data).sequence
    except MalformedMessageError:
        sequence = 0
    credit = state.account.credit
    return Answer(
        outcome,
        sequence,
        code_of(data).ljust(4, b"\0"),
        credit if before is None else before,
        credit,
        to_overdraft,
        to_debt,
        state.supply.state,
        Cause(state.supply.causes),
        messages.amount_to_reconnect(state),
    )


class Acceptance:
    """Accepts sealed messages for one meter and keeps their receipts."""

    __slots__ = ("_rings", "authenticator")

    def __init__(self, authenticator: Authenticator, rings: tuple[Ring, ...]) -> None:
        self.authenticator, self._rings = authenticator, rings

    def take(
        self,
        state: State,
        request: Sealed,
        emit: Emit,
        reevaluate: Callable[[], None],
        lasting: Lasting | None = None,
    ) -> tuple[Reply, bool]:
        """Process a message; return the reply, and whether to commit the state before it is sent.

        A message answered EXPIRED must be so after a kill too: where the last commit is older than
        the expiry, the elapsed time is committed, which happens once per message.

        Args:
            lasting: values of the last flushed commit.
            reevaluate: evaluates thresholds and switch after the message (METER.md 2, step 8).
        """
        checked = self.authenticator.authenticate(
            request.data,
            request.carrier,
            state.identity,
            state.security,
            state.account.state,
            state.elapsed_ms,
            bool(state.settings.strict_suspension),
            self._find,
        )
        if isinstance(checked, Refused):
            if checked.attack:
                emit("authentication_attack", request.carrier, 0)
            sealed = self._seal(state, checked.kept) if checked.kept else b""
            unsure = (
                checked.outcome is Outcome.EXPIRED
                and checked.message is not None
                and lasting is not None
                and lasting.elapsed_ms < checked.message.expires_at * 1000
            )
            return Reply(answer(state, request, checked.outcome), sealed), unsure
        try:
            parameters = messages.decode_parameters(checked.message)
        except MalformedMessageError:
            return Reply(answer(state, request, Outcome.MALFORMED)), False
        outcome = messages.refusal(state, checked.message, parameters)
        if outcome is not None:
            return Reply(answer(state, request, outcome)), False
        return self._accept(state, checked, parameters, request, emit, reevaluate), True

    def receipt(self, state: State, request: AskReceipt) -> Reply:
        """Return the receipt of an accepted sequence, sealed now; empty where it is not kept."""
        found = self._find(request.message_class, request.sequence)
        return Reply(receipt=self._seal(state, found[1]) if found else b"")

    def status(self, state: State, request: AskStatus, lasting: Lasting) -> Reply:
        """Return the sealed status for a question; empty for a version neither current nor next.

        Args:
            lasting: values of the last flushed commit.
        """
        question, security, account = request.question, state.security, state.account
        keys = self.authenticator.keys(question.key_version)
        if keys is None or not self.authenticator.accepts(
            question.key_version, security.key_version
        ):
            return Reply()
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
        return Reply(status=status.seal(keys.credit))

    def _accept(
        self,
        state: State,
        authenticated: Authenticated,
        parameters: object,
        request: Sealed,
        emit: Emit,
        reevaluate: Callable[[], None],
    ) -> Reply:
        message, message_class = authenticated.message, authenticated.message.kind.message_class
        before, clock = state.account.credit, state.clock.read(state.elapsed_ms)
        state.security.take(message_class, message.sequence)
        if message.key_version != state.security.key_version:
            state.security.key_version = message.key_version
            emit("key_changed", message.key_version, 0)
        applied = messages.apply(state, authenticated, parameters, clock, emit)
        calendar_work.apply_calendar(state, state.clock.read(state.elapsed_ms), emit)
        reevaluate()
        split, at = applied.split, max(clock, 0)
        if message_class is MessageClass.CREDIT:
            state.security.remember(message.origin, message.sequence, authenticated.code, at)
        receipt = Receipt(
            message.kind,
            message.serial_number,
            state.identity.epoch,
            message.sequence,
            message.amount,
            authenticated.code[:4],
            at,
            before,
            state.account.credit,
            split.to_overdraft,
            split.to_debt,
            state.account.cumulative,
            applied.settlement,
            message.key_version,
        )
        kept = receipt.encode()
        state.append(
            _RINGS[message_class], authenticated.code + message.sequence.to_bytes(4, "big") + kept
        )
        sealed = self._seal(state, kept)
        return Reply(
            answer(state, request, Outcome.ACCEPTED, before, split.to_overdraft, split.to_debt),
            sealed,
        )

    def _seal(self, state: State, kept: bytes) -> bytes:
        """Seal the content of a kept receipt under the current key of its class."""
        keys = self.authenticator.keys(state.security.key_version)
        assert keys is not None, "the current version is held"
        receipt = replace(Receipt.decode(kept), key_version=keys.version)
        return receipt.seal(keys.key(receipt.kind.message_class))

    def _find(self, message_class: MessageClass, sequence: int) -> tuple[bytes, bytes] | None:
        """Return code and kept receipt of an accepted message of the last 16 of its class."""
        ring = self._rings[_RINGS[message_class]]
        wanted = sequence.to_bytes(4, "big")
        for row in ring.newest(ring.depth):
            if row[RECEIPT_CODE_SIZE : RECEIPT_CODE_SIZE + 4] == wanted:
                return row[:RECEIPT_CODE_SIZE], row[RECEIPT_CODE_SIZE + 4 :]
        return None
