"""Taking over: a file is proposed, approved by another person, and booked meter by meter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import func, select

from meterctl.utility.errors import Invalid, NotFound, NotPermitted, Refused
from meterctl.utility.model.agreement import Agreement, AgreementVersion
from meterctl.utility.model.evidence import Audit
from meterctl.utility.model.metering import Finding, Installation, Meter, Reading
from meterctl.utility.model.money import Entry
from meterctl.utility.model.organisation import Organisation
from meterctl.utility.model.party import CustomerClass, Party, SupplyPoint
from meterctl.utility.model.work import Order
from meterctl.utility.rules.postings import AccountKind
from meterctl.utility.rules.rights import Role
from meterctl.utility.rules.takeover_file import parse_takeover
from meterctl.utility.rules.transitions import (
    AgreementState,
    CommandState,
    ReadingState,
    VersionState,
)
from meterctl.utility.services import takeover, tasks
from meterctl.utility.store.ledger import Ledger
from meterctl.utility.store.order_books import follow
from meterctl.utility.store.reading_books import accept
from meterctl.utility.store.unit_of_work import WORKER, Actor, unit_of_work
from tests.support.desk_agreements import Office, desk_of, read_values, terms, unchanged_office
from tests.support.desk_databases import ENGINES, DeskDatabases
from tests.support.desk_world import NOON, TODAY, a_person

AMOUNT = 10**8
SHA = "ab" * 32
HEADER = "meter,port,unit,mode,terms,node,address,class,capacity,customer,name,bills,advance\n"
FILE = HEADER + (
    "000000000042,port-1,2,,,0011,5 Main Street,resident,8kW,,Li Lei,"
    "2026-07 35.20 2026-08-15 / 2026-08 12.00 2026-09-15,\n"
    "000000000043,port-1,3,,t.toml,0011,6 Main Street,resident,8kW,,Han Mei,,5.00\n"
    "000000000044,port-1,4,bill,,0011,7 Main Street,other,8kW,,A Shop,,\n"
)


on_each_engine = pytest.mark.parametrize("office", ENGINES, indirect=True)


@pytest.fixture
def office(request: pytest.FixtureRequest) -> Iterator[Office]:
    """The office, on SQLite where a test names no engine."""
    with desk_of(request) as database:
        yield Office.of(database)


@pytest.fixture(scope="module")
def unchanged(
    desk_databases: DeskDatabases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Office]:
    """An office that no test changes."""
    with unchanged_office(desk_databases, tmp_path_factory.mktemp("unchanged")) as office:
        yield office


@pytest.fixture
def head(office: Office) -> Actor:
    with unit_of_work(office.desk, WORKER, NOON) as work:
        station = work.session.get_one(Organisation, office.world.station)
        return a_person(work, "h1", (Role.STATION_HEAD, station))


def proposed(office: Office, text: str = FILE, sha: str = SHA) -> str:
    """Propose a file; return its task's number."""
    given = {"t.toml": terms(max_credit=300_00)}
    told = office.act(takeover.propose_file, rows=parse_takeover(text), sha256=sha, terms=given)
    return str(told["task"])


def approved(office: Office, head: Actor, text: str = FILE) -> None:
    office.act(takeover.approve, by=head, task=proposed(office, text), unread=True)


def answers(office: Office, serial: str, state: Any = CommandState.DONE, **read: Any) -> None:
    """Let a meter answer all its waiting orders, or end them; as a worker does it."""
    with office.desk.reading() as session:
        waiting = session.execute(
            select(Order.id, Order.meter_id, Order.agreement_id, Order.parameters)
            .join(Meter, Meter.id == Order.meter_id)
            .where(Meter.serial == serial, Order.command_state == CommandState.QUEUED)
            .order_by(Order.id)
        ).all()
    for order_id, meter_id, agreement_id, parameters in waiting:
        with unit_of_work(office.desk, WORKER, NOON + order_id) as work:
            told: dict[str, Any] = {}
            if state is CommandState.DONE and "terms" in parameters:
                told = {"settings": {"low_credit_threshold_1": "10.00", "max_credit": "off"}}
            elif state is CommandState.DONE:
                values = read_values(work, meter_id, **{"account_state": "open", **read})
                told = {"reading": accept(work, values, agreement_id).id}
            order = work.session.get_one(Order, order_id)
            order.command_state, order.outcome, order.cause = state, told, "" if told else "no"
        with unit_of_work(office.desk, WORKER, NOON + order_id) as work:
            follow(work, order_id)


