"""Agreements of a desk for tests: a station with a meter on a wire, a clerk, orders that end."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from meterctl.utility.model.agreement import Agreement, AgreementMode, AgreementVersion
from meterctl.utility.model.metering import Meter, ReadingSource
from meterctl.utility.model.organisation import Organisation
from meterctl.utility.model.party import Party, SupplyPoint
from meterctl.utility.model.work import Order, OrderKind
from meterctl.utility.rules.rights import Role
from meterctl.utility.rules.terms import default_terms, json_of_terms
from meterctl.utility.rules.transitions import AgreementState
from meterctl.utility.services import agreements
from meterctl.utility.services.printed_agreement.printing import print_agreement
from meterctl.utility.store import provisioning_books
from meterctl.utility.store.engine import Database
from meterctl.utility.store.reading_books import ReadingValues, accept
from meterctl.utility.store.unit_of_work import WORKER, Actor, UnitOfWork, unit_of_work
from tests.support.desk_databases import SQLITE, DeskDatabases
from tests.support.desk_world import NOON, World, a_person, a_port, a_world, opened

METER = AgreementMode.METER


def terms(in_meter: bool = True, **changed: Any) -> dict[str, Any]:
    """Return terms that can be signed, JSON."""
    known = {"way_of_buying": "wire", "low_credit_threshold_1": 20_00} if in_meter else {}
    return {**json_of_terms(default_terms(in_meter=in_meter)), **known, **changed}


def read_values(work: UnitOfWork, meter_id: int, **changed: Any) -> ReadingValues:
    """Return what a meter with an unopened account shows."""
    zero = dict.fromkeys(
        (
            "elapsed", "credit_sequence", "command_sequence", "energy_mwh", "credit_exact",
            "debt_exact", "consumption_exact", "standing_exact", "instalments_exact",
            "refunds_exact", "cumulative_exact", "to_debt_exact", "debt_entered_exact",
            "opening_exact",
        ),
        0,
    )  # fmt: skip
    words = {"account_state": "unopened", "customer_number": "0" * 12, "supply_state": "connected"}
    known = {"source": ReadingSource.WIRE, "taken_at": work.now, "epoch": 7}
    return ReadingValues(**{"meter_id": meter_id, **zero, **words, **known, **changed})


def act(desk: Database, by: Actor, function: Callable[..., Any], **values: Any) -> Any:
    """Do a service's function as a person, in a transaction of its own."""
    with unit_of_work(desk, by, NOON, "k") as work:
        return function(work, **values)


def accountant_and_head(desk: Database, world: World) -> tuple[Actor, Actor]:
    """Return an accountant and the head of the world's station."""
    with unit_of_work(desk, WORKER, NOON) as work:
        station = work.session.get_one(Organisation, world.station)
        return (
            a_person(work, "a1", (Role.ACCOUNTANT, station)),
            a_person(work, "h1", (Role.STATION_HEAD, station)),
        )


@contextmanager
def desk_of(request: pytest.FixtureRequest) -> Iterator[Database]:
    """Yield a new desk, on the engine of the fixture's parameter; on SQLite without one."""
    database = opened(request.getfixturevalue(f"{getattr(request, 'param', SQLITE)}_desk_url"))
    yield database
    database.close()


@contextmanager
def unchanged_office(databases: DeskDatabases, folder: Path) -> Iterator[Office]:
    """Yield an office on SQLite for several tests that change nothing."""
    path = folder / "desk.sqlite"
    shutil.copyfile(databases.template_file(), path)
    database = opened(f"sqlite:///{path}")
    yield Office.of(database)
    database.close()


@dataclass(frozen=True, slots=True)
class Office:
    """A station's clerk at a desk; its world's agreement is closed, its meter is on a wire."""

    desk: Database
    world: World
    clerk: Actor

    @classmethod
    def of(cls, desk: Database) -> Office:
        """Return the office of a new desk."""
        world = a_world(desk)
        with unit_of_work(desk, WORKER, NOON) as work:
            work.session.execute(update(Agreement).values(state=AgreementState.CLOSED))
            work.session.execute(update(Meter).values(port_id=a_port(work, world.station).id))
            station = work.session.get_one(Organisation, world.station)
            return cls(desk, world, a_person(work, "c1", (Role.CLERK, station)))

    def act(
        self,
        function: Callable[..., Any],
        *,
        by: Actor | None = None,
        key: str = "k",
        **values: Any,
    ) -> Any:
        """Do a service's function as the clerk, in a transaction of its own."""
        with unit_of_work(self.desk, by or self.clerk, NOON, key) as work:
            return function(work, **values)

    def draft(self, mode: AgreementMode = METER, **changed: Any) -> dict[str, Any]:
        """Draft an agreement of the world's customer about the world's point."""
        with self.desk.reading() as session:
            named = {
                "customer": session.get_one(Party, self.world.party).number,
                "point": session.get_one(SupplyPoint, self.world.point).number,
            }
        named |= {name: changed.pop(name) for name in tuple(named) if name in changed}
        drafted = terms(mode is METER, **changed)
        told: dict[str, Any] = self.act(agreements.draft, mode=mode, terms=drafted, **named)
        return told

    def provision(
        self, mode: AgreementMode = METER, *, opened: bool = False, **changed: Any
    ) -> str:
        """Draft, sign and provision an agreement; return its number."""
        number: str = self.draft(mode, **changed)["agreement"]
        self.sign(number)
        self.act(agreements.provision, agreement=number, opened=opened)
        return number

    def sign(self, number: str, **more: Any) -> dict[str, Any]:
        """Print the draft of an agreement, and write down that it is signed."""
        self.act(print_agreement, agreement=number)
        values = {"name": "A Customer", **more}
        told: dict[str, Any] = self.act(agreements.sign, agreement=number, **values)
        return told

    def version(self, number: str) -> AgreementVersion:
        """Return the newest version of an agreement."""
        with self.desk.reading() as session:
            found = session.scalars(
                select(AgreementVersion)
                .join(Agreement, Agreement.id == AgreementVersion.agreement_id)
                .where(Agreement.number == number)
                .order_by(AgreementVersion.n.desc())
            ).first()
        assert found is not None
        return found

    def state(self, number: str) -> AgreementState:
        """Return the state of an agreement."""
        with self.desk.reading() as session:
            return session.scalars(select(Agreement.state).where(Agreement.number == number)).one()

    def orders(self) -> list[Order]:
        """Return all orders."""
        with self.desk.reading() as session:
            return list(session.scalars(select(Order).order_by(Order.id)))

    def end(self, kind: OrderKind, state: Any, cause: str = "", **read: Any) -> None:
        """End the newest order of a kind, as a worker does it; `read` is what the meter shows."""
        with unit_of_work(self.desk, WORKER, NOON) as work:
            found = work.session.scalars(
                select(Order).where(Order.kind == kind).order_by(Order.id.desc())
            ).first()
            assert found is not None
            assert found.agreement_id is not None
            work.lock(Agreement, found.agreement_id)
            if kind is OrderKind.READ:
                accept(work, read_values(work, found.meter_id, **read), found.agreement_id)
            order = work.lock(Order, found.id)
            order.cause = cause
            if kind.is_credit:
                order.credit_state = state
            else:
                order.command_state = state
            work.session.flush()
            provisioning_books.done(work, order)
