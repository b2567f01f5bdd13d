"""Sales that their meter did not get: paid out, sold again; moved ones; unknown ones ended."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, update

from meterctl.utility.errors import Invalid, NotPermitted, Refused
from meterctl.utility.model.evidence import Audit
from meterctl.utility.model.metering import Meter
from meterctl.utility.model.money import Bill, PaymentChannel, Sale
from meterctl.utility.model.organisation import Staff
from meterctl.utility.model.work import Order, OrderKind
from meterctl.utility.rules.rights import Action, Role
from meterctl.utility.rules.transitions import SaleEvent, SaleState
from meterctl.utility.services import payouts, sale_moves, sales, settling, shifts, tasks
from meterctl.utility.services.settling import SettledAs
from meterctl.utility.store import order_books
from meterctl.utility.store.sale_books import move
from protocols.quantities import CENT
from tests.support.desk_counter import BOTH_ENGINES, Counter
from tests.support.desk_sales import balances
from tests.support.desk_world import a_customer


def _take(counter: Counter, amount: int = 50_00, agreement: str = "A1") -> Any:
    return counter.do(counter.world.vendor, sales.take, agreement=agreement, amount=amount)


def _move(counter: Counter, *events: SaleEvent, sale: int = 1) -> None:
    for event in events:
        counter.work(lambda work, event=event: move(work, sale, event))


def _dead(counter: Counter, amount: int = 50_00) -> None:
    _take(counter, amount)
    _move(counter, SaleEvent.RUN, SaleEvent.REFUSED)


def _second_customer(counter: Counter) -> None:
    counter.work(lambda work: a_customer(work, counter.world.station, "2"))


def _paying_accountant(counter: Counter, cash: int = 100_00) -> Any:
    """Return an accountant with a shift that has taken cash."""
    accountant = counter.person(Role.ACCOUNTANT)
    counter.do(accountant, shifts.open_shift, node=None, float_amount=0)
    if cash:
        counter.pay(accountant, cash)
    return accountant


def test_a_dead_sale_is_paid_out_of_the_till_of_who_pays_it(counter: Counter) -> None:
    _dead(counter)
    accountant = _paying_accountant(counter)
    answer = counter.do(accountant, payouts.payout, sale="S1")
    assert (answer["state"], answer["owed"], answer["paid_out"]) == ("repaid", 0, 50_00)
    assert (answer["payment"], answer["payout_receipt"]) == ("P3", "0001-000001-0002")
    assert balances(counter.database) == {"advance/1": 100_00, "cash/1": 50_00, "cash/2": 50_00}
    with pytest.raises(Refused):
        counter.do(accountant, payouts.payout, sale="S1")


def test_the_bank_pays_out_where_it_is_asked_to(counter: Counter) -> None:
    _dead(counter)
    answer = counter.do(Role.ACCOUNTANT, payouts.payout, sale="S1", channel=PaymentChannel.TRANSFER)
    assert (answer["channel"], answer["payout_receipt"]) == ("transfer", None)
    assert balances(counter.database) == {"cash/1": 50_00, "transit": -50_00}


def test_a_till_pays_out_no_more_than_it_has_taken(counter: Counter) -> None:
    _dead(counter)
    accountant = counter.person(Role.ACCOUNTANT)
    with pytest.raises(Refused, match="no open shift"):
        counter.do(accountant, payouts.payout, sale="S1")
    _paying_accountant(counter, 49_99)
    with pytest.raises(
        Refused, match=r"has taken 49\.99 .*--shift, or pay it by the bank: --channel transfer"
    ):
        counter.do(accountant, payouts.payout, sale="S1")
    with pytest.raises(Invalid, match="deputed"):
        counter.do(accountant, payouts.payout, sale="S1", channel=PaymentChannel.DEPUTED)


@BOTH_ENGINES
def test_a_till_that_the_accountant_names_pays_and_the_audit_names_both(counter: Counter) -> None:
    _dead(counter)
    accountant = counter.person(Role.ACCOUNTANT)
    with pytest.raises(Refused, match=r"no open shift.*--shift"):
        counter.do(accountant, payouts.payout, sale="S1")
    answer = counter.do(accountant, payouts.payout, sale="S1", shift="1")
    assert (answer["till"], answer["payout_receipt"]) == ("1", "1-0002")
    counter.pay(counter.world.vendor, 30_00)
    rest = counter.do(accountant, payouts.refund, agreement="A1", amount=30_00, shift="1")
    assert (rest["till"], rest["still_held"]) == ("1", 0)
    assert balances(counter.database) == {}
    with counter.database.reading() as session:
        told = session.execute(
            select(Staff.number, Audit.after)
            .join(Staff, Staff.id == Audit.staff_id)
            .where(Audit.action.in_((Action.PAYOUT, Action.PAY_REFUND)))
            .order_by(Audit.id)
        ).all()
    assert [(who, after["shift"], after["vendor"]) for who, after in told] == [
        ("accountant-1", "1", "v1"),
        ("accountant-1", "1", "v1"),
    ]


def test_a_named_till_pays_only_by_an_accountant_in_cash_while_it_is_open(counter: Counter) -> None:
    _dead(counter)
    with pytest.raises(NotPermitted, match="payout"):
        counter.do(counter.world.vendor, payouts.payout, sale="S1", shift="1")
    with pytest.raises(Invalid, match="out of no till"):
        counter.do(
            Role.ACCOUNTANT, payouts.payout, sale="S1", shift="1",
            channel=PaymentChannel.TRANSFER,
        )  # fmt: skip
    counter.do(counter.world.vendor, shifts.count, shift=None, counted=50_00)
    with pytest.raises(Refused, match="counted"):
        counter.do(Role.ACCOUNTANT, payouts.payout, sale="S1", shift="1")


@BOTH_ENGINES
def test_more_than_five_hundred_is_paid_out_by_two_persons(counter: Counter) -> None:
    _dead(counter, 500_01)
    accountant = _paying_accountant(counter, 600_00)
    proposed = counter.do(accountant, payouts.payout, sale="S1")
    assert (proposed["task"], proposed["state"], proposed["owed"]) == ("T1", "dead", 500_01)
    with pytest.raises(NotPermitted, match="own proposal"):
        counter.do(accountant, tasks.approve, number="T1")
    answer = counter.do(Role.STATION_HEAD, tasks.approve, number="T1")
    assert (answer["state"], answer["paid_out"]) == ("repaid", 500_01)
    assert balances(counter.database) == {
        "advance/1": 600_00, "cash/1": 500_01, "cash/2": 99_99,
    }  # fmt: skip


def test_five_hundred_is_paid_out_by_one_person(counter: Counter) -> None:
    _dead(counter, 500_00)
    accountant = _paying_accountant(counter, 600_00)
    assert counter.do(accountant, payouts.payout, sale="S1")["state"] == "repaid"


def test_a_payout_is_refused_when_its_shift_was_closed_before_the_approval(
    counter: Counter,
) -> None:
    _dead(counter, 600_00)
    accountant = _paying_accountant(counter, 600_00)
    counter.do(accountant, payouts.payout, sale="S1")
    counter.do(accountant, shifts.count, shift=None, counted=600_00)
    counter.do(accountant, shifts.close, shift=None, slip="B-1")
    with pytest.raises(Refused, match="closed"):
        counter.do(Role.STATION_HEAD, tasks.approve, number="T1")
    assert balances(counter.database)["payable/1"] == 600_00


def test_a_dead_sale_is_sold_again_to_another_agreement_and_linked(counter: Counter) -> None:
    _dead(counter)
    _second_customer(counter)
    answer = counter.do(
        counter.world.vendor, sales.sell_again, sale="S1", agreement="A2", key="K-2"
    )
    assert (answer["sale"], answer["follows"], answer["agreement"]) == ("S2", "S1", "A2")
    assert (answer["key"], answer["amount"], answer["receipt_number"]) == ("K-2", 50_00, None)
    assert (answer["paid_now"], answer["still_owed"]) == (0, 0)
    assert balances(counter.database) == {"cash/1": 50_00, "undelivered/2": 50_00}
    with counter.database.reading() as session:
        old = session.get_one(Sale, 1)
        assert old.state is SaleState.REPLACED
        assert session.scalars(select(Order.credit_state).order_by(Order.id)).all() == [
            SaleState.REPLACED,
            SaleState.TAKEN,
        ]


@BOTH_ENGINES
def test_more_than_is_owed_is_paid_to_it_and_less_stays_owed(counter: Counter) -> None:
    vendor = counter.world.vendor
    _dead(counter)
    more = counter.do(vendor, sales.sell_again, sale="S1", amount=80_00)
    assert (more["amount"], more["paid_now"], more["receipt_number"]) == (80_00, 30_00, "1-0002")
    assert balances(counter.database) == {"cash/1": 80_00, "undelivered/1": 80_00}
    _move(counter, SaleEvent.RUN, SaleEvent.REFUSED, sale=2)
    less = counter.do(vendor, sales.sell_again, sale="S2", amount=70_00)
    assert (less["amount"], less["still_owed"]) == (70_00, 10_00)
    assert balances(counter.database) == {
        "cash/1": 80_00, "payable/1": 10_00, "undelivered/1": 70_00,
    }  # fmt: skip
    accountant = _paying_accountant(counter, 10_00)
    with pytest.raises(Refused, match=r"holds 20\.00"):
        counter.do(accountant, payouts.refund, agreement="A1", amount=20_01)
    answer = counter.do(accountant, payouts.refund, agreement="A1", amount=10_00)
    assert (answer["paid_out"], answer["still_held"]) == (10_00, 10_00)
    assert balances(counter.database) == {
        "advance/1": 10_00, "cash/1": 80_00, "undelivered/1": 70_00,
    }  # fmt: skip


def test_cancelling_a_sale_that_was_sold_again_leaves_its_amount_owed(counter: Counter) -> None:
    _dead(counter)
    counter.do(counter.world.vendor, sales.sell_again, sale="S1", amount=80_00)
    answer = counter.do(counter.world.vendor, sales.cancel, sale="S2")
    assert (answer["state"], answer["given_back"], answer["owed"]) == ("dead", 0, 80_00)
    assert balances(counter.database) == {"cash/1": 80_00, "payable/1": 80_00}


def test_only_what_is_owed_is_sold_again_and_the_meter_is_looked_at(counter: Counter) -> None:
    vendor = counter.world.vendor
    _take(counter)
    with pytest.raises(Refused, match="waits to be sent"):
        counter.do(vendor, sales.sell_again, sale="S1")
    _move(counter, SaleEvent.RUN, SaleEvent.REFUSED)
    counter.work(lambda work: work.session.execute(update(Meter).values(stopped="set_back")))
    with pytest.raises(Refused, match="set_back"):
        counter.do(vendor, sales.sell_again, sale="S1")
    with pytest.raises(Invalid):
        counter.do(vendor, sales.sell_again, sale="S1", amount=0)


def _delivered(counter: Counter, credit: int) -> None:
    """Sell 50.00 to the first customer, whose meter then had a credit."""
    _second_customer(counter)
    _take(counter)
    _move(counter, SaleEvent.RUN, SaleEvent.CONFIRMED)
    counter.read(credit)


def _refund_ends(counter: Counter, *events: SaleEvent, order: int = 2) -> None:
    for event in events:
        counter.work(
            lambda work, event=event: order_books.move_order(work, order, event, cause="told")
        )
    counter.work(lambda work: order_books.follow(work, order))


def test_a_sale_is_moved_when_the_first_meter_has_given_its_credit_back(counter: Counter) -> None:
    _delivered(counter, 62_34_99 * CENT // 100)
    proposed = counter.do(counter.world.vendor, sale_moves.move, sale="S1", to="A2")
    assert (proposed["task"], proposed["given_back"], proposed["claim"]) == ("T1", 50_00, 0)
    approved = counter.do(Role.STATION_HEAD, tasks.approve, number="T1")
    assert (approved["order"], approved["given_back"]) == ("O2", 50_00)
    assert balances(counter.database) == {"cash/1": 50_00, "in_meter/1": 50_00}
    _refund_ends(counter, SaleEvent.RUN, SaleEvent.CONFIRMED)
    assert balances(counter.database) == {"cash/1": 50_00, "undelivered/2": 50_00}
    with counter.database.reading() as session:
        new = session.get_one(Sale, 2)
        assert (new.agreement_id, new.amount, new.follows_id) == (2, 50_00, 1)
        assert session.get_one(Sale, 1).state is SaleState.DELIVERED
    with pytest.raises(Refused, match="moved before"):
        counter.do(counter.world.vendor, sale_moves.move, sale="S1", to="A2")


@BOTH_ENGINES
def test_what_the_first_customer_has_used_is_a_claim(counter: Counter) -> None:
    _delivered(counter, 12_34_99 * CENT // 100)
    proposed = counter.do(counter.world.vendor, sale_moves.move, sale="S1", to="A2")
    assert (proposed["given_back"], proposed["claim"]) == (12_34, 37_66)
    counter.do(Role.ACCOUNTANT, tasks.approve, number="T1")
    _refund_ends(counter, SaleEvent.RUN, SaleEvent.CONFIRMED)
    assert balances(counter.database) == {
        "cash/1": 50_00, "in_meter/1": 37_66, "receivable/1": 37_66, "undelivered/2": 50_00,
    }  # fmt: skip
    with counter.database.reading() as session:
        bill = session.scalars(select(Bill)).one()
        assert (bill.number, bill.amount, bill.kind) == ("B-M1", 37_66, "claim")


def test_a_meter_without_credit_gives_nothing_back_and_all_is_a_claim(counter: Counter) -> None:
    _delivered(counter, -3_00 * CENT)
    counter.do(counter.world.vendor, sale_moves.move, sale="S1", to="A2")
    answer = counter.do(Role.ACCOUNTANT, tasks.approve, number="T1")
    assert (answer["sale"], answer["claim"]) == ("S2", 50_00)
    assert balances(counter.database) == {
        "cash/1": 50_00, "in_meter/1": 50_00, "receivable/1": 50_00, "undelivered/2": 50_00,
    }  # fmt: skip


def test_a_refund_that_the_meter_refused_moves_nothing_and_may_be_proposed_again(
    counter: Counter,
) -> None:
    _delivered(counter, 60_00 * CENT)
    counter.do(counter.world.vendor, sale_moves.move, sale="S1", to="A2")
    counter.do(Role.ACCOUNTANT, tasks.approve, number="T1")
    with pytest.raises(Refused, match="being moved by O2"):
        counter.do(counter.world.vendor, sale_moves.move, sale="S1", to="A2")
    _refund_ends(counter, SaleEvent.RUN, SaleEvent.REFUSED)
    assert balances(counter.database) == {"cash/1": 50_00, "in_meter/1": 50_00}
    with counter.database.reading() as session:
        assert session.get_one(Sale, 1).cause == "not moved: O2 is dead, told"
    again = counter.do(counter.world.vendor, sale_moves.move, sale="S1", to="A2")
    assert again["task"] == "T2"


def test_what_is_not_moved(counter: Counter) -> None:
    _second_customer(counter)
    _take(counter)
    with pytest.raises(Invalid, match="already"):
        counter.do(counter.world.vendor, sale_moves.move, sale="S1", to="A1")
    with pytest.raises(Refused, match="only a delivered sale"):
        counter.do(counter.world.vendor, sale_moves.move, sale="S1", to="A2")


@pytest.mark.parametrize(
    ("as_", "state", "owed", "booked"),
    [
        (SettledAs.DELIVERED, "hand_delivered", 0, "in_meter/1"),
        (SettledAs.DEAD, "hand_dead", 50_00, "payable/1"),
    ],
)
def test_an_unknown_sale_is_ended_by_two_persons(
    counter: Counter, as_: SettledAs, state: str, owed: int, booked: str
) -> None:
    _take(counter)
    accountant = counter.person(Role.ACCOUNTANT)
    with pytest.raises(Refused):
        counter.do(accountant, settling.settle, sale="S1", as_=as_)
    _move(counter, SaleEvent.RUN, SaleEvent.OPEN_OUTCOME)
    proposed = counter.do(accountant, settling.settle, sale="S1", as_=as_, reason="seen")
    assert (proposed["state"], proposed["task"]) == ("unknown", "T1")
    with pytest.raises(NotPermitted):
        counter.do(accountant, tasks.approve, number="T1")
    answer = counter.do(Role.STATION_HEAD, tasks.approve, number="T1")
    assert (answer["state"], answer["owed"]) == (state, owed)
    assert answer["cause"] == "by two persons (T1): seen"
    assert balances(counter.database) == {"cash/1": 50_00, booked: 50_00}


@BOTH_ENGINES
def test_credit_of_a_meter_is_refunded_when_the_meter_has_proved_it(counter: Counter) -> None:
    _delivered(counter, 45_67_50 * CENT // 100)
    accountant = _paying_accountant(counter, 0)
    with pytest.raises(Refused, match=r"45\.67"):
        counter.do(accountant, payouts.refund, agreement="A1", amount=45_68)
    asked = counter.do(accountant, payouts.refund, agreement="A1", amount=20_00)
    assert asked["order"] == "O2"
    assert asked["next"].endswith("the same command with another --key pays it out")
    _refund_ends(counter, SaleEvent.RUN, SaleEvent.CONFIRMED)
    assert balances(counter.database) == {
        "cash/1": 50_00, "in_meter/1": 30_00, "payable/1": 20_00,
    }  # fmt: skip
    answer = counter.do(
        accountant, payouts.refund, agreement="A1", amount=20_00, channel=PaymentChannel.TRANSFER
    )
    assert answer["paid_out"] == 20_00
    assert balances(counter.database) == {
        "cash/1": 50_00, "in_meter/1": 30_00, "transit": -20_00,
    }  # fmt: skip
    with counter.database.reading() as session:
        assert session.get_one(Order, 2).kind is OrderKind.REFUND


def test_what_a_dead_sale_is_owed_is_not_refunded_twice(counter: Counter) -> None:
    _dead(counter)
    accountant = _paying_accountant(counter, 0)
    with pytest.raises(Refused):
        counter.do(accountant, payouts.refund, agreement="A1", amount=50_00)


def test_roles_that_propose_and_approve(counter: Counter) -> None:
    _take(counter)
    _move(counter, SaleEvent.RUN, SaleEvent.OPEN_OUTCOME)
    _second_customer(counter)
    for role in Role:
        person = counter.person(role, f"{role}-2")
        if role is not Role.ACCOUNTANT:
            for act, values in (
                (settling.settle, {"sale": "S1", "as_": SettledAs.DEAD}),
                (payouts.payout, {"sale": "S1"}),
                (payouts.refund, {"agreement": "A1", "amount": 1_00}),
            ):
                with pytest.raises(NotPermitted):
                    counter.do(person, act, **values)
        if role not in {Role.ACCOUNTANT, Role.VENDOR}:
            with pytest.raises(NotPermitted):
                counter.do(person, sale_moves.move, sale="S1", to="A2")
    counter.do(Role.ACCOUNTANT, settling.settle, sale="S1", as_=SettledAs.DEAD)
    allowed = {
        Role.ACCOUNTANT, Role.STATION_HEAD, Role.BRANCH_MANAGER, Role.COMPANY_MANAGER,
    }  # fmt: skip
    for role in Role:
        if role not in allowed:
            with pytest.raises(NotPermitted):
                counter.do(role, tasks.approve, number="T1")
    counter.do(counter.person(Role.ACCOUNTANT, "second"), tasks.approve, number="T1")
    for role in Role:
        if role is not Role.VENDOR:
            with pytest.raises(NotPermitted):
                counter.do(role, sales.sell_again, sale="S1")
    assert counter.do(counter.world.vendor, sales.sell_again, sale="S1")["sale"] == "S2"
