"""Orders of the credit class on a wire: carried out, settled, voided; each under its key."""

from __future__ import annotations

from dataclasses import dataclass

from meterctl.errors import UsageError
from meterctl.journal import Entry, EntryState, Journal
from meterctl.operations.credit import Plan, execute, go_on, known_sale, require_sale_key
from meterctl.operations.entry_proofs import ask_for_proof
from meterctl.operations.exactly_once import Sale
from meterctl.operations.resolution import identify_for, resolve_entry
from meterctl.operations.status import require_payee
from meterctl.operations.withdrawal import withdraw
from meterctl.session import MeterIdentity, Session
from meterctl.utility.meters.gateway.expected import with_expected
from meterctl.utility.meters.gateway.outcomes import CreditKind, Outcome, outcomes_of
from meterctl.utility.meters.gateway.places import MeterPlace
from protocols.data_model.items import CUSTOMER_NUMBER
from protocols.errors import QuantityError
from protocols.quantities import CENT, MONEY_LIMIT, format_money
from protocols.sealed_message import ANY_CUSTOMER, Answer, Receipt


@dataclass(frozen=True, slots=True)
class CreditOrder:
    """A checked order: `amount` in 0.01; `customer` has 12 digits, and is told by an opening.

    `epoch` is that of the only storage for which it may be sealed; None: any.
    """

    meter: str
    key: str
    kind: CreditKind
    amount: int
    customer: str
    epoch: int | None = None

    @classmethod
    def checked(
        cls,
        meter: str,
        key: str,
        kind: CreditKind,
        amount: int,
        customer: str = ANY_CUSTOMER,
        epoch: int | None = None,
    ) -> CreditOrder:
        """Return an order that can be.

        Raises:
            UsageError: a key, an amount or a customer number that no meter takes.
        """
        require_sale_key(key)
        least = 0 if kind in (CreditKind.OPEN, CreditKind.CLOSE) else 1
        most = 0 if kind is CreditKind.CLOSE else MONEY_LIMIT // CENT
        if not least <= amount <= most:
            raise UsageError(
                f"{kind} of {format_money(amount * CENT)}: allowed is {format_money(least * CENT)} "
                f"to {format_money(most * CENT)}; nothing was sealed",
                serial_number=meter,
            )
        try:
            number = str(CUSTOMER_NUMBER.kind.parse(customer))
        except QuantityError as error:
            raise UsageError(f"customer {error}; nothing was sealed") from error
        return cls(meter, key, kind, amount, number, epoch)

    def require_card(self) -> None:
        """Raise UsageError for a kind that no card carries."""
        if self.kind not in (CreditKind.OPEN, CreditKind.CREDIT):
            raise UsageError(
                f"a card carries no {self.kind}: it needs a wire; nothing was sealed",
                serial_number=self.meter,
            )

    def entry(self, journal: Journal) -> Entry | None:
        """Return the newest entry of the key, None for a new one.

        Raises:
            UsageError: the journal has the key with another amount, kind or meter.
        """
        return known_sale(journal, self.key, self.kind.message_kind, self.amount, self.meter)


@dataclass(frozen=True, slots=True)
class Tried:
    """What a try brought beside what the journal holds: an unsealed answer, a verified receipt."""

    answer: Answer | None = None
    receipt: Receipt | None = None


NOTHING = Tried()


def is_settled(entry: Entry | None) -> bool:
    """Return whether an entry is settled by a proof; then its key needs no wire."""
    return entry is not None and not entry.is_open and not entry.is_closed_by_hand


def sell(session: Session, journal: Journal, order: CreditOrder) -> Tried:
    """Carry out an order, or go on with its entry; raises as `credit.execute` and `go_on`."""
    known = order.entry(journal)
    if known is not None:
        settled = go_on(session, journal, _identified(session, journal, known), known)
    else:
        customer = order.customer if order.kind is CreditKind.OPEN else None
        sale = Sale(order.kind.message_kind, order.amount, customer, order.key, order.epoch)
        settled = with_expected(
            session, journal, lambda hint: execute(session, journal, Plan(hint, sale))
        )
    return Tried(settled.answer, settled.receipt)


def resolve(session: Session, journal: Journal, key: str) -> Tried:
    """Settle the entry of a key, or fetch the receipt that it lacks.

    Raises:
        MeterctlError: it stays as it is, and why; or it was refused now.
    """
    entry = journal.find_reference(key)
    if entry is None or not can_tell_more(entry):
        return NOTHING
    hint = _identified(session, journal, entry)
    if is_settled(entry):
        _, told, _ = ask_for_proof(session, journal, hint, entry)
        return Tried(receipt=told.receipt)
    resolved = resolve_entry(session, journal, hint, entry)
    if resolved.error is not None and not _is_proved_refusal(resolved.entry):
        raise resolved.error
    return NOTHING


def settle_open(session: Session, journal: Journal) -> tuple[Outcome, ...]:
    """Settle the open entries of the meter that the session names, as far as that is proved.

    Raises:
        MeterctlError: why the first of those that stay open does.
    """
    assert session.payee is not None
    entries = journal.open_entries(session.payee)
    if not entries:
        return ()
    hint = _identified(session, journal, entries[0])
    resolved = [resolve_entry(session, journal, hint, entry) for entry in entries]
    for each in resolved:
        if each.error is not None and each.entry.is_open:
            raise each.error
    return outcomes_of(journal, entries)


def void(session: Session, journal: Journal, key: str) -> Tried:
    """End the open entry of a key by a void, unless its meter has accepted it; audited.

    Raises:
        MeterctlError: it stays open, and why.
    """
    entry = journal.find_reference(key)
    if entry is None or not entry.is_open:
        return NOTHING
    ended = withdraw(session, journal, _identified(session, journal, entry), entry)
    journal.audit(
        "withdrawn",
        session.now(),
        meter=entry.meter,
        card=entry.card,
        amount=entry.amount,
        detail=f"entry {entry.id} {ended.state.value}",
    )
    return NOTHING


def can_tell_more(entry: Entry | None) -> bool:
    """Return whether its meter could tell more about the entry of a key."""
    return entry is not None and (not is_settled(entry) or _lacks_receipt(entry))


def _lacks_receipt(entry: Entry) -> bool:
    return entry.state is EntryState.CONFIRMED and not entry.receipt


def _is_proved_refusal(entry: Entry) -> bool:
    return entry.state is EntryState.REFUSED and not entry.is_closed_by_hand


def _identified(session: Session, journal: Journal, entry: Entry) -> MeterIdentity:
    """Return the identity that the meter shows; raises AnotherMeterError for another one."""
    hint = identify_for(session, journal, [entry])
    require_payee(session, journal, hint.serial_number)
    return hint


def require_place(journal: Journal, place: MeterPlace, key: str) -> Entry | None:
    """Return the newest entry of a key, None for a new one.

    Raises:
        UsageError: it is of another meter than that of the place.
    """
    entry = journal.find_reference(require_sale_key(key))
    if entry is not None and entry.meter != place.serial:
        raise UsageError(
            f"sale {key}: journal entry {entry.id} is of meter {entry.meter}, the place is of "
            f"{place.serial}; nothing was sent",
            serial_number=entry.meter,
            entry=entry.id,
        )
    return entry
