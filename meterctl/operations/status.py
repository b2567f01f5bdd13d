"""The sealed status of a meter, requested before every sealing and resolve (METER.md 8).

Unsealed data from the wire never determines the contents of a sealed message. A register is a hint:
it names the serial number whose keys are tried first, and explains a failure.
"""

from __future__ import annotations

from dataclasses import dataclass

from meterctl.errors import (
    AnotherMeterError,
    CopiedJournalError,
    CorruptAnswerError,
    LostStorageError,
    NotPermittedError,
    SetBackError,
)
from meterctl.journal import Journal, ProvedStorage
from meterctl.journal.proofs import behind
from meterctl.operations.conclusions import Proofs, conclude
from meterctl.operations.plain_credit import tell_plain_credit
from meterctl.session import MeterIdentity, Session
from protocols.data_model.words import AccountState, Status
from protocols.errors import AuthenticationError, MalformedMessageError
from protocols.sealed_message import verify
from protocols.sealed_status import NONCE_SIZE, SealedStatus, StatusQuestion

TRIES = 3
"""Questions per key version: a TCP frame has no checksum, so an answer may be corrupt."""


@dataclass(frozen=True, slots=True)
class ProvedMeter:
    """The state of a meter, proved by a sealed status, a write-back or the journal's last proof.

    `sealing_version` is the key version under which the next message is sealed. `elapsed_ms` is
    None without a port.
    """

    serial_number: str
    epoch: int
    credit_sequence: int
    command_sequence: int
    account_state: AccountState
    account_unit: int
    customer_number: str
    sealing_version: int
    elapsed_ms: int | None = None

    @classmethod
    def of(
        cls, status: SealedStatus, sealing_version: int, elapsed_ms: int | None = None
    ) -> ProvedMeter:
        """Return the meter of a verified status."""
        return cls(
            status.serial_number,
            status.epoch,
            status.credit_sequence,
            status.command_sequence,
            status.account_state,
            status.account_unit,
            status.customer_number,
            sealing_version,
            elapsed_ms,
        )


@dataclass(frozen=True, slots=True)
class Asked:
    """A verified status. `is_ours`: this journal holds the last message that it names of it."""

    status: SealedStatus
    meter: ProvedMeter
    is_ours: bool

    def require_ours(self) -> ProvedMeter:
        """Return the meter; raises NotPermittedError if the journal is a copy or was restored."""
        if not self.is_ours:
            row = self.status.of_journal
            raise CopiedJournalError(
                f"meter {self.status.serial_number}: it has taken a message of this "
                f"journal's number (sequence "
                f"{row.sequence}) that this journal does not hold: the journal is a copy "
                f"or was restored. Nothing was "
                f"sealed; meterctl journal renew draws a new number",
                serial_number=self.status.serial_number,
            )
        return self.meter


def require_payee(session: Session, journal: Journal, serial_number: str) -> None:
    """Refuse another meter than the payee of --meter, or than the port's last proved meter.

    Raises:
        NotPermittedError: another meter answers, and no user at a terminal confirms it.
    """
    if session.payee is not None:
        if session.payee != serial_number:
            raise AnotherMeterError(
                f"meter {serial_number} answers on this port, --meter names "
                f"{session.payee}; nothing was sealed",
                serial_number=serial_number,
            )
        return
    last = (
        journal.ports.meter_of(session.port)
        if session.port and not session.ring.is_development
        else ""
    )
    if last and last != serial_number:
        text = f"port {session.port}: meter {serial_number} answers, last time it was meter {last}"
        if not session.ask(f"{text}: is {serial_number} the right one"):
            raise AnotherMeterError(
                f"{text}; nothing was sealed. Name the payee: --meter {serial_number}",
                serial_number=serial_number,
            )


def ask_status(
    session: Session,
    journal: Journal,
    hint: MeterIdentity,
    number: int | None = None,
    *,
    advance: bool = False,
) -> Asked:
    """Request the sealed status, compare it with the proved state, and record it.

    Args:
        hint: the identity that the meter shows.
        number: the journal number to ask about, if it is not the present one.
        advance: seal under the next key version, though the current one may be used.

    Raises:
        NoAnswerError: silence.
        CorruptAnswerError: the status is malformed, or its code is wrong.
        RefusedError: the meter has lost its storage.
        NotPermittedError: no key version of the ring may be used or is the meter's; another meter
            than the hint's; a meter that was set back, or a clone (audited).
    """
    serial = hint.serial_number
    asked_number = journal.numbers.current if number is None else number
    floor, known = (
        journal.proofs.floor(serial),
        journal.proofs.of(serial),
    )  # read before the meter is asked
    versions = session.ring.usable(floor)
    if not versions:
        raise NotPermittedError(
            f"meter {serial}: a key version of {floor} or above is needed that is not "
            f"retired; this key ring has "
            f"{', '.join(map(str, sorted(session.ring.masters)))}. Nothing was sealed",
            serial_number=serial,
        )
    for version in versions:
        answered = _ask_under(session, hint, asked_number, version)
        if answered is not None:
            status, sealed = answered
            meter = _meter_of(session, status, floor, advance=advance)
            _hold_against(session, journal, status, known.get(status.epoch))
            return Asked(status, meter, _record(session, journal, status, sealed))
    if hint.status & Status.STORAGE_LOST:
        raise LostStorageError(
            f"meter {serial}: it has lost its storage and takes nothing until it gets a "
            f"new one; nothing was sealed",
            serial_number=serial,
        )
    raise NotPermittedError(
        f"meter {serial}: it has none of this key ring's versions "
        f"({', '.join(map(str, versions))}); it shows version "
        f"{hint.key_version} with check value {hint.key_check_value:06x}. Nothing was "
        f"sealed; give the right --keys",
        serial_number=serial,
    )


