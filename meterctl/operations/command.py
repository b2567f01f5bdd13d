"""Sealed commands: limits, clock, switch, guarantee, moratorium, tamper. A lost one blocks nothing.

A command takes any number above the last. Its proof is the same as a top-up's: the sealed receipt. After silence the
receipt is asked for, and the identical bytes are sent again where it is not there.
"""

from __future__ import annotations

from dataclasses import dataclass

from meterctl.errors import CorruptAnswerError, NoAnswerError, RefusedError, UnknownOutcomeError
from meterctl.operations.exactly_once import prove
from meterctl.session import MeterIdentity, Session
from protocols.sealed_message import Answer, MessageKind, Receipt, SealedMessage, code_of

DELIVERIES = 3
LAST_SECOND = 0xFFFF_FFFF
EXPIRES_AFTER_S = 300
"""A switch command that is five minutes late is not wanted any more."""


@dataclass(frozen=True, slots=True)
class CommandDone:
    """A command that the meter accepted: its receipt, and the answer where it was heard."""

    meter: MeterIdentity
    receipt: Receipt
    answer: Answer | None


def plan_command(session: Session, kind: MessageKind, parameters: bytes = b"") -> tuple[MeterIdentity, SealedMessage]:
    """Read the meter, check the keys, and return what would be sent."""
    meter = session.identify()
    session.keys(meter)
    expires = min(meter.clock // 1000 + EXPIRES_AFTER_S, LAST_SECOND) if kind is MessageKind.SWITCH else 0
    message = SealedMessage(
        kind, meter.serial_number, meter.epoch, meter.command_sequence + 1, 0, meter.account_unit,
        meter.customer_number, max(session.now(), 0), expires, parameters, meter.key_version,
    )  # fmt: skip
    return meter, message


def execute_command(session: Session, meter: MeterIdentity, message: SealedMessage) -> CommandDone:
    """Bring a command to the meter.

    Raises:
        RefusedError: the meter refused it; nothing was changed.
        UnknownOutcomeError: nobody answered.
    """
    keys = session.keys(meter)
    sealed = message.seal(keys.command)
    for _ in range(DELIVERIES):
        done = _try(session, meter, message, sealed)
        if done is not None:
            return done
    raise UnknownOutcomeError(
        f"meter {meter.serial_number}: no answer to {message.kind.word}; it may have been done. Read the meter"
    )


def _try(session: Session, meter: MeterIdentity, message: SealedMessage, sealed: bytes) -> CommandDone | None:
    answer: Answer | None = None
    sealed_receipt = b""
    try:
        delivery = session.driver.deliver(sealed)
        if delivery.answer.sequence == message.sequence and delivery.answer.code == code_of(sealed):
            answer, sealed_receipt = delivery.answer, delivery.receipt
        if not sealed_receipt:  # a refusal is not sealed: what the meter has is asked for before it is believed
            sealed_receipt = session.driver.receipt(message.kind.message_class, message.sequence)
    except (NoAnswerError, CorruptAnswerError, RefusedError):
        try:
            sealed_receipt = session.driver.receipt(message.kind.message_class, message.sequence)
        except (NoAnswerError, CorruptAnswerError, RefusedError):
            return None
    receipt = prove(sealed_receipt, session, message)
    if receipt is None or receipt.code != code_of(sealed):
        if answer is not None and not answer.outcome.applied:
            raise Refusal(meter, message, answer)
        return None
    return CommandDone(meter, receipt, answer)


class Refusal(RefusedError):
    """The meter refused a command, by name."""

    def __init__(self, meter: MeterIdentity, message: SealedMessage, answer: Answer) -> None:
        super().__init__(
            f"meter {meter.serial_number}: {message.kind.word} refused, {answer.outcome.name}; nothing was changed"
        )
        self.answer = answer
