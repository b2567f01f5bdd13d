"""What readings book, and what they find."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from meterctl.utility.errors import Conflict
from meterctl.utility.model.agreement import Agreement, AgreementMode
from meterctl.utility.model.evidence import Audit
from meterctl.utility.model.metering import Finding, Meter, Reading, ReadingSource
from meterctl.utility.model.money import Day, DayState, Entry, Sale
from meterctl.utility.model.work import OrderKind, Task, TaskKind
from meterctl.utility.rules import postings
from meterctl.utility.rules.postings import TAKEN_OVER, AccountKind, Transfer
from meterctl.utility.rules.transitions import AgreementState, ReadingState, SaleState
from meterctl.utility.store.engine import Database
from meterctl.utility.store.ledger import About
from meterctl.utility.store.reading_books import RISING, ReadingValues, accept
from meterctl.utility.store.unit_of_work import WORKER, UnitOfWork
from tests.support.desk_databases import ENGINES, SQLITE, DeskDatabases
from tests.support.desk_world import (
    NOON,
    TODAY,
    World,
    a_bill,
    a_sale,
    a_world,
    an_order,
    opened,
)
from tests.support.postgresql import CannotRunError

AMOUNT = 10**8
EPOCH = 7
HOUR = 3_600_000


@pytest.fixture(scope="module", params=ENGINES)
def desk(
    request: pytest.FixtureRequest,
    desk_databases: DeskDatabases,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Database]:
    """A desk of all tests here, whose transactions are undone, on each engine in turn."""
    if request.param == SQLITE:
        path = tmp_path_factory.mktemp("readings") / "desk.sqlite"
        shutil.copyfile(desk_databases.template_file(), path)
        url = f"sqlite:///{path}"
    else:
        try:
            server = desk_databases.server()
        except CannotRunError as error:
            pytest.skip(f"PostgreSQL cannot run here: {error}")
        url = server.url(server.new_database(desk_databases.template()))
    database = opened(url)
    yield database
    database.close()


@pytest.fixture(scope="module")
def world(desk: Database) -> World:
    return a_world(desk)


@pytest.fixture
def work(desk: Database, world: World) -> Iterator[UnitOfWork]:
    """A transaction that is undone after the test."""
    with Session(desk.engine, expire_on_commit=False, autoflush=False) as session:
        session.begin()
        yield UnitOfWork(desk, session, WORKER, NOON, "key")
        session.rollback()


@pytest.fixture
def agreement(work: UnitOfWork, world: World) -> Agreement:
    """The agreement, whose meter's account was opened with 50.00 by a sale of ours."""
    row = work.session.get_one(Agreement, world.agreement)
    work.session.get_one(Meter, world.meter).epoch = EPOCH
    a_sale(work, row.id, world.meter, 50_00, SaleState.DELIVERED, epoch=EPOCH)
    transfer = Transfer(TAKEN_OVER, postings.in_meter(row.id), 50_00)
    work.ledger.post("in", "test", [transfer], About(row.id))
    return row


@pytest.fixture
def meter(work: UnitOfWork, world: World, agreement: Agreement) -> Meter:
    return work.session.get_one(Meter, world.meter)


def put_debts(work: UnitOfWork, agreement: Agreement, *amounts: int) -> list[int]:
    """Book bills whose amounts lie in the meter as debt, the oldest first; return their numbers."""
    bills = [
        a_bill(work, agreement.id, amount, date(2026, 9, 1 + n)).id
        for n, amount in enumerate(amounts)
    ]
    debt = postings.meter_debt(agreement.id)
    transfers = [
        Transfer(debt, TAKEN_OVER, amount, bill)
        for bill, amount in zip(bills, amounts, strict=True)
    ]
    work.ledger.post("debts", "test", transfers, About(agreement.id))
    return bills


def values(meter: Meter, **changed: object) -> ReadingValues:
    """Return what the meter shows after an opening with 50.00, with its credit as by its books."""
    read = ReadingValues(
        meter_id=meter.id,
        source=ReadingSource.WIRE,
        taken_at=NOON,
        epoch=EPOCH,
        elapsed=HOUR,
        credit_sequence=1,
        command_sequence=2,
        energy_mwh=1_000_000,
        credit_exact=0,
        debt_exact=0,
        consumption_exact=0,
        standing_exact=0,
        instalments_exact=0,
        refunds_exact=0,
        cumulative_exact=50_00 * AMOUNT,
        to_debt_exact=0,
        debt_entered_exact=0,
        opening_exact=0,
        account_state="open",
        customer_number="0" * 12,
        supply_state="connected",
    )
    read = replace(read, **changed)  # type: ignore[arg-type]
    credit = (
        read.opening_exact + read.cumulative_exact - read.to_debt_exact - read.refunds_exact
        - read.consumption_exact - read.standing_exact - read.instalments_exact
    )  # fmt: skip
    debt = read.debt_entered_exact - read.to_debt_exact - read.instalments_exact
    told = {"credit_exact": credit, "debt_exact": debt} | changed
    return replace(read, **told)  # type: ignore[arg-type]


