"""A sale in the desk's ledger, in two commits, beside a bare loop on the same engine and disk.

Ours: `sales.take` as a request with its key, audit and answer; then the sale is begun and delivered
in one transaction, with what its receipt proves. The peer: two transactions, each inserting an
entry and its two transfers, which every ledger needs. Both are durable; rounds take turns.
"""

from __future__ import annotations

import contextlib
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import bindparam, make_url, select

from benchmarks.desk_sales import AMOUNT, SellingDesk, selling_desk
from benchmarks.figures import Figure, Reach, beside, in_turn
from benchmarks.top_ups import DISK
from meterctl.utility.meters.leases import Leases
from meterctl.utility.model.work import Order
from meterctl.utility.rules.transitions import SaleEvent
from meterctl.utility.store import sale_books
from meterctl.utility.store.proofs import Proved
from meterctl.utility.store.statements import Prepared, rows_of
from meterctl.utility.store.unit_of_work import WORKER, unit_of_work
from protocols.quantities import CENT
from tests.support.desk_world import NOON
from tests.support.postgresql import CannotRunError, running_server

REACH = Reach(0.6, at_least=True)
CUSTOMERS = 50
PEER = "bare 2 commits"
TABLES = (
    "CREATE TABLE entry (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, "
    "booked_at BIGINT NOT NULL)",
    "CREATE TABLE transfer (entry_id INTEGER NOT NULL REFERENCES entry, n INTEGER NOT NULL, "
    "debit_id INTEGER NOT NULL, credit_id INTEGER NOT NULL, amount BIGINT NOT NULL, "
    "PRIMARY KEY (entry_id, n))",
)
ENTRY, TRANSFER = "INSERT INTO entry VALUES ({})", "INSERT INTO transfer VALUES ({})"
_ORDERS = rows_of(Order)
_SALE = Prepared(
    select(_ORDERS.c.sale_id, _ORDERS.c.id).where(_ORDERS.c.key == bindparam("of_key"))
)
Loop = Callable[[], object]


def measure(quick: bool) -> Iterator[Figure]:
    """Measure both engines."""
    place = DISK if DISK.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="desk-bench-", dir=place) as folder:
        path = Path(folder)
        with contextlib.closing(_bare_file(path / "bare.sqlite")) as bare:
            loop = _loop(bare.execute, "?", "BEGIN IMMEDIATE")
            yield from _beside(f"sqlite:///{path / 'desk.sqlite'}", "SQLite", loop, quick)
    try:
        with running_server(durable=True) as server:
            url = server.url(server.new_database())
            with _bare_database(server.url(server.new_database())) as connection:
                loop = _loop(connection.execute, "%s", "BEGIN")
                yield from _beside(url, "PostgreSQL", loop, quick)
    except CannotRunError as error:
        note = f"PostgreSQL cannot run here: {error}"
        yield beside(_name("PostgreSQL"), "a second", (), None, "", REACH, note)


def _beside(url: str, engine: str, bare: Loop, quick: bool) -> Iterator[Figure]:
    rounds, each = (3, 30) if quick else (9, 100)
    rates: dict[str, list[float | None]] = {"ours": [], "bare": []}
    costs: dict[str, list[float | None]] = {"ours": [], "bare": []}
    with selling_desk(url, lambda: NOON) as desk:
        for number in range(1, CUSTOMERS + 1):
            desk.add_customer(1_000 + number)
        sequence, worker = count(1), Leases(desk.database, "bench").worker_of(1, "journal")
        loops: tuple[tuple[str, Loop], ...] = (
            ("ours", lambda: _sale(desk, worker, next(sequence))), ("bare", bare),
        )  # fmt: skip
        for turn in range(-1, rounds):
            for name, loop in in_turn(loops, turn):
                rate, cost = _timed(loop, each)
                if turn >= 0:
                    rates[name].append(rate)
                    costs[name].append(cost)
    ours, bare_rates = rates["ours"], rates["bare"]
    yield beside(_name(engine), "a second", ours, bare_rates, PEER, REACH)
    what = f"{_name(engine)}: CPU of this process each"
    yield beside(what, "us", costs["ours"], costs["bare"], PEER)


def _name(engine: str) -> str:
    return f"A sale in the desk's ledger, {engine}, 2 commits"


def _timed(loop: Loop, each: int) -> tuple[float, float]:
    """Return how often a second a loop ran, and the CPU time of each, us."""
    began, before = time.perf_counter(), time.process_time()
    for _ in range(each):
        loop()
    return each / (time.perf_counter() - began), (time.process_time() - before) / each * 1e6


def _sale(desk: SellingDesk, worker: int, sequence: int) -> None:
    """Take a sale, and book that its meter has it."""
    key = desk.take()
    proved = Proved(
        1, sequence, to_debt=0, to_overdraft=0, credit_after=0, cumulative=sequence * AMOUNT * CENT
    )
    with unit_of_work(desk.database, WORKER, NOON) as work:
        sale, order = _SALE.row(work.connection, {"of_key": key})
        sale_books.begin(work, sale, order, worker=worker, tries=1, not_before=NOON)
        sale_books.move(work, sale, SaleEvent.CONFIRMED, proved=proved)


def _loop(execute: Callable[..., Any], mark: str, begin: str) -> Loop:
    """Return the bare loop on a connection."""
    entry = ENTRY.format(", ".join([mark] * 4))
    transfer = TRANSFER.format(", ".join([mark] * 5))
    number = count(1)

    def sale() -> None:
        for kind in ("taken", "delivered"):
            entry_id = next(number)
            execute(begin)
            execute(entry, (entry_id, f"sale/{entry_id}", kind, NOON))
            for n in (1, 2):
                execute(transfer, (entry_id, n, 1, 2, AMOUNT))
            execute("COMMIT")

    return sale


def _bare_file(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", *TABLES):
        connection.execute(statement).close()
    return connection


@contextlib.contextmanager
def _bare_database(url: str) -> Iterator[psycopg.Connection[Any]]:
    named = make_url(url)
    with psycopg.connect(
        host=str(named.query["host"]), user=named.username, dbname=named.database, autocommit=True
    ) as connection:
        for statement in TABLES:
            connection.execute(statement.encode())
        yield connection
