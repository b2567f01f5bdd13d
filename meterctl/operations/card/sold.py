"""A sale that is made: entered in the journal and written, finished later, found under its key.

A sale is in the journal, as `on_card`, before its first byte is on the card. If the card is pulled
in between, the same command with the same amount finishes that sale: the identical bytes are
written again, and no second sale is made. With a sale key (`Case.reference`) that holds for ever;
without one, only until the sale was consumed.
"""

from __future__ import annotations

from dataclasses import dataclass

from meterctl.errors import NotPermittedError, RefusedError
from meterctl.journal import Entry, EntryState
from meterctl.operations.card.case import Case
from meterctl.operations.card.planning import Planned
from meterctl.operations.card.rules import require_known, require_takeable
from meterctl.operations.card.writing import bind, bound_to, handing_over, is_bound_to, write
from meterctl.operations.credit import known_sale
from meterctl.operations.sealing import enter, on_card_text, voiding_command
from protocols.card.files import CardType
from protocols.quantities import CENT, format_money
from protocols.sealed_message import MessageKind, Outcome, SealedMessage, code_of


@dataclass(frozen=True, slots=True)
class Sold:
    """A sale on a card.

    `finished`: an interrupted sale was completed, no new one was made. `before`: the sale of this
    key was made earlier, nothing was done.
    """

    entry: Entry
    finished: bool = False
    before: bool = False


# ---- a new sale


def sell_on_card(case: Case, card_type: CardType, message: SealedMessage, *, binds: bool) -> Sold:
    """Enter a message in the journal and write it on the card.

    Args:
        binds: the card is bound to the meter and the customer of the message first.

    Raises:
        OverDailyLimitError: the limit of the key ring; nothing was entered or written.
        UnknownOutcomeError: the card may carry the sale or not; the entry stays open.
    """
    entry = enter(
        case.journal,
        case.ring,
        message,
        case.now(),
        card=case.serial,
        reference=case.reference,
        limit=case.ring.limit(),
    )
    unchanged = (
        f"the sale is journal entry {entry.id}, and the card may carry it "
        f"or not: the same command with "
        f"the same amount finishes "
        f"it{'' if case.reference else ', as long as the card has not been in its meter'}"
    )
    with handing_over(case, unchanged):
        if binds:
            bind(case, bound_to(message, case.now()))
        _write_entry(case, card_type, entry, "sold")
    return Sold(entry)


def _write_entry(case: Case, card_type: CardType, entry: Entry, what: str) -> None:
    """Write the message of an entry on the card, and audit it."""
    write(case, card_type, entry.message)
    case.audit(what, meter=entry.meter, amount=entry.amount, detail=f"entry {entry.id}")


# ---- an interrupted sale


def plan_of_carried(case: Case, entry: Entry, card_type: CardType) -> Planned[Sold]:
    """Plan what is left to do for the open sale of a card: nothing under its key, or to finish it.

    Raises:
        NotPermittedError: the card carries it complete and unconsumed, or its meter will not accept
            it.
    """
    if is_sold_under_key(case, entry):
        return nothing_to_do(Sold(entry, before=True))
    message = require_present_format(entry)
    require_takeable(case, entry)
    if _is_whole(case, entry):
        raise unconsumed(entry)
    credit = case.credit
    if entry.kind == MessageKind.OPEN.word:
        card_type = CardType.OPEN
    elif credit is not None and credit.message == entry.message:
        card_type = credit.card_type
    require_known(case)
    text = (
        f"finish the interrupted sale of {format_money(entry.amount * CENT)} for meter "
        f"{entry.meter}"
    )
    return Planned(text, lambda: _finish(case, card_type, entry, message))


def require_present_format(entry: Entry) -> SealedMessage:
    """Return the message of an open sale; refuse the former message format.

    Raises:
        NotPermittedError: it says how to settle the entry.
    """
    message = entry.sealed
    if message is None or entry.is_former:
        raise NotPermittedError(
            f"{on_card_text(entry)}: it is of the former message format, which no meter "
            f"takes any more. Nothing was "
            f"sold; end it: {voiding_command(entry)}, or meterctl journal resolve "
            f"{entry.id} --as refused",
            serial_number=entry.meter,
            entry=entry.id,
        )
    return message


def _finish(case: Case, card_type: CardType, entry: Entry, message: SealedMessage) -> Sold:
    now = case.journal.entry(entry.id)
    if (now.state, now.card) != (EntryState.ON_CARD, case.serial):
        raise NotPermittedError(
            f"journal entry {entry.id} was settled or moved meanwhile; nothing was written"
        )
    bound = bound_to(message, case.now())
    unchanged = f"journal entry {entry.id} is still to be finished: the same command again"
    with handing_over(case, unchanged):
        if not is_bound_to(case, bound):
            bind(case, bound)
        _write_entry(case, card_type, entry, "finished")
    return Sold(entry, finished=True)


def is_sold_under_key(case: Case, entry: Entry) -> bool:
    """Return whether the case has a sale key, and the card carries that sale completely."""
    return bool(case.reference) and _is_whole(case, entry)


def _is_whole(case: Case, entry: Entry) -> bool:
    """Return whether a card carries a sale completely, and its meter has not answered it."""
    carried = (
        case.identity is not None
        and case.credit is not None
        and case.credit.message == entry.message
    )
    return carried and case.files.contents.return_slots.newest is None


def unconsumed(entry: Entry) -> NotPermittedError:
    """Return the error for a sale that must be consumed before the next one."""
    return NotPermittedError(
        f"meter {entry.meter}: {on_card_text(entry)}, unconsumed; nothing was sold",
        serial_number=entry.meter,
        entry=entry.id,
    )


# ---- a sale that was made before


def sold_before(case: Case, kind: MessageKind, cents: int, meter: str) -> Sold | None:
    """Return the settled sale of the case's key; None for a new key, no key, or an open sale.

    Raises:
        UsageError: the key is known with another amount, kind or meter.
        RefusedError: that sale was refused: a new one needs a new key.
    """
    reference = case.reference
    known = known_sale(case.journal, reference, kind, cents, meter)
    if known is not None and known.state is EntryState.REFUSED:
        raise RefusedError(
            f"sale {reference}: it was {known.outcome} (journal entry {known.id}); a new "
            f"sale needs a new key",
            outcome=known.outcome,
            serial_number=known.meter,
            entry=known.id,
        )
    return Sold(known, before=True) if known is not None and not known.is_open else None


def nothing_to_do(sold: Sold) -> Planned[Sold]:
    """Return the plan for a sale that was made before."""
    return Planned(
        f"sale {sold.entry.reference} was made before, nothing is to be done", lambda: sold
    )


def consumption(case: Case, entry: Entry | None) -> str:
    """Return the state of the sale on a card, whose journal entry this is if it has one.

    Returns:
        none, unconsumed, accepted or refused.
    """
    credit, back = case.credit, case.back
    if credit is None or not credit.message:
        return "none"
    if entry is not None and entry.state is EntryState.CONFIRMED:
        return "accepted"
    if back is None or back.answered_code != code_of(credit.message):
        return "unconsumed"
    applied = back.outcome and Outcome(back.outcome).applied
    return "accepted" if applied else "refused"
