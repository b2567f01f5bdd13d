"""Rows that tests of the desk begin with, made as small as the tables allow."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import func, select

from meterctl.utility.model.agreement import Agreement, AgreementMode
from meterctl.utility.model.metering import Installation, Meter, Port, Reading, ReadingSource
from meterctl.utility.model.money import (
    Bill,
    BillKind,
    BillState,
    Carrier,
    Sale,
    SaleKind,
    SaleSource,
    Shift,
)
from meterctl.utility.model.organisation import (
    Desk,
    Organisation,
    OrganisationKind,
    Staff,
    StaffState,
)
from meterctl.utility.model.party import CustomerClass, Party, SupplyPoint
from meterctl.utility.model.work import Order, OrderKind
from meterctl.utility.rules.rights import Role
from meterctl.utility.rules.transitions import (
    AgreementState,
    CommandState,
    ReadingState,
    SaleState,
    ShiftState,
)
from meterctl.utility.store.engine import Database
from meterctl.utility.store.unit_of_work import Actor, Grant, UnitOfWork, unit_of_work

NOON = 1_790_000_000_000
"""An instant of the tests: 2026-09-21 22:13:20 in Shanghai."""
TODAY = date(2026, 9, 21)


@dataclass(frozen=True, slots=True)
class World:
    """A company with one station, one vendor with an open shift, one customer with a meter."""

    company: int
    station: int
    vendor: Actor
    shift: int
    party: int
    point: int
    meter: int
    agreement: int


def a_desk(work: UnitOfWork, zone: str = "Asia/Shanghai") -> None:
    """Add the row about the database itself."""
    work.add(Desk(zone=zone, simulated=True, clock=work.now, made_at=work.now))


def a_node(
    work: UnitOfWork, kind: OrganisationKind, code: str, parent: Organisation | None = None
) -> Organisation:
    """Add a node of the organisation tree."""
    node = work.add(
        Organisation(
            parent_id=None if parent is None else parent.id,
            kind=kind,
            code=code,
            name=f"node {code}",
            path=f"new {code}",
        )
    )
    node.path = f"{'/' if parent is None else parent.path}{node.id}/"
    work.session.flush()
    return node


def a_person(work: UnitOfWork, number: str, *grants: tuple[Role, Organisation]) -> Actor:
    """Add a member of the staff; the grants are the actor's alone, without rows."""
    row = work.add(
        Staff(
            number=number,
            name=f"person {number}",
            state=StaffState.ACTIVE,
            password_hash=None,
            token_hash=None,
        )
    )
    return Actor(row.id, number, tuple(Grant(role, node.path) for role, node in grants))


def a_shift(work: UnitOfWork, vendor: Actor, node: int, number: str = "1") -> Shift:
    """Add an open shift with a float of 100.00."""
    assert vendor.staff_id is not None
    return work.add(
        Shift(
            number=number,
            vendor_id=vendor.staff_id,
            node_id=node,
            state=ShiftState.OPEN,
            opened_at=work.now,
            opened_on=work.today,
            float_amount=100_00,
            limit_amount=20_000_00,
            counted=None,
            counted_at=None,
            counter_id=None,
            closed_at=None,
            slip=None,
            receipts=0,
        )
    )


def a_customer(work: UnitOfWork, node: int, serial: str = "1") -> tuple[int, int, int, int]:
    """Add a customer with a point, a meter there and an active agreement; return their numbers."""
    party = work.add(
        Party(number=serial, name="A Customer", id_number=None, phones=[], protected=False)
    )
    point = work.add(
        SupplyPoint(
            number=f"0001{serial:0>8}",
            node_id=node,
            address=f"street {serial}",
            customer_class=CustomerClass.RESIDENT,
            capacity_mw=8_000_000,
            boundary="",
            route="R1",
            read_day=1,
        )
    )
    meter = work.add(
        Meter(
            serial=f"{serial:0>12}",
            port_id=None,
            unit=1,
            epoch=None,
            proved_sequence=None,
            proved_cumulative=None,
            proved_energy_mwh=None,
            proved_elapsed=None,
            proved_at=None,
            explained_before=0,
            to_debt_exact=0,
            stopped=None,
        )
    )
    work.add(
        Installation(
            meter_id=meter.id,
            point_id=point.id,
            from_at=work.now,
            to_at=None,
            reading_in_id=None,
            reading_out_id=None,
        )
    )
    agreement = work.add(
        Agreement(
            number=f"A{serial}",
            party_id=party.id,
            point_id=point.id,
            mode=AgreementMode.METER,
            state=AgreementState.ACTIVE,
        )
    )
    return party.id, point.id, meter.id, agreement.id


