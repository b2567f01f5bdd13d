"""Delivery of a sealed message: the same bytes until a receipt, a refusal, or the last try.

The answer on the wire is unsealed, so it proves nothing; the receipt does. The same bytes may be
delivered any number of times, because the meter accepts a sequence once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from meterctl.errors import CorruptAnswerError, NoAnswerError, RefusedError
from meterctl.session import Session
from protocols.keys import MessageClass
from protocols.sealed_message import Answer, Outcome, Receipt, code_of

DELIVERIES = 3
TOTAL_MS = 15_000
"""No delivery begins later than this after the first one (DESIGN.md 5.2)."""
LINE_FAULTS = (NoAnswerError, CorruptAnswerError, RefusedError)
"""Faults of an exchange; none of them proves the outcome of the message."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A sealed message for a meter. `prove` returns a sealed receipt that proves it, else None.

    `only_receipt_proves`: no status settles it afterwards, so a refusal ends the deliveries only if
    the meter answered the question for the receipt too.
    """

    sealed: bytes
    message_class: MessageClass
    sequence: int
    prove: Callable[[bytes], Receipt | None]
    only_receipt_proves: bool = False

    def is_answered_by(self, answer: Answer) -> bool:
        """Return whether an answer names this message."""
        return (answer.sequence, answer.code) == (self.sequence, code_of(self.sealed))


@dataclass(frozen=True, slots=True)
class Delivered:
    """The result of deliveries: a proved receipt of the sequence, and the answer, for display.

    `sealed_receipt` is the receipt that the meter gave, also one that proves nothing; empty if it
    has none, or if `is_receipt_known` is False: the question for it was not answered.
    """

    receipt: Receipt | None = None
    sealed_receipt: bytes = b""
    answer: Answer | None = None
    is_receipt_known: bool = False

    @property
    def refused(self) -> Outcome | None:
        """The outcome of an unsealed refusal; None if there is none."""
        outcome = self.answer.outcome if self.answer is not None else None
        return None if outcome is None or outcome.applied else outcome


def deliver(session: Session, message: Outgoing) -> Delivered:
    """Deliver the same bytes until a proved receipt, a refusal, or the last try."""
    began = session.ticks()
    for attempt in range(DELIVERIES):
        if attempt and session.ticks() - began > TOTAL_MS:
            break
        told = _deliver_once(session, message)
        is_final = told.is_receipt_known or not message.only_receipt_proves
        if told.receipt is not None or (told.refused is not None and is_final):
            return told
    return Delivered()


def ask_receipt(session: Session, message: Outgoing) -> Delivered:
    """Request the receipt of a message's sequence; the meter applies nothing."""
    try:
        sealed = session.driver.receipt(message.message_class, message.sequence)
    except LINE_FAULTS:
        return Delivered()
    return Delivered(message.prove(sealed), sealed, is_receipt_known=True)


def _deliver_once(session: Session, message: Outgoing) -> Delivered:
    """Deliver the bytes; request the receipt if none came with the answer that proves them."""
    answer = None
    try:
        delivery = session.driver.deliver(message.sealed)
    except LINE_FAULTS:
        pass
    else:
        if message.is_answered_by(delivery.answer):
            answer = delivery.answer
        receipt = message.prove(delivery.receipt)
        if receipt is not None:
            return Delivered(receipt, delivery.receipt, answer, is_receipt_known=True)
    return replace(ask_receipt(session, message), answer=answer)
