"""Today and sheets on the kept databases: figures are the sums of their rows, as in the ledger."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from meterctl.utility.model.money import Entry, Sale, Transfer
from meterctl.utility.rules.calendar import end_of, midnight
from meterctl.utility.rules.postings import AccountKind
from meterctl.utility.rules.transitions import SaleState
from meterctl.utility.services import today
from meterctl.utility.store.engine import Database, connect
from meterctl.utility.store.queries.balances import balances
from meterctl.utility.store.queries.today import TodayFigure
from meterctl.utility.store.unit_of_work import WORKER
from meterctl.utility.store.upgrading import upgrade
from protocols.quantities import HOUR
from tests.desk.kept import DATABASES, kept_layouts, load_dump, unpacked
from tests.support.desk_databases import SQLITE
from tests.support.desk_sheets import require_same_sheet
from tests.support.desk_world import NOON


@pytest.mark.parametrize("engine", DATABASES)
def test_every_figure_of_every_day_is_the_sum_of_its_rows(
    request: pytest.FixtureRequest, tmp_path: Path, engine: str
) -> None:
    database = _kept(request, tmp_path, engine)
    with database.reading() as session:
        days = session.scalars(select(Entry.for_on).distinct().order_by(Entry.for_on)).all()
        for on in days:
            _require_sums(session, database.zone, on)
        _require_ledger(session, database.zone, days[-1])
    database.close()


@pytest.mark.parametrize("engine", DATABASES)
def test_the_sheet_of_every_day_is_what_it_is_row_by_row(
    request: pytest.FixtureRequest, tmp_path: Path, engine: str
) -> None:
    database = _kept(request, tmp_path, engine)
    with database.reading() as session:
        days = session.scalars(select(Entry.booked_on).distinct().order_by(Entry.booked_on)).all()
        now = midnight(days[-1], database.zone) + 23 * HOUR
        for on in days:
            require_same_sheet(session, now, end_of(on, database.zone))
    database.close()


def _kept(request: pytest.FixtureRequest, tmp_path: Path, engine: str) -> Database:
    """Return the oldest kept database, brought to today's layout."""
    name = kept_layouts()[0] + DATABASES[engine]
    if engine == SQLITE:
        url = f"sqlite:///{unpacked(name, tmp_path / 'desk.sqlite')}"
    else:
        server = request.getfixturevalue("postgresql_server")
        made = server.new_database()
        request.addfinalizer(lambda: server.drop(made))
        url = server.url(made)
        load_dump(name, url)
    connected = connect(url)
    upgrade(connected)
    connected.dispose()
    return Database.open(url, lambda: NOON)


def _require_sums(session: Session, zone: ZoneInfo, on: date) -> None:
    """Each figure is as many rows as it says, which add up to it; sold is the ledger's."""
    now = midnight(on, zone) + 23 * HOUR
    found = today.today(session, WORKER, now, zone)
    of_rows = [(row["figures"], row["node"], True) for row in found["rows"]]
    for figures, node, own in [*of_rows, (found["totals"], None, False)]:
        for figure in TodayFigure:
            rows = today.rows(session, WORKER, now, zone, figure, node, own=own)
            told = figures[figure.value]
            assert len(rows) == told["count"], (on, figure, node)
            if figure.is_money:
                assert sum(row["amount"] for row in rows) == told["amount"], (on, figure, node)
    for figure in TodayFigure:
        parts = [row["figures"][figure.value]["count"] for row in found["rows"]]
        assert sum(parts) == found["totals"][figure.value]["count"]
    taken, cancelled = (
        session.scalar(
            select(func.sum(Transfer.amount))
            .join(Entry, Entry.id == Transfer.entry_id)
            .where(Entry.kind == kind, Entry.for_on == on)
        )
        for kind in ("sale_taken", "sale_cancel")
    )
    sold = found["totals"][TodayFigure.SOLD_TODAY]["amount"]
    assert sold == int(taken or 0) - int(cancelled or 0)


def _require_ledger(session: Session, zone: ZoneInfo, on: date) -> None:
    """Cash is that of all tills; what is unknown is that of all sales."""
    totals = today.today(session, WORKER, midnight(on, zone), zone)["totals"]
    cash = balances((AccountKind.CASH,), whole=True)
    in_tills = session.scalar(select(func.sum(cash.c.balance)))
    assert totals[TodayFigure.CASH]["amount"] == int(in_tills or 0)
    unknown = select(func.sum(Sale.amount)).where(Sale.state == SaleState.UNKNOWN)
    assert totals[TodayFigure.UNKNOWN]["amount"] == int(session.scalar(unknown) or 0)
