"""The result of an entry whose bytes were sent or are on a card: written down, or unknown."""

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
from meterctl.operations.conclusions import Conclusion, conclude_void
from meterctl.operations.delivery import Delivered
from meterctl.session import Session
from protocols.sealed_message import Answer, Receipt

NOTHING_LEARNT = (NoAnswerError, CorruptAnswerError, UsageError)
"""Faults after which the outcome of an open entry is unknown."""


@dataclass(frozen=True, slots=True)
class Settled:
    """The result of a message: its entry, the proved receipt, the meter's answer for display."""

    entry: Entry
    receipt: Receipt | None = None
    answer: Answer | None = None


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
        f"meter {entry.meter}: refused, {entry.outcome}; nothing was credited, "
        f"and sequence {entry.sequence} "
        f"is void"
    )
