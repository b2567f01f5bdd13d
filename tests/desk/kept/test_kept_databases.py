"""A database of each earlier layout is brought to today's: the money in it and its proofs stay."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from meterctl.utility.store.engine import Database, connect
from meterctl.utility.store.layout import LAYOUT, number_of_layout
from meterctl.utility.store.unit_of_work import WORKER
from meterctl.utility.store.upgrading import upgrade
from tests.desk.kept import BALANCES, DATABASES, FOLDER, JOURNAL, kept_layouts, load_dump, unpacked
from tests.desk.simulation.comparison import broken
from tests.support.desk_databases import SQLITE
from tests.support.desk_sales import balances
from tests.support.desk_world import NOON


def test_todays_layout_is_kept() -> None:
    assert kept_layouts()[-1] == LAYOUT


@pytest.mark.parametrize("layout", kept_layouts())
@pytest.mark.parametrize("engine", DATABASES)
def test_a_kept_database_is_brought_to_todays_layout_with_its_money(
    request: pytest.FixtureRequest, tmp_path: Path, engine: str, layout: str
) -> None:
    name = layout + DATABASES[engine]
    if engine == SQLITE:
        url = f"sqlite:///{unpacked(name, tmp_path / 'desk.sqlite')}"
    else:
        server = request.getfixturevalue("postgresql_server")
        made = server.new_database()
        request.addfinalizer(lambda: server.drop(made))
        url = server.url(made)
        load_dump(name, url)
    connected = connect(url)
    with connected.connect() as connection:
        assert number_of_layout(connection) == layout
    upgrade(connected)
    connected.dispose()
    database = Database.open(url, lambda: NOON)
    kept = json.loads((FOLDER / f"{layout}.{engine}{BALANCES}").read_text())
    assert balances(database) == kept
    journal = unpacked(f"{layout}.{engine}{JOURNAL}", tmp_path / "journal.sqlite")
    assert broken(database, WORKER, journal) == []
    database.close()
