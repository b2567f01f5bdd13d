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

from contextlib import suppress
from dataclasses import dataclass

from meterctl.errors import AnotherStorageError, RefusedError, UnknownOutcomeError, UsageError
from meterctl.journal import Entry, EntryEvent, EntryOutcome, Journal
from meterctl.operations.delivery import Delivered
from meterctl.operations.entry_proofs import deliver_and_conclude
from meterctl.operations.entry_results import Settled, bytes_are_out, write_down
from meterctl.operations.sealing import (
    credit_message,
    enter,
    require_account,
    require_key_version,
    require_nothing_open,
)
from meterctl.operations.status import Asked, ProvedMeter, ask_status
from meterctl.operations.voids import void
from meterctl.session import MeterIdentity, Session
from protocols.sealed_message import MessageKind

MAX_RESEALED = 4
"""Largest number of repeated sealings after another seller took the sequence (METER.md 8)."""
LONGEST_PAUSE_MS = 200
"""Longest random pause before a sale is sealed again, so that two sellers do not collide again."""


@dataclass(frozen=True, slots=True)
class Sale:
    """A requested sale: kind, amount in 0.01, customer number, sale key.

    `epoch` is that of the only storage for which it may be sealed; None: any.
    """

    kind: MessageKind
    amount: int
    customer: str | None = None
    reference: str = ""
    epoch: int | None = None


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
        AnotherStorageError: the meter has another epoch than the sale's; nothing was sealed.
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


def settle(session: Session, journal: Journal, hint: MeterIdentity, entry: Entry) -> Settled:
    """Settle an open entry of the wire; send its bytes while they may still be applied.

    Raises:
        RefusedError: refused, and it can never be applied; `outcome` is the meter's word.
        UnknownOutcomeError: the outcome is not proved or could not be written; the entry stays
            open.
    """
    with bytes_are_out(session, journal, entry):
        conclusion, told, asked = deliver_and_conclude(session, journal, hint, entry, entry)
        if conclusion is None and asked is not None and told.refused is not None:
            return _end(session, journal, hint, entry, asked, told)
        return write_down(session, journal, entry, conclusion, told)


def ready_for(
    session: Session, journal: Journal, hint: MeterIdentity, kind: MessageKind
) -> ProvedMeter:
    """Return the proved meter, after all checks for sealing a message of the credit class."""
    meter = ask_status(session, journal, hint).require_ours()
    require_nothing_open(journal, meter.serial_number, meter.epoch)
    require_key_version(journal, meter)
    require_account(meter, kind)
    return meter


def _begin(session: Session, journal: Journal, hint: MeterIdentity, sale: Sale) -> Entry:
    """Request the status, and write the entry of a message that is sealed from it."""
    meter = ready_for(session, journal, hint, sale.kind)
    if sale.epoch not in (None, meter.epoch):
        raise AnotherStorageError(
            f"meter {meter.serial_number}: it has another storage (epoch {meter.epoch:08x}) than "
            f"the one that is known (epoch {sale.epoch:08x}); nothing was sealed",
            serial_number=meter.serial_number,
        )
    message = credit_message(journal, meter, sale.kind, sale.amount, session.now(), sale.customer)
    return enter(
        journal,
        session.ring,
        message,
        session.now(),
        reference=sale.reference,
        limit=session.ring.limit(),
    )


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
            f"{error}. It answered {outcome.name.lower()}, which is not sealed and so proves "
            f"nothing",
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
