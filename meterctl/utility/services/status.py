"""The desk at a glance: its clock, how much it holds, and what waits."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from meterctl.utility.model.agreement import Agreement
from meterctl.utility.model.base import Base
from meterctl.utility.model.metering import Meter, Port
from meterctl.utility.model.money import Day, DayState, Sale, Shift
from meterctl.utility.model.organisation import Organisation, Staff, StaffState
from meterctl.utility.model.party import Party, SupplyPoint
from meterctl.utility.model.work import Task
from meterctl.utility.rules.rights import Action
from meterctl.utility.rules.transitions import AgreementState, SaleState, ShiftState
from meterctl.utility.store.holidays import working_days
from meterctl.utility.store.rights import require_anywhere
from meterctl.utility.store.tasks import NOT_ENDED
from meterctl.utility.store.unit_of_work import Actor


def status(session: Session, actor: Actor, today: date) -> dict[str, Any]:
    """Return the counts of the desk; `holidays_known` is false where its calendar has ended."""
    require_anywhere(actor, Action.ORGANISATION_READ)

    def count(table: type[Base], *conditions: Any) -> int:
        return session.scalar(select(func.count()).select_from(table).where(*conditions)) or 0

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
        "days_open": count(Day, Day.state == DayState.OPEN),
        "holidays_known": working_days(session).is_known(today),
    }
