"""Postings of sales (UTILITY 4)."""

from __future__ import annotations

from collections.abc import Iterable

from meterctl.utility.rules.allocation import Part, spread
from meterctl.utility.rules.money import difference
from meterctl.utility.rules.postings.accounts import (
    Account,
    Transfers,
    in_meter,
    meter_debt,
    payable,
    receivable,
    undelivered,
)
from meterctl.utility.rules.postings.moves import move, per_bill


def paid_for_sale(paid_into: Account, agreement: int, amount: int) -> Transfers:
    """Row "paid for a sale": W/undelivered A, into a shift's cash or a bank's transit."""
    return move(paid_into, undelivered(agreement), amount)


def cancelled_in_shift(paid_into: Account, agreement: int, amount: int) -> Transfers:
    """Row "cancelled in its shift": undelivered/W A, the account into which it was paid."""
    return move(undelivered(agreement), paid_into, amount)


def not_delivered(agreement: int, amount: int) -> Transfers:
    """Rows "cancelled later" and "proved dead": undelivered/payable A."""
    return move(undelivered(agreement), payable(agreement), amount)


def delivered(
    agreement: int,
    amount: int,
    to_debt_before: int,
    to_debt_now: int,
    debts: Iterable[Part],
) -> Transfers:
    """Row "delivered": undelivered/meter_debt D, the oldest bill first; undelivered/in_meter A-D.

    D = Δc(T). Where the meter took more for debt than is booked as its debt, the rest stays in
    `in_meter`, and I3 shows it.

    Args:
        to_debt_before: T, the sum of to_debt of the epoch's delivered sales; exact units.
        to_debt_now: T with this sale.
        debts: what lies in the meter of each bill, the oldest first.
    """
    parts = spread(difference(to_debt_now, to_debt_before), debts).parts
    to_debt = sum(part.amount for part in parts)
    return (
        *per_bill(undelivered(agreement), meter_debt(agreement), parts),
        *move(undelivered(agreement), in_meter(agreement), amount - to_debt),
    )


def paid_out(agreement: int, paid_from: Account, amount: int) -> Transfers:
    """Row "paid out": payable/W."""
    return move(payable(agreement), paid_from, amount)


def moved_claim(agreement: int, amount: int, claim: int | None) -> Transfers:
    """Row "sold again", of a moved sale: receivable/payable, what its meter could not give back.

    Args:
        amount: of the sale, less what was refunded.
        claim: the bill of the claim; not used where nothing is missing.
    """
    return move(receivable(agreement), payable(agreement), amount, claim)


def sold_again(owed_by: int, agreement: int, amount: int) -> Transfers:
    """Rows "sold again", also to another agreement, and "carried into the new epoch by its open".

    payable/undelivered: what is owed on the first agreement pays a sale on the second.
    """
    return move(payable(owed_by), undelivered(agreement), amount)
