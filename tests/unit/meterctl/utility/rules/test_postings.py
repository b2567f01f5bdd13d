"""Each row of UTILITY 4's table that the desk can reach, with figures."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import pytest

from meterctl.utility.errors import Invalid
from meterctl.utility.rules import postings
from meterctl.utility.rules.allocation import Part
from meterctl.utility.rules.postings import (
    NEVER_NEGATIVE,
    Account,
    AccountKind,
    Books,
    MeterBalances,
    Side,
    Transfer,
    Transfers,
)
from meterctl.utility.rules.postings.kinds import ENTRY_PAIRS, PAIRS
from meterctl.utility.rules.transitions import SaleEvent

A, B = 7, 8
"""Agreements."""
SHIFT, BANK = 3, 2
CASH = Account(AccountKind.CASH, SHIFT)
TRANSIT = Account(AccountKind.TRANSIT, BANK)
CLAIM, FINAL = 90, 91
UNIT = 10**8
"""Exact units in 0.01."""
OLD_BILLS = (Part(11, 10_00), Part(12, 20_00))


def shown(transfers: Transfers) -> list[str]:
    """Return transfers as they stand in UTILITY 4's table, with owners, amounts and bills."""

    def account(each: Account) -> str:
        return f"{each.kind}[{each.owner}]" if each.owner else str(each.kind)

    return [
        f"{account(each.debit)}/{account(each.credit)} {each.amount}"
        + (f" #{each.bill}" if each.bill is not None else "")
        for each in transfers
    ]


