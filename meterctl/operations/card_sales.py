"""The sales of the card at a vending point: planned, when every check has passed; then carried out.

A sale is in the journal, as `on_card`, before the first byte of it is on the card. Where the card is pulled in between,
the same command with the same amount finishes that sale: the very bytes are written again, and no second one is made.
Under a requester's key (`reference`) that holds for ever; without one, only until the sale was consumed.
"""

from __future__ import annotations

from dataclasses import dataclass

from meterctl.errors import NotPermittedError, UsageError
from meterctl.journal import Entry, EntryState, Journal
from meterctl.operations.card_counter import Counter, Standing
from meterctl.operations.card_rules import (
    ask_meter,
    carried_by,
    require_bound,
    require_in_use,
    require_known,
    require_nothing_open,
    require_takeable,
    require_unbound,
)
from meterctl.operations.card_writing import Bound, Planned, bind_and_write, bound_to, handing_over
from meterctl.operations.exactly_once import on_card_text
from meterctl.session import Session
from protocols.card.files import CardType
from protocols.card.write_back import WriteBack
from protocols.data_model.words import AccountState, account_unit_text
from protocols.quantities import CENT, format_money
from protocols.sealed_message import LAST_SEQUENCE, MessageKind, Outcome, Receipt, SealedMessage, code_of

FIRST_SEQUENCE = 1
NEAR_THE_END = LAST_SEQUENCE - 1000
"""Sequences beyond it are warned of: the last ones cannot be refilled but by a new epoch."""


@dataclass(frozen=True, slots=True)
class Sold:
    """What was put on a card; `finished` says that an interrupted sale was completed and nothing new was made.

    `before` says that the sale of this key was made earlier, and nothing was done.
    """

    entry: Entry
    finished: bool = False
    before: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where a meter's account stands, as far as somebody proved it."""

    meter: str
    epoch: int
    next_sequence: int
    customer: str
    account_unit: int
    key_version: int


def plan_opening(
    counter: Counter, journal: Journal, meter: str, customer: str, cents: int, unit: int, *, again: bool = False,
    session: Session | None = None,
) -> Planned[Sold]:  # fmt: skip
    """Plan an opening card for a meter that nobody has read yet: epoch 0, sequence 1.

    Args:
        session: a meter that can be asked all the same: then the card is for its epoch and its next sequence.
        again: the meter has got a new storage; an account that the journal knows does not stand in the way.

    Raises:
        NotPermittedError: the card or the journal stands against it.
    """
    standing = counter.read()
    epoch, sequence, version = 0, FIRST_SEQUENCE, counter.ring.newest
    if session is not None:
        asked = ask_meter(session, meter)
        if asked.account_state is not AccountState.UNOPENED or asked.account_unit != unit:
            raise NotPermittedError(
                f"meter {meter}: its account is {asked.account_state.name.lower()}, its unit "
                f"{account_unit_text(asked.account_unit)}; no opening card in {account_unit_text(unit)} was sold"
            )
        epoch, sequence, version = asked.epoch, asked.credit_sequence + 1, asked.key_version
    message = SealedMessage(
        MessageKind.OPEN, meter, epoch, sequence, cents, unit, customer, max(counter.now(), 0), key_version=version
    )
    counter.compare(journal, standing)
    mine = carried_by(counter, journal, meter)
    if mine is not None:
        return _plan_to_finish(counter, journal, standing, mine, CardType.OPEN, message)
    require_unbound(counter, standing)
    require_known(counter, journal, standing)
    require_nothing_open(journal, meter)
    if journal.newest_confirmed(meter) is not None and not again:
        raise NotPermittedError(
            f"meter {meter}: the journal knows its account already; `card replace` gives it a card, --again opens a "
            f"meter with a new storage. Nothing was sold"
        )
    if session is None and not again and journal.is_spent(meter):
        raise NotPermittedError(
            f"meter {meter}: its first sequence is spent (an opening was voided), so an opening card for a meter that "
            f"nobody has read would be dead; give --port to ask the meter. Nothing was sold"
        )
    bound = bound_to(message, counter.now())
    return _plan_to_sell(counter, journal, standing, CardType.OPEN, message, bound)


