"""The use cases of the card at a vending point: format, open, sell, replace, preset, service, erase.

A sale is in the journal, as `on_card`, before the first byte of it is on the card. Where the card is pulled in between,
the same command with the same amount finishes that sale: the very bytes are written again, and no second one is made.
Under a requester's key (`reference`) that holds for ever; without one, only until the sale was consumed.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from meterctl.errors import MeterctlError, NotPermittedError, UnknownOutcomeError, UsageError
from meterctl.journal import Entry, EntryState, Journal
from meterctl.operations.card_counter import Counter, Standing
from meterctl.operations.exactly_once import on_card_text
from meterctl.session import MeterIdentity, Session
from protocols.card.files import CardType, CreditRecord, Identity
from protocols.card.issuing import bind, erase, give_keys, write_sale
from protocols.card.keys import derive_card_keys, meter_access_of
from protocols.card.terminal import Contents
from protocols.data_model.words import AccountState
from protocols.errors import MalformedMessageError
from protocols.keys import MessageClass
from protocols.sealed_message import ANY_CUSTOMER, LAST_SEQUENCE, MessageKind, Outcome, Receipt, SealedMessage, code_of

ERASED = "erased"
"""Outcome of a sale whose card was erased before a write-back came: whether the meter took it is asked of the meter."""
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


def format_card(counter: Counter, journal: Journal) -> None:
    """Give a blank card the keys of this ring; raises NotPermittedError where it has keys already."""
    if counter.selected.issued:
        raise NotPermittedError(f"card {counter.serial}: it is formatted already; nothing was changed")
    version = counter.ring.newest
    keys = derive_card_keys(counter.ring.master(version), counter.selected.serial, version)
    counter.write(give_keys(counter.terminal, keys, version), "it may have some of its keys: format it again")
    journal.audit("card_formatted", counter.now(), card=counter.serial)


def open_account(
    counter: Counter, journal: Journal, meter: str, customer: str, cents: int, unit: int, *, again: bool = False
) -> Sold:
    """Sell an opening card for a meter that nobody has read yet: epoch 0, sequence 1.

    Args:
        again: the meter has got a new storage; an account that the journal knows does not stand in the way.

    Raises:
        NotPermittedError: the card or the journal stands against it.
    """
    standing = counter.read()
    message = SealedMessage(
        MessageKind.OPEN, meter, 0, FIRST_SEQUENCE, cents, unit, customer, max(counter.now(), 0),
        key_version=counter.ring.newest,
    )  # fmt: skip
    if standing.back is not None:
        counter.settle(journal, standing.back)
        counter.hold_against(journal, standing.back)
    mine = _carried_by(counter, journal, meter)
    if mine is not None:
        return _finish(counter, journal, standing, mine, CardType.OPEN, message)
    _require_unbound(counter, standing)
    _require_nothing_open(journal, meter)
    if journal.newest_confirmed(meter) is not None and not again:
        raise NotPermittedError(
            f"meter {meter}: the journal knows its account already; `card replace` gives it a card, --again opens a "
            f"meter with a new storage. Nothing was sold"
        )
    return _sell(counter, journal, standing, CardType.OPEN, message, Bound(meter, customer, unit, message.key_version))


def sell(counter: Counter, journal: Journal, cents: int, session: Session | None = None, reference: str = "") -> Sold:
    """Sell credit on a card that is bound to a meter, with the sequence that follows what the meter has taken.

    Args:
        reference: the requester's key; a second sale under it is the first one.

    Raises:
        NotPermittedError: the last sale is unconsumed, or card, meter and journal do not agree.
        UsageError: the key stands for another amount.
    """
    standing = counter.read()
    identity = _require_bound(counter, standing)
    if reference and (sold := sold_before(journal, reference, cents, identity.meter)) is not None:
        return sold
    if standing.back is not None:
        counter.settle(journal, standing.back)
        counter.hold_against(journal, standing.back)
        if reference and (sold := sold_before(journal, reference, cents, identity.meter)) is not None:
            return sold
    _require_in_use(counter, journal, identity.meter)
    mine = _carried_by(counter, journal, identity.meter)
    if mine is not None:
        if (mine.amount, mine.reference) != (cents, reference):
            raise NotPermittedError(f"meter {identity.meter}: {on_card_text(mine)}, unconsumed; nothing was sold")
        if reference and _is_whole(standing, mine):
            return Sold(mine, before=True)
        return _finish(counter, journal, standing, mine, CardType.PURCHASE)
    place = where_it_stands(counter, journal, standing, session)
    _require_nothing_open(journal, identity.meter, place.epoch)
    if place.next_sequence > LAST_SEQUENCE:
        raise NotPermittedError(f"meter {place.meter}: its sequences are used up; it needs a new epoch")
    message = SealedMessage(
        MessageKind.CREDIT, place.meter, place.epoch, place.next_sequence, cents, place.account_unit, place.customer,
        max(counter.now(), 0), key_version=place.key_version,
    )  # fmt: skip
    return _sell(counter, journal, standing, _type_of_sale(standing), message, reference=reference)


def replace(counter: Counter, journal: Journal, meter: str, session: Session | None = None) -> Entry | None:
    """Give a customer another card in place of a lost one; what the old one carried, this one carries too.

    Both have the very same bytes, so the meter takes them once. Returns the sale that it carries, None where none.

    Raises:
        NotPermittedError: nobody knows the meter's account.
    """
    standing = counter.read()
    identity = standing.contents.identity
    if identity is not None and identity.meter != meter:
        raise NotPermittedError(f"card {counter.serial}: it is bound to meter {identity.meter}; erase it first")
    if standing.back is not None:
        counter.settle(journal, standing.back)
        counter.hold_against(journal, standing.back)
    open_entries = journal.open_entries(meter)
    if any(not entry.card for entry in open_entries):
        _require_nothing_open(journal, meter)
    last = open_entries[0] if open_entries else journal.newest_confirmed(meter)
    if last is None and session is None:
        raise NotPermittedError(f"meter {meter}: the journal knows no account of it; give --port to ask the meter")
    message = _last_message(last)
    if session is not None:
        asked = _asked(session, meter)
        bound = Bound(meter, asked.customer_number, asked.account_unit, asked.key_version)
    elif message is not None:
        bound = Bound(meter, message.customer_number, message.account_unit, message.key_version)
    else:
        raise NotPermittedError(f"meter {meter}: the journal does not know its customer; give --port to ask the meter")
    sealed = last.message if last is not None and last.kind in ("open", "credit") else b""
    opening = bool(sealed) and last is not None and last.kind == "open"
    kind = CardType.OPEN if opening else CardType.REPLACEMENT
    _require_nothing_owed(counter, journal, meter)
    entry = journal.move_to_card(open_entries[0], counter.serial, counter.now()) if open_entries else None
    left = "the card may be bound or not: the same command again"
    _hand_over(counter, left, lambda: _bind_and_write(counter, kind, sealed, bound, None))
    journal.audit("card_replaced", counter.now(), meter=meter, card=counter.serial,
                  amount=entry.amount if entry else 0)  # fmt: skip
    return entry


def service(counter: Counter, journal: Journal, meter: str, key_version: int | None = None) -> None:
    """Make a card that brings back how a meter stands, and carries nothing."""
    _require_unbound(counter, counter.read())
    _require_nothing_owed(counter, journal, "")
    bound = Bound(meter, ANY_CUSTOMER, 0, counter.ring.newest if key_version is None else key_version)
    left = "the card may be bound or not: erase it, and give the same command again"
    _hand_over(counter, left, lambda: _bind_and_write(counter, CardType.SERVICE, b"", bound, None))
    journal.audit("service_card", counter.now(), meter=meter, card=counter.serial)


def preset(
    counter: Counter, journal: Journal, commands: list[tuple[MessageKind, bytes]], session: Session | None = None
) -> list[SealedMessage]:
    """Put sealed commands on a card that is bound; one without credit becomes a preset card.

    Raises:
        NotPermittedError: neither write-back nor meter says where the commands' sequence stands.
    """
    standing = counter.read()
    identity = _require_bound(counter, standing)
    messages, sealed = [], []
    if session is not None:
        asked = _asked(session, identity.meter)
        epoch, last, unit, customer, version = (
            asked.epoch, asked.command_sequence, asked.account_unit, asked.customer_number, asked.key_version,
        )  # fmt: skip
    elif standing.back is not None:
        back = standing.back
        epoch, last, unit, customer, version = (
            back.epoch, back.command_sequence, back.account_unit, back.customer_digits, back.meter_key_version,
        )  # fmt: skip
    else:
        raise NotPermittedError(
            f"card {counter.serial}: the meter has not written back, so nobody knows its commands' sequence; insert "
            f"the card first, or give --port to ask the meter. Nothing was changed"
        )
    keys = counter.ring.meter_keys(identity.meter, version)
    for number, (kind, parameters) in enumerate(commands, last + 1):
        message = SealedMessage(
            kind, identity.meter, epoch, number, 0, unit, customer, max(counter.now(), 0), 0, parameters, version
        )
        messages.append(message)
        sealed.append(message.seal(keys.key(MessageClass.COMMAND)))
    unchanged = "the card carries no commands now: preset it again"
    counter.write(counter.terminal.write_parameters(tuple(sealed)), unchanged)
    credit = standing.contents.credit
    if credit is None or not credit.message:
        _write(counter, CardType.PRESET, b"")
    journal.audit("card_preset", counter.now(), meter=identity.meter, card=counter.serial,
                  detail=" ".join(kind.word for kind, _ in commands))  # fmt: skip
    return messages


def erase_card(counter: Counter, journal: Journal) -> list[Entry]:
    """Take a card back. A sale that it carries and that no write-back proves stays open until its meter is asked."""
    touched: list[Entry] = []
    with suppress(NotPermittedError):  # what cannot be believed settles nothing; a mismatch is in the audit
        standing = counter.read()
        if standing.back is not None:
            touched += counter.settle(journal, standing.back)
            counter.hold_against(journal, standing.back)
    for entry in journal.entries():
        if entry.state is EntryState.ON_CARD and entry.card == counter.serial:
            touched.append(journal.settle(entry, EntryState.UNKNOWN, ERASED, counter.now()))
    counter.write(erase(counter.terminal, counter.keys), "it may be erased in part: erase it again")
    journal.audit("card_erased", counter.now(), card=counter.serial)
    return touched


def where_it_stands(counter: Counter, journal: Journal, standing: Standing, session: Session | None) -> Place:
    """Say with which sequence the next sale goes: by the write-back, by the meter on a port, or by the journal.

    Raises:
        NotPermittedError: nobody knows.
    """
    identity = _require_bound(counter, standing)
    meter = identity.meter
    if session is not None:
        asked = _asked(session, meter)
        epoch, last, version = asked.epoch, asked.credit_sequence, asked.key_version
        customer, unit, state = asked.customer_number, asked.account_unit, asked.account_state
        if last < journal.last_sequence(meter, epoch):
            raise NotPermittedError(
                f"meter {meter}: it stands at sequence {last}, the journal has proof of "
                f"{journal.last_sequence(meter, epoch)}: its storage was set back. Nothing was sold"
            )
    elif standing.back is not None:
        back = standing.back
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


# ---- what they share


def _sell(
    counter: Counter, journal: Journal, standing: Standing, card_type: CardType, message: SealedMessage,
    bind_to: Bound | None = None, reference: str = "",
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
    _hand_over(counter, unchanged, lambda: _bind_and_write(counter, card_type, sealed, bind_to, standing))
    journal.audit("sold", counter.now(), meter=entry.meter, card=counter.serial, amount=entry.amount,
                  detail=f"entry {entry.id}")  # fmt: skip
    return Sold(entry)


def _finish(
    counter: Counter, journal: Journal, standing: Standing, entry: Entry, card_type: CardType,
    wanted: SealedMessage | None = None,
) -> Sold:  # fmt: skip
    """Complete the sale that this card should carry, or refuse where it carries it already, unconsumed."""
    message = SealedMessage.decode(entry.message)
    if wanted is not None and (wanted.amount, wanted.customer_number) != (message.amount, message.customer_number):
        raise NotPermittedError(f"meter {entry.meter}: {on_card_text(entry)}, for customer {message.customer_number}")
    credit = standing.contents.credit
    _require_takeable(counter, standing, entry)
    if _is_whole(standing, entry):
        raise NotPermittedError(f"meter {entry.meter}: {on_card_text(entry)}, unconsumed; nothing was sold")
    bound = Bound(message.serial_number, message.customer_number, message.account_unit, message.key_version)
    unchanged = f"journal entry {entry.id} is still to be finished: the same command again"
    if credit is not None and credit.message == entry.message:
        card_type = credit.card_type
    _hand_over(counter, unchanged, lambda: _bind_and_write(counter, card_type, entry.message, bound, standing))
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


def _hand_over(counter: Counter, unchanged: str, work: Callable[[], None]) -> None:
    """Do what leaves a sale half done where it fails; whatever went wrong, its outcome is unknown."""
    counter.unchanged = unchanged
    try:
        work()
    except MeterctlError as error:
        text = str(error)
        raise UnknownOutcomeError(text if unchanged in text else f"{text}; {unchanged}") from error
    except KeyboardInterrupt as error:
        raise UnknownOutcomeError(f"card {counter.serial}: interrupted; {unchanged}") from error


def _bind_and_write(
    counter: Counter, card_type: CardType, sealed: bytes, bind_to: Bound | None, standing: Standing | None
) -> None:
    """Bind a card where it is not bound so yet (or anew, without `standing`), and write a sale."""
    identity = standing.contents.identity if standing is not None else None
    if bind_to is not None and (identity is None or (identity.meter, identity.customer) != bind_to[:2]):
        _bind(counter, bind_to)
    _write(counter, card_type, sealed)


class Bound(NamedTuple):
    """To whom a card is bound: meter, customer, account unit, and the version of the meter's keys."""

    meter: str
    customer: str
    account_unit: int
    key_version: int


