"""Money for bills, taken at the counter."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from meterctl.utility.model.money import PaymentChannel
from meterctl.utility.services import at_counter, payments
from meterctl.utility.web.pages.asking import (
    Asking,
    Posted,
    amount_of,
    key_of,
    new_key,
    see_other,
)
from meterctl.utility.web.pages.rendering import page
from meterctl.utility.web.pages.side import side_of
from meterctl.utility.web.people import Visitor

router = APIRouter()


@router.get("/counter/{agreement}/bills")
def preview(
    request: Request,
    visitor: Asking,
    agreement: str,
    amount: Annotated[str, Query(max_length=20)],
    key: Annotated[str, Query(max_length=64)] = "",
) -> Response:
    """Return what an amount pays, before it is taken; after it was, its receipt."""
    wanted = amount_of(amount)
    if not key:
        return see_other(
            f"/counter/{quote(agreement, safe='')}/bills", amount=amount, key=new_key()
        )
    with visitor.reading() as session:
        receipt = at_counter.receipt_of_key(session, visitor.actor, key_of(key))
        customer = at_counter.customer(session, visitor.actor, agreement, visitor.now)
    if receipt is not None:
        return see_other(f"/receipts/{receipt}")
    told = _pay(visitor, agreement, wanted, key, dry_run=True)
    return page(
        request,
        visitor,
        "pay_preview.html",
        customer=customer,
        told=told,
        key=key,
        **side_of(visitor),
    )


@router.post("/payments")
def take(visitor: Asking, form: Posted) -> Response:
    """Take cash for an agreement, and return the way to its receipt."""
    told = _pay(visitor, form.text("agreement"), form.amount(), form.key)
    return see_other(f"/receipts/{told['receipt_number']}")


def _pay(
    visitor: Visitor, agreement: str, wanted: int, key: str, *, dry_run: bool = False
) -> dict[str, Any]:
    by = PaymentChannel.CASH
    return visitor.ask(
        "pay",
        {"agreement": agreement, "amount": wanted, "channel": by},
        lambda work: payments.pay(work, agreement=agreement, amount=wanted, channel=by),
        key,
        money=True,
        dry_run=dry_run,
    ).values
