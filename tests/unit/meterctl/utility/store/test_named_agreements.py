"""An agreement is named by its number, its supply point or its meter."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from meterctl.utility.errors import Invalid, NotFound
from meterctl.utility.store.engine import Database
from meterctl.utility.store.queries.agreements import find_agreement
from meterctl.utility.store.queries.sale_places import sale_place
from meterctl.utility.store.unit_of_work import WORKER, unit_of_work
from tests.support.desk_world import NOON, World, a_customer, a_world, opened


@pytest.fixture
def database(sqlite_desk_url: str) -> Iterator[Database]:
    database = opened(sqlite_desk_url)
    yield database
    database.close()


@pytest.fixture
def world(database: Database) -> World:
    return a_world(database)


@pytest.mark.parametrize("named", ["A1", "000100000001", "000000000001"])
def test_number_point_and_meter_name_the_same_agreement(
    database: Database, world: World, named: str
) -> None:
    with database.reading() as session:
        assert find_agreement(session, named).id == world.agreement
        assert sale_place(session, named).agreement_id == world.agreement


def test_digits_of_a_point_and_of_another_meter_are_ambiguous(
    database: Database, world: World
) -> None:
    with unit_of_work(database, WORKER, NOON) as work:
        a_customer(work, world.station, "2")
        point = "000100000002"
        a_customer(work, world.station, point)
    with database.reading() as session, pytest.raises(Invalid, match="name the agreement"):
        find_agreement(session, point)


def test_nothing_of_that_name_is_told_with_the_remedy(database: Database, world: World) -> None:
    with database.reading() as session, pytest.raises(NotFound, match="agreement list"):
        find_agreement(session, "A9")
