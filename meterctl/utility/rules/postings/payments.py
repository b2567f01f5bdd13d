"""Postings of payments for bills, of cash and of rebates (UTILITY 4)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from meterctl.utility.rules.allocation import Part, Spread, spread, taken_back
from meterctl.utility.rules.postings.accounts import (
    REBATE,
    TILL_DIFFERENCE,
    Account,
    Transfers,
    advance,
    cash,
    payable,
    receivable,
    transit,
    undelivered,
)
from meterctl.utility.rules.postings.moves import move, move_signed, per_bill


def paid_for_bills(paid_into: Account, agreement: int, amount: int) -> Transfers:
    """Row "paid for bills": W/advance, in any mode."""
    return move(paid_into, advance(agreement), amount)


def payment_moved(wrong: int, right: int, amount: int) -> Transfers:
    """Row "paid for bills; booked on the wrong one": advance/advance."""
    return move(advance(wrong), advance(right), amount)


def taken_back_for_move(agreement: int, parts: Iterable[Part]) -> Transfers:
    """Row "booked on the wrong one", of a payment that paid bills: receivable/advance, per bill."""
    return per_bill(receivable(agreement), advance(agreement), parts)


def payment_refunded(agreement: int, amount: int) -> Transfers:
    """Row "paid for bills; refunded": advance/payable."""
    return move(advance(agreement), payable(agreement), amount)


def allocated(agreement: int, available: int, bills: Iterable[Part]) -> Transfers:
    """Row "allocation": advance/receivable, per bill.

    Args:
        available: the balance of advance.
        bills: what is open of each bill, the oldest due first.
    """
    return per_bill(advance(agreement), receivable(agreement), spread(available, bills).parts)


def payment_bounced(
    agreement: int,
    paid_into: Account,
    amount: int,
    available: int,
    allocations: Sequence[Part],
    claim: int | None,
) -> Transfers:
    """Row "bounced": allocations go back, the newest first, until advance covers it.

    receivable/advance per bill; advance/W; what is missing receivable/W, a claim.

    Args:
        available: the balance of advance.
        allocations: those of the agreement that still stand, in the order in which they were made.
        claim: the bill of the claim; not used where nothing is missing.
    """
    back: Spread = taken_back(amount - available, allocations)
    return (
        *per_bill(receivable(agreement), advance(agreement), back.parts),
        *move(advance(agreement), paid_into, amount - back.rest),
        *move(receivable(agreement), paid_into, back.rest, claim),
    )


def sale_bounced(agreement: int, paid_into: Account, amount: int, claim: int) -> Transfers:
    """Row "bounced", the payment of a sale that is delivered: receivable/W, a claim."""
    return move(receivable(agreement), paid_into, amount, claim)


def cash_banked(shift: int, bank: int, amount: int) -> Transfers:
    """Row "cash banked": transit/cash."""
    return move(transit(bank), cash(shift), amount)


def float_made_up(shift: int, bank: int, amount: int) -> Transfers:
    """Row "short", of more than the booked cash: cash/transit, the bank makes the float up."""
    return move(cash(shift), transit(bank), amount)


def cash_difference(shift: int, difference_found: int) -> Transfers:
    """Rows "short" and "over": till_difference/cash; reversed where there is more than booked.

    Args:
        difference_found: counted - float - cash as booked; negative where cash is short.
    """
    return move_signed(TILL_DIFFERENCE, cash(shift), -difference_found)


def rebate_granted(agreement: int, amount: int, *, by_sale: bool) -> Transfers:
    """Row "rebate": rebate/advance; in meter mode rebate/undelivered, for a sale of any amount."""
    return move(REBATE, undelivered(agreement) if by_sale else advance(agreement), amount)
