"""Agreement and meter are compared once a night; what differs is one finding until it is mended."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, cast

import pytest
from sqlalchemy import select, update

from meterctl.utility.errors import Conflict, NotPermitted, Refused
from meterctl.utility.meters.gateway import Gateway
from meterctl.utility.meters.upkeep import COMPARISONS, order_comparisons
from meterctl.utility.meters.worker import Worker
from meterctl.utility.model.agreement import Agreement, AgreementVersion
from meterctl.utility.model.evidence import Audit
from meterctl.utility.model.metering import Finding, FindingState, Meter
from meterctl.utility.model.organisation import Organisation
from meterctl.utility.model.work import Order, OrderKind
from meterctl.utility.rules.rights import Role
from meterctl.utility.rules.terms import limits_of, terms_of_json
from meterctl.utility.rules.transitions import AgreementState, CommandState, VersionState
from meterctl.utility.services import agreements, comparison, findings
from meterctl.utility.services.archive import meters as archive_meters
from meterctl.utility.store import comparison_books
from meterctl.utility.store.findings import FindingRule
from meterctl.utility.store.unit_of_work import WORKER, Actor, UnitOfWork, unit_of_work
from protocols.data_model.items import MAX_CREDIT
from protocols.quantities import CENT, DAY, HOUR
from tests.support.desk_agreements import terms
from tests.support.desk_databases import ENGINES
from tests.support.desk_gateway import Line
from tests.support.desk_workers import SERIAL, URL, DeskAtWork, desk_at_work
from tests.support.desk_world import a_customer, a_person, a_port

on_each_engine = pytest.mark.parametrize("desk", ENGINES, indirect=True)


@pytest.fixture
def desk(request: pytest.FixtureRequest) -> Iterator[DeskAtWork]:
    """A desk whose meter is set to the terms in force; it is 22:13."""
    url = request.getfixturevalue(f"{getattr(request, 'param', 'sqlite')}_desk_url")
    with desk_at_work(url) as made:
        with made.transaction() as work:
            a_version(work, made.world.agreement)
        made.gateway.meter(SERIAL).settings.update(agreed())
        yield made


def agreed(**changed: Any) -> dict[Any, Any]:
    """Return the settings of the tests' terms, as a meter holds them."""
    return limits_of(terms_of_json(terms(max_credit=300_00, **changed)), in_meter=True)


def a_version(work: UnitOfWork, agreement: int, **more: Any) -> AgreementVersion:
    """Add a version that is in force, unless another state is given."""
    columns = {
        "n": 1, "state": VersionState.ACTIVE, "effective_on": work.today,
        "terms": terms(max_credit=300_00), "signed_at": None, "signed_by": None,
        "print_sha256": None, "cause": "",
    }  # fmt: skip
    return work.add(AgreementVersion(agreement_id=agreement, **{**columns, **more}))


def clerk_of(desk: DeskAtWork) -> Actor:
    with desk.transaction() as work:
        station = work.session.get_one(Organisation, desk.world.station)
        return a_person(work, "c1", (Role.CLERK, station))


def do(desk: DeskAtWork, by: Actor, act: Any, key: str = "k", **values: Any) -> dict[str, Any]:
    with unit_of_work(desk.database, by, desk.database.now(), key) as work:
        told: dict[str, Any] = act(work, **values)
        return told


def a_night(desk: DeskAtWork, hours: int = 24) -> int:
    """Let time pass, and let a new worker do what is due; return how many orders it did."""
    desk.later(hours * HOUR)
    return Worker(desk.database, cast(Gateway, desk.gateway)).run_once()


def found(desk: DeskAtWork) -> list[tuple[str, FindingState]]:
    with desk.database.reading() as session:
        rows = session.scalars(select(Finding).order_by(Finding.id))
        return [(row.rule, row.state) for row in rows]


def compared_keys(desk: DeskAtWork) -> list[str]:
    with desk.database.reading() as session:
        named = Order.key.startswith("comparison/")
        return list(session.scalars(select(Order.key).where(named).order_by(Order.id)))


@on_each_engine
def test_what_was_changed_in_a_meter_is_one_finding_with_both_values(desk: DeskAtWork) -> None:
    desk.gateway.meter(SERIAL).settings[MAX_CREDIT] = None
    assert a_night(desk) == 1
    assert found(desk) == [("terms_differ", FindingState.OPEN)]
    with desk.database.reading() as session:
        row = session.scalars(select(Finding)).one()
    assert json.loads(row.value) == [{"term": "max_credit", "agreed": "300.00", "meter": "off"}]
    assert (row.limit_value, row.agreement_id) == ("version 1", desk.world.agreement)
    assert row.note == "max_credit: agreed 300.00, meter off"
    assert a_night(desk) == 1
    assert found(desk) == [("terms_differ", FindingState.OPEN)]


