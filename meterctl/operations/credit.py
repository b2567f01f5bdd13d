"""Account operations by wire: top up, open, refund, debt, close; and settling open entries."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field

from meterctl.errors import (
    BusyError,
    CorruptAnswerError,
    MeterctlError,
    NoAnswerError,
    NotPermittedError,
    RefusedError,
    UnknownOutcomeError,
    UsageError,
)
from meterctl.journal import Entry, EntryEvent, EntryState, Journal
from meterctl.operations.conclusions import Conclusion, Proofs, conclude
from meterctl.operations.delivery import Delivered, ask_receipt
from meterctl.operations.exactly_once import (
    NOTHING_LEARNT,
    BegunBeforeError,
    Sale,
    Settled,
    ask_about,
    bytes_are_out,
    outgoing,
    ready_for,
    require_voidable,
    sell_exactly_once,
    settle,
    unknown,
    void,
    write_down,
)
from meterctl.operations.sealing import (
    enter,
    on_card_text,
    refuse_for_open,
    require_nothing_open,
    void_message,
    voiding_command,
)
from meterctl.operations.status import Asked, ProvedMeter, ask_status, require_payee
from meterctl.session import MeterIdentity, Session
from protocols.data_model.words import AccountState
from protocols.quantities import CENT, format_money
from protocols.sealed_message import MessageKind, Receipt

MAX_SALE_KEY = 64


@dataclass(frozen=True, slots=True)
class Plan:
    """A planned sale for the user to confirm; `meter` is a hint, for display only."""

    meter: MeterIdentity
    sale: Sale


def plan(
    session: Session,
    journal: Journal,
    kind: MessageKind,
    amount: int,
    customer_number: str | None = None,
    withdrawing: Collection[Entry] = (),
    reference: str = "",
) -> Plan:
    """Read the identity that the meter shows, and refuse a sale that needs no proof to be refused.

    Nothing is written or sent.

    Args:
        amount: 0.01 account unit.
        withdrawing: open sales on cards that are voided first and so do not block the sale.
        reference: the sale key.

    Raises:
        NotPermittedError: another payee, or an entry is open.
        OverDailyLimitError: the daily limit of the key ring would be exceeded; audited.
    """
    hint = session.identify()
    require_payee(session, journal, hint.serial_number)
    for entry in journal.open_entries(hint.serial_number):
        # a prepared entry may belong to another process; `execute` waits for that process
        in_the_way = entry not in withdrawing and entry.state is not EntryState.PREPARED
        if in_the_way and entry.lives_in(hint.epoch):
            refuse_for_open(entry)
    if withdrawing and hint.account_state is not AccountState.OPEN and kind is MessageKind.CREDIT:
        raise RefusedError(
            f"meter {hint.serial_number}: its account is "
            f"{hint.account_state.name.lower()} and takes no credit; "
            f"nothing was voided, nothing was sent",
            serial_number=hint.serial_number,
        )
    if kind in (MessageKind.OPEN, MessageKind.CREDIT):
        journal.limits.hold(session.ring.limit(), hint.serial_number, "", amount, session.now())
    return Plan(hint, Sale(kind, amount, customer_number, reference))


def rehearse(session: Session, journal: Journal, planned: Plan) -> ProvedMeter:
    """Run all checks of `execute` before it seals, for a dry run; nothing is sealed."""
    return ready_for(session, journal, planned.meter, planned.sale.kind)


def execute(session: Session, journal: Journal, planned: Plan) -> Settled:
    """Deliver a planned sale exactly once."""
    try:
        return sell_exactly_once(session, journal, planned.meter, planned.sale)
    except BegunBeforeError as begun:
        sale = planned.sale
        known = known_sale(
            journal, sale.reference, sale.kind, sale.amount, planned.meter.serial_number
        )
        return go_on(session, journal, planned.meter, known or begun.entry)


def sale_begun_before(
    session: Session, journal: Journal, hint: MeterIdentity, sale: Sale
) -> Entry | None:
    """Return the entry of a sale key, None for a new key; wait for a process that works on it.

    Raises:
        UsageError: the key is known with another amount, kind or meter.
        UnknownOutcomeError: the other process does not finish, and its entry is open.
    """
    if not sale.reference:
        return None
    try:
        with journal.locks.alone_with(hint.serial_number, session.ticks, session.pause):
            meter = hint.serial_number if session.payee is None else session.payee
            return known_sale(journal, sale.reference, sale.kind, sale.amount, meter)
    except BusyError as error:
        known = journal.find_reference(sale.reference)
        if known is None or not known.is_open:
            raise
        raise UnknownOutcomeError(
            f"{error} by this one: sale {sale.reference} is journal entry {known.id}, "
            f"{known.state.value}, and may "
            f"have been applied",
            serial_number=known.meter,
            entry=known.id,
        ) from error


def go_on(session: Session, journal: Journal, hint: MeterIdentity, known: Entry) -> Settled:
    """Settle the sale of a known key, or return its result.

    Raises:
        RefusedError: it was refused; a new sale needs a new key.
    """
    if known.is_open or known.is_closed_by_hand:
        resolved = _resolve(session, journal, hint, known)
        if resolved.error is not None and resolved.entry.is_closed_by_hand:
            raise UnknownOutcomeError(
                f"sale {known.reference}: a person closed it as {known.state.value} "
                f"(journal entry {known.id}), and "
                f"its meter was not asked: {resolved.error}",
                serial_number=known.meter,
                entry=known.id,
            ) from resolved.error
        if resolved.error is not None:
            raise resolved.error
        known = resolved.entry
    if known.state is EntryState.REFUSED:
        raise RefusedError(
            f"sale {known.reference}: it was refused, {known.outcome} (journal entry "
            f"{known.id}); a new sale needs a "
            f"new key",
            outcome=known.outcome,
            serial_number=known.meter,
            entry=known.id,
        )
    return Settled(known, Receipt.decode(known.receipt) if known.receipt else None)


def rehearse_advance(session: Session, journal: Journal, hint: MeterIdentity) -> ProvedMeter:
    """Return the meter with its next key version for sealing, if its version may be advanced."""
    meter = ask_status(session, journal, hint, advance=True).require_ours()
    require_nothing_open(journal, meter.serial_number, meter.epoch)
    return meter


def advance_key_version(session: Session, journal: Journal, hint: MeterIdentity) -> Settled:
    """Make the meter's next key version current, by a void; raises as `rehearse_advance`."""
    with journal.locks.alone_with(hint.serial_number, session.ticks, session.pause):
        meter = rehearse_advance(session, journal, hint)
        message = void_message(journal, meter, meter.credit_sequence + 1, session.now())
        entry = enter(journal, session.ring, message, session.now())
        return settle(session, journal, hint, entry)


