"""A furnished desk whose people and workers may act at the same moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from threading import Barrier
from typing import Any, cast
from zoneinfo import ZoneInfo

from sqlalchemy import select, text

from meterctl.utility.errors import DeskError
from meterctl.utility.meters.execution import Execution
from meterctl.utility.meters.gateway import Gateway, Wire
from meterctl.utility.meters.leases import Leases
from meterctl.utility.meters.orders import Claim, Scope
from meterctl.utility.model.money import Sale
from meterctl.utility.model.work import Order
from meterctl.utility.rules.transitions import SaleState
from meterctl.utility.services import sales, shifts
from meterctl.utility.services.checks import check
from meterctl.utility.store.engine import Database, connect
from meterctl.utility.store.unit_of_work import (
    WORKER,
    Actor,
    Answer,
    Asked,
    UnitOfWork,
    perform,
    unit_of_work,
)
from tests.desk.simulation.site import STATION, URL, ZONE, Template
from tests.desk.simulation.templates import Templates
from tests.support.desk_databases import POSTGRESQL, SQLITE
from tests.support.desk_gateway import FakeGateway
from tests.support.desk_world import NOON

THREADS = {SQLITE: 4, POSTGRESQL: 16}
WITHIN_S = 120
_DEADLOCKS = text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")


@dataclass
class Together:
    """A desk with two vendors whose shifts are open, its meters behind a fake gateway."""

    database: Database
    template: Template
    threads: ThreadPoolExecutor
    size: int
    gateway: FakeGateway = field(default_factory=FakeGateway)
    now: int = NOON
    _keys: Any = field(default_factory=lambda: count(1))

    def ask(
        self, person: str, act: Callable[..., dict[str, Any]], key: str = "", **values: Any
    ) -> Answer:
        """Have a person do something under a key."""
        key = key or f"{act.__name__}-{next(self._keys)}"
        asked = Asked(key, act.__name__, {name: str(value) for name, value in values.items()})
        who = self.template.people[person]
        return perform(self.database, who, self.now, asked, lambda work: act(work, **values))

    def sell(self, key: str, meter: int = 0, vendor: str = "vendor1") -> Answer:
        """Sell 5.00 to a meter."""
        agreement = self.template.agreements[meter + 1]
        return self.ask(vendor, sales.take, key, agreement=agreement, amount=5_00)

    def as_worker(self, act: Callable[[UnitOfWork], Any]) -> Any:
        """Do something as the desk's own worker."""
        with unit_of_work(self.database, WORKER, self.now) as work:
            return act(work)

    def undone(self, actor: Actor, act: Callable[[UnitOfWork], Any]) -> None:
        """Do something as a person, and undo it."""
        asked = Asked("undone", "undone", {})
        perform(self.database, actor, self.now, asked, act, dry_run=True)

    def work(self, journal: int = 1) -> int:
        """Carry out what is due on the line; return the number of orders."""
        leases = Leases(self.database, f"test {journal}")
        worker = leases.worker_of(self.gateway.journal_number, "journal")
        execution = Execution(self.database, cast(Gateway, self.gateway), worker)
        done = 0
        with self.gateway.wire(URL) as wire:
            while execution.run_next(cast(Wire, wire), Claim(Scope.PORT, self.template.port)):
                done += 1
        return done

    def at_once(self, *acts: Callable[[], Any]) -> list[Any]:
        """Do acts at the same moment; return what each returned or raised (errors of the desk)."""
        ready = Barrier(len(acts))

        def act(own: Callable[[], Any]) -> Any:
            ready.wait(WITHIN_S)
            try:
                return own()
            except DeskError as error:
                return error

        begun: list[Future[Any]] = [self.threads.submit(act, each) for each in acts]
        return [each.result(WITHIN_S) for each in begun]

    def sales(self) -> list[Sale]:
        """Return all sales."""
        with self.database.reading() as session:
            return list(session.scalars(select(Sale).order_by(Sale.id)))

    def prove(self) -> None:
        """Assert that every invariant holds, that each meter has what is delivered, no deadlock."""
        auditor = self.template.people["auditor"]
        with self.database.reading() as session:
            assert [each for each in check(session, auditor) if each.broken] == []
            states = select(Order.credit_state, Sale.state).join(Sale, Sale.id == Order.sale_id)
            assert all(order is sale for order, sale in session.execute(states))
        delivered = sum(each.amount for each in self.sales() if each.state is SaleState.DELIVERED)
        accepted = sum(meter.cumulative for meter in self.gateway.meters.values())
        assert accepted == delivered * 10**8
        if self.database.engine.dialect.name == POSTGRESQL:
            self.database.close()  # its connections tell what they counted
            with self.database.engine.connect() as connection:
                assert connection.scalar(_DEADLOCKS) == 0


@contextmanager
def a_desk(templates: Templates, engine: str, folder: Path) -> Iterator[Together]:
    """Yield a new desk on an engine."""
    with ExitStack() as until_the_end:
        url, template = until_the_end.enter_context(templates.copy(engine, folder))
        desk: Together
        database = Database(connect(url), ZoneInfo(ZONE), False, lambda: desk.now)
        until_the_end.callback(database.close)
        size = THREADS[engine]
        threads = until_the_end.enter_context(ThreadPoolExecutor(size))
        desk = Together(database, template, threads, size)
        for vendor in ("vendor1", "vendor2"):
            desk.ask(vendor, shifts.open_shift, node=STATION, float_amount=0)
        yield desk
