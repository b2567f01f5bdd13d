"""Every state and event of a sale, and what each books, on both engines."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import select

from meterctl.utility.errors import DeskError, NotFound, Refused
from meterctl.utility.model.evidence import Audit
from meterctl.utility.model.metering import Finding, Meter, Reading, ReadingSource
from meterctl.utility.model.money import Bill, Entry, Payment, PaymentPurpose, PaymentState, Sale
from meterctl.utility.model.organisation import Organisation
from meterctl.utility.model.work import Order, Task, TaskKind
from meterctl.utility.rules import postings
from meterctl.utility.rules.postings import AccountKind
from meterctl.utility.rules.rights import Role
from meterctl.utility.rules.transitions import (
    SALE,
    ReadingState,
    SaleEvent,
    SaleState,
    TaskState,
)
from meterctl.utility.store.engine import Database
from meterctl.utility.store.ledger import About
from meterctl.utility.store.proofs import Proved
from meterctl.utility.store.sale_books import move
from meterctl.utility.store.tasks import open_task
from meterctl.utility.store.unit_of_work import WORKER, UnitOfWork, unit_of_work
from protocols.quantities import CENT
from tests.support.desk_sales import a_debt, a_payment, a_sale, balances
from tests.support.desk_world import (
    NOON,
    TODAY,
    World,
    a_customer,
    a_person,
    a_shift,
    a_world,
    opened,
)
from tests.support.told_statements import told_statements

PROOF = Proved(1, 7, "", 12_34 * CENT + 5, 0, 37_65 * CENT - 5, 90_00 * CENT, "connected", ())
"""A receipt for 50.00, of which 12.34 and a little more paid a debt."""

PATHS: dict[SaleState, tuple[SaleEvent, ...]] = {
    SaleState.TAKEN: (),
    SaleState.SENDING: (SaleEvent.RUN,),
    SaleState.ON_CARD: (SaleEvent.RUN, SaleEvent.WRITTEN_ON_CARD),
    SaleState.UNKNOWN: (SaleEvent.RUN, SaleEvent.OPEN_OUTCOME),
    SaleState.DELIVERED: (SaleEvent.RUN, SaleEvent.CONFIRMED),
    SaleState.CANCELLED: (SaleEvent.CANCEL,),
    SaleState.DEAD: (SaleEvent.RUN, SaleEvent.REFUSED),
    SaleState.HAND_DELIVERED: (
        SaleEvent.RUN, SaleEvent.OPEN_OUTCOME, SaleEvent.SETTLED_AS_DELIVERED,
    ),
    SaleState.HAND_DEAD: (SaleEvent.RUN, SaleEvent.OPEN_OUTCOME, SaleEvent.SETTLED_AS_DEAD),
    SaleState.REPAID: (SaleEvent.RUN, SaleEvent.REFUSED, SaleEvent.PAYOUT),
    SaleState.REPLACED: (SaleEvent.RUN, SaleEvent.REFUSED, SaleEvent.SELL_AGAIN),
}  # fmt: skip

UNDELIVERED = {"cash": 5000, "undelivered": 5000}
DELIVERED = {"cash": 5000, "in_meter": 3766, "meter_debt": 766}
IN_METER = {"cash": 5000, "in_meter": 5000}
OWED = {"cash": 5000, "payable": 5000}
DEBT = {"meter_debt": 2000}

BOOKED: dict[tuple[SaleState, SaleEvent], dict[str, int]] = {
    (SaleState.TAKEN, SaleEvent.RUN): UNDELIVERED | DEBT,
    (SaleState.TAKEN, SaleEvent.CANCEL): DEBT,
    (SaleState.TAKEN, SaleEvent.CANCEL_LATER): OWED | DEBT,
    (SaleState.TAKEN, SaleEvent.WORKER_GONE): OWED | DEBT,
    (SaleState.SENDING, SaleEvent.ABSENT): UNDELIVERED | DEBT,
    (SaleState.SENDING, SaleEvent.CONFIRMED): DELIVERED,
    (SaleState.SENDING, SaleEvent.REFUSED): OWED | DEBT,
    (SaleState.SENDING, SaleEvent.OPEN_OUTCOME): UNDELIVERED | DEBT,
    (SaleState.SENDING, SaleEvent.WRITTEN_ON_CARD): UNDELIVERED | DEBT,
    (SaleState.SENDING, SaleEvent.JOURNAL_LOST): UNDELIVERED | DEBT,
    (SaleState.ON_CARD, SaleEvent.RECEIPT): DELIVERED,
    (SaleState.ON_CARD, SaleEvent.VOIDED): OWED | DEBT,
    (SaleState.ON_CARD, SaleEvent.MOVED_TO_CARD): UNDELIVERED | DEBT,
    (SaleState.ON_CARD, SaleEvent.ERASED): UNDELIVERED | DEBT,
    (SaleState.ON_CARD, SaleEvent.OPEN_OUTCOME): UNDELIVERED | DEBT,
    (SaleState.ON_CARD, SaleEvent.JOURNAL_LOST): UNDELIVERED | DEBT,
    (SaleState.UNKNOWN, SaleEvent.RESOLVED_DELIVERED): DELIVERED,
    (SaleState.UNKNOWN, SaleEvent.RESOLVED_DEAD): OWED | DEBT,
    (SaleState.UNKNOWN, SaleEvent.MOVED_TO_CARD): UNDELIVERED | DEBT,
    (SaleState.UNKNOWN, SaleEvent.SETTLED_AS_DELIVERED): IN_METER | DEBT,
    (SaleState.UNKNOWN, SaleEvent.SETTLED_AS_DEAD): OWED | DEBT,
    (SaleState.HAND_DELIVERED, SaleEvent.PROOF_DELIVERED): DELIVERED,
    (SaleState.HAND_DELIVERED, SaleEvent.PROOF_DEAD): OWED | DEBT,
    (SaleState.HAND_DEAD, SaleEvent.PROOF_DEAD): OWED | DEBT,
    (SaleState.HAND_DEAD, SaleEvent.PROOF_DELIVERED): DELIVERED,
    (SaleState.HAND_DEAD, SaleEvent.PAYOUT): DEBT,
    (SaleState.HAND_DEAD, SaleEvent.SELL_AGAIN): (
        {"cash": 5000, "payable": 1000, "undelivered of another": 4000} | DEBT
    ),
    (SaleState.DEAD, SaleEvent.PAYOUT): DEBT,
    (SaleState.DEAD, SaleEvent.SELL_AGAIN): (
        {"cash": 5000, "payable": 1000, "undelivered of another": 4000} | DEBT
    ),
    (SaleState.DEAD, SaleEvent.PROOF_DELIVERED): DELIVERED,
    (SaleState.REPAID, SaleEvent.PROOF_DELIVERED): (
        {name: amount for name, amount in DELIVERED.items() if name != "cash"}
        | {"receivable": 5000}
    ),
    (SaleState.REPLACED, SaleEvent.PROOF_DELIVERED): (
        DELIVERED | {"receivable": 4000, "undelivered of another": 4000}
    ),
}  # fmt: skip
"""Balances after each pair: a sale of 50.00 at a meter in which a bill of 20.00 lies, of
which 40.00 are sold again to another customer."""


@pytest.fixture
def database(sqlite_desk_url: str) -> Iterator[Database]:
    database = opened(sqlite_desk_url)
    yield database
    database.close()


@pytest.fixture
def world(database: Database) -> World:
    return a_world(database)


def _balances(database: Database, world: World) -> dict[str, int]:
    """Return the accounts of the world's shift and agreement, and of the one after it."""
    owners = {
        f"cash/{world.shift}": "cash",
        f"undelivered/{world.agreement + 1}": "undelivered of another",
        **{f"{kind}/{world.agreement}": str(kind) for kind in AccountKind if kind != "cash"},
    }
    found = balances(database).items()
    return {owners[name]: amount for name, amount in found if name in owners}


