"""The use cases of the account: top up, open, refund, debt, close; and settling what was left open."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass

from meterctl.errors import MeterctlError, NotPermittedError, RefusedError, UsageError
from meterctl.journal import BY_HAND, Entry, EntryState, Journal
from meterctl.operations.exactly_once import (
    Settled,
    ask,
    bring,
    is_behind,
    next_message,
    on_card_text,
    settle,
    withdraw,
)
from meterctl.session import MeterIdentity, Session
from protocols.data_model.words import AccountState, Status
from protocols.sealed_message import MessageKind, SealedMessage


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be sealed and sent: for --dry-run, and for a person to say yes to."""

    meter: MeterIdentity
    message: SealedMessage


def plan(
    session: Session, journal: Journal, kind: MessageKind, amount: int, customer_number: str | None = None,
    withdrawing: Collection[Entry] = (),
) -> Plan:  # fmt: skip
    """Read the meter, check keys and journal, and return what would be sent. Nothing is written or sent.

    What is sealed must be right: a flipped epoch or sequence would make bytes of which nobody can ever prove what
    became of them, and a TCP frame carries no checksum. So the meter is read until two readings are alike.

    Args:
        amount: 0.01 account unit.
        withdrawing: what cards carry and is voided first: so nothing is voided for a top-up that cannot be.

    Raises:
        CorruptAnswerError: no two readings in a row were alike.
        RefusedError: the meter has lost its storage; with `withdrawing`, its account is not open.
        OverDailyLimitError: the day's limit of the key ring would be passed; audited.
    """
    meter = session.identify_surely()
    session.keys(meter)
    if meter.status & Status.STORAGE_LOST:
        raise RefusedError(
            f"meter {meter.serial_number}: it has lost its storage and takes no credit until it gets a new one; "
            f"nothing was sent"
        )
    if withdrawing and kind is MessageKind.CREDIT and meter.account_state is not AccountState.OPEN:
        raise RefusedError(
            f"meter {meter.serial_number}: its account is {meter.account_state.name.lower()} and takes no credit; "
            f"nothing was voided, nothing was sent"
        )
    customer = meter.customer_number if customer_number is None else customer_number
    message = next_message(session, journal, meter, kind, amount, customer, withdrawing)
    if kind in (MessageKind.OPEN, MessageKind.CREDIT):
        journal.hold_limit(session.ring.limit(), meter.serial_number, "", amount, session.now())
    return Plan(meter, message)


def execute(session: Session, journal: Journal, planned: Plan) -> Settled:
    """Bring a planned message to the meter exactly once."""
    return bring(session, journal, planned.meter, planned.message)


@dataclass(frozen=True, slots=True)
class Resolved:
    """What became of one open entry; `error` says why where it was refused or stays open."""

    entry: Entry
    error: MeterctlError | None


def resolve(session: Session, journal: Journal, number: int | None = None) -> list[Resolved]:
    """Settle open entries of the meter on the port: one by its number, or every one."""
    meter = session.identify()
    if number is None:
        entries = journal.open_entries(meter.serial_number)
    else:
        entry = journal.entry(number)
        if entry.meter != meter.serial_number:
            raise UsageError(f"journal entry {number} is of meter {entry.meter}; {meter.serial_number} is on this port")
        entries = [entry] if entry.is_open else []
    return [_resolve(session, journal, meter, entry) for entry in entries]


def is_dead(session: Session, journal: Journal, entry: Entry) -> bool:
    """Ask the meter on the port whether it can ever take an entry; a proof that it has is written down.

    Raises:
        UsageError: it can prove by itself what becomes of the entry, or it cannot be asked.
        NotPermittedError: the keys are not those of the meter.
    """
    meter = session.identify_surely()
    session.keys(meter)
    if meter.serial_number != entry.meter:
        return False
    if meter.status & Status.STORAGE_LOST:
        raise UsageError(
            f"meter {entry.meter}: it has lost its storage and may get it back, so nothing can be said of its entries"
        )
    if entry.epoch not in (meter.epoch, 0):
        return True
    if entry.card and is_behind(session, entry) and ask(session, journal, entry) is None:
        return True
    raise UsageError(
        f"meter {entry.meter} is on this port and can prove it: write journal resolve {entry.id} without --as"
    )