def plan_sale(
    counter: Counter, journal: Journal, cents: int, session: Session | None = None, reference: str = ""
) -> Planned[Sold]:
    """Plan credit on a card that is bound to a meter, with the sequence that follows what the meter has taken.

    Args:
        reference: the requester's key; a second sale under it is the first one.

    Raises:
        NotPermittedError: the last sale is unconsumed, or card, meter and journal do not agree.
        UsageError: the key stands for another amount.
    """
    standing = counter.read()
    identity = require_bound(counter, standing)
    if reference and (sold := sold_before(journal, reference, cents, identity.meter)) is not None:
        return _nothing_to_do(sold)
    if counter.compare(journal, standing) and reference:
        sold = sold_before(journal, reference, cents, identity.meter)
        if sold is not None:
            return _nothing_to_do(sold)
    require_in_use(counter, journal, standing, identity.meter)
    mine = carried_by(counter, journal, identity.meter)
    if mine is not None:
        require_takeable(counter, standing, mine)
        if (mine.amount, mine.reference) != (cents, reference):
            raise NotPermittedError(f"meter {identity.meter}: {on_card_text(mine)}, unconsumed; nothing was sold")
        if reference and _is_whole(standing, mine):
            return _nothing_to_do(Sold(mine, before=True))
        return _plan_to_finish(counter, journal, standing, mine, _type_of_sale(standing))
    require_known(counter, journal, standing)
    place = where_it_stands(counter, journal, standing, session)
    require_nothing_open(journal, identity.meter, place.epoch)
    if place.next_sequence > LAST_SEQUENCE:
        raise NotPermittedError(f"meter {place.meter}: its sequences are used up; it needs a new epoch")
    message = SealedMessage(
        MessageKind.CREDIT, place.meter, place.epoch, place.next_sequence, cents, place.account_unit, place.customer,
        max(counter.now(), 0), key_version=place.key_version,
    )  # fmt: skip
    return _plan_to_sell(counter, journal, standing, _type_of_sale(standing), message, reference=reference)


def open_account(
    counter: Counter, journal: Journal, meter: str, customer: str, cents: int, unit: int, *, again: bool = False
) -> Sold:
    """Sell an opening card: `plan_opening`, carried out."""
    return plan_opening(counter, journal, meter, customer, cents, unit, again=again).carry_out()


def sell(counter: Counter, journal: Journal, cents: int, session: Session | None = None, reference: str = "") -> Sold:
    """Sell credit on a card: `plan_sale`, carried out."""
    return plan_sale(counter, journal, cents, session, reference).carry_out()


def where_it_stands(counter: Counter, journal: Journal, standing: Standing, session: Session | None) -> Place:
    """Say with which sequence the next sale goes: by the write-back, by the meter on a port, or by the journal.

    Raises:
        NotPermittedError: nobody knows.
    """
    identity = require_bound(counter, standing)
    meter = identity.meter
    if session is not None:
        asked = ask_meter(session, meter)
        epoch, last, version = asked.epoch, asked.credit_sequence, asked.key_version
        customer, unit, state = asked.customer_number, asked.account_unit, asked.account_state
        if last < journal.last_sequence(meter, epoch):
            raise NotPermittedError(
                f"meter {meter}: it stands at sequence {last}, the journal has proof of "
                f"{journal.last_sequence(meter, epoch)}: its storage was set back. Nothing was sold"
            )
    elif standing.back is not None:
        back = standing.back
        _require_current(counter, journal, back)
        epoch, last, version = back.epoch, back.credit_sequence, back.meter_key_version
        customer, unit, state = back.customer_digits, back.account_unit, AccountState(back.account_state)
    else:
        newest = journal.newest_confirmed(meter)
        if newest is None or not newest.epoch or not newest.receipt:
            raise NotPermittedError(
                f"card {counter.serial}: nobody knows where meter {meter} stands; insert the card into it first, or "
                f"give --port to ask the meter. Nothing was sold"
            )
        epoch, last, version = newest.epoch, newest.sequence, Receipt.decode(newest.receipt).key_version
        customer, unit, state = identity.customer, identity.account_unit, AccountState.OPEN
    if state is not AccountState.OPEN:
        raise NotPermittedError(f"meter {meter}: its account is {state.name.lower()}; nothing was sold")
    if customer != identity.customer:
        raise NotPermittedError(
            f"card {counter.serial}: it is customer {identity.customer}'s, the account of meter {meter} is {customer}'s"
        )
    return Place(meter, epoch, max(last, journal.last_sequence(meter, epoch)) + 1, customer, unit, version)


