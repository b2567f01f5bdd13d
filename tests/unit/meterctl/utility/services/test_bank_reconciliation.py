"""The reconciliation of a date: both sides, one side alone, its tasks, and the bank's balance."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from meterctl.utility.errors import Invalid
from meterctl.utility.meters.upkeep import owe_bank_tasks
from meterctl.utility.model.money import PaymentChannel
from meterctl.utility.model.organisation import Desk
from meterctl.utility.model.work import Task, TaskKind
from meterctl.utility.rules.rights import Role
from meterctl.utility.rules.transitions import TaskState
from meterctl.utility.services import bank_lines, bank_reconciliation, payouts, shifts
from protocols.quantities import DAY
from tests.support.desk_banks import COLLECTED, STATEMENT, a_bank, load
from tests.support.desk_counter import BOTH_ENGINES, Counter
from tests.support.desk_world import TODAY


def _reconciled(counter: Counter, days: int = 0, bank: str = "shipped") -> Any:
    on = TODAY + timedelta(days=days)
    return counter.do(Role.ACCOUNTANT, bank_reconciliation.reconcile, bank=bank, on=on)


def _names(told: Any) -> dict[str, list[tuple[str, int | None, int | None]]]:
    return {
        name: [(each["reference"], each["ours"], each["banks"]) for each in told[name]]
        for name in ("both", "ours_only", "banks_only", "differing")
    }


def _tasks(counter: Counter) -> list[tuple[TaskKind, str, TaskState]]:
    with counter.database.reading() as session:
        return [
            (task.kind, f"{task.subject_kind}/{task.subject_id}", task.state)
            for task in session.scalars(select(Task).order_by(Task.id))
        ]


@BOTH_ENGINES
def test_a_date_is_compared_by_reference_and_what_one_side_has_alone_is_a_task(
    counter: Counter,
) -> None:
    a_bank(counter)
    load(counter, COLLECTED, "R1,A1,35.00", "R2,A1,5.00", "R3,x,7.00")
    counter.pay(counter.world.vendor, 100_00)
    counter.do(counter.world.vendor, shifts.count, shift=None, counted=200_00)
    counter.do(counter.world.vendor, shifts.close, shift=None, slip="B-77")
    load(
        counter, STATEMENT, "R1,Li,35.00", "b-77,cash,100.00", "R3,x,7.50", "Z9,?,3.00",
        "F1,fee,-0.50",
    )  # fmt: skip
    told = _reconciled(counter)
    assert _names(told) == {
        "both": [("B-77", 100_00, 100_00), ("R1", 35_00, 35_00)],
        "ours_only": [("R2", 5_00, None)],
        "banks_only": [("Z9", None, 3_00)],
        "differing": [("R3", 7_00, 7_50)],
    }
    assert told["tasks"] == ["T1", "T2", "T3"]
    assert (told["bank_balance"], told["bank_booked"], told["bank_statements"]) == (
        145_00, 145_00, 145_00,
    )  # fmt: skip
    assert told["in_transit"] == 5_00 - 3_00 + 7_00 - 7_50
    assert told["in_suspense"] == 7_00
    assert _reconciled(counter)["tasks"] == []


def test_a_task_ends_when_both_sides_have_it(counter: Counter) -> None:
    a_bank(counter)
    load(counter, COLLECTED, "R1,A1,35.00")
    assert _reconciled(counter)["tasks"] == ["T1"]
    load(counter, STATEMENT, "R1,Li,35.00")
    told = _reconciled(counter)
    assert (len(told["both"]), told["in_transit"]) == (1, 0)
    assert _tasks(counter) == [(TaskKind.ONE_SIDED, "bank_line/1", TaskState.CANCELLED)]


def test_what_the_bank_pays_out_and_sends_back_is_named_by_the_desks_numbers(
    counter: Counter,
) -> None:
    a_bank(counter)
    load(counter, COLLECTED, "R1,A1,35.00", "R2,x,5.00")
    counter.do(
        Role.ACCOUNTANT, payouts.refund, agreement="A1", amount=10_00,
        channel=PaymentChannel.TRANSFER,
    )  # fmt: skip
    counter.do(Role.ACCOUNTANT, bank_lines.send_back, line="L2")
    load(counter, STATEMENT, "R1,Li,35.00", "R2,x,5.00", "P2,Li,-10.00", "L2,x,-5.00")
    told = _reconciled(counter)
    assert _names(told)["both"] == [
        ("L2", -5_00, -5_00), ("P2", -10_00, -10_00), ("R1", 35_00, 35_00), ("R2", 5_00, 5_00),
    ]  # fmt: skip
    assert (told["in_transit"], told["tasks"]) == (0, [])


def test_later_dates_are_told_in_one_sum(counter: Counter) -> None:
    a_bank(counter)
    load(counter, COLLECTED, "R1,A1,35.00")
    counter.at += DAY
    tomorrow = f"{TODAY + timedelta(days=1)} 09:00:00"
    load(counter, COLLECTED, "R2,A1,5.00", at=tomorrow)
    load(counter, STATEMENT, "R1,Li,35.00", at=tomorrow)
    told = _reconciled(counter)
    assert _names(told)["both"] == [("R1", 35_00, 35_00)]
    assert (told["later"], told["in_transit"], told["bank_balance"]) == (5_00, 5_00, 0)
    assert _reconciled(counter, days=1)["bank_balance"] == 35_00
    with pytest.raises(Invalid, match="has not begun"):
        _reconciled(counter, days=2)


def test_upkeep_owes_tasks_for_what_waits_for_more_than_three_days(counter: Counter) -> None:
    a_bank(counter)
    load(counter, COLLECTED, "R1,A1,35.00", "R2,x,5.00", "R3,y,6.00")
    counter.do(Role.ACCOUNTANT, bank_lines.send_back, line="L2")
    load(counter, STATEMENT, "X9,unknown,3.00")
    owed = None
    for days, tasks in ((3, 0), (1, 5), (1, 5)):
        later = update(Desk).values(clock=Desk.clock + days * DAY)
        counter.work(lambda work, later=later: work.session.execute(later))
        owed = owe_bank_tasks(counter.database, owed)
        assert owe_bank_tasks(counter.database, owed) == owed
        assert len(_tasks(counter)) == tasks
    assert _tasks(counter) == [
        (TaskKind.ONE_SIDED, "bank_line/2", TaskState.OPEN),
        (TaskKind.ONE_SIDED, "bank_line/1", TaskState.OPEN),
        (TaskKind.ONE_SIDED, "bank_line/3", TaskState.OPEN),
        (TaskKind.ONE_SIDED, "bank_line/4", TaskState.OPEN),
        (TaskKind.SUSPENSE, "bank_line/3", TaskState.OPEN),
    ]
    counter.do(Role.ACCOUNTANT, bank_lines.match, line="L3", to="A1")
    assert _tasks(counter)[-1][2] is TaskState.CANCELLED


def test_a_bank_without_lines_has_nothing_to_compare(counter: Counter) -> None:
    a_bank(counter)
    told = _reconciled(counter)
    assert (told["in_transit"], told["tasks"], told["both"]) == (0, [], [])


def test_money_from_before_the_first_statement_of_a_bank_is_no_task(counter: Counter) -> None:
    a_bank(counter)
    load(counter, COLLECTED, "R1,A1,35.00")
    later = update(Desk).values(clock=Desk.clock + 9 * DAY)
    counter.work(lambda work: work.session.execute(later))
    owe_bank_tasks(counter.database, None)
    assert _tasks(counter) == []
    counter.at += DAY
    load(counter, STATEMENT, "X9,unknown,3.00", at=f"{TODAY + timedelta(days=1)} 09:00:00")
    owe_bank_tasks(counter.database, None)
    assert _tasks(counter) == [(TaskKind.ONE_SIDED, "bank_line/2", TaskState.OPEN)]
    told = _reconciled(counter, days=1)
    assert (_names(told)["ours_only"], told["tasks"]) == ([("R1", 35_00, None)], [])
