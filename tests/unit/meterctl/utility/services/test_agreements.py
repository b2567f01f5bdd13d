"""Agreements: drafted, signed, provisioned by orders, withdrawn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select, update

from meterctl.utility.errors import DeskError, Invalid, NotFound, NotPermitted, Refused
from meterctl.utility.model.agreement import AgreementMode, AgreementVersion
from meterctl.utility.model.evidence import Audit
from meterctl.utility.model.metering import Installation, Meter
from meterctl.utility.model.party import Party
from meterctl.utility.model.work import OrderKind
from meterctl.utility.rules.terms import Terms
from meterctl.utility.rules.transitions import (
    AgreementState,
    CommandState,
    SaleState,
    VersionState,
)
from meterctl.utility.services import agreements
from meterctl.utility.services.printed_agreement.printing import print_agreement
from meterctl.utility.store.unit_of_work import WORKER, unit_of_work
from tests.support.desk_agreements import Office, desk_of, terms, unchanged_office
from tests.support.desk_databases import ENGINES, DeskDatabases
from tests.support.desk_world import NOON

METER, ACCOUNT, BILL = AgreementMode.METER, AgreementMode.ACCOUNT, AgreementMode.BILL
DONE = CommandState.DONE


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


@on_each_engine
def test_a_draft_has_a_number_of_its_station_and_year(office: Office) -> None:
    told = office.draft()
    assert told["agreement"] == "0011-2026-000001"
    assert (told["state"], told["version"]["n"], told["version"]["state"]) == ("new", 1, "draft")
    assert told["version"]["effective_on"] == "2026-09-21"
    with office.desk.reading() as session:
        subjects = session.scalars(
            select(Audit.subject).where(Audit.action == "agreement_draft").order_by(Audit.id)
        ).all()
    assert [subject.partition("/")[0] for subject in subjects] == ["agreement", "agreement_version"]


def test_a_second_draft_changes_the_first_one(office: Office) -> None:
    number = office.draft()["agreement"]
    second = office.draft(max_credit=300_00)
    assert (second["agreement"], second["version"]["n"]) == (number, 1)
    assert office.version(number).terms["max_credit"] == 300_00


@pytest.mark.parametrize(
    ("changed", "error", "code"),
    [
        ({"customer": "none"}, NotFound, "no_customer"),
        ({"point": "000000000000"}, NotFound, "no_point"),
        ({"max_credit": -1}, Invalid, "terms"),
        ({"low_credit_threshold_2": 30_00}, Invalid, "terms"),
    ],
)
def test_a_draft_names_what_is_wrong(
    unchanged: Office, changed: dict[str, Any], error: type[DeskError], code: str
) -> None:
    with pytest.raises(error) as raised:
        unchanged.draft(**changed)
    assert raised.value.code == code


def test_a_meter_without_an_account_supplies(office: Office) -> None:
    assert office.draft(ACCOUNT)["version"]["terms"]["unopened_supply"] == "connected"
    with pytest.raises(Invalid, match="no supply"):
        office.draft(ACCOUNT, unopened_supply="disconnected")


@on_each_engine
def test_a_point_has_one_agreement(office: Office) -> None:
    office.draft()
    with unit_of_work(office.desk, WORKER, NOON) as work:
        work.add(Party(number="2", name="Other", id_number=None, phones=[], protected=False))
    with pytest.raises(Refused, match="is with customer 1"):
        office.draft(customer="2")
    with pytest.raises(Refused, match="has mode meter"):
        office.draft(BILL)
    office.act(agreements.withdraw, agreement="0011-2026-000001", reason="no more")
    assert office.draft(BILL, customer="2")["agreement"] == "0011-2026-000002"


def test_signing_needs_what_the_customer_has_to_agree_to(office: Office) -> None:
    number = office.draft(way_of_buying=None, low_credit_threshold_1=None)["agreement"]
    with pytest.raises(Invalid, match="way_of_buying, low_credit_threshold_1"):
        office.act(agreements.sign, agreement=number, name="A Customer")


def test_what_was_printed_is_signed(office: Office) -> None:
    number = office.draft()["agreement"]
    with pytest.raises(Refused, match=f"`desk agreement print {number}` comes before"):
        office.act(agreements.sign, agreement=number, name="A Customer")
    printed = office.act(print_agreement, agreement=number)
    told = office.act(agreements.sign, agreement=number, name=" A Customer ")
    assert (told["version"]["state"], told["version"]["signed_by"]) == ("signed", "A Customer")
    assert told["version"]["signed_at"] == NOON
    assert told["version"]["print_sha256"] == printed["sha256"]
    with pytest.raises(Refused):
        office.act(agreements.sign, agreement=number, name="A Customer")


def test_a_draft_that_changed_after_its_print_is_printed_again(office: Office) -> None:
    number = office.draft()["agreement"]
    office.act(print_agreement, agreement=number)
    office.draft()
    assert office.version(number).print_sha256 is not None
    office.draft(max_credit=300_00)
    with pytest.raises(Refused, match="was not printed"):
        office.act(agreements.sign, agreement=number, name="A Customer")
    office.sign(number)


def test_a_version_is_withdrawn_before_its_orders_alone(office: Office) -> None:
    number = office.provision()
    with pytest.raises(Refused, match="not possible in state provisioning"):
        office.act(agreements.withdraw, agreement=number)
    with pytest.raises(Refused, match="in state provisioning"):
        office.draft()
    assert office.version(number).state is VersionState.PROVISIONING


def test_the_orders_of_a_version(office: Office) -> None:
    text = 'prices = ["0.5"]\n'
    office.provision(opened=True, tariff="t.toml", tariff_text=text)
    read, limits, tariff, opening = office.orders()
    assert [read.kind, limits.kind, tariff.kind, opening.kind] == [
        OrderKind.READ, OrderKind.LIMITS, OrderKind.TARIFF, OrderKind.OPEN,
    ]  # fmt: skip
    assert limits.parameters["settings"]["unopened_supply"] == "disconnected"
    assert limits.parameters["settings"]["low_credit_threshold_1"] == "20.00"
    assert (tariff.parameters["tariff"], tariff.parameters["text"]) == ("t.toml", text)
    assert (opening.parameters["amount"], opening.parameters["customer"]) == (0, "000100000001")
    assert opening.credit_state is SaleState.TAKEN
    assert {order.command_state for order in (read, limits, tariff)} == {CommandState.QUEUED}


def test_a_meter_without_an_account_gets_what_it_needs_alone(office: Office) -> None:
    office.provision(BILL)
    read, limits = office.orders()
    assert (read.kind, limits.kind) == (OrderKind.READ, OrderKind.LIMITS)
    assert limits.parameters["settings"] == {
        "power_limit_kw": "off", "unopened_supply": "connected"
    }  # fmt: skip


@on_each_engine
def test_a_version_is_active_when_all_its_orders_are_done(office: Office) -> None:
    number = office.provision(opened=True)
    office.end(OrderKind.READ, DONE)
    office.end(OrderKind.LIMITS, DONE)
    assert office.state(number) is AgreementState.NEW
    office.end(OrderKind.OPEN, SaleState.DELIVERED)
    assert office.state(number) is AgreementState.ACTIVE
    assert office.version(number).state is VersionState.ACTIVE


def test_a_silent_meter_is_waited_for(office: Office) -> None:
    number = office.provision()
    office.end(OrderKind.READ, DONE)
    office.end(OrderKind.LIMITS, CommandState.SILENT, "no answer")
    assert office.version(number).state is VersionState.PROVISIONING
    office.end(OrderKind.LIMITS, DONE)
    assert office.version(number).state is VersionState.ACTIVE


@on_each_engine
def test_a_refused_order_makes_a_draft_with_its_cause(office: Office) -> None:
    number = office.provision(opened=True)
    office.end(OrderKind.READ, DONE)
    office.end(OrderKind.LIMITS, CommandState.REFUSED, "out of range")
    version = office.version(number)
    assert (version.state, version.cause) == (VersionState.DRAFT, "limits: out of range")
    opening = office.orders()[2]
    assert (opening.credit_state, opening.cause) == (SaleState.CANCELLED, "limits: out of range")
    office.sign(number)
    office.act(agreements.provision, agreement=number)
    office.end(OrderKind.READ, DONE)
    office.end(OrderKind.LIMITS, DONE)
    assert office.version(number).state is VersionState.ACTIVE
    assert len(office.orders()) == 5


@pytest.mark.parametrize(
    ("mode", "read", "cause"),
    [
        (METER, {"account_state": "closed"}, "closed"),
        (METER, {"account_state": "open", "opening_exact": 1, "credit_exact": 1}, "take it over"),
        (ACCOUNT, {"account_state": "open"}, "open, not unopened"),
        (BILL, {"account_state": "closed"}, "closed, not unopened"),
    ],
)
def test_a_new_agreement_does_not_begin_with_a_meter_that_has_books(
    office: Office, mode: AgreementMode, read: dict[str, Any], cause: str
) -> None:
    number = office.provision(mode)
    office.end(OrderKind.READ, DONE, **read)
    version = office.version(number)
    assert version.state is VersionState.DRAFT
    assert cause in version.cause
    assert office.orders()[1].command_state is CommandState.EXPIRED


def test_a_meter_with_an_open_and_empty_account_begins(office: Office) -> None:
    number = office.provision()
    office.end(OrderKind.READ, DONE, account_state="open")
    office.end(OrderKind.LIMITS, DONE)
    assert office.state(number) is AgreementState.ACTIVE


def test_the_next_version_replaces_the_one_in_force(office: Office) -> None:
    number = office.provision()
    office.end(OrderKind.READ, DONE)
    office.end(OrderKind.LIMITS, DONE)
    assert office.provision(max_credit=500_00) == number
    assert [order.kind for order in office.orders()[2:]] == [OrderKind.LIMITS]
    office.end(OrderKind.LIMITS, DONE)
    with office.desk.reading() as session:
        states = session.scalars(select(AgreementVersion.state).order_by(AgreementVersion.n)).all()
    assert states == [VersionState.REPLACED, VersionState.ACTIVE]


def test_a_meter_that_no_order_reaches(office: Office) -> None:
    number = office.draft()["agreement"]

    def refused(match: str, row: Any = None, **values: Any) -> None:
        if row is not None:
            with unit_of_work(office.desk, WORKER, NOON) as work:
                work.session.execute(update(row).values(**values))
        with pytest.raises(Refused, match=match):
            office.act(agreements.provision, agreement=number)

    refused("not possible in state draft")
    office.sign(number)
    refused("set_back", Meter, stopped="set_back")
    refused("no wire", Meter, stopped=None, port_id=None)
    refused("no meter", Installation, to_at=NOON)
    assert office.version(number).state is VersionState.SIGNED


def test_no_account_is_opened_in_other_modes(office: Office) -> None:
    number = office.draft(ACCOUNT)["agreement"]
    office.sign(number)
    with pytest.raises(Refused, match="stays unopened"):
        office.act(agreements.provision, agreement=number, opened=True)


def test_the_terms_of_a_meter_are_read_by_an_order(office: Office) -> None:
    number = office.provision()
    told = office.act(agreements.compare, agreement=number, key="compare-1")
    order = office.orders()[-1]
    assert told == {"agreement": number, "meter": "000000000001", "order": f"O{order.id}"}
    assert (order.kind, order.parameters) == (OrderKind.READ, {"terms": True, "compare": True})


@pytest.mark.parametrize("name", ["draft", "sign", "provision", "withdraw", "compare"])
def test_a_vendor_changes_no_agreement(unchanged: Office, name: str) -> None:
    drafted = {"customer": "1", "point": "000100000001", "mode": METER, "terms": terms()}
    values: dict[str, Any] = drafted if name == "draft" else {"agreement": "A1"}
    values |= {"name": "A"} if name == "sign" else {}
    with pytest.raises(NotPermitted):
        unchanged.act(getattr(agreements, name), by=unchanged.world.vendor, **values)


def test_terms_keep_the_text_of_their_tariff() -> None:
    agreed = Terms(tariff="t.toml", tariff_text="prices = []")
    assert Terms.model_validate(agreed.model_dump()) == agreed
