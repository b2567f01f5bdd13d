"""A founded desk for tests: its company, staff with real grants and tokens, and how they act.

All tests of a process have the same engines, one SQLite file and one PostgreSQL database, which are
made new for each test: SQLAlchemy compiles every statement once an engine, which would take longer
than the tests.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache, partial
from itertools import count
from typing import Any

import pytest

from meterctl.utility.model.base import Base
from meterctl.utility.model.organisation import Holiday, OrganisationKind
from meterctl.utility.rules.rights import Role
from meterctl.utility.services import founding, grants, organisation, staff
from meterctl.utility.services import tasks as tasks_
from meterctl.utility.store.authentication import authenticate, draw_token
from meterctl.utility.store.engine import Database
from meterctl.utility.store.unit_of_work import Actor, Answer, Asked, UnitOfWork, perform
from tests.support.desk_databases import ENGINES, POSTGRESQL, SQLITE, DeskDatabases
from tests.support.desk_world import NOON
from tests.support.postgresql import Server

ON_SQLITE = pytest.mark.parametrize("desk", [SQLITE], indirect=True)
"""Marks a test of `desk` that does not depend on the engine."""
TABLES = {
    table.name: table
    for table in Base.metadata.sorted_tables
    if table.name != Holiday.__tablename__
}
_AS_KEPT = ";".join(
    (
        "SET session_replication_role = replica",  # else rows that stay could not be deleted
        *(
            f'DELETE FROM "{name}"; INSERT INTO "{name}" SELECT * FROM kept."{name}"'
            for name in TABLES
        ),
        *(
            f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), coalesce(max(id), 0) + 1, "
            f'false) FROM "{name}"'
            for name, table in TABLES.items()
            if "id" in table.c
        ),
    )
)
"""What makes a database again what it was when it was founded; copying it all takes longer."""
Act = Callable[[UnitOfWork], dict[str, Any]]


class FoundedDesk:
    """A desk with station 0101 and its district D1, and two admins; `admin` is the first one's."""

    def __init__(self, url: str, tokens: Sequence[str], keys: str = "K") -> None:
        self.url = url
        self.now = NOON
        self.token = tokens[0]
        self._keys = (f"{keys}{number}" for number in count(1))
        self.database = _open(url, lambda: self.now)
        self.admin, self.second_admin = map(self.sign_in, tokens)

    def do(self, actor: Actor, act: Act, *, key: str = "", dry_run: bool = False) -> dict[str, Any]:
        """Do a mutation under a key of its own, and return the answer's values."""
        return self.asked(actor, act, key=key, dry_run=dry_run).values

    def asked(self, actor: Actor, act: Act, *, key: str = "", dry_run: bool = False) -> Answer:
        """Do a mutation, and return its answer."""
        named = key or next(self._keys)
        return perform(self.database, actor, self.now, Asked(named, "test", {}), act, dry_run)

    def sign_in(self, token: str) -> Actor:
        """Return the person of a token."""
        return authenticate(self.database, token, self.now)

    def person(self, number: str, role: Role, node: str) -> Actor:
        """Add a person with a role, approved where it is one of money, and return the person."""
        drawn = draw_token()
        self.do(self.admin, lambda work: staff.add(work, number=number, name=f"person {number}"))
        self.do(
            self.admin,
            lambda work: staff.set_token(work, number=number, token_hash=drawn.token_hash),
        )
        given = self.do(
            self.admin, lambda work: grants.grant(work, number=number, role=role, node=node)
        )
        if "task" in given:
            self.do(self.second_admin, lambda work: tasks_.approve(work, given["task"]))
        return self.sign_in(drawn.token)


def found_with_admins(url: str) -> tuple[str, str]:
    """Found a desk and add the rows of `FoundedDesk`; return the tokens of its two admins."""
    token, second = founding.found(url, "Asia/Shanghai", True, "A Utility", NOON), draw_token()
    desk = FoundedDesk(url, (token, token), keys="F")
    for act in (
        partial(
            organisation.add,
            parent=founding.COMPANY_CODE, kind=OrganisationKind.STATION, code="0101", name="One",
        ),
        partial(
            organisation.add,
            parent="0101", kind=OrganisationKind.DISTRICT, code="D1", name="First street",
        ),
        partial(staff.add, number="admin2", name="second admin"),
        partial(staff.set_token, number="admin2", token_hash=second.token_hash),
        partial(grants.grant, number="admin2", role=Role.ADMIN, node=founding.COMPANY_CODE),
    ):  # fmt: skip
        desk.do(desk.admin, act)
    desk.database.close()
    return token, second.token


_OPENED: dict[str, Database] = {}
"""URL -> what was opened first; its engine is used again."""


def _open(url: str, host_clock: Callable[[], int]) -> Database:
    """Open a database with the engine that it had before."""
    if url not in _OPENED:
        _OPENED[url] = Database.open(url, host_clock)
    return replace(_OPENED[url], host_clock=host_clock)


class FoundedTemplates:
    """Founded desks, made at their first use, and what they are copied to for each test."""

    def __init__(self, databases: DeskDatabases) -> None:
        self._databases = databases
        self._founded: dict[str, tuple[str, str]] = {}
        """Engine -> the tokens of the two admins."""

    def sqlite(self) -> FoundedDesk:
        """Return a new founded desk in the process's SQLite file."""
        template, used = (self._databases.folder / f"{name}.sqlite" for name in ("founded", "used"))
        if SQLITE not in self._founded:
            shutil.copyfile(self._databases.template_file(), template)
            self._founded[SQLITE] = found_with_admins(f"sqlite:///{template}")
        for rest in self._databases.folder.glob(f"{used.name}-*"):
            rest.unlink()
        shutil.copyfile(template, used)
        return FoundedDesk(f"sqlite:///{used}", self._founded[SQLITE])

    def postgresql(self, server: Server) -> FoundedDesk:
        """Return a new founded desk in the process's PostgreSQL database."""
        name = "founded"
        if POSTGRESQL not in self._founded:
            server.execute(f"CREATE DATABASE {name} TEMPLATE {self._databases.template()}")
            self._founded[POSTGRESQL] = found_with_admins(server.url(name))
            copies = (f'CREATE TABLE kept."{table}" AS TABLE "{table}"' for table in TABLES)
            server.execute(";".join(("CREATE SCHEMA kept", *copies)), name)
        else:
            server.execute(_AS_KEPT, name)
        return FoundedDesk(server.url(name), self._founded[POSTGRESQL])


@cache
def _templates(databases: DeskDatabases) -> FoundedTemplates:
    """Return the founded desks of a process, whichever conftest asks for them."""
    return FoundedTemplates(databases)


@pytest.fixture
def sqlite_desk(desk_databases: DeskDatabases) -> Iterator[FoundedDesk]:
    """A founded desk on SQLite, for what does not depend on the engine."""
    founded = _templates(desk_databases).sqlite()
    yield founded
    founded.database.close()


@pytest.fixture
def postgresql_desk(
    desk_databases: DeskDatabases, postgresql_server: Server
) -> Iterator[FoundedDesk]:
    """A founded desk on PostgreSQL."""
    founded = _templates(desk_databases).postgresql(postgresql_server)
    yield founded
    founded.database.close()


@pytest.fixture(params=ENGINES)
def desk(request: pytest.FixtureRequest) -> FoundedDesk:
    """A founded desk, on each engine in turn."""
    founded: FoundedDesk = request.getfixturevalue(f"{request.param}_desk")
    return founded
