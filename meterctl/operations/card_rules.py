"""Rules that a card must meet before it is written at the vending point.

Each raises NotPermittedError with the reason; none writes anything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from meterctl.errors import NotPermittedError, UsageError
from meterctl.journal import Entry, EntryState, Journal
from meterctl.operations.card_writing import Planned
from meterctl.operations.presented_card import CardFiles, PresentedCard
from meterctl.operations.sealing import on_card_text, voiding_command
from meterctl.operations.status import ProvedMeter, ask_status, require_payee
from meterctl.session import Session
from protocols.card.files import CardIdentity, CardType
from protocols.card.write_back import WriteBack
from protocols.errors import MalformedMessageError
from protocols.quantities import CENT, format_money
from protocols.sealed_message import Outcome, SealedMessage, code_of

Result = TypeVar("Result")


def require_bound(presented: PresentedCard, card_files: CardFiles) -> CardIdentity:
    """Return the identity of a bound card; refuse a card that is bound to no meter."""
    if card_files.contents.identity is None:
        raise NotPermittedError(
            f"card {presented.serial}: it is bound to no meter; `card open` sells an opening card"
        )
    return card_files.contents.identity


def require_unbound(presented: PresentedCard, card_files: CardFiles) -> None:
    """Refuse a card that is bound to a meter."""
    identity = card_files.contents.identity
    if identity is not None:
        raise NotPermittedError(
            f"card {presented.serial}: it is bound to meter {identity.meter}; erase it "
            f"first. Nothing was changed"
        )


def require_nothing_owed(presented: PresentedCard, journal: Journal, meter: str) -> None:
    """Refuse a card that carries an open sale for another meter."""
    for entry in journal.carried(presented.serial):
        if entry.state is EntryState.ON_CARD and entry.meter != meter:
            raise NotPermittedError(
                f"{on_card_text(entry)} for meter {entry.meter}; nothing was changed"
            )


def require_known(presented: PresentedCard, journal: Journal, card_files: CardFiles) -> None:
    """Refuse to overwrite unconsumed credit that this journal did not seal and cannot restore."""
    credit = card_files.contents.credit
    message = decoded(credit.message) if credit is not None else None
    if credit is None or message is None:
        return
    if journal.find_message(message.serial_number, credit.message) is not None:
        return
    if _is_spent(card_files.back, message, credit.message):
        return
    raise NotPermittedError(
        f"card {presented.serial}: it carries {format_money(message.amount * CENT)} for "
        f"meter {message.serial_number} "
        f"(sequence {message.sequence}), unconsumed, sold by another journal. Insert the "
        f"card into its meter first, or give the --journal that sold it. Nothing was changed"
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


def require_in_use(
    presented: PresentedCard, journal: Journal, card_files: CardFiles, meter: str
) -> None:
    """Refuse a service card, and a replaced card, which its meter would refuse too."""
    credit = card_files.contents.credit
    if credit is not None and credit.card_type is CardType.SERVICE:
        raise NotPermittedError(
            f"card {presented.serial}: it is a service card and carries no credit; nothing was sold"
        )
    current = journal.card_in_use(meter)
    if current and current != presented.serial:
        raise NotPermittedError(
            f"card {presented.serial}: it was replaced by card {current}; `card replace` "
            f"makes it the current one again. "
            f"Nothing was sold"
        )


def require_takeable(presented: PresentedCard, card_files: CardFiles, entry: Entry) -> None:
    """Refuse to write a sale again if its write-back shows that the meter will not accept it."""
    identity, back = card_files.contents.identity, card_files.back
    if identity is not None and identity.meter != entry.meter:
        raise NotPermittedError(
            f"{on_card_text(entry)} for meter {entry.meter}, and is bound to "
            f"{identity.meter}: erase it first"
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
            f"--port ... journal resolve {entry.id} asks the meter. Nothing was sold"
        )
    if not entry.lives_in(back.epoch):
        raise NotPermittedError(
            f"{on_card_text(entry)}, for epoch {entry.epoch:08x}; the meter has a new storage "
            f"({back.epoch:08x}) and cannot accept it: erase the card, then meterctl journal "
            f"resolve {entry.id} --as refused --port ..."
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
            f"{on_card_text(entry)}; the meter refused it ({outcome.name}). Nothing was "
            f"sold. {end} the card, and "
            f"close it without proof: meterctl journal resolve {entry.id} --as refused"
        )


def carried_by(presented: PresentedCard, journal: Journal, meter: str) -> Entry | None:
    """Return the open sale for a meter that the journal has on this card."""
    mine = [
        e
        for e in journal.open_entries(meter)
        if e.card == presented.serial and e.state is EntryState.ON_CARD
    ]
    return mine[0] if mine else None


def decoded(sealed: bytes) -> SealedMessage | None:
    """Return the decoded message, None for malformed bytes."""
    try:
        return SealedMessage.decode(sealed)
    except MalformedMessageError:
        return None


def require_named(presented: PresentedCard, meter: str, payee: str | None) -> None:
    """Refuse a card that is not for the meter of --meter."""
    if payee not in (None, meter):
        raise NotPermittedError(
            f"card {presented.serial}: it is for meter {meter}, --meter names {payee}; "
            f"nothing was sealed"
        )


def hinted_meter(session: Session, journal: Journal, meter: str) -> ProvedMeter:
    """Return the state that the meter on the port shows: for planning and display, not for sealing.

    Raises:
        UsageError: another meter is on the port.
    """
    hint = session.identify()
    if hint.serial_number != meter:
        raise UsageError(
            f"meter {hint.serial_number} is on this port, the card is for {meter}; "
            f"nothing was changed"
        )
    require_payee(session, journal, meter)
    return ProvedMeter(
        meter,
        hint.epoch,
        hint.credit_sequence,
        hint.command_sequence,
        hint.account_state,
        hint.account_unit,
        hint.customer_number,
        hint.key_version,
    )


def proved_meter(session: Session, journal: Journal, meter: str) -> ProvedMeter:
    """Return the state of the meter on the port, proved by its sealed status.

    Raises:
        UsageError: another meter is on the port.
        NotPermittedError: a wrong key ring, a meter that was set back, or a copied journal.
    """
    hint = session.identify()
    if hint.serial_number != meter:
        raise UsageError(
            f"meter {hint.serial_number} is on this port, the card is for {meter}; "
            f"nothing was changed"
        )
    return ask_status(session, journal, hint).require_ours()


AskMeter = Callable[[str], ProvedMeter]
"""Returns the state of the meter with a serial number."""


def with_port(
    session: Session, journal: Journal, plan: Callable[[AskMeter], Planned[Result]]
) -> Planned[Result]:
    """Plan from the meter's registers; plan again from its sealed status before carrying out.

    So the status is requested after the user's yes (METER.md 8), and every check is repeated.
    """
    hinted = plan(lambda meter: hinted_meter(session, journal, meter))

    def proved() -> Planned[Result]:
        return plan(lambda meter: proved_meter(session, journal, meter))

    return Planned(hinted.text, lambda: proved().carry_out(), proved)
