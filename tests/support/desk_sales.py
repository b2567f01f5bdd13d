"""Sales of the desk for tests: taken by a vendor, with their order, as the counter would."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy import select

from meterctl.utility.model.metering import Meter, Port
from meterctl.utility.model.money import (
    Account,
    Bill,
    BillKind,
    BillState,
    Carrier,
    Payment,
    PaymentChannel,
    PaymentPurpose,
    PaymentState,
    Sale,
    SaleKind,
    SaleSource,
)
from meterctl.utility.model.work import Order, OrderKind
from meterctl.utility.rules import postings
from meterctl.utility.rules.postings import AccountKind
from meterctl.utility.rules.transitions import CommandState, SaleState
from meterctl.utility.store.engine import Database
from meterctl.utility.store.ledger import About, Ledger
from meterctl.utility.store.unit_of_work import UnitOfWork
from tests.support.desk_world import NOON, TODAY, World


def a_payment(
    work: UnitOfWork, world: World, amount: int, purpose: PaymentPurpose = PaymentPurpose.SALE
) -> Payment:
    """Add a payment in cash of the world's shift."""
    return work.add(
        Payment(
            agreement_id=world.agreement,
            shift_id=world.shift,
            channel=PaymentChannel.CASH,
            purpose=purpose,
            state=PaymentState.TAKEN,
            amount=amount,
            paid_at=work.now,
            bank_reference=None,
            staff_id=world.vendor.staff_id,
        )
    )


def a_sale(
    work: UnitOfWork,
    world: World,
    amount: int = 50_00,
    key: str = "K1",
    *,
    carrier: Carrier = Carrier.WIRE,
    kind: SaleKind = SaleKind.CREDIT,
    agreement: int | None = None,
    meter: int | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> Sale:
    """Add a sale as it is taken: payment, sale, order and the entry W/undelivered."""
    paid = a_payment(work, world, amount)
    sale = work.add(
        Sale(
            key=key,
            agreement_id=agreement or world.agreement,
            meter_id=meter or world.meter,
            shift_id=world.shift,
            payment_id=paid.id,
            kind=kind,
            amount=amount,
            source=SaleSource.PAID,
            carrier=carrier,
            state=SaleState.TAKEN,
            cause="",
            taken_at=work.now,
            changed_at=work.now,
        )
    )
    an_order(work, OrderKind.SALE, sale.meter_id, key, sale=sale, parameters=parameters)
    work.ledger.post(
        f"sale/{sale.id}/taken",
        "sale_taken",
        postings.paid_for_sale(postings.cash(world.shift), sale.agreement_id, amount),
        About(sale.agreement_id, sale.id, paid.id),
    )
    return sale


def an_order(
    work: UnitOfWork,
    kind: OrderKind,
    meter: int,
    key: str,
    *,
    agreement: int | None = None,
    sale: Sale | None = None,
    parameters: Mapping[str, Any] | None = None,
    expires: int | None = None,
) -> Order:
    """Add an order that is due."""
    return work.add(
        Order(
            key=key,
            meter_id=meter,
            agreement_id=agreement if sale is None else sale.agreement_id,
            sale_id=None if sale is None else sale.id,
            kind=kind,
            parameters=dict(parameters or {}),
            credit_state=SaleState.TAKEN if kind.is_credit else None,
            command_state=None if kind.is_credit else CommandState.QUEUED,
            tries=0,
            not_before=work.now,
            expires=expires,
            cause="",
            made_at=work.now,
            changed_at=work.now,
        )
    )


def a_port(work: UnitOfWork, world: World, url: str = "/tmp/wire", name: str = "P1") -> Port:
    """Add a port, with the world's meter on it."""
    port = work.add(
        Port(
            node_id=world.station,
            name=name,
            url=url,
            protocol="modbus",
            baud=9600,
            lease_holder=None,
            lease_until=None,
        )
    )
    meter = work.session.get_one(Meter, world.meter)
    meter.port_id = port.id
    work.session.flush()
    return port


def a_debt(
    work: UnitOfWork, world: World, amount: int, number: str = "B1", due_on: date = TODAY
) -> Bill:
    """Add a bill that was taken over and lies in the meter of the world."""
    bill = work.add(
        Bill(
            number=number,
            agreement_id=world.agreement,
            kind=BillKind.TAKEN_OVER,
            state=BillState.ISSUED,
            month="",
            amount=amount,
            issued_at=work.now,
            due_on=due_on,
            cancels_id=None,
            note="",
        )
    )
    work.ledger.post(
        f"debt/{number}",
        "taken_over",
        (
            postings.Transfer(
                postings.meter_debt(world.agreement), postings.TAKEN_OVER, amount, bill.id
            ),
        ),
        About(world.agreement, bill=bill.id),
    )
    return bill


def balances(database: Database) -> dict[str, int]:
    """Return all accounts that are not 0, named as "kind/owner" ("kind" without an owner)."""
    with database.reading() as session:
        ledger = Ledger(session, NOON, TODAY, None)
        found = {
            (AccountKind(kind), owner): ledger.balance(AccountKind(kind), owner)
            for kind, owner in session.execute(select(Account.kind, Account.owner_id))
        }
    return {
        f"{kind.value}/{owner}" if owner else kind.value: amount
        for (kind, owner), amount in sorted(found.items())
        if amount
    }