def balances(work: UnitOfWork, agreement: Agreement) -> dict[str, int]:
    """Return the balances that are not 0 of an agreement and of the results."""
    kinds = (AccountKind.IN_METER, AccountKind.METER_DEBT, AccountKind.ADVANCE)
    results = (AccountKind.REVENUE_ENERGY, AccountKind.REVENUE_STANDING)
    told = {kind.value: work.ledger.balance(kind, agreement.id) for kind in kinds}
    told |= {kind.value: work.ledger.balance(kind) for kind in results}
    return {kind: balance for kind, balance in told.items() if balance}


def rules_found(work: UnitOfWork) -> list[str]:
    return list(work.session.scalars(select(Finding.rule).order_by(Finding.id)))


def test_a_reading_books_the_floors_of_what_was_charged(
    work: UnitOfWork, agreement: Agreement, meter: Meter
) -> None:
    read = values(meter, consumption_exact=12_3456789012, standing_exact=1 * 100 * AMOUNT)
    assert read.credit_exact == 366_543210988
    reading = accept(work, read, agreement.id)
    assert reading.state is ReadingState.ACCEPTED
    assert balances(work, agreement) == {
        "in_meter": 50_00 - 12_34 - 1_00, "revenue_energy": 12_34, "revenue_standing": 1_00
    }  # fmt: skip
    assert rules_found(work) == []
    assert (meter.proved_sequence, meter.proved_cumulative) == (1, 50_00 * AMOUNT)
    assert (meter.proved_energy_mwh, meter.proved_elapsed, meter.proved_at) == (
        1_000_000, HOUR, NOON,
    )  # fmt: skip


def test_what_is_booked_in_parts_is_the_floor_of_the_whole(
    work: UnitOfWork, agreement: Agreement, meter: Meter
) -> None:
    charged = 0
    for n in range(1, 8):
        charged += 33_333_333  # less than 0.01 each
        read = values(meter, consumption_exact=charged, taken_at=NOON + n, elapsed=HOUR + n)
        accept(work, read, agreement.id)
    assert charged == 233_333_331
    assert balances(work, agreement) == {"in_meter": 50_00 - 2, "revenue_energy": 2}
    kept = work.session.scalars(select(Entry.reading_id).where(Entry.kind == "reading")).all()
    assert len(kept) == 2  # the others had nothing to book
    assert rules_found(work) == []


def test_instalments_pay_the_oldest_bill_first(
    work: UnitOfWork, agreement: Agreement, meter: Meter
) -> None:
    old, new = put_debts(work, agreement, 3_00, 20_00)
    entered = 23_00 * AMOUNT
    read = values(meter, instalments_exact=4_50 * AMOUNT + 5, debt_entered_exact=entered)
    accept(work, read, agreement.id)
    left = {bill.id: bill.amount for bill in work.ledger.debts_in_meter(agreement.id)}
    assert left == {new: 18_50}
    assert old not in left
    assert balances(work, agreement) == {"in_meter": 45_50, "meter_debt": 18_50}
    assert rules_found(work) == []


def test_a_reading_is_booked_once(work: UnitOfWork, agreement: Agreement, meter: Meter) -> None:
    read = values(meter, consumption_exact=5_00 * AMOUNT)
    first = accept(work, read, agreement.id)
    assert accept(work, read, agreement.id).id == first.id
    assert balances(work, agreement) == {"in_meter": 45_00, "revenue_energy": 5_00}


def test_readings_of_one_instant_are_kept_in_their_order(
    work: UnitOfWork, agreement: Agreement, meter: Meter
) -> None:
    """The clock of a simulated desk stands still while its meters go on."""
    for n in (1, 2, 3):
        reading = accept(work, values(meter, consumption_exact=n * AMOUNT), agreement.id)
        assert (reading.taken_at, reading.state) == (NOON + n - 1, ReadingState.ACCEPTED)
    assert balances(work, agreement) == {"in_meter": 49_97, "revenue_energy": 3}
    fallen = accept(work, values(meter, consumption_exact=AMOUNT, elapsed=0), agreement.id)
    assert fallen.state is ReadingState.HELD