def _another_world(database: Database, world: World, n: int) -> World:
    """Return the world with another vendor, shift and customer."""
    with unit_of_work(database, WORKER, NOON) as work:
        station = work.session.get_one(Organisation, world.station)
        vendor = a_person(work, f"v{n}", (Role.VENDOR, station))
        shift = a_shift(work, vendor, station.id, str(n))
        party, point, meter, agreement = a_customer(work, station.id, str(n))
        return World(
            world.company, station.id, vendor, shift.id, party, point, meter, agreement
        )  # fmt: skip


def _moved(database: Database, world: World, sale: int, event: SaleEvent, at: int = NOON) -> None:
    """Move a sale with what its event needs; the sale that replaces it is of 40.00."""
    with unit_of_work(database, WORKER, at) as work:
        match event:
            case SaleEvent.PAYOUT:
                payment = a_payment(work, world, 50_00, PaymentPurpose.PAYOUT)
                move(work, sale, event, payment=payment)
            case SaleEvent.SELL_AGAIN:
                *_, meter, agreement = a_customer(work, world.station, f"{sale}9{at - NOON}")
                follower = work.add(_follower(work, sale, meter, agreement))
                move(work, sale, event, follower=follower)
            case _:
                move(work, sale, event, proved=PROOF, cause="a cause")


