"""Receipts: seen on a page, and printed, each print counted before it is shown."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from meterctl.slips.page import slip_page
from meterctl.utility.services import receipts
from meterctl.utility.services.receipt_slip import CHINESE, ENGLISH, slip_of
from meterctl.utility.web.pages.asking import Asking, Posted, key_of, new_key, see_other
from meterctl.utility.web.pages.rendering import language_of, page

router = APIRouter()
_WORDS = {"en": ENGLISH, "zh": CHINESE}
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
"""A printed page has its style in itself."""


@router.get("/receipts/{number}")
def show(request: Request, visitor: Asking, number: str) -> Response:
    """Return the page of a receipt."""
    with visitor.reading() as session:
        told = receipts.show(session, visitor.actor, number)
    return page(request, visitor, "receipt.html", receipt=told, print_key=new_key())


@router.post("/receipts/{number}/print")
def print_(visitor: Asking, form: Posted, number: str) -> Response:
    """Count a print of a receipt, and return the way to it."""
    visitor.ask(
        "receipt print",
        {"receipt": number},
        lambda work: receipts.print_receipt(work, named=number),
        form.key,
    )
    return see_other(f"/receipts/{number}/prints/{form.key}")


@router.get("/receipts/{number}/prints/{key}")
def printed(request: Request, visitor: Asking, number: str, key: str) -> Response:
    """Return a print that was counted; looked at again it is the same print."""
    with visitor.reading() as session:
        told = receipts.printed(session, visitor.actor, number, key_of(key))
    slip = slip_of(told, _WORDS[language_of(request).code], visitor.database.zone)
    return HTMLResponse(slip_page(slip), headers={"Content-Security-Policy": _POLICY})
