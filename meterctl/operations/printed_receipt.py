"""The receipt of a journal entry as a customer gets it: only of a sale that a meter has taken.

It is drawn from the journal alone. A print is counted before it is printed.
"""

from __future__ import annotations

from dataclasses import dataclass

from meterctl.errors import CorruptAnswerError, RefusedError, UnknownOutcomeError, UsageError
from meterctl.journal import Entry, EntryFilter, EntryState, Journal, Print
from meterctl.journal.entries import OPEN, SALES
from protocols.errors import MalformedMessageError
from protocols.quantities import CENT, format_money
from protocols.sealed_message import MessageKind, Receipt

_UNPRINTED = "No receipt was printed"
_NO_CUSTOMER = "0" * 12
_PURCHASES = (MessageKind.OPEN, MessageKind.CREDIT)
EXACT_DECIMALS = 10


@dataclass(frozen=True, slots=True)
class PrintedReceipt:
    """A receipt: its entry, what the meter proved of it, and which print it is.

    `amount` is in ledger units, `printed_at` in s since 1970 UTC. `receipt` is None where the meter
    proved the sale without one; `made` is None for a specimen, which is not counted.
    `purchase_count` is the meter's number of the purchase, None where the journal cannot prove it.
    """

    entry: Entry
    number: str
    kind: MessageKind
    amount: int
    account_unit: int | None
    customer_number: str | None
    receipt: Receipt | None
    purchase_count: int | None
    voided: Entry | None
    made: Print | None
    printed_at: int

    @property
    def is_sale(self) -> bool:
        """Whether the customer has bought with it."""
        return self.kind in _PURCHASES

    @property
    def to_credit(self) -> int | None:
        """The part of a purchase that is neither taken for overdraft nor for debt, else None."""
        if self.receipt is None or not self.is_sale:
            return None
        return self.amount - self.receipt.to_overdraft - self.receipt.to_debt

    @property
    def proof(self) -> str:
        """What proved the sale: the meter's `receipt`, its `status`, or a person `by_hand`."""
        if self.entry.is_closed_by_hand:
            return "by_hand"
        return "status" if self.receipt is None else "receipt"


@dataclass(frozen=True, slots=True)
class Sum:
    """A sum of a receipt in ledger units: the first term, what is added, and the result."""

    first: int
    added: tuple[int, ...]
    result: int

    @property
    def is_right(self) -> bool:
        """Whether it adds up, to the last unit."""
        return self.first + sum(self.added) == self.result


def newest_entry(journal: Journal, meter: str | None = None) -> Entry:
    """Return the newest entry of a journal or of a meter, whatever its state.

    An older one would be another customer's. Voids that were sealed for an entry do not count.

    Raises:
        UsageError: there is none.
    """
    rows = journal.entry_list.newest(EntryFilter(meter), _LOOKED_AT)
    found = [entry for entry in rows if not entry.void_of]
    if not found:
        whom = f" of meter {meter}" if meter else ""
        raise UsageError(f"journal {journal.path}: it has no entry{whom}. {_UNPRINTED}")
    return found[-1]


_LOOKED_AT = 64
"""Newest entries among which one is looked for that is no void: an entry has few voids."""


def entry_of_sale(journal: Journal, key: str) -> Entry:
    """Return the newest entry of a sale key; raises UsageError if there is none."""
    entry = journal.find_reference(key)
    if entry is None:
        raise UsageError(f"journal {journal.path}: there is no sale {key}. {_UNPRINTED}")
    return entry


def print_receipt_of(
    journal: Journal, number: int, now: int, *, specimen: bool = False
) -> PrintedReceipt:
    """Return the receipt of an entry, and count its print; a specimen is not counted.

    Args:
        now: s since 1970 UTC.

    Raises:
        RefusedError: no meter is proved to have taken the entry.
        UnknownOutcomeError: it may have been taken or not.
        CorruptAnswerError: the meter's receipt is of another message, or does not add up.
    """
    with journal.together():
        entry = journal.entry(number)
        _require_confirmed(journal, entry)
        receipt = _receipt_of(entry)
        made = None if specimen else journal.prints.add(entry.id, now)
        message = entry.sealed
        customer = None if message is None else message.customer_number
        return PrintedReceipt(
            entry,
            f"{entry.origin.journal or journal.numbers.current:08x}-{entry.id}",
            MessageKind[entry.kind.upper()],
            entry.amount * CENT,
            None if message is None else message.account_unit,
            None if customer == _NO_CUSTOMER else customer,
            receipt,
            None if receipt is None else _purchase_count(journal, entry, receipt),
            journal.entry(entry.void_of) if entry.void_of else None,
            made,
            now,
        )