@on_each_engine
def test_the_agreements_terms_are_written_and_the_finding_ends(desk: DeskAtWork) -> None:
    desk.gateway.meter(SERIAL).settings[MAX_CREDIT] = None
    a_night(desk)
    told = do(desk, clerk_of(desk), comparison.write_terms, agreement="A1")
    assert (told["meter"], told["version"]) == (SERIAL, 1)
    assert told["settings"]["max_credit"] == "300.00"
    desk.run_all()
    assert desk.gateway.meter(SERIAL).settings[MAX_CREDIT] == 300_00 * CENT
    assert found(desk) == [("terms_differ", FindingState.ENDED)]
    with desk.database.reading() as session:
        ended = session.scalars(select(Audit).where(Audit.action == "finding_ended")).one()
        assert comparison.written(session, told["order"]) == {"order_state": "done", "cause": ""}
    assert (ended.before, ended.after) == ({"state": "open"}, {"state": "ended"})


def test_a_comparison_without_a_difference_ends_the_finding(desk: DeskAtWork) -> None:
    desk.gateway.meter(SERIAL).settings[MAX_CREDIT] = None
    a_night(desk)
    desk.gateway.meter(SERIAL).settings.update(agreed())
    a_night(desk)
    assert found(desk) == [("terms_differ", FindingState.ENDED)]
    desk.gateway.meter(SERIAL).settings[MAX_CREDIT] = None
    a_night(desk)
    assert [state for _, state in found(desk)] == [FindingState.ENDED, FindingState.OPEN]


def test_a_meter_that_does_not_answer_keeps_its_finding(desk: DeskAtWork) -> None:
    desk.gateway.meter(SERIAL).settings[MAX_CREDIT] = None
    a_night(desk)
    desk.gateway.meter(SERIAL).settings.update(agreed())
    desk.gateway.lie(SERIAL, Line.SILENT)
    a_night(desk)
    assert found(desk) == [("terms_differ", FindingState.OPEN)]


def test_a_night_begins_at_two_and_compares_once(desk: DeskAtWork) -> None:
    assert a_night(desk, hours=3) == 0
    assert a_night(desk, hours=1) == 1
    assert a_night(desk, hours=5) == 0
    assert a_night(desk, hours=19) == 1
    assert compared_keys(desk) == ["comparison/2026-09-22/1", "comparison/2026-09-23/1"]


def test_a_meter_that_came_after_two_is_compared_in_the_next_night(desk: DeskAtWork) -> None:
    assert a_night(desk, hours=0) == 0
    assert compared_keys(desk) == []


def test_a_silent_meter_is_asked_for_four_hours_and_again_in_the_next_night(
    desk: DeskAtWork,
) -> None:
    desk.gateway.lie(SERIAL, *[Line.SILENT] * 2)
    a_night(desk)
    first = desk.row(1)
    assert (first.command_state, first.expires) == (
        CommandState.SILENT, first.made_at + comparison_books.TRIED_MS
    )  # fmt: skip
    assert a_night(desk, hours=1) == 1
    assert a_night(desk) == 1
    assert [desk.row(n).command_state for n in (1, 2)] == [
        CommandState.EXPIRED, CommandState.DONE,
    ]  # fmt: skip


