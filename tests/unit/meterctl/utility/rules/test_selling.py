"""What is looked at before money is taken, and what a meter will make of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.account.account import Account, split_top_up
from meterctl.utility.errors import Invalid, Refused
from meterctl.utility.rules.selling import (
    ProvedCredit,
    SaleTerms,
    expected,
    require_amount,
    require_room,
    require_sale_key,
)
from protocols.quantities import CENT

TERMS = SaleTerms(max_credit=100_00, reconnect_threshold=10_00, debt_share_percent=30)
EXACT = st.integers(-10_000 * CENT, 10_000 * CENT)


@given(st.integers(1, 100_000), EXACT, st.integers(0, 10**15), st.integers(0, 100))
def test_what_is_expected_is_what_the_meter_does(
    amount: int, credit: int, debt: int, share: int
) -> None:
    will = expected(amount, ProvedCredit(credit, debt), SaleTerms(None, 0, share))
    account = Account()
    account.credit, account.debt = credit, debt
    parts = split_top_up(account, amount * CENT, share)
    assert (will.to_overdraft, will.to_debt, will.to_credit) == parts
    assert will.credit_after == credit + amount * CENT - parts.to_debt


@pytest.mark.parametrize(
    ("causes", "opens", "amount", "returns"),
    [
        ((), False, 50_00, False),
        (("credit_exhausted",), False, 22_00, True),
        (("credit_exhausted",), False, 21_99, False),
        (("credit_exhausted", "credit_reminder"), False, 50_00, True),
        (("credit_exhausted", "tamper"), False, 50_00, False),
        (("remote",), False, 50_00, False),
        (("account",), False, 50_00, False),
        (("account",), True, 50_00, True),
        (("account", "credit_exhausted"), True, 50_00, True),
    ],
)
def test_supply_returns_where_credit_alone_is_missing(
    causes: tuple[str, ...], opens: bool, amount: int, returns: bool
) -> None:
    proved = ProvedCredit(-12_00 * CENT, 0, causes)
    assert expected(amount, proved, TERMS, opens=opens).supply_returns is returns


def test_room_counts_what_is_on_the_way_and_what_debt_takes() -> None:
    proved = ProvedCredit(20_00 * CENT, 0)
    require_room(50_00, 30_00, proved, TERMS)
    with pytest.raises(Refused, match=r"30\.00 on the way"):
        require_room(50_01, 30_00, proved, TERMS)
    require_room(110_00, 0, ProvedCredit(20_00 * CENT, 100_00 * CENT), TERMS)
    require_room(900_000_00, 0, proved, SaleTerms(None, 0, 0))
    with pytest.raises(Refused):
        require_room(999_999_99, 0, proved, SaleTerms(None, 0, 0))


def test_amounts_and_keys_that_are_sold() -> None:
    require_amount(1_00, 1_00)
    for amount in (99, 0, -1, 100_000_000):
        with pytest.raises(Invalid):
            require_amount(amount, 1_00)
    require_sale_key("K" * 64)
    for key in ("", " K", "K ", "K\t", "K" * 65, "e\u0301"):
        with pytest.raises(Invalid):
            require_sale_key(key)
