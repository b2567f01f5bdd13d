"""Counter 售电: one field finds a customer, then an amount, then what the meter makes of it.

The page before the yes has the key of the sale in its address: who comes back to it after the sale
(a reload, the back button) gets the receipt of that sale, and a second click is the first one.
"""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from meterctl.utility.model.money import Carrier
from meterctl.utility.services import at_counter, sales, search
from meterctl.utility.web.pages.asking import Asking, Posted, amount_of, key_of, new_key, see_other
from meterctl.utility.web.pages.rendering import amount, exact, language_of, page
from meterctl.utility.web.pages.side import side_of
from meterctl.utility.web.people import Visitor

router = APIRouter()
MOST_FOUND = 20


@router.get("/")
def first() -> Response:
    """Return the way to the first page."""
    return RedirectResponse("/counter", 303)


@router.get("/counter")
def find(
    request: Request, visitor: Asking, q: Annotated[str, Query(max_length=100)] = ""
) -> Response:
    """Return the field that finds a customer, and who was found; of one alone, that one."""
    found: list[dict[str, Any]] = []
    if q.strip():
        with visitor.reading() as session:
            found = search.find_customers(session, visitor.actor, q, MOST_FOUND)
    if len(found) == 1:
        return see_other(_address(found[0]["agreement"]))
    return page(
        request, visitor, "counter.html", q=q, found=found, most=MOST_FOUND, **side_of(visitor)
    )


@router.get("/counter/{agreement}")
def customer(request: Request, visitor: Asking, agreement: str) -> Response:
    """Return a customer at the counter, with the field for an amount."""
    return page(
        request,
        visitor,
        "counter_customer.html",
        customer=_customer(visitor, agreement),
        readers=_readers(visitor, agreement),
        **side_of(visitor),
    )


@router.get("/counter/{agreement}/sale")
def preview(
    request: Request,
    visitor: Asking,
    agreement: str,
    amount: Annotated[str, Query(max_length=20)],
    by: Annotated[str, Query(max_length=100)] = "",
    key: Annotated[str, Query(max_length=64)] = "",
) -> Response:
    """Return what the meter will make of an amount, before money is taken for it."""
    wanted = amount_of(amount)
    if not key:
        return see_other(f"{_address(agreement)}/sale", amount=amount, by=by or None, key=new_key())
    with visitor.reading() as session:
        sold = at_counter.sale_of_key(session, visitor.actor, key_of(key))
    if sold is not None:
        return RedirectResponse(f"/sales/{sold}", 303)
    taken = _take(visitor, agreement, wanted, by, key, dry_run=True)
    shown = _customer(visitor, agreement)
    return page(
        request,
        visitor,
        "sale_preview.html",
        customer=shown,
        told=taken,
        forecast=_forecast(request, taken),
        by=by,
        key=key,
        **side_of(visitor),
    )


@router.post("/sales")
def sell(visitor: Asking, form: Posted) -> Response:
    """Take money for a sale, begin its delivery, and return the way to its page."""
    agreement, by = form.text("agreement"), form.text("by")
    wanted = form.amount()
    delivery = visitor.office.delivery
    delivery.require_deliverable(visitor.actor, form.key, agreement, wanted, by or None)
    taken = _take(visitor, agreement, wanted, by, form.key)
    delivery.begin(int(taken["order"].removeprefix("O")))
    return RedirectResponse(f"/sales/{taken['sale']}", 303)


def _take(
    visitor: Visitor, agreement: str, wanted: int, by: str, key: str, *, dry_run: bool = False
) -> dict[str, Any]:
    carrier = Carrier.CARD if by else Carrier.WIRE
    answer = visitor.ask(
        "sell",
        {"agreement": agreement, "amount": wanted, "carrier": carrier, "reader": by or None},
        lambda work: sales.take(
            work, agreement=agreement, amount=wanted, carrier=carrier, reader=by or None
        ),
        key,
        money=True,
        dry_run=dry_run,
    )
    return answer.values


def _customer(visitor: Visitor, agreement: str) -> dict[str, Any]:
    with visitor.reading() as session:
        return at_counter.customer(session, visitor.actor, agreement, visitor.now)


def _readers(visitor: Visitor, agreement: str) -> list[str]:
    with visitor.reading() as session:
        return at_counter.readers_at(session, visitor.actor, agreement)


def _address(agreement: str) -> str:
    return f"/counter/{quote(agreement, safe='')}"


def _forecast(request: Request, taken: dict[str, Any]) -> str:
    """Return what becomes of an amount: old debt, overdraft, credit; whether supply returns."""
    say, expected = language_of(request).text, taken["expected"]
    parts = [
        say(name, amount=exact(expected[field]))
        for name, field in (
            ("part_debt", "to_debt_exact"),
            ("part_overdraft", "to_overdraft_exact"),
            ("part_credit", "to_credit_exact"),
        )
        if expected[field]
    ]
    split = f"{say('of_amount', amount=amount(taken['amount']))}: {', '.join(parts)}"
    return f"{split}; {say('supply_returns')}" if expected["supply_returns"] else split
