"""Delivers a credit message to a meter exactly once, whatever the line does (METER.md 8).

    prepared before sending -> delivered -> confirmed or refused by one of the proofs (a) to (d)
                                            of `conclusions.py`
                                         -> after a refusal that proves nothing: voided, and the
                                            void's receipt is (b)
                                         -> unknown without proof: settled later by
                                            `journal resolve`

The answer on the wire is unsealed, so it proves nothing: it only selects the next request. The same
bytes may be delivered any number of times, because the meter accepts a sequence once.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from meterctl.errors import (
    CorruptAnswerError,
    MeterctlError,
    NoAnswerError,
    NotPermittedError,
    RefusedError,
    UnknownOutcomeError,
    UsageError,
)
from meterctl.journal import Entry, EntryEvent, EntryOutcome, EntryState, Journal
from meterctl.journal.states import outcome_after
from meterctl.operations.conclusions import Conclusion, Proofs, conclude, conclude_void
from meterctl.operations.delivery import Delivered, Outgoing, deliver
from meterctl.operations.receipts import verified_receipt
from meterctl.operations.sealing import (
    credit_message,
    enter,
    require_account,
    require_key_version,
    require_nothing_open,
    void_message,
)
from meterctl.operations.status import Asked, ProvedMeter, ask_status
from meterctl.session import MeterIdentity, Session
from protocols.keys import MessageClass
from protocols.sealed_message import Answer, MessageKind, Receipt

MAX_RESEALED = 4
"""Largest number of repeated sealings after another seller took the sequence (METER.md 8)."""
LONGEST_PAUSE_MS = 200
"""Longest random pause before a sale is sealed again, so that two sellers do not collide again."""
NOTHING_LEARNT = (NoAnswerError, CorruptAnswerError, UsageError)
"""Faults after which the outcome of an open entry is unknown."""


@dataclass(frozen=True, slots=True)
class Settled:
    """The result of a message: its entry, the proved receipt, the meter's answer for display."""

    entry: Entry
    receipt: Receipt | None = None
    answer: Answer | None = None


@dataclass(frozen=True, slots=True)
class Sale:
    """A requested sale: kind, amount in 0.01, customer number, sale key."""

    kind: MessageKind
    amount: int
    customer: str | None = None
    reference: str = ""


class BegunBeforeError(Exception):
    """Another process has used the sale key meanwhile; `entry` is its entry."""

    def __init__(self, entry: Entry) -> None:
        super().__init__(entry.reference)
        self.entry = entry


def sell_exactly_once(
    session: Session, journal: Journal, hint: MeterIdentity, sale: Sale
) -> Settled:
    """Seal, journal, send and settle a sale by wire.

    It is sealed again, at most four times, if another seller took the sequence.

    Raises:
        RefusedError: the meter refused it, or other sellers were first each time; it can never be
            applied.
        UnknownOutcomeError: the outcome is not proved; the entry stays open.
        BegunBeforeError: another process has used the sale key meanwhile.
    """
    with journal.locks.alone_with(hint.serial_number, session.ticks, session.pause):
        begun = journal.find_reference(sale.reference) if sale.reference else None
        if begun is not None:
            raise BegunBeforeError(begun)
        for resealed in range(MAX_RESEALED + 1):
            entry = _begin(session, journal, hint, sale)
            try:
                return settle(session, journal, hint, entry)
            except RefusedError as error:
                if error.outcome != EntryOutcome.SEQUENCE_CONFLICT:
                    raise
                if resealed == MAX_RESEALED:
                    raise RefusedError(
                        f"{error}. Other sellers were first {resealed + 1} times: "
                        f"nothing was sold; try again later",
                        outcome=EntryOutcome.SEQUENCE_CONFLICT,
                        serial_number=entry.meter,
                        entry=entry.id,
                    ) from error
            session.pause(int.from_bytes(session.random(2), "big") % LONGEST_PAUSE_MS)
    raise AssertionError("unreachable")


def _begin(session: Session, journal: Journal, hint: MeterIdentity, sale: Sale) -> Entry:
    """Request the status, and write the entry of a message that is sealed from it."""
    meter = ready_for(session, journal, hint, sale.kind)
    message = credit_message(journal, meter, sale.kind, sale.amount, session.now(), sale.customer)
    return enter(
        journal,
        session.ring,
        message,
        session.now(),
        reference=sale.reference,
        limit=session.ring.limit(),
    )


def ready_for(
    session: Session, journal: Journal, hint: MeterIdentity, kind: MessageKind
) -> ProvedMeter:
    """Return the proved meter, after all checks for sealing a message of the credit class."""
    meter = ask_status(session, journal, hint).require_ours()
    require_nothing_open(journal, meter.serial_number, meter.epoch)
    require_key_version(journal, meter)
    require_account(meter, kind)
    return meter


