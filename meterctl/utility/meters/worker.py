"""The worker: it carries out the orders of its ports and readers, a thread each.

One worker at a time has a journal. It takes the ports that no other one has, settles at its start
what a dead process left behind, and ends between two orders.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date

from sqlalchemy import exists, select
from sqlalchemy.exc import DBAPIError

from meterctl.utility.errors import DeskError
from meterctl.utility.meters.execution import Execution, Observer, Step, unobserved
from meterctl.utility.meters.gateway import Gateway
from meterctl.utility.meters.leases import Leases, lives_at, new_holder
from meterctl.utility.meters.orders import Begun, live_of
from meterctl.utility.meters.ports import PortOfWorker, PortThread, Say
from meterctl.utility.meters.reconcile import foreign_orders, reconcile, settle_by_journal
from meterctl.utility.meters.upkeep import order_comparisons, owe_bank_tasks, owe_card_tasks
from meterctl.utility.model.metering import Meter, Port
from meterctl.utility.rules.leases import RENEW_MS
from meterctl.utility.store.engine import Database

READER = "card"
"""Protocol of a port that is a card reader."""
NEW_PORTS_S = 1.0
"""How often a worker looks for ports that it may take, s."""
LEFT_BEHIND_S = 60.0
"""How long an order is being carried out elsewhere before the journal is asked about it, s."""


def say_nothing(text: str) -> None:
    """Say nothing."""


@dataclass
class Worker:
    """A worker of one journal.

    Args:
        ports: names of the ports that it may take; None is every port.
        readers: names of the card readers that it serves.
        observer: told each step of an order.
        say: told in words what a person has to know.
        waits: for the journal of a worker that may be dead, instead of ending at once.
    """

    database: Database
    gateway: Gateway
    ports: frozenset[str] | None = None
    readers: frozenset[str] = frozenset()
    observer: Observer = unobserved
    say: Say = say_nothing
    waits: bool = False
    _stop: threading.Event = field(init=False, default_factory=threading.Event)
    _threads: dict[int, PortThread] = field(init=False, default_factory=dict)
    _running: set[int] = field(init=False, default_factory=set)
    _seen: dict[int, float] = field(init=False, default_factory=dict)
    _compared: date | None = field(init=False, default=None)
    _banks_owed: date | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._leases = Leases(self.database, new_holder())
        number, path = self.gateway.journal_number, str(self.gateway.journal_path)
        self._worker = self._leases.worker_of(number, path)
        self._execution = Execution(self.database, self.gateway, self._worker, self._observe)

    def stop(self) -> None:
        """End `run` after the orders that are being carried out; for any thread and signals."""
        self._stop.set()

    def run(self) -> None:
        """Carry out orders until `stop`.

        Raises:
            Conflict: another worker has the journal.
            UsageError: the journal cannot be read.
        """
        with self._started():
            renewed = time.monotonic()
            while not self._stop.is_set():
                try:
                    self._take_ports()
                    if time.monotonic() - renewed >= RENEW_MS / 1000:
                        renewed = time.monotonic()
                        self._renew()
                except DBAPIError as error:
                    self.say(f"the database does not answer ({error.orig}); trying again")
                self._stop.wait(NEW_PORTS_S)

    def run_once(self) -> int:
        """Carry out what is due now, port after port; return the number of orders.

        Raises:
            Conflict, UsageError: as `run`.
        """
        with self._started():
            done = 0
            self._keep_timetable()
            for port in self._free_ports():
                if self._leases.take_port(port.id):
                    self._threads[port.id] = PortThread(
                        self._execution, port, self._leases.holder, self.say
                    )
                    done += self._threads[port.id].run_due()
            return done

    @contextmanager
    def _started(self) -> Iterator[None]:
        """Hold the journal, with what was left behind settled; at the end give all back."""
        is_taken = self._take_journal()
        try:
            if is_taken:
                self._settle_found()
            yield
        finally:
            for thread in self._threads.values():
                thread.stop()
            for thread in self._threads.values():
                thread.join()
            self._leases.release(self._worker, self._threads)
            self._threads.clear()

    def _take_journal(self) -> bool:
        """Take the journal's lease, once that of a dead worker has ended; False: it is stopped."""
        if not self.waits:
            self._leases.take_journal(self._worker)
            return True
        if not self._leases.await_journal(self._worker, self._stop, self.say):
            return False
        self.say("working; SIGTERM or Ctrl-C ends it between two orders")
        return True

    def _settle_found(self) -> None:
        """Settle by the journal what was left behind, and name what belongs to other journals."""
        for found in reconcile(self.database, self.gateway, self._worker, self._leases.holder):
            self.say(f"O{found.order} was {found.before}; by the journal it is {found.after}")
        for number, _, journal in foreign_orders(self.database, self._worker):
            self.say(f"O{number} is left to its journal {journal}: see `desk worker adopt`")

    def _take_ports(self) -> None:
        """Start a thread for each port that no other worker has."""
        for port in self._free_ports():
            if self._leases.take_port(port.id):
                thread = self._threads[port.id] = PortThread(
                    self._execution, port, self._leases.holder, self.say
                )
                thread.start()

    def _free_ports(self) -> list[PortOfWorker]:
        """Return the ports that this worker may take and has not."""
        with self.database.reading() as session:
            rows = session.execute(
                select(Port.id, Port.name, Port.url, Port.protocol)
                .where(
                    (Port.protocol == READER) | exists().where(Meter.port_id == Port.id),
                    Port.id.not_in(list(self._threads)),
                    ~lives_at(Port.lease_until, self.database.host_clock()),
                )
                .order_by(Port.id)
            ).all()
        return [
            PortOfWorker(row.id, row.name, row.url, row.protocol == READER)
            for row in rows
            if self._may_take(row.name, row.url, is_reader=row.protocol == READER)
        ]

    def _may_take(self, name: str, url: str, *, is_reader: bool) -> bool:
        if is_reader:
            return bool({name, url} & self.readers)
        return self.ports is None or bool({name, url} & self.ports)

    def _renew(self) -> None:
        """Renew the leases, and look after orders that are not carried out here."""
        self._leases.take_journal(self._worker)
        for port, thread in list(self._threads.items()):
            if not self._leases.take_port(port):
                self.say(f"port {thread.port.name} was taken by another worker")
                thread.stop()
                thread.join()
                del self._threads[port]
        self._settle_left_behind()
        self._keep_timetable()

    def _keep_timetable(self) -> None:
        """Do what is due by the desk's clock."""
        owe_card_tasks(self.database)
        self._compared = order_comparisons(self.database, self._compared)
        self._banks_owed = owe_bank_tasks(self.database, self._banks_owed)

    def _settle_left_behind(self) -> None:
        """Ask the journal about orders that another process began and did not end."""
        now = time.monotonic()
        begun = {each.order: each for each in live_of(self.database, self._worker)}
        self._seen = {order: self._seen.get(order, now) for order in begun}
        for order, since in self._seen.items():
            if order not in self._running and now - since >= LEFT_BEHIND_S:
                try:
                    settle_by_journal(
                        self.database, self.gateway, begun[order], self._leases.holder
                    )
                except DeskError as error:
                    self.say(f"O{order} is not settled: {error}")

    def _observe(self, step: Step, begun: Begun, state: str) -> None:
        """Keep which orders are carried out here, and tell the step on."""
        match step:
            case Step.SENDING:
                self._running.add(begun.order)
            case Step.SETTLED:
                pass
            case Step.POSTED:
                self._running.discard(begun.order)
        self.observer(step, begun, state)
