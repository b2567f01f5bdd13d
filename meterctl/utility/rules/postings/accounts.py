"""The kinds of accounts of the ledger, accounts, and transfers between them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum


class Side(Enum):
    """Side of the books on which an account grows."""

    ASSET = "asset"
    LIABILITY = "liability"
    RESULT = "result"


class AccountKind(StrEnum):
    """Kind of an account; its owner is named behind it."""

    CASH = "cash"
    """shift"""
    TRANSIT = "transit"
    """bank: paid to it, not yet in its statement"""
    BANK = "bank"
    """bank"""
    RECEIVABLE = "receivable"
    """agreement, per bill: what the customer owes"""
    METER_DEBT = "meter_debt"
    """agreement, per bill: what the customer's meter recovers"""

    UNDELIVERED = "undelivered"
    """agreement: paid, not yet in the meter"""
    IN_METER = "in_meter"
    """agreement: the credit in the meter as booked; negative in overdraft"""
    ADVANCE = "advance"
    """agreement: paid for bills"""
    PAYABLE = "payable"
    """agreement: owed to the customer"""
    SUSPENSE = "suspense"
    """bank: paid by a person who is not known"""

    REVENUE_ENERGY = "revenue_energy"
    REVENUE_STANDING = "revenue_standing"
    REVENUE_PENALTY = "revenue_penalty"
    REBATE = "rebate"
    FEES = "fees"
    TILL_DIFFERENCE = "till_difference"
    BAD_DEBT = "bad_debt"
    TAKEN_OVER = "taken_over"

    @property
    def side(self) -> Side:
        """Side of the accounts of this kind."""
        return _SIDES.get(self, Side.RESULT)

    @property
    def has_bill(self) -> bool:
        """Whether transfers on accounts of this kind name a bill."""
        return self in {AccountKind.RECEIVABLE, AccountKind.METER_DEBT}


_SIDES = {
    **dict.fromkeys(
        (
            AccountKind.CASH,
            AccountKind.TRANSIT,
            AccountKind.BANK,
            AccountKind.RECEIVABLE,
            AccountKind.METER_DEBT,
        ),
        Side.ASSET,
    ),
    **dict.fromkeys(
        (
            AccountKind.UNDELIVERED,
            AccountKind.IN_METER,
            AccountKind.ADVANCE,
            AccountKind.PAYABLE,
            AccountKind.SUSPENSE,
        ),
        Side.LIABILITY,
    ),
}

NEVER_NEGATIVE = frozenset(
    {
        AccountKind.UNDELIVERED,
        AccountKind.ADVANCE,
        AccountKind.PAYABLE,
        AccountKind.SUSPENSE,
        AccountKind.CASH,
        AccountKind.RECEIVABLE,
        AccountKind.METER_DEBT,
    }
)
"""Kinds whose balance is never below 0 (I1)."""


@dataclass(frozen=True, slots=True)
class Account:
    """An account: its kind, and the id of its shift, bank or agreement; results have owner 0."""

    kind: AccountKind
    owner: int = 0


@dataclass(frozen=True, slots=True)
class Transfer:
    """`amount` (above 0): debit one account, credit the other; on some kinds it names a bill."""

    debit: Account
    credit: Account
    amount: int
    bill: int | None = None


Transfers = tuple[Transfer, ...]


BANK = 0
"""Owner of the accounts of the company's first bank, to which tills are banked and which pays out;
`model.banking.Bank.account` of a bank."""


def cash(shift: int) -> Account:
    """Return the cash account of a shift."""
    return Account(AccountKind.CASH, shift)


def transit(bank: int) -> Account:
    """Return the account of what was paid to a bank and is not in its statement yet."""
    return Account(AccountKind.TRANSIT, bank)


def bank(of_bank: int) -> Account:
    """Return the account of what lies at a bank by its statements."""
    return Account(AccountKind.BANK, of_bank)


def suspense(of_bank: int) -> Account:
    """Return the account of what was paid to a bank by persons who are not known."""
    return Account(AccountKind.SUSPENSE, of_bank)


def receivable(agreement: int) -> Account:
    """Return the account of what the customer owes."""
    return Account(AccountKind.RECEIVABLE, agreement)


def meter_debt(agreement: int) -> Account:
    """Return the account of the debt that lies in the customer's meter."""
    return Account(AccountKind.METER_DEBT, agreement)


def undelivered(agreement: int) -> Account:
    """Return the account of what was paid and is not in the meter yet."""
    return Account(AccountKind.UNDELIVERED, agreement)


def in_meter(agreement: int) -> Account:
    """Return the account of the credit in the meter as booked."""
    return Account(AccountKind.IN_METER, agreement)


def advance(agreement: int) -> Account:
    """Return the account of what was paid for bills."""
    return Account(AccountKind.ADVANCE, agreement)


def payable(agreement: int) -> Account:
    """Return the account of what is owed to the customer."""
    return Account(AccountKind.PAYABLE, agreement)


REVENUE_ENERGY = Account(AccountKind.REVENUE_ENERGY)
REVENUE_STANDING = Account(AccountKind.REVENUE_STANDING)
REBATE = Account(AccountKind.REBATE)
FEES = Account(AccountKind.FEES)
TILL_DIFFERENCE = Account(AccountKind.TILL_DIFFERENCE)
TAKEN_OVER = Account(AccountKind.TAKEN_OVER)
