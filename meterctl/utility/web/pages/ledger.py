"""Ledger 账簿: every account on a date, what was booked, and an agreement's own statement."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from meterctl.utility.rules.typed_text import day
from meterctl.utility.services import statements
from meterctl.utility.web.pages.asking import Asking
from meterctl.utility.web.pages.rendering import page

router = APIRouter()
ENTRIES = 200
"""Entries on a page."""


@router.get("/ledger")
def of_date(
    request: Request,
    visitor: Asking,
    on: Annotated[str, Query(max_length=10)] = "",
    after: Annotated[int, Query(ge=0, le=2**62)] = 0,
) -> Response:
    """Return the accounts on a date, and its entries."""
    wanted = day(on, "date") if on else visitor.today
    with visitor.reading() as session:
        totals = statements.totals_on(session, visitor.actor, wanted)
        lines = statements.entries_on(session, visitor.actor, wanted, after, ENTRIES)
    numbers = [line.entry for line in lines]
    more = numbers[-1] if len(set(numbers)) == ENTRIES else None
    return page(
        request,
        visitor,
        "ledger.html",
        on=wanted.isoformat(),
        totals=totals,
        lines=lines,
        more=more,
    )


@router.get("/ledger/{agreement}")
def of_agreement(request: Request, visitor: Asking, agreement: str) -> Response:
    """Return what moved on the accounts of an agreement."""
    with visitor.reading() as session:
        lines = statements.statement_of(session, visitor.actor, agreement)
    last = {line.account: line.balance for line in lines}
    return page(request, visitor, "statement.html", agreement=agreement, lines=lines, last=last)
