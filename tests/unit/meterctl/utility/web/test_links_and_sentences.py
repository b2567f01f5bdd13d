"""What pages say: mistakes of files by line, tasks in money, links that may be followed."""

from __future__ import annotations

import re

from sqlalchemy import update

from meterctl.utility.model.money import Day, DayState
from meterctl.utility.model.organisation import StaffGrant
from meterctl.utility.model.work import Task, TaskKind, TaskState
from meterctl.utility.rules.rights import Role
from meterctl.utility.store.unit_of_work import UnitOfWork
from tests.support.desk_banks import a_bank
from tests.support.desk_pages import Pages
from tests.support.desk_world import TODAY


def _only_at_the_station(pages: Pages) -> None:
    station = pages.counter.world.station
    pages.counter.work(
        lambda work: work.session.execute(update(StaffGrant).values(node_id=station))
    )


def test_each_date_of_a_vendor_leads_to_the_sheet_of_the_vendors_station(pages: Pages) -> None:
    _only_at_the_station(pages)
    pages.counter.work(lambda work: work.session.merge(Day(on=TODAY, state=DayState.OPEN)))
    window = pages.signed_in("v1")
    dates = re.findall(r'href="(/sheet/\d{4}[^"]*)"', window.get("/sheet").html)
    assert dates
    assert {window.get(path).status for path in dates} == {200}
    of_all = pages.person(Role.ACCOUNTANT).get("/sheet").html
    assert re.search(r'href="/sheet/\d{4}-\d\d-\d\d"', of_all)


def test_each_page_that_a_vendor_of_a_station_is_offered_is_shown(pages: Pages) -> None:
    _only_at_the_station(pages)
    window = pages.signed_in("v1")
    offered = re.findall(r'<li><a href="(/[a-z]+)"', window.get("/counter").html)
    assert {path: window.get(path).status for path in offered} == dict.fromkeys(offered, 200)
    assert '<a href="/ledger"' in pages.person(Role.ACCOUNTANT).get("/counter").html


def test_each_mistake_of_a_file_stands_in_its_own_line(pages: Pages) -> None:
    a_bank(pages.counter)
    window = pages.person(Role.ACCOUNTANT)
    fields = window.get("/bank").form("/bank/in").fields
    wrong = b"reference,party,amount,paid_at\nR1,1,abc,2026-09-01\nR2,1,abc,2026-09-01\n"
    answer = window.client.post(
        "/bank/in",
        data={**fields, "bank": "shipped", "kind": "collected"},
        files={"file": ("a.csv", wrong)},
    )
    assert answer.status_code == 422
    assert ("<p>line 2: " in answer.text, "<p>line 3: " in answer.text) == (True, True)
    assert "\\n" not in answer.text


def test_a_difference_at_a_bank_is_told_in_money_and_is_no_proposal(pages: Pages) -> None:
    window, staff_id = pages.person(Role.ACCOUNTANT), pages.counter.world.vendor.staff_id

    def add(work: UnitOfWork) -> str:
        task = work.add(
            Task(
                kind=TaskKind.ONE_SIDED, subject_kind="bank_line", subject_id=1,
                node_id=pages.counter.world.company, role=Role.ACCOUNTANT, staff_id=None,
                state=TaskState.OPEN, due_on=TODAY, proposer_id=staff_id,
                proposal={"reference": "L4", "ours": -7_00, "banks": None}, outcome="",
                made_at=work.now, changed_at=work.now,
            )
        )  # fmt: skip
        work.session.flush()
        return f"/tasks/T{task.id}"

    path = pages.counter.work(add)
    assert "in our books -7.00" in window.get(path).text
    assert "own proposal" not in pages.signed_in("v1").get(path).text
