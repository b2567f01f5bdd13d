"""Readings of meters without a wire, derived from a card's write-back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from meterctl.utility.model.agreement import AgreementVersion
from meterctl.utility.model.metering import Finding, Meter, ReadingSource
from meterctl.utility.model.work import OrderKind
from meterctl.utility.rules import postings
from meterctl.utility.rules.postings import TAKEN_OVER, AccountKind, Transfer
from meterctl.utility.rules.transitions import ReadingState, SaleState, VersionState
from meterctl.utility.rules.write_back import KnownSums, books_of
from meterctl.utility.store.ledger import About
from meterctl.utility.store.reading_books import accept
from meterctl.utility.store.unit_of_work import WORKER, UnitOfWork, unit_of_work
from meterctl.utility.store.write_back_books import WriteBackValues, accept_write_back
from protocols.quantities import DAY
from tests.support.desk_agreements import read_values, terms
from tests.support.desk_world import NOON, World, a_bill, a_port, a_sale, a_world, an_order, opened

AMOUNT = 10**8


@pytest.fixture
def world(sqlite_desk_url: str) -> Iterator[tuple[UnitOfWork, World]]:
    """A meter without a wire, read three days ago: 30.00 of credit, 12.00 of debt, 0.50 a day."""
    database = opened(sqlite_desk_url)
    made = a_world(database)
    with unit_of_work(database, WORKER, NOON) as work:
        work.add(
            AgreementVersion(
                agreement_id=made.agreement, n=1, state=VersionState.ACTIVE,
                effective_on=work.today, terms=terms(standing_charge=50), signed_at=None,
                signed_by=None, print_sha256=None, cause="",
            )
        )  # fmt: skip
        bill = a_bill(work, made.agreement, 12_00).id
        booked = [
            Transfer(TAKEN_OVER, postings.in_meter(made.agreement), 30_00),
            Transfer(postings.meter_debt(made.agreement), TAKEN_OVER, 12_00, bill),
        ]
        work.ledger.post("in", "test", booked, About(made.agreement))
        shown = {
            "opening_exact": 30_00 * AMOUNT, "credit_exact": 30_00 * AMOUNT,
            "debt_entered_exact": 12_00 * AMOUNT, "debt_exact": 12_00 * AMOUNT,
            "taken_at": NOON - 3 * DAY, "account_state": "open",
        }  # fmt: skip
        accept(work, read_values(work, made.meter, **shown), made.agreement)
        assert work.session.scalars(select(Finding)).all() == []
        yield work, made
    database.close()


def a_write_back(work: UnitOfWork, world: World, **changed: Any) -> WriteBackValues:
    """Return what the meter wrote: 1.5000000003 consumed, 3 standing charges, 2.00 of debt paid."""
    back = WriteBackValues(
        serial=work.session.get_one(Meter, world.meter).serial,
        epoch=7,
        elapsed=3 * DAY,
        credit_sequence=0,
        command_sequence=0,
        energy_mwh=2_840_000,
        credit_exact=30_00 * AMOUNT - 1_5000000003 * 10 - 1_50 * AMOUNT - 2_00 * AMOUNT,
        debt_exact=10_00 * AMOUNT,
        cumulative_exact=0,
        clock=NOON,
        account_state="open",
        customer_number="0" * 12,
        supply_state="connected",
        causes=(),
    )
    return replace(back, **changed)


def balances(work: UnitOfWork, world: World) -> dict[str, int]:
    told = {
        kind.value: work.ledger.balance(kind, owner)
        for kind, owner in (
            (AccountKind.IN_METER, world.agreement),
            (AccountKind.METER_DEBT, world.agreement),
            (AccountKind.REVENUE_ENERGY, 0),
            (AccountKind.REVENUE_STANDING, 0),
        )
    }
    return {kind: amount for kind, amount in told.items() if amount}


def test_the_books_follow_from_credit_debt_and_what_is_known() -> None:
    known = KnownSums(opening=100, refunds=5, entered=40, to_debt=7, standing=9)
    books = books_of(50, 30, 200, known)
    assert (books.consumption, books.standing, books.instalments) == (226, 9, 3)


def test_a_write_back_books_as_a_reading(world: tuple[UnitOfWork, World]) -> None:
    work, made = world
    reading = accept_write_back(work, a_write_back(work, made))
    assert reading is not None
    assert (reading.source, reading.state) == (ReadingSource.CARD, ReadingState.ACCEPTED)
    assert reading.consumption_exact == 1_5000000003 * 10
    assert balances(work, made) == {
        "in_meter": 30_00 - 15_00 - 1_50 - 2_00, "meter_debt": 10_00,
        "revenue_energy": 15_00, "revenue_standing": 1_50,
    }  # fmt: skip
    again = accept_write_back(work, a_write_back(work, made))
    assert again is not None
    assert again.id == reading.id


def test_what_makes_no_reading(world: tuple[UnitOfWork, World]) -> None:
    work, made = world
    assert accept_write_back(work, a_write_back(work, made, serial="000000000999")) is None
    assert accept_write_back(work, a_write_back(work, made, account_state="closed")) is None
    assert accept_write_back(work, a_write_back(work, made, cumulative_exact=AMOUNT)) is None
    assert accept_write_back(work, a_write_back(work, made, epoch=8)) is None
    meter = work.session.get_one(Meter, made.meter)
    meter.port_id = a_port(work, made.station).id
    work.session.flush()
    assert accept_write_back(work, a_write_back(work, made)) is None
    meter.port_id = None
    an_order(work, made.meter, OrderKind.SALE, credit_state=SaleState.ON_CARD)
    assert accept_write_back(work, a_write_back(work, made)) is None
    assert balances(work, made) == {"in_meter": 30_00, "meter_debt": 12_00}


def test_refunds_and_sales_since_the_last_reading_count(world: tuple[UnitOfWork, World]) -> None:
    work, made = world
    a_sale(work, made.agreement, made.meter, 50_00, SaleState.DELIVERED, epoch=7)
    an_order(
        work, made.meter, OrderKind.REFUND, credit_state=SaleState.DELIVERED,
        parameters={"amount": 5_00},
    )  # fmt: skip
    moved = [
        Transfer(TAKEN_OVER, postings.in_meter(made.agreement), 50_00),
        *postings.refund_proved(made.agreement, 5_00),
    ]
    work.ledger.post("sold", "test", moved, About(made.agreement))
    credit = a_write_back(work, made).credit_exact + 45_00 * AMOUNT
    back = a_write_back(work, made, credit_exact=credit, cumulative_exact=50_00 * AMOUNT)
    reading = accept_write_back(work, back)
    assert reading is not None
    assert (reading.refunds_exact, reading.consumption_exact) == (5_00 * AMOUNT, 1_5000000003 * 10)
    assert balances(work, made)["in_meter"] == 45_00 + 30_00 - 15_00 - 1_50 - 2_00
