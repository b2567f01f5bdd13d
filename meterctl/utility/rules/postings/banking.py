"""Postings of banks' files (UTILITY 4)."""

from __future__ import annotations

from meterctl.utility.rules.postings.accounts import (
    FEES,
    Transfers,
    advance,
    bank,
    suspense,
    transit,
)
from meterctl.utility.rules.postings.moves import move, move_signed


def bank_line_unowned(of_bank: int, amount: int) -> Transfers:
    """Row "bank line without owner": transit/suspense."""
    return move(transit(of_bank), suspense(of_bank), amount)


def bank_line_matched(of_bank: int, agreement: int, amount: int) -> Transfers:
    """Row "bank line without owner; matched": suspense/advance."""
    return move(suspense(of_bank), advance(agreement), amount)


def bank_line_sent_back(of_bank: int, amount: int) -> Transfers:
    """Row "bank line without owner; sent back": suspense/transit."""
    return move(suspense(of_bank), transit(of_bank), amount)


def bank_statement(of_bank: int, amount: int, *, is_fee: bool) -> Transfers:
    """Rows "statement: in; out; fee": bank/transit, transit/bank, and fees/transit for a fee.

    Args:
        amount: below 0 where it went out, as every fee does.
    """
    return (
        *move_signed(bank(of_bank), transit(of_bank), amount),
        *(move(FEES, transit(of_bank), -amount) if is_fee else ()),
    )
