"""Receipts: the first print is the original, a cancelled one keeps its number."""

from __future__ import annotations

from typing import Any

import pytest

from meterctl.utility.errors import NotFound, NotPermitted
from meterctl.utility.model.money import PaymentChannel
from meterctl.utility.rules.rights import Role
from meterctl.utility.services import payments, payouts, receipts, sales
from meterctl.utility.store.unit_of_work import Actor
from tests.support.desk_counter import Counter
from tests.support.desk_world import a_customer


def _print(counter: Counter, named: str, who: Actor | None = None) -> Any:
    return counter.do(who or counter.world.vendor, receipts.print_receipt, named=named)


def test_a_receipt_is_printed_once_as_the_original_and_then_in_counted_copies(
    counter: Counter,
) -> None:
    counter.do(counter.world.vendor, sales.take, agreement="A1", amount=50_00)
    first = _print(counter, "S1")
    assert (first["copy"], first["receipt_number"], first["state"]) == (0, "1-0001", "taken")
    assert (first["company"], first["station"]) == ("node 0001", "node 0011")
    assert (first["customer"], first["point"]) == ("A Customer", "000100000001")
    assert [_print(counter, name)["copy"] for name in ("P1", "1-0001")] == [1, 2]


def test_a_request_that_is_repeated_counts_no_further_print(counter: Counter) -> None:
    counter.do(counter.world.vendor, sales.take, agreement="A1", amount=50_00)
    asked = {"named": "S1", "key": "K-1"}
    answers = [counter.ask(counter.world.vendor, receipts.print_receipt, **asked) for _ in range(2)]
    assert [(answer.values["copy"], answer.replayed) for answer in answers] == [
        (0, False), (0, True),
    ]  # fmt: skip
    assert _print(counter, "S1")["copy"] == 1


def test_a_dry_run_counts_nothing(counter: Counter) -> None:
    counter.do(counter.world.vendor, sales.take, agreement="A1", amount=50_00)
    counter.ask(counter.world.vendor, receipts.print_receipt, named="S1", dry_run=True)
    assert _print(counter, "S1")["copy"] == 0


def test_the_receipt_of_a_cancelled_sale_says_so(counter: Counter) -> None:
    counter.do(counter.world.vendor, sales.take, agreement="A1", amount=50_00)
    counter.do(counter.world.vendor, sales.cancel, sale="S1")
    printed = _print(counter, "S1")
    assert (printed["cancelled"], printed["receipt_number"]) == (True, "1-0001")


def test_the_receipt_of_a_moved_payment_is_still_for_whom_it_was_paid(counter: Counter) -> None:
    counter.work(lambda work: a_customer(work, counter.world.station, "2"))
    counter.pay(counter.world.vendor, 120_00)
    counter.do(Role.ACCOUNTANT, payments.move, payment="P1", to="A2")
    printed = _print(counter, "P1")
    assert (printed["agreement"], printed["purpose"], printed["bills"]) == ("A1", "bills", [])


def test_what_has_no_receipt_is_named(counter: Counter) -> None:
    counter.pay(counter.world.vendor, 120_00)
    counter.do(
        Role.ACCOUNTANT, payouts.refund, agreement="A1", amount=20_00,
        channel=PaymentChannel.TRANSFER,
    )  # fmt: skip
    for named in ("P2", "S9", "P9", "1-0009", "x"):
        with pytest.raises(NotFound):
            _print(counter, named)


def test_who_takes_money_prints_receipts(counter: Counter) -> None:
    counter.pay(counter.world.vendor, 120_00)
    for role in Role:
        person = counter.person(role)
        if role in {Role.VENDOR, Role.ACCOUNTANT}:
            assert _print(counter, "P1", person)["receipt_number"] == "1-0001"
        else:
            with pytest.raises(NotPermitted):
                _print(counter, "P1", person)