def close_by_hand(journal: Journal, entry: Entry, state: EntryState, now: int, *, dead: bool = False) -> Entry:
    """Close an entry on a person's word: of an epoch that is gone, or whose receipt the meter no longer keeps.

    Args:
        dead: its meter was asked and is in another epoch, so that even a card that carries it brings nothing.

    Raises:
        UsageError: it is settled already, or on a card.
    """
    if not entry.is_open:
        raise UsageError(f"journal entry {entry.id} is {entry.state.value} already; nothing was changed")
    if entry.state is EntryState.ON_CARD and not dead:
        raise UsageError(
            f"journal entry {entry.id} is on a card: its write-back, the meter's receipt or a void settles it; nothing "
            f"was changed. Where the meter has a new storage, give its --port: then these bytes are dead"
        )
    void = journal.find_void(entry.meter, entry.epoch, entry.sequence)
    if void is not None and void.is_open:
        journal.settle(void, EntryState.REFUSED, BY_HAND, now)
    return journal.settle(entry, state, BY_HAND, now)


def _resolve(session: Session, journal: Journal, meter: MeterIdentity, entry: Entry) -> Resolved:
    if entry.card:
        return _resolve_card(session, journal, meter, entry)
    if entry.epoch != meter.epoch:
        dead = NotPermittedError(
            f"journal entry {entry.id} is of epoch {entry.epoch:08x}; the meter's storage is now {meter.epoch:08x}, "
            f"so these bytes can never be applied there, and whether they were is not known"
        )
        return Resolved(entry, dead)
    try:
        settled = settle(session, journal, entry)
    except MeterctlError as error:
        return Resolved(journal.entry(entry.id), error)
    return Resolved(settled.entry, None)


def _resolve_card(session: Session, journal: Journal, meter: MeterIdentity, entry: Entry) -> Resolved:
    """Settle a sale on a card by the meter's receipt; only one that was withdrawn is voided, none is ever sent."""
    try:
        if entry.epoch not in (meter.epoch, 0):
            raise NotPermittedError(
                f"{on_card_text(entry)}, for epoch {entry.epoch:08x}; the meter has {meter.epoch:08x}"
            )
        if entry.state is not EntryState.ON_CARD:
            return Resolved(withdraw(session, journal, entry), None)
        settled = ask(session, journal, entry)
        if settled is None:
            raise NotPermittedError(f"{on_card_text(entry)}; the card's write-back settles it")
        return Resolved(settled.entry, None)
    except MeterctlError as error:
        return Resolved(journal.entry(entry.id), error)


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """What became of the sales that cards carried for a meter: `owed` to the customer, 0.01."""

    entries: list[Entry]

    @property
    def owed(self) -> int:
        """The sum of those that are dead."""
        return sum(entry.amount for entry in self.entries if entry.state is EntryState.REFUSED)


def carried_by_cards(session: Session, journal: Journal, *, erased_only: bool) -> list[Entry]:
    """Return the sales that cards carry for the meter on the port and that could still be taken by it.

    Args:
        erased_only: only sales whose card was erased at the counter.

    Raises:
        NotPermittedError: the meter was set back; a void would spend sequences that were proved.
    """
    if not journal.carried():
        return []
    meter = session.identify_surely()
    carried = [e for e in journal.open_entries(meter.serial_number) if e.card and e.epoch in (meter.epoch, 0)]
    if erased_only:
        carried = [entry for entry in carried if entry.state is not EntryState.ON_CARD]
    proved = journal.last_sequence(meter.serial_number, meter.epoch)
    if carried and meter.credit_sequence < proved:
        raise NotPermittedError(
            f"meter {meter.serial_number}: it stands at sequence {meter.credit_sequence}, the journal has proof of "
            f"{proved}: its storage was set back. Nothing was voided"
        )
    return carried


def withdraw_cards(session: Session, journal: Journal, *, erased_only: bool) -> Withdrawn:
    """Void what cards carry for the meter on the port, so that it can be topped up by wire."""
    ended = []
    for entry in carried_by_cards(session, journal, erased_only=erased_only):
        ended.append(withdraw(session, journal, entry))
        amount = ended[-1].amount
        with suppress(UsageError):  # the entry is settled: what is owed must be told, whatever holds the journal
            journal.audit("withdrawn", session.now(), meter=entry.meter, card=entry.card, amount=amount,
                          detail=f"entry {entry.id} {ended[-1].state.value}")  # fmt: skip
    return Withdrawn(ended)