_NOTHING = "nothing was credited"
_REFUSED = {
    "refund": "nothing was taken back",
    "debt": "no debt was entered",
    "close": "the account was not closed",
    "void": "nothing was voided",
}
"""Kind -> what a refusal means; for a purchase `_NOTHING`."""


def _require_confirmed(journal: Journal, entry: Entry) -> None:
    """Refuse an entry that is not confirmed, with what it is and what to do."""
    which = (
        f"journal entry {entry.id} ({entry.kind} {format_money(entry.amount * CENT)}, meter "
        f"{entry.meter})"
    )
    settles = f"meterctl --port ... journal resolve {entry.id} asks the meter"
    match entry.state:
        case EntryState.CONFIRMED:
            return
        case EntryState.UNKNOWN:
            raise UnknownOutcomeError(
                f"{which} may have been applied or not: {settles}. {_UNPRINTED}",
                serial_number=entry.meter,
                entry=entry.id,
            )
        case EntryState.PREPARED:
            why = f"is prepared, and no meter is proved to have it: {settles}"
        case EntryState.ON_CARD:
            why = (
                f"is on card {entry.card}, and its meter is not proved to have taken it: insert "
                f"the card into the meter, then meterctl card read; or {settles}"
            )
        case EntryState.REFUSED:
            why = f"is refused ({entry.outcome}): {_REFUSED.get(entry.kind, _NOTHING)}"
            if prints := len(journal.prints.of(entry.id)):
                why += f"; its receipt was printed before ({prints}): take it back"
    raise RefusedError(
        f"{which} {why}. {_UNPRINTED}",
        outcome=entry.outcome or None,
        serial_number=entry.meter,
        entry=entry.id,
    )


def _receipt_of(entry: Entry) -> Receipt | None:
    """Return the meter's receipt of an entry, None where the entry was proved without one.

    Raises:
        CorruptAnswerError: it is not of this entry, or does not add up.
    """
    if not entry.receipt:
        return None
    try:
        receipt = Receipt.decode(entry.receipt)
    except MalformedMessageError as error:
        raise _wrong(entry, str(error)) from error
    if (receipt.code, receipt.sequence, receipt.amount) != (
        entry.code,
        entry.sequence,
        entry.amount,
    ):
        raise _wrong(entry, "it is of another message")
    checked = sum_of(receipt)
    if not checked.is_right:
        terms = " + ".join(exact_money(term) for term in (checked.first, *checked.added))
        raise _wrong(entry, f"{terms} is not {exact_money(checked.result)}")
    return receipt


def _wrong(entry: Entry, why: str) -> CorruptAnswerError:
    return CorruptAnswerError(
        f"journal entry {entry.id}: the meter's receipt cannot be printed: {why}. meterctl "
        f"journal show {entry.id} shows it. {_UNPRINTED}",
        serial_number=entry.meter,
        entry=entry.id,
    )


def _purchase_count(journal: Journal, entry: Entry, receipt: Receipt) -> int | None:
    """Return the meter's number of a purchase, None where the journal cannot prove it.

    No receipt names it. The sales of this journal are all purchases of the meter where their sum
    is the meter's own total, and no other seller can have opened the account with 0.00: the
    opening is in this journal, or every message of the meter is.
    """
    if receipt.kind not in _PURCHASES:
        return None
    _, total = journal.confirmed_sum(entry.meter, entry.epoch, entry.sequence)
    if total * CENT != receipt.cumulative:
        return None
    known = [
        other
        for other in journal.confirmed(entry.meter, entry.epoch)
        if other.sequence <= entry.sequence
    ]
    if entry.id not in (other.id for other in known):  # from before a set-back of the storage
        return None
    sales = [other for other in known if other.kind in SALES]
    is_whole = {other.sequence for other in known} == set(range(1, entry.sequence + 1))
    return len(sales) if is_whole or any(other.kind == OPEN for other in sales) else None


def sum_of(receipt: Receipt) -> Sum:
    """Return the sum by which a receipt's credit before becomes its credit after."""
    amount = receipt.amount * CENT
    added: tuple[int, ...]
    match receipt.kind:
        case MessageKind.OPEN | MessageKind.CREDIT:
            added = (amount, -receipt.to_debt) if receipt.to_debt else (amount,)
        case MessageKind.REFUND:
            added = (-amount,)
        case MessageKind.CLOSE:
            added = (-receipt.settlement,)
        case _:
            added = ()
    return Sum(receipt.credit_before, added, receipt.credit_after)


def exact_money(ledger: int) -> str:
    """Write an amount with the decimals that it has, at least two: shown sums add up."""
    text = format_money(ledger, EXACT_DECIMALS)
    whole, _, part = text.partition(".")
    return f"{whole}.{part[:2]}{part[2:].rstrip('0')}"


def payable(ledger: int) -> int:
    """Return the part of a balance that can be paid, in 0.01 without sign, cut towards zero."""
    return abs(ledger) // CENT