ROWS: dict[str, tuple[Callable[[], Transfers], list[str]]] = {
    "paid for a sale in cash": (
        lambda: postings.paid_for_sale(CASH, A, 50_00),
        ["cash[3]/undelivered[7] 5000"],
    ),
    "paid for a sale by transfer": (
        lambda: postings.paid_for_sale(TRANSIT, A, 50_00),
        ["transit[2]/undelivered[7] 5000"],
    ),
    "a sale of 0.00": (lambda: postings.paid_for_sale(CASH, A, 0), []),
    "cancelled in its shift": (
        lambda: postings.cancelled_in_shift(CASH, A, 50_00),
        ["undelivered[7]/cash[3] 5000"],
    ),
    "cancelled later; proved dead": (
        lambda: postings.not_delivered(A, 50_00),
        ["undelivered[7]/payable[7] 5000"],
    ),
    "delivered without debt": (
        lambda: postings.delivered(A, 50_00, 3 * UNIT, 3 * UNIT, OLD_BILLS),
        ["undelivered[7]/in_meter[7] 5000"],
    ),
    "delivered with debt, the oldest bill first": (
        lambda: postings.delivered(A, 50_00, 0, 15_00 * UNIT, OLD_BILLS),
        [
            "undelivered[7]/meter_debt[7] 1000 #11",
            "undelivered[7]/meter_debt[7] 500 #12",
            "undelivered[7]/in_meter[7] 3500",
        ],
    ),
    "delivered: 0.333 and 0.333 to debt, booked as 0.33 and then 0.33": (
        lambda: (
            *postings.delivered(A, 1_00, 0, 33 * UNIT + 30_000_000, OLD_BILLS),
            *postings.delivered(A, 1_00, 33 * UNIT + 30_000_000, 66 * UNIT + 60_000_000, OLD_BILLS),
        ),
        [
            "undelivered[7]/meter_debt[7] 33 #11",
            "undelivered[7]/in_meter[7] 67",
            "undelivered[7]/meter_debt[7] 33 #11",
            "undelivered[7]/in_meter[7] 67",
        ],
    ),
    "delivered: fractions of two sales make 0.01 together": (
        lambda: postings.delivered(A, 1_00, 33 * UNIT + 60_000_000, 67 * UNIT, OLD_BILLS),
        ["undelivered[7]/meter_debt[7] 34 #11", "undelivered[7]/in_meter[7] 66"],
    ),
    "delivered, all to debt": (
        lambda: postings.delivered(A, 5_00, 0, 5_00 * UNIT, OLD_BILLS),
        ["undelivered[7]/meter_debt[7] 500 #11"],
    ),
    "delivered, more to debt than is booked as debt": (
        lambda: postings.delivered(A, 50_00, 0, 31_00 * UNIT, OLD_BILLS),
        [
            "undelivered[7]/meter_debt[7] 1000 #11",
            "undelivered[7]/meter_debt[7] 2000 #12",
            "undelivered[7]/in_meter[7] 2000",
        ],
    ),
    "cancelled in its shift, paid by transfer": (
        lambda: postings.cancelled_in_shift(TRANSIT, A, 50_00),
        ["undelivered[7]/transit[2] 5000"],
    ),
    "paid for bills by transfer": (
        lambda: postings.paid_for_bills(TRANSIT, A, 50_00),
        ["transit[2]/advance[7] 5000"],
    ),
    "paid out by transfer": (
        lambda: postings.paid_out(A, TRANSIT, 50_00),
        ["payable[7]/transit[2] 5000"],
    ),
    "paid out": (lambda: postings.paid_out(A, CASH, 50_00), ["payable[7]/cash[3] 5000"]),
    "sold again, to another agreement": (
        lambda: postings.sold_again(A, B, 50_00),
        ["payable[7]/undelivered[8] 5000"],
    ),
    "carried into the new epoch by its open": (
        lambda: postings.sold_again(A, A, 12_34),
        ["payable[7]/undelivered[7] 1234"],
    ),
    "reading accepted": (
        lambda: postings.reading_accepted(
            A,
            Books(100 * UNIT + 99_999_999, 0, 9_99 * UNIT),
            Books(200 * UNIT, 2_00 * UNIT, 10_50 * UNIT + 1),
            OLD_BILLS,
        ),
        [
            "in_meter[7]/revenue_energy 100",
            "in_meter[7]/revenue_standing 200",
            "in_meter[7]/meter_debt[7] 51 #11",
        ],
    ),
    "reading accepted, instalments over two bills": (
        lambda: postings.reading_accepted(A, Books(0, 0, 0), Books(0, 0, 12_00 * UNIT), OLD_BILLS),
        ["in_meter[7]/meter_debt[7] 1000 #11", "in_meter[7]/meter_debt[7] 200 #12"],
    ),
    "reading accepted, nothing charged": (
        lambda: postings.reading_accepted(A, Books(5, 5, 5), Books(6, 5, 5), OLD_BILLS),
        [],
    ),
    "debt taken by a sale whose receipt came later": (
        lambda: postings.debt_taken(A, 5 * UNIT, 8 * UNIT, OLD_BILLS),
        ["in_meter[7]/meter_debt[7] 3 #11"],
    ),
    "refund proved": (lambda: postings.refund_proved(A, 8_00), ["in_meter[7]/payable[7] 800"]),
    "epoch ends: closed": (
        lambda: postings.epoch_closed(A, 12_03, FINAL),
        ["in_meter[7]/payable[7] 1203"],
    ),
    "epoch ends: closed with 0.00": (lambda: postings.epoch_closed(A, 0, FINAL), []),
    "epoch ends: closed below 0": (
        lambda: postings.epoch_closed(A, -4_50, FINAL),
        ["receivable[7]/in_meter[7] 450 #91"],
    ),
    "epoch ends: storage lost": (
        lambda: postings.epoch_lost(A, 12_00, 3_00, FINAL),
        ["in_meter[7]/revenue_energy 300", "in_meter[7]/payable[7] 900"],
    ),
    "epoch ends: storage lost, the estimate above what is left": (
        lambda: postings.epoch_lost(A, 2_00, 3_00, FINAL),
        ["in_meter[7]/revenue_energy 300", "receivable[7]/in_meter[7] 100 #91"],
    ),
    "then its debt": (
        lambda: postings.debt_after_epoch(A, (Part(11, 0), Part(12, 7_00), Part(13, 1))),
        ["receivable[7]/meter_debt[7] 700 #12", "receivable[7]/meter_debt[7] 1 #13"],
    ),
    "then its debt: set off": (
        lambda: postings.set_off(A, 12_00, OLD_BILLS),
        ["payable[7]/receivable[7] 1000 #11", "payable[7]/receivable[7] 200 #12"],
    ),
    "transfer, taken over": (
        lambda: postings.transfer_taken_over(A, B, 30_00),
        ["in_meter[7]/in_meter[8] 3000"],
    ),
    "transfer, taken over below 0": (
        lambda: postings.transfer_taken_over(A, B, -30_00),
        ["in_meter[8]/in_meter[7] 3000"],
    ),
    "meter accepted old arrears": (
        lambda: postings.arrears_accepted(A, OLD_BILLS),
        ["meter_debt[7]/receivable[7] 1000 #11", "meter_debt[7]/receivable[7] 2000 #12"],
    ),
    "paid for bills": (
        lambda: postings.paid_for_bills(CASH, A, 120_00),
        ["cash[3]/advance[7] 12000"],
    ),
    "paid for bills; booked on the wrong one": (
        lambda: postings.payment_moved(A, B, 120_00),
        ["advance[7]/advance[8] 12000"],
    ),
    "paid for bills; booked on the wrong one, where it paid bills": (
        lambda: postings.taken_back_for_move(A, OLD_BILLS),
        ["receivable[7]/advance[7] 1000 #11", "receivable[7]/advance[7] 2000 #12"],
    ),
    "sold again, of a moved sale: what its meter could not give back": (
        lambda: postings.moved_claim(A, 37_66, CLAIM),
        ["receivable[7]/payable[7] 3766 #90"],
    ),
    "sold again, of a moved sale: all was given back": (
        lambda: postings.moved_claim(A, 0, None),
        [],
    ),
    "paid for bills; refunded": (
        lambda: postings.payment_refunded(A, 20_00),
        ["advance[7]/payable[7] 2000"],
    ),
    "allocation, oldest due first": (
        lambda: postings.allocated(A, 15_00, OLD_BILLS),
        ["advance[7]/receivable[7] 1000 #11", "advance[7]/receivable[7] 500 #12"],
    ),
    "bounced: advance covers it": (
        lambda: postings.payment_bounced(A, TRANSIT, 20_00, 20_00, OLD_BILLS, None),
        ["advance[7]/transit[2] 2000"],
    ),
    "bounced: an allocation goes back, the newest first": (
        lambda: postings.payment_bounced(A, TRANSIT, 30_00, 5_00, OLD_BILLS, None),
        [
            "receivable[7]/advance[7] 2000 #12",
            "receivable[7]/advance[7] 500 #11",
            "advance[7]/transit[2] 3000",
        ],
    ),
    "bounced: what is missing is a claim": (
        lambda: postings.payment_bounced(A, TRANSIT, 50_00, 5_00, OLD_BILLS, CLAIM),
        [
            "receivable[7]/advance[7] 2000 #12",
            "receivable[7]/advance[7] 1000 #11",
            "advance[7]/transit[2] 3500",
            "receivable[7]/transit[2] 1500 #90",
        ],
    ),
    "bounced, paid back from a till: what is missing is a claim": (
        lambda: postings.payment_bounced(A, CASH, 20_00, 5_00, (), CLAIM),
        ["advance[7]/cash[3] 500", "receivable[7]/cash[3] 1500 #90"],
    ),
    "bounced, paid back from a till: a sale that is delivered": (
        lambda: postings.sale_bounced(A, CASH, 50_00, CLAIM),
        ["receivable[7]/cash[3] 5000 #90"],
    ),
    "bounced: a sale that is delivered": (
        lambda: postings.sale_bounced(A, TRANSIT, 50_00, CLAIM),
        ["receivable[7]/transit[2] 5000 #90"],
    ),
    "cash banked": (
        lambda: postings.cash_banked(SHIFT, BANK, 900_00),
        ["transit[2]/cash[3] 90000"],
    ),
    "cash short, of more than was booked": (
        lambda: postings.float_made_up(SHIFT, BANK, 20_00),
        ["cash[3]/transit[2] 2000"],
    ),
    "cash short": (
        lambda: postings.cash_difference(SHIFT, -10_50),
        ["till_difference/cash[3] 1050"],
    ),
    "cash over": (lambda: postings.cash_difference(SHIFT, 50), ["cash[3]/till_difference 50"]),
    "cash as booked": (lambda: postings.cash_difference(SHIFT, 0), []),
    "rebate": (
        lambda: postings.rebate_granted(A, 1_23, by_sale=False),
        ["rebate/advance[7] 123"],
    ),
    "rebate in meter mode": (
        lambda: postings.rebate_granted(A, 23, by_sale=True),
        ["rebate/undelivered[7] 23"],
    ),
    "credit that no sale explains: an agent's": (
        lambda: postings.unexplained_credit(A, 40_00, TRANSIT, None),
        ["transit[2]/in_meter[7] 4000"],
    ),
    "credit that no sale explains: a claim": (
        lambda: postings.unexplained_credit(A, 40_00, None, CLAIM),
        ["receivable[7]/in_meter[7] 4000 #90"],
    ),
    "proof against a hand: taken after all": (
        lambda: postings.taken_after_all(A, 50_00, 50_00, None),
        ["payable[7]/in_meter[7] 5000"],
    ),
    "proof against a hand: taken after all, paid out": (
        lambda: postings.taken_after_all(A, 50_00, 0, CLAIM),
        ["receivable[7]/in_meter[7] 5000 #90"],
    ),
    "proof against a hand: taken after all, a part set off": (
        lambda: postings.taken_after_all(A, 50_00, 20_00, CLAIM),
        ["payable[7]/in_meter[7] 2000", "receivable[7]/in_meter[7] 3000 #90"],
    ),
    "proof against a hand: not taken": (
        lambda: postings.not_taken(A, 50_00),
        ["in_meter[7]/payable[7] 5000"],
    ),
    "taking over": (
        lambda: postings.taken_over(
            A,
            MeterBalances(
                credit=17_35 * UNIT + 25_000_000,
                debt=8_00 * UNIT - 50_000_000,
                books=Books(2_64 * UNIT + 25_000_000, 0, 1_00 * UNIT + 50_000_000),
                to_debt=0,
            ),
            21,
            OLD_BILLS,
            6_00,
        ),
        [
            "taken_over/in_meter[7] 1736",
            "meter_debt[7]/taken_over 800 #21",
            "taken_over/advance[7] 600",
            "receivable[7]/taken_over 1000 #11",
            "receivable[7]/taken_over 2000 #12",
        ],
    ),
    "taking over with fractions that add up to more than 0.01": (
        lambda: postings.taken_over(
            A,
            MeterBalances(
                17_35 * UNIT + 60_000_000, 0, Books(2_64 * UNIT + 60_000_000, 0, 0), to_debt=0
            ),
            None,
            (),
            0,
        ),
        ["taken_over/in_meter[7] 1737"],
    ),
    "storage set back, debt that the meter has again": (
        lambda: postings.debt_set_back(A, 8_00, 10_00, (Part(11, 8_00),), 14),
        ["meter_debt[7]/payable[7] 200 #14"],
    ),
    "storage set back, debt that the meter lost: the newest bill first": (
        lambda: postings.debt_set_back(A, 8_00, 5_00, (Part(11, 6_00), Part(12, 2_00)), 0),
        ["receivable[7]/meter_debt[7] 200 #12", "receivable[7]/meter_debt[7] 100 #11"],
    ),
    "storage set back, the same debt": (
        lambda: postings.debt_set_back(A, 8_00, 8_00, (Part(11, 8_00),), 0),
        [],
    ),
    "bank line without owner": (
        lambda: postings.bank_line_unowned(BANK, 5_00),
        ["transit[2]/suspense[2] 500"],
    ),
    "bank line matched": (
        lambda: postings.bank_line_matched(BANK, A, 5_00),
        ["suspense[2]/advance[7] 500"],
    ),
    "bank line sent back": (
        lambda: postings.bank_line_sent_back(BANK, 5_00),
        ["suspense[2]/transit[2] 500"],
    ),
    "statement: in": (
        lambda: postings.bank_statement(BANK, 5_00, is_fee=False),
        ["bank[2]/transit[2] 500"],
    ),
    "statement: out": (
        lambda: postings.bank_statement(BANK, -5_00, is_fee=False),
        ["transit[2]/bank[2] 500"],
    ),
    "statement: fee": (
        lambda: postings.bank_statement(BANK, -50, is_fee=True),
        ["transit[2]/bank[2] 50", "fees/transit[2] 50"],
    ),
    "taking over, as 20.00 stands in a new meter": (
        lambda: postings.taken_over(
            A, MeterBalances(20_00 * UNIT, 0, Books(0, 0, 0), 0), None, (), 0
        ),
        ["taken_over/in_meter[7] 2000"],
    ),
    "taking over below 0": (
        lambda: postings.taken_over(
            A,
            MeterBalances(-3_00 * UNIT - 1, 0, Books(23_00 * UNIT + 1, 0, 0), 0),
            None,
            (),
            0,
        ),
        ["in_meter[7]/taken_over 300"],
    ),
    "taking over without credit in the meter": (
        lambda: postings.taken_over(A, None, None, (Part(11, 10_00),), 6_00),
        ["taken_over/advance[7] 600", "receivable[7]/taken_over 1000 #11"],
    ),
}


