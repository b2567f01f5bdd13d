"""A desk with two stations: rows of each kind in the first one, and people in the second one."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import update

from meterctl.utility.model.agreement import Agreement
from meterctl.utility.model.banking import Mandate, MandateState
from meterctl.utility.model.evidence import Document
from meterctl.utility.model.metering import Finding, FindingState, Installation, Meter
from meterctl.utility.model.money import PaymentChannel
from meterctl.utility.model.organisation import (
    Duty,
    DutyKind,
    GrantState,
    Organisation,
    OrganisationKind,
    Setting,
    Staff,
    StaffGrant,
)
from meterctl.utility.model.work import OrderKind, TaskKind, Worker
from meterctl.utility.rules.rights import Action, Role
from meterctl.utility.rules.transitions import SaleEvent
from meterctl.utility.services import payments, sales
from meterctl.utility.store.authentication import hash_of
from meterctl.utility.store.sale_books import move
from meterctl.utility.store.tasks import open_task
from meterctl.utility.store.unit_of_work import Actor, UnitOfWork
from tests.support.desk_banks import a_bank
from tests.support.desk_counter import Counter
from tests.support.desk_sales import an_order
from tests.support.desk_world import (
    TODAY,
    World,
    a_customer,
    a_node,
    a_person,
    a_port,
    a_reading,
    a_shift,
)

FIRST = "70077007"
"""Stands in the numbers of the first station's rows."""
AGREEMENT, POINT, METER = f"A{FIRST}", f"0001{FIRST}", f"0000{FIRST}"
SHIFT, PORT, ORDER, SHA256 = f"0011-{FIRST}", f"port-{FIRST}", f"order-{FIRST}", f"{FIRST:0>64}"
STORED_METER = "990000000001"
"""It lies in the first station's store, on its port; `ORDER` is to it."""
WITHOUT_METER = "A80000001"
"""An agreement of the first station at whose point no meter is installed."""
TAKEN, DELIVERED = "S1", "S2"
SLIP, PROPOSAL = "T1", "T2"
PAYMENT = "P1"


def add_stations(counter: Counter) -> None:
    """Fill the world's station, add the second one with its people, and a bank."""
    a_bank(counter)
    vendor = counter.work(lambda work: _fill_first(work, counter.world))
    cash = PaymentChannel.CASH
    counter.do(vendor, payments.pay, agreement=AGREEMENT, amount=5_00, channel=cash)
    for key in ("taken", "delivered"):
        counter.do(vendor, sales.take, key=f"{key}-{FIRST}", agreement=AGREEMENT, amount=10_00)
    for event in (SaleEvent.RUN, SaleEvent.CONFIRMED):
        counter.work(lambda work, event=event: move(work, int(DELIVERED[1:]), event))
    counter.work(lambda work: _add_second(work, counter.world))


def _fill_first(work: UnitOfWork, world: World) -> Actor:
    """Fill the first station, the world's, with rows of each kind; return its vendor."""
    station = work.session.get_one(Organisation, world.station)
    vendor = a_person(work, FIRST, (Role.VENDOR, station))
    assert vendor.staff_id is not None
    _role(work, vendor.staff_id, Role.VENDOR, station.id)
    shift = a_shift(work, vendor, station.id, SHIFT)
    party, point, meter, agreement = a_customer(work, station.id, FIRST)
    port = a_port(work, station.id, f"/dev/tty{FIRST}")
    port.name = PORT
    work.session.get_one(Meter, meter).port_id = port.id
    _, _, stored, _ = a_customer(work, station.id, WITHOUT_METER[1:])
    work.session.get_one(Meter, stored).serial = STORED_METER
    work.session.get_one(Meter, stored).port_id = port.id
    work.session.flush()
    ended = update(Installation).where(Installation.meter_id == stored)
    work.session.execute(ended.values(to_at=work.now + 1))
    here = replace(
        world, vendor=vendor, shift=shift.id, party=party, point=point, meter=meter,
        agreement=agreement,
    )  # fmt: skip
    _mandate(work, here)
    _papers(work, here, vendor.staff_id)
    an_order(work, OrderKind.READ, stored, ORDER)
    an_order(work, OrderKind.READ, meter, f"read-{FIRST}", agreement=agreement)
    a_reading(work, meter, agreement)
    slip = work.session.get_one(Meter, meter)
    open_task(work, TaskKind.SLIP, slip, station.id, Role.VENDOR, TODAY, {"note": FIRST})
    proposed = {"action": Action.TAKEOVER_PROPOSE.value, "sha256": SHA256, "rows": []}
    about = work.session.get_one(Agreement, agreement)
    open_task(work, TaskKind.APPROVAL, about, station.id, Role.STATION_HEAD, TODAY, proposed)
    return vendor


def _add_second(work: UnitOfWork, world: World) -> None:
    """Add the second station, with a customer, and a person of each role there.

    The number and the token of a person is the role; `all` has them all.
    """
    company = work.session.get_one(Organisation, world.company)
    station = a_node(work, OrganisationKind.STATION, "0012", company)
    a_customer(work, station.id, "50000001")
    for number, roles in (*((role.value, (role,)) for role in Role), ("all", tuple(Role))):
        person = a_person(work, number)
        work.session.get_one(Staff, person.staff_id).token_hash = hash_of(number)
        for role in roles:
            _role(work, person.staff_id or 0, role, station.id)


def _role(work: UnitOfWork, person: int, role: Role, node: int) -> None:
    values = {"staff_id": person, "role": role, "node_id": node}
    work.add(StaffGrant(**values, from_on=TODAY, state=GrantState.ACTIVE))


def _mandate(work: UnitOfWork, here: World) -> None:
    """Add a mandate."""
    work.add(
        Mandate(
            agreement_id=here.agreement, bank="shipped", reference=FIRST, payer_account="",
            from_on=TODAY, to_on=None, state=MandateState.LIVE, document_id=None,
        )
    )  # fmt: skip


def _papers(work: UnitOfWork, here: World, person: int) -> None:
    """Add what is written down about a station: finding, document, duty, setting, journal."""
    work.add(
        Finding(
            rule="terms_differ", subject_kind="meter", subject_id=here.meter,
            agreement_id=here.agreement, value="[]", limit_value="", note=FIRST,
            state=FindingState.OPEN, first_seen=work.now, last_seen=work.now,
        )
    )  # fmt: skip
    work.add(
        Document(
            subject_kind="agreement", subject_id=here.agreement, kind="other",
            name=f"{FIRST}.txt", media_type="text/plain", size=1, sha256=SHA256, at=work.now,
            staff_id=person,
        )
    )  # fmt: skip
    node = {"node_id": here.station, "from_on": TODAY}
    work.add(Duty(**node, staff_id=person, kind=DutyKind.READ, to_on=None))
    work.add(
        Setting(
            **node, code="cash_limit", customer_class="", value={"value": int(FIRST)},
            staff_id=person, set_at=work.now,
        )
    )  # fmt: skip
    journal = {"journal_number": 7, "journal": f"/var/{FIRST}.journal"}
    work.add(Worker(**journal, lease_holder=None, lease_until=None))
