"""The desk at a glance: its clock, how much it holds, and what waits."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from meterctl.utility.model.agreement import Agreement
from meterctl.utility.model.base import Base
from meterctl.utility.model.metering import Meter, Port
from meterctl.utility.model.money import Day, DayState, Sale, Shift
from meterctl.utility.model.organisation import Organisation, Staff, StaffGrant, StaffState
from meterctl.utility.model.party import Party, SupplyPoint
from meterctl.utility.model.work import Task
from meterctl.utility.rules.rights import Action
from meterctl.utility.rules.transitions import AgreementState, SaleState, ShiftState
from meterctl.utility.store.holidays import working_days
from meterctl.utility.store.queries.organisation import company
from meterctl.utility.store.queries.points import meter_node
from meterctl.utility.store.rights import is_within, require_anywhere
from meterctl.utility.store.tasks import NOT_ENDED
from meterctl.utility.store.unit_of_work import Actor


def status(session: Session, actor: Actor, today: date) -> dict[str, Any]:
    """Return the counts of the desk at the person's nodes and below.

    Staff is counted that has or had a role there, and a customer with a supply point there.
    `days_open` is the company's; `holidays_known` is false where its calendar has ended.
    """
    require_anywhere(actor, Action.ORGANISATION_READ)
    sees_all = actor.may(Action.ORGANISATION_READ, company(session).path)
    nodes = select(Organisation.id).where(is_within(actor, Action.ORGANISATION_READ))
    points = select(SupplyPoint.id).where(SupplyPoint.node_id.in_(nodes))
    agreements = select(Agreement.id).where(Agreement.point_id.in_(points))
    of: dict[type[Base], ColumnElement[bool]] = {
        Organisation: Organisation.id.in_(nodes),
        Staff: Staff.id.in_(select(StaffGrant.staff_id).where(StaffGrant.node_id.in_(nodes))),
        Party: Party.id.in_(select(Agreement.party_id).where(Agreement.point_id.in_(points))),
        SupplyPoint: SupplyPoint.node_id.in_(nodes),
        Port: Port.node_id.in_(nodes),
        Meter: meter_node().in_(nodes),
        Agreement: Agreement.point_id.in_(points),
        Shift: Shift.node_id.in_(nodes),
        Sale: Sale.agreement_id.in_(agreements),
        Task: Task.node_id.in_(nodes),
    }

    def count(table: type[Base], *conditions: ColumnElement[bool]) -> int:
        seen = conditions if sees_all else (*conditions, of[table])
        return session.scalar(select(func.count()).select_from(table).where(*seen)) or 0

    days_open = select(func.count()).select_from(Day).where(Day.state == DayState.OPEN)
    return {
        "nodes": count(Organisation),
        "staff": count(Staff, Staff.state == StaffState.ACTIVE),
        "customers": count(Party),
        "points": count(SupplyPoint),
        "ports": count(Port),
        "meters": count(Meter),
        "meters_stopped": count(Meter, Meter.stopped.is_not(None)),
        "agreements_active": count(Agreement, Agreement.state == AgreementState.ACTIVE),
        "shifts_open": count(Shift, Shift.state != ShiftState.CLOSED),
        "sales_taken": count(Sale, Sale.state == SaleState.TAKEN),
        "sales_on_card": count(Sale, Sale.state == SaleState.ON_CARD),
        "sales_unknown": count(Sale, Sale.state.in_((SaleState.SENDING, SaleState.UNKNOWN))),
        "tasks": count(Task, Task.state.in_(NOT_ENDED)),
        "tasks_late": count(Task, Task.state.in_(NOT_ENDED), Task.due_on < today),
        "days_open": session.scalar(days_open) or 0,
        "holidays_known": working_days(session).is_known(today),
    }