def _follower(work: UnitOfWork, sale: int, meter: int, agreement: int) -> Sale:
    first = work.session.get_one(Sale, sale)
    return Sale(
        key=f"after {sale} of {agreement}", agreement_id=agreement, meter_id=meter,
        kind=first.kind, amount=40_00, source="carried", carrier=first.carrier,
        state=SaleState.TAKEN, cause="", taken_at=work.now, changed_at=work.now, follows_id=sale,
    )  # fmt: skip


def _brought_to(database: Database, world: World, state: SaleState) -> int:
    """Return a sale of 50.00 that was brought to a state; a bill of 20.00 lies in its meter."""
    with unit_of_work(database, WORKER, NOON) as work:
        a_debt(work, world, 20_00, f"B{world.agreement}")
        sale = a_sale(work, world, key=f"K{world.agreement}").id
    for event in PATHS[state]:
        _moved(database, world, sale, event)
    return sale


def test_the_table_of_postings_has_every_pair_of_the_sales_table() -> None:
    assert set(BOOKED) == set(SALE)
    assert set(PATHS) == set(SaleState)


def test_an_event_of_a_worker_locks_its_rows_by_one_statement(
    database: Database, world: World
) -> None:
    sale = _brought_to(database, world, SaleState.SENDING)
    with told_statements(database) as statements:
        _moved(database, world, sale, SaleEvent.CONFIRMED)
    tables = ("agreement", "meter", "meter_order", "sale")
    read = [
        {table for table in tables if f" {table}.id" in told.partition("FROM")[0]}
        for told in statements
        if told.startswith("SELECT")
    ]
    assert [found for found in read if found] == [set(tables)]


def test_each_event_books_its_row_moves_sale_and_order_and_is_audited(desk_url: str) -> None:
    database = opened(desk_url)
    world = a_world(database)
    for n, (state, event) in enumerate(sorted(SALE), 2):
        here, pair = _another_world(database, world, n), f"{state}, {event}"
        sale_id = _brought_to(database, here, state)
        _moved(database, here, sale_id, event, NOON + n)
        assert _balances(database, here) == BOOKED[state, event], pair
        with database.reading() as session:
            sale = session.get_one(Sale, sale_id)
            order = session.scalars(select(Order).where(Order.sale_id == sale_id)).one()
            assert sale.state is order.credit_state is SALE[state, event], pair
            assert sale.changed_at == order.changed_at == NOON + n, pair
            told = session.scalars(
                select(Audit).where(Audit.action == f"sale_{event}", Audit.at == NOON + n)
            ).one()
            assert told.subject == f"sale/{sale_id}"
            assert (told.before, told.after) == ({"state": state}, {"state": sale.state}), pair
    database.close()


