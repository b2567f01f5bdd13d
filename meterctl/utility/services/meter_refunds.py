"""Credit that is taken from a meter again, by an order."""

from __future__ import annotations

from typing import Any

from meterctl.utility.errors import Refused
from meterctl.utility.model.metering import Meter
from meterctl.utility.model.work import Order, OrderKind
from meterctl.utility.rules.money import floored
from meterctl.utility.rules.rights import Action
from meterctl.utility.rules.selling import require_served, shown
from meterctl.utility.rules.transitions import SaleState
from meterctl.utility.store.queries.sale_places import proved_credit
from meterctl.utility.store.unit_of_work import UnitOfWork


def order_refund(
    work: UnitOfWork,
    agreement_id: int,
    meter_id: int,
    amount: int,
    key: str,
    further: dict[str, Any],
) -> Order:
    """Write the order that takes credit from a meter; the agreement is locked already.

    Raises:
        Refused: the meter is stopped, or its credit as proved last is lower.
    """
    meter = work.lock(Meter, meter_id)
    require_served(meter.serial, meter.stopped, "nothing was changed")
    credit = refundable(work, meter)
    if amount > credit:
        raise Refused(
            "credit",
            f"meter {meter.serial} had {shown(credit)} of credit when it was proved last, less "
            f"than {shown(amount)}; nothing was changed",
        )
    order = work.add(
        Order(
            key=key,
            meter_id=meter_id,
            agreement_id=agreement_id,
            kind=OrderKind.REFUND,
            parameters={"amount": amount, **further},
            credit_state=SaleState.TAKEN,
            tries=0,
            not_before=work.now,
            cause="",
            made_at=work.now,
            changed_at=work.now,
            staff_id=work.actor.staff_id,
        )
    )
    work.audit(Action.PAY_REFUND, order, None, {"amount": amount, "meter": meter.serial})
    return order


def refundable(work: UnitOfWork, meter: Meter) -> int:
    """Return the credit of a meter as proved last, whole 0.01; 0 where it is below or unknown."""
    proved = proved_credit(work.session, meter.id, meter.epoch)
    return 0 if proved is None else max(0, floored(proved.credit))
