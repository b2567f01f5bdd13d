"""Acceptance of submissions: authenticate, admit, execute, receipt, answer (METER.md 7).

It works on an uncommitted copy of the state; the meter commits it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from firmware_sim import calendar_work
from firmware_sim.acceptance.admission import refusal
from firmware_sim.acceptance.execution import execute
from firmware_sim.acceptance.instruction import (
    NO_REFERENCE,
    Authenticated,
    Authenticator,
    Reference,
    Refused,
)
from firmware_sim.acceptance.sealed import SealedAuthenticator
from firmware_sim.account.account import Split
from firmware_sim.requests import AskReceipt, AskStatus, Reply, Sealed, Submission
from firmware_sim.state import State
from firmware_sim.storage.lasting import Lasting
from firmware_sim.supply.control import Emit
from protocols.data_model.words import Cause
from protocols.sealed_message import Answer, Outcome

NOTHING = Split(0, 0, 0)


def answer(
    state: State,
    outcome: Outcome,
    reference: Reference = NO_REFERENCE,
    before: int | None = None,
    split: Split = NOTHING,
) -> Answer:
    """Return the answer to a submission, with credit and supply as they are now."""
    credit = state.account.credit
    return Answer(
        outcome,
        reference.sequence,
        reference.code,
        credit if before is None else before,
        credit,
        split.to_overdraft,
        split.to_debt,
        state.supply.state,
        Cause(state.supply.causes),
        state.amount_to_reconnect(),
    )


class Acceptance:
    """Accepts submissions for one meter: sealed messages, and the forms of further authenticators.

    Args:
        sealed: the meter's secure element.
        further: form of a submission -> its authenticator.
    """

    __slots__ = ("_authenticators", "sealed")

    def __init__(
        self,
        sealed: SealedAuthenticator,
        further: Mapping[type[Submission], Authenticator] | None = None,
    ) -> None:
        self.sealed = sealed
        self._authenticators: dict[type[Submission], Authenticator] = {
            Sealed: sealed,
            **(further or {}),
        }

    def takes(self, form: type[Submission]) -> bool:
        """Return whether submissions of a form are accepted at all."""
        return form in self._authenticators

    def take(
        self,
        state: State,
        submission: Submission,
        emit: Emit,
        reevaluate: Callable[[], None],
        lasting: Lasting | None = None,
    ) -> tuple[Reply, bool]:
        """Process a submission; return the reply, and whether to commit the state before it.

        A refusal that holds from an elapsed time on (EXPIRED) must hold after a kill too: where the
        last commit is older, the elapsed time is committed, which happens once per message.

        Args:
            lasting: values of the last flushed commit.
            reevaluate: evaluates thresholds and switch after the execution (METER.md 2, step 8).
        """
        authenticator = self._authenticators[type(submission)]
        reference = authenticator.reference(submission.data)
        checked = authenticator.authenticate(submission.data, submission.carrier, state)
        if isinstance(checked, Refused):
            if checked.attack:
                emit("authentication_attack", submission.carrier, 0)
            sealed = authenticator.seal(checked.kept, state.security) if checked.kept else b""
            unsure = lasting is not None and lasting.elapsed_ms < checked.since_ms
            return Reply(answer(state, checked.outcome, reference), sealed), unsure
        outcome = refusal(state, checked.instruction)
        if outcome is not None:
            return Reply(answer(state, outcome, reference)), False
        return self._accept(state, authenticator, checked, reference, emit, reevaluate), True

    def inform(self, state: State, request: AskReceipt | AskStatus, lasting: Lasting) -> Reply:
        """Return a kept receipt or the status, sealed now; empty where there is none."""
        match request:
            case AskReceipt(message_class, sequence):
                return Reply(receipt=self.sealed.receipt(state, message_class, sequence))
            case AskStatus(question):
                return Reply(status=self.sealed.status(state, question, lasting))

    def refused_by_storage(self, state: State, submission: Submission | None) -> Reply:
        """Return the reply where the storage takes no write; without a submission it names none."""
        reference = NO_REFERENCE
        if submission is not None:
            reference = self._authenticators[type(submission)].reference(submission.data)
        return Reply(answer(state, Outcome.STORAGE_FAULT, reference))

    def _accept(
        self,
        state: State,
        authenticator: Authenticator,
        authenticated: Authenticated,
        reference: Reference,
        emit: Emit,
        reevaluate: Callable[[], None],
    ) -> Reply:
        done = execute(state, authenticated, emit)
        calendar_work.apply_calendar(state, state.clock.read(state.elapsed_ms), emit)
        reevaluate()
        sealed = b""
        content = authenticated.proof.receipt(done)
        if content is not None:
            state.append(content.ring, content.key + content.kept)
            sealed = authenticator.seal(content.kept, state.security)
        return Reply(
            answer(state, Outcome.ACCEPTED, reference, done.credit_before, done.split), sealed
        )
