"""Account operations by wire: top up, open, refund, debt, close; sale keys; key versions."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from unicodedata import is_normalized

from meterctl.errors import BusyError, RefusedError, UnknownOutcomeError, UsageError
from meterctl.journal import Entry, EntryState, Journal
from meterctl.operations.account_refusals import explain
from meterctl.operations.entry_results import Settled
from meterctl.operations.exactly_once import (
    BegunBeforeError,
    Sale,
    ready_for,
    sell_exactly_once,
    settle,
)
from meterctl.operations.resolution import resolve_entry
from meterctl.operations.sealing import enter, refuse_for_open, require_nothing_open, void_message
from meterctl.operations.status import ProvedMeter, ask_status, require_payee
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
    """Deliver a planned sale exactly once; a refused amount is explained."""
    try:
        return sell_exactly_once(session, journal, planned.meter, planned.sale)
    except BegunBeforeError as begun:
        sale = planned.sale
        known = known_sale(
            journal, sale.reference, sale.kind, sale.amount, planned.meter.serial_number
        )
        return go_on(session, journal, planned.meter, known or begun.entry)
    except RefusedError as refusal:
        explain(session.driver, planned.sale.kind, refusal)
        raise


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
        resolved = resolve_entry(session, journal, hint, known)
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


def require_sale_key(key: str) -> str:
    """Return a sale key of 1 to 64 printable characters.

    One that looks like another is refused: with blanks at its ends, or characters in parts (NFC).

    Raises:
        UsageError: it is no such key.
    """
    if not (key.strip() and key.isprintable() and len(key) <= MAX_SALE_KEY):
        raise UsageError(
            f"sale {key!r}: a key has 1 to {MAX_SALE_KEY} printable characters; nothing was sealed"
        )
    if key != key.strip():
        raise UsageError(f"sale {key!r}: a key has no blanks at its ends; nothing was sealed")
    if not is_normalized("NFC", key):
        raise UsageError(
            f"sale {key!r}: its accents are characters of their own, and another key looks the "
            f"same: write it in composed characters (NFC); nothing was sealed"
        )
    return key


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