def require_sale_key(key: str) -> str:
    """Return a sale key; raises UsageError unless it has 1 to 64 printable characters."""
    if not (key.strip() and key.isprintable() and len(key) <= MAX_SALE_KEY):
        raise UsageError(
            f"sale {key!r}: a key has 1 to {MAX_SALE_KEY} printable characters; nothing was sealed"
        )
    return key


def known_sale(
    journal: Journal, reference: str, kind: MessageKind, cents: int, meter: str | None
) -> Entry | None:
    """Return the newest entry of a sale key; None for a new key.

    Raises:
        UsageError: the key is known with another amount, kind or meter.
    """
    known = journal.find_reference(reference) if reference else None
    if known is None:
        return None
    wanted = (kind.word, cents, known.meter if meter is None else meter)
    if (known.kind, known.amount, known.meter) != wanted:
        raise UsageError(
            f"sale {reference}: the journal has it as {known.kind} of "
            f"{format_money(known.amount * CENT)} for meter "
            f"{known.meter} (entry {known.id}); nothing was sold",
            serial_number=known.meter,
            entry=known.id,
        )
    return known


# ---- settling open entries


@dataclass(frozen=True, slots=True)
class Resolved:
    """The result for one open entry; `error` is the reason if it was refused or stays open."""

    entry: Entry
    error: MeterctlError | None


def resolve(session: Session, journal: Journal, number: int | None = None) -> list[Resolved]:
    """Settle open entries of the meter on the port: one by its number, or all.

    Raises:
        UsageError: there is no such entry, or it is of another meter than the one on the port.
        UnknownOutcomeError: the meter does not answer, and an entry of it is open.
    """
    named = [] if number is None else [journal.entry(number)]
    expected = named if named else journal.open_entries(journal.ports.meter_of(session.port))
    hint = identify_for(session, journal, expected)
    require_payee(session, journal, hint.serial_number)
    for entry in named:
        if entry.meter != hint.serial_number:
            raise UsageError(
                f"journal entry {number} is of meter {entry.meter}; {hint.serial_number} "
                f"is on this port"
            )
    entries = [entry for entry in named if entry.is_open or entry.is_closed_by_hand]
    if number is None:
        entries = journal.open_entries(hint.serial_number)
    return [_resolve(session, journal, hint, entry) for entry in entries]


