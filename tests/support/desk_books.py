"""A desk whose books are sound, with something of everything that invariants look at."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from sqlalchemy import select

from meterctl.utility.model.base import Base
from meterctl.utility.model.metering import Meter, Reading, ReadingSource
from meterctl.utility.model.money import (
    Bill,
    BillKind,
    BillState,
    Carrier,
    Payment,
    PaymentChannel,
    PaymentPurpose,
    PaymentState,
    Receipt,
    Sale,
    SaleKind,
    SaleSource,
    Shift,
)
from meterctl.utility.model.organisation import GrantState, StaffGrant
from meterctl.utility.model.work import Order, OrderKind, Task, TaskKind
from meterctl.utility.rules import postings
from meterctl.utility.rules.allocation import Part
from meterctl.utility.rules.postings import Books
from meterctl.utility.rules.rights import Action, Role
from meterctl.utility.rules.transitions import ReadingState, SaleState, TaskState
from meterctl.utility.store.checks.people import AUDITED
from meterctl.utility.store.engine import Database
from meterctl.utility.store.ledger import About
from meterctl.utility.store.unit_of_work import Actor, UnitOfWork, unit_of_work
from protocols.quantities import CENT
from tests.support.desk_days import an_accountant
from tests.support.desk_world import NOON, TODAY, World, a_customer, a_person, a_world

CONSUMED = 123_456_789
"""Consumption of the reading, exact: a bit more than 0.01."""


def sound_books(database: Database) -> tuple[World, Actor]:
    """Return a desk with a sale delivered and one unknown, a bill, a reading, an approval.

    The sale of 50.00 paid 10.00 of the 30.00 of debt in the meter; 0.0123456789 was consumed. The
    unknown sale is another customer's. The other person is the accountant.
    """
    world = a_world(database)
    with unit_of_work(database, world.vendor, NOON, "sound") as work:
        second = a_person(work, "a2")
        assert second.staff_id is not None
        reading = _reading(work, world)
        bill = _bill(work, world, reading)
        delivered = _sale(work, world, 1, 50_00, SaleState.DELIVERED)
        debts = (Part(bill.id, 30_00),)
        _post(work, delivered, "confirmed", postings.delivered(
            world.agreement, 50_00, 0, 10_00 * CENT, debts
        ))  # fmt: skip
        delivered.epoch, delivered.sequence = 1, 7
        delivered.to_debt_exact, delivered.proved_at = 10_00 * CENT, work.now
        *_, meter, agreement = a_customer(work, world.station, "2")
        other = replace(world, meter=meter, agreement=agreement)
        _sale(work, other, 2, 20_00, SaleState.UNKNOWN)
        dead = _sale(work, world, 3, 5_00, SaleState.DEAD)
        _post(work, dead, "refused", postings.not_delivered(world.agreement, 5_00))
        _book_reading(work, world, reading)
        _approval(work, world, second)
        for table in (*AUDITED, Payment, Reading):
            for row in work.session.scalars(select(table)):
                _audit(work, row)
    return world, an_accountant(world, second.staff_id)


def _audit(work: UnitOfWork, row: Base) -> None:
    state = getattr(row, "state", None)
    work.audit("made", row, None, {} if state is None else {"state": state})


def _bill(work: UnitOfWork, world: World, reading: Reading) -> Bill:
    bill = work.add(
        Bill(
            number="B1", agreement_id=world.agreement, kind=BillKind.TAKEN_OVER,
            state=BillState.ISSUED, month="", amount=30_00, issued_at=work.now,
            due_on=date(2026, 8, 1), cancels_id=None, note="",
        )
    )  # fmt: skip
    debit = postings.meter_debt(world.agreement)
    taken_over = (postings.Transfer(debit, postings.TAKEN_OVER, 30_00, bill.id),)
    work.ledger.post(
        f"take_over/{world.agreement}", "taken_over", taken_over,
        About(world.agreement, bill=bill.id, reading=reading.id),
    )  # fmt: skip
    return bill


def _sale(work: UnitOfWork, world: World, number: int, amount: int, state: SaleState) -> Sale:
    """Add a sale with its payment, its receipt, its order and its first entry."""
    payment = work.add(
        Payment(
            agreement_id=world.agreement, shift_id=world.shift, channel=PaymentChannel.CASH,
            purpose=PaymentPurpose.SALE, state=PaymentState.TAKEN, amount=amount,
            paid_at=work.now, bank_reference=None, staff_id=world.vendor.staff_id,
        )
    )  # fmt: skip
    work.add(
        Receipt(shift_id=world.shift, number=number, payment_id=payment.id, copies=0, printed=True)
    )
    work.session.get_one(Shift, world.shift).receipts = number
    sale = work.add(
        Sale(
            key=f"sale-{number}", agreement_id=world.agreement, meter_id=world.meter,
            shift_id=world.shift, payment_id=payment.id, kind=SaleKind.CREDIT, amount=amount,
            source=SaleSource.PAID, carrier=Carrier.WIRE, state=state, cause="",
            taken_at=work.now, changed_at=work.now,
        )
    )  # fmt: skip
    work.add(
        Order(
            key=sale.key, meter_id=world.meter, agreement_id=world.agreement, sale_id=sale.id,
            kind=OrderKind.SALE, parameters={}, credit_state=state, command_state=None, tries=1,
            not_before=work.now, cause="", made_at=work.now, changed_at=work.now,
        )
    )  # fmt: skip
    paid = postings.paid_for_sale(postings.cash(world.shift), world.agreement, amount)
    _post(work, sale, "taken", paid)
    return sale


def _post(work: UnitOfWork, sale: Sale, event: str, transfers: postings.Transfers) -> None:
    about = About(sale.agreement_id, sale.id, sale.payment_id)
    work.ledger.post(f"sale/{sale.id}/{event}", f"sale_{event}", transfers, about)


def _reading(work: UnitOfWork, world: World) -> Reading:
    meter = work.session.get_one(Meter, world.meter)
    meter.epoch, meter.proved_sequence, meter.proved_cumulative = 1, 7, 50_00 * CENT
    meter.proved_at, meter.to_debt_exact = work.now, 10_00 * CENT
    return work.add(
        Reading(
            meter_id=world.meter, agreement_id=world.agreement, state=ReadingState.ACCEPTED,
            source=ReadingSource.WIRE, taken_at=work.now, for_on=TODAY, meter_clock=work.now,
            epoch=1, elapsed=1, credit_sequence=7, command_sequence=0, energy_mwh=2,
            credit_exact=40_00 * CENT - CONSUMED, debt_exact=20_00 * CENT,
            consumption_exact=CONSUMED, standing_exact=0, instalments_exact=0, refunds_exact=0,
            cumulative_exact=50_00 * CENT, to_debt_exact=10_00 * CENT, debt_entered_exact=0,
            opening_exact=0, supply_state="connected", causes=[], more={},
        )
    )  # fmt: skip


def _book_reading(work: UnitOfWork, world: World, reading: Reading) -> None:
    books = postings.reading_accepted(world.agreement, Books(0, 0, 0), Books(CONSUMED, 0, 0), ())
    work.ledger.post(
        f"reading/{reading.id}", "reading", books, About(world.agreement, reading=reading.id)
    )


def _approval(work: UnitOfWork, world: World, second: Actor) -> None:
    """Add a grant of a role of money, and the task in which another person approved it."""
    assert world.vendor.staff_id is not None
    grant = work.add(
        StaffGrant(
            staff_id=world.vendor.staff_id, role=Role.VENDOR, node_id=world.station, from_on=TODAY,
            to_on=None, state=GrantState.ACTIVE, proposer_id=world.vendor.staff_id,
            approver_id=second.staff_id,
        )
    )  # fmt: skip
    task = work.add(
        Task(
            kind=TaskKind.APPROVAL, subject_kind="staff_grant", subject_id=grant.id,
            node_id=world.station, role=Role.COMPANY_MANAGER, staff_id=second.staff_id,
            state=TaskState.DONE, due_on=TODAY, proposer_id=world.vendor.staff_id,
            proposal={"action": Action.GRANT_PROPOSE}, outcome="approved", made_at=work.now,
            changed_at=work.now,
        )
    )  # fmt: skip
    approving = UnitOfWork(work.database, work.session, second, work.now, "approving")
    approving.audit(Action.GRANT_APPROVE, task, None, {"state": TaskState.DONE})
