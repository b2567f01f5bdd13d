"""Postings of what meters have charged, taken and lost (UTILITY 4)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from meterctl.utility.errors import Invalid
from meterctl.utility.rules.allocation import Part, spread
from meterctl.utility.rules.money import difference
from meterctl.utility.rules.postings.accounts import (
    REVENUE_ENERGY,
    REVENUE_STANDING,
    Account,
    Transfer,
    Transfers,
    in_meter,
    meter_debt,
    payable,
    receivable,
)
from meterctl.utility.rules.postings.moves import move, move_signed, open_parts, per_bill


@dataclass(frozen=True, slots=True)
class Books:
    """Cumulative values of an epoch's books in exact units, of one reading."""

    consumption: int
    standing: int
    instalments: int


def reading_accepted(agreement: int, before: Books, now: Books, debts: Iterable[Part]) -> Transfers:
    """Row "reading accepted": Δc each of consumption, standing charge and instalments.

    in_meter/revenue_energy, in_meter/revenue_standing, in_meter/meter_debt, the oldest bill first.

    Args:
        before: the books as they were last booked in this epoch.
        debts: what lies in the meter of each bill, the oldest first.

    Raises:
        Invalid: a cumulative value is lower than before.
    """
    return (
        *move(in_meter(agreement), REVENUE_ENERGY, difference(now.consumption, before.consumption)),
        *move(in_meter(agreement), REVENUE_STANDING, difference(now.standing, before.standing)),
        *debt_taken(agreement, before.instalments, now.instalments, debts),
    )


def debt_taken(agreement: int, before: int, now: int, debts: Iterable[Part]) -> Transfers:
    """Return in_meter/meter_debt Δc, the oldest bill first: debt taken from booked credit.

    Instalments; and the share for debt of a sale that was booked as delivered before its receipt
    was known (a hand's word, credit that no sale explains).

    Args:
        before: the cumulative value in exact units as last booked; `now` likewise.
        debts: what lies in the meter of each bill, the oldest first.

    Raises:
        Invalid: the value is lower than before.
    """
    taken = difference(now, before)
    if taken < 0:
        raise Invalid("negative_amount", f"debt taken would be {taken}; nothing was booked")
    return per_bill(in_meter(agreement), meter_debt(agreement), spread(taken, debts).parts)


def refund_proved(agreement: int, amount: int) -> Transfers:
    """Row "refund proved": in_meter/payable."""
    return move(in_meter(agreement), payable(agreement), amount)


def epoch_closed(agreement: int, booked: int, final_bill: int) -> Transfers:
    """Row "epoch ends: closed": in_meter/payable, all; below 0 receivable/in_meter, the final bill.

    Args:
        booked: the balance of in_meter after the final reading; the fractions of 0.01 that the
            meter had not yet charged are the customer's.
    """
    if booked < 0:
        return move(receivable(agreement), in_meter(agreement), -booked, final_bill)
    return move(in_meter(agreement), payable(agreement), booked)


def epoch_lost(agreement: int, booked: int, estimate: int, final_bill: int) -> Transfers:
    """Row "epoch ends: storage lost, meter dead": first an estimate since the last reading.

    in_meter/revenue_energy; then as `epoch_closed`. Two persons approve the estimate.

    Args:
        booked: the balance of in_meter.
        estimate: consumption since the last reading, 0 or more.
    """
    return (
        *move(in_meter(agreement), REVENUE_ENERGY, estimate),
        *epoch_closed(agreement, booked - estimate, final_bill),
    )


def debt_after_epoch(agreement: int, debts: Iterable[Part]) -> Transfers:
    """Row "then its debt": receivable/meter_debt, all that lay in the meter, per bill."""
    return per_bill(receivable(agreement), meter_debt(agreement), open_parts(debts))


def debt_set_back(
    agreement: int, booked: int, shown: int, debts: Iterable[Part], bill: int
) -> Transfers:
    """Row "storage set back", its debt: the meter has debt again, or has none of it any more.

    meter_debt/payable of what it collects a second time, by a bill of its own;
    receivable/meter_debt of what it does not collect, the newest bill first.

    Args:
        booked: the balance of meter_debt; `shown` what of it the meter has.
        debts: what lies in the meter of each bill, the oldest first.
        bill: that of debt which the meter has again; not used where it has none.
    """
    again = shown - booked
    if again > 0:
        return (Transfer(meter_debt(agreement), payable(agreement), again, bill),)
    newest = tuple(debts)[::-1]
    return per_bill(receivable(agreement), meter_debt(agreement), spread(-again, newest).parts)


def set_off(agreement: int, owed: int, bills: Iterable[Part]) -> Transfers:
    """Row "then its debt": payable/receivable, per bill, the oldest first.

    The rest is paid out (`paid_out`), or carried into the new epoch (`sold_again`).

    Args:
        owed: the balance of payable, or what of it is to be set off.
        bills: what is open of each bill, the oldest first.
    """
    return per_bill(payable(agreement), receivable(agreement), spread(owed, bills).parts)


def transfer_taken_over(old: int, new: int, booked: int) -> Transfers:
    """Row "transfer, taken over": in_meter[old]/in_meter[new]; reversed below 0."""
    return move_signed(in_meter(old), in_meter(new), booked)


def arrears_accepted(agreement: int, bills: Iterable[Part]) -> Transfers:
    """Row "meter accepted old arrears": meter_debt/receivable, per bill."""
    return per_bill(meter_debt(agreement), receivable(agreement), open_parts(bills))


def unexplained_credit(
    agreement: int, amount: int, agents_transit: Account | None, claim: int | None
) -> Transfers:
    """Row "credit that no sale explains": transit/in_meter, or receivable/in_meter with a claim.

    What the meter took of it for debt is `debt_taken`.

    Args:
        agents_transit: where the agent pays for it, if an agent sold it.
        claim: the bill of the claim; not used for an agent's sale.
    """
    if agents_transit is not None:
        return move(agents_transit, in_meter(agreement), amount)
    return move(receivable(agreement), in_meter(agreement), amount, claim)


def taken_after_all(agreement: int, amount: int, still_owed: int, claim: int | None) -> Transfers:
    """Row "proof against a hand: taken after all": payable/in_meter; receivable/in_meter, a claim.

    What the meter took of it for debt is `debt_taken`.

    Args:
        still_owed: what of the sale is still in payable: its amount, 0 where it was paid out or
            sold again.
        claim: the bill of the claim; not used where all is still owed.
    """
    from_payable = min(amount, still_owed)
    return (
        *move(payable(agreement), in_meter(agreement), from_payable),
        *move(receivable(agreement), in_meter(agreement), amount - from_payable, claim),
    )


def not_taken(agreement: int, amount: int) -> Transfers:
    """Row "proof against a hand: not taken": in_meter/payable."""
    return move(in_meter(agreement), payable(agreement), amount)
