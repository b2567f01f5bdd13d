"""A desk is founded once, in an empty database, with one admin whose token is shown once."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import func, select

from meterctl.utility.errors import Invalid, NotPermitted, Refused
from meterctl.utility.model.evidence import Audit
from meterctl.utility.model.organisation import Desk, Holiday, Setting, Staff
from meterctl.utility.rules.law import CASH_LIMIT, SETTINGS
from meterctl.utility.rules.rights import Action, Role
from meterctl.utility.services.founding import found
from meterctl.utility.store.authentication import authenticate, draw_token, hash_of
from meterctl.utility.store.engine import Database
from meterctl.utility.store.settings import value
from tests.support.desk_world import NOON


def test_a_new_desk_has_a_company_an_admin_settings_and_holidays(empty_url: str) -> None:
    token = found(empty_url, "Asia/Shanghai", True, "A Utility", NOON)
    database = Database.open(empty_url, lambda: NOON + 5)
    with database.reading() as session:
        row = session.scalars(select(Desk)).one()
        staff = session.scalars(select(Staff)).one()
        settings = session.scalar(select(func.count()).select_from(Setting))
        worked = session.scalars(select(Holiday).where(Holiday.works)).all()
        off = session.get(Holiday, date(2026, 10, 1))
        audited = set(session.scalars(select(Audit.subject)))
        limit = value(session, CASH_LIMIT, 1, None, date(2026, 9, 21))
    admin = authenticate(database, token, NOON)
    assert (row.zone, row.simulated, row.clock) == ("Asia/Shanghai", True, NOON)
    assert (staff.token_hash, staff.password_hash) == (hash_of(token), None)
    assert (settings, limit) == (len(SETTINGS), 20_000_00)
    assert all(day.on.weekday() >= 5 for day in worked)
    assert worked
    assert off is not None
    assert not off.works
    assert {"desk/1", "organisation/1", "staff/1", "staff_grant/1"} <= audited
    assert [grant.role for grant in admin.grants] == [Role.ADMIN]
    assert admin.may(Action.STAFF_EDIT, "/1/")
    assert not admin.may(Action.SELL, "/1/")
    assert database.now() == NOON
    database.close()


def test_a_second_founding_is_refused_and_changes_nothing(desk_url: str) -> None:
    token = found(desk_url, "Asia/Shanghai", False, "A Utility", NOON)
    with pytest.raises(Refused, match="there is a desk already; nothing was changed"):
        found(desk_url, "Asia/Shanghai", False, "Another", NOON)
    database = Database.open(desk_url, lambda: NOON)
    assert authenticate(database, token, NOON).number == "admin"
    database.close()


@pytest.mark.parametrize(
    ("zone", "company", "code"),
    [("Asia/Shangai", "A", "unknown_zone"), ("Asia/Shanghai", " ", "company")],
)
def test_a_wrong_zone_and_an_empty_name_are_refused(
    sqlite_desk_url: str, zone: str, company: str, code: str
) -> None:
    with pytest.raises(Invalid) as refused:
        found(sqlite_desk_url, zone, False, company, NOON)
    assert refused.value.code == code


def test_a_file_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    url = f"sqlite:///{tmp_path}/file/desk.sqlite"
    with pytest.raises(Invalid, match=r"desk\.sqlite: .*; nothing was changed"):
        found(url, "Asia/Shanghai", False, "A", NOON)


def test_an_unknown_token_is_not_permitted(sqlite_desk_url: str) -> None:
    found(sqlite_desk_url, "Asia/Shanghai", False, "A Utility", NOON)
    database = Database.open(sqlite_desk_url, lambda: NOON)
    with pytest.raises(NotPermitted) as refused:
        authenticate(database, draw_token().token, NOON)
    assert refused.value.code == "token"
    database.close()
