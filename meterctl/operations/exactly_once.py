"""A credit message brought to a meter exactly once, whatever the line does (METER.md 8).

    prepared before sending -> delivered -> confirmed by the sealed receipt
                                         -> refused, only after a void at the same sequence was accepted
                                         -> unknown, where nobody answers: `journal resolve` goes on later

The answer on the wire is not sealed, so it proves nothing: only receipts under the meter's key settle an entry. The
same bytes may be delivered any number of times, because the meter takes a sequence once.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from meterctl.errors import (
    CorruptAnswerError,
    NoAnswerError,
    NotPermittedError,
    RefusedError,
    UnknownOutcomeError,
    UsageError,
)
from meterctl.journal import Entry, EntryState, Journal
from meterctl.session import MeterIdentity, Session
from protocols.errors import AuthenticationError, MalformedMessageError
from protocols.keys import MessageClass
from protocols.quantities import CENT, format_money
from protocols.sealed_message import (
    LAST_SEQUENCE,
    Answer,
    MessageKind,
    Outcome,
    Receipt,
    SealedMessage,
    code_of,
    verify,
)

DELIVERIES = 3
TOTAL_MS = 15_000
"""No delivery begins later than this after the first (DESIGN.md 5.2)."""
VOIDING = "voiding"
"""Outcome of a card's sale whose void was not answered yet."""
MAX_VOIDS_BELOW = 16
"""Voids of one go: a wider gap goes on at the next `journal resolve`."""

_LINE_FAULTS = (NoAnswerError, CorruptAnswerError, RefusedError)
"""What a line can do to an exchange; none of it says what became of the message."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a message: its journal entry, the proven receipt, and the meter's last answer for display."""

    entry: Entry
    receipt: Receipt | None
    answer: Answer | None


@dataclass(frozen=True, slots=True)
class Delivered:
    """What one round of deliveries told: a proof, or the outcome of a refusal, or neither."""

    receipt: Receipt | None = None
    sealed_receipt: bytes = b""
    answer: Answer | None = None


def next_message(
    session: Session, journal: Journal, meter: MeterIdentity, kind: MessageKind, amount: int, customer: str,
    withdrawing: Collection[Entry] = (),
) -> SealedMessage:  # fmt: skip
    """Return the next message of the credit class; refuses while an entry is open or where the meter went back.

    Args:
        withdrawing: open entries that do not stand in the way, because they are ended first.
    """
    for entry in journal.open_entries(meter.serial_number):
        if entry in withdrawing:
            continue
        if entry.state is EntryState.ON_CARD and entry.epoch in (meter.epoch, 0):
            if 0 < entry.sequence <= meter.credit_sequence:
                raise NotPermittedError(
                    f"meter {meter.serial_number}: {on_card_text(entry)}, and the meter has that sequence behind it; "
                    f"nothing was sent. Settle it first: meterctl journal resolve, or meterctl card read"
                )
            raise NotPermittedError(
                f"meter {meter.serial_number}: {on_card_text(entry)}; nothing was sent. Insert it, erase it "
                f"(meterctl card erase), or void it (meterctl topup AMOUNT --void-card)"
            )
        if entry.epoch in (meter.epoch, 0):
            raise UnknownOutcomeError(
                f"meter {meter.serial_number}: journal entry {entry.id} ({entry.kind}, sequence {entry.sequence}) is "
                f"still {entry.state.value}; nothing was sent. Settle it first: meterctl journal resolve"
            )
    proved = journal.last_sequence(meter.serial_number, meter.epoch)
    if meter.credit_sequence < proved:
        raise NotPermittedError(
            f"meter {meter.serial_number}: it stands at sequence {meter.credit_sequence}, the journal has proof of "
            f"{proved}: its storage was set back. Nothing was sent"
        )
    if meter.credit_sequence >= LAST_SEQUENCE:
        raise NotPermittedError(f"meter {meter.serial_number}: its sequences are used up; it needs a new epoch")
    return SealedMessage(
        kind,
        meter.serial_number,
        meter.epoch,
        meter.credit_sequence + 1,
        amount,
        meter.account_unit,
        customer,
        max(session.now(), 0),
        key_version=meter.key_version,
    )


