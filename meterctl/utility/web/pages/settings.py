"""Settings 设置: the own password, the values of the company, its people and its ports."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response
from starlette.exceptions import HTTPException

from meterctl.utility.errors import Invalid
from meterctl.utility.rules.rights import Role
from meterctl.utility.rules.typed_text import word
from meterctl.utility.services import grants, settings, staff
from meterctl.utility.services.archive import ports
from meterctl.utility.store.authentication import draw_token, sign_in
from meterctl.utility.store.passwords import hash_password
from meterctl.utility.store.queries.organisation import codes_of_paths
from meterctl.utility.store.unit_of_work import UnitOfWork
from meterctl.utility.web.pages.asking import Asking, Form, Posted, new_key
from meterctl.utility.web.pages.rendering import page
from meterctl.utility.web.people import COOKIE

router = APIRouter()
_Asked = tuple[str, dict[str, Any], Callable[[UnitOfWork], dict[str, Any]]]


def _setting(form: Form) -> _Asked:
    code, value, node = form.text("code"), form.text("value"), form.optional("node")
    body = {"code": code, "value": value, "node": node, "class": None, "from_on": None}
    return (
        "setting set",
        body,
        lambda work: settings.set_value(work, code=code, value=value, node=node),
    )


def _person(form: Form) -> _Asked:
    number, name = form.text("number"), form.text("name")
    body = {"number": number, "name": name}
    return "staff add", body, lambda work: staff.add(work, number=number, name=name)


def _grant(form: Form) -> _Asked:
    number, node = form.text("number"), form.text("node")
    role = word(Role, form.text("role"), "role")
    body = {"number": number, "role": role, "node": node, "from_on": None, "to_on": None}
    return (
        "staff grant",
        body,
        lambda work: grants.grant(work, number=number, role=role, node=node),
    )


ACTS = {"value": _setting, "person": _person, "grant": _grant}


@router.get("/settings")
def show(
    request: Request,
    visitor: Asking,
    node: Annotated[str, Query(max_length=40)] = "",
    said: Annotated[str, Query(max_length=20)] = "",
) -> Response:
    """Return the settings that hold where the person works, and who works there."""
    with visitor.reading() as session:
        codes = codes_of_paths(session, {grant.path for grant in visitor.actor.grants})
        where = node or codes[0]
        values = settings.all_values(session, visitor.actor, where, visitor.today)
        people = staff.list_(session, visitor.actor, visitor.today)
        served = ports.list_(session, visitor.actor)
    return page(
        request,
        visitor,
        "settings.html",
        values=values,
        people=people,
        ports=served,
        node=where,
        codes=codes,
        roles=[role.value for role in Role],
        said=said,
        act_key=new_key(),
    )


@router.post("/settings/password")
def password(request: Request, visitor: Asking, form: Posted) -> Response:
    """Set the own password; the person stays signed in here, and is signed out elsewhere."""
    new = form.fields.get("password", "")
    if new != form.fields.get("again", ""):
        raise Invalid("password", "the two passwords differ; nothing was changed")
    hashed, keeps = hash_password(new), bool(form.text("keep_token"))
    visitor.ask(
        "staff password",
        {"keep_token": keeps},
        lambda work: staff.set_password(work, password_hash=hashed, keep_token=keeps),
        form.key,
    )
    answer = RedirectResponse("/settings?said=password_set", 303)
    answer.set_cookie(
        COOKIE,
        sign_in(visitor.database, visitor.actor),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer


@router.post("/settings/token")
def token(request: Request, visitor: Asking, form: Posted) -> Response:
    """Draw a token for a person, and show it once; the one before is not valid any more."""
    number, drawn = form.text("number"), draw_token()
    done = visitor.ask(
        "staff token",
        {"number": number},
        lambda work: staff.set_token(work, number=number, token_hash=drawn.token_hash),
        form.key,
    )
    shown = None if done.replayed else drawn.token
    return page(request, visitor, "token.html", number=number, token=shown)


@router.post("/settings/{name}")
def act(visitor: Asking, form: Posted, name: str) -> Response:
    """Change a value, add a person, or give a person a role."""
    if name not in ACTS:
        raise HTTPException(404, "there is no such page")
    route, body, do = ACTS[name](form)
    told = visitor.ask(route, body, do, form.key).values
    task = told.get("task")
    return RedirectResponse(f"/tasks/{task}" if task else "/settings?said=set", 303)