@pytest.mark.parametrize("row", ROWS)
def test_a_row_has_these_transfers(row: str) -> None:
    made, written = ROWS[row]
    assert shown(made()) == written


def test_every_row_is_tested() -> None:
    functions = {
        name
        for name in postings.__all__
        if inspect.isfunction(function := getattr(postings, name))
        and inspect.signature(function).return_annotation == "Transfers"
    }
    used = {name for made, _ in ROWS.values() for name in made.__code__.co_names}
    assert functions - used == set()


def test_pairs_of_each_function_are_those_that_its_rows_make() -> None:
    made: dict[str, set[tuple[AccountKind, AccountKind]]] = {}
    for row, _ in ROWS.values():
        named = [name for name in row.__code__.co_names if name in PAIRS]
        pairs = {(each.debit.kind, each.credit.kind) for each in row()}
        assert pairs <= set().union(*(PAIRS[name] for name in named))
        if len(named) == 1:
            made.setdefault(named[0], set()).update(pairs)
    assert {name: PAIRS[name] - pairs for name, pairs in made.items() if PAIRS[name] - pairs} == {}
    assert made.keys() == PAIRS.keys()


def test_each_event_of_a_sale_that_moves_money_is_a_kind_of_entry() -> None:
    moves_no_money = {
        SaleEvent.RUN, SaleEvent.ABSENT, SaleEvent.OPEN_OUTCOME, SaleEvent.WRITTEN_ON_CARD,
        SaleEvent.JOURNAL_LOST, SaleEvent.MOVED_TO_CARD, SaleEvent.ERASED,
    }  # fmt: skip
    booked = {event for event in SaleEvent if f"sale_{event}" in ENTRY_PAIRS}
    assert booked == set(SaleEvent) - moves_no_money


