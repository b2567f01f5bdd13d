"""Leases of 30 s on journals and ports: one worker has each, and a dead one loses it.

They go by the host's clock, also in a simulated database.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, or_, select, update
from sqlalchemy.exc import DBAPIError

from meterctl.utility.errors import Conflict
from meterctl.utility.model.metering import Port
from meterctl.utility.model.work import Worker
from meterctl.utility.rules.leases import LATEST_MS, LEASE_MS, RENEW_MS, lives
from meterctl.utility.store.engine import Database
from meterctl.utility.store.statements import insert_if_absent
from meterctl.utility.store.unit_of_work import WORKER, repeated, unit_of_work

LOOK_S = 1.0
"""How often a process looks that waits for a lease, s."""
_NUMBER = select(Worker.id).where(Worker.journal_number == bindparam("journal_number"))
_NEW = insert_if_absent(Worker)


def new_holder() -> str:
    """Return a name of this process that no other process has, for people too."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


@dataclass(frozen=True, slots=True)
class Leases:
    """The leases of one process; `holder` names it."""

    database: Database
    holder: str

    def worker_of(self, journal_number: int, journal: str) -> int:
        """Return the number of a journal's row; it is written when the journal is used first."""

        def once() -> int:
            with unit_of_work(self.database, WORKER, self.database.now()) as work:
                number = work.session.scalars(_NUMBER, {"journal_number": journal_number})
                found = number.one_or_none()
                if found is None:
                    named = {"journal_number": journal_number, "journal": journal}
                    engine = work.session.get_bind().dialect.name
                    work.session.connection().execute(_NEW[engine], named)
                    found = work.session.scalars(_NUMBER, named).one()
                    row = work.session.get_one(Worker, found)
                    work.audit("worker_used", row, None, {"journal": row.journal})
                return found

        return repeated(once)

    def take_journal(self, worker: int) -> None:
        """Take the lease of a journal, or renew it.

        Raises:
            Conflict: another process has it.
        """
        if not self._take(Worker, worker):
            with self.database.reading() as session:
                row = session.get_one(Worker, worker)
            raise Conflict(
                "journal_in_use",
                f"journal {row.journal}: worker {row.lease_holder} has it; end that one, or wait "
                f"{LEASE_MS // 1000} s after its death. Nothing was done",
            )

    def await_journal(self, worker: int, over: threading.Event, say: Callable[[str], None]) -> bool:
        """Take the lease of a journal, once its holder is known to be dead; False: `over` was set.

        Args:
            over: ends the waiting.
            say: told once that it waits.

        Raises:
            Conflict: another process has it, and has renewed it meanwhile.
        """
        seen: int | None = None
        while not over.is_set():
            until = self._lease_of(worker)
            try:
                self.take_journal(worker)
            except Conflict as error:
                if seen is None:
                    say(f"{str(error).partition(';')[0]}; waiting until it ends, or is dead")
                elif until != seen:
                    raise
                seen = until
                over.wait(LOOK_S)
            else:
                return True
        return False

    def _lease_of(self, worker: int) -> int | None:
        """Return until when the lease of a journal holds."""
        with self.database.reading() as session:
            return session.get_one(Worker, worker).lease_until

    def take_port(self, port: int) -> bool:
        """Take the lease of a port, or renew it; False where another process has it."""
        return self._take(Port, port)

    @contextmanager
    def kept_port(self, port: int) -> Iterator[bool]:
        """Keep a port's lease during a block, renewed by a thread; yield whether it was taken."""
        taken, over = self.take_port(port), threading.Event()
        thread = threading.Thread(target=self._renew_port, args=(port, over), daemon=True)
        if taken:
            thread.start()
        try:
            yield taken
        finally:
            over.set()
            if taken:
                thread.join()
                self.release(None, (port,))

    def _renew_port(self, port: int, over: threading.Event) -> None:
        while not over.wait(RENEW_MS / 1000):
            with suppress(DBAPIError, Conflict):  # it holds for two more tries
                self.take_port(port)

    def release(self, worker: int | None, ports: Iterable[int]) -> None:
        """Give leases back that this process has."""
        with unit_of_work(self.database, WORKER, self.database.now()) as work:
            for table, ids in ((Worker, () if worker is None else (worker,)), (Port, ports)):
                work.session.execute(
                    update(table)
                    .where(table.id.in_(list(ids)), table.lease_holder == self.holder)
                    .values(lease_holder=None, lease_until=None)
                )

    def _take(self, table: type[Worker] | type[Port], row: int) -> bool:
        now = self.database.host_clock()

        def once() -> bool:
            with unit_of_work(self.database, WORKER, self.database.now()) as work:
                taken = work.session.execute(
                    update(table)
                    .where(
                        table.id == row,
                        or_(
                            table.lease_holder.is_(None),
                            table.lease_holder == self.holder,
                            ~lives_at(table.lease_until, now),
                        ),
                    )
                    .values(lease_holder=self.holder, lease_until=now + LEASE_MS)
                    .returning(table.id)
                )
                return taken.first() is not None

        return repeated(once)


def lives_at(until: Any, now: int) -> ColumnElement[bool]:
    """Return the condition that the holder of a lease lives, as `rules.leases.lives`."""
    found: ColumnElement[bool] = and_(until.is_not(None), until >= now, until <= now + LATEST_MS)
    return found


def is_held_elsewhere(database: Database, port: int, holder: str) -> bool:
    """Return whether another living process has a port."""
    with database.reading() as session:
        row = session.get_one(Port, port)
    has_other = row.lease_holder is not None and row.lease_holder != holder
    return has_other and lives(row.lease_until, database.host_clock())