def _require_current(counter: Counter, journal: Journal, back: WriteBack) -> None:
    """Refuse a write-back of a storage that the meter no longer has, as far as the journal has proof of a later one."""
    newest = journal.newest_confirmed(back.meter_digits)
    if newest is None or newest.epoch in (back.epoch, 0) or not journal.last_sequence(back.meter_digits, back.epoch):
        return
    raise NotPermittedError(
        f"card {counter.serial}: its write-back is of epoch {back.epoch:08x}, and meter {back.meter_digits} has got a "
        f"new storage since ({newest.epoch:08x}): insert the card first. Nothing was sold"
    )


def _nothing_to_do(sold: Sold) -> Planned[Sold]:
    return Planned(f"sale {sold.entry.reference} was made before, nothing is to be done", lambda: sold)


def _plan_to_sell(
    counter: Counter, journal: Journal, standing: Standing, card_type: CardType, message: SealedMessage,
    bind_to: Bound | None = None, reference: str = "",
) -> Planned[Sold]:  # fmt: skip
    journal.hold_limit(counter.ring.limit(), message.serial_number, counter.serial, message.amount, counter.now())
    back = standing.back
    credit = "" if back is None else f" (credit {format_money(back.credit)} when its card was last in)"
    verb = "open the account with" if message.kind is MessageKind.OPEN else "sell"
    text = (
        f"customer {message.customer_number}, meter {message.serial_number}{credit}: {verb} "
        f"{format_money(message.amount * CENT)} {account_unit_text(message.account_unit)}"
    )
    return Planned(
        text, lambda: _sell(counter, journal, standing, card_type, message, bind_to=bind_to, reference=reference)
    )


def _sell(
    counter: Counter, journal: Journal, standing: Standing, card_type: CardType, message: SealedMessage, *,
    bind_to: Bound | None, reference: str,
) -> Sold:  # fmt: skip
    sealed = message.seal(counter.ring.meter_keys(message.serial_number, message.key_version).credit)
    entry = journal.prepare(
        message.serial_number, message.epoch, message.sequence, message.kind.word, message.amount, sealed,
        counter.now(), card=counter.serial, reference=reference, limit=counter.ring.limit(),
    )  # fmt: skip
    unchanged = (
        f"the sale stands in the journal as entry {entry.id}, and the card may carry it or not: the same command with "
        f"the same amount finishes it{'' if reference else ', as long as the card has not been in its meter'}"
    )
    with handing_over(counter, unchanged):
        bind_and_write(counter, card_type, sealed, bind_to, standing)
        journal.audit("sold", counter.now(), meter=entry.meter, card=counter.serial, amount=entry.amount,
                      detail=f"entry {entry.id}")  # fmt: skip
    return Sold(entry)