def identify_for(session: Session, journal: Journal, entries: Collection[Entry]) -> MeterIdentity:
    """Read the identity that the meter shows.

    Raises:
        UnknownOutcomeError: no answer, and one of `entries` is open; it stays unknown.
    """
    try:
        return session.identify()
    except (NoAnswerError, CorruptAnswerError) as error:
        waiting = [entry for entry in entries if entry.is_open]
        if not waiting:
            raise
        raise unknown(session, journal, waiting[0], str(error)) from error


def close_by_hand(journal: Journal, entry: Entry, state: EntryState, now: int) -> Entry:
    """Close an open entry without proof, on a person's decision; audited.

    A later proof overrules it.

    Raises:
        UsageError: it is settled already.
    """
    with journal.together():
        entry = journal.entry(entry.id)
        if not entry.is_open:
            raise UsageError(
                f"journal entry {entry.id} is {entry.state.value} already; nothing was changed"
            )
        for sealed in journal.voids_of(entry):
            if sealed.is_open:
                journal.settle(sealed, EntryEvent.CLOSED_AS_REFUSED, now)
        journal.audit(
            "closed_by_hand",
            now,
            meter=entry.meter,
            card=entry.card,
            amount=entry.amount,
            detail=f"entry {entry.id} {state.value}; {living_text(entry)}",
        )
        confirmed = state is EntryState.CONFIRMED
        event = EntryEvent.CLOSED_AS_CONFIRMED if confirmed else EntryEvent.CLOSED_AS_REFUSED
        return journal.settle(entry, event, now)


def living_text(entry: Entry) -> str:
    """Return a text that says how long the bytes of an unproved entry can be accepted."""
    if entry.opens_any_epoch:
        return "its bytes could still be taken by any storage of the meter that was never opened"
    return (
        f"its bytes could still be taken until the meter has reached sequence "
        f"{entry.sequence}, as a rule by the next "
        f"credit message of any seller"
    )


def _resolve(session: Session, journal: Journal, hint: MeterIdentity, entry: Entry) -> Resolved:
    try:
        with journal.locks.alone_with(entry.meter, session.ticks, session.pause):
            entry = journal.entry(entry.id)
            if entry.is_open:
                with bytes_are_out(session, journal, entry, NOTHING_LEARNT):
                    _settle_open(session, journal, hint, entry)
            elif entry.is_closed_by_hand:
                conclusion, told, _ = _ask_for_proof(session, journal, hint, entry)
                if conclusion is not None:
                    with suppress(RefusedError):
                        write_down(session, journal, entry, conclusion, told)
    except MeterctlError as error:
        return Resolved(_as_it_stands(journal, entry), error)
    return Resolved(journal.entry(entry.id), None)


def _as_it_stands(journal: Journal, entry: Entry) -> Entry:
    try:
        return journal.entry(entry.id)
    except UsageError:  # the journal cannot be read now
        return entry


def _ask_for_proof(
    session: Session, journal: Journal, hint: MeterIdentity, entry: Entry
) -> tuple[Conclusion | None, Delivered, Asked]:
    """Request the proofs of an entry, status and receipt; the meter applies nothing."""
    asked = ask_about(session, journal, hint, entry)
    told = ask_receipt(session, outgoing(session, journal, entry))
    proofs = Proofs(told.receipt, asked.status, voids=journal.void_codes(entry))
    return conclude(entry, proofs), told, asked


