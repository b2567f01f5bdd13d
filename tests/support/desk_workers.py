"""A desk with a port, its customers, a fake gateway, and the execution of their orders."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from sqlalchemy import select, update

from meterctl.utility.meters.due_orders import Scope
from meterctl.utility.meters.execution import Execution, Step
from meterctl.utility.meters.gateway import Gateway, Wire
from meterctl.utility.meters.leases import Leases
from meterctl.utility.meters.orders import Begun, Claim
from meterctl.utility.model.metering import Meter
from meterctl.utility.model.money import Sale
from meterctl.utility.model.organisation import Desk
from meterctl.utility.model.work import Order, OrderKind, Task
from meterctl.utility.store.engine import Database
from meterctl.utility.store.unit_of_work import WORKER, UnitOfWork, unit_of_work
from tests.support.desk_gateway import FakeGateway
from tests.support.desk_sales import a_port, a_sale, an_order
from tests.support.desk_world import World, a_world, opened

URL = "/tmp/wire"
SERIAL = "000000000001"


@dataclass
class DeskAtWork:
    """A desk, its world with a meter on port 1, and the execution of one journal."""

    database: Database
    world: World
    gateway: FakeGateway
    steps: list[tuple[Step, int, str]] = field(default_factory=list)

    @property
    def execution(self) -> Execution:
        """The execution of the gateway's journal."""
        worker = Leases(self.database, "test").worker_of(self.gateway.journal_number, "journal")
        return Execution(self.database, cast(Gateway, self.gateway), worker, self._observe)

    @contextmanager
    def transaction(self) -> Iterator[UnitOfWork]:
        """Yield a transaction."""
        with unit_of_work(self.database, WORKER, self.database.now()) as work:
            yield work

    def sell(self, amount: int = 50_00, key: str = "K1", **options: Any) -> int:
        """Take a sale and return its number."""
        with self.transaction() as work:
            return a_sale(work, self.world, amount, key, **options).id

    def order(self, kind: OrderKind, key: str = "K1", **options: Any) -> int:
        """Write an order without a sale and return its number."""
        with self.transaction() as work:
            agreement = self.world.agreement
            return an_order(
                work, kind, self.world.meter, key, agreement=agreement, **options
            ).id  # fmt: skip

    def run(self, claim: Claim | None = None) -> Begun | None:
        """Carry out the next order of port 1, or of a claim."""
        with self.gateway.wire(URL) as wire:
            claim = claim or Claim(Scope.PORT, 1)
            return self.execution.run_next(cast(Wire, wire), claim)

    def run_all(self) -> list[int]:
        """Carry out all that is due at port 1; return the numbers of the orders."""
        done = []
        while (begun := self.run()) is not None:
            done.append(begun.order)
        return done

    def later(self, ms: int) -> None:
        """Advance the desk's clock."""
        with self.transaction() as work:
            work.session.execute(update(Desk).values(clock=Desk.clock + ms))

    def sale(self, number: int = 1) -> Sale:
        """Return a sale."""
        with self.database.reading() as session:
            return session.get_one(Sale, number)

    def row(self, number: int = 1) -> Order:
        """Return an order."""
        with self.database.reading() as session:
            return session.get_one(Order, number)

    def meter(self) -> Meter:
        """Return the world's meter."""
        with self.database.reading() as session:
            return session.get_one(Meter, self.world.meter)

    def tasks(self) -> list[str]:
        """Return the kinds of the tasks."""
        with self.database.reading() as session:
            return [kind.value for kind in session.scalars(select(Task.kind).order_by(Task.id))]

    def _observe(self, step: Step, begun: Begun, state: str) -> None:
        self.steps.append((step, begun.order, state))


@contextmanager
def desk_at_work(url: str) -> Iterator[DeskAtWork]:
    """Yield a new desk at work."""
    database = opened(url)
    world = a_world(database)
    desk = DeskAtWork(database, world, FakeGateway())
    with desk.transaction() as work:
        a_port(work, world, URL)
    yield desk
    database.close()