def _bind(counter: Counter, bound: Bound) -> None:
    """Bind a card; what another meter wrote on it goes first."""
    contents = counter.read_contents()
    counter.write(counter.terminal.clear_write_back(contents.return_slots), counter.unchanged)
    meter, customer, unit, version = bound
    identity = Identity(meter, customer, version, max(counter.now(), 0), unit)
    access = meter_access_of(counter.ring.master(version), meter, counter.selected.serial, version)
    counter.write(bind(counter.terminal, counter.keys, identity, access), "the card may be bound or not")


def _write(counter: Counter, card_type: CardType, sealed: bytes) -> None:
    """Write a sale and read it back: what is reported as sold was seen on the card."""
    contents: Contents = counter.read().contents
    record = CreditRecord(card_type, contents.credit_slots.next_number, sealed, max(counter.now(), 0))
    counter.write(write_sale(counter.terminal, contents, record), "the card may carry it or not")
    written = counter.read().contents
    if written.credit != record or written.return_slots.newest is not None:
        raise UnknownOutcomeError(f"card {counter.serial}: it does not hold what was written")


def _require_bound(counter: Counter, standing: Standing) -> Identity:
    if standing.contents.identity is None:
        raise NotPermittedError(f"card {counter.serial}: it is bound to no meter; `card open` sells an opening card")
    return standing.contents.identity


