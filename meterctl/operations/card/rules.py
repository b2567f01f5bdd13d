"""Rules that a card must meet before it is written at the vending point.

Each raises NotPermittedError with the reason; none writes anything.
"""

from __future__ import annotations

from meterctl.errors import AnotherMeterError, AnotherStorageError, NotPermittedError
from meterctl.journal import Entry, EntryState
from meterctl.operations.card.case import Case
from meterctl.operations.sealing import on_card_text, voiding_command
from protocols.card.files import CardIdentity, CardType
from protocols.card.write_back import WriteBack
from protocols.errors import MalformedMessageError
from protocols.quantities import CENT, format_money
from protocols.sealed_message import Outcome, SealedMessage, code_of


def require_bound(case: Case) -> CardIdentity:
    """Return the identity of a bound card; refuse a card that is bound to no meter."""
    if case.identity is None:
        raise NotPermittedError(
            f"card {case.serial}: it is bound to no meter; `card open` sells an opening card"
        )
    return case.identity


def require_unbound(case: Case) -> None:
    """Refuse a card that is bound to a meter."""
    identity = case.identity
    if identity is not None:
        raise NotPermittedError(
            f"card {case.serial}: it is bound to meter {identity.meter}; erase it "
            f"first. Nothing was changed",
            serial_number=identity.meter,
        )


def require_nothing_owed(case: Case, meter: str) -> None:
    """Refuse a card that carries an open sale for another meter."""
    for entry in case.journal.carried(case.serial):
        if entry.state is EntryState.ON_CARD and entry.meter != meter:
            raise NotPermittedError(
                f"{on_card_text(entry)} for meter {entry.meter}; nothing was changed",
                serial_number=entry.meter,
                entry=entry.id,
            )


def require_known(case: Case) -> None:
    """Refuse to overwrite unconsumed credit that this journal did not seal and cannot restore."""
    credit = case.credit
    message = decoded(credit.message) if credit is not None else None
    if credit is None or message is None:
        return
    if case.journal.find_message(message.serial_number, credit.message) is not None:
        return
    if _is_spent(case.back, message, credit.message):
        return
    raise NotPermittedError(
        f"card {case.serial}: it carries {format_money(message.amount * CENT)} for "
        f"meter {message.serial_number} "
        f"(sequence {message.sequence}), unconsumed, sold by another journal. Insert the "
        f"card into its meter first, or give the --journal that sold it. Nothing was changed",
        serial_number=message.serial_number,
    )


def _is_spent(back: WriteBack | None, message: SealedMessage, sealed: bytes) -> bool:
    """Return whether a write-back proves that a message cannot bring credit any more."""
    if back is None or (back.answered_sequence, back.answered_code) != (
        message.sequence,
        code_of(sealed),
    ):
        return False
    return bool(back.outcome) and (
        Outcome(back.outcome).applied or back.outcome == Outcome.SEQUENCE_CONFLICT
    )


def require_in_use(case: Case, meter: str) -> None:
    """Refuse a service card, and a replaced card, which its meter would refuse too."""
    credit = case.credit
    if credit is not None and credit.card_type is CardType.SERVICE:
        raise NotPermittedError(
            f"card {case.serial}: it is a service card and carries no credit; nothing was sold",
            serial_number=meter,
        )
    current = case.journal.card_in_use(meter)
    if current and current != case.serial:
        raise NotPermittedError(
            f"card {case.serial}: it was replaced by card {current}; `card replace` "
            f"makes it the current one again. "
            f"Nothing was sold",
            serial_number=meter,
        )


def require_takeable(case: Case, entry: Entry) -> None:
    """Refuse to write a sale again if its write-back shows that the meter will not accept it."""
    identity, back = case.identity, case.back
    if identity is not None and identity.meter != entry.meter:
        raise NotPermittedError(
            f"{on_card_text(entry)} for meter {entry.meter}, and is bound to "
            f"{identity.meter}: erase it first",
            serial_number=entry.meter,
            entry=entry.id,
        )
    if back is None:
        return
    answered = (back.answered_sequence, back.answered_code) == (
        entry.sequence,
        code_of(entry.message),
    )
    if entry.epoch == back.epoch and 0 < entry.sequence <= back.credit_sequence:
        raise NotPermittedError(
            f"{on_card_text(entry)}, but the meter is already at sequence "
            f"{back.credit_sequence}, and this write-back does not prove that sale: meterctl "
            f"--port ... journal resolve {entry.id} asks the meter. Nothing was sold",
            serial_number=entry.meter,
            entry=entry.id,
        )
    if not entry.lives_in(back.epoch):
        raise NotPermittedError(
            f"{on_card_text(entry)}, for epoch {entry.epoch:08x}; the meter has a new storage "
            f"({back.epoch:08x}) and cannot accept it: erase the card, then meterctl journal "
            f"resolve {entry.id} --as refused --port ...",
            serial_number=entry.meter,
            entry=entry.id,
        )
    outcome = Outcome(back.outcome) if back.outcome else None
    if (
        answered
        and outcome is not None
        and not outcome.applied
        and outcome is not Outcome.SEQUENCE_GAP
    ):
        end = f"Void it by {voiding_command(entry)}; or erase"
        if entry.opens_any_epoch and outcome is Outcome.SEQUENCE_CONFLICT:
            end = "Another message has its sequence; a new storage could still accept it: erase"
        raise NotPermittedError(
            f"{on_card_text(entry)}; the meter refused it ({outcome.name.lower()}). Nothing was "
            f"sold. {end} the card, and "
            f"close it without proof: meterctl journal resolve {entry.id} --as refused",
            serial_number=entry.meter,
            entry=entry.id,
        )


def require_epoch(case: Case, meter: str, epoch: int) -> None:
    """Refuse to seal for another storage of a meter than that for which the case may.

    Args:
        epoch: for which it would be sealed, by the card's write-back, the journal or the port.

    Raises:
        NotPermittedError: the card was last in the meter before its storage was replaced.
        AnotherStorageError: the meter has another storage than the one that is known.
    """
    known = case.epoch
    if known in (None, epoch):
        return
    newest = case.journal.proofs.newest(meter)
    if newest is not None and newest.epoch == known:
        raise NotPermittedError(
            f"card {case.serial}: it was last in meter {meter} before this got a new storage "
            f"(epoch {epoch:08x} on the card, {known:08x} now); insert the card into the meter "
            f"first. Nothing was written",
            serial_number=meter,
        )
    raise AnotherStorageError(
        f"meter {meter}: it has another storage (epoch {epoch:08x}) than the one that is known "
        f"(epoch {known:08x}); nothing was written on card {case.serial}",
        serial_number=meter,
    )


def carried_by(case: Case, meter: str) -> Entry | None:
    """Return the open sale for a meter that the journal has on this card."""
    mine = [
        e
        for e in case.journal.open_entries(meter)
        if e.card == case.serial and e.state is EntryState.ON_CARD
    ]
    return mine[0] if mine else None


def decoded(sealed: bytes) -> SealedMessage | None:
    """Return the decoded message, None for malformed bytes."""
    try:
        return SealedMessage.decode(sealed)
    except MalformedMessageError:
        return None


def require_named(case: Case, meter: str) -> None:
    """Refuse a card that is not for the meter of --meter."""
    if case.payee not in (None, meter):
        raise AnotherMeterError(
            f"card {case.serial}: it is for meter {meter}, --meter names {case.payee}; "
            f"nothing was sealed",
            serial_number=meter,
        )
