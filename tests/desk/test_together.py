"""Many at once at one desk: 16 threads on PostgreSQL, 4 on SQLite; no two get in each other's way.

Whatever order they come in, each key is one sale, each sale goes one way, and every invariant holds
afterwards. PostgreSQL found no deadlock.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any, cast

import pytest
from sqlalchemy import select

from meterctl.utility.errors import DeskError, Refused
from meterctl.utility.model.money import Entry, Payment
from meterctl.utility.rules.transitions import SaleState
from meterctl.utility.services import sales, shifts
from meterctl.utility.services.closing import close_day
from meterctl.utility.store.unit_of_work import (
    Answer,
)
from protocols.quantities import DAY
from tests.desk.simulation.site import STATION
from tests.desk.simulation.templates import Templates
from tests.desk.together import THREADS, Together, a_desk
from tests.support.desk_databases import POSTGRESQL
from tests.support.desk_world import NOON, TODAY

WITHIN_S = 120
JUST_BEFORE_MIDNIGHT = NOON + 6_000_000
"""23:53:20 of the tests' date in the company's zone."""


@pytest.fixture(params=THREADS)
def desk(
    request: pytest.FixtureRequest, desk_templates: Templates, tmp_path: Path
) -> Iterator[Together]:
    if request.param == POSTGRESQL:
        request.getfixturevalue("postgresql_server")
    with a_desk(desk_templates, request.param, tmp_path) as desk:
        yield desk


def test_the_same_key_at_once_is_one_sale(desk: Together) -> None:
    answers = desk.at_once(*[lambda: desk.sell("one")] * desk.size)
    assert [type(answer) for answer in answers] == [Answer] * desk.size
    assert sum(not answer.replayed for answer in answers) == 1
    assert len({str(answer.values) for answer in answers}) == 1
    assert len(desk.sales()) == 1
    with desk.database.reading() as session:
        assert len(session.scalars(select(Payment)).all()) == 1
        assert len(session.scalars(select(Entry)).all()) == 1
    desk.prove()


def test_of_cancelling_and_running_one_wins(desk: Together) -> None:
    won = set()
    for number in range(12):
        sale = desk.sell(f"sale-{number}").values["sale"]
        cancel = lambda sale=sale: desk.ask("vendor1", sales.cancel, sale=sale)  # noqa: E731
        run = [lambda journal=n: desk.work(journal) for n in range(desk.size // 2 - 1)]
        cancelled, *done = desk.at_once(cancel, *run)
        state = desk.sales()[-1].state
        if isinstance(cancelled, Answer):
            assert (state, sum(done)) == (SaleState.CANCELLED, 0)
        else:
            assert isinstance(cancelled, Refused)
            assert state is SaleState.DELIVERED or desk.work() == 1
        won.add(desk.sales()[-1].state)
    assert won <= {SaleState.CANCELLED, SaleState.DELIVERED}
    desk.prove()


def test_two_vendors_sell_to_one_meter_and_each_sale_is_delivered_once(desk: Together) -> None:
    stop = Event()

    def worker(journal: int) -> None:
        while not stop.is_set():
            desk.work(journal)

    workers = [desk.threads.submit(worker, n) for n in range(desk.size // 4)]
    selling = [
        desk.threads.submit(desk.sell, f"sale-{n}", 0, ("vendor1", "vendor2")[n % 2])
        for n in range(24)
    ]
    assert {type(each.result(WITHIN_S)) for each in selling} == {Answer}
    stop.set()
    for each in workers:
        each.result(WITHIN_S)
    desk.work()
    sold = desk.sales()
    assert {sale.state for sale in sold} == {SaleState.DELIVERED}
    assert sorted(cast(int, sale.sequence) for sale in sold) == list(range(1, 25))
    desk.prove()


def test_a_shift_is_closed_among_sales_and_workers(desk: Together) -> None:
    def sell(n: int) -> Answer | DeskError:
        try:
            return desk.sell(f"sale-{n}", n % 2)
        except Refused as error:
            return error

    selling = [desk.threads.submit(sell, n) for n in range(30)]
    working = [desk.threads.submit(desk.work, n) for n in range(desk.size // 4)]
    closing = desk.threads.submit(_count_and_close, desk)
    told = closing.result(WITHIN_S)
    answers = [each.result(WITHIN_S) for each in selling]
    for each in working:
        each.result(WITHIN_S)
    desk.work()
    taken = [answer for answer in answers if isinstance(answer, Answer)]
    assert told["state"] == "closed"
    assert told["receipts"] == len(taken) == len(desk.sales())
    assert {sale.state for sale in desk.sales()} <= {SaleState.DELIVERED, SaleState.DEAD}
    desk.prove()


def _count_and_close(desk: Together) -> dict[str, Any]:
    """Count a till while it sells, and close it."""
    desk.ask("vendor1", shifts.count, shift=None, counted=50_00)
    return desk.ask("vendor1", shifts.close, shift=None, slip="slip").values


def test_a_date_is_closed_among_sales(desk: Together) -> None:
    desk.now = JUST_BEFORE_MIDNIGHT
    for n in range(6):
        desk.sell(f"before-{n}", n % 2)
    desk.work()
    for vendor in ("vendor1", "vendor2"):
        desk.ask(vendor, shifts.count, shift=None, counted=30_00 if vendor == "vendor1" else 0)
        desk.ask(vendor, shifts.close, shift=None, slip=vendor)
    desk.now += DAY // 2
    for vendor in ("vendor1", "vendor2"):
        desk.ask(vendor, shifts.open_shift, node=STATION, float_amount=0)
    selling = [
        lambda n=n: desk.sell(f"after-{n}", n % 2, f"vendor{n % 2 + 1}")
        for n in range(desk.size - 1)
    ]
    closed, *sold = desk.at_once(
        lambda: desk.ask("chief_accountant", close_day, on=TODAY), *selling
    )
    assert [type(answer) for answer in (closed, *sold)] == [Answer] * desk.size
    desk.work()
    with desk.database.reading() as session:
        on = dict.fromkeys(session.scalars(select(Entry.booked_on)).all())
        assert set(on) == {TODAY, TODAY + timedelta(days=1)}
        of_the_day = session.scalars(select(Entry).where(Entry.booked_on == TODAY)).all()
        assert closed.values["entries"] == len(of_the_day)
    desk.prove()
