"""Desks for the desk's stories: founded, with a counter's people, and furnished to be copied."""

import pytest

from tests.desk.simulation.templates import Templates
from tests.support.compiled_statements import statements_compiled_once
from tests.support.desk_counter import counter, desk_with_world
from tests.support.desk_databases import DeskDatabases
from tests.support.desk_founded import desk, postgresql_desk, sqlite_desk
from tests.support.memory_folders import tmp_path

__all__ = [
    "counter",
    "desk",
    "desk_with_world",
    "postgresql_desk",
    "sqlite_desk",
    "statements_compiled_once",
    "tmp_path",
]


@pytest.fixture(scope="session")
def desk_templates(desk_databases: DeskDatabases) -> Templates:
    """The furnished desks that are copied for the tests of this process."""
    return Templates(desk_databases)
