"""Databases of the desk for tests: both engines, each test with a new one of today's layout.

Making one costs a copy: of a file for SQLite, of a template database for PostgreSQL, whose server
is started once a process, at its first use, without flushing.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.memory_folders import in_memory
from tests.support.postgresql import CannotRunError, Server, running_server

SQLITE = "sqlite"
POSTGRESQL = "postgresql"
ENGINES = (SQLITE, POSTGRESQL)


class DeskDatabases:
    """What the databases of one process's tests are copied from."""

    def __init__(self, folder: Path, until_the_end: ExitStack) -> None:
        self.folder, self._until_the_end = folder, until_the_end
        self._file: Path | None = None
        self._server: Server | CannotRunError | None = None
        self._template: str | None = None

    def server(self) -> Server:
        """Return the PostgreSQL server of this process, started at the first call.

        Raises:
            CannotRunError: PostgreSQL cannot run here; tried once.
        """
        if self._server is None:
            try:
                self._server = self._until_the_end.enter_context(running_server())
            except (CannotRunError, OSError) as error:
                self._server = CannotRunError(str(error))
        if isinstance(self._server, CannotRunError):
            raise self._server
        return self._server

    def template_file(self) -> Path:
        """Return an SQLite file of today's layout, to be copied."""
        if self._file is None:
            made = self.folder / "template.sqlite"
            _lay_out(_url(made))
            self._file = made
        return self._file

    def template(self) -> str:
        """Return the name of a PostgreSQL database of today's layout; raises CannotRunError."""
        if self._template is None:
            made = self.server().new_database()
            _lay_out(self.server().url(made))
            self._template = made
        return self._template


@pytest.fixture(scope="session")
def desk_databases() -> Iterator[DeskDatabases]:
    """The templates and the server of this process; stopped at its end."""
    with ExitStack() as until_the_end:
        folder = TemporaryDirectory(prefix="desk-", dir=in_memory())
        yield DeskDatabases(Path(until_the_end.enter_context(folder)), until_the_end)


@pytest.fixture
def postgresql_server(desk_databases: DeskDatabases) -> Server:
    """The PostgreSQL server of this process; the test is skipped where there can be none."""
    try:
        return desk_databases.server()
    except CannotRunError as error:
        pytest.skip(f"PostgreSQL cannot run here: {error}")


@pytest.fixture
def sqlite_desk_url(desk_databases: DeskDatabases, tmp_path: Path) -> str:
    """The URL of a new SQLite desk."""
    path = tmp_path / "desk.sqlite"
    shutil.copyfile(desk_databases.template_file(), path)
    return _url(path)


@pytest.fixture
def postgresql_desk_url(desk_databases: DeskDatabases, postgresql_server: Server) -> Iterator[str]:
    """The URL of a new PostgreSQL desk; dropped after the test."""
    made = postgresql_server.new_database(desk_databases.template())
    yield postgresql_server.url(made)
    postgresql_server.drop(made)


@pytest.fixture(params=ENGINES)
def desk_url(request: pytest.FixtureRequest) -> str:
    """The URL of a new desk of today's layout without rows, on each engine in turn."""
    url: str = request.getfixturevalue(f"{request.param}_desk_url")
    return url


@pytest.fixture(params=ENGINES)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a new database without any table, on each engine in turn."""
    if request.param == SQLITE:
        yield _url(tmp_path / "empty.sqlite")
        return
    server: Server = request.getfixturevalue("postgresql_server")
    made = server.new_database()
    yield server.url(made)
    server.drop(made)


def _url(path: Path) -> str:
    return f"sqlite:///{path}"


def _lay_out(url: str) -> None:
    """Bring a database without tables to today's layout, and close it."""
    from meterctl.utility.store.engine import connect
    from meterctl.utility.store.upgrading import upgrade

    engine = connect(url)
    upgrade(engine)
    engine.dispose()
