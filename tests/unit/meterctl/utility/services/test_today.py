"""Today's figures: of each station those of its own rows, and each the sum of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from meterctl.utility.errors import NotFound, NotPermitted
from meterctl.utility.model.banking import BankFile, BankFileKind, BankLine, BankLineState
from meterctl.utility.model.metering import Finding, FindingState, Meter
from meterctl.utility.model.money import PaymentChannel, Sale, Shift
from meterctl.utility.model.organisation import Organisation, OrganisationKind, Setting
from meterctl.utility.model.work import TaskKind
from meterctl.utility.rules import postings
from meterctl.utility.rules.law import ANY_CLASS, SUSPENSE_OLD
from meterctl.utility.rules.rights import Role
from meterctl.utility.rules.transitions import SaleEvent, SaleState
from meterctl.utility.services import checks
from meterctl.utility.services import today as service
from meterctl.utility.store.engine import Database
from meterctl.utility.store.ledger import About
from meterctl.utility.store.queries.today import TodayFigure
from meterctl.utility.store.sale_books import move
from meterctl.utility.store.tasks import open_task
from meterctl.utility.store.unit_of_work import WORKER, Actor, Grant, UnitOfWork, unit_of_work
from protocols.quantities import DAY, HOUR
from tests.support.desk_sales import a_payment, a_sale
from tests.support.desk_world import (
    NOON,
    TODAY,
    World,
    a_customer,
    a_node,
    a_person,
    a_shift,
    a_world,
    opened,
)

NOW = NOON + HOUR
SOLD = (TodayFigure.SOLD_YESTERDAY, TodayFigure.SOLD_TODAY)


@pytest.fixture
def desk(desk_url: str) -> Iterator[Database]:
    """A desk with the rows of a world, on each engine in turn."""
    database = opened(desk_url)
    yield database
    database.close()


@pytest.fixture
def world(desk: Database) -> World:
    """The world of the desk."""
    return a_world(desk)


def _sell(desk: Database, world: World, key: str, at: int, *events: SaleEvent, **more: Any) -> int:
    """Take a sale of 50.00 and move it; return its number."""
    with unit_of_work(desk, WORKER, at, key) as work:
        number = a_sale(work, world, 50_00, key, **more).id
    for event in events:
        with unit_of_work(desk, WORKER, at, f"{key} {event}") as work:
            move(work, number, event)
    return number


def _today(desk: Database, actor: Actor = WORKER, node: str | None = None) -> dict[str, Any]:
    with desk.reading() as session:
        found = service.today(session, actor, NOW, desk.zone, node)
        for row in found["rows"]:
            _require_rows(session, desk, actor, row["figures"], row["node"], own=True)
        _require_rows(session, desk, actor, found["totals"], node)
    return found


def _require_rows(
    session: Any, desk: Database, actor: Actor, figures: Any, node: str | None, *, own: bool = False
) -> None:
    """Every figure is the number and the sum of its rows."""
    for figure in TodayFigure:
        rows = service.rows(session, actor, NOW, desk.zone, figure, node, own=own)
        told = figures[figure.value]
        assert len(rows) == told["count"], (figure, node)
        if figure.is_money:
            assert sum(row["amount"] for row in rows) == told["amount"], (figure, node)


def _figures(found: dict[str, Any], node: str) -> dict[str, Any]:
    figures: dict[str, Any] = next(row for row in found["rows"] if row["node"] == node)["figures"]
    return figures


def _of(figures: dict[str, Any], figure: TodayFigure) -> tuple[int, int | None, int | None]:
    told = figures[figure.value]
    return told["count"], told["amount"], told["age_days"]


def test_sold_is_what_the_ledger_has_of_each_day_less_what_was_cancelled(
    desk: Database, world: World
) -> None:
    _sell(desk, world, "old", NOON - 2 * DAY)
    _sell(desk, world, "K1", NOON - DAY, meter=_another_meter(desk, world, "2"))
    _sell(desk, world, "K2", NOON, meter=_another_meter(desk, world, "3"))
    _sell(desk, world, "K3", NOON, SaleEvent.CANCEL, meter=_another_meter(desk, world, "4"))
    figures = _figures(_today(desk), "0011")
    assert [_of(figures, figure)[:2] for figure in SOLD] == [(1, 50_00), (3, 50_00)]


def test_money_that_a_bank_took_is_sold_at_the_station_of_the_point(
    desk: Database, world: World
) -> None:
    with unit_of_work(desk, WORKER, NOON, "bank") as work:
        paid = a_payment(work, world, 30_00)
        paid.channel, paid.shift_id = PaymentChannel.DEPUTED, None
        work.session.flush()
        work.ledger.post(
            "bank", "sale_taken",
            postings.paid_for_sale(postings.transit(7), world.agreement, 30_00),
            About(world.agreement, payment=paid.id),
        )  # fmt: skip
    figures = _figures(_today(desk), "0011")
    assert _of(figures, TodayFigure.SOLD_TODAY)[:2] == (1, 30_00)
    assert _of(figures, TodayFigure.CASH)[:2] == (0, 0)


def test_cash_is_that_of_shifts_that_are_not_closed_with_the_age_of_the_oldest(
    desk: Database, world: World
) -> None:
    _sell(desk, world, "K1", NOON)
    with unit_of_work(desk, WORKER, NOON) as work:
        work.session.execute(update(Shift).values(opened_on=TODAY - timedelta(2)))
        station = work.session.get_one(Organisation, world.station)
        a_shift(work, a_person(work, "v2", (Role.VENDOR, station)), world.station, "2")
    assert _of(_figures(_today(desk), "0011"), TodayFigure.CASH) == (1, 50_00, 2)


def test_sales_whose_delivery_is_not_proved_are_told_by_state_and_age(
    desk: Database, world: World
) -> None:
    unknown = _sell(desk, world, "K1", NOON - 3 * DAY)
    waiting = _sell(desk, world, "K2", NOON - DAY, meter=_another_meter(desk, world, "2"))
    on_card = _sell(desk, world, "K3", NOON - 61 * DAY, meter=_another_meter(desk, world, "3"))
    young = _sell(desk, world, "K4", NOON - 59 * DAY, meter=_another_meter(desk, world, "4"))
    with unit_of_work(desk, WORKER, NOON) as work:
        states = {unknown: SaleState.UNKNOWN, on_card: SaleState.ON_CARD, young: SaleState.ON_CARD}
        for number, state in states.items():
            work.session.execute(update(Sale).where(Sale.id == number).values(state=state))
    figures = _figures(_today(desk), "0011")
    assert _of(figures, TodayFigure.UNKNOWN) == (1, 50_00, 3)
    assert _of(figures, TodayFigure.WAITING) == (1, 50_00, 1)
    assert _of(figures, TodayFigure.ON_CARD) == (1, 50_00, 61)
    with desk.reading() as session:
        (row,) = service.rows(session, WORKER, NOW, desk.zone, TodayFigure.WAITING)
    assert (row["number"], row["agreement"], row["node"]) == (f"S{waiting}", "A1", "0011")


def test_a_line_in_suspense_for_over_three_days_is_the_companys(
    desk: Database, world: World
) -> None:
    with unit_of_work(desk, WORKER, NOON) as work:
        _a_line(work, "R1", 4, BankLineState.SUSPENSE)
        _a_line(work, "R2", 3, BankLineState.SUSPENSE)
        _a_line(work, "R3", 9, BankLineState.MATCHED)
    found = _today(desk)
    assert _of(_figures(found, "0001"), TodayFigure.SUSPENSE) == (1, 12_00, 4)
    assert _of(_figures(found, "0011"), TodayFigure.SUSPENSE)[:2] == (0, 0)
    assert _of(found["totals"], TodayFigure.SUSPENSE) == (1, 12_00, 4)


def test_a_line_is_long_in_suspense_after_the_days_of_the_setting(
    desk: Database, world: World
) -> None:
    with unit_of_work(desk, WORKER, NOON) as work:
        _a_line(work, "R1", 4, BankLineState.SUSPENSE)
        _a_line(work, "R2", 6, BankLineState.SUSPENSE)
        values = {"code": SUSPENSE_OLD.code, "node_id": world.company, "value": {"value": 5}}
        work.add(Setting(**values, customer_class=ANY_CLASS, from_on=TODAY, set_at=NOON))
    assert _of(_today(desk)["totals"], TodayFigure.SUSPENSE) == (1, 12_00, 6)


def test_open_findings_and_late_tasks_lie_at_their_nodes(desk: Database, world: World) -> None:
    with unit_of_work(desk, WORKER, NOON) as work:
        _a_finding(work, "terms_differ", world.agreement, world.meter)
        _a_finding(work, "books_differ", None, world.meter)
        _a_finding(work, "set_back", None, 99)
        meter = work.session.get_one(Meter, world.meter)
        late = TODAY - timedelta(1)
        open_task(work, TaskKind.SLIP, meter, world.station, Role.FIELD, late)
        open_task(work, TaskKind.SET_BACK, meter, world.station, Role.FIELD, TODAY)
    found = _today(desk)
    figures = _figures(found, "0011")
    assert _of(figures, TodayFigure.TERMS_DIFFER) == (1, None, 0)
    assert _of(figures, TodayFigure.FINDINGS) == (1, None, 0)
    assert _of(figures, TodayFigure.TASKS_LATE) == (1, None, 1)
    assert _of(_figures(found, "0001"), TodayFigure.FINDINGS) == (1, None, 0)
    with desk.reading() as session:
        rows = service.rows(session, WORKER, NOW, desk.zone, TodayFigure.FINDINGS, "0011")
        assert [row["meter"] for row in rows] == ["000000000001"]


def test_a_person_sees_the_stations_of_the_own_rights_and_no_others(
    desk: Database, world: World
) -> None:
    with unit_of_work(desk, WORKER, NOON) as work:
        company = work.session.get_one(Organisation, world.company)
        other = a_node(work, OrganisationKind.STATION, "0012", company)
        district = a_node(work, OrganisationKind.DISTRICT, "D1", other)
        agreement = a_customer(work, district.id, "9")
        a_node(work, OrganisationKind.DISTRICT, "D2", other)
    _sell(desk, world, "K1", NOON)
    _sell(desk, world, "K9", NOON, agreement=agreement[3], meter=agreement[2])
    found = _today(desk)
    assert [row["node"] for row in found["rows"]] == ["0011", "0012"]
    assert _of(_figures(found, "0012"), TodayFigure.WAITING)[:2] == (1, 50_00)
    of_vendor = _today(desk, world.vendor)
    assert [row["node"] for row in of_vendor["rows"]] == ["0011"]
    assert _of(of_vendor["totals"], TodayFigure.WAITING)[:2] == (1, 50_00)
    below = Actor(world.vendor.staff_id, "d", (Grant(Role.VENDOR, district.path),))
    assert [row["node"] for row in _today(desk, below)["rows"]] == ["D1"]
    assert [row["node"] for row in _today(desk, WORKER, "0012")["rows"]] == ["0012"]


def test_figures_of_another_node_are_refused_with_the_own_ones_named(
    desk: Database, world: World
) -> None:
    with desk.reading() as session:
        with pytest.raises(NotPermitted, match="those of 0011 and below"):
            service.today(session, world.vendor, NOW, desk.zone, "0001")
        with pytest.raises(NotPermitted):
            service.rows(session, world.vendor, NOW, desk.zone, TodayFigure.CASH, "0001")
        of_field = Actor(world.vendor.staff_id, "f", (Grant(Role.FIELD, f"/{world.company}/"),))
        with pytest.raises(NotPermitted):
            service.today(session, of_field, NOW, desk.zone)
        with pytest.raises(NotFound):
            service.today(session, WORKER, NOW, desk.zone, "none")


def test_the_last_run_of_the_check_is_shown_with_what_it_found(
    desk: Database, world: World
) -> None:
    assert _today(desk)["check"] is None
    with desk.reading() as session:
        checked = list(checks.check(session, WORKER))
    for at in (NOON, NOON + 1):
        with unit_of_work(desk, WORKER, at) as work:
            checks.keep(work, checked, 7)
    told = _today(desk)["check"]
    broken = [each.invariant for each in checked if each.broken]
    assert (told["at"], told["took_ms"], told["broken"]) == (NOON + 1, 7, broken)
    assert told["rows"] == sum(each.count for each in checked)


def test_rows_come_in_pages(desk: Database, world: World) -> None:
    numbers = [
        _sell(desk, world, f"K{n}", NOON + n, meter=_another_meter(desk, world, str(n)))
        for n in (2, 3, 4)
    ]
    with desk.reading() as session:
        figure = TodayFigure.WAITING
        first = service.rows(session, WORKER, NOW, desk.zone, figure, limit=2)
        last = service.rows(session, WORKER, NOW, desk.zone, figure, limit=2, offset=2)
    assert [row["number"] for row in first + last] == [f"S{number}" for number in numbers]


def _another_meter(desk: Database, world: World, serial: str) -> int:
    """Add another customer at the station; return the meter."""
    with unit_of_work(desk, WORKER, NOON) as work:
        return a_customer(work, world.station, serial)[2]


def _a_line(work: UnitOfWork, reference: str, days: int, state: BankLineState) -> None:
    """Add a line of a bank's file that was paid some days ago."""
    file = work.add(
        BankFile(
            bank="icbc", kind=BankFileKind.COLLECTED, name=reference, sha256=reference, lines=1,
            amount=12_00, for_on=TODAY, at=work.now, staff_id=None, result={},
        )
    )  # fmt: skip
    work.add(
        BankLine(
            file_id=file.id, bank="icbc", kind=BankFileKind.COLLECTED, reference=reference,
            party="?", amount=12_00, paid_at=work.now - days * DAY, state=state, tries=0,
            paid_on=TODAY - timedelta(days), not_before_on=None, cause="",
        )
    )  # fmt: skip


def _a_finding(work: UnitOfWork, rule: str, agreement: int | None, meter: int) -> None:
    """Add an open finding about a meter."""
    work.add(
        Finding(
            rule=rule, subject_kind=Meter.__tablename__, subject_id=meter, agreement_id=agreement,
            value="", limit_value="", note="", state=FindingState.OPEN, first_seen=work.now,
            last_seen=work.now,
        )
    )  # fmt: skip
