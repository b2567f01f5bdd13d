"""The clock of a simulated desk stands until it is moved; status counts what waits."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from meterctl.utility.errors import Invalid, Refused
from meterctl.utility.model.work import TaskKind
from meterctl.utility.rules.rights import Role
from meterctl.utility.services import audits, clock, grants, task_lists
from meterctl.utility.services.founding import found
from meterctl.utility.services.status import status
from meterctl.utility.store.authentication import authenticate
from meterctl.utility.store.engine import Database
from meterctl.utility.store.queries.organisation import find_node
from meterctl.utility.store.tasks import open_task
from meterctl.utility.store.unit_of_work import Asked, UnitOfWork, perform
from tests.support.desk_founded import ON_SQLITE, FoundedDesk
from tests.support.desk_world import NOON, TODAY

DAY = 86_400_000


def test_a_simulated_clock_is_moved_forward(desk: FoundedDesk) -> None:
    assert desk.database.now() == NOON
    moved = desk.do(desk.admin, partial(clock.advance, by=DAY))
    assert moved == {"before_at": NOON, "now_at": NOON + DAY}
    assert desk.database.now() == NOON + DAY
    for by in (0, -1, clock.LONGEST_ADVANCE + 1):
        with pytest.raises(Invalid):
            desk.do(desk.admin, partial(clock.advance, by=by))


def test_the_hosts_clock_is_not_moved(sqlite_desk_url: str) -> None:
    token = found(sqlite_desk_url, "Asia/Shanghai", False, "A", NOON)
    database = Database.open(sqlite_desk_url, lambda: NOON + 7)
    admin = authenticate(database, token, NOON)
    assert database.now() == NOON + 7
    with pytest.raises(Refused):
        perform(database, admin, NOON, Asked("K", "t", {}), partial(clock.advance, by=DAY))
    database.close()


def _slip(work: UnitOfWork) -> dict[str, Any]:
    node = find_node(work.session, "D1")
    open_task(work, TaskKind.SLIP, node, node.id, Role.FIELD, work.today)
    return {}


def test_status_and_lists_count_what_is_late(desk: FoundedDesk) -> None:
    field = desk.person("f1", Role.FIELD, "D1")
    auditor = desk.person("u1", Role.AUDITOR, "company")
    desk.do(desk.admin, _slip)
    tomorrow = TODAY.fromordinal(TODAY.toordinal() + 1)
    with desk.database.reading() as session:
        seen = {
            name: [row["number"] for row in task_lists.list_(session, actor, on, **which)]
            for name, actor, on, which in (
                ("all", auditor, TODAY, {}),
                ("mine", field, TODAY, {"mine": True}),
                ("auditor's", auditor, TODAY, {"mine": True}),
                ("late", field, TODAY, {"late": True}),
                ("late tomorrow", field, tomorrow, {"late": True, "mine": True}),
            )
        }
        assert task_lists.show(session, field, "T1")["due_on"] == TODAY.isoformat()
        counts = status(session, field, tomorrow)
        rows = audits.newest(session, auditor, 5, subject="task/1")
    assert seen == {
        "all": ["T1"], "mine": ["T1"], "auditor's": [], "late": [], "late tomorrow": ["T1"],
    }  # fmt: skip
    assert (counts["tasks"], counts["tasks_late"], counts["nodes"]) == (1, 1, 1)
    assert counts["holidays_known"]
    assert [(row["action"], row["staff"]) for row in rows] == [("task_opened", "admin")]


@ON_SQLITE
def test_a_proposal_is_in_the_list_of_those_who_may_approve_it(desk: FoundedDesk) -> None:
    desk.do(desk.admin, partial(grants.grant, number="admin2", role=Role.VENDOR, node="0101"))
    with desk.database.reading() as session:
        lists = [
            [row["action"] for row in task_lists.list_(session, actor, TODAY, mine=True)]
            for actor in (desk.admin, desk.second_admin)
        ]
    assert lists == [[], ["grant_propose"]]
