"""The pages of the desk, one file a page: forms that work without scripts, in two languages."""

from __future__ import annotations

from fastapi import APIRouter

from meterctl.utility.web.pages import (
    bank,
    counter,
    customer,
    files,
    ledger,
    payments,
    receipts,
    sales,
    settings,
    sheet,
    shift,
    sign_in,
    tasks,
    today,
)

PAGES = (
    sign_in, counter, sales, payments, receipts, shift, today, sheet, tasks, ledger, settings,
    bank, customer, files,
)  # fmt: skip


def router() -> APIRouter:
    """Return the routes of all pages."""
    whole = APIRouter()
    for page in PAGES:
        whole.include_router(page.router)
    return whole