def balances(office: Office, line: int = 2) -> dict[str, int]:
    """Return the balances that are not 0 of the agreement of a line."""
    kinds = (
        AccountKind.IN_METER, AccountKind.METER_DEBT, AccountKind.ADVANCE, AccountKind.RECEIVABLE
    )  # fmt: skip
    with office.desk.reading() as session:
        ledger = Ledger(session, NOON, TODAY, None)
        numbers = [row["agreement"] for row in rows(office)]
        agreement = session.scalars(
            select(Agreement.id).where(Agreement.number == numbers[line - 2])
        ).one()
        held = {kind.value: ledger.balance(kind, agreement) for kind in kinds}
    return {kind: amount for kind, amount in held.items() if amount}


def rows(office: Office) -> list[dict[str, Any]]:
    with office.desk.reading() as session:
        told: list[dict[str, Any]] = takeover.progress(session, office.clerk, SHA)["rows"]
        return told


def states(office: Office) -> list[str]:
    return [row["state"] for row in rows(office)]


def count(office: Office, table: Any) -> int:
    with office.desk.reading() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_a_proposal_writes_the_archive_and_reads_each_meter(office: Office) -> None:
    task = proposed(office)
    assert states(office) == ["not_read"] * 3
    assert count(office, Entry) == 0
    with office.desk.reading() as session:
        names = session.scalars(select(Party.name).order_by(Party.id)).all()
        points = session.scalars(select(SupplyPoint.number).order_by(SupplyPoint.id)).all()
        numbers = session.scalars(select(Agreement.number).order_by(Agreement.id)).all()
        drafts = session.scalars(select(AgreementVersion.state)).all()
    assert names[1:] == ["Li Lei", "Han Mei", "A Shop"]
    assert [number[:4] for number in points[1:]] == ["0011"] * 3
    assert numbers[1:] == ["0011-2026-000001", "0011-2026-000002", "0011-2026-000003"]
    assert drafts == [VersionState.DRAFT] * 3
    answers(office, "000000000042", credit_exact=20_00 * AMOUNT, opening_exact=20_00 * AMOUNT)
    assert states(office) == ["read", "not_read", "not_read"]
    assert rows(office)[0]["credit_exact"] == 20_00 * AMOUNT
    assert (rows(office)[0]["open"], rows(office)[1]["advance"]) == (47_20, 5_00)
    assert count(office, Entry) == 0
    assert task.startswith("T")


@on_each_engine
def test_an_approved_meter_is_taken_over_with_its_next_reading(office: Office, head: Actor) -> None:
    approved(office, head)
    books = {
        "cumulative_exact": 100_00 * AMOUNT,
        "consumption_exact": 61_7712345678,
        "standing_exact": 3_00 * AMOUNT + 1,
        "instalments_exact": 2_50 * AMOUNT,
        "to_debt_exact": 7_3300000001,
        "debt_entered_exact": 15_00 * AMOUNT,
    }
    credit = 100_00 * AMOUNT - sum(
        books[name]
        for name in ("consumption_exact", "standing_exact", "instalments_exact", "to_debt_exact")
    )
    debt = 15_00 * AMOUNT - books["instalments_exact"] - books["to_debt_exact"]
    answers(
        office, "000000000042", credit_exact=credit, debt_exact=debt, credit_sequence=9, **books
    )
    assert states(office) == ["taken_over", "waiting", "waiting"]
    assert balances(office) == {
        "in_meter": 100_00 - 61_77 - 3_00 - 2_50 - 7_33,
        "meter_debt": 15_00 - 2_50 - 7_33,
        "receivable": 47_20,
    }
    with office.desk.reading() as session:
        meter = session.scalars(select(Meter).where(Meter.serial == "000000000042")).one()
        assert (meter.explained_before, meter.to_debt_exact) == (100_00 * AMOUNT, 7_3300000001)
        assert (meter.epoch, meter.proved_sequence) == (7, 9)
        taken = session.scalars(select(Installation).where(Installation.meter_id == meter.id)).one()
        base = session.get_one(Reading, taken.reading_in_id)
        assert base.state is ReadingState.ACCEPTED
        agreement = session.get_one(Agreement, base.agreement_id)
        assert agreement.state is AgreementState.ACTIVE
        version = session.scalars(
            select(AgreementVersion).where(AgreementVersion.agreement_id == agreement.id)
        ).one()
        assert version.state is VersionState.ACTIVE
        assert version.terms["low_credit_threshold_1"] == 10_00
        assert session.scalars(select(Finding)).all() == []