@pytest.mark.parametrize("fallen", RISING)
def test_a_value_that_fell_stops_the_meter_and_books_nothing(
    work: UnitOfWork, agreement: Agreement, meter: Meter, fallen: str
) -> None:
    before = dict.fromkeys(RISING, 3) | {"cumulative_exact": 50_00 * AMOUNT}
    accept(work, values(meter, **before), agreement.id)
    booked = balances(work, agreement)
    later = before | {"taken_at": NOON + HOUR, fallen: before[fallen] - 1}
    reading = accept(work, values(meter, **later), agreement.id)
    assert reading.state is ReadingState.HELD
    assert meter.stopped == "set_back"
    assert balances(work, agreement) == booked
    finding = work.session.scalars(select(Finding).where(Finding.rule == "set_back")).one()
    assert finding.value == f"{fallen} {before[fallen] - 1}"
    assert finding.limit_value == f"{fallen} {before[fallen]}"
    task = work.session.scalars(select(Task)).one()
    assert (task.kind, task.subject_kind, task.subject_id) == (TaskKind.SET_BACK, "meter", meter.id)


def test_a_value_below_a_receipts_proof_stops_the_meter(
    work: UnitOfWork, agreement: Agreement, meter: Meter
) -> None:
    meter.proved_sequence, meter.proved_at = 2, NOON - HOUR
    work.session.flush()
    assert accept(work, values(meter), agreement.id).state is ReadingState.HELD
    assert rules_found(work) == ["set_back"]


def test_a_reading_from_before_a_later_proof_is_kept_and_not_booked(
    work: UnitOfWork, agreement: Agreement, meter: Meter
) -> None:
    later = values(meter, consumption_exact=5_00 * AMOUNT, elapsed=2 * HOUR, taken_at=NOON + HOUR)
    accept(work, later, agreement.id)
    reading = accept(work, values(meter, consumption_exact=4_00 * AMOUNT), agreement.id)
    assert reading.state is ReadingState.TAKEN
    assert meter.stopped is None
    assert rules_found(work) == []
    assert balances(work, agreement) == {"in_meter": 45_00, "revenue_energy": 5_00}


def test_another_epoch_is_found_and_not_booked(
    work: UnitOfWork, agreement: Agreement, meter: Meter
) -> None:
    accept(work, values(meter), agreement.id)
    other = values(meter, epoch=EPOCH + 1, taken_at=NOON + HOUR, cumulative_exact=0)
    assert accept(work, other, agreement.id).state is ReadingState.HELD
    assert (meter.epoch, meter.stopped) == (EPOCH, "epoch_changed")
    assert rules_found(work) == ["epoch_changed"]
    assert balances(work, agreement) == {"in_meter": 50_00}


@pytest.mark.parametrize("mode", [AgreementMode.ACCOUNT, AgreementMode.BILL])
def test_other_modes_book_nothing(work: UnitOfWork, world: World, mode: AgreementMode) -> None:
    agreement = work.session.get_one(Agreement, world.agreement)
    meter = work.session.get_one(Meter, world.meter)
    agreement.mode = mode
    work.session.flush()
    reading = accept(work, values(meter, cumulative_exact=0), agreement.id)
    assert reading.state is ReadingState.ACCEPTED
    assert balances(work, agreement) == {}
    assert rules_found(work) == []


def test_nothing_is_booked_before_an_agreement_is_in_force(
    work: UnitOfWork, agreement: Agreement, meter: Meter
) -> None:
    agreement.state = AgreementState.NEW
    work.session.flush()
    read = values(meter, consumption_exact=5_00 * AMOUNT)
    assert accept(work, read, agreement.id).state is ReadingState.TAKEN
    without = accept(work, replace(read, taken_at=NOON + HOUR, elapsed=2 * HOUR), None)
    assert (without.state, without.agreement_id) == (ReadingState.TAKEN, None)
    assert balances(work, agreement) == {"in_meter": 50_00}
    assert (meter.epoch, meter.proved_elapsed) == (EPOCH, 2 * HOUR)
    agreement.state = AgreementState.ACTIVE
    work.session.flush()
    last = replace(read, taken_at=NOON + 2 * HOUR, elapsed=3 * HOUR)
    accept(work, last, agreement.id)
    assert balances(work, agreement) == {"in_meter": 45_00, "revenue_energy": 5_00}


