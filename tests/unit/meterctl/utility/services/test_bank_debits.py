"""Bank debit: due bills with a mandate go out once, and come back paid or bounced."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from meterctl.utility.errors import Conflict, Invalid, NotFound, Refused
from meterctl.utility.model.banking import BankLine, BankLineState
from meterctl.utility.model.work import Task, TaskKind
from meterctl.utility.rules.bank_description import BankFileKind
from meterctl.utility.rules.rights import Role
from meterctl.utility.services import bank_debits, mandates, payments
from protocols.quantities import DAY
from tests.support.desk_banks import RETURNS, a_bank, load, open_bills
from tests.support.desk_counter import BOTH_ENGINES, Counter
from tests.support.desk_sales import balances
from tests.support.desk_world import NOON, TODAY, a_customer

LATER = TODAY + timedelta(days=30)


def _mandate(counter: Counter, agreement: str = "A1", reference: str = "M1", **more: Any) -> Any:
    values = {"agreement": agreement, "bank": "shipped", "reference": reference}
    return counter.do(Role.CLERK, mandates.add, **values, **more)


def _send(counter: Counter, due: date = TODAY) -> Any:
    return counter.do(Role.ACCOUNTANT, bank_debits.send, bank="shipped", due=due)


def _content(counter: Counter, number: str) -> list[str]:
    with counter.database.reading() as session:
        actor = counter.person(Role.ACCOUNTANT)
        return bank_debits.content_of(session, actor, number).decode().splitlines()


def _returned(counter: Counter, *lines: str) -> Any:
    """Load what became of debits, on the desk's date."""
    on = TODAY + timedelta(days=(counter.at - NOON) // DAY)
    return load(counter, RETURNS, *lines, at=f"{on} 10:00:00")


def _states(counter: Counter) -> list[BankLineState]:
    with counter.database.reading() as session:
        return list(
            session.scalars(
                select(BankLine.state)
                .where(BankLine.kind == BankFileKind.DEBITS)
                .order_by(BankLine.id)
            )
        )


@BOTH_ENGINES
def test_due_bills_with_a_mandate_go_out_once_and_come_back_paid(counter: Counter) -> None:
    a_bank(counter)
    counter.work(lambda work: a_customer(work, counter.world.station, "2"))
    open_bills(counter, [30_00, 20_00])
    open_bills(counter, [7_00], due_on=LATER)
    open_bills(counter, [9_00], of=2)  # without a mandate
    _mandate(counter)
    told = _send(counter)
    assert (told["file"], told["lines"], told["amount"]) == ("F1", 2, 50_00)
    assert _content(counter, "F1") == [
        "reference,party,amount,paid_at", f"D1-1,M1,30.00,{TODAY}", f"D2-1,M1,20.00,{TODAY}",
    ]  # fmt: skip
    with pytest.raises(Refused, match="waits for a debit"):
        _send(counter)
    assert _returned(counter, "D1-1,M1,30.00", "D2-1,M1,20.00")["booked"] == 2
    assert _states(counter) == [BankLineState.BOOKED] * 2
    assert balances(counter.database) == {
        "receivable/1": 7_00, "receivable/2": 9_00, "taken_over": 66_00, "transit": 50_00,
    }  # fmt: skip
    with pytest.raises(Refused, match="waits for a debit"):
        _send(counter)
    assert _send(counter, due=LATER)["amount"] == 7_00


@BOTH_ENGINES
def test_a_debit_that_bounces_goes_out_twice_more_three_days_apart_and_is_given_up(
    counter: Counter,
) -> None:
    a_bank(counter)
    open_bills(counter, [30_00])
    _mandate(counter)
    for number in (1, 2, 3):
        assert _send(counter)["lines"] == 1
        assert _returned(counter, f"D1-{number},M1,0.00")["bounced"] == 1
        counter.at += 2 * DAY
        with pytest.raises(Refused, match="waits for a debit"):
            _send(counter)
        counter.at += DAY
    assert _states(counter) == [
        BankLineState.BOUNCED, BankLineState.BOUNCED, BankLineState.GIVEN_UP,
    ]  # fmt: skip
    with pytest.raises(Refused, match="waits for a debit"):
        _send(counter)
    assert balances(counter.database) == {"receivable/1": 30_00, "taken_over": 30_00}
    with counter.database.reading() as session:
        (task,) = session.scalars(select(Task))
    assert (task.kind, task.subject_kind, task.subject_id) == (
        TaskKind.DEBIT_GIVEN_UP, "bill", 1,
    )  # fmt: skip


def test_a_debit_that_bounces_after_it_was_paid_is_a_bounced_payment(counter: Counter) -> None:
    a_bank(counter)
    open_bills(counter, [30_00])
    _mandate(counter)
    _send(counter)
    _returned(counter, "D1-1,M1,30.00")
    told = _returned(counter, "D1-1,M1,0.00")
    assert "`desk pay bounce P1`" in told["differences"][0]["why"]
    counter.do(Role.ACCOUNTANT, payments.bounce, payment="P1")
    assert balances(counter.database) == {"receivable/1": 30_00, "taken_over": 30_00}
    assert _send(counter)["again"] == 1
    assert _content(counter, "F4")[1].startswith("D1-2,")


def test_a_debit_that_comes_back_with_another_amount_is_named_and_not_booked(
    counter: Counter,
) -> None:
    a_bank(counter)
    open_bills(counter, [30_00])
    _mandate(counter)
    _send(counter)
    told = _returned(counter, "D1-1,M1,29.00")
    assert told["differences"][0]["why"] == "the bank was asked for 30.00"
    assert _states(counter) == [BankLineState.SENT]


def test_what_is_paid_meanwhile_is_not_asked_for_and_too_much_is_advance(counter: Counter) -> None:
    a_bank(counter)
    open_bills(counter, [30_00, 20_00])
    _mandate(counter)
    counter.pay(counter.world.vendor, 35_00)
    assert _send(counter)["amount"] == 15_00
    counter.pay(counter.world.vendor, 15_00)
    _returned(counter, "D2-1,M1,15.00")
    assert balances(counter.database)["advance/1"] == 15_00


def test_an_agreement_has_one_live_mandate_and_its_account_is_masked(counter: Counter) -> None:
    a_bank(counter)
    counter.work(lambda work: a_customer(work, counter.world.station, "2"))
    told = _mandate(counter, payer_account="6222021234567890")
    assert told["payer_account"] == "************7890"
    with pytest.raises(Refused, match="A1 has mandate M1"):
        _mandate(counter, reference="M2")
    with pytest.raises(Conflict, match="there is one already"):
        _mandate(counter, agreement="A2")
    ended = counter.do(Role.CLERK, mandates.end, agreement="A1", reason="he moved")
    assert (ended["state"], ended["to_on"]) == ("ended", TODAY.isoformat())
    with pytest.raises(NotFound, match="no live mandate"):
        counter.do(Role.CLERK, mandates.end, agreement="A1")
    _mandate(counter, reference="M2")
    with counter.database.reading() as session:
        clerk = counter.person(Role.CLERK)
        assert [each["reference"] for each in mandates.list_(
            session, clerk, "shipped", ended=True, limit=9
        )] == ["M1", "M2"]  # fmt: skip
    with pytest.raises(Invalid, match="no document 5"):
        _mandate(counter, agreement="A2", reference="M3", document=5)


def test_a_mandate_that_has_not_begun_or_has_ended_is_not_used(counter: Counter) -> None:
    a_bank(counter)
    open_bills(counter, [30_00])
    _mandate(counter, from_on=LATER)
    with pytest.raises(Refused):
        _send(counter)
    counter.do(Role.CLERK, mandates.end, agreement="A1")
    _mandate(counter, reference="M2", from_on=TODAY, to_on=TODAY + timedelta(days=1))
    counter.at += DAY
    with pytest.raises(Refused):
        _send(counter)