def test_an_event_that_the_table_does_not_have_changes_nothing(
    database: Database, world: World
) -> None:
    for n, state in enumerate(SaleState, 2):
        here = _another_world(database, world, n)
        sale_id = _brought_to(database, here, state)
        before = _balances(database, here)
        for event in SaleEvent:
            if (state, event) in SALE:
                continue
            with pytest.raises(Refused, match="is not possible in state"):
                _moved(database, here, sale_id, event, NOON + 5)
        assert _balances(database, here) == before
        with database.reading() as session:
            assert session.get_one(Sale, sale_id).state is state
    with database.reading() as session:
        assert not session.scalars(select(Audit).where(Audit.at == NOON + 5)).all()


def test_a_receipt_is_kept_with_the_sale_and_proves_the_meter(
    database: Database, world: World
) -> None:
    sale_id = _brought_to(database, world, SaleState.DELIVERED)
    with database.reading() as session:
        sale, meter = session.get_one(Sale, sale_id), session.get_one(Meter, world.meter)
        assert (sale.epoch, sale.sequence, sale.to_debt_exact) == (1, 7, 12_34 * CENT + 5)
        assert (sale.credit_after_exact, sale.supply_state) == (37_65 * CENT - 5, "connected")
        assert (sale.proved_at, sale.causes) == (NOON, [])
        assert (meter.epoch, meter.proved_sequence) == (1, 7)
        assert (meter.proved_cumulative, meter.to_debt_exact) == (90_00 * CENT, 12_34 * CENT + 5)


def test_parts_for_debt_below_a_cent_add_up_over_sales(database: Database, world: World) -> None:
    """Of 0.004, 0.004 and 0.004 exact the third one books the first 0.01."""
    part = 4 * CENT // 10
    with unit_of_work(database, WORKER, NOON) as work:
        a_debt(work, world, 20_00)
    for n in range(1, 4):
        with unit_of_work(database, WORKER, NOON) as work:
            sale = a_sale(work, world, 1_00, f"K{n}").id
        _moved(database, world, sale, SaleEvent.RUN)
        with unit_of_work(database, WORKER, NOON) as work:
            proved = Proved(1, n, "", part, 0, 0, n * CENT, "connected", ())
            move(work, sale, SaleEvent.CONFIRMED, proved=proved)
        assert _balances(database, world)["meter_debt"] == 20_00 - n // 3


def test_a_sale_pays_the_oldest_bill_first(database: Database, world: World) -> None:
    with unit_of_work(database, WORKER, NOON) as work:
        a_debt(work, world, 5_00)
        a_debt(work, world, 1_00, "B2", TODAY.replace(year=2020))
        sale = a_sale(work, world).id
    _moved(database, world, sale, SaleEvent.RUN)
    with unit_of_work(database, WORKER, NOON) as work:
        move(work, sale, SaleEvent.CONFIRMED, proved=Proved(1, 1, "", 1_00 * CENT))
    with unit_of_work(database, WORKER, NOON) as work:
        assert [bill.amount for bill in work.ledger.debts_in_meter(world.agreement)] == [5_00]
    assert _balances(database, world)["in_meter"] == 49_00


def test_a_proof_without_a_receipt_books_credit_alone(database: Database, world: World) -> None:
    sale_id = _brought_to(database, world, SaleState.SENDING)
    with unit_of_work(database, WORKER, NOON) as work:
        move(work, sale_id, SaleEvent.CONFIRMED, proved=Proved(1, 7))
    assert _balances(database, world) == IN_METER | DEBT
    with database.reading() as session:
        meter = session.get_one(Meter, world.meter)
        assert (meter.proved_sequence, meter.proved_cumulative) == (None, None)


