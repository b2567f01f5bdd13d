"""Counters and workers at the same moment: one of them is first, and nothing is done twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import func, select

from meterctl.utility.errors import Conflict, DeskError, NotFound, Refused
from meterctl.utility.model.money import Payment, Receipt, Sale
from meterctl.utility.rules.rights import Role
from meterctl.utility.rules.transitions import SaleEvent, SaleState
from meterctl.utility.services import payments, payouts, sales, shifts
from meterctl.utility.store.sale_books import move
from meterctl.utility.store.unit_of_work import repeated
from tests.support.desk_counter import BOTH_ENGINES, Counter
from tests.support.desk_sales import balances
from tests.support.desk_world import a_customer, a_shift

Act = Callable[[], Any]


def _at_once(acts: Sequence[Act]) -> list[Any]:
    """Do things in threads that begin together; return their results, and errors of the desk."""
    start = Barrier(len(acts))

    def do(act: Act) -> Any:
        start.wait()
        try:
            return act()
        except DeskError as error:
            return error

    with ThreadPoolExecutor(len(acts)) as threads:
        return list(threads.map(do, acts))


def test_of_requests_with_one_key_one_sells_and_all_have_its_answer(counter: Counter) -> None:
    vendor = counter.world.vendor
    asked = {"agreement": "A1", "amount": 50_00, "key": "K-1"}
    answers = _at_once([lambda: counter.ask(vendor, sales.take, **asked)] * 6)
    assert sorted(answer.replayed for answer in answers) == [False, *[True] * 5]
    assert all(answer.values == answers[0].values for answer in answers)
    assert balances(counter.database) == {"cash/1": 50_00, "undelivered/1": 50_00}


@BOTH_ENGINES
def test_two_vendors_at_one_meter_keep_its_limit_and_number_their_own_receipts(
    counter: Counter,
) -> None:
    counter.terms(max_credit=100_00)
    counter.read(0)
    second = counter.person(Role.VENDOR, "v2")
    counter.work(lambda work: a_shift(work, second, counter.world.station, "2"))
    counter.work(lambda work: a_customer(work, counter.world.station, "2"))
    took = _at_once(
        [
            lambda who=who: counter.do(who, sales.take, agreement="A1", amount=60_00)
            for who in (counter.world.vendor, second)
        ]
        + [
            lambda who=who: counter.do(who, sales.take, agreement="A2", amount=10_00)
            for who in (counter.world.vendor, second) * 3
        ]
    )
    refused = [answer for answer in took if isinstance(answer, DeskError)]
    assert [type(error) for error in refused] == [Refused]
    assert balances(counter.database)["undelivered/1"] == 60_00
    with counter.database.reading() as session:
        for shift in (1, 2):
            numbers = session.scalars(
                select(Receipt.number).where(Receipt.shift_id == shift).order_by(Receipt.number)
            ).all()
            assert list(numbers) == list(range(1, len(numbers) + 1))
        assert session.scalar(select(func.count()).select_from(Receipt)) == 7


@BOTH_ENGINES
def test_of_cancelling_and_running_one_is_first_and_the_other_is_refused(counter: Counter) -> None:
    vendor = counter.world.vendor
    for number in range(1, 4):
        counter.do(vendor, sales.take, agreement="A1", amount=50_00)
        named = f"S{number}"

        def run(sale: int = number) -> SaleState:
            return repeated(
                lambda: counter.work(lambda work: move(work, sale, SaleEvent.RUN))
            ).state

        cancelled, ran = _at_once(
            [lambda sale=named: counter.do(vendor, sales.cancel, sale=sale), run]
        )
        won = [each for each in (cancelled, ran) if not isinstance(each, DeskError)]
        lost = [each for each in (cancelled, ran) if isinstance(each, DeskError)]
        assert (len(won), [error.status for error in lost]) == (1, [409])
        with counter.database.reading() as session:
            state = session.get_one(Sale, number).state
        if state is SaleState.SENDING:
            counter.work(lambda work, sale=number: move(work, sale, SaleEvent.REFUSED))
        else:
            assert state is SaleState.CANCELLED
    held = balances(counter.database)
    assert held.get("cash/1", 0) == held.get("payable/1", 0)


def test_what_is_owed_is_paid_out_or_sold_again_once(counter: Counter) -> None:
    vendor, accountant = counter.world.vendor, counter.person(Role.ACCOUNTANT)
    counter.do(accountant, shifts.open_shift, node=None, float_amount=0)
    counter.pay(accountant, 60_00)
    counter.do(vendor, sales.take, agreement="A1", amount=50_00)
    for event in (SaleEvent.RUN, SaleEvent.REFUSED):
        counter.work(lambda work, event=event: move(work, 1, event))
    done = _at_once(
        [
            lambda: counter.do(accountant, payouts.payout, sale="S1"),
            lambda: counter.do(accountant, payouts.payout, sale="S1"),
            lambda: counter.do(vendor, sales.sell_again, sale="S1"),
        ]
    )
    assert sum(isinstance(each, Refused | Conflict) for each in done) == 2
    held = balances(counter.database)
    assert held["cash/1"] + held["cash/2"] == held["advance/1"] + held.get("undelivered/1", 0)


def test_a_shift_that_closes_beside_sales_and_payments_holds_none_of_them(
    counter: Counter,
) -> None:
    vendor, other = counter.world.vendor, counter.person(Role.ACCOUNTANT)
    counter.serve_wire()
    counter.do(vendor, shifts.count, shift=None, counted=100_00)
    cash = payments.PaymentChannel.CASH
    done = _at_once(
        [
            lambda: counter.do(vendor, shifts.recount, shift=None),
            lambda: counter.do(vendor, sales.take, agreement="A1", amount=50_00),
            lambda: counter.do(vendor, payments.pay, agreement="A1", amount=7_00, channel=cash),
            lambda: counter.do(other, shifts.close, shift="1", slip=None),
        ]
    )
    failed = [each for each in done if isinstance(each, DeskError)]
    assert all(isinstance(each, Refused | Conflict | NotFound) for each in failed)
    with counter.database.reading() as session:
        paid = session.scalar(select(func.coalesce(func.sum(Payment.amount), 0)))
    held = balances(counter.database)
    assert held.get("cash/1", 0) + held.get("transit", 0) == paid


def test_a_key_of_a_sale_is_not_used_for_another_request(counter: Counter) -> None:
    counter.do(counter.world.vendor, sales.take, agreement="A1", amount=50_00, key="K-1")
    with pytest.raises(DeskError, match="key K-1"):
        counter.do(counter.world.vendor, sales.sell_again, sale="S1", key="K-1")
