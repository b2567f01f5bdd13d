"""The use cases of the account: top up, open, refund, debt, close; and settling what was left open."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

from meterctl.errors import (
    CorruptAnswerError,
    MeterctlError,
    NoAnswerError,
    NotPermittedError,
    RefusedError,
    UnknownOutcomeError,
    UsageError,
)
from meterctl.journal import BY_HAND, Entry, EntryState, Journal
from meterctl.operations.exactly_once import (
    BegunBeforeError,
    Delivered,
    Sale,
    Settled,
    ask_about,
    ask_receipt,
    conclude,
    require_voidable,
    sell_exactly_once,
    settle,
    void,
)
from meterctl.operations.sealing import (
    enter,
    on_card_text,
    refuse_for_open,
    require_account,
    require_key_version,
    require_nothing_open,
    void_message,
)
from meterctl.operations.status import ProvedMeter, ask_status, require_payee
from meterctl.operations.verdicts import Evidence, Verdict, judge
from meterctl.session import MeterIdentity, Session
from protocols.data_model.words import AccountState
from protocols.quantities import CENT, format_money
from protocols.sealed_message import MessageKind, Receipt

VOIDING = "voiding"
"""Outcome of a card's sale whose void was not answered yet."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is wanted of the meter on the port: for a person to say yes to. `meter` is a hint, for display only."""

    meter: MeterIdentity
    sale: Sale


def plan(
    session: Session, journal: Journal, kind: MessageKind, amount: int, customer_number: str | None = None,
    withdrawing: Collection[Entry] = (), reference: str = "",
) -> Plan:  # fmt: skip
    """Read who the meter says it is, and refuse what needs no proof to be refused. Nothing is written or sent.

    Args:
        amount: 0.01 account unit.
        withdrawing: open sales on cards that do not stand in the way, because they are voided first.
        reference: the sale key.

    Raises:
        NotPermittedError: another payee, or an entry is open.
        OverDailyLimitError: the day's limit of the key ring would be passed; audited.
    """
    hint = session.identify()
    require_payee(session, journal, hint.serial_number)
    for entry in journal.open_entries(hint.serial_number):
        # one that is prepared may be another process's, which is waited for
        in_the_way = entry not in withdrawing and entry.state is not EntryState.PREPARED
        if in_the_way and entry.lives_in(hint.epoch):
            refuse_for_open(entry)
    if withdrawing and hint.account_state is not AccountState.OPEN and kind is MessageKind.CREDIT:
        raise RefusedError(
            f"meter {hint.serial_number}: its account is {hint.account_state.name.lower()} and takes no credit; "
            f"nothing was voided, nothing was sent",
            serial_number=hint.serial_number,
        )
    if kind in (MessageKind.OPEN, MessageKind.CREDIT):
        journal.hold_limit(session.ring.limit(), hint.serial_number, "", amount, session.now())
    return Plan(hint, Sale(kind, amount, customer_number, reference))


def rehearse(session: Session, journal: Journal, planned: Plan) -> ProvedMeter:
    """Check all that `execute` checks before it seals, and seal nothing: for a dry run."""
    meter = ask_status(session, journal, planned.meter).require_ours()
    require_nothing_open(journal, meter)
    require_key_version(journal, meter)
    require_account(meter, planned.sale.kind)
    return meter


def execute(session: Session, journal: Journal, planned: Plan) -> Settled:
    """Bring what was planned to the meter exactly once."""
    try:
        return sell_exactly_once(session, journal, planned.meter, planned.sale)
    except BegunBeforeError as begun:
        sale = planned.sale
        known = known_sale(journal, sale.reference, sale.kind, sale.amount, planned.meter.serial_number)
        return go_on(session, journal, planned.meter, known or begun.entry)