def test_a_proof_after_a_hand_adds_no_part_for_debt_that_a_reading_has_booked(
    database: Database, world: World
) -> None:
    sale_id = _brought_to(database, world, SaleState.HAND_DELIVERED)
    with unit_of_work(database, WORKER, NOON) as work:
        meter = work.session.get_one(Meter, world.meter)
        meter.epoch, meter.to_debt_exact = 1, 12_34 * CENT + 5
        work.add(_a_reading(world))
        move(work, sale_id, SaleEvent.PROOF_DELIVERED, proved=PROOF)
    assert _balances(database, world) == IN_METER | DEBT
    with database.reading() as session:
        assert session.get_one(Meter, world.meter).to_debt_exact == 12_34 * CENT + 5


def _a_reading(world: World) -> Reading:
    exact = dict.fromkeys(
        (
            "credit_exact", "debt_exact", "consumption_exact", "standing_exact",
            "instalments_exact", "refunds_exact", "cumulative_exact", "to_debt_exact",
            "debt_entered_exact", "opening_exact", "elapsed", "command_sequence", "energy_mwh",
        ),
        0,
    )  # fmt: skip
    return Reading(
        meter_id=world.meter, agreement_id=world.agreement, state=ReadingState.ACCEPTED,
        source=ReadingSource.WIRE, taken_at=NOON, for_on=TODAY, meter_clock=None, epoch=1,
        credit_sequence=7, supply_state="connected", causes=[], more={}, **exact,
    )  # fmt: skip


def test_another_epoch_stops_the_meter_and_leaves_what_is_proved_of_it(
    database: Database, world: World
) -> None:
    sale_id = _brought_to(database, world, SaleState.SENDING)
    with unit_of_work(database, WORKER, NOON) as work:
        meter = work.session.get_one(Meter, world.meter)
        meter.epoch, meter.to_debt_exact = 4, 99 * CENT
        work.session.flush()
        move(work, sale_id, SaleEvent.CONFIRMED, proved=PROOF)
    assert _balances(database, world) == DELIVERED
    with database.reading() as session:
        meter = session.get_one(Meter, world.meter)
        assert (meter.stopped, meter.epoch, meter.to_debt_exact) == ("epoch_changed", 4, 99 * CENT)
        assert session.scalars(select(Finding.rule)).all() == ["epoch_changed"]
        assert session.scalars(select(Task.kind)).all() == [TaskKind.SET_BACK]


@pytest.mark.parametrize(
    ("state", "event", "found"),
    [
        (SaleState.HAND_DELIVERED, SaleEvent.PROOF_DELIVERED, False),
        (SaleState.HAND_DELIVERED, SaleEvent.PROOF_DEAD, True),
        (SaleState.HAND_DEAD, SaleEvent.PROOF_DEAD, False),
        (SaleState.HAND_DEAD, SaleEvent.PROOF_DELIVERED, True),
        (SaleState.REPAID, SaleEvent.PROOF_DELIVERED, True),
    ],
)
def test_a_proof_against_a_word_is_a_finding(
    database: Database, world: World, state: SaleState, event: SaleEvent, found: bool
) -> None:
    sale_id = _brought_to(database, world, state)
    with unit_of_work(database, WORKER, NOON) as work:
        move(work, sale_id, event, proved=PROOF)
    with database.reading() as session:
        rules = session.scalars(select(Finding.rule)).all()
        assert rules == (["proof_against_end"] if found else [])


def test_money_that_is_in_the_meter_and_with_the_customer_is_a_claim(
    database: Database, world: World
) -> None:
    sale_id = _brought_to(database, world, SaleState.REPAID)
    with unit_of_work(database, WORKER, NOON) as work:
        move(work, sale_id, SaleEvent.PROOF_DELIVERED, proved=PROOF)
    with database.reading() as session:
        claims = session.scalars(select(Bill).where(Bill.kind == "claim")).all()
        assert [(bill.number, bill.amount, bill.agreement_id) for bill in claims] == [
            (f"B-S{sale_id}", 50_00, world.agreement)
        ]
        assert (claims[0].due_on - TODAY).days == 15