def _require_unbound(counter: Counter, standing: Standing) -> None:
    identity = standing.contents.identity
    if identity is not None:
        raise NotPermittedError(
            f"card {counter.serial}: it is bound to meter {identity.meter}; erase it first. Nothing was changed"
        )


def _require_nothing_open(journal: Journal, meter: str, epoch: int | None = None) -> None:
    """Refuse while an entry is open that could still be taken: of one epoch of the meter, or of any."""
    for entry in journal.open_entries(meter):
        if epoch is not None and entry.epoch not in (epoch, 0):
            continue
        if entry.card:
            raise NotPermittedError(f"meter {meter}: {on_card_text(entry)}, unconsumed; nothing was sold")
        raise UnknownOutcomeError(
            f"meter {meter}: journal entry {entry.id} ({entry.kind}, sequence {entry.sequence}) is still "
            f"{entry.state.value}; nothing was sold. Settle it first: meterctl journal resolve"
        )


def _carried_by(counter: Counter, journal: Journal, meter: str) -> Entry | None:
    """Return the open sale of a meter that this card carries, or should."""
    mine = [e for e in journal.open_entries(meter) if e.card == counter.serial and e.state is EntryState.ON_CARD]
    return mine[0] if mine else None


def _require_nothing_owed(counter: Counter, journal: Journal, meter: str) -> None:
    """Refuse a card that should carry an open sale of another meter."""
    for entry in journal.entries():
        if entry.state is EntryState.ON_CARD and entry.card == counter.serial and entry.meter != meter:
            raise NotPermittedError(f"{on_card_text(entry)} for meter {entry.meter}; nothing was changed")