def sale_begun_before(session: Session, journal: Journal, hint: MeterIdentity, sale: Sale) -> Entry | None:
    """Return the entry with which a sale key goes on, None of a new key; waits for a process that is at work on it.

    Raises:
        UsageError: the key stands for another amount, kind or meter.
        UnknownOutcomeError: the other process does not end, and its entry is open.
    """
    if not sale.reference:
        return None
    try:
        with journal.alone_with(hint.serial_number, session.ticks, session.pause):
            return known_sale(journal, sale.reference, sale.kind, sale.amount, hint.serial_number)
    except NotPermittedError as error:
        known = journal.find_reference(sale.reference)
        if known is None or not known.is_open:
            raise
        raise UnknownOutcomeError(
            f"{error} by this one: sale {sale.reference} is journal entry {known.id}, {known.state.value}, and may "
            f"have been applied",
            serial_number=known.meter, entry=known.id,
        ) from error  # fmt: skip


def go_on(session: Session, journal: Journal, hint: MeterIdentity, known: Entry) -> Settled:
    """Go on with the sale of a key that is known, or return what became of it.

    Raises:
        RefusedError: it was refused; a new sale wants a new key.
    """
    if known.is_open:
        resolved = _resolve(session, journal, hint, known)
        if resolved.error is not None:
            raise resolved.error
        known = resolved.entry
    if known.state is EntryState.REFUSED:
        raise RefusedError(
            f"sale {known.reference}: it was refused, {known.outcome} (journal entry {known.id}); a new sale wants a "
            f"new key",
            outcome=known.outcome, serial_number=known.meter, entry=known.id,
        )  # fmt: skip
    return Settled(known, Receipt.decode(known.receipt) if known.receipt else None)


def rehearse_advance(session: Session, journal: Journal, hint: MeterIdentity) -> ProvedMeter:
    """Return the meter whose key version may be advanced, sealed for under its next version.

    Raises:
        NotPermittedError: an entry is open, or the ring has no next version of the meter.
    """
    meter = ask_status(session, journal, hint, advance=True).require_ours()
    require_nothing_open(journal, meter)
    return meter


def advance_key_version(session: Session, journal: Journal, hint: MeterIdentity) -> Settled:
    """Make the meter's next key version its current one, by a void under it; raises as `rehearse_advance`."""
    with journal.alone_with(hint.serial_number, session.ticks, session.pause):
        meter = rehearse_advance(session, journal, hint)
        if session.port:
            journal.keep_port(session.port, meter.serial_number, session.now())
        message = void_message(journal, meter, meter.credit_sequence + 1, session.now())
        entry = enter(journal, session.ring, message, session.now())
        return settle(session, journal, hint, entry)


def known_sale(journal: Journal, reference: str, kind: MessageKind, cents: int, meter: str | None) -> Entry | None:
    """Return the last entry of a sale key, None of a new key.

    Raises:
        UsageError: the key stands for another amount, kind or meter.
    """
    known = journal.find_reference(reference) if reference else None
    if known is None:
        return None
    wanted = (kind.word, cents, known.meter if meter is None else meter)
    if (known.kind, known.amount, known.meter) != wanted:
        raise UsageError(
            f"sale {reference}: the journal has it as {known.kind} of {format_money(known.amount * CENT)} for meter "
            f"{known.meter} (entry {known.id}); nothing was sold",
            serial_number=known.meter, entry=known.id,
        )  # fmt: skip
    return known


# ---- settling what is open


@dataclass(frozen=True, slots=True)
class Resolved:
    """What became of one open entry; `error` says why where it was refused or stays open."""

    entry: Entry
    error: MeterctlError | None


def resolve(session: Session, journal: Journal, number: int | None = None) -> list[Resolved]:
    """Settle open entries of the meter on the port: one by its number, or every one."""
    hint = session.identify()
    require_payee(session, journal, hint.serial_number)
    if number is None:
        entries = journal.open_entries(hint.serial_number)
    else:
        entry = journal.entry(number)
        if entry.meter != hint.serial_number:
            raise UsageError(f"journal entry {number} is of meter {entry.meter}; {hint.serial_number} is on this port")
        entries = [entry] if entry.is_open or entry.outcome == BY_HAND else []
    return [_resolve(session, journal, hint, entry) for entry in entries]