def _plan_to_finish(
    counter: Counter, journal: Journal, standing: Standing, entry: Entry, card_type: CardType,
    wanted: SealedMessage | None = None,
) -> Planned[Sold]:  # fmt: skip
    """Plan to complete the sale that this card should carry; refuse where it carries it already, unconsumed."""
    message = SealedMessage.decode(entry.message)
    if wanted is not None and (wanted.amount, wanted.customer_number) != (message.amount, message.customer_number):
        raise NotPermittedError(f"meter {entry.meter}: {on_card_text(entry)}, for customer {message.customer_number}")
    credit = standing.contents.credit
    require_takeable(counter, standing, entry)
    if _is_whole(standing, entry):
        raise NotPermittedError(f"meter {entry.meter}: {on_card_text(entry)}, unconsumed; nothing was sold")
    if entry.kind == MessageKind.OPEN.word:
        card_type = CardType.OPEN
    elif credit is not None and credit.message == entry.message:
        card_type = credit.card_type
    require_known(counter, journal, standing)
    text = f"finish the interrupted sale of {format_money(entry.amount * CENT)} for meter {entry.meter}"
    return Planned(text, lambda: _finish(counter, journal, standing, entry, card_type))


def _finish(counter: Counter, journal: Journal, standing: Standing, entry: Entry, card_type: CardType) -> Sold:
    now = journal.entry(entry.id)
    if (now.state, now.card) != (EntryState.ON_CARD, counter.serial):
        raise NotPermittedError(f"journal entry {entry.id} was settled or moved meanwhile; nothing was written")
    message = SealedMessage.decode(entry.message)
    bound = bound_to(message, counter.now())
    with handing_over(counter, f"journal entry {entry.id} is still to be finished: the same command again"):
        bind_and_write(counter, card_type, entry.message, bound, standing)
        journal.audit("finished", counter.now(), meter=entry.meter, card=counter.serial, amount=entry.amount,
                      detail=f"entry {entry.id}")  # fmt: skip
    return Sold(entry, finished=True)


def _is_whole(standing: Standing, entry: Entry) -> bool:
    """Say whether a card carries a sale as it was sold, and its meter has not answered it."""
    contents = standing.contents
    carried = contents.identity is not None and contents.credit is not None and contents.credit.message == entry.message
    return carried and contents.return_slots.newest is None


def sold_before(journal: Journal, reference: str, cents: int, meter: str | None = None) -> Sold | None:
    """Return what was sold under a key, once that is settled.

    Raises:
        UsageError: it stands for another amount or meter.
        NotPermittedError: that sale was voided; a new one wants a new key.
    """
    known = journal.find_reference(reference)
    if known is not None and (known.amount != cents or meter not in (None, known.meter)):
        raise UsageError(f"sale {reference}: the journal has it with another amount or meter; nothing was sold")
    if known is not None and known.state is EntryState.REFUSED:
        raise NotPermittedError(
            f"sale {reference}: it was {known.outcome} (journal entry {known.id}); a new sale wants a new key"
        )
    return Sold(known, before=True) if known is not None and not known.is_open else None


def _type_of_sale(standing: Standing) -> CardType:
    """A replacement card stays one until its meter has bound it."""
    credit, back = standing.contents.credit, standing.back
    replaces = credit is not None and credit.card_type in (CardType.REPLACEMENT, CardType.OPEN)
    unseen = back is None or bool(back.error)
    return CardType.REPLACEMENT if replaces and unseen else CardType.PURCHASE


def consumption(entry: Entry | None, standing: Standing) -> str:
    """Say in a word what became of the sale on a card: none, unconsumed, accepted, refused."""
    credit, back = standing.contents.credit, standing.back
    if credit is None or not credit.message:
        return "none"
    if entry is not None and entry.state is EntryState.CONFIRMED:
        return "accepted"
    if back is None or back.answered_code != code_of(credit.message):
        return "unconsumed"
    applied = back.outcome and Outcome(back.outcome).applied
    return "accepted" if applied else "refused"
