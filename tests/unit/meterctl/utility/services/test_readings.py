"""Readings on demand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import update

from meterctl.utility.errors import NotFound, NotPermitted, Refused
from meterctl.utility.model.metering import Meter
from meterctl.utility.model.organisation import Organisation
from meterctl.utility.model.work import OrderKind
from meterctl.utility.rules.rights import Role
from meterctl.utility.services import readings
from meterctl.utility.store.unit_of_work import WORKER, unit_of_work
from tests.support.desk_agreements import Office, desk_of
from tests.support.desk_databases import ENGINES
from tests.support.desk_world import NOON, a_person

SERIAL = "000000000001"


on_each_engine = pytest.mark.parametrize("office", ENGINES, indirect=True)


@pytest.fixture
def office(request: pytest.FixtureRequest) -> Iterator[Office]:
    """The office, on SQLite where a test names no engine."""
    with desk_of(request) as database:
        yield Office.of(database)


@pytest.mark.parametrize("of", [SERIAL, "0011-2026-000001"])
def test_a_reading_is_ordered_by_meter_or_agreement(office: Office, of: str) -> None:
    office.draft()
    told = office.act(readings.take, of=of)
    order = office.orders()[-1]
    assert told == {"meter": SERIAL, "order": f"O{order.id}", "state": "queued"}
    assert (order.kind, order.parameters) == (OrderKind.READ, {})
    assert order.agreement_id is not None


def test_what_cannot_be_read_is_named(office: Office) -> None:
    with pytest.raises(NotFound, match="no such meter or agreement"):
        office.act(readings.take, of="nothing")
    with unit_of_work(office.desk, WORKER, NOON) as work:
        station = work.session.get_one(Organisation, office.world.station)
        accountant = a_person(work, "a1", (Role.ACCOUNTANT, station))
        work.session.execute(update(Meter).values(port_id=None))
    with pytest.raises(NotPermitted):
        office.act(readings.take, by=accountant, of=SERIAL)
    with pytest.raises(Refused, match="no wire"):
        office.act(readings.take, of=SERIAL)


@on_each_engine
def test_readings_are_shown_the_newest_first(office: Office) -> None:
    office.provision()
    office.end(OrderKind.READ, office.orders()[0].command_state, consumption_exact=0)
    with office.desk.reading() as session:
        shown = readings.show(session, office.clerk, SERIAL, 10)
        assert readings.findings_of(session, office.clerk, SERIAL) == []
    assert [row["state"] for row in shown] == ["taken"]
    assert shown[0]["account_state"] == "unopened"
    assert shown[0]["for_on"] == "2026-09-21"