REFUSED: dict[str, Callable[[], Transfers]] = {
    "a sale": lambda: postings.paid_for_sale(CASH, A, -1),
    "a payout": lambda: postings.paid_out(A, CASH, -1),
    "a refund": lambda: postings.refund_proved(A, -1),
    "a lower consumption": lambda: postings.reading_accepted(
        A, Books(UNIT, 0, 0), Books(UNIT - 1, 0, 0), ()
    ),
    "a lower standing charge": lambda: postings.reading_accepted(
        A, Books(0, UNIT, 0), Books(0, UNIT - 1, 0), ()
    ),
    "a lower sum of instalments": lambda: postings.reading_accepted(
        A, Books(0, 0, UNIT), Books(0, 0, UNIT - 1), ()
    ),
    "an estimate": lambda: postings.epoch_lost(A, 10_00, -1, FINAL),
    "an advance that is taken over": lambda: postings.taken_over(A, None, None, (), -1),
    "a rebate": lambda: postings.rebate_granted(A, -1, by_sale=False),
}


@pytest.mark.parametrize("row", REFUSED)
def test_a_negative_amount_is_refused_where_the_row_has_no_other_direction(row: str) -> None:
    with pytest.raises(Invalid, match="nothing was booked") as refused:
        REFUSED[row]()
    assert refused.value.code == "negative_amount"


