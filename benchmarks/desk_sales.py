"""A desk with customers for the benchmarks, and the sales that are taken there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count

from sqlalchemy import select, update

from meterctl.utility.model.metering import Meter
from meterctl.utility.model.money import Sale, Shift
from meterctl.utility.services import sales
from meterctl.utility.store.engine import Database, connect
from meterctl.utility.store.unit_of_work import (
    WORKER,
    Actor,
    Asked,
    UnitOfWork,
    perform,
    unit_of_work,
)
from meterctl.utility.store.upgrading import upgrade
from tests.support.desk_world import a_customer, a_port, a_reading, a_world, opened

AMOUNT = 100
"""Of every sale, 0.01."""
FAR_LIMIT = 10**9
"""Cash that the vendor may hold, 0.01."""


@dataclass(slots=True)
class SellingDesk:
    """An open desk, its vendor, and its customers, who buy in turn.

    `meters` are the numbers of the customers' meters, by number of their agreement.
    """

    database: Database
    vendor: Actor
    station: int
    meters: dict[str, int] = field(default_factory=dict)
    _taken: Iterator[int] = field(default_factory=lambda: count(1))

    def add_customer(self, serial: int, url: str | None = None) -> None:
        """Add a customer whose meter was read once; on a port of its own, if it has an address."""

        def add(work: UnitOfWork) -> None:
            _, _, meter, agreement = a_customer(work, self.station, str(serial))
            a_reading(work, meter, agreement, credit_sequence=0)
            work.session.get_one(Meter, meter).epoch = None
            if url is not None:
                work.session.get_one(Meter, meter).port_id = a_port(work, self.station, url).id
            self.meters[f"A{serial}"] = meter

        self._do(add)

    def take(self) -> str:
        """Take a sale from the next customer, and return its key."""
        number = next(self._taken)
        agreement = list(self.meters)[number % len(self.meters)]
        asked = Asked(f"K{number}", "sell", {"agreement": agreement, "amount": AMOUNT}, money=True)
        perform(
            self.database, self.vendor, self.database.now(), asked,
            lambda work: sales.take(work, agreement=agreement, amount=AMOUNT),
        )  # fmt: skip
        return asked.key

    def states(self) -> set[str]:
        """Return the words of the states that sales have."""
        with self.database.reading() as session:
            return {state.value for state in session.scalars(select(Sale.state).distinct())}

    def _do(self, act: Callable[[UnitOfWork], None]) -> None:
        with unit_of_work(self.database, WORKER, self.database.now()) as work:
            act(work)


@contextmanager
def selling_desk(url: str, clock: Callable[[], int]) -> Iterator[SellingDesk]:
    """Make a desk in an empty database, with a vendor whose shift is open; close it at the end.

    Args:
        clock: ms since 1970 UTC.
    """
    engine = connect(url)
    upgrade(engine)
    engine.dispose()
    made = opened(url)
    database = Database(made.engine, made.zone, simulated=False, host_clock=clock)
    try:
        world = a_world(database)
        with unit_of_work(database, WORKER, clock()) as work:
            work.session.execute(update(Shift).values(limit_amount=FAR_LIMIT))
        yield SellingDesk(database, world.vendor, world.station)
    finally:
        database.close()
