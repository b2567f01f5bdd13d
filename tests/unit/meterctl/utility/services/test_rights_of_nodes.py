"""What a person of another station can see of meters and ports, and is told of sales."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from meterctl.utility.errors import NotPermitted
from meterctl.utility.model.metering import Installation, Meter
from meterctl.utility.model.organisation import Organisation, OrganisationKind
from meterctl.utility.rules.rights import Role
from meterctl.utility.services import sales
from meterctl.utility.services.archive import meters, ports
from meterctl.utility.store.unit_of_work import Actor, UnitOfWork
from tests.support.desk_counter import Counter
from tests.support.desk_world import a_node, a_person, a_port

HERE, THERE = "here", "there"


def _people(counter: Counter) -> dict[str, Actor]:
    """Return a vendor of the world's station and one of another."""

    def hire(work: UnitOfWork) -> dict[str, Actor]:
        company = work.session.get_one(Organisation, counter.world.company)
        station = work.session.get_one(Organisation, counter.world.station)
        other = a_node(work, OrganisationKind.STATION, "0099", company)
        return {
            HERE: a_person(work, HERE, (Role.VENDOR, station)),
            THERE: a_person(work, THERE, (Role.VENDOR, other)),
        }

    people: dict[str, Actor] = counter.work(hire)
    return people


def test_meters_and_ports_of_another_station_are_not_shown(counter: Counter) -> None:
    people = _people(counter)
    name = counter.work(lambda work: a_port(work, counter.world.station).name)
    with counter.database.reading() as session:
        serial = session.scalars(select(Meter.serial)).one()
        assert [each["serial"] for each in meters.list_(session, people[HERE], None, 9)] == [serial]
        assert meters.show(session, people[HERE], serial)["serial"] == serial
        assert [each["name"] for each in ports.list_(session, people[HERE])] == [name]
        assert meters.list_(session, people[THERE], None, 9) == []
        assert ports.list_(session, people[THERE]) == []
        with pytest.raises(NotPermitted):
            meters.show(session, people[THERE], serial)
        with pytest.raises(NotPermitted):
            ports.show(session, people[THERE], name)


def test_a_meter_that_is_nowhere_is_seen_by_all_and_one_on_a_port_there(counter: Counter) -> None:
    people = _people(counter)

    def take_down(work: UnitOfWork) -> None:
        work.session.execute(update(Installation).values(to_at=work.now))

    counter.work(take_down)
    with counter.database.reading() as session:
        for person in people.values():
            assert len(meters.list_(session, person, None, 9)) == 1
    port = counter.work(lambda work: a_port(work, counter.world.station).id)
    counter.work(lambda work: work.session.execute(update(Meter).values(port_id=port)))
    with counter.database.reading() as session:
        assert len(meters.list_(session, people[HERE], None, 9)) == 1
        assert meters.list_(session, people[THERE], None, 9) == []


def test_the_right_to_sell_again_is_asked_before_the_state_of_the_sale(counter: Counter) -> None:
    people = _people(counter)
    sold = counter.do(counter.world.vendor, sales.take, agreement="A1", amount=50_00)
    with pytest.raises(NotPermitted):
        counter.do(people[THERE], sales.sell_again, sale=sold["sale"])
