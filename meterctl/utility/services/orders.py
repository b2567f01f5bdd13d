"""Orders to meters, as services write them; workers carry them out (UTILITY 5)."""

from __future__ import annotations

from typing import Any

from meterctl.utility.model.agreement import Agreement, AgreementVersion
from meterctl.utility.model.metering import Meter
from meterctl.utility.model.work import Order, OrderKind
from meterctl.utility.rules.transitions import CommandState, SaleState
from meterctl.utility.store.unit_of_work import UnitOfWork


def add_order(
    work: UnitOfWork,
    key: str,
    kind: OrderKind,
    meter: Meter,
    agreement: Agreement | None,
    parameters: dict[str, Any],
    version: AgreementVersion | None = None,
) -> Order:
    """Write an order to a meter, not of a sale; a worker carries it out."""
    order = work.add(
        Order(
            key=key,
            meter_id=meter.id,
            agreement_id=None if agreement is None else agreement.id,
            agreement_version_id=None if version is None else version.id,
            sale_id=None,
            kind=kind,
            parameters=parameters,
            credit_state=SaleState.TAKEN if kind.is_credit else None,
            command_state=None if kind.is_credit else CommandState.QUEUED,
            tries=0,
            not_before=work.now,
            expires=None,
            worker_id=None,
            journal_entry=None,
            outcome=None,
            cause="",
            made_at=work.now,
            changed_at=work.now,
            staff_id=work.actor.staff_id,
        )
    )
    work.audit("order", order, None, {"kind": kind, "meter": meter.serial, **parameters})
    return order
