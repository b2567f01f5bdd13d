"""Requests the proofs of an entry from its meter, with or without delivering its bytes.

Nothing is written into the journal here but what the proofs say of the meter.
"""

from __future__ import annotations

from meterctl.journal import Entry, Journal
from meterctl.operations.conclusions import Conclusion, Proofs, conclude
from meterctl.operations.delivery import Delivered, Outgoing, ask_receipt, deliver
from meterctl.operations.receipts import verified_receipt
from meterctl.operations.status import Asked, ask_status
from meterctl.session import MeterIdentity, Session
from protocols.keys import MessageClass
from protocols.sealed_message import Receipt


def ask_for_proof(
    session: Session, journal: Journal, hint: MeterIdentity, entry: Entry
) -> tuple[Conclusion | None, Delivered, Asked]:
    """Request the proofs of an entry, status and receipt; the meter applies nothing."""
    asked = _ask_about(session, journal, hint, entry)
    told = ask_receipt(session, outgoing(session, journal, entry))
    proofs = Proofs(told.receipt, asked.status, voids=journal.void_codes(entry))
    return conclude(entry, proofs), told, asked


def deliver_and_conclude(
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
    asked = _ask_about(session, journal, hint, entry)
    return conclude(entry, Proofs(told.receipt, asked.status, voids=voids)), told, asked


def outgoing(session: Session, journal: Journal, entry: Entry) -> Outgoing:
    """Return an entry's message to be delivered; a receipt of its sequence proves."""
    return Outgoing(
        entry.message,
        MessageClass.CREDIT,
        entry.sequence,
        lambda sealed: _prove(session, journal, sealed, entry),
    )


def _ask_about(session: Session, journal: Journal, hint: MeterIdentity, entry: Entry) -> Asked:
    """Request the status under the entry's own journal number; raises as `ask_status`."""
    return ask_status(session, journal, hint, entry.origin.journal or None)


def _prove(session: Session, journal: Journal, sealed: bytes, entry: Entry) -> Receipt | None:
    """Return a verified receipt of the entry's meter and sequence, else None."""
    receipt = verified_receipt(session.ring, journal, sealed, entry.meter, MessageClass.CREDIT)
    if receipt is None or receipt.sequence != entry.sequence or not entry.lives_in(receipt.epoch):
        return None
    return receipt