def test_credit_that_no_sale_explains_is_found(
    work: UnitOfWork, agreement: Agreement, meter: Meter
) -> None:
    read = values(meter, cumulative_exact=80_00 * AMOUNT, credit_sequence=2)
    accept(work, read, agreement.id)
    finding = work.session.scalars(select(Finding).where(Finding.rule == "unknown_credit")).one()
    assert finding.value == "30.00"
    later = replace(read, taken_at=NOON + 1, elapsed=HOUR + 1, consumption_exact=0)
    accept(work, later, agreement.id)
    assert rules_found(work).count("unknown_credit") == 1  # the same one, seen again


def a_live_sale(work: UnitOfWork, agreement: Agreement, meter: Meter, amount: int) -> Sale:
    sale = a_sale(work, agreement.id, meter.id, amount, SaleState.UNKNOWN, epoch=EPOCH)
    an_order(work, meter.id, OrderKind.SALE, sale_id=sale.id, credit_state=SaleState.UNKNOWN)
    return sale


def test_a_live_sale_explains_its_own_credit(
    work: UnitOfWork, agreement: Agreement, meter: Meter
) -> None:
    a_live_sale(work, agreement, meter, 30_00)
    read = values(meter, cumulative_exact=80_00 * AMOUNT, credit_sequence=2)
    accept(work, read, agreement.id)
    assert rules_found(work) == []
    more = replace(read, taken_at=NOON + 1, elapsed=HOUR + 1, cumulative_exact=80_01 * AMOUNT)
    accept(work, more, agreement.id)
    assert rules_found(work) == ["unknown_credit"]


def test_what_a_sale_paid_for_debt_unseen_is_booked_by_the_next_reading(
    work: UnitOfWork, agreement: Agreement, meter: Meter
) -> None:
    # its delivery was proved by a status without a receipt
    put_debts(work, agreement, 20_00)
    read = values(meter, to_debt_exact=15_00 * AMOUNT + 7, debt_entered_exact=20_00 * AMOUNT)
    accept(work, read, agreement.id)
    assert balances(work, agreement) == {"in_meter": 35_00, "meter_debt": 5_00}
    assert meter.to_debt_exact == 15_00 * AMOUNT + 7
    assert rules_found(work) == []


@pytest.mark.parametrize(("shown", "differs"), [(0, False), (1, True), (-4 * AMOUNT, True)])
def test_books_that_differ_are_found(
    work: UnitOfWork, agreement: Agreement, meter: Meter, shown: int, differs: bool
) -> None:
    accept(work, values(meter, credit_exact=50_00 * AMOUNT + shown), agreement.id)
    assert rules_found(work) == (["books_differ"] if differs else [])


def test_a_debt_that_the_books_do_not_know_is_found(
    work: UnitOfWork, agreement: Agreement, meter: Meter
) -> None:
    accept(work, values(meter, debt_entered_exact=1), agreement.id)
    finding = work.session.scalars(select(Finding)).one()
    assert finding.rule == "books_differ"
    assert finding.value == "credit 50.0000000000, debt 0.0000000001"
    assert finding.limit_value == "in_meter 50.00, meter_debt 0.00"


def test_a_freeze_is_booked_on_its_day_and_compares_nothing(
    work: UnitOfWork, agreement: Agreement, meter: Meter
) -> None:
    yesterday = date(2026, 9, 20)
    read = values(
        meter, source=ReadingSource.FREEZE, for_on=yesterday, consumption_exact=2_00 * AMOUNT,
        credit_exact=0,
    )  # fmt: skip
    accept(work, read, agreement.id, booked_on=yesterday)
    entry = work.session.scalars(select(Entry).where(Entry.kind == "reading")).one()
    assert (entry.booked_on, entry.for_on) == (yesterday, yesterday)
    assert rules_found(work) == []


def test_a_closed_day_gets_nothing(work: UnitOfWork, agreement: Agreement, meter: Meter) -> None:
    yesterday = date(2026, 9, 20)
    work.session.add(Day(on=yesterday, state=DayState.CLOSED))
    work.session.flush()
    with pytest.raises(Conflict, match="closed"):
        accept(work, values(meter, consumption_exact=AMOUNT), agreement.id, booked_on=yesterday)


def test_what_is_stored_of_a_reading(work: UnitOfWork, agreement: Agreement, meter: Meter) -> None:
    reading = accept(work, values(meter, causes=("remote",)), agreement.id)
    work.session.expire_all()
    stored = work.session.scalars(select(Reading)).one()
    assert stored.id == reading.id
    assert (stored.for_on, stored.agreement_id, stored.causes) == (TODAY, agreement.id, ["remote"])
    assert stored.more == {"account_state": "open", "customer_number": "0" * 12}
    audited = work.session.scalars(select(Audit).where(Audit.action == "reading")).one()
    assert (audited.subject, audited.staff_id) == (f"reading/{stored.id}", None)
