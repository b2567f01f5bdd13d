"""The pages of the desk, one file a page: forms that work without scripts, in two languages."""

from __future__ import annotations

from fastapi import APIRouter

from meterctl.utility.web.pages import counter, files, payments, receipts, sales, shift, sign_in

PAGES = (sign_in, counter, sales, payments, receipts, shift, files)


def router() -> APIRouter:
    """Return the routes of all pages."""
    whole = APIRouter()
    for page in PAGES:
        whole.include_router(page.router)
    return whole