def _require_in_use(counter: Counter, journal: Journal, meter: str) -> None:
    """Refuse a card that another one has replaced: its meter would refuse it too."""
    current = journal.card_in_use(meter)
    if current and current != counter.serial:
        raise NotPermittedError(
            f"card {counter.serial}: it was replaced by card {current}; `card replace` makes it the current one again. "
            f"Nothing was sold"
        )


def _require_takeable(counter: Counter, standing: Standing, entry: Entry) -> None:
    """Refuse to write bytes again that the meter has shown it will never take."""
    identity, back = standing.contents.identity, standing.back
    if identity is not None and identity.meter != entry.meter:
        raise NotPermittedError(
            f"{on_card_text(entry)} for meter {entry.meter}, and is bound to {identity.meter}: erase it first"
        )
    if back is None or not back.outcome:
        return
    answered = (back.answered_sequence, back.answered_code) == (entry.sequence, code_of(entry.message))
    outcome = Outcome(back.outcome)
    if entry.epoch not in (back.epoch, 0):
        raise NotPermittedError(
            f"{on_card_text(entry)}, for epoch {entry.epoch:08x}; the meter has got a new storage ({back.epoch:08x}), "
            f"so it is dead: erase the card, then meterctl journal resolve {entry.id} --as refused --port ..."
        )
    if answered and not outcome.applied and outcome is not Outcome.SEQUENCE_GAP:
        raise NotPermittedError(
            f"{on_card_text(entry)}; the meter refused it for good ({outcome.name}): end it by topup --void-card, or "
            f"erase the card"
        )


def _type_of_sale(standing: Standing) -> CardType:
    """A replacement card stays one until its meter has bound it."""
    credit, back = standing.contents.credit, standing.back
    replaces = credit is not None and credit.card_type in (CardType.REPLACEMENT, CardType.OPEN)
    unseen = back is None or bool(back.error)
    return CardType.REPLACEMENT if replaces and unseen else CardType.PURCHASE


def _asked(session: Session, meter: str) -> MeterIdentity:
    asked = session.identify_surely()
    if asked.serial_number != meter:
        raise UsageError(f"meter {asked.serial_number} is on this port, the card is for {meter}; nothing was changed")
    session.keys(asked)
    return asked


def _last_message(entry: Entry | None) -> SealedMessage | None:
    """Return the message of an entry, decoded."""
    if entry is None:
        return None
    try:
        return SealedMessage.decode(entry.message)
    except MalformedMessageError:
        return None


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
