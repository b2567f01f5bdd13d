"""The own shift: opened, counted, closed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from starlette.exceptions import HTTPException

from meterctl.utility.services import shifts
from meterctl.utility.store.unit_of_work import UnitOfWork
from meterctl.utility.web.pages.asking import Asking, Form, Posted, new_key
from meterctl.utility.web.pages.rendering import page
from meterctl.utility.web.pages.side import side_of

router = APIRouter()
_Asked = tuple[str, dict[str, Any], Callable[[UnitOfWork], dict[str, Any]]]


def _open(form: Form) -> _Asked:
    node, amount = form.optional("node"), form.amount("float", zero=True)
    body = {"node": node, "float": amount}
    return (
        "shift open",
        body,
        lambda work: shifts.open_shift(work, node=node, float_amount=amount),
    )


def _count(form: Form) -> _Asked:
    shift, counted = form.optional("shift"), form.amount("counted", zero=True)
    body = {"shift": shift, "counted": counted}
    return "shift count", body, lambda work: shifts.count(work, shift=shift, counted=counted)


def _recount(form: Form) -> _Asked:
    shift = form.optional("shift")
    return "shift recount", {"shift": shift}, lambda work: shifts.recount(work, shift=shift)


def _close(form: Form) -> _Asked:
    shift, slip = form.optional("shift"), form.optional("slip")
    body = {"shift": shift, "slip": slip}
    return "shift close", body, lambda work: shifts.close(work, shift=shift, slip=slip)


ACTS = {"open": _open, "count": _count, "recount": _recount, "close": _close}


@router.get("/shift")
def show(request: Request, visitor: Asking) -> Response:
    """Return the page of the own shift."""
    return page(request, visitor, "shift.html", act_key=new_key(), **side_of(visitor))


@router.post("/shift/{name}")
def act(visitor: Asking, form: Posted, name: str) -> Response:
    """Open, count or close a shift."""
    if name not in ACTS:
        raise HTTPException(404, "there is no such page")
    route, body, do = ACTS[name](form)
    done = visitor.ask(route, body, do, form.key, money=True).values
    after = {"open": "/counter", "recount": "/counter", "count": "/shift"}
    return RedirectResponse(after.get(name, f"/sheet/shift/{done['shift']}"), 303)
