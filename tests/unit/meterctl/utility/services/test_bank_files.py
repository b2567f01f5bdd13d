"""Files of a bank: booked once and whole, to their owners or in suspense, and its statement."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from meterctl.utility.errors import Invalid, NotPermitted, Refused
from meterctl.utility.model.agreement import Agreement, AgreementMode
from meterctl.utility.model.banking import BankFile, BankLine
from meterctl.utility.model.money import Payment, PaymentChannel
from meterctl.utility.model.work import Task, TaskKind
from meterctl.utility.rules.rights import Role
from meterctl.utility.rules.transitions import AgreementState, TaskState
from meterctl.utility.services import bank_files, bank_lines, banks, payments, tasks
from tests.support.desk_banks import (
    COLLECTED,
    LAKESIDE,
    RETURNS,
    STATEMENT,
    a_bank,
    a_file,
    load,
    open_bills,
)
from tests.support.desk_counter import BOTH_ENGINES, Counter
from tests.support.desk_sales import balances
from tests.support.desk_world import NOON, TODAY, a_customer

POINT = "000100000001"


@BOTH_ENGINES
def test_collected_money_pays_its_customers_bills_and_the_rest_waits_in_suspense(
    counter: Counter,
) -> None:
    a_bank(counter)
    open_bills(counter, [30_00, 20_00])
    told = load(counter, COLLECTED, "R1,A1,35.00", f"R2,{POINT},20.00", "R3,unknown,5.00")
    assert told["loaded_before"] is False
    assert {name: told[name] for name in ("lines", "booked", "suspense", "known")} == {
        "lines": 3, "booked": 2, "suspense": 1, "known": 0,
    }  # fmt: skip
    assert (told["booked_amount"], told["suspense_amount"]) == (55_00, 5_00)
    assert balances(counter.database) == {
        "advance/1": 5_00, "suspense": 5_00, "taken_over": 50_00, "transit": 60_00,
    }  # fmt: skip
    with counter.database.reading() as session:
        paid = session.scalars(select(Payment).order_by(Payment.id)).first()
        assert paid is not None
        assert (paid.channel, paid.bank_reference) == (PaymentChannel.DEPUTED, "R1")
        assert paid.paid_at < NOON  # when the bank took it


@pytest.mark.parametrize("mode", AgreementMode)
def test_collected_money_stands_in_advance_in_every_mode(
    counter: Counter, mode: AgreementMode
) -> None:
    a_bank(counter)
    counter.work(lambda work: work.session.execute(update(Agreement).values(mode=mode)))
    load(counter, COLLECTED, "R1,1,35.00")  # the number of the customer
    assert balances(counter.database) == {"advance/1": 35_00, "transit": 35_00}


def test_money_of_a_customer_with_two_agreements_or_a_closed_one_waits(counter: Counter) -> None:
    a_bank(counter)
    counter.work(lambda work: a_customer(work, counter.world.station, "2"))
    one_customer = update(Agreement).values(party_id=1)
    counter.work(lambda work: work.session.execute(one_customer))
    closed = update(Agreement).values(state=AgreementState.CLOSED).where(Agreement.id == 2)
    load(counter, COLLECTED, "R1,1,1.00")
    counter.work(lambda work: work.session.execute(closed))
    load(counter, COLLECTED, "R2,1,2.00", "R3,A2,4.00", "R4,,8.00")
    with counter.database.reading() as session:
        causes = [line.cause for line in session.scalars(select(BankLine).order_by(BankLine.id))]
    assert sorted(causes) == [
        "", "1 has 2 agreements", "the agreement of A2 is closed", "the bank names no person",
    ]  # fmt: skip
    assert balances(counter.database) == {"advance/1": 2_00, "suspense": 13_00, "transit": 15_00}


@BOTH_ENGINES
def test_the_same_file_again_gives_the_first_answer_and_changes_nothing(counter: Counter) -> None:
    a_bank(counter)
    first = load(counter, COLLECTED, "R1,A1,35.00", "R2,x,5.00")
    before = balances(counter.database)
    counter.at += 60_000
    again = load(counter, COLLECTED, "R1,A1,35.00", "R2,x,5.00")
    assert again == {**first, "loaded_before": True}
    assert balances(counter.database) == before
    with counter.database.reading() as session:
        assert len(session.scalars(select(BankFile)).all()) == 1


def test_a_content_is_not_loaded_as_another_kind_or_bank(counter: Counter) -> None:
    a_bank(counter)
    a_bank(counter, 'name = "second"\n[collected]\n')
    load(counter, COLLECTED, "R1,A1,35.00")
    for kind, bank in ((STATEMENT, "shipped"), (COLLECTED, "second")):
        with pytest.raises(Refused, match=r"loaded as collected of shipped \(F1\)"):
            load(counter, kind, "R1,A1,35.00", bank=bank)
    assert balances(counter.database) == {"advance/1": 35_00, "transit": 35_00}


def test_known_lines_are_skipped_and_one_with_another_amount_is_named_and_not_booked(
    counter: Counter,
) -> None:
    a_bank(counter)
    load(counter, COLLECTED, "R1,A1,35.00", "R2,x,5.00")
    told = load(counter, COLLECTED, "R1,A1,35.00", "R2,x,6.00", "R3,A1,1.00")
    assert (told["known"], told["booked"], told["task"]) == (1, 1, "T1")
    (difference,) = told["differences"]
    assert (difference["reference"], difference["amount"], difference["known_amount"]) == (
        "R2", 6_00, 5_00,
    )  # fmt: skip
    assert balances(counter.database) == {"advance/1": 36_00, "suspense": 5_00, "transit": 41_00}


def test_nothing_of_a_file_with_mistakes_is_booked_and_each_is_named(counter: Counter) -> None:
    a_bank(counter)
    with pytest.raises(Invalid) as refused:
        load(counter, COLLECTED, "R1,A1,35.00", ",A1,1.005", "R1,A1,-1", "R2,A1,1,2026-13-01")
    assert str(refused.value).split("\n") == [
        "line 3: there is no reference",
        "line 3: '1.005' has more than 2 decimals",
        "line 4: amount -1: allowed is 0.01 to 1000000000.00",
        "line 5: paid_at '2026-13-01': the bank's description says YYYY-MM-DD hh:mm:ss or "
        "YYYY-MM-DD hh:mm or YYYY-MM-DD",
        "nothing was changed",
    ]
    assert balances(counter.database) == {}


@BOTH_ENGINES
def test_a_statement_moves_money_between_transit_and_the_bank(counter: Counter) -> None:
    a_bank(counter)
    load(counter, COLLECTED, "R1,A1,35.00")
    told = load(counter, STATEMENT, "R1,Li,35.00", "F1,fee,-0.50", "X1,rent,-10.00")
    assert (told["booked"], told["booked_amount"]) == (3, 24_50)
    assert balances(counter.database) == {
        "advance/1": 35_00, "bank": 24_50, "fees": -50, "transit": 10_00,
    }  # fmt: skip


def test_a_fee_that_comes_in_is_a_mistake(counter: Counter) -> None:
    a_bank(counter)
    with pytest.raises(Invalid, match="line 2: a fee goes out"):
        load(counter, STATEMENT, "F1,手续费,0.50")


def test_a_file_in_gb18030_with_the_banks_own_headings_is_read(counter: Counter) -> None:
    a_bank(counter, LAKESIDE)
    text = (
        "湖畔银行 代收明细\n"
        "流水号,户名,用户编号,金额,交易时间\n"
        f"R1,李雷,A1,35.00,{TODAY} 09:30:00\n"
    )
    values = {"bank": "lakeside", "name": "f.csv", "kind": COLLECTED}
    content = text.encode("gb18030")
    told = counter.do(Role.ACCOUNTANT, bank_files.load, content=content, **values)
    assert told["booked"] == 1
    with pytest.raises(Invalid, match="not GB18030"):
        counter.do(Role.ACCOUNTANT, bank_files.load, content=content + b"\xff", **values)


def test_each_bank_has_accounts_of_its_own(counter: Counter) -> None:
    a_bank(counter)
    a_bank(counter, 'name = "second"\n[collected]\n')
    load(counter, COLLECTED, "R1,A1,35.00")
    told = load(counter, COLLECTED, "R1,A1,36.00", "R2,x,1.00", bank="second")
    assert told["booked"] == 1
    assert balances(counter.database) == {
        "advance/1": 71_00, "suspense/1": 1_00, "transit": 35_00, "transit/1": 37_00,
    }  # fmt: skip


@BOTH_ENGINES
def test_a_line_in_suspense_is_matched_with_its_owner_and_can_be_moved_and_bounced(
    counter: Counter,
) -> None:
    a_bank(counter)
    counter.work(lambda work: a_customer(work, counter.world.station, "2"))
    open_bills(counter, [3_00])
    load(counter, COLLECTED, "R1,x,5.00")
    told = counter.do(Role.ACCOUNTANT, bank_lines.match, line="L1", to="A1")
    assert (told["payment"], told["advance"], told["open"]) == ("P1", 2_00, 0)
    assert told["allocated"] == [{"bill": "B1", "amount": 3_00}]
    assert balances(counter.database) == {"advance/1": 2_00, "taken_over": 3_00, "transit": 5_00}
    with pytest.raises(Refused, match="L1 is matched"):
        counter.do(Role.ACCOUNTANT, bank_lines.match, line="L1", to="A1")
    counter.do(Role.ACCOUNTANT, payments.move, payment="P1", to="A2")
    counter.do(Role.ACCOUNTANT, payments.bounce, payment="P1")
    assert balances(counter.database) == {"receivable/1": 3_00, "taken_over": 3_00}


def test_a_line_in_suspense_is_sent_back(counter: Counter) -> None:
    a_bank(counter)
    load(counter, COLLECTED, "R1,x,5.00")
    told = counter.do(Role.ACCOUNTANT, bank_lines.send_back, line="L1", reason="wrong account")
    assert told["state"] == "sent_back"
    assert balances(counter.database) == {}
    for act, more in ((bank_lines.match, {"to": "A1"}), (bank_lines.send_back, {})):
        with pytest.raises(Refused, match="sent_back, not in suspense"):
            counter.do(Role.ACCOUNTANT, act, line="L1", **more)


def test_more_than_500_is_sent_back_by_two_persons(counter: Counter) -> None:
    a_bank(counter)
    load(counter, COLLECTED, "R1,x,500.01")
    told = counter.do(Role.ACCOUNTANT, bank_lines.send_back, line="L1", reason="wrong account")
    assert told["task"] == "T1"
    with pytest.raises(NotPermitted, match="own proposal"):
        counter.do(Role.ACCOUNTANT, tasks.approve, number="T1")
    counter.do(Role.STATION_HEAD, tasks.approve, number="T1")
    assert balances(counter.database) == {}


def test_money_that_a_bank_says_it_debited_without_being_asked_waits_in_suspense(
    counter: Counter,
) -> None:
    a_bank(counter)
    told = load(counter, RETURNS, "D9-1,M1,5.00", "D9-2,M1,0.00")
    assert (told["suspense"], told["bounced"]) == (1, 0)
    assert told["differences"][0]["why"] == "no such debit was sent"
    assert balances(counter.database) == {"suspense": 5_00, "transit": 5_00}


def test_only_an_accountant_of_the_company_loads_a_file(counter: Counter) -> None:
    a_bank(counter)
    for role in (Role.VENDOR, Role.CLERK, Role.AUDITOR):
        with pytest.raises(NotPermitted):
            counter.do(
                role, bank_files.load, bank="shipped", content=a_file("R1,A1,1.00"), name="f",
                kind=COLLECTED,
            )  # fmt: skip


def test_a_bank_is_described_again_by_its_name(counter: Counter) -> None:
    a_bank(counter)
    a_bank(counter, 'name = "shipped"\ntitle = "Second"\n[statement]\n')
    with counter.database.reading() as session:
        (bank,) = banks.list_(session, counter.person(Role.ACCOUNTANT))
    assert (bank["title"], bank["kinds"], bank["version"]) == ("Second", ["statement"], 2)
    with pytest.raises(Invalid, match="sends no files of kind collected, only statement"):
        load(counter, COLLECTED, "R1,A1,1.00")


def test_a_difference_is_a_task_of_its_file(counter: Counter) -> None:
    a_bank(counter)
    load(counter, COLLECTED, "R1,A1,35.00")
    load(counter, COLLECTED, "R1,A1,36.00")
    with counter.database.reading() as session:
        (task,) = session.scalars(select(Task))
    assert (task.kind, task.subject_kind, task.subject_id, task.state) == (
        TaskKind.BANK_DIFFERENCE, "bank_file", 2, TaskState.OPEN,
    )  # fmt: skip
    assert task.due_on == TODAY + timedelta(days=1)
