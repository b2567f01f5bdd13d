"""Resolution of open entries: by proof, by sending again, by a void, or by a person's word."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass

from meterctl.errors import (
    CorruptAnswerError,
    MeterctlError,
    NoAnswerError,
    NotPermittedError,
    RefusedError,
    SetBackError,
    UsageError,
)
from meterctl.journal import Entry, EntryEvent, EntryState, Journal
from meterctl.operations.entry_proofs import ask_for_proof
from meterctl.operations.entry_results import (
    NOTHING_LEARNT,
    Settled,
    bytes_are_out,
    unknown,
    write_down,
)
from meterctl.operations.exactly_once import settle
from meterctl.operations.sealing import on_card_text, voiding_command
from meterctl.operations.status import require_payee
from meterctl.operations.voids import void
from meterctl.session import MeterIdentity, Session


@dataclass(frozen=True, slots=True)
class Resolved:
    """The result for one open entry; `error` is the reason if it was refused or stays open."""

    entry: Entry
    error: MeterctlError | None


def resolve(session: Session, journal: Journal, number: int | None = None) -> list[Resolved]:
    """Settle open entries of the meter on the port: one by its number, or all; as `to_settle`."""
    hint, entries = to_settle(session, journal, number)
    return [resolve_entry(session, journal, hint, entry) for entry in entries]


def to_settle(
    session: Session, journal: Journal, number: int | None = None
) -> tuple[MeterIdentity, list[Entry]]:
    """Return the meter on the port and its entries to settle: one by its number, or all.

    Raises:
        UsageError: there is no such entry, or it is of another meter than the one on the port.
        UnknownOutcomeError: the meter does not answer, and an entry of it is open.
    """
    named = [] if number is None else [journal.entry(number)]
    expected = named if named else journal.open_entries(journal.ports.meter_of(session.port))
    hint = identify_for(session, journal, expected)
    require_payee(session, journal, hint.serial_number)
    for entry in named:
        if entry.meter != hint.serial_number:
            raise UsageError(
                f"journal entry {number} is of meter {entry.meter}; {hint.serial_number} "
                f"is on this port",
                serial_number=entry.meter,
            )
    entries = [entry for entry in named if entry.is_open or entry.is_closed_by_hand]
    if number is None:
        entries = journal.open_entries(hint.serial_number)
    return hint, entries


def resolve_entry(
    session: Session, journal: Journal, hint: MeterIdentity, entry: Entry
) -> Resolved:
    """Settle an open entry, or prove one that a person closed; a fault stands in the result."""
    try:
        with journal.locks.alone_with(entry.meter, session.ticks, session.pause):
            entry = journal.entry(entry.id)
            if entry.is_open:
                with bytes_are_out(session, journal, entry, NOTHING_LEARNT):
                    _settle_open(session, journal, hint, entry)
            elif entry.is_closed_by_hand:
                conclusion, told, _ = ask_for_proof(session, journal, hint, entry)
                if conclusion is not None:
                    with suppress(RefusedError):
                        write_down(session, journal, entry, conclusion, told)
    except MeterctlError as error:
        return Resolved(_as_it_stands(journal, entry), error)
    return Resolved(journal.entry(entry.id), None)


def identify_for(session: Session, journal: Journal, entries: Collection[Entry]) -> MeterIdentity:
    """Read the identity that the meter shows.

    Raises:
        UnknownOutcomeError: no answer, and one of `entries` is open; it stays unknown.
    """
    try:
        return session.identify()
    except (NoAnswerError, CorruptAnswerError) as error:
        waiting = [entry for entry in entries if entry.is_open]
        if not waiting:
            raise
        raise unknown(session, journal, waiting[0], str(error)) from error


def close_by_hand(journal: Journal, entry: Entry, state: EntryState, now: int) -> Entry:
    """Close an open entry without proof, on a person's decision; audited.

    A later proof overrules it.

    Raises:
        UsageError: it is settled already.
    """
    with journal.together():
        entry = journal.entry(entry.id)
        if not entry.is_open:
            raise UsageError(
                f"journal entry {entry.id} is {entry.state.value} already; nothing was changed",
                serial_number=entry.meter,
                entry=entry.id,
            )
        for sealed in journal.voids_of(entry):
            if sealed.is_open:
                journal.settle(sealed, EntryEvent.CLOSED_AS_REFUSED, now)
        journal.audit(
            "closed_by_hand",
            now,
            meter=entry.meter,
            card=entry.card,
            amount=entry.amount,
            detail=f"entry {entry.id} {state.value}; {living_text(entry)}",
        )
        confirmed = state is EntryState.CONFIRMED
        event = EntryEvent.CLOSED_AS_CONFIRMED if confirmed else EntryEvent.CLOSED_AS_REFUSED
        return journal.settle(entry, event, now)


def living_text(entry: Entry) -> str:
    """Return a text that says how long the bytes of an unproved entry can be accepted."""
    if entry.opens_any_epoch:
        return "its bytes could still be taken by any storage of the meter that was never opened"
    return (
        f"its bytes could still be taken until the meter has reached sequence "
        f"{entry.sequence}, as a rule by the next "
        f"credit message of any seller"
    )


def _settle_open(session: Session, journal: Journal, hint: MeterIdentity, entry: Entry) -> Settled:
    """Settle an entry by proof; without one send its bytes again, or void them."""
    conclusion, told, asked = ask_for_proof(session, journal, hint, entry)
    if conclusion is not None:
        return write_down(session, journal, entry, conclusion, told)
    if not entry.lives_in(asked.meter.epoch):
        raise NotPermittedError(
            f"journal entry {entry.id} is of epoch {entry.epoch:08x}; the meter's storage is now "
            f"{asked.meter.epoch:08x}, so this meter cannot prove its outcome. To close it "
            f"without proof: --as confirmed|refused",
            serial_number=entry.meter,
            entry=entry.id,
        )
    if entry.state is EntryState.ON_CARD:
        raise NotPermittedError(
            f"{on_card_text(entry)}; the card's write-back settles it, or "
            f"{voiding_command(entry)} ends it",
            serial_number=entry.meter,
            entry=entry.id,
        )
    if asked.meter.credit_sequence < entry.sequence - 1:
        raise SetBackError(
            f"meter {entry.meter}: it stands at sequence {asked.meter.credit_sequence}, "
            f"entry {entry.id} was sealed "
            f"for {entry.sequence}: its storage was set back. Nothing was sent",
            serial_number=entry.meter,
            entry=entry.id,
        )
    may_send = not entry.is_former and session.ring.may_use(
        entry.key_version, journal.proofs.floor(entry.meter)
    )
    if entry.card or not may_send or asked.meter.credit_sequence >= entry.sequence:
        conclusion, proof = void(session, journal, hint, entry, asked)
        return write_down(session, journal, entry, conclusion, proof)
    return settle(session, journal, hint, entry)


def _as_it_stands(journal: Journal, entry: Entry) -> Entry:
    try:
        return journal.entry(entry.id)
    except UsageError:  # the journal cannot be read now
        return entry
