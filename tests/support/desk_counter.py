"""What people of a desk do in tests: each act is a request of its own, as the faces make it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from meterctl.utility.model.agreement import AgreementVersion
from meterctl.utility.model.money import PaymentChannel
from meterctl.utility.model.organisation import Organisation
from meterctl.utility.rules.rights import Role
from meterctl.utility.rules.transitions import VersionState
from meterctl.utility.services import payments
from meterctl.utility.store.checks import books, people
from meterctl.utility.store.checks import payments as checked_payments
from meterctl.utility.store.engine import Database
from meterctl.utility.store.unit_of_work import (
    WORKER,
    Actor,
    Answer,
    Asked,
    UnitOfWork,
    perform,
    unit_of_work,
)
from tests.support.desk_databases import ENGINES, SQLITE, DeskDatabases
from tests.support.desk_sales import a_port
from tests.support.desk_world import NOON, TODAY, World, a_person, a_reading, a_world, opened

_DRAWN = count(1)
BOTH_ENGINES = pytest.mark.parametrize("counter", ENGINES, indirect=True)
"""For a test of figures; what is refused is looked at on SQLite alone."""


@dataclass
class Counter:
    """A desk with its people; `at` is its clock, ms."""

    database: Database
    world: World
    at: int = NOON
    people: dict[tuple[Role, str], Actor] = field(default_factory=dict)

    def person(self, role: Role, number: str = "") -> Actor:
        """Return a person with a role at the company; made when first asked for."""
        key = (role, number or f"{role}-1")
        if key not in self.people:
            with unit_of_work(self.database, WORKER, self.at) as work:
                company = work.session.get_one(Organisation, self.world.company)
                self.people[key] = a_person(work, key[1], (role, company))
        return self.people[key]

    def ask(
        self,
        actor: Actor | Role,
        act: Callable[..., dict[str, Any]],
        *,
        key: str = "",
        dry_run: bool = False,
        **values: Any,
    ) -> Answer:
        """Have a person do something; a key that is not given is drawn."""
        who = self.person(actor) if isinstance(actor, Role) else actor
        body = {name: None if value is None else str(value) for name, value in values.items()}
        asked = Asked(key or f"drawn-{next(_DRAWN)}", act.__name__, body, money=True)
        return perform(
            self.database, who, self.at, asked, lambda work: act(work, **values), dry_run
        )

    def do(self, actor: Actor | Role, act: Callable[..., dict[str, Any]], **values: Any) -> Any:
        """Have a person do something and return its values."""
        return self.ask(actor, act, **values).values

    def work(self, act: Callable[[UnitOfWork], Any]) -> Any:
        """Do something as the desk's own worker."""
        with unit_of_work(self.database, WORKER, self.at) as work:
            return act(work)

    def terms(self, **terms: Any) -> None:
        """Give the world's agreement its active version with these terms."""

        def write(work: UnitOfWork) -> None:
            for row in work.session.scalars(select(AgreementVersion)):
                row.state = VersionState.REPLACED
            work.session.flush()
            number = len(work.session.scalars(select(AgreementVersion.id)).all()) + 1
            work.add(
                AgreementVersion(
                    agreement_id=self.world.agreement,
                    n=number,
                    state=VersionState.ACTIVE,
                    effective_on=TODAY,
                    terms=terms,
                    cause="",
                )
            )

        self.work(write)

    def read(self, credit: int, debt: int = 0, **more: Any) -> None:
        """Store a reading of the world's meter with a credit and a debt (exact units)."""
        self.work(
            lambda work: a_reading(
                work, self.world.meter, self.world.agreement,
                credit_exact=credit, debt_exact=debt, **more,
            )
        )  # fmt: skip

    def pay(self, actor: Actor, amount: int) -> Any:
        """Have a person take cash for the world's customer."""
        cash = PaymentChannel.CASH
        return self.do(actor, payments.pay, agreement="A1", amount=amount, channel=cash)

    def serve_wire(self, lease_ms: int = 30_000) -> None:
        """Put the world's meter on a port that a worker holds from now on for a while."""

        def hold(work: UnitOfWork) -> None:
            port = a_port(work, self.world)
            port.lease_holder, port.lease_until = "w1", work.now + lease_ms

        self.work(hold)


@pytest.fixture(scope="session")
def desk_with_world(desk_databases: DeskDatabases) -> tuple[Path, World]:
    """A file of SQLite with the world of a counter, to be copied."""
    made = desk_databases.folder / "world.sqlite"
    shutil.copyfile(desk_databases.template_file(), made)
    database = opened(f"sqlite:///{made}")
    world = a_world(database)
    database.close()
    return made, world


@pytest.fixture
def counter(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Counter]:
    """A desk with its people: on SQLite, or on the engines that a test names.

    At the end of the test I1, I2, I7 and I12 hold.
    """
    if getattr(request, "param", SQLITE) == SQLITE:
        template, world = request.getfixturevalue("desk_with_world")
        shutil.copyfile(template, tmp_path / "desk.sqlite")
        database = Database.open(f"sqlite:///{tmp_path / 'desk.sqlite'}", lambda: NOON)
    else:
        database = opened(request.getfixturevalue("postgresql_desk_url"))
        world = a_world(database)
    yield Counter(database, world)
    with database.reading() as session:
        for found in (
            books.never_negative(session, whole=True),
            books.undelivered_sales(session),
            people.two_persons(session),
            checked_payments.payments_booked(session),
        ):
            assert not found.broken, (found.invariant, found.violations)
    database.close()
