"""How long the desk's pages take with 100,000 customers: for a clerk alone, and for 4 at once.

The limit is held against the clerk alone; with 4 at once, who all ask for the same page, each also
waits for the others, since one process serves them. Ours: `meterctl desk serve`. The peer in the
same run: a bare route of FastAPI with one indexed SELECT over the same database. No meter is there:
the order of a sale waits.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles

from benchmarks.desk_population import CUSTOMERS, Population, populate
from benchmarks.desk_population.plan import STATIONS
from benchmarks.desk_visits import VISITS, Client, Visit, all_at_once, one_by_one
from benchmarks.figures import BenchmarkError, Figure, Reach
from benchmarks.processes import Child, program
from benchmarks.top_ups import DISK
from tests.support.postgresql import CannotRunError, running_server

REACH = Reach(200, "ms")
CLIENTS = 4
ROUNDS, QUICK_ROUNDS = 25, 5
QUICK_CUSTOMERS = 5_000
PEER = "bare FastAPI SELECT"
_PEER = Path(__file__).parent / "peers" / "fastapi_select.py"


def measure(quick: bool) -> Iterator[Figure]:
    """Measure both engines."""
    customers = QUICK_CUSTOMERS if quick else CUSTOMERS
    with tempfile.TemporaryDirectory(
        prefix="desk-pages-", dir=DISK if DISK.is_dir() else None
    ) as name:
        folder = Path(name)
        url = f"sqlite:///{folder / 'desk.sqlite'}"
        yield from measured(populate(url, customers), "SQLite", folder, quick)
        try:
            with running_server(durable=True) as server:
                made = populate(server.url(server.new_database()), customers)
                yield from measured(made, "PostgreSQL", folder, quick)
        except CannotRunError as error:
            note = f"PostgreSQL cannot run here: {error}"
            yield Figure("The desk's pages, PostgreSQL, p95", "ms", None, note=note)


def measured(population: Population, engine: str, folder: Path, quick: bool) -> Iterator[Figure]:
    """Measure all pages of a populated desk.

    Args:
        folder: where the journal is made.
    """
    with _served(population, folder) as ours, _peer(population) as bare:
        signed_in = _clients(ours, population)
        bare_clients = [
            Client(bare, population, f"v{n}-0", n) for n in range(CLIENTS)
        ]  # no person signs in at the peer
        for visit in VISITS:
            yield _figure(visit, engine, signed_in[visit.role], bare_clients, quick)


def _figure(
    visit: Visit,
    engine: str,
    clients: Sequence[Client],
    bare_clients: Sequence[Client],
    quick: bool,
) -> Figure:
    """Measure one page and the peer in turn."""
    alone: list[float] = []
    together: list[float] = []
    peers: list[float] = []
    name = f"{visit.name}, {engine}"
    customers = clients[0].population.plan.customers
    note = f"{customers:,} customers, 1 client; in brackets its p50 and max, {CLIENTS} at once p95"
    load = os.getloadavg()[0]
    try:
        for turn in range(-1, QUICK_ROUNDS if quick else ROUNDS):
            ours = one_by_one(clients, visit.act)
            theirs = one_by_one(
                bare_clients, lambda each: each.get(f"/agreement/{each.agreement()}")
            )
            at_once = all_at_once(clients, visit.act)
            if turn >= 0:
                alone += ours
                peers += theirs
                together += at_once
    except BenchmarkError as error:
        return Figure(f"{name}, p95", "ms", None, note=str(error))
    (p50, p95), peer = _quantiles(alone), _quantiles(peers)[1]
    of_all = f"{CLIENTS} at once {_quantiles(together)[1]:.0f}"
    what = f"{name}, p95 ({p50:.0f}, {max(alone):.0f}; {of_all}; load {load:.1f})"
    return Figure(what, "ms", p95, peer, PEER, p95 / peer, REACH.text(), REACH.met(p95), note)


def _quantiles(took: Sequence[float]) -> tuple[float, float]:
    """Return p50 and p95."""
    parts = quantiles(took, n=20, method="inclusive")
    return parts[9], parts[18]


def _clients(address: str, population: Population) -> dict[str | None, list[Client]]:
    """Sign people in: vendors of different stations, and others, by their role."""
    roles: list[str | None] = [None, *sorted({each.role for each in VISITS if each.role})]
    clients = {
        role: [
            Client(address, population, role or f"v{station}-0", station)
            for station in range(0, STATIONS, STATIONS // CLIENTS)
        ]
        for role in roles
    }
    for several in clients.values():
        for client in several:
            client.sign_in()
    return clients


@contextmanager
def _served(population: Population, folder: Path) -> Iterator[str]:
    """Serve the desk; yield its address."""
    command = [
        program("meterctl"), "--json", "--journal", str(folder / "journal.sqlite"), "desk",
        "--database", population.url, "serve", "--http", "127.0.0.1:0",
    ]  # fmt: skip
    variables = {"METERCTL_DESK_TOKEN": population.tokens["admin"]}
    with Child(command, variables=variables) as server:
        yield json.loads(server.ready)["address"]


@contextmanager
def _peer(population: Population) -> Iterator[str]:
    """Serve the bare route; yield its address."""
    with Child([sys.executable, str(_PEER), population.url]) as server:
        yield server.ready.decode().strip()