@on_each_engine
def test_two_workers_and_a_dead_one_order_each_comparison_once(
    desk: DeskAtWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    with desk.transaction() as work:
        port = a_port(work, desk.world.station, URL)
        for serial in range(2, 6):
            _, _, meter, agreement = a_customer(work, desk.world.station, str(serial))
            work.session.execute(update(Meter).where(Meter.id == meter).values(port_id=port.id))
            a_version(work, agreement)
    desk.later(DAY)
    monkeypatch.setattr("meterctl.utility.meters.upkeep.COMPARISONS", 2)
    made, add = [], comparison_books.add_comparison

    def dying(*values: Any, **more: Any) -> None:
        made.append(values)
        if len(made) == 4:
            raise KeyboardInterrupt
        add(*values, **more)

    with monkeypatch.context() as patched:
        patched.setattr(comparison_books, "add_comparison", dying)
        with pytest.raises(KeyboardInterrupt):
            order_comparisons(desk.database, None)
    assert len(compared_keys(desk)) == 2
    for _ in range(2):
        order_comparisons(desk.database, None)
    assert sorted(compared_keys(desk)) == [f"comparison/2026-09-22/{n}" for n in range(1, 6)]
    assert COMPARISONS > 2


@on_each_engine
def test_a_comparison_that_another_worker_ordered_meanwhile_is_not_ordered_twice(
    desk: DeskAtWork,
) -> None:
    with desk.transaction() as work:
        (row,) = work.session.execute(comparison_books.comparable(), {"now": work.now}).all()
        for _ in range(2):
            comparison_books.add_comparison(work, "comparison/2026-09-22/1", row)
    assert compared_keys(desk) == ["comparison/2026-09-22/1"]


@pytest.mark.parametrize("out", ["stopped", "no wire", "closing"])
def test_meters_that_no_order_reaches_are_left_out(desk: DeskAtWork, out: str) -> None:
    with desk.transaction() as work:
        match out:
            case "stopped":
                work.session.execute(update(Meter).values(stopped="set_back"))
            case "no wire":
                work.session.execute(update(Meter).values(port_id=None))
            case _:
                work.session.execute(update(Agreement).values(state=AgreementState.CLOSING))
    assert a_night(desk) == 0


def test_one_comparison_of_a_meter_lives(desk: DeskAtWork) -> None:
    clerk = clerk_of(desk)
    assert do(desk, clerk, comparison.compare_all, "a") == {"ordered": 1}
    assert do(desk, clerk, comparison.compare_all, "b") == {"ordered": 0}
    assert a_night(desk) == 1
    assert compared_keys(desk) == []


@on_each_engine
def test_all_meters_of_a_node_are_compared_on_demand(desk: DeskAtWork) -> None:
    clerk = clerk_of(desk)
    desk.gateway.meter(SERIAL).settings[MAX_CREDIT] = None
    assert do(desk, clerk, comparison.compare_all, node="0011") == {"ordered": 1}
    desk.run_all()
    with desk.database.reading() as session:
        (row,) = findings.list_(session, clerk, rule=FindingRule.TERMS_DIFFER)
        assert findings.list_(session, clerk, node="0011") == [row]
        assert findings.list_(session, clerk, rule=FindingRule.SET_BACK) == []
    assert (row["finding"], row["agreement"], row["meter"]) == ("F1", "A1", SERIAL)
    assert row["differences"] == [{"term": "max_credit", "agreed": "300.00", "meter": "off"}]


def test_the_finding_of_a_meter_that_is_removed_ends(desk: DeskAtWork) -> None:
    desk.gateway.meter(SERIAL).settings[MAX_CREDIT] = None
    a_night(desk)
    with desk.transaction() as work:
        work.session.execute(update(Agreement).values(state=AgreementState.CLOSED))
    do(desk, clerk_of(desk), archive_meters.remove, serial=SERIAL, reason="taken down")
    assert found(desk) == [("terms_differ", FindingState.ENDED)]


def test_nothing_is_concluded_while_another_version_is_on_its_way(desk: DeskAtWork) -> None:
    with desk.transaction() as work:
        a_version(work, desk.world.agreement, n=2, state=VersionState.PROVISIONING)
    desk.gateway.meter(SERIAL).settings[MAX_CREDIT] = None
    assert a_night(desk) == 1
    assert found(desk) == []
    with pytest.raises(Refused, match="version 2 is on its way"):
        do(desk, clerk_of(desk), comparison.write_terms, agreement="A1")


def test_terms_are_written_once_at_a_time_and_by_a_clerk(desk: DeskAtWork) -> None:
    clerk = clerk_of(desk)
    with pytest.raises(NotPermitted):
        do(desk, desk.world.vendor, comparison.write_terms, agreement="A1")
    with pytest.raises(NotPermitted):
        do(desk, desk.world.vendor, comparison.compare_all)
    told = do(desk, clerk, comparison.write_terms, "a", agreement=SERIAL)
    with pytest.raises(Conflict, match=f"{told['order']} sets meter {SERIAL} already"):
        do(desk, clerk, comparison.write_terms, "b", agreement="A1")
    with desk.transaction() as work:
        work.session.execute(update(AgreementVersion).values(state=VersionState.REPLACED))
    desk.run_all()
    with pytest.raises(Refused, match="no version in force"):
        do(desk, clerk, comparison.write_terms, "c", agreement="A1")


def test_a_version_that_goes_into_force_ends_the_finding(desk: DeskAtWork) -> None:
    desk.gateway.meter(SERIAL).settings[MAX_CREDIT] = None
    a_night(desk)
    with desk.transaction() as work:
        draft = {"n": 2, "state": VersionState.SIGNED, "terms": terms(max_credit=None)}
        a_version(work, desk.world.agreement, **draft)
    do(desk, clerk_of(desk), agreements.provision, agreement="A1")
    desk.run_all()
    assert found(desk) == [("terms_differ", FindingState.ENDED)]


def test_the_desk_s_own_worker_orders_and_audits(desk: DeskAtWork) -> None:
    a_night(desk)
    with desk.database.reading() as session:
        order = session.scalars(select(Order)).one()
        audits = session.scalars(
            select(Audit.action).where(Audit.subject == f"meter_order/{order.id}")
        ).all()
    assert (order.kind, order.staff_id, order.command_state) == (
        OrderKind.READ, None, CommandState.DONE,
    )  # fmt: skip
    assert list(audits) == ["order", "order_run", "order_proved"]
    assert WORKER.staff_id is None
    assert set(order.outcome or {}) == {"settings", "current"}
