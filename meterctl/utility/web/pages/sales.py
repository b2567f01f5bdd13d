"""The page of a sale: where it stands, its receipt, and what a person may do about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException

from meterctl.utility.model.money import Carrier, PaymentChannel
from meterctl.utility.rules.rights import Action
from meterctl.utility.rules.transitions import SALE, SaleEvent, SaleState
from meterctl.utility.rules.typed_text import word
from meterctl.utility.services import payouts, sale_lists, sale_moves, sales, settling
from meterctl.utility.services.settling import SettledAs
from meterctl.utility.store.rights import paths
from meterctl.utility.store.unit_of_work import UnitOfWork
from meterctl.utility.web.pages.asking import Asking, Form, Posted, new_key
from meterctl.utility.web.pages.rendering import page
from meterctl.utility.web.pages.side import side_of
from meterctl.utility.web.people import Visitor

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Act:
    """Something that a person may do about a sale.

    Attributes:
        route: words of the command that does the same.
        body: returns what was asked, from the sale and the form.
        do: does it with these values.
    """

    name: str
    text: str
    route: str
    action: Action
    event: SaleEvent | None
    body: Callable[[str, Form], dict[str, Any]]
    do: Callable[..., dict[str, Any]]


def _move(work: UnitOfWork, sale: str, to: str) -> dict[str, Any]:
    return sale_moves.move(work, sale=sale, to=to)


def _settle(work: UnitOfWork, **asked: Any) -> dict[str, Any]:
    said = word(SettledAs, asked["as"], "as")
    return settling.settle(work, sale=asked["sale"], as_=said, reason=asked["reason"])


def _sell_again(work: UnitOfWork, **asked: Any) -> dict[str, Any]:
    return sales.sell_again(
        work,
        sale=asked["sale"],
        agreement=asked["to"],
        amount=asked["amount"],
        carrier=asked["carrier"],
        reader=asked["reader"],
    )


def _again(sale: str, form: Form) -> dict[str, Any]:
    amount = form.amount() if form.text("amount") else None
    to = form.optional("to")
    return {"sale": sale, "to": to, "amount": amount, "carrier": Carrier.WIRE, "reader": None}


def _payout(work: UnitOfWork, sale: str, channel: PaymentChannel, shift: None) -> dict[str, Any]:
    return payouts.payout(work, sale=sale, channel=channel, shift=shift)


ACTS = (
    Act(
        "cancel", "cancel_sale", "sale cancel", Action.SALE_CANCEL, SaleEvent.CANCEL,
        lambda sale, form: {"sale": sale, "reason": form.text("reason")}, sales.cancel,
    ),
    Act(
        "payout", "payout_sale", "sale payout", Action.PAYOUT, SaleEvent.PAYOUT,
        lambda sale, _: {"sale": sale, "channel": PaymentChannel.CASH, "shift": None}, _payout,
    ),
    Act(
        "sell-again", "sell_again", "sale sell-again", Action.SALE_SELL_AGAIN,
        SaleEvent.SELL_AGAIN, _again, _sell_again,
    ),
    Act(
        "move", "move_sale", "sale move", Action.SALE_MOVE, None,
        lambda sale, form: {"sale": sale, "to": form.text("to")}, _move,
    ),
    Act(
        "settle", "settle_sale", "sale settle", Action.SALE_SETTLE, SaleEvent.SETTLED_AS_DEAD,
        lambda sale, form: {
            "sale": sale, "as": form.text("as"), "reason": form.text("reason"),
        }, _settle,
    ),
)  # fmt: skip


@router.get("/sales/{sale}")
def show(request: Request, visitor: Asking, sale: str) -> Response:
    """Return the page of a sale."""
    told = _sale(visitor, sale)
    return page(
        request,
        visitor,
        "sale.html",
        sale=told,
        acts=[
            {"name": act.name, "text": act.text, "key": new_key()}
            for act in ACTS
            if _is_possible(visitor, act, SaleState(told["state"]))
        ],
        print_key=new_key(),
        **side_of(visitor),
    )


@router.get("/sales/{sale}/state")
def state(request: Request, visitor: Asking, sale: str) -> HTMLResponse:
    """Return where a sale stands, as a part of its page."""
    return page(request, visitor, "sale_state.html", sale=_sale(visitor, sale))


@router.post("/sales/{sale}/{name}")
def act(visitor: Asking, form: Posted, sale: str, name: str) -> Response:
    """Do something about a sale, and return the way to its page or to the task that waits."""
    act = next((each for each in ACTS if each.name == name), None)
    if act is None:
        raise HTTPException(404, "there is no such page")
    body = act.body(sale, form)
    answer = visitor.ask(
        act.route, body, lambda work: act.do(work, **body), form.key, money=True
    ).values
    if "order" in answer and name == "sell-again":
        visitor.office.delivery.begin(int(answer["order"].removeprefix("O")))
    task = answer.get("task")
    return RedirectResponse(f"/tasks/{task}" if task else f"/sales/{answer['sale']}", 303)


def _sale(visitor: Visitor, sale: str) -> dict[str, Any]:
    with visitor.reading() as session:
        return sale_lists.show(session, visitor.actor, sale)


def _is_possible(visitor: Visitor, act: Act, state: SaleState) -> bool:
    """Return whether a person may do something about a sale in a state."""
    if not paths(visitor.actor, act.action):
        return False
    return state is SaleState.DELIVERED if act.event is None else (state, act.event) in SALE