def settle(session: Session, journal: Journal, hint: MeterIdentity, entry: Entry) -> Settled:
    """Settle an open entry of the wire; send its bytes while they may still be applied.

    Raises:
        RefusedError: refused, and it can never be applied; `outcome` is the meter's word.
        UnknownOutcomeError: the outcome is not proved or could not be written; the entry stays
            open.
    """
    with bytes_are_out(session, journal, entry):
        conclusion, told, asked = _deliver_and_conclude(session, journal, hint, entry, entry)
        if conclusion is None and asked is not None and told.refused is not None:
            return _end(session, journal, hint, entry, asked, told)
        return write_down(session, journal, entry, conclusion, told)


def _deliver_and_conclude(
    session: Session, journal: Journal, hint: MeterIdentity, entry: Entry, sealed: Entry
) -> tuple[Conclusion | None, Delivered, Asked | None]:
    """Deliver an entry or its void; return the conclusion about the entry.

    The status is requested only if the receipt does not prove it.
    """
    told = deliver(session, outgoing(session, journal, sealed))
    voids = journal.void_codes(entry)
    conclusion = conclude(entry, Proofs(told.receipt, voids=voids))
    if conclusion is not None:
        return conclusion, told, None
    asked = ask_about(session, journal, hint, entry)
    return conclude(entry, Proofs(told.receipt, asked.status, voids=voids)), told, asked


@contextmanager
def bytes_are_out(
    session: Session,
    journal: Journal,
    entry: Entry,
    faults: tuple[type[MeterctlError], ...] = (*NOTHING_LEARNT, NotPermittedError),
) -> Iterator[None]:
    """Run the steps after the sending of an entry: a fault there proves nothing about the meter.

    Raises:
        UnknownOutcomeError: for one of the faults, and for a refusal without an outcome; the entry
            stays open. A proved refusal is raised unchanged.
    """
    try:
        yield
    except RefusedError as error:
        if error.outcome is not None:
            raise
        raise unknown(session, journal, entry, str(error)) from error
    except faults as error:
        raise unknown(session, journal, entry, str(error)) from error


def ask_about(session: Session, journal: Journal, hint: MeterIdentity, entry: Entry) -> Asked:
    """Request the status under the entry's own journal number; raises as `ask_status`."""
    return ask_status(session, journal, hint, entry.origin.journal or None)


def write_down(
    session: Session, journal: Journal, entry: Entry, conclusion: Conclusion | None, told: Delivered
) -> Settled:
    """Write the conclusion about an entry into the journal, and return the entry.

    Raises:
        RefusedError: the entry can never be applied.
        UnknownOutcomeError: there is no conclusion; the entry stays open.
    """
    if conclusion is None:
        raise unknown(session, journal, entry, "no answer proves its outcome")
    word = outcome_after(conclusion.event, entry.outcome, told.refused)
    mine = told.receipt is not None and told.receipt.code == entry.code
    with journal.together():
        if told.receipt is not None:
            journal.proofs.note_receipt(told.receipt, told.sealed_receipt)
        settled = journal.settle(
            entry,
            conclusion.event,
            session.now(),
            receipt=told.sealed_receipt if mine else b"",
            epoch=conclusion.epoch,
            refusal=told.refused,
        )
        _settle_voids(session, journal, entry, conclusion)
    if conclusion.state is EntryState.CONFIRMED:
        return Settled(settled, told.receipt if mine else None, told.answer)
    if entry.opens_any_epoch:
        journal.notices.append(
            f"journal entry {entry.id}: the opening on card {entry.card} is void in this "
            f"storage; another storage of "
            f"meter {entry.meter} that was never opened would still accept it: take the card back"
        )
    raise RefusedError(_refusal(settled), outcome=word, serial_number=entry.meter, entry=entry.id)


def _settle_voids(session: Session, journal: Journal, entry: Entry, conclusion: Conclusion) -> None:
    """Settle the open voids of a settled entry, as far as its proof settles them too."""
    for sealed in journal.voids_of(entry):
        event = conclude_void(sealed, conclusion)
        if sealed.is_open and event is not None:
            journal.settle(sealed, event, session.now())


def _refusal(entry: Entry) -> str:
    if entry.outcome is EntryOutcome.SEQUENCE_CONFLICT:
        return (
            f"meter {entry.meter}: sequence {entry.sequence} was taken by another "
            f"message; that of entry {entry.id} "
            f"can never be applied"
        )
    if entry.outcome is EntryOutcome.UNKNOWN_KEY_VERSION:
        return (
            f"meter {entry.meter}: its key version has passed that of entry {entry.id}; "
            f"sequence {entry.sequence} can "
            f"never be applied"
        )
    return (
        f"meter {entry.meter}: refused, {entry.outcome.upper()}; nothing was credited, "
        f"and sequence {entry.sequence} "
        f"is void"
    )


def unknown(session: Session, journal: Journal, entry: Entry, what: str) -> UnknownOutcomeError:
    """Write an entry as unknown, if the journal can be written; return the error to raise."""
    if entry.state is EntryState.PREPARED:
        with suppress(UsageError):  # a prepared entry is open too
            journal.settle(entry, EntryEvent.NOT_ANSWERED, session.now())
    return UnknownOutcomeError(
        f"meter {entry.meter}: sequence {entry.sequence} ({entry.kind}) may have been "
        f"applied; journal entry "
        f"{entry.id} stays open: meterctl journal resolve {entry.id} (reason: "
        f"{what.removeprefix(f'meter {entry.meter}: ')})",
        serial_number=entry.meter,
        entry=entry.id,
    )


