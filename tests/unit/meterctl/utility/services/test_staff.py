"""Persons, their tokens and roles; a role of money needs two persons."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import select

from meterctl.utility.errors import Conflict, Invalid, NotFound, NotPermitted, Refused
from meterctl.utility.model.evidence import Audit
from meterctl.utility.model.money import Shift
from meterctl.utility.model.organisation import DutyKind, GrantState, StaffGrant
from meterctl.utility.rules.rights import Action, Role
from meterctl.utility.services import duties, grants, shifts, staff, tasks
from meterctl.utility.services.founding import COMPANY_CODE
from meterctl.utility.store.authentication import draw_token
from meterctl.utility.store.unit_of_work import UnitOfWork
from tests.support.desk_founded import ON_SQLITE, FoundedDesk
from tests.support.desk_world import TODAY, a_shift

DAY = 86_400_000


@ON_SQLITE
def test_a_new_person_may_do_nothing_before_a_grant(desk: FoundedDesk) -> None:
    drawn = draw_token()
    desk.do(desk.admin, partial(staff.add, number="v1", name="A Vendor"))
    desk.do(desk.admin, partial(staff.set_token, number="v1", token_hash=drawn.token_hash))
    with pytest.raises(NotPermitted) as refused:
        desk.sign_in(drawn.token)
    assert refused.value.code == "no_grant"


def test_a_number_is_given_once_and_is_not_any_text(desk: FoundedDesk) -> None:
    with pytest.raises(Conflict, match="staff admin2: there is one already"):
        desk.do(desk.admin, partial(staff.add, number="admin2", name="x"))
    with pytest.raises(Invalid):
        desk.do(desk.admin, partial(staff.add, number="a b", name="x"))


@ON_SQLITE
def test_a_new_token_ends_the_one_before(desk: FoundedDesk) -> None:
    first, second = draw_token(), draw_token()
    for drawn in (first, second):
        desk.do(
            desk.admin,
            partial(staff.set_token, number="admin2", token_hash=drawn.token_hash),
        )
    assert desk.sign_in(f" {second.token}\n").number == "admin2"
    with pytest.raises(NotPermitted):
        desk.sign_in(first.token)


@ON_SQLITE
def test_the_audit_and_the_answer_have_no_token(desk: FoundedDesk) -> None:
    drawn = draw_token()
    answer = desk.do(
        desk.admin, partial(staff.set_token, number="admin2", token_hash=drawn.token_hash)
    )
    with desk.database.reading() as session:
        rows = [(row.before, row.after) for row in session.scalars(select(Audit))]
    assert drawn.token_hash not in f"{answer}{rows}"


def test_a_role_of_money_holds_after_a_second_persons_approval(desk: FoundedDesk) -> None:
    desk.do(desk.admin, partial(staff.add, number="v1", name="A Vendor"))
    given = desk.do(desk.admin, partial(grants.grant, number="v1", role=Role.VENDOR, node="0101"))
    assert (given["state"], given["task"]) == ("proposed", "T1")
    with pytest.raises(NotPermitted) as own:
        desk.do(desk.admin, lambda work: tasks.approve(work, "T1"))
    assert own.value.code == "own_proposal"
    approved = desk.do(desk.second_admin, lambda work: tasks.approve(work, "T1"))
    assert approved["grant"]["state"] == "active"
    with desk.database.reading() as session:
        row = session.scalars(select(StaffGrant).where(StaffGrant.role == Role.VENDOR)).one()
    assert (row.proposer_id, row.approver_id) == (desk.admin.staff_id, desk.second_admin.staff_id)


def test_a_further_admin_needs_both_admins(desk: FoundedDesk) -> None:
    """Else one person would make the second one who approves what the first proposes."""
    desk.do(desk.admin, partial(staff.add, number="a3", name="x"))
    give = partial(grants.grant, number="a3", role=Role.ADMIN, node=COMPANY_CODE)
    given = desk.do(desk.admin, give)
    assert given["state"] == "proposed"
    with pytest.raises(NotPermitted):
        desk.do(desk.admin, lambda work: tasks.approve(work, given["task"]))
    approved = desk.do(desk.second_admin, lambda work: tasks.approve(work, given["task"]))
    assert approved["grant"]["state"] == "active"


@ON_SQLITE
def test_the_person_who_gets_a_role_of_money_does_not_approve_it(desk: FoundedDesk) -> None:
    desk.do(desk.admin, partial(grants.grant, number="admin2", role=Role.VENDOR, node="0101"))
    with pytest.raises(NotPermitted) as refused:
        desk.do(desk.second_admin, lambda work: tasks.approve(work, "T1"))
    assert refused.value.code == "own_grant"


def test_a_refused_grant_is_ended_and_may_be_proposed_again(desk: FoundedDesk) -> None:
    propose = partial(grants.grant, number="admin2", role=Role.VENDOR, node="0101")
    desk.do(desk.admin, propose)
    with pytest.raises(Conflict, match="proposed"):
        desk.do(desk.admin, propose)
    refused = desk.do(desk.admin, lambda work: tasks.refuse(work, "T1", "not now"))
    assert refused["outcome"] == "withdrawn: not now"
    with desk.database.reading() as session:
        rows = session.scalars(select(StaffGrant.state).where(StaffGrant.role == Role.VENDOR))
        assert list(rows) == [GrantState.REVOKED]
    assert desk.do(desk.admin, propose)["task"] == "T2"


@ON_SQLITE
def test_other_roles_need_one_person_and_overlapping_grants_are_refused(desk: FoundedDesk) -> None:
    give = partial(grants.grant, number="admin2", role=Role.CLERK, node="0101")
    end = TODAY + timedelta(10)
    given = desk.do(desk.admin, partial(give, to_on=end))
    assert (given["state"], "task" in given) == ("active", False)
    with pytest.raises(Conflict):
        desk.do(desk.admin, partial(give, from_on=end - timedelta(1)))
    desk.do(desk.admin, partial(give, from_on=end))
    with pytest.raises(Invalid):
        desk.do(desk.admin, partial(give, from_on=end, to_on=end))


@ON_SQLITE
def test_a_grant_holds_from_its_first_date_to_before_its_last(desk: FoundedDesk) -> None:
    clerk = desk.person("c1", Role.CLERK, "0101")
    assert clerk.may(Action.POINT_EDIT, "/1/2/3/")
    assert not clerk.may(Action.POINT_EDIT, "/1/")
    assert not clerk.may(Action.POINT_EDIT, "/1/22/")
    desk.do(desk.admin, partial(staff.add, number="c2", name="x"))
    drawn = draw_token()
    desk.do(desk.admin, partial(staff.set_token, number="c2", token_hash=drawn.token_hash))
    tomorrow = TODAY + timedelta(1)
    desk.do(
        desk.admin,
        partial(
            grants.grant, number="c2", role=Role.CLERK, node="0101",
            from_on=tomorrow, to_on=tomorrow + timedelta(1),
        ),
    )  # fmt: skip
    for days, held in ((0, False), (1, True), (2, False)):
        desk.now += DAY if days else 0
        if held:
            assert desk.sign_in(drawn.token).number == "c2"
        else:
            with pytest.raises(NotPermitted):
                desk.sign_in(drawn.token)


@ON_SQLITE
def test_a_deactivated_person_is_out_for_ever(desk: FoundedDesk) -> None:
    clerk = desk.person("c1", Role.CLERK, "0101")
    desk.do(desk.admin, partial(staff.deactivate, number="c1", reason="left"))
    assert clerk.number == "c1"
    for again in (
        partial(staff.deactivate, number="c1"),
        partial(staff.set_token, number="c1", token_hash=draw_token().token_hash),
        partial(grants.grant, number="c1", role=Role.CLERK, node="D1"),
    ):
        with pytest.raises(Refused) as refused:
            desk.do(desk.admin, again)
        assert refused.value.code == "deactivated"


@ON_SQLITE
def test_a_vendor_with_an_open_shift_is_out_at_once_and_the_head_counts_it(
    desk: FoundedDesk,
) -> None:
    vendor = desk.person("v1", Role.VENDOR, "0101")

    def shift(work: UnitOfWork) -> dict[str, object]:
        row: Shift = a_shift(work, vendor, 2)
        return {"shift": row.number}

    number = desk.do(vendor, shift)["shift"]
    drawn = draw_token()
    desk.do(desk.admin, partial(staff.set_token, number="v1", token_hash=drawn.token_hash))
    told = desk.do(desk.admin, partial(staff.deactivate, number="v1"))
    assert told["open_shift"] == number
    with pytest.raises(NotPermitted):
        desk.sign_in(drawn.token)
    head = desk.person("h1", Role.STATION_HEAD, "0101")
    desk.do(head, partial(shifts.count, shift=number, counted=100_00))
    assert desk.do(head, partial(shifts.close, shift=number, slip=None))["state"] == "closed"


def test_the_company_keeps_an_admin(desk: FoundedDesk) -> None:
    desk.do(desk.admin, partial(staff.deactivate, number="admin2"))
    for last in (
        partial(staff.deactivate, number="admin"),
        partial(grants.revoke, number="admin", role=Role.ADMIN, node=COMPANY_CODE),
    ):
        with pytest.raises(Refused) as refused:
            desk.do(desk.admin, last)
        assert refused.value.code == "last_admin"


@ON_SQLITE
def test_a_role_of_money_is_taken_away_by_one_person(desk: FoundedDesk) -> None:
    desk.person("v1", Role.VENDOR, "0101")
    revoke = partial(grants.revoke, number="v1", role=Role.VENDOR, node="0101", reason="moved")
    assert desk.do(desk.admin, revoke)["state"] == "revoked"
    with pytest.raises(NotFound):
        desk.do(desk.admin, revoke)


def test_a_duty_has_one_holder_a_day(desk: FoundedDesk) -> None:
    for number in ("r1", "r2"):
        desk.person(number, Role.COLLECTOR, "0101")
    end = TODAY + timedelta(30)
    read = partial(duties.set_duty, node="D1", kind=DutyKind.READ)
    desk.do(desk.admin, partial(read, number="r1", from_on=TODAY))
    with pytest.raises(Conflict, match="r1 has the duty read in D1"):
        desk.do(desk.admin, partial(read, number="r2", from_on=end))
    ended = desk.do(desk.admin, partial(read, number="r1", from_on=TODAY, to_on=end))
    assert ended["to_on"] == end.isoformat()
    desk.do(desk.admin, partial(read, number="r2", from_on=end))
    with pytest.raises(Conflict):
        desk.do(desk.admin, partial(read, number="r1", from_on=TODAY))
    desk.do(
        desk.admin,
        partial(duties.set_duty, node="D1", kind=DutyKind.COLLECT, number="r1", from_on=end),
    )
