"""Customer: all of one agreement on one page, and what a person may do about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response
from markupsafe import Markup
from starlette.exceptions import HTTPException

from meterctl.utility.errors import Invalid
from meterctl.utility.rules.papers import ADDED_BY_HAND, DocumentKind, Paper
from meterctl.utility.rules.rights import Action
from meterctl.utility.rules.typed_text import word
from meterctl.utility.services import agreements, comparison, documents, findings, readings
from meterctl.utility.services.curves import curve_svg
from meterctl.utility.services.customer_page import customer_page
from meterctl.utility.services.printed_agreement.printing import Language, print_agreement
from meterctl.utility.store.findings import FindingRule
from meterctl.utility.store.rights import paths
from meterctl.utility.store.unit_of_work import UnitOfWork
from meterctl.utility.web.pages.asking import Asking, Form, Posted, new_key, see_other
from meterctl.utility.web.pages.rendering import language_of, page
from meterctl.utility.web.people import Visitor

router = APIRouter()
_Asked = tuple[str, dict[str, Any], Callable[[UnitOfWork], dict[str, Any]]]
_ENDINGS = {
    "application/pdf": ".pdf", "image/png": ".png", "image/jpeg": ".jpg", "text/html": ".html",
    "text/plain": ".txt",
}  # fmt: skip
_INLINE = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'"
"""A printed agreement is shown with the style in it; nothing in it can do anything."""


def _print(agreement: str, form: Form) -> _Asked:
    language = word(Language, form.text("language") or "zh", "language")
    return (
        "agreement print",
        {"agreement": agreement, "version": None, "language": language},
        lambda work: print_agreement(work, agreement=agreement, language=language),
    )


def _sign(agreement: str, form: Form) -> _Asked:
    name, paper = form.text("name"), _paper(form)
    body: dict[str, Any] = {"agreement": agreement, "name": name}
    if paper is not None:
        body["copy"] = paper.sha256
    return (
        "agreement sign",
        body,
        lambda work: agreements.sign(work, agreement=agreement, name=name, copy=paper),
    )


def _provision(agreement: str, _: Form) -> _Asked:
    return (
        "agreement provision",
        {"agreement": agreement, "opened": False},
        lambda work: agreements.provision(work, agreement=agreement, opened=False),
    )


def _write_terms(agreement: str, _: Form) -> _Asked:
    return (
        "agreement write-terms",
        {"agreement": agreement},
        lambda work: comparison.write_terms(work, agreement=agreement),
    )


def _read(agreement: str, _: Form) -> _Asked:
    return (
        "reading take",
        {"of": agreement},
        lambda work: readings.take(work, of=agreement),
    )


def _document(agreement: str, form: Form) -> _Asked:
    paper, kind = _paper(form), word(DocumentKind, form.text("kind"), "kind")
    if paper is None:
        raise Invalid("file", "choose a file; nothing was changed")
    return (
        "document add",
        {"for": agreement, "kind": kind, "name": paper.kept_name, "sha256": paper.sha256},
        lambda work: documents.add(work, of=agreement, kind=kind, paper=paper),
    )


ACTS: dict[str, tuple[Action, Callable[[str, Form], _Asked]]] = {
    "print": (Action.AGREEMENT_PRINT, _print),
    "sign": (Action.AGREEMENT_SIGN, _sign),
    "provision": (Action.AGREEMENT_PROVISION, _provision),
    "write-terms": (Action.AGREEMENT_PROVISION, _write_terms),
    "read": (Action.READING_TAKE, _read),
    "documents": (Action.DOCUMENT_ADD, _document),
}
"""Part of the address -> who may do it, and what is asked of the desk."""


@router.get("/customer/{agreement}")
def show(
    request: Request,
    visitor: Asking,
    agreement: str,
    after: Annotated[str | None, Query(max_length=60)] = None,
) -> Response:
    """Return all of an agreement; with `after`, an older part of its line of time."""
    zone = visitor.database.zone
    with visitor.reading() as session:
        told = customer_page(
            session, visitor.actor, visitor.now, zone, agreement, after=after or None
        )
        differing = findings.list_(
            session,
            visitor.actor,
            agreement=told["agreement"]["agreement"],
            rule=FindingRule.TERMS_DIFFER,
        )
    svg = curve_svg(told["curve"], zone, chinese=language_of(request).code == "zh")
    return page(
        request,
        visitor,
        "customer.html",
        told=told,
        customer=told["counter"],
        differing=differing,
        svg=Markup(svg),  # every text in it is escaped there
        acts=[name for name, (action, _) in ACTS.items() if paths(visitor.actor, action)],
        kinds=[kind.value for kind in ADDED_BY_HAND],
        act_key=new_key(),
    )


@router.post("/customer/{agreement}/{name}")
def act(visitor: Asking, form: Posted, agreement: str, name: str) -> Response:
    """Do something about an agreement; what follows from it at the meter is begun."""
    if name not in ACTS:
        raise HTTPException(404, "there is no such page")
    route, body, do = ACTS[name][1](agreement, form)
    told = visitor.ask(route, body, do, form.key).values
    for order in (told.get("order"), *(told.get("orders") or ())):
        if order is not None:
            visitor.office.delivery.begin(int(order.removeprefix("O")))
    if name == "print":
        return see_other(f"/documents/{told['document']}", key=form.key)
    return RedirectResponse(f"/customer/{agreement}", 303)


@router.get("/documents/{number}")
def document(
    visitor: Asking, number: str, key: Annotated[str, Query(max_length=64)] = ""
) -> Response:
    """Return a document; who gets it is written down."""
    told = _given(visitor, number, key or new_key())
    with visitor.reading() as session:
        content = documents.content_of(session, visitor.actor, number)
    is_ours = told["kind"] == DocumentKind.PRINTED_AGREEMENT
    headers = {"Content-Security-Policy": _INLINE}
    if not is_ours:
        name = f"{told['document']}{_ENDINGS.get(told['media_type'], '')}"
        headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return Response(content, media_type=told["media_type"], headers=headers)


def _given(visitor: Visitor, number: str, key: str) -> dict[str, Any]:
    return visitor.ask(
        "document get",
        {"document": number},
        lambda work: documents.give(work, document=number),
        f"{key}.get",
    ).values


def _paper(form: Form) -> Paper | None:
    """Return the file that was sent with a form, None where there is none."""
    name, content = form.files.get("file", ("", b""))
    return Paper(name, content) if content else None
