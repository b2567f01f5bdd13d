"""Several transactions at once on PostgreSQL: numbers without a gap, one holder, one approval."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from typing import Any

from sqlalchemy import func, select

from meterctl.utility.errors import DeskError
from meterctl.utility.model.evidence import Audit
from meterctl.utility.model.organisation import Duty, DutyKind, GrantState, StaffGrant
from meterctl.utility.model.party import CustomerClass, SupplyPoint
from meterctl.utility.rules.rights import Role
from meterctl.utility.services import duties, grants, staff, tasks
from meterctl.utility.services.archive import meters, points
from meterctl.utility.store.unit_of_work import Actor
from tests.support.desk_founded import FoundedDesk
from tests.support.desk_world import TODAY

THREADS = 8


def _at_once(
    desk: FoundedDesk, acts: Sequence[tuple[Actor, Callable[..., dict[str, Any]]]], key: str = ""
) -> list[str]:
    """Do all at the same moment, each under its own key or all under one; return what became."""
    barrier = Barrier(len(acts))

    def one(number: int) -> str:
        actor, act = acts[number]
        barrier.wait()
        try:
            answer = desk.asked(actor, act, key=key or f"{id(acts)}-{number}")
        except DeskError as error:
            return error.code
        return "replayed" if answer.replayed else "done"

    with ThreadPoolExecutor(len(acts)) as threads:
        return sorted(threads.map(one, range(len(acts))))


def test_points_are_numbered_without_a_gap(postgresql_desk: FoundedDesk) -> None:
    clerk = postgresql_desk.person("c1", Role.CLERK, "0101")
    add = partial(
        points.add, node="D1", address="x", customer_class=CustomerClass.RESIDENT, capacity_mw=1
    )
    assert _at_once(postgresql_desk, [(clerk, add)] * THREADS) == ["done"] * THREADS
    with postgresql_desk.database.reading() as session:
        numbers = session.scalars(select(SupplyPoint.number).order_by(SupplyPoint.number)).all()
    assert [int(number[4:11]) for number in numbers] == list(range(1, THREADS + 1))


def test_one_key_adds_once(postgresql_desk: FoundedDesk) -> None:
    add = partial(staff.add, number="x1", name="x")
    ended = _at_once(postgresql_desk, [(postgresql_desk.admin, add)] * THREADS, key="one")
    assert ended == ["done"] + ["replayed"] * (THREADS - 1)


def test_one_number_is_given_once(postgresql_desk: FoundedDesk) -> None:
    add = partial(staff.add, number="x1", name="x")
    ended = _at_once(postgresql_desk, [(postgresql_desk.admin, add)] * THREADS)
    assert ended == ["done"] + ["exists"] * (THREADS - 1)


def test_a_proposal_is_approved_or_refused_once(postgresql_desk: FoundedDesk) -> None:
    desk = postgresql_desk
    desk.person("m1", Role.COMPANY_MANAGER, "company")
    manager = desk.person("m2", Role.COMPANY_MANAGER, "company")
    desk.do(desk.admin, partial(staff.add, number="v1", name="x"))
    given = desk.do(desk.admin, partial(grants.grant, number="v1", role=Role.VENDOR, node="D1"))
    task = given["task"]
    ended = _at_once(
        desk,
        [
            *[(desk.second_admin, lambda work: tasks.approve(work, task))] * 3,
            *[(manager, lambda work: tasks.refuse(work, task, "no"))] * 3,
        ],
    )
    assert ended == ["done"] + ["not_in_this_state"] * 5
    with desk.database.reading() as session:
        states = session.scalars(
            select(StaffGrant.state).where(StaffGrant.role == Role.VENDOR)
        ).all()
        audited = session.scalar(
            select(func.count())
            .select_from(Audit)
            .where(Audit.subject == f"task/{task[1:]}", Audit.action == "grant_approve")
        )
    assert states in ([GrantState.ACTIVE], [GrantState.REVOKED])
    assert audited == 1


def test_a_duty_and_a_meter_have_one_place(postgresql_desk: FoundedDesk) -> None:
    desk = postgresql_desk
    clerk = desk.person("c1", Role.CLERK, "company")
    add = partial(
        points.add, node="D1", address="x", customer_class=CustomerClass.RESIDENT, capacity_mw=1
    )
    numbers = [desk.do(clerk, add)["number"] for _ in range(THREADS)]
    desk.do(clerk, partial(meters.add, serial="000000000001"))
    installs = [
        (clerk, partial(meters.install, serial="000000000001", point=point)) for point in numbers
    ]
    assert _at_once(desk, installs) == ["done"] + ["installed"] * (THREADS - 1)
    duty = partial(duties.set_duty, node="D1", kind=DutyKind.READ, from_on=TODAY)
    holders = [(desk.admin, partial(duty, number=n)) for n in ("admin", "admin2", "c1")]
    assert _at_once(desk, holders, key="")[0] == "done"
    with desk.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Duty)) == 1