def on_card_text(entry: Entry) -> str:
    """Tell of a sale that a card carries, or carried when it was erased."""
    amount = format_money(entry.amount * CENT)
    which = f"{amount} (journal entry {entry.id}, sequence {entry.sequence})"
    if entry.state is EntryState.ON_CARD:
        return f"card {entry.card} carries {which}"
    return f"card {entry.card} carried {which}, and what became of it is not known"


def is_behind(session: Session, entry: Entry) -> bool:
    """Say whether the meter on the port has an entry's sequence behind it: its bytes are dead, or were taken."""
    try:
        meter = session.identify_surely()
    except _LINE_FAULTS:
        return False
    return meter.epoch == entry.epoch and 0 < entry.sequence <= meter.credit_sequence


def is_of_an_earlier_life(journal: Journal, entry: Entry, receipt: Receipt) -> bool:
    """Say whether a receipt says nothing about an opening, because it is of a storage that another entry opened.

    An opening is for epoch 0, whatever the storage, and two of one second may even be alike byte for byte.
    """
    if entry.epoch != 0:
        return False
    opener = journal.find_confirmed(entry.meter, receipt.epoch, receipt.sequence)
    return opener is not None and opener.id != entry.id and code_of(opener.message) == receipt.code


def bring(session: Session, journal: Journal, meter: MeterIdentity, message: SealedMessage) -> Settled:
    """Journal, send and settle a new credit message.

    Raises:
        RefusedError: the meter refused it, and a void has proved the bytes dead.
        UnknownOutcomeError: nobody answered; the entry stays open.
    """
    sealed = message.seal(session.keys(meter).credit)
    entry = journal.prepare(
        message.serial_number, message.epoch, message.sequence, message.kind.word, message.amount, sealed,
        session.now(), limit=session.ring.limit(),
    )  # fmt: skip
    return settle(session, journal, entry)


def settle(session: Session, journal: Journal, entry: Entry) -> Settled:
    """Find out what became of an open entry, sending its very bytes again where they were not applied.

    Raises:
        RefusedError: refused, and a void has proved the bytes dead.
        UnknownOutcomeError: nothing is proved, or it could not be written down; the entry stays open.
    """
    try:
        return _settle(session, journal, entry)
    except UsageError as error:
        raise UnknownOutcomeError(
            f"meter {entry.meter}: sequence {entry.sequence} ({entry.kind}) was sent and may have been applied, but "
            f"the journal could not be written: {error}. Entry {entry.id} stays open: meterctl journal resolve"
        ) from error


def _settle(session: Session, journal: Journal, entry: Entry) -> Settled:
    told = _deliver(session, entry.message)
    if told.receipt is not None:
        return _conclude(session, journal, entry, told)
    if told.answer is None:
        journal.settle(entry, EntryState.UNKNOWN, entry.outcome, session.now())
        raise UnknownOutcomeError(
            f"meter {entry.meter}: no answer that proves anything about sequence {entry.sequence} "
            f"({entry.kind}). It may have been applied; journal entry {entry.id} stays open: meterctl journal resolve"
        )
    return _bury(session, journal, entry, told.answer)


def ask(session: Session, journal: Journal, entry: Entry) -> Settled | None:
    """Settle a sale that a card carries by the meter's receipt, where it has one; nothing of it is ever sent.

    Raises:
        RefusedError: others took its sequence; it can never be applied.
    """
    told = _ask_receipt(session, SealedMessage.decode(entry.message))
    return None if told is None else _conclude(session, journal, entry, told)