def close_by_hand(journal: Journal, entry: Entry, state: EntryState, now: int) -> Entry:
    """Close an open entry on a person's word: no proof, and a later proof overrules it. Audited.

    Raises:
        UsageError: it is settled already.
    """
    if not entry.is_open:
        raise UsageError(f"journal entry {entry.id} is {entry.state.value} already; nothing was changed")
    for sealed in journal.voids_of(entry):
        if sealed.is_open:
            journal.settle(sealed, EntryState.REFUSED, BY_HAND, now)
    journal.audit("closed_by_hand", now, meter=entry.meter, card=entry.card, amount=entry.amount,
                  detail=f"entry {entry.id} {state.value}; {living_text(entry)}")  # fmt: skip
    return journal.settle(entry, state, BY_HAND, now)


def living_text(entry: Entry) -> str:
    """Say how long the bytes of an entry that nothing proved could still be taken."""
    if entry.opens_any_epoch:
        return "its bytes could still be taken by any storage of the meter that was never opened"
    return (
        f"its bytes could still be taken until the meter has reached sequence {entry.sequence}: the next credit "
        f"message of anybody ends them"
    )


def _resolve(session: Session, journal: Journal, hint: MeterIdentity, entry: Entry) -> Resolved:
    try:
        with journal.alone_with(entry.meter, session.ticks, session.pause):
            fresh = journal.entry(entry.id)
            if fresh.is_open:
                _settle_open(session, journal, hint, fresh)
            elif fresh.outcome == BY_HAND:
                _prove_closed(session, journal, hint, fresh)
    except MeterctlError as error:
        return Resolved(journal.entry(entry.id), error)
    return Resolved(journal.entry(entry.id), None)


def _prove_closed(session: Session, journal: Journal, hint: MeterIdentity, entry: Entry) -> None:
    """Let what the meter proves overrule a person's word; nothing is sent."""
    asked = ask_about(session, journal, hint, entry)
    told = ask_receipt(session, journal, entry) or Delivered()
    voids = [sealed.code for sealed in journal.voids_of(entry)]
    verdict = judge(entry, Evidence(told.receipt, asked.status, voids=voids))
    if verdict is not None:
        with suppress(RefusedError):
            conclude(session, journal, entry, verdict, told)


def _settle_open(session: Session, journal: Journal, hint: MeterIdentity, entry: Entry) -> Settled:
    """Settle an entry by what the meter proves; else send its bytes again, or void them where they were withdrawn."""
    asked = ask_about(session, journal, hint, entry)
    told = ask_receipt(session, journal, entry) or Delivered()
    voids = [sealed.code for sealed in journal.voids_of(entry)]
    verdict = judge(entry, Evidence(told.receipt, asked.status, voids=voids))
    if verdict is not None:
        return conclude(session, journal, entry, verdict, told)
    if not entry.lives_in(asked.meter.epoch):
        raise NotPermittedError(
            f"journal entry {entry.id} is of epoch {entry.epoch:08x}; the meter's storage is now "
            f"{asked.meter.epoch:08x}, so nothing here proves what became of it. Where nobody can: --as "
            f"confirmed|refused",
            serial_number=entry.meter, entry=entry.id,
        )  # fmt: skip
    if entry.state is EntryState.ON_CARD:
        raise NotPermittedError(
            f"{on_card_text(entry)}; the card's write-back settles it, or meterctl topup AMOUNT --void-card ends it",
            serial_number=entry.meter,
            entry=entry.id,
        )
    if asked.meter.credit_sequence < entry.sequence - 1:
        raise NotPermittedError(
            f"meter {entry.meter}: it stands at sequence {asked.meter.credit_sequence}, entry {entry.id} was sealed "
            f"for {entry.sequence}: its storage was set back. Nothing was sent",
            serial_number=entry.meter, entry=entry.id,
        )  # fmt: skip
    if entry.card or entry.is_former or asked.meter.credit_sequence >= entry.sequence:
        verdict, proof = void(session, journal, hint, entry, asked)
        return conclude(session, journal, entry, verdict, proof)
    return settle(session, journal, hint, entry)


