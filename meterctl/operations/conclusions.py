"""The four proofs (a) to (d) of METER.md 8, which settle a journal entry. Pure, without requests.

    (a) a receipt of the sequence with the entry's code, or a write-back that answers its code as
        accepted: confirmed
    (b) a receipt of the sequence with another code, either of a void sealed for the entry or with
        a proof of that epoch that has reached the sequence; or a write-back that answers the
        entry's code with SEQUENCE_CONFLICT: refused
    (c) a status asked with the entry's own journal number: its last message of that journal is the
        entry: confirmed; it has reached the sequence, and its last message of that journal is
        another one at or below the sequence, or none with `forgotten` below the sequence: refused
    (d) a proof that names a higher key version than the entry's and has not reached the sequence:
        refused

For an opening of epoch 0 only (a), the first half of (c) and its own void hold. If one proof says
confirmed and another refused, the entry is confirmed. Of two that say refused, the one that names
its own void counts: a receipt may be repeated from before a set-back, a status is fresh.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from meterctl.journal import Entry, EntryEvent, EntryOutcome, EntryState
from meterctl.journal.states import CONFIRMING, OUTCOMES
from protocols.card.write_back import WriteBack
from protocols.sealed_message import MessageKind, Outcome, Receipt, SealedMessage
from protocols.sealed_status import SealedStatus


@dataclass(frozen=True, slots=True)
class Proofs:
    """Verified proofs for an entry: a receipt of its sequence, a status, a write-back.

    `voids` are the codes of the voids that were sealed for the entry. A status counts for (c) only
    if it was asked with the entry's own journal number, which it names.
    """

    receipt: Receipt | None = None
    status: SealedStatus | None = None
    back: WriteBack | None = None
    voids: Collection[bytes] = ()


@dataclass(frozen=True, slots=True)
class AcceptedVoid:
    """A void that a proof names as the message of its sequence in an epoch, by its code."""

    epoch: int
    code: bytes


@dataclass(frozen=True, slots=True)
class Conclusion:
    """The conclusion of a proof: an event of the entry.

    `epoch` is the one in which the meter accepted the entry; `void` the entry's void that the meter
    accepted instead.
    """

    event: EntryEvent
    epoch: int | None = None
    void: AcceptedVoid | None = None

    @property
    def state(self) -> EntryState:
        """The state that the proof gives to the entry: confirmed or refused."""
        return EntryState.CONFIRMED if self.event in CONFIRMING else EntryState.REFUSED

    @property
    def outcome(self) -> EntryOutcome:
        """The outcome word of the proof."""
        return OUTCOMES[self.event]


def conclude(entry: Entry, proofs: Proofs) -> Conclusion | None:
    """Return the conclusion of the proofs; None if they prove nothing: the bytes stay valid."""
    message = entry.sealed
    if message is None:
        return None
    conclusions = [
        conclusion for rule in _RULES if (conclusion := rule(entry, message, proofs)) is not None
    ]
    confirming = [conclusion for conclusion in conclusions if conclusion.event in CONFIRMING]
    of_void = [conclusion for conclusion in conclusions if conclusion.void is not None]
    return next(iter(confirming or of_void or conclusions), None)


def conclude_void(void: Entry, conclusion: Conclusion) -> EntryEvent | None:
    """Return what the conclusion about an entry proves of one of its voids; None if nothing.

    A void is confirmed only by a proof that names its own code in an epoch in which it lives.
    """
    accepted = conclusion.void
    if accepted is None:
        taken = conclusion.outcome in (EntryOutcome.ACCEPTED, EntryOutcome.SEQUENCE_CONFLICT)
        return EntryEvent.SEQUENCE_TAKEN if taken else None
    if not void.lives_in(accepted.epoch):
        return None
    if void.code != accepted.code:
        return EntryEvent.SEQUENCE_TAKEN
    by_status = conclusion.event is EntryEvent.STATUS_OF_VOID
    return EntryEvent.STATUS if by_status else EntryEvent.RECEIPT


def has_reached(proofs: Proofs, epoch: int, sequence: int) -> bool:
    """Return whether a status or a write-back of an epoch is at a sequence or above it."""
    told = (proofs.status, proofs.back)
    return any(p is not None and p.epoch == epoch and p.credit_sequence >= sequence for p in told)


def _by_receipt(entry: Entry, message: SealedMessage, proofs: Proofs) -> Conclusion | None:
    receipt = proofs.receipt
    if receipt is None or (receipt.serial_number, receipt.sequence) != (
        entry.meter,
        entry.sequence,
    ):
        return None
    if not entry.lives_in(receipt.epoch):
        return None
    if receipt.code == entry.code:
        same = (receipt.kind, receipt.amount) == (message.kind, message.amount)
        return (
            Conclusion(EntryEvent.RECEIPT, receipt.epoch)
            if same and receipt.key_version >= message.key_version
            else None
        )
    if receipt.kind is MessageKind.VOID and receipt.code in proofs.voids:
        here = entry.kind == MessageKind.OPEN.word and entry.opens_any_epoch
        event = EntryEvent.RECEIPT_OF_VOID_HERE if here else EntryEvent.RECEIPT_OF_VOID
        return Conclusion(event, void=AcceptedVoid(receipt.epoch, receipt.code))
    if entry.epoch and has_reached(proofs, receipt.epoch, entry.sequence):
        return Conclusion(EntryEvent.RECEIPT_OF_ANOTHER)
    return None


def _by_write_back(entry: Entry, message: SealedMessage, proofs: Proofs) -> Conclusion | None:
    back = proofs.back
    if (
        back is None
        or back.meter_digits != entry.meter
        or not entry.lives_in(back.epoch)
        or not back.outcome
    ):
        return None
    if (back.answered_sequence, back.answered_code) != (entry.sequence, entry.code):
        return None
    outcome = Outcome(back.outcome)
    if outcome.applied and back.meter_key_version >= message.key_version:
        return Conclusion(EntryEvent.WRITE_BACK, back.epoch)
    if entry.epoch and outcome is Outcome.SEQUENCE_CONFLICT:
        return Conclusion(EntryEvent.WRITE_BACK_OF_ANOTHER)
    return None


def _by_journal_row(entry: Entry, message: SealedMessage, proofs: Proofs) -> Conclusion | None:
    status = proofs.status
    if status is None or status.serial_number != entry.meter or not entry.lives_in(status.epoch):
        return None
    if not entry.origin.journal or status.journal != entry.origin.journal:
        return None
    row = status.of_journal
    if (row.sequence, row.mark, row.code) == (entry.sequence, entry.origin.mark, entry.code):
        proves = status.current_version >= message.key_version
        return Conclusion(EntryEvent.STATUS, status.epoch) if proves else None
    if not entry.epoch or status.credit_sequence < entry.sequence:
        return None
    another = 0 < row.sequence <= entry.sequence
    none = not row.sequence and status.forgotten < entry.sequence
    if not (another or none):
        return None
    if not row.sequence or row.code not in proofs.voids:
        return Conclusion(EntryEvent.STATUS_OF_ANOTHER)
    return Conclusion(EntryEvent.STATUS_OF_VOID, void=AcceptedVoid(status.epoch, row.code))


def _by_key_version(entry: Entry, message: SealedMessage, proofs: Proofs) -> Conclusion | None:
    if not entry.epoch:
        return None
    status, back = proofs.status, proofs.back
    named = (
        [(status.serial_number, status.epoch, status.current_version, status.credit_sequence)]
        if status
        else []
    )
    if back is not None:  # an earlier build's names a version that its seal does not prove
        version = min(back.key_version, back.meter_key_version)
        named.append((back.meter_digits, back.epoch, version, back.credit_sequence))
    for meter, epoch, version, sequence in named:
        mine = (meter, epoch) == (entry.meter, entry.epoch)
        if mine and version > message.key_version and sequence < entry.sequence:
            return Conclusion(EntryEvent.KEY_VERSION_PASSED)
    return None


Rule = Callable[[Entry, SealedMessage, Proofs], Conclusion | None]
_RULES: tuple[Rule, ...] = (_by_receipt, _by_write_back, _by_journal_row, _by_key_version)