def test_a_transfer_on_an_account_with_bills_names_its_bill() -> None:
    with pytest.raises(Invalid, match="names no bill") as refused:
        postings.unexplained_credit(A, 40_00, None, None)
    assert refused.value.code == "no_bill"


def test_the_sides_of_the_accounts_are_those_of_the_contract() -> None:
    sides = {side: {kind.value for kind in AccountKind if kind.side is side} for side in Side}
    assert sides == {
        Side.ASSET: {"cash", "transit", "bank", "receivable", "meter_debt"},
        Side.LIABILITY: {"undelivered", "in_meter", "advance", "payable", "suspense"},
        Side.RESULT: {
            "revenue_energy",
            "revenue_standing",
            "revenue_penalty",
            "rebate",
            "fees",
            "till_difference",
            "bad_debt",
            "taken_over",
        },
    }
    assert set(AccountKind) - NEVER_NEGATIVE == sides[Side.RESULT] | {"transit", "bank", "in_meter"}
    assert {kind for kind in AccountKind if kind.has_bill} == {"receivable", "meter_debt"}


def test_a_transfer_is_above_0_and_has_two_accounts() -> None:
    for made, _ in ROWS.values():
        for transfer in made():
            assert isinstance(transfer, Transfer)
            assert transfer.amount > 0
            assert transfer.debit != transfer.credit
            has_bill = transfer.debit.kind.has_bill or transfer.credit.kind.has_bill
            assert (transfer.bill is not None) == has_bill