def test_a_file_is_not_approved_while_meters_of_it_are_unread(office: Office, head: Actor) -> None:
    task = proposed(office)
    answers(office, "000000000042", credit_exact=20_00 * AMOUNT)
    unseen = r"2 meters of T1 .*\(000000000043, 000000000044\).*--approve --unread"
    with pytest.raises(Refused, match=unseen):
        office.act(tasks.approve, by=head, number=task)
    with pytest.raises(Refused, match="were not read"):
        office.act(takeover.approve, by=head, task=task, unread=False)
    assert states(office) == ["read", "not_read", "not_read"]
    told = office.act(takeover.approve, by=head, task=task, unread=True)
    assert (told["outcome"], told["meters"], told["unread"]) == ("approved", 3, 2)
    with office.desk.reading() as session:
        audit = session.scalars(select(Audit).where(Audit.action == "takeover_unread")).one()
    assert audit.after == {"meters": ["000000000043", "000000000044"]}


def test_a_file_whose_meters_were_read_is_approved_as_any_task(office: Office, head: Actor) -> None:
    task = proposed(office)
    for serial in ("000000000042", "000000000043", "000000000044"):
        answers(office, serial)
    assert office.act(tasks.approve, by=head, number=task)["meters"] == 3
    assert states(office) == ["waiting"] * 3


def test_a_new_point_without_a_class_is_a_resident_s(office: Office) -> None:
    proposed(office, FILE.replace("5 Main Street,resident", "5 Main Street,"))
    with office.desk.reading() as session:
        point = select(SupplyPoint.customer_class).where(SupplyPoint.address == "5 Main Street")
        assert session.scalars(point).one() is CustomerClass.RESIDENT


def test_readings_are_booked_from_the_taking_over_on(office: Office, head: Actor) -> None:
    approved(office, head)
    before = {"consumption_exact": 5_9999999999, "opening_exact": 30_00 * AMOUNT}
    answers(office, "000000000042", credit_exact=24_0000000001, **before)
    assert balances(office)["in_meter"] == 24_01
    with unit_of_work(office.desk, WORKER, NOON + 99) as work:
        meter = work.session.scalars(select(Meter).where(Meter.serial == "000000000042")).one()
        agreement = work.session.scalars(
            select(Agreement).where(Agreement.state == AgreementState.ACTIVE)
        ).one()
        later = {**before, "consumption_exact": 6_0000000000, "elapsed": 1}
        values = read_values(work, meter.id, credit_exact=24_0000000000, **later)
        assert accept(work, values, agreement.id).state is ReadingState.ACCEPTED
    assert balances(office)["in_meter"] == 24_00
    assert count(office, Finding) == 0


@pytest.mark.parametrize("credit", [-5_1234567890, 0])
def test_a_meter_in_overdraft_and_an_empty_one_are_taken_over(
    office: Office, head: Actor, credit: int
) -> None:
    approved(office, head)
    answers(office, "000000000042", credit_exact=credit, consumption_exact=-credit)
    expected = {"receivable": 47_20} | ({"in_meter": -5_12} if credit else {})
    assert balances(office) == expected
    assert count(office, Finding) == 0


@on_each_engine
def test_an_advance_pays_the_oldest_bill(office: Office, head: Actor) -> None:
    text = FILE.replace("2026-09-15,\n", "2026-09-15,40.00\n")
    approved(office, head, text)
    answers(office, "000000000042")
    assert balances(office) == {"receivable": 7_20}
    with office.desk.reading() as session:
        entries = session.scalars(select(Entry.kind).order_by(Entry.id)).all()
    assert entries == ["taken_over", "allocated"]


def test_terms_of_the_file_are_the_next_draft(office: Office, head: Actor) -> None:
    approved(office, head)
    answers(office, "000000000043", credit_exact=1, opening_exact=1)
    assert balances(office, 3) == {"in_meter": 1, "advance": 5_00}
    with office.desk.reading() as session:
        found = session.scalars(
            select(AgreementVersion)
            .join(Agreement, Agreement.id == AgreementVersion.agreement_id)
            .where(Agreement.number == "0011-2026-000002")
            .order_by(AgreementVersion.n)
        ).all()
    assert [version.state for version in found] == [VersionState.ACTIVE, VersionState.DRAFT]
    assert [version.terms["max_credit"] for version in found] == [None, 300_00]