def test_a_proof_after_a_sale_was_sold_again_takes_nothing_that_another_sale_is_owed(
    database: Database, world: World
) -> None:
    sale_id = _brought_to(database, world, SaleState.REPLACED)
    with unit_of_work(database, WORKER, NOON) as work:
        paid = a_payment(work, world, 10_00, PaymentPurpose.REFUND)
        transfers = postings.paid_out(world.agreement, postings.cash(world.shift), 10_00)
        work.ledger.post("refund", "refund", transfers, About(world.agreement, payment=paid.id))
        other = a_sale(work, world, key="K-other").id
    for event in (SaleEvent.RUN, SaleEvent.REFUSED):
        _moved(database, world, other, event)
    _moved(database, world, sale_id, SaleEvent.PROOF_DELIVERED)
    assert _balances(database, world)["payable"] == 50_00
    with database.reading() as session:
        assert session.scalars(select(Bill.amount).where(Bill.kind == "claim")).one() == 50_00


def test_a_claim_after_a_proof_is_paid_from_the_advance(database: Database, world: World) -> None:
    sale_id = _brought_to(database, world, SaleState.REPAID)
    with unit_of_work(database, WORKER, NOON) as work:
        transfers = postings.paid_for_bills(postings.cash(world.shift), world.agreement, 60_00)
        work.ledger.post("advance", "payment_taken", transfers, About(world.agreement))
        move(work, sale_id, SaleEvent.PROOF_DELIVERED, proved=PROOF)
    assert _balances(database, world)["advance"] == 10_00


def test_a_cancelled_sale_cancels_its_payment(database: Database, world: World) -> None:
    sale_id = _brought_to(database, world, SaleState.CANCELLED)
    with database.reading() as session:
        sale = session.get_one(Sale, sale_id)
        assert session.get_one(Payment, sale.payment_id).state is PaymentState.CANCELLED


def test_a_sale_that_was_not_paid_into_a_till_is_not_cancelled_for_cash(
    database: Database, world: World
) -> None:
    sale_id = _brought_to(database, world, SaleState.TAKEN)
    with unit_of_work(database, WORKER, NOON) as work:
        work.session.get_one(Sale, sale_id).payment_id = None
    with (
        pytest.raises(Refused, match="was not paid into one till"),
        unit_of_work(database, WORKER, NOON) as work,
    ):
        move(work, sale_id, SaleEvent.CANCEL)
    assert _balances(database, world) == UNDELIVERED | DEBT


@pytest.mark.parametrize("event", [SaleEvent.PAYOUT, SaleEvent.SELL_AGAIN])
def test_what_is_owed_goes_nowhere_without_a_payment_or_a_sale(
    database: Database, world: World, event: SaleEvent
) -> None:
    sale_id = _brought_to(database, world, SaleState.DEAD)
    with pytest.raises(DeskError), unit_of_work(database, WORKER, NOON) as work:
        move(work, sale_id, event)
    assert _balances(database, world) == OWED | DEBT


def test_the_slip_of_an_unknown_sale_ends_with_its_proof(database: Database, world: World) -> None:
    sale_id = _brought_to(database, world, SaleState.UNKNOWN)
    with unit_of_work(database, WORKER, NOON) as work:
        sale = work.session.get_one(Sale, sale_id)
        open_task(work, TaskKind.SLIP, sale, world.station, Role.FIELD, TODAY)
        move(work, sale_id, SaleEvent.RESOLVED_DELIVERED, proved=PROOF)
    with database.reading() as session:
        assert session.scalars(select(Task.state)).all() == [TaskState.CANCELLED]


def test_an_entry_names_its_sale_and_payment(database: Database, world: World) -> None:
    sale_id = _brought_to(database, world, SaleState.DELIVERED)
    with database.reading() as session:
        entry = session.scalars(select(Entry).where(Entry.kind == "sale_confirmed")).one()
        assert (entry.sale_id, entry.agreement_id, entry.payment_id) == (sale_id, 1, 1)
        assert entry.key == f"sale/{sale_id}/confirmed"


def test_a_sale_that_is_not_there_is_not_found(database: Database) -> None:
    with pytest.raises(NotFound), unit_of_work(database, WORKER, NOON) as work:
        move(work, 7, SaleEvent.RUN)
