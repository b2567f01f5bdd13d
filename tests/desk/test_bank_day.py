"""Days with a bank: many at once, and one day with a line on each side only."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from meterctl.utility.errors import Refused
from meterctl.utility.model.agreement import Agreement
from meterctl.utility.model.banking import BankFile, BankLine
from meterctl.utility.model.money import Payment, PaymentChannel
from meterctl.utility.services import (
    bank_debits,
    bank_files,
    bank_lines,
    bank_reconciliation,
    banks,
    mandates,
    payments,
    payouts,
    shifts,
)
from meterctl.utility.services.closing import close_day
from meterctl.utility.store.unit_of_work import Answer
from protocols.quantities import DAY
from tests.desk.simulation.templates import Templates
from tests.desk.together import THREADS, Together, a_desk
from tests.support.desk_banks import COLLECTED, RETURNS, SHIPPED, STATEMENT, a_file, write_bills
from tests.support.desk_databases import POSTGRESQL
from tests.support.desk_world import TODAY

ACCOUNTANT = "chief_accountant"


@pytest.fixture(params=THREADS)
def desk(
    request: pytest.FixtureRequest, desk_templates: Templates, tmp_path: Path
) -> Iterator[Together]:
    if request.param == POSTGRESQL:
        request.getfixturevalue("postgresql_server")
    with a_desk(desk_templates, request.param, tmp_path) as desk:
        desk.as_worker(lambda work: banks.set_bank(work, description=SHIPPED))
        yield desk


def _load(desk: Together, kind: Any, *lines: str, key: str = "") -> Answer:
    values = {"bank": "shipped", "content": a_file(*lines), "name": "f.csv", "kind": kind}
    return desk.ask(ACCOUNTANT, bank_files.load, key, **values)


def _agreement(desk: Together, number: int = 0) -> str:
    return desk.template.agreements[number + 1]


def _count(desk: Together, table: Any) -> int:
    with desk.database.reading() as session:
        return int(session.scalars(select(func.count()).select_from(table)).one())


def test_the_same_file_at_once_is_booked_once(desk: Together) -> None:
    lines = [f"R{n},{_agreement(desk, n % 2)},1.00" for n in range(10)]
    answers = desk.at_once(*[partial(_load, desk, COLLECTED, *lines)] * desk.size)
    assert [type(answer) for answer in answers] == [Answer] * desk.size
    assert sum(not answer.values["loaded_before"] for answer in answers) == 1
    assert {answer.values["file"] for answer in answers} == {"F1"}
    assert (_count(desk, BankFile), _count(desk, BankLine), _count(desk, Payment)) == (1, 10, 10)
    desk.prove()


def test_files_with_the_same_lines_at_once_book_each_line_once(desk: Together) -> None:
    def lines(file: int) -> list[str]:
        return [f"R{n},{_agreement(desk, n % 2)},1.00" for n in range(file, file + 5)]

    answers = desk.at_once(*[partial(_load, desk, COLLECTED, *lines(n)) for n in range(desk.size)])
    assert [type(answer) for answer in answers] == [Answer] * desk.size
    assert sum(answer.values["booked"] for answer in answers) == desk.size + 4
    assert _count(desk, Payment) == desk.size + 4
    desk.prove()


def test_a_line_is_matched_or_sent_back_once(desk: Together) -> None:
    _load(desk, COLLECTED, "R1,x,5.00")
    acts = [
        partial(desk.ask, ACCOUNTANT, bank_lines.match, line="L1", to=_agreement(desk)),
        partial(desk.ask, ACCOUNTANT, bank_lines.send_back, line="L1"),
    ] * (desk.size // 2)
    answers = desk.at_once(*acts)
    assert sorted(type(answer).__name__ for answer in answers) == (
        ["Answer"] + ["Refused"] * (desk.size - 1)
    )
    desk.prove()


def test_a_day_with_a_bank_from_both_sides(desk: Together) -> None:
    first, second = _agreement(desk), _agreement(desk, 1)
    _load(desk, COLLECTED, f"R1,{first},35.00", f"R2,{second},20.00", "R3,Li,5.00")
    desk.ask("vendor1", payments.pay, agreement=first, amount=9_00, channel=PaymentChannel.CASH)
    desk.ask("vendor1", shifts.count, shift=None, counted=9_00)
    desk.ask("vendor1", shifts.close, shift=None, slip="B-77")
    channel = PaymentChannel.TRANSFER
    desk.ask(ACCOUNTANT, payouts.refund, agreement=first, amount=4_00, channel=channel)
    desk.ask(ACCOUNTANT, bank_lines.match, line="L3", to=second)
    desk.ask(ACCOUNTANT, payments.bounce, payment="P2")
    _load(
        desk, STATEMENT, "R1,Li,35.00", "B-77,cash,9.00", "R3,Li,5.00", "P4,refund,-4.00",
        "X9,unknown,12.00", "F1,fee,-0.50",
    )  # fmt: skip
    told = desk.ask(ACCOUNTANT, bank_reconciliation.reconcile, bank="shipped", on=TODAY).values
    assert [item["reference"] for item in told["both"]] == ["B-77", "P4", "R1", "R3"]
    assert [item["reference"] for item in told["ours_only"]] == ["P2", "R2"]
    assert [item["reference"] for item in told["banks_only"]] == ["X9"]
    assert (told["in_transit"], told["bank_balance"], len(told["tasks"])) == (-12_00, 56_50, 3)
    desk.prove()
    desk.ask("vendor2", shifts.count, shift=None, counted=0)
    desk.ask("vendor2", shifts.close, shift=None, slip=None)
    desk.now += DAY
    closed = desk.ask(ACCOUNTANT, close_day, on=TODAY).values
    assert closed["broken"] == 0
    on = TODAY + timedelta(days=1)
    content = a_file("R2,Li,20.00", "P2,Li,-20.00", at=f"{on} 09:00:00")
    values = {"bank": "shipped", "content": content, "name": "f.csv", "kind": STATEMENT}
    desk.ask(ACCOUNTANT, bank_files.load, **values)
    again = desk.ask(ACCOUNTANT, bank_reconciliation.reconcile, bank="shipped", on=on).values
    assert (again["ours_only"], again["in_transit"], again["tasks"]) == ([], -12_00, [])
    desk.prove()


def test_a_due_bill_is_asked_for_once_however_many_ask(desk: Together) -> None:
    with desk.database.reading() as session:
        number = session.get_one(Agreement, 1).number
    desk.as_worker(lambda work: write_bills(work, [30_00], TODAY, of=1))
    desk.as_worker(
        lambda work: mandates.add(work, agreement=number, bank="shipped", reference="M1")
    )
    due = TODAY + timedelta(days=30)
    send = partial(desk.ask, ACCOUNTANT, bank_debits.send, bank="shipped", due=due)
    answers = desk.at_once(*[send] * desk.size)
    sent = [answer for answer in answers if isinstance(answer, Answer)]
    assert [answer.values["amount"] for answer in sent] == [30_00]
    assert sum(isinstance(answer, Refused) for answer in answers) == desk.size - 1
    back = _load(desk, RETURNS, "D1-1,M1,30.00").values
    assert (back["booked"], back["differences"]) == (1, [])
