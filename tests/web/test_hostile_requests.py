"""Hostile requests on the wire: each is refused in words, and the desk stays as it was."""

from __future__ import annotations

from hashlib import sha256

from sqlalchemy import select

from meterctl.utility.model.base import Base
from meterctl.utility.model.organisation import WebSession
from meterctl.utility.store.engine import Database
from tests.support.desk_served import HEAD, Served, signed_in
from tests.web.hostile import answer_to, every_request, filled, wrong_with


def _state(database: Database) -> dict[str, str]:
    """Return a digest of each table; but of cookies, whose use is written down."""
    with database.reading() as session:
        return {
            table.name: sha256(repr(session.execute(select(table)).all()).encode()).hexdigest()
            for table in Base.metadata.sorted_tables
            if table.name != WebSession.__tablename__
        }


def test_hostile_requests_are_refused_and_change_nothing(desk_served: Served) -> None:
    desk = desk_served.desk
    cookie, csrf = signed_in(desk_served, desk.vendor)
    values = {
        "host": desk_served.host, "cookie": cookie, "csrf": csrf,
        "other_csrf": signed_in(desk_served, HEAD)[1], "token": desk.token(desk.vendor),
        "agreement": desk.agreements[desk.homes()[-1].unit],
    }  # fmt: skip
    host, _, port = desk_served.host.rpartition(":")
    before = _state(desk.office.database)
    wrong = {}
    for each in every_request():
        answer = answer_to((host, int(port)), filled(each.data, values), is_cut=each.is_cut)
        if told := wrong_with(each, answer):
            wrong[each.name] = told
    assert not wrong, "\n".join(f"{name}: {told}" for name, told in wrong.items())
    after = _state(desk.office.database)
    assert [name for name in before if before[name] != after[name]] == []
    assert "Traceback" not in "".join(desk_served.errors)