def _settle_open(session: Session, journal: Journal, hint: MeterIdentity, entry: Entry) -> Settled:
    """Settle an entry by proof; without one send its bytes again, or void them."""
    conclusion, told, asked = _ask_for_proof(session, journal, hint, entry)
    if conclusion is not None:
        return write_down(session, journal, entry, conclusion, told)
    if not entry.lives_in(asked.meter.epoch):
        raise NotPermittedError(
            f"journal entry {entry.id} is of epoch {entry.epoch:08x}; the meter's storage is now "
            f"{asked.meter.epoch:08x}, so this meter cannot prove its outcome. To close it "
            f"without proof: --as confirmed|refused",
            serial_number=entry.meter,
            entry=entry.id,
        )
    if entry.state is EntryState.ON_CARD:
        raise NotPermittedError(
            f"{on_card_text(entry)}; the card's write-back settles it, or "
            f"{voiding_command(entry)} ends it",
            serial_number=entry.meter,
            entry=entry.id,
        )
    if asked.meter.credit_sequence < entry.sequence - 1:
        raise NotPermittedError(
            f"meter {entry.meter}: it stands at sequence {asked.meter.credit_sequence}, "
            f"entry {entry.id} was sealed "
            f"for {entry.sequence}: its storage was set back. Nothing was sent",
            serial_number=entry.meter,
            entry=entry.id,
        )
    may_send = not entry.is_former and session.ring.may_use(
        entry.key_version, journal.proofs.floor(entry.meter)
    )
    if entry.card or not may_send or asked.meter.credit_sequence >= entry.sequence:
        conclusion, proof = void(session, journal, hint, entry, asked)
        return write_down(session, journal, entry, conclusion, proof)
    return settle(session, journal, hint, entry)


# ---- sales on cards, voided by wire


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The results of voiding a meter's card sales; `owed` to the customer in 0.01."""

    entries: list[Entry] = field(default_factory=list)

    @property
    def owed(self) -> int:
        """The sum of the sales that can never be applied."""
        return sum(entry.amount for entry in self.entries if entry.state is EntryState.REFUSED)


def carried_by_cards(session: Session, journal: Journal, *, erased_only: bool) -> list[Entry]:
    """Return the sales on cards that the meter on the port could still accept, by its registers.

    Args:
        erased_only: only sales whose card was erased at the vending point.
    """
    if not journal.carried():
        return []
    hint = session.identify()
    carried = [
        e for e in journal.open_entries(hint.serial_number) if e.card and e.lives_in(hint.epoch)
    ]
    if erased_only:
        carried = [entry for entry in carried if entry.state is not EntryState.ON_CARD]
    return carried


def withdraw_cards(
    session: Session,
    journal: Journal,
    *,
    erased_only: bool,
    tell: Callable[[Entry], None] = lambda _: None,
) -> Withdrawn:
    """Void the sales on cards for the meter on the port, so that it can be topped up by wire.

    Args:
        tell: called with each entry as it is settled, also if a later one fails.

    Raises:
        NotPermittedError: the meter was set back, or the journal is a copy; no further sale was
            voided.
        UnknownOutcomeError: the outcome of a sale is not proved; it stays open.
    """
    withdrawn = Withdrawn()
    carried = carried_by_cards(session, journal, erased_only=erased_only)
    if not carried:
        return withdrawn
    hint = session.identify()
    require_payee(session, journal, hint.serial_number)
    for entry in carried:
        ended = withdraw(session, journal, hint, entry)
        withdrawn.entries.append(ended)
        tell(ended)
        with suppress(
            UsageError
        ):  # the entry is settled: the amount owed is reported even if the journal is locked
            journal.audit(
                "withdrawn",
                session.now(),
                meter=entry.meter,
                card=entry.card,
                amount=ended.amount,
                detail=f"entry {entry.id} {ended.state.value}",
            )
    return withdrawn


def withdraw(session: Session, journal: Journal, hint: MeterIdentity, entry: Entry) -> Entry:
    """Void a sale on a card, unless the meter has accepted it.

    Returns:
        The entry, confirmed or refused; refused, its amount is owed to the customer.

    Raises:
        NotPermittedError: the meter was set back, or the journal is a copy; nothing was voided.
        UnknownOutcomeError: neither was proved; the entry stays open.
    """
    with (
        journal.locks.alone_with(entry.meter, session.ticks, session.pause),
        bytes_are_out(session, journal, entry, NOTHING_LEARNT),
    ):
        entry = journal.entry(entry.id)
        if not entry.is_open:
            return entry
        conclusion, told, asked = _ask_for_proof(session, journal, hint, entry)
        if conclusion is None:
            if not entry.lives_in(asked.meter.epoch):
                raise NotPermittedError(
                    f"{on_card_text(entry)}, for another storage of this meter; nothing was voided"
                )
            require_voidable(session, journal, hint, entry, asked)
            entry = journal.settle(entry, EntryEvent.VOID_BEGUN, session.now())
            conclusion, told = void(session, journal, hint, entry, asked)
        with suppress(RefusedError):
            write_down(session, journal, entry, conclusion, told)
        return journal.entry(entry.id)
