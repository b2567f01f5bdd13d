"""Money for bills, taken at the counter."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from meterctl.utility.model.money import PaymentChannel
from meterctl.utility.services import payments
from meterctl.utility.web.pages.asking import Asking, Posted, see_other

router = APIRouter()


@router.post("/payments")
def take(visitor: Asking, form: Posted) -> Response:
    """Take cash for an agreement, and return the way to its receipt."""
    agreement, wanted, by = form.text("agreement"), form.amount(), PaymentChannel.CASH
    told = visitor.ask(
        "pay",
        {"agreement": agreement, "amount": wanted, "channel": by},
        lambda work: payments.pay(work, agreement=agreement, amount=wanted, channel=by),
        form.key,
        money=True,
    ).values
    return see_other(f"/receipts/{told['receipt_number']}")