@pytest.mark.parametrize(
    ("serial", "read", "cause"),
    [
        ("000000000042", {"account_state": "closed"}, "closed"),
        ("000000000042", {"customer_number": "000000001001"}, "customer number 000000001001"),
        ("000000000044", {}, "open, in mode bill"),
    ],
)
def test_a_meter_that_does_not_fit_is_named_and_may_be_read_again(
    office: Office, head: Actor, serial: str, read: dict[str, Any], cause: str
) -> None:
    approved(office, head)
    answers(office, serial, **read)
    row = next(row for row in rows(office) if row["meter"] == serial)
    assert row["state"] == "refused"
    assert cause in row["cause"]
    assert count(office, Entry) == 0
    told = office.act(takeover.read_again, sha256=SHA)
    assert told["meters"] == 1
    fits = {"account_state": "unopened"} if serial.endswith("44") else {}
    answers(office, serial, **{**fits, "elapsed": 5})
    assert next(row for row in rows(office) if row["meter"] == serial)["state"] == "taken_over"


def test_a_silent_meter_waits(office: Office, head: Actor) -> None:
    approved(office, head)
    answers(office, "000000000042", CommandState.SILENT)
    assert states(office)[0] == "waiting"
    assert rows(office)[0]["cause"] == "no"
    answers(office, "000000000043", CommandState.REFUSED)
    assert states(office)[1] == "refused"


def test_the_proposer_does_not_approve(office: Office, head: Actor) -> None:
    task = proposed(office)
    with pytest.raises(NotPermitted):
        office.act(tasks.approve, number=task)
    with pytest.raises(NotPermitted):
        office.act(tasks.approve, by=office.world.vendor, number=task)
    with pytest.raises(NotPermitted):
        office.act(
            takeover.propose_file, by=office.world.vendor, rows=parse_takeover(FILE),
            sha256="cd" * 32, terms={"t.toml": terms()},
        )  # fmt: skip


@on_each_engine
def test_a_refused_file_leaves_nothing_in_force_and_may_be_proposed_again(
    office: Office, head: Actor
) -> None:
    task = proposed(office)
    office.act(tasks.refuse, by=head, number=task, reason="not yet")
    with office.desk.reading() as session:
        drafts = session.scalars(select(AgreementVersion.state)).all()
        with pytest.raises(NotFound):
            takeover.progress(session, office.clerk, SHA)
    assert drafts == [VersionState.WITHDRAWN] * 3
    parties, points = count(office, Party), count(office, SupplyPoint)
    proposed(office)
    assert (count(office, Party), count(office, SupplyPoint)) == (parties, points)
    with pytest.raises(Refused, match="proposed before"):
        proposed(office)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("000000000042", "42", "line 2: meter '42': a serial number has 12 digits"),
        ("000000000043", "000000000042", "line 3: meter 000000000042 is in line 2 too"),
        ("port-1,3", ",3", "line 3: a meter without a port"),
        ("2026-08 12.00", "12.00", "line 2: bill '12.00 2026-09-15': write month"),
        (",5.00", ",-5.00", "line 3: advance"),
        ("port-1,2", "port-9,2", "line 2: there is no port 'port-9'"),
        ("port-1,3", "port-1,2", "line 3: meter 000000000042 is unit 2 of port port-1"),
        ("bill,,0011", "prepaid,,0011", "line 4: mode 'prepaid'"),
        ("t.toml", "u.toml", "line 3: terms 'u.toml' were not given"),
        ("other,8kW", "shop,8kW", "line 4: class 'shop'"),
        ("Han Mei", "", "line 3: a customer needs a name"),
    ],
)
def test_each_mistake_is_told_with_its_line_and_nothing_is_written(
    unchanged: Office, old: str, new: str, told: str
) -> None:
    with pytest.raises(Invalid, match="nothing was changed") as raised:
        proposed(unchanged, FILE.replace(old, new))
    assert told in str(raised.value)
    assert count(unchanged, Meter) == 1
    assert count(unchanged, Order) == 0
