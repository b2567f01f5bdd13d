"""Each action of the archive and the staff by each role: as the table of rights says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pytest
from sqlalchemy.orm import Session

from meterctl.utility.errors import NotPermitted
from meterctl.utility.model.organisation import DutyKind, OrganisationKind
from meterctl.utility.model.party import CustomerClass
from meterctl.utility.model.work import TaskKind
from meterctl.utility.rules.rights import ALLOWED, Action, Role
from meterctl.utility.services import (
    audits,
    clock,
    duties,
    grants,
    organisation,
    settings,
    staff,
    task_lists,
    tasks,
)
from meterctl.utility.services.archive import customers, meters, points, ports
from meterctl.utility.store.queries.organisation import find_node
from meterctl.utility.store.tasks import number_of, open_task
from meterctl.utility.store.unit_of_work import Actor, Grant, UnitOfWork
from tests.support.desk_founded import FoundedDesk
from tests.support.desk_world import TODAY

Mutation = Callable[[UnitOfWork], Any]
POINT = partial(
    points.add,
    node="D1", address="1", customer_class=CustomerClass.RESIDENT, capacity_mw=8_000_000,
)  # fmt: skip


def _slip_for(work: UnitOfWork) -> str:
    """Open a slip for the role of who acts, and return its number."""
    node = find_node(work.session, "D1")
    role = work.actor.grants[0].role
    return number_of(open_task(work, TaskKind.SLIP, node, node.id, role, work.today))


MUTATIONS: Mapping[Action, Mutation] = {
    Action.ORGANISATION_EDIT: partial(
        organisation.add, parent="company", kind=OrganisationKind.STATION, code="0909", name="x"
    ),
    Action.STAFF_EDIT: partial(staff.add, number="x1", name="x"),
    Action.GRANT_PROPOSE: partial(grants.grant, number="p1", role=Role.CLERK, node="D1"),
    Action.GRANT_APPROVE: lambda work: tasks.approve(work, "T1"),
    Action.DUTY_SET: partial(
        duties.set_duty, number="p1", node="D1", kind=DutyKind.READ, from_on=TODAY
    ),
    Action.SETTING_SET: partial(settings.set_value, code="cash_limit", value="1.00"),
    Action.LEGAL_SETTING_PROPOSE: partial(
        settings.set_value, code="bill_due", value="9", node="D1"
    ),
    Action.LEGAL_SETTING_APPROVE: lambda work: tasks.approve(work, "T2"),
    Action.CUSTOMER_EDIT: partial(customers.add, name="x"),
    Action.CUSTOMER_UNMASK: partial(customers.unmask, number="X1", reason="x"),
    Action.POINT_EDIT: POINT,
    Action.METER_EDIT: partial(meters.add, serial="000000000009"),
    Action.PORT_EDIT: partial(ports.add, name="P9", node="D1", url="tcp://9:9"),
    Action.TASK_TAKE: lambda work: tasks.take(work, _slip_for(work)),
    Action.TASK_DONE: lambda work: tasks.done(work, _slip_for(work), "x"),
    Action.TIME_ADVANCE: partial(clock.advance, by=1),
}
READS: Mapping[Action, Callable[[Session, Actor], Any]] = {
    Action.ORGANISATION_READ: lambda session, actor: organisation.list_(session, actor, None),
    Action.SETTING_READ: lambda session, actor: settings.all_values(session, actor, "D1", TODAY),
    Action.CUSTOMER_READ: lambda session, actor: customers.show(session, actor, "X1"),
    Action.TASK_READ: lambda session, actor: task_lists.show(session, actor, "T1"),
    Action.AUDIT_READ: lambda session, actor: audits.newest(session, actor, 1),
}


@pytest.fixture
def in_use(sqlite_desk: FoundedDesk) -> FoundedDesk:
    """A desk with a person, a customer, a proposed grant (T1) and a proposed setting (T2)."""
    desk = sqlite_desk
    worker = Actor(None, "worker")
    for act in (
        partial(staff.add, number="p1", name="x"),
        partial(grants.grant, number="p1", role=Role.VENDOR, node="D1"),
        partial(settings.set_value, code="bill_due", value="20"),
    ):
        desk.do(desk.admin, act)
    desk.do(worker, partial(customers.add, name="x", number="X1"))
    return desk


def _allowed(desk: FoundedDesk, action: Action, actor: Actor) -> bool:
    try:
        if action in MUTATIONS:
            desk.do(actor, MUTATIONS[action], dry_run=True)
        else:
            with desk.database.reading() as session:
                READS[action](session, actor)
    except NotPermitted as error:
        return error.code not in ("not_allowed", "no_role")
    return True


def test_a_role_may_do_what_the_table_says_and_nothing_else(in_use: FoundedDesk) -> None:
    second = in_use.second_admin
    found = {
        action: frozenset(
            role
            for role in Role
            if _allowed(in_use, action, Actor(second.staff_id, "x", (Grant(role, "/1/"),)))
        )
        for action in (*MUTATIONS, *READS)
        if action is not Action.LEGAL_SETTING_PROPOSE  # its subject waits for T2
    }
    assert found == {action: ALLOWED[action] for action in found}


def test_a_legal_setting_is_proposed_by_the_roles_of_the_table(sqlite_desk: FoundedDesk) -> None:
    actors = {role: Actor(sqlite_desk.admin.staff_id, "x", (Grant(role, "/1/"),)) for role in Role}
    action = Action.LEGAL_SETTING_PROPOSE
    found = {role for role, actor in actors.items() if _allowed(sqlite_desk, action, actor)}
    assert found == ALLOWED[action]


def test_a_role_at_another_node_allows_nothing_here(in_use: FoundedDesk) -> None:
    elsewhere = Actor(
        in_use.second_admin.staff_id, "x", tuple(Grant(role, "/99/") for role in Role)
    )
    anywhere = {Action.ORGANISATION_READ, Action.CUSTOMER_EDIT, Action.CUSTOMER_READ,
                Action.CUSTOMER_UNMASK}  # fmt: skip
    found = {
        action
        for action in (*MUTATIONS, *READS)
        if action is not Action.LEGAL_SETTING_PROPOSE and _allowed(in_use, action, elsewhere)
    }
    assert found == anywhere  # a customer without a supply point belongs to no node
