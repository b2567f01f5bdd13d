"""Credit, debt and posting totals of one account, which always balance (METER.md 6).

    credit = opening + credited - refunded - settled - consumption - standing - instalments
    debt   = debt_entered - debt_from_top_ups - instalments

`credited` is the sum of the accepted amounts less their debt shares. Money is in ledger units.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from firmware_sim.settings import Settings
from protocols.data_model.words import AccountState
from protocols.quantities import CENT, MONEY_LIMIT

NO_CUSTOMER = "0" * 12


@dataclass(slots=True)
class Account:
    """Balance and posting totals; `opening` is the balance at the creation of the state."""

    state: int = AccountState.UNOPENED
    customer_number: str = NO_CUSTOMER
    unit: int = 156
    credit: int = 0
    debt: int = 0
    opening: int = 0
    credited: int = 0
    refunded: int = 0
    settled: int = 0
    consumption: int = 0
    standing: int = 0
    instalments: int = 0
    debt_entered: int = 0
    debt_from_top_ups: int = 0
    purchases: int = 0
    cumulative: int = 0

    @property
    def is_open(self) -> bool:
        """Whether the account is open; only then is anything charged."""
        return self.state == AccountState.OPEN

    def imbalance(self) -> tuple[int, int]:
        """Return credit and debt less the sums of their postings; both are always 0."""
        credit = self.opening + self.credited - self.refunded - self.settled
        credit -= self.consumption + self.standing + self.instalments
        return self.credit - credit, self.debt - (
            self.debt_entered - self.debt_from_top_ups - self.instalments
        )


class Split(NamedTuple):
    """The split of a top-up: three parts that sum to its amount."""

    to_overdraft: int
    to_debt: int
    to_credit: int


def split_top_up(account: Account, amount: int, debt_share_percent: int) -> Split:
    """Return the split of `amount`: overdraft first, then the debt share, the rest is credit.

    A negative debt, which a state of an older build may hold, counts as none.
    """
    to_overdraft = min(amount, max(0, -account.credit))
    debt = max(0, account.debt)
    to_debt = min(debt, amount - to_overdraft, amount * debt_share_percent // 100)
    return Split(to_overdraft, to_debt, amount - to_overdraft - to_debt)


def exceeds_max_credit(account: Account, amount: int, settings: Settings) -> bool:
    """Return whether a top-up would raise the credit above max_credit; equal is accepted."""
    after = (
        account.credit + amount - split_top_up(account, amount, settings.debt_share_percent).to_debt
    )
    return after > (MONEY_LIMIT if settings.max_credit is None else settings.max_credit)


def top_up(account: Account, amount: int, settings: Settings) -> Split:
    """Post an accepted top-up."""
    parts = split_top_up(account, amount, settings.debt_share_percent)
    account.credit += amount - parts.to_debt
    account.credited += amount - parts.to_debt
    account.debt -= parts.to_debt
    account.debt_from_top_ups += parts.to_debt
    account.purchases += 1
    account.cumulative += amount
    return parts


def charge_consumption(account: Account, amount: int) -> None:
    """Post the charge of metered energy."""
    account.credit -= amount
    account.consumption += amount


def post_midnight(account: Account, settings: Settings) -> None:
    """Post the standing charge of a local date, then the debt instalment up to the credit."""
    if not account.is_open:
        return
    account.credit -= settings.standing_charge
    account.standing += settings.standing_charge
    instalment = min(settings.debt_instalment, max(0, account.debt), max(0, account.credit))
    account.credit -= instalment
    account.debt -= instalment
    account.instalments += instalment


def refund(account: Account, amount: int) -> None:
    """Post a refund; the caller has checked that it is at most the positive credit."""
    account.credit -= amount
    account.refunded += amount


def enter_debt(account: Account, amount: int) -> None:
    """Post a debt; the credit does not change."""
    account.debt += amount
    account.debt_entered += amount


def open_account(account: Account, customer_number: str) -> None:
    """Open the account for a customer."""
    account.state = AccountState.OPEN
    account.customer_number = customer_number


def close_account(account: Account) -> int:
    """Close the account; its balance becomes the settlement, which is returned."""
    settlement = account.credit
    account.settled += settlement
    account.credit = 0
    account.state = AccountState.CLOSED
    return settlement


def amount_to_reach(account: Account, credit: int, debt_share_percent: int) -> int:
    """Return the smallest top-up (whole cents, ledger units) that raises credit to `credit`."""
    low, high = 0, (max(0, credit - account.credit) + max(0, account.debt)) // CENT + 2
    while low < high:
        middle = (low + high) // 2
        to_debt = split_top_up(account, middle * CENT, debt_share_percent).to_debt
        low, high = (
            (low, middle)
            if account.credit + middle * CENT - to_debt >= credit
            else (middle + 1, high)
        )
    return low * CENT
