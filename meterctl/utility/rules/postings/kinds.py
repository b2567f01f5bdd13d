"""Which transfers an entry of each kind may have: the pairs that its rows of UTILITY 4 make.

`PAIRS` says for each function of `rules.postings` between which kinds of accounts it moves money;
`ENTRY_PAIRS` says the same for each kind of entry, by the functions that book it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from meterctl.utility.rules.postings.accounts import AccountKind
from meterctl.utility.rules.transitions import SaleEvent

Pair = tuple[AccountKind, AccountKind]
"""Kinds of the account that is debited and of the one that is credited."""

_CASH, _TRANSIT = AccountKind.CASH, AccountKind.TRANSIT
_BANK, _SUSPENSE = AccountKind.BANK, AccountKind.SUSPENSE
_UNDELIVERED, _IN_METER = AccountKind.UNDELIVERED, AccountKind.IN_METER
_ADVANCE, _PAYABLE = AccountKind.ADVANCE, AccountKind.PAYABLE
_RECEIVABLE, _METER_DEBT = AccountKind.RECEIVABLE, AccountKind.METER_DEBT
_ENERGY, _STANDING = AccountKind.REVENUE_ENERGY, AccountKind.REVENUE_STANDING
_TAKEN_OVER, _DIFFERENCE = AccountKind.TAKEN_OVER, AccountKind.TILL_DIFFERENCE

PAIRS: Mapping[str, frozenset[Pair]] = MappingProxyType(
    {
        "allocated": frozenset({(_ADVANCE, _RECEIVABLE)}),
        "arrears_accepted": frozenset({(_METER_DEBT, _RECEIVABLE)}),
        "bank_line_matched": frozenset({(_SUSPENSE, _ADVANCE)}),
        "bank_line_sent_back": frozenset({(_SUSPENSE, _TRANSIT)}),
        "bank_line_unowned": frozenset({(_TRANSIT, _SUSPENSE)}),
        "bank_statement": frozenset(
            {(_BANK, _TRANSIT), (_TRANSIT, _BANK), (AccountKind.FEES, _TRANSIT)}
        ),
        "cancelled_in_shift": frozenset({(_UNDELIVERED, _CASH), (_UNDELIVERED, _TRANSIT)}),
        "cash_banked": frozenset({(_TRANSIT, _CASH)}),
        "cash_difference": frozenset({(_DIFFERENCE, _CASH), (_CASH, _DIFFERENCE)}),
        "debt_after_epoch": frozenset({(_RECEIVABLE, _METER_DEBT)}),
        "debt_set_back": frozenset({(_METER_DEBT, _PAYABLE), (_RECEIVABLE, _METER_DEBT)}),
        "debt_taken": frozenset({(_IN_METER, _METER_DEBT)}),
        "delivered": frozenset({(_UNDELIVERED, _METER_DEBT), (_UNDELIVERED, _IN_METER)}),
        "epoch_closed": frozenset({(_IN_METER, _PAYABLE), (_RECEIVABLE, _IN_METER)}),
        "epoch_lost": frozenset(
            {(_IN_METER, _ENERGY), (_IN_METER, _PAYABLE), (_RECEIVABLE, _IN_METER)}
        ),
        "float_made_up": frozenset({(_CASH, _TRANSIT)}),
        "moved_claim": frozenset({(_RECEIVABLE, _PAYABLE)}),
        "not_delivered": frozenset({(_UNDELIVERED, _PAYABLE)}),
        "not_taken": frozenset({(_IN_METER, _PAYABLE)}),
        "paid_for_bills": frozenset({(_CASH, _ADVANCE), (_TRANSIT, _ADVANCE)}),
        "paid_for_sale": frozenset({(_CASH, _UNDELIVERED), (_TRANSIT, _UNDELIVERED)}),
        "paid_out": frozenset({(_PAYABLE, _CASH), (_PAYABLE, _TRANSIT)}),
        "payment_bounced": frozenset(
            {
                (_RECEIVABLE, _ADVANCE),
                (_ADVANCE, _CASH), (_ADVANCE, _TRANSIT),
                (_RECEIVABLE, _CASH), (_RECEIVABLE, _TRANSIT),
            }
        ),
        "payment_moved": frozenset({(_ADVANCE, _ADVANCE)}),
        "payment_refunded": frozenset({(_ADVANCE, _PAYABLE)}),
        "reading_accepted": frozenset(
            {(_IN_METER, _ENERGY), (_IN_METER, _STANDING), (_IN_METER, _METER_DEBT)}
        ),
        "rebate_granted": frozenset(
            {(AccountKind.REBATE, _ADVANCE), (AccountKind.REBATE, _UNDELIVERED)}
        ),
        "refund_proved": frozenset({(_IN_METER, _PAYABLE)}),
        "sale_bounced": frozenset({(_RECEIVABLE, _CASH), (_RECEIVABLE, _TRANSIT)}),
        "set_off": frozenset({(_PAYABLE, _RECEIVABLE)}),
        "sold_again": frozenset({(_PAYABLE, _UNDELIVERED)}),
        "taken_after_all": frozenset({(_PAYABLE, _IN_METER), (_RECEIVABLE, _IN_METER)}),
        "taken_back_for_move": frozenset({(_RECEIVABLE, _ADVANCE)}),
        "taken_over": frozenset(
            {
                (_TAKEN_OVER, _IN_METER), (_IN_METER, _TAKEN_OVER), (_TAKEN_OVER, _ADVANCE),
                (_METER_DEBT, _TAKEN_OVER), (_RECEIVABLE, _TAKEN_OVER),
            }
        ),
        "transfer_taken_over": frozenset({(_IN_METER, _IN_METER)}),
        "unexplained_credit": frozenset({(_TRANSIT, _IN_METER), (_RECEIVABLE, _IN_METER)}),
    }
)  # fmt: skip
"""Name of a function of `rules.postings` -> the pairs of kinds of its transfers."""

_ACCEPTED = (SaleEvent.CONFIRMED, SaleEvent.RECEIPT, SaleEvent.RESOLVED_DELIVERED)
_NOT_DELIVERED = (
    SaleEvent.CANCEL_LATER, SaleEvent.WORKER_GONE, SaleEvent.REFUSED, SaleEvent.VOIDED,
    SaleEvent.RESOLVED_DEAD, SaleEvent.SETTLED_AS_DEAD,
)  # fmt: skip
_BOOKED_BY: dict[str, tuple[str, ...]] = {
    "sale_taken": ("paid_for_sale",),
    "sale_moved": ("moved_claim", "sold_again"),
    **{f"sale_{event}": ("delivered",) for event in (*_ACCEPTED, SaleEvent.SETTLED_AS_DELIVERED)},
    **{f"sale_{event}": ("not_delivered",) for event in _NOT_DELIVERED},
    f"sale_{SaleEvent.CANCEL}": ("cancelled_in_shift",),
    f"sale_{SaleEvent.PROOF_DELIVERED}": ("taken_after_all", "debt_taken"),
    f"sale_{SaleEvent.PROOF_DEAD}": ("not_taken",),
    f"sale_{SaleEvent.PAYOUT}": ("paid_out",),
    f"sale_{SaleEvent.SELL_AGAIN}": ("sold_again",),
    **{f"refund_{event}": ("refund_proved",) for event in _ACCEPTED},
    **{f"debt_{event}": ("arrears_accepted",) for event in _ACCEPTED},
    "payment_taken": ("paid_for_bills",),
    "payment_matched": ("bank_line_matched",),
    "payment_moved": ("taken_back_for_move", "payment_moved"),
    "payment_bounced": ("payment_bounced", "sale_bounced"),
    "refund": ("payment_refunded", "paid_out"),
    "allocation": ("allocated",),
    "allocated": ("allocated",),
    "bank_suspense": ("bank_line_unowned",),
    "bank_sent_back": ("bank_line_sent_back",),
    "bank_statement": ("bank_statement",),
    "shift_closed": ("cash_difference", "cash_banked", "float_made_up"),
    "reading": ("reading_accepted",),
    "debt_taken": ("debt_taken",),
    "epoch_ended": ("epoch_lost", "debt_after_epoch", "debt_set_back"),
    "set_off": ("set_off",),
    "explained": ("unexplained_credit", "debt_taken"),
    "taken_over": ("taken_over",),
}

ENTRY_PAIRS: Mapping[str, frozenset[Pair]] = MappingProxyType(
    {
        kind: frozenset().union(*(PAIRS[name] for name in functions))
        for kind, functions in _BOOKED_BY.items()
    }
)
"""Kind of an entry -> the pairs of kinds of accounts that its transfers may have."""
