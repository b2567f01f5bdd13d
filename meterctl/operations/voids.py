"""Voids: the end of a message that may still be accepted, by another one of its sequence."""

from __future__ import annotations

from meterctl.errors import SetBackError
from meterctl.journal import Entry, EntryEvent, Journal
from meterctl.operations.conclusions import Conclusion, conclude_void
from meterctl.operations.delivery import Delivered
from meterctl.operations.entry_proofs import deliver_and_conclude
from meterctl.operations.entry_results import bytes_are_out, unknown
from meterctl.operations.sealing import enter, require_key_version, void_message
from meterctl.operations.status import Asked, ProvedMeter, ask_status
from meterctl.session import MeterIdentity, Session


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
        conclusion, told, _ = deliver_and_conclude(session, journal, hint, entry, sealed)
        if conclusion is None:
            journal.settle(sealed, EntryEvent.NOT_ANSWERED, session.now())
            what = (
                f"was refused, {told.refused.name.lower()}"
                if told.refused is not None
                else "was not answered"
            )
            raise unknown(session, journal, entry, f"the void that would end it {what}")
        _settle(session, journal, sealed, conclusion, told)
    return conclusion, told


def _settle(
    session: Session, journal: Journal, sealed: Entry, conclusion: Conclusion, told: Delivered
) -> None:
    """Settle a delivered void by the conclusion about its entry, else by the receipt it brought."""
    event = conclude_void(sealed, conclusion)
    if event is None and told.receipt is not None:
        event = EntryEvent.SEQUENCE_TAKEN
    if event is None:
        return
    names_it = told.receipt is not None and told.receipt.code == sealed.code
    kept = told.sealed_receipt if names_it or event is EntryEvent.SEQUENCE_TAKEN else b""
    journal.settle(sealed, event, session.now(), receipt=kept)


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
        raise SetBackError(
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
