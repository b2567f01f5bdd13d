"""Postings to an account: each moves its own totals, and the books balance (METER.md 6)."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest

from firmware_sim.account.account import (
    Account,
    amount_to_reach,
    charge_consumption,
    close_account,
    enter_debt,
    exceeds_max_credit,
    open_account,
    post_midnight,
    refund,
    top_up,
)
from firmware_sim.settings import Settings
from protocols.data_model.words import AccountState
from protocols.quantities import CENT, MONEY_LIMIT

CUSTOMER = "000000001001"


def booked(**values: int) -> Account:
    """Return an open account with balanced books: credit 1000, debt 500."""
    fields = {"state": AccountState.OPEN, "credit": 1000, "opening": 1000, "debt": 500}
    return Account(**{**fields, "debt_entered": 500, **values})  # type: ignore[arg-type]


def changes(before: Account, after: Account) -> dict[str, int]:
    """Return the fields that changed, with the difference."""
    old, new = asdict(before), asdict(after)
    return {name: new[name] - old[name] for name in old if new[name] != old[name]}


def test_a_new_account_is_unopened_and_empty() -> None:
    account = Account()
    assert (account.state, account.customer_number, account.unit) == (
        AccountState.UNOPENED,
        "0" * 12,
        156,
    )
    assert account.imbalance() == (0, 0)
    assert not account.is_open
    assert {value for name, value in asdict(account).items() if name not in (
        "state", "customer_number", "unit"
    )} == {0}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "credit", "debt"),
    [
        ("credit", 1, 0),
        ("opening", -1, 0),
        ("credited", -1, 0),
        ("refunded", 1, 0),
        ("settled", 1, 0),
        ("consumption", 1, 0),
        ("standing", 1, 0),
        ("instalments", 1, 1),
        ("debt", 0, 1),
        ("debt_entered", 0, -1),
        ("debt_from_top_ups", 0, 1),
        ("purchases", 0, 0),
        ("cumulative", 0, 0),
    ],
)
def test_a_total_that_is_off_by_one_is_an_imbalance_of_its_sign(
    name: str, credit: int, debt: int
) -> None:
    account = booked(
        credit=1000 + 70 - 5 - 6 - 7 - 8 - 9,
        credited=70,
        refunded=5,
        settled=6,
        consumption=7,
        standing=8,
        instalments=9,
        debt=500 - 9 - 11,
        debt_from_top_ups=11,
    )
    assert account.imbalance() == (0, 0)
    wrong = replace(account, **{name: getattr(account, name) + 1})
    assert wrong.imbalance() == (credit, debt)


def test_each_posting_moves_its_own_totals() -> None:
    settings = Settings(debt_share_percent=10, standing_charge=30, debt_instalment=40)
    account = booked()

    before = replace(account)
    assert top_up(account, 200, settings) == (0, 20, 180)
    assert changes(before, account) == {
        "credit": 180,
        "credited": 180,
        "debt": -20,
        "debt_from_top_ups": 20,
        "purchases": 1,
        "cumulative": 200,
    }
    before = replace(account)
    charge_consumption(account, 7)
    assert changes(before, account) == {"credit": -7, "consumption": 7}
    before = replace(account)
    post_midnight(account, settings)
    assert changes(before, account) == {
        "credit": -70,
        "standing": 30,
        "debt": -40,
        "instalments": 40,
    }
    before = replace(account)
    refund(account, 11)
    assert changes(before, account) == {"credit": -11, "refunded": 11}
    before = replace(account)
    enter_debt(account, 12)
    assert changes(before, account) == {"debt": 12, "debt_entered": 12}
    assert account.imbalance() == (0, 0)
    before = replace(account)
    assert close_account(account) == before.credit
    assert changes(before, account) == {
        "state": AccountState.CLOSED - AccountState.OPEN,
        "credit": -before.credit,
        "settled": before.credit,
    }
    assert account.imbalance() == (0, 0)


@pytest.mark.parametrize("state", [AccountState.UNOPENED, AccountState.CLOSED])
def test_at_midnight_an_account_that_is_not_open_is_charged_nothing(state: AccountState) -> None:
    account = booked(state=state)
    before = replace(account)
    post_midnight(account, Settings(standing_charge=30, debt_instalment=40))
    assert account == before


@pytest.mark.parametrize(
    ("credit", "debt", "instalment"),
    [
        (1000, 500, 40),
        (1000, 39, 39),
        (1000, 0, 0),
        (70, 500, 40),
        (69, 500, 39),
        (30, 500, 0),
        (29, 500, 0),
        (-5, 500, 0),
    ],
)
def test_an_instalment_is_taken_from_the_credit_that_the_standing_charge_leaves(
    credit: int, debt: int, instalment: int
) -> None:
    account = booked(credit=credit, opening=credit, debt=debt, debt_entered=debt)
    post_midnight(account, Settings(standing_charge=30, debt_instalment=40))
    assert account.standing == 30
    assert account.instalments == instalment
    assert account.credit == credit - 30 - instalment
    assert account.imbalance() == (0, 0)


@pytest.mark.parametrize(
    ("max_credit", "amount", "exceeds"),
    [(1200, 200, False), (1200, 201, True), (None, MONEY_LIMIT - 1000, False),
     (None, MONEY_LIMIT - 999, True)],
)  # fmt: skip
def test_a_top_up_may_reach_max_credit(max_credit: int | None, amount: int, exceeds: bool) -> None:
    account = booked(debt=0, debt_entered=0)
    assert exceeds_max_credit(account, amount, Settings(max_credit=max_credit)) is exceeds


def test_what_goes_to_the_debt_does_not_count_against_max_credit() -> None:
    settings = Settings(max_credit=1180, debt_share_percent=10)
    assert not exceeds_max_credit(booked(), 200, settings)
    assert exceeds_max_credit(booked(), 202, settings)


def test_an_opening_names_the_customer() -> None:
    account = Account()
    open_account(account, CUSTOMER)
    assert account.is_open
    assert account.customer_number == CUSTOMER


@pytest.mark.parametrize("share", [0, 20, 50, 99])
@pytest.mark.parametrize("debt", [0, 3 * CENT, 500 * CENT])
@pytest.mark.parametrize(
    "credit", [-10 * CENT, -10 * CENT + 1, 0, 1, 99 * CENT, 100 * CENT, 150 * CENT]
)
def test_the_amount_to_reach_a_credit_is_the_smallest_in_whole_cents(
    credit: int, debt: int, share: int
) -> None:
    wanted, settings = 100 * CENT, Settings(debt_share_percent=share)

    def after(amount: int) -> int:
        account = booked(credit=credit, debt=debt)
        top_up(account, amount, settings)
        return account.credit

    amount = amount_to_reach(booked(credit=credit, debt=debt), wanted, share)
    assert amount % CENT == 0
    assert after(amount) >= wanted
    assert amount == 0 or after(amount - CENT) < wanted
