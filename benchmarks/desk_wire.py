"""Sales of the desk delivered over virtual ports by its worker; a meter a port, all durable.

The rates are of sales that wait already: begun, sealed, sent, answered, booked. The wait is from
the moment at which a customer pays, of sales taken at a steady rate in the same process.
"""

from __future__ import annotations

import contextlib
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.desk_sales import SellingDesk, selling_desk
from benchmarks.figures import BenchmarkError, Figure, Reach, beside
from benchmarks.processes import meter_sim
from benchmarks.top_ups import DISK
from meterctl.utility.meters.execution import Step
from meterctl.utility.meters.gateway import Gateway
from meterctl.utility.meters.orders import Begun
from meterctl.utility.meters.worker import Worker

PORTS = 4
WAITED_FOR_S = 0.02
"""Time between two sales of the steady rate, s."""
PATIENCE_S = 300.0
"""Longest wait for all sales of a round, s."""


def measure(quick: bool) -> Iterator[Figure]:
    """Measure one port, four ports, and the wait at 50 sales a second."""
    count = 60 if quick else 400
    for ports, limit in ((1, 120), (PORTS, 200)):
        with _desk(ports) as (desk, gateway):
            rate, cost = _delivered(desk, gateway, count)
        what = f"Sales of the desk delivered, {ports} port{'s' if ports > 1 else ''}"
        yield beside(what, "a second", [rate], None, "", Reach(limit, "a second", at_least=True))
        yield beside(f"{what}: CPU of this process each", "ms", [cost], None, "")
    with _desk(PORTS) as (desk, gateway):
        waits = sorted(_waits(desk, gateway, count))
    last = waits[min(len(waits) - 1, len(waits) * 99 // 100)]
    what = "From taken to delivered at 50 sales a second"
    yield beside(f"{what}, median", "ms", [waits[len(waits) // 2]], None, "")
    yield beside(f"{what}, 99 of 100", "ms", [last], None, "", Reach(150, "ms"))


def _now() -> int:
    return time.time_ns() // 1_000_000


@contextlib.contextmanager
def _desk(ports: int) -> Iterator[tuple[SellingDesk, Gateway]]:
    """Yield a desk with a simulated meter on each of its ports, and its gateway."""
    place = DISK if DISK.is_dir() else None
    with contextlib.ExitStack() as running:
        made = tempfile.TemporaryDirectory(prefix="desk-bench-", dir=place)
        folder = Path(running.enter_context(made))
        desk = running.enter_context(selling_desk(f"sqlite:///{folder / 'desk.sqlite'}", _now))
        for number in range(1, ports + 1):
            serial, wire = 1_000 + number, str(folder / f"{number}.tty")
            running.enter_context(
                meter_sim(
                    "--serial-number", f"{serial:012d}", "--modbus-rtu", wire, "--speed", "1",
                    "--state", str(folder / f"{number}.nv"),
                )
            )  # fmt: skip
            desk.add_customer(serial, wire)
        yield desk, Gateway(folder / "journal.sqlite")


class _Ended:
    """The observer of a worker: when each sale was booked, by its key."""

    def __init__(self) -> None:
        self.at: dict[str, float] = {}

    def __call__(self, step: Step, begun: Begun, state: str) -> None:
        """Take note of a sale that is booked."""
        if step is Step.POSTED:
            if state != "delivered":
                raise BenchmarkError(f"sale {begun.key} is {state}")
            self.at[begun.key] = time.perf_counter()


@contextlib.contextmanager
def _working(desk: SellingDesk, gateway: Gateway) -> Iterator[_Ended]:
    """Run the worker in threads of this process."""
    ended, said = _Ended(), list[str]()
    worker = Worker(desk.database, gateway, observer=ended, say=said.append)
    thread = threading.Thread(target=worker.run, name="worker")
    thread.start()
    try:
        yield ended
    finally:
        worker.stop()
        thread.join()
    if said:
        raise BenchmarkError(said[0])


def _wait(ended: _Ended, keys: Sequence[str]) -> None:
    until = time.perf_counter() + PATIENCE_S
    while len(ended.at) < len(keys):
        if time.perf_counter() > until:
            raise BenchmarkError(f"{len(ended.at)} of {len(keys)} sales were delivered")
        time.sleep(0.005)


def _delivered(desk: SellingDesk, gateway: Gateway, count: int) -> tuple[float, float]:
    """Return how many sales a second were delivered, and the CPU time of each, ms.

    The first quarter is not counted: ports are opened and meters identified in it.
    """
    keys = [desk.take() for _ in range(count)]
    with _working(desk, gateway) as ended:
        _wait(ended, keys[: count // 4])
        before, began, had = time.process_time(), time.perf_counter(), len(ended.at)
        _wait(ended, keys)
        took = time.perf_counter() - began
        cost = time.process_time() - before
    return (count - had) / took, cost / (count - had) * 1e3


def _waits(desk: SellingDesk, gateway: Gateway, count: int) -> list[float]:
    """Return how long each sale of a steady rate took from its payment, ms."""
    paid: dict[str, float] = {}
    with _working(desk, gateway) as ended:
        warm = [desk.take() for _ in range(PORTS)]
        _wait(ended, warm)
        began = time.perf_counter()
        for number in range(count):
            due = began + number * WAITED_FOR_S
            time.sleep(max(0.0, due - time.perf_counter()))
            paid[desk.take()] = due
        _wait(ended, [*warm, *paid])
    return [(ended.at[key] - at) * 1e3 for key, at in paid.items()]