def a_port(work: UnitOfWork, node: int, url: str = "/tmp/none.tty") -> Port:
    """Add a port of a node."""
    number = work.session.scalar(select(func.count()).select_from(Port)) or 0
    return work.add(
        Port(
            node_id=node,
            name=f"port-{number + 1}",
            url=url,
            protocol="modbus",
            baud=9600,
            lease_holder=None,
            lease_until=None,
        )
    )


def a_reading(work: UnitOfWork, meter: int, agreement: int, **more: Any) -> Reading:
    """Add an accepted reading of an open meter, of zeros if not given; it is not booked."""
    columns: dict[str, Any] = dict.fromkeys(
        (
            "elapsed", "command_sequence", "energy_mwh", "consumption_exact", "standing_exact",
            "instalments_exact", "refunds_exact", "cumulative_exact", "to_debt_exact",
            "debt_entered_exact", "opening_exact", "credit_exact", "debt_exact",
        ),
        0,
    ) | {
        "state": ReadingState.ACCEPTED, "source": ReadingSource.WIRE, "taken_at": work.now,
        "for_on": TODAY, "meter_clock": None, "epoch": 1, "credit_sequence": 3,
        "supply_state": "connected", "causes": [], "more": {"account_state": "open"},
    }  # fmt: skip
    return work.add(Reading(**{**columns, "meter_id": meter, "agreement_id": agreement, **more}))


def a_bill(work: UnitOfWork, agreement: int, amount: int, due_on: date = TODAY) -> Bill:
    """Add a bill that was taken over; nothing of it is booked."""
    number = work.session.scalar(select(func.count()).select_from(Bill)) or 0
    return work.add(
        Bill(
            number=f"B{number + 1}",
            agreement_id=agreement,
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


def a_sale(
    work: UnitOfWork,
    agreement: int,
    meter: int,
    amount: int,
    state: SaleState = SaleState.TAKEN,
    **more: Any,
) -> Sale:
    """Add a sale in a state; nothing of it is booked, and it has no order."""
    number = work.session.scalar(select(func.count()).select_from(Sale)) or 0
    columns: dict[str, Any] = dict.fromkeys(
        (
            "shift_id", "payment_id", "epoch", "sequence", "to_debt_exact", "to_overdraft_exact",
            "credit_after_exact", "supply_state", "causes", "card", "proved_at", "follows_id",
        )
    ) | {
        "key": f"sale-{number + 1}", "kind": SaleKind.CREDIT, "source": SaleSource.PAID,
        "carrier": Carrier.WIRE, "cause": "", "taken_at": work.now, "changed_at": work.now,
    }  # fmt: skip
    named = {"agreement_id": agreement, "meter_id": meter, "amount": amount, "state": state}
    return work.add(Sale(**{**columns, **named, **more}))


def an_order(work: UnitOfWork, meter: int, kind: OrderKind, **more: Any) -> Order:
    """Add an order, taken or queued if its state is not given."""
    number = work.session.scalar(select(func.count()).select_from(Order)) or 0
    columns: dict[str, Any] = dict.fromkeys(
        (
            "agreement_id", "agreement_version_id", "sale_id", "expires", "worker_id",
            "journal_entry", "outcome", "staff_id",
        )
    ) | {
        "key": f"order-{number + 1}", "parameters": {}, "cause": "", "tries": 0,
        "credit_state": SaleState.TAKEN if kind.is_credit else None,
        "command_state": None if kind.is_credit else CommandState.QUEUED,
        "not_before": work.now, "made_at": work.now, "changed_at": work.now,
    }  # fmt: skip
    return work.add(Order(**{**columns, "meter_id": meter, "kind": kind, **more}))


def a_world(database: Database) -> World:
    """Add the rows of `World`; its `Desk` row is there already."""
    with unit_of_work(database, Actor(None, "founder"), NOON) as work:
        company = a_node(work, OrganisationKind.COMPANY, "0001")
        station = a_node(work, OrganisationKind.STATION, "0011", company)
        vendor = a_person(work, "v1", (Role.VENDOR, station))
        shift = a_shift(work, vendor, station.id)
        party, point, meter, agreement = a_customer(work, station.id)
        return World(company.id, station.id, vendor, shift.id, party, point, meter, agreement)


def opened(url: str, now: int = NOON) -> Database:
    """Return a new database with its `Desk` row, whose host's clock stands still."""
    from zoneinfo import ZoneInfo

    from meterctl.utility.store.engine import connect

    database = Database(connect(url), ZoneInfo("Asia/Shanghai"), True, lambda: now)
    with unit_of_work(database, Actor(None, "founder"), now) as work:
        a_desk(work)
    database.close()
    return Database.open(url, lambda: now)