# ---- voids


def _end(
    session: Session,
    journal: Journal,
    hint: MeterIdentity,
    entry: Entry,
    asked: Asked,
    told: Delivered,
) -> Settled:
    """Void the sequence of a refused entry: only the void's receipt proves the refusal final."""
    outcome = told.refused
    assert outcome is not None
    try:
        with bytes_are_out(session, journal, entry):
            conclusion, proof = void(session, journal, hint, entry, asked)
    except UnknownOutcomeError as error:
        with suppress(UsageError):
            journal.settle(entry, EntryEvent.REFUSED_UNSEALED, session.now(), refusal=outcome)
        raise UnknownOutcomeError(
            f"{error}. It answered {outcome.name}, which is not sealed and so proves nothing",
            outcome=outcome.name.lower(),
            serial_number=entry.meter,
            entry=entry.id,
        ) from error
    return write_down(
        session,
        journal,
        entry,
        conclusion,
        Delivered(proof.receipt, proof.sealed_receipt, told.answer),
    )


def void(
    session: Session, journal: Journal, hint: MeterIdentity, entry: Entry, asked: Asked
) -> tuple[Conclusion, Delivered]:
    """Void an entry's sequence unless the meter has reached it; return conclusion and receipt.

    Nothing below the sequence is voided: it was one above the meter's proved sequence.

    Raises:
        NotPermittedError: the meter is below that, so it was set back; or the journal is a copy.
            Nothing was sealed.
        UnknownOutcomeError: the outcome is not proved; the entry stays open.
    """
    meter = require_voidable(session, journal, hint, entry, asked)
    require_key_version(journal, meter, spared=entry)
    sealed = _void_entry(session, journal, entry, meter)
    with bytes_are_out(session, journal, entry):
        conclusion, told, _ = _deliver_and_conclude(session, journal, hint, entry, sealed)
        if conclusion is None:
            journal.settle(sealed, EntryEvent.NOT_ANSWERED, session.now())
            what = (
                f"was refused, {told.refused.name}"
                if told.refused is not None
                else "was not answered"
            )
            raise unknown(session, journal, entry, f"the void that would end it {what}")
        if told.receipt is not None:
            ours = told.receipt.code == sealed.code
            event = EntryEvent.RECEIPT if ours else EntryEvent.SEQUENCE_TAKEN
            journal.settle(sealed, event, session.now(), receipt=told.sealed_receipt)
    return conclusion, told


def require_voidable(
    session: Session, journal: Journal, hint: MeterIdentity, entry: Entry, asked: Asked
) -> ProvedMeter:
    """Return the meter for which an entry's sequence may be voided; raises as `void`.

    A new message has the journal's present number: if the entry has an older one, the status is
    requested under the present number too.
    """
    reached = asked.meter.credit_sequence
    if reached >= entry.sequence:
        raise unknown(
            session,
            journal,
            entry,
            f"the meter has reached sequence {reached}, and keeps no proof of that one any more",
        )
    if entry.origin.journal not in (0, journal.numbers.current):
        asked = ask_status(session, journal, hint)
    meter = asked.require_ours()
    if meter.credit_sequence < entry.sequence - 1:
        raise NotPermittedError(
            f"meter {entry.meter}: it stands at sequence {meter.credit_sequence}, entry "
            f"{entry.id} was sealed for "
            f"{entry.sequence}: its storage was set back. Nothing was voided; meterctl "
            f"journal resolve {entry.id} "
            f"--as refused closes it without proof",
            serial_number=entry.meter,
            entry=entry.id,
        )
    return meter


def _void_entry(session: Session, journal: Journal, entry: Entry, meter: ProvedMeter) -> Entry:
    """Return an open void of the entry that may be sent again, or a new one."""
    for known in reversed(journal.voids_of(entry)):
        same = (known.epoch, known.key_version) == (meter.epoch, meter.sealing_version)
        if known.is_open and same and not known.is_former:
            return known
    message = void_message(journal, meter, entry.sequence, session.now())
    return enter(journal, session.ring, message, session.now(), void_of=entry.id)


# ---- receipts


def outgoing(session: Session, journal: Journal, entry: Entry) -> Outgoing:
    """Return an entry's message to be delivered; a receipt of its sequence proves."""
    return Outgoing(
        entry.message,
        MessageClass.CREDIT,
        entry.sequence,
        lambda sealed: prove(session, journal, sealed, entry),
    )


def prove(session: Session, journal: Journal, sealed: bytes, entry: Entry) -> Receipt | None:
    """Return a verified receipt of the entry's meter and sequence, else None."""
    receipt = verified_receipt(session.ring, journal, sealed, entry.meter, MessageClass.CREDIT)
    if receipt is None or receipt.sequence != entry.sequence or not entry.lives_in(receipt.epoch):
        return None
    return receipt