def _record(session: Session, journal: Journal, status: SealedStatus, sealed: bytes) -> bool:
    """Record a verified status; return whether this journal holds the message that it names."""
    serial, row, now = status.serial_number, status.of_journal, session.now()
    before = journal.proofs.of(serial).get(status.epoch)
    with journal.together():  # a proof of which the rest was not told would hide it for ever
        journal.proofs.note_status(status, sealed)
        _overrule(journal, status, now)
        tell_plain_credit(journal, status, before, now)
    if session.port:
        journal.ports.keep(session.port, serial, now)
    return not row.sequence or journal.knows_mark(serial, status.journal, row.mark, row.sequence)


def _overrule(journal: Journal, status: SealedStatus, now: int) -> None:
    """Overrule closings by hand that a status disproves.

    Open entries stay open: `resolve` settles them, so that a repeated command is answered with the
    result of the first one.
    """
    for entry in journal.provable_entries(status.serial_number):
        if entry.is_open:
            continue
        conclusion = conclude(entry, Proofs(status=status, voids=journal.void_codes(entry)))
        if conclusion is not None:
            journal.settle(entry, conclusion.event, now, epoch=conclusion.epoch)


def _ask_under(
    session: Session, hint: MeterIdentity, number: int, version: int
) -> tuple[SealedStatus, bytes] | None:
    """Return the verified status under a key version and its bytes; None if the meter has none."""
    problem: CorruptAnswerError | None = None
    for _ in range(TRIES):
        question = StatusQuestion(session.random(NONCE_SIZE), number, version)
        sealed = session.driver.status(question)
        if not sealed:
            return None
        try:
            return _verified(session, question, sealed, hint.serial_number), sealed
        except (MalformedMessageError, AuthenticationError) as error:
            problem = CorruptAnswerError(
                f"meter {hint.serial_number}: its sealed status: {error}; nothing was sealed",
                serial_number=hint.serial_number,
            )
            problem.__cause__ = error
    assert problem is not None
    held = session.ring.masters.get(hint.key_version)
    keys = (
        session.ring.meter_keys(hint.serial_number, hint.key_version) if held is not None else None
    )
    if keys is not None and keys.check_value != hint.key_check_value:
        raise NotPermittedError(
            f"meter {hint.serial_number}: its keys have check value "
            f"{hint.key_check_value:06x}, those of this key ring "
            f"{keys.check_value:06x}. Nothing was sealed; give the right --keys",
            serial_number=hint.serial_number,
        ) from problem
    raise problem


def _verified(
    session: Session, question: StatusQuestion, sealed: bytes, serial_number: str
) -> SealedStatus:
    status = SealedStatus.decode(sealed)
    if StatusQuestion(status.nonce, status.journal, status.key_version) != question:
        raise MalformedMessageError("it answers another question")
    verify(sealed, session.ring.meter_keys(status.serial_number, status.key_version).credit)
    if (
        status.current_version > status.key_version
    ):  # a meter answers under its current or its next version only
        raise MalformedMessageError(
            f"it names version {status.current_version}, above the one that was asked for"
        )
    if status.serial_number != serial_number:
        raise AnotherMeterError(
            f"meter {status.serial_number} is proved on this port, but its registers name meter "
            f"{serial_number}; "
            f"nothing was sealed",
            serial_number=status.serial_number,
        )
    return status


def _meter_of(session: Session, status: SealedStatus, floor: int, *, advance: bool) -> ProvedMeter:
    """Return the meter of a status, with its current key version, or its next one if necessary."""
    asked, current = status.key_version, status.current_version
    if advance and asked == current:
        raise NotPermittedError(
            f"meter {status.serial_number}: its current key version {current} is the "
            f"newest of this key ring that it "
            f"has; nothing was sealed",
            serial_number=status.serial_number,
        )
    sealing = current if session.ring.may_use(current, floor) and not advance else asked
    return ProvedMeter.of(status, sealing, status.elapsed_ms)


def _hold_against(
    session: Session, journal: Journal, status: SealedStatus, known: ProvedStorage | None
) -> None:
    """Refuse a status below the proved state; with --set-back reset that state."""
    problem = behind(known, status)
    if problem is None:
        return
    text = f"{problem}: its storage was set back, or it is a clone"
    serial = status.serial_number
    if not session.set_back:
        journal.audit(
            "set_back", session.now(), meter=serial, detail=f"epoch {status.epoch:08x}: {text}"
        )
        raise SetBackError(
            f"meter {serial}: {text}. Nothing was sealed; --set-back serves it knowingly",
            serial_number=serial,
        )
    journal.audit(
        "set_back_served", session.now(), meter=serial, detail=f"epoch {status.epoch:08x}: {text}"
    )
    journal.proofs.begin_again(serial, status.epoch, journal.last_id())