def withdraw(session: Session, journal: Journal, entry: Entry) -> Entry:
    """Make a sale that a card carries dead by voiding its sequence, or learn that the meter has taken it.

    Returns:
        The entry, confirmed or refused; refused, its amount is owed to the customer.

    Raises:
        UnknownOutcomeError: neither was proved; the entry stays open.
    """
    try:
        settled = ask(session, journal, entry)
        if settled is not None:
            return settled.entry
        _void_below(session, journal, entry)
        proof = _void(session, journal, entry, entry.sequence)
        if proof is None and is_behind(session, entry):
            raise UnknownOutcomeError(
                f"meter {entry.meter}: {on_card_text(entry)}; the meter has that sequence behind it and keeps no "
                f"receipt of it, so nobody can prove what became of it. Look into its purchases, then: meterctl "
                f"--port ... journal resolve {entry.id} --as confirmed|refused"
            )
        if proof is None:
            journal.settle(entry, EntryState.UNKNOWN, VOIDING, session.now())
            raise UnknownOutcomeError(
                f"meter {entry.meter}: the void that would end {on_card_text(entry)} was not answered; "
                f"journal entry {entry.id} stays open: meterctl journal resolve"
            )
        assert proof.receipt is not None
        if proof.receipt.kind is not MessageKind.VOID:
            return _conclude(session, journal, entry, proof).entry
        return journal.settle(entry, EntryState.REFUSED, "voided", session.now())
    except RefusedError:
        return journal.entry(entry.id)


def _conclude(session: Session, journal: Journal, entry: Entry, told: Delivered) -> Settled:
    """A receipt of this sequence proves either our bytes, or that ours are dead because others took the sequence."""
    receipt = told.receipt
    assert receipt is not None
    if is_of_an_earlier_life(journal, entry, receipt):
        raise NotPermittedError(
            f"{on_card_text(entry)}; this meter's epoch {receipt.epoch:08x} was opened by another entry, so it is for "
            f"another storage of this meter"
        )
    if receipt.code == code_of(entry.message):
        confirmed = journal.settle(
            entry, EntryState.CONFIRMED, "accepted", session.now(), told.sealed_receipt, receipt.epoch
        )
        return Settled(confirmed, receipt, told.answer)
    journal.settle(entry, EntryState.REFUSED, "sequence_conflict", session.now(), told.sealed_receipt)
    raise RefusedError(
        f"meter {entry.meter}: sequence {entry.sequence} was taken by another message ({receipt.kind.word}); "
        f"this one can never be applied"
    )


def _bury(session: Session, journal: Journal, entry: Entry, answer: Answer) -> Settled:
    """A refusal is not final while the sealed bytes live: void their sequence, then say that it was refused."""
    outcome = answer.outcome
    try:
        if outcome is Outcome.SEQUENCE_GAP:
            _void_below(session, journal, entry)
        proof = _void(session, journal, entry, entry.sequence)
    except NotPermittedError:
        journal.settle(entry, EntryState.UNKNOWN, outcome.name.lower(), session.now())
        raise
    if proof is None:
        journal.settle(entry, EntryState.UNKNOWN, outcome.name.lower(), session.now())
        raise UnknownOutcomeError(
            f"meter {entry.meter}: it answered {outcome.name} to sequence {entry.sequence}, and the void that would "
            f"make that final was not answered; journal entry {entry.id} stays open: meterctl journal resolve"
        )
    assert proof.receipt is not None
    if proof.receipt.kind is not MessageKind.VOID:  # SEQUENCE_CONFLICT at the void: ours, or another's, was applied
        return _conclude(session, journal, entry, proof)
    journal.settle(entry, EntryState.REFUSED, outcome.name.lower(), session.now())
    raise RefusedError(
        f"meter {entry.meter}: refused, {outcome.name}; nothing was credited, and sequence {entry.sequence} is void"
    )


def _void_below(session: Session, journal: Journal, entry: Entry) -> None:
    """After a gap the numbers below are voided first, so that the void of our own can be taken."""
    try:
        last = session.identify_surely().credit_sequence
    except _LINE_FAULTS:
        return
    for sequence in range(last + 1, min(entry.sequence, last + 1 + MAX_VOIDS_BELOW)):
        if _void(session, journal, entry, sequence) is None:
            return


