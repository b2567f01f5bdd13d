"""Sealed commands: limits, clock, switch, guarantee, moratorium, tamper. A lost one blocks nothing.

A command takes the number after the one that a sealed status proves. Only its sealed receipt
completes it. After silence the receipt is requested, and the identical bytes are sent again if
there is none.
"""

from __future__ import annotations

from dataclasses import dataclass

from meterctl.errors import MeterctlError, RefusedError, UnknownOutcomeError, UsageError
from meterctl.journal import Journal
from meterctl.operations.delivery import Delivered, Outgoing, deliver
from meterctl.operations.receipts import verified_receipt
from meterctl.operations.sealing import command_message, require_key_version
from meterctl.operations.status import ProvedMeter, ask_status, require_payee
from meterctl.session import MeterIdentity, Session
from protocols.sealed_message import (
    Answer,
    MessageKind,
    Outcome,
    Receipt,
    SealedMessage,
    code_of,
)

LIVES_S = 300
"""Default lifetime of a command in s of elapsed time, so that no late one applies (METER.md 8)."""


@dataclass(frozen=True, slots=True)
class Command:
    """A planned command for the meter on the port; `meter` is a hint, for display only.

    `lives_s` is its lifetime in s of the meter's elapsed time; None is unlimited.
    """

    meter: MeterIdentity
    kind: MessageKind
    parameters: bytes = b""
    lives_s: int | None = None


@dataclass(frozen=True, slots=True)
class CommandDone:
    """A command that the meter accepted: its receipt, and the answer if it was received."""

    meter: MeterIdentity
    receipt: Receipt
    answer: Answer | None


def plan_command(
    session: Session,
    journal: Journal,
    kind: MessageKind,
    parameters: bytes = b"",
    valid_for_s: int | None = None,
) -> Command:
    """Read the identity that the meter shows, and refuse another payee. Nothing is sealed.

    Args:
        valid_for_s: its lifetime; by default 300 s, unlimited under the development key.
    """
    hint = session.identify()
    require_payee(session, journal, hint.serial_number)
    default = None if session.ring.is_development else LIVES_S
    return Command(hint, kind, parameters, default if valid_for_s is None else valid_for_s)


def rehearse_command(session: Session, journal: Journal, command: Command) -> ProvedMeter:
    """Run all checks of `execute_command` before it seals, for a dry run; nothing is sealed."""
    meter = ask_status(session, journal, command.meter).require_ours()
    require_key_version(journal, meter)
    return meter


def execute_command(session: Session, journal: Journal, command: Command) -> CommandDone:
    """Seal a command from the meter's status, deliver it, and return its receipt.

    Raises:
        RefusedError: the meter refused it; the text says until when its bytes could be accepted.
        UnknownOutcomeError: no answer and no proof.
    """
    serial = command.meter.serial_number
    with journal.locks.alone_with(serial, session.ticks, session.pause):
        meter = rehearse_command(session, journal, command)
        origin = journal.numbers.draw_origin()
        message = command_message(
            origin, meter, command.kind, command.parameters, session.now(), lives_s=command.lives_s
        )
        sealed = message.seal(session.ring.meter_keys(serial, message.key_version).command)
        outgoing = Outgoing(
            sealed,
            message.kind.message_class,
            message.sequence,
            lambda receipt: _prove(session, journal, message, sealed, receipt),
            only_receipt_proves=True,
        )
        try:
            told = deliver(session, outgoing)
            if told.receipt is not None:
                return CommandDone(command.meter, told.receipt, told.answer)
            if told.answer is not None:
                raise _refused(session, journal, command.meter, message, told, told.answer)
        except UsageError as error:
            raise UnknownOutcomeError(
                f"meter {serial}: {message.kind.word} was sent and may have been done; "
                f"{error}. Read the meter",
                serial_number=serial,
            ) from error
    raise UnknownOutcomeError(
        f"meter {serial}: no answer to {message.kind.word}; it may have been done, or be "
        f"done later "
        f"({_taken_until(message)}). Read the meter",
        serial_number=serial,
    )


def _prove(
    session: Session, journal: Journal, message: SealedMessage, sealed: bytes, receipt: bytes
) -> Receipt | None:
    """Return a receipt if it is verified and of exactly this command, else None."""
    found = _verified(session, journal, message, receipt)
    if found is None or found.key_version < message.key_version:
        return None
    named = (found.epoch, found.sequence, found.kind, found.code)
    mine = named == (message.epoch, message.sequence, message.kind, code_of(sealed))
    return found if mine else None


def _verified(
    session: Session, journal: Journal, message: SealedMessage, receipt: bytes
) -> Receipt | None:
    return verified_receipt(
        session.ring, journal, receipt, message.serial_number, message.kind.message_class
    )


def _refused(
    session: Session,
    journal: Journal,
    meter: MeterIdentity,
    message: SealedMessage,
    told: Delivered,
    answer: Answer,
) -> MeterctlError:
    """Return the error for an unsealed refusal, which the sealed status may contradict."""
    try:
        status = ask_status(session, journal, meter).status
    except MeterctlError:
        return Refusal(message, answer, "whether it was done is not proved")
    taken_by_another = _verified(session, journal, message, told.sealed_receipt) is not None
    reached = status.epoch == message.epoch and status.command_sequence >= message.sequence
    if reached and not taken_by_another:
        return UnknownOutcomeError(
            f"meter {message.serial_number}: {message.kind.word} refused, "
            f"{answer.outcome.name.lower()}, but its sealed status "
            f"names command sequence {status.command_sequence}: it may have been done. "
            f"Read the meter",
            outcome=answer.outcome.name.lower(),
            serial_number=message.serial_number,
        )
    return Refusal(message, answer, "nothing was changed")


def _taken_until(message: SealedMessage) -> str:
    if message.expires_at:
        return f"its bytes could be taken until the meter's elapsed time is {message.expires_at} s"
    return (
        f"its bytes could be taken until the meter has accepted a command above {message.sequence}"
    )


class Refusal(RefusedError):
    """An unsealed refusal of a command, named by the meter; the wire can forge it."""

    def __init__(
        self, message: SealedMessage, answer: Answer, unchanged: str, reason: str = ""
    ) -> None:
        if not reason and answer.outcome is Outcome.OUT_OF_RANGE:
            reason = _ALLOWED.get(message.kind, "")
        super().__init__(
            f"meter {message.serial_number}: {message.kind.word} refused, "
            f"{answer.outcome.name.lower()}{f' ({reason})' if reason else ''}; {unchanged}. "
            f"A refusal is not sealed: {_taken_until(message)}",
            outcome=answer.outcome.name.lower(),
            serial_number=message.serial_number,
        )
        self.message, self.answer, self.unchanged = message, answer, unchanged

    def read_back(self, found: str, reason: str) -> Refusal:
        """Return the refusal with what reading back found, and why it was refused."""
        return Refusal(self.message, self.answer, found, reason)


_ALLOWED = {
    MessageKind.CLOCK: "allowed is a moment of 1970 to 2099",
    MessageKind.MORATORIUM: "allowed is a date after the meter's clock, up to 2099-12-31, or off",
}
"""Values that a meter takes, for kinds whose refusal does not say it itself."""