# ---- sales on cards, ended by wire


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """What became of the sales that cards carried for a meter: `owed` to the customer, 0.01."""

    entries: list[Entry]

    @property
    def owed(self) -> int:
        """The sum of those that are dead."""
        return sum(entry.amount for entry in self.entries if entry.state is EntryState.REFUSED)


def carried_by_cards(session: Session, journal: Journal, *, erased_only: bool) -> list[Entry]:
    """Return the sales that cards carry for the meter on the port, by its hints, and that it could still take.

    Args:
        erased_only: only sales whose card was erased at the counter.
    """
    if not journal.carried():
        return []
    hint = session.identify()
    carried = [e for e in journal.open_entries(hint.serial_number) if e.card and e.lives_in(hint.epoch)]
    if erased_only:
        carried = [entry for entry in carried if entry.state is not EntryState.ON_CARD]
    return carried


def withdraw_cards(session: Session, journal: Journal, *, erased_only: bool) -> Withdrawn:
    """Void what cards carry for the meter on the port, so that it can be topped up by wire."""
    carried = carried_by_cards(session, journal, erased_only=erased_only)
    if not carried:
        return Withdrawn([])
    hint = session.identify()
    require_payee(session, journal, hint.serial_number)
    ended = []
    for entry in carried:
        ended.append(withdraw(session, journal, hint, entry))
        amount = ended[-1].amount
        with suppress(UsageError):  # the entry is settled: what is owed must be told, whatever holds the journal
            journal.audit("withdrawn", session.now(), meter=entry.meter, card=entry.card, amount=amount,
                          detail=f"entry {entry.id} {ended[-1].state.value}")  # fmt: skip
    return Withdrawn(ended)


def withdraw(session: Session, journal: Journal, hint: MeterIdentity, entry: Entry) -> Entry:
    """Make a sale that a card carries dead by voiding its sequence, or learn that the meter has taken it.

    Returns:
        The entry, confirmed or refused; refused, its amount is owed to the customer.

    Raises:
        NotPermittedError: the meter was set back, or the journal is a copy; nothing was voided.
        UnknownOutcomeError: neither was proved; the entry stays open.
    """
    with journal.alone_with(entry.meter, session.ticks, session.pause), _stays_open(entry):
        asked = ask_about(session, journal, hint, entry)
        told = ask_receipt(session, journal, entry) or Delivered()
        voids = [sealed.code for sealed in journal.voids_of(entry)]
        verdict: Verdict | None = judge(entry, Evidence(told.receipt, asked.status, voids=voids))
        if verdict is None:
            if not entry.lives_in(asked.meter.epoch):
                raise NotPermittedError(f"{on_card_text(entry)}, for another storage of this meter; nothing was voided")
            require_voidable(session, journal, entry, asked)
            journal.settle(entry, EntryState.UNKNOWN, VOIDING, session.now())
            entry = replace(entry, state=EntryState.UNKNOWN, outcome=VOIDING)
            verdict, told = void(session, journal, hint, entry, asked)
        try:
            return conclude(session, journal, entry, verdict, told).entry
        except RefusedError:
            if entry.opens_any_epoch:
                journal.notices.append(
                    f"{on_card_text(entry)}: it is void in this storage; another storage of meter {entry.meter} that "
                    f"was never opened would still take it, so take the card back"
                )
            return journal.entry(entry.id)


@contextmanager
def _stays_open(entry: Entry) -> Iterator[None]:
    """Around the end of a card's sale: where the meter does not answer, its outcome is unknown."""
    try:
        yield
    except (NoAnswerError, CorruptAnswerError) as error:
        raise UnknownOutcomeError(
            f"{error}; {on_card_text(entry)}", serial_number=entry.meter, entry=entry.id
        ) from error