def _void(session: Session, journal: Journal, entry: Entry, sequence: int) -> Delivered | None:
    """Void a sequence; return the proof of what took it (the void, or a message before it), None without proof."""
    try:
        meter = session.identify_surely()
        keys = session.keys(meter)
    except _LINE_FAULTS:
        return None
    epoch = entry.epoch or meter.epoch  # an opening card was sold before the meter's epoch was known
    proved = journal.find_confirmed(entry.meter, epoch, sequence)
    if proved is not None:
        raise NotPermittedError(
            f"meter {entry.meter}: sequence {sequence} was proved to be {format_money(proved.amount * CENT)} (journal "
            f"entry {proved.id}), and now the meter would let it be voided: its storage was set back. It was not voided"
        )
    void = journal.find_void(entry.meter, epoch, sequence)
    if void is None or SealedMessage.decode(void.message).key_version != keys.version:
        message = SealedMessage(
            MessageKind.VOID, entry.meter, epoch, sequence, 0, meter.account_unit, meter.customer_number,
            max(session.now(), 0), key_version=keys.version,
        )  # fmt: skip
        sealed = message.seal(keys.credit)
        void = journal.prepare(entry.meter, epoch, sequence, MessageKind.VOID.word, 0, sealed, session.now())
    told = _deliver(session, void.message)
    if told.receipt is None:
        journal.settle(void, EntryState.UNKNOWN, void.outcome, session.now())
        return None
    applied = told.receipt.code == code_of(void.message)
    state, word = (EntryState.CONFIRMED, "accepted") if applied else (EntryState.REFUSED, "sequence_conflict")
    journal.settle(void, state, word, session.now(), told.sealed_receipt)
    return told


def _deliver(session: Session, sealed: bytes) -> Delivered:
    """Deliver the same bytes until something is proved, a refusal is heard, or the tries are used up."""
    message = SealedMessage.decode(sealed)
    heard: Answer | None = None
    began = session.ticks()
    for attempt in range(DELIVERIES):
        if attempt and session.ticks() - began > TOTAL_MS:
            break
        try:
            delivery = session.driver.deliver(sealed)
            proof = prove(delivery.receipt, session, message)
            answer = delivery.answer
            ours = answer.sequence == message.sequence and answer.code == code_of(sealed)
            heard = answer if ours else heard
            if proof is None:
                sealed_receipt = session.driver.receipt(MessageClass.CREDIT, message.sequence)
                proof = prove(sealed_receipt, session, message)
            else:
                sealed_receipt = delivery.receipt
            if proof is not None:
                return Delivered(proof, sealed_receipt, answer if ours else None)
            if ours and not answer.outcome.applied:
                return Delivered(answer=answer)
        except _LINE_FAULTS:
            proof_later = _ask_receipt(session, message)
            if proof_later is not None:
                return proof_later
    return Delivered(answer=heard if heard and not heard.outcome.applied else None)


def _ask_receipt(session: Session, message: SealedMessage) -> Delivered | None:
    """On silence or noise ask what stands at the sequence; None when nothing is proved."""
    try:
        sealed = session.driver.receipt(message.kind.message_class, message.sequence)
    except _LINE_FAULTS:
        return None
    proof = prove(sealed, session, message)
    return Delivered(proof, sealed) if proof is not None else None


def prove(sealed_receipt: bytes, session: Session, message: SealedMessage) -> Receipt | None:
    """Return a receipt whose code is right and that is of this meter, epoch and sequence; None of anything else.

    It is verified under the key version that it names: the sequence may have been taken after a key change.
    """
    if not sealed_receipt:
        return None
    try:
        receipt = Receipt.decode(sealed_receipt)
        keys = session.ring.meter_keys(message.serial_number, receipt.key_version)
        verify(sealed_receipt, keys.key(message.kind.message_class))
    except (MalformedMessageError, AuthenticationError, NotPermittedError):
        return None
    same = (receipt.serial_number, receipt.sequence) == (message.serial_number, message.sequence)
    return receipt if same and message.epoch in (receipt.epoch, 0) else None  # 0: the meter's own, only in open
