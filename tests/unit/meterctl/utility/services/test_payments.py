"""Payments that stand in advance: taken, allocated, moved, bounced; the rest given back."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from sqlalchemy import select, update

from meterctl.utility.errors import Invalid, NotFound, NotPermitted, Refused
from meterctl.utility.model.agreement import Agreement, AgreementMode
from meterctl.utility.model.money import (
    Bill,
    BillKind,
    BillState,
    Payment,
    PaymentChannel,
    PaymentState,
    Shift,
)
from meterctl.utility.rules import postings
from meterctl.utility.rules.rights import Role
from meterctl.utility.rules.transitions import SaleEvent
from meterctl.utility.services import payments, payouts, sales, shifts, tasks
from meterctl.utility.store.ledger import About
from meterctl.utility.store.sale_books import move
from meterctl.utility.store.unit_of_work import UnitOfWork
from tests.support.desk_counter import BOTH_ENGINES, Counter
from tests.support.desk_sales import a_port, balances
from tests.support.desk_world import TODAY, a_customer

OLD, NEW = date(2026, 7, 31), date(2026, 8, 31)


def _bill(counter: Counter, number: str, amount: int, due_on: date, agreement: int = 1) -> None:
    """Add a bill that was taken over."""

    def write(work: UnitOfWork) -> None:
        bill = work.add(
            Bill(
                number=number,
                agreement_id=agreement,
                kind=BillKind.TAKEN_OVER,
                state=BillState.ISSUED,
                month="",
                amount=amount,
                issued_at=work.now,
                due_on=due_on,
                note="",
            )
        )
        transfer = postings.Transfer(
            postings.receivable(agreement), postings.TAKEN_OVER, amount, bill.id
        )
        work.ledger.post(f"bill/{number}", "taken_over", (transfer,), About(agreement))

    counter.work(write)


def _pay(counter: Counter, amount: int, **values: Any) -> Any:
    asked = {"agreement": "A1", "amount": amount, "channel": PaymentChannel.CASH} | values
    return counter.do(counter.world.vendor, payments.pay, **asked)


def _moved(counter: Counter, payment: str = "P1", to: str = "A2") -> Any:
    return counter.do(Role.ACCOUNTANT, payments.move, payment=payment, to=to)


def _bounced(counter: Counter, payment: str = "P1") -> Any:
    return counter.do(Role.ACCOUNTANT, payments.bounce, payment=payment, reason="not good")


def _close_shift(counter: Counter, counted: int) -> None:
    counter.do(counter.world.vendor, shifts.count, shift=None, counted=counted)
    counter.do(counter.world.vendor, shifts.close, shift=None, slip="B-1")


def _second_customer(counter: Counter) -> None:
    counter.work(lambda work: a_customer(work, counter.world.station, "2"))


def test_a_payment_pays_the_oldest_bills_first_and_the_rest_stands_in_advance(
    counter: Counter,
) -> None:
    _bill(counter, "B2", 50_00, NEW)
    _bill(counter, "B1", 30_00, OLD)
    first = _pay(counter, 45_00)
    assert (first["payment"], first["receipt_number"]) == ("P1", "1-0001")
    assert first["allocated"] == [
        {"bill": "B1", "amount": 30_00},
        {"bill": "B2", "amount": 15_00},
    ]
    assert (first["advance"], first["open"]) == (0, 35_00)
    assert balances(counter.database) == {
        "cash/1": 45_00, "receivable/1": 35_00, "taken_over": 80_00,
    }  # fmt: skip
    second = _pay(counter, 75_00)
    assert (second["advance"], second["open"]) == (40_00, 0)
    assert balances(counter.database) == {
        "advance/1": 40_00, "cash/1": 120_00, "taken_over": 80_00,
    }  # fmt: skip


@pytest.mark.parametrize("mode", AgreementMode)
def test_every_mode_is_paid_for(counter: Counter, mode: AgreementMode) -> None:
    counter.work(lambda work: work.session.execute(update(Agreement).values(mode=mode)))
    assert _pay(counter, 20_00)["advance"] == 20_00


def test_the_same_key_pays_once(counter: Counter) -> None:
    first, again = (_pay(counter, 20_00, key="K-1") for _ in range(2))
    assert first == again
    assert balances(counter.database) == {"advance/1": 20_00, "cash/1": 20_00}


def test_what_a_till_does_not_take(counter: Counter) -> None:
    with pytest.raises(Invalid, match="takes cash"):
        _pay(counter, 20_00, channel=PaymentChannel.TRANSFER)
    for amount in (0, -1, 100_000_000):
        with pytest.raises(Invalid, match="no money was taken"):
            _pay(counter, amount)
    with pytest.raises(NotFound):
        _pay(counter, 20_00, agreement="A9")
    counter.work(lambda work: work.session.execute(update(Shift).values(limit_amount=19_99)))
    with pytest.raises(Refused, match="limit"):
        _pay(counter, 20_00)
    assert balances(counter.database) == {}


@BOTH_ENGINES
def test_a_payment_on_the_wrong_agreement_is_moved_and_its_bills_are_open_again(
    counter: Counter,
) -> None:
    _second_customer(counter)
    _bill(counter, "B1", 30_00, OLD)
    _bill(counter, "B2", 25_00, NEW, agreement=2)
    _pay(counter, 10_00)
    _pay(counter, 40_00)
    answer = _moved(counter, "P2")
    assert (answer["agreement"], answer["state"], answer["moved_from"]) == ("A2", "moved", "A1")
    assert answer["open_again"] == 20_00
    assert answer["allocated"] == [{"bill": "B2", "amount": 25_00}]
    assert balances(counter.database) == {
        "advance/2": 15_00, "cash/1": 50_00, "receivable/1": 20_00, "taken_over": 55_00,
    }  # fmt: skip
    back = _moved(counter, "P2", "A1")
    assert (back["open_again"], back["advance"]) == (25_00, 20_00)
    assert balances(counter.database) == {
        "advance/1": 20_00, "cash/1": 50_00, "receivable/2": 25_00, "taken_over": 55_00,
    }  # fmt: skip


def test_what_is_not_moved(counter: Counter) -> None:
    _second_customer(counter)
    _pay(counter, 40_00)
    with pytest.raises(Invalid, match="already"):
        _moved(counter, to="A1")
    with pytest.raises(NotFound):
        _moved(counter, "P9")
    counter.do(counter.world.vendor, sales.take, agreement="A1", amount=50_00)
    with pytest.raises(Refused, match="sale move"):
        _moved(counter, "1-0002")
    counter.do(
        Role.ACCOUNTANT, payouts.refund, agreement="A1", amount=30_00,
        channel=PaymentChannel.TRANSFER,
    )  # fmt: skip
    with pytest.raises(Refused, match=r"30\.00 of P1 was given back"):
        _moved(counter)
    with pytest.raises(Refused, match="is a refund"):
        _moved(counter, "P3")


@BOTH_ENGINES
def test_a_bounced_payment_takes_its_allocations_back_the_newest_first(counter: Counter) -> None:
    _bill(counter, "B1", 30_00, OLD)
    _bill(counter, "B2", 50_00, NEW)
    _pay(counter, 20_00)
    _pay(counter, 40_00)
    _pay(counter, 25_00)
    answer = _bounced(counter, "P2")
    assert (answer["state"], answer["claim"], answer["open"]) == ("bounced", None, 35_00)
    assert balances(counter.database) == {
        "cash/1": 45_00, "receivable/1": 35_00, "taken_over": 80_00,
    }  # fmt: skip
    with pytest.raises(Refused, match="bounced already"):
        _bounced(counter, "P2")
    _close_shift(counter, 145_00)
    _bounced(counter, "P1")
    assert balances(counter.database) == {
        "receivable/1": 55_00, "taken_over": 80_00, "transit": 25_00,
    }  # fmt: skip


def test_what_a_bounced_payment_cannot_give_back_is_a_claim(counter: Counter) -> None:
    _pay(counter, 40_00)
    counter.do(
        Role.ACCOUNTANT, payouts.refund, agreement="A1", amount=30_00,
        channel=PaymentChannel.TRANSFER,
    )  # fmt: skip
    answer = _bounced(counter)
    assert (answer["claim"], answer["claimed"]) == ("B-P1", 30_00)
    assert balances(counter.database) == {"receivable/1": 30_00, "transit": -30_00}
    with counter.database.reading() as session:
        claim = session.scalars(select(Bill)).one()
        assert (claim.kind, claim.due_on) == (BillKind.CLAIM, date(2026, 10, 6))
        assert (claim.due_on - TODAY).days == 15
    paid = _pay(counter, 30_00)
    assert paid["allocated"] == [{"bill": "B-P1", "amount": 30_00}]


@BOTH_ENGINES
def test_a_bounced_payment_of_a_delivered_sale_is_a_claim(counter: Counter) -> None:
    counter.do(counter.world.vendor, sales.take, agreement="A1", amount=50_00)
    with pytest.raises(Refused, match="S1, which P1 paid, is taken"):
        _bounced(counter)
    for event in (SaleEvent.RUN, SaleEvent.CONFIRMED):
        counter.work(lambda work, event=event: move(work, 1, event))
    answer = _bounced(counter)
    assert (answer["claim"], answer["claimed"]) == ("B-P1", 50_00)
    assert balances(counter.database) == {"in_meter/1": 50_00, "receivable/1": 50_00}


def test_a_claim_is_paid_from_the_advance_that_is_there(counter: Counter) -> None:
    counter.do(counter.world.vendor, sales.take, agreement="A1", amount=50_00)
    for event in (SaleEvent.RUN, SaleEvent.CONFIRMED):
        counter.work(lambda work, event=event: move(work, 1, event))
    _pay(counter, 30_00)
    answer = _bounced(counter)
    assert (answer["claimed"], answer["open"], answer["advance"]) == (50_00, 20_00, 0)


def test_a_bounced_payment_of_a_dead_sale_is_not_owed_any_more(counter: Counter) -> None:
    counter.work(lambda work: a_port(work, counter.world))
    counter.do(counter.world.vendor, sales.take, agreement="A1", amount=50_00)
    counter.do(counter.world.vendor, sales.take, agreement="A1", amount=20_00)
    for event in (SaleEvent.RUN, SaleEvent.REFUSED):
        counter.work(lambda work, event=event: move(work, 1, event))
    assert _bounced(counter)["claim"] is None
    assert balances(counter.database) == {"cash/1": 20_00, "undelivered/1": 20_00}
    _close_shift(counter, 120_00)
    _bounced(counter, "P2")
    assert balances(counter.database) == {}


def test_a_cancelled_payment_and_one_that_went_out_do_not_bounce(counter: Counter) -> None:
    counter.do(counter.world.vendor, sales.take, agreement="A1", amount=50_00)
    counter.do(counter.world.vendor, sales.cancel, sale="S1")
    with pytest.raises(Refused, match="cancelled already"):
        _bounced(counter)
    _pay(counter, 10_00)
    counter.do(
        Role.ACCOUNTANT, payouts.refund, agreement="A1", amount=10_00,
        channel=PaymentChannel.TRANSFER,
    )  # fmt: skip
    with pytest.raises(Refused, match="went out"):
        _bounced(counter, "P3")
    with counter.database.reading() as session:
        assert session.get_one(Payment, 1).state is PaymentState.CANCELLED


@BOTH_ENGINES
def test_the_rest_of_an_advance_is_given_back_and_above_five_hundred_by_two(
    counter: Counter,
) -> None:
    _pay(counter, 900_00)
    accountant = counter.person(Role.ACCOUNTANT)
    transfer = {"agreement": "A1", "channel": PaymentChannel.TRANSFER}
    for amount in (0, -1):
        with pytest.raises(Invalid):
            counter.do(accountant, payouts.refund, amount=amount, **transfer)
    with pytest.raises(Refused, match=r"holds 900\.00"):
        counter.do(accountant, payouts.refund, amount=900_01, **transfer)
    one = counter.do(accountant, payouts.refund, amount=300_00, **transfer)
    assert (one["paid_out"], one["still_held"]) == (300_00, 600_00)
    two = counter.do(accountant, payouts.refund, amount=600_00, **transfer)
    assert two["task"] == "T1"
    assert balances(counter.database)["advance/1"] == 600_00

    assert counter.do(Role.STATION_HEAD, tasks.approve, number="T1")["paid_out"] == 600_00
    assert balances(counter.database) == {"cash/1": 900_00, "transit": -900_00}


def test_roles_of_payments(counter: Counter) -> None:
    _second_customer(counter)
    _pay(counter, 10_00)
    cash = PaymentChannel.CASH
    for role in Role:
        person = counter.person(role)
        if role not in {Role.VENDOR, Role.ACCOUNTANT}:
            with pytest.raises(NotPermitted):
                counter.do(person, payments.pay, agreement="A1", amount=10_00, channel=cash)
        if role is not Role.ACCOUNTANT:
            with pytest.raises(NotPermitted):
                counter.do(person, payments.move, payment="P1", to="A2")
            with pytest.raises(NotPermitted):
                counter.do(person, payments.bounce, payment="P1")
