"""Sheet 日结单: the sheet of a date or of a shift, as it is printed; a date is closed here."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response
from markupsafe import Markup

from meterctl.utility.rules.calendar import end_of
from meterctl.utility.rules.rights import Action
from meterctl.utility.rules.typed_text import day
from meterctl.utility.services import closing, shift_lists
from meterctl.utility.services.sheets.day_document import day_document
from meterctl.utility.services.sheets.document import Document
from meterctl.utility.services.sheets.lookup import dates_of, day_sheet, shift_sheet
from meterctl.utility.services.sheets.page import sheet_body
from meterctl.utility.services.sheets.shift_document import shift_document
from meterctl.utility.store.queries.organisation import codes_of_paths, company
from meterctl.utility.store.rights import paths
from meterctl.utility.web.pages.asking import Asking, Posted, new_key
from meterctl.utility.web.pages.rendering import page
from meterctl.utility.web.people import Visitor

router = APIRouter()
DATES = 31
"""Dates that the list has, the newest ones."""
SHIFTS = 20


@router.get("/sheet")
def choose(request: Request, visitor: Asking) -> Response:
    """Return the dates and the shifts that have a sheet."""
    with visitor.reading() as session:
        dates = dates_of(session, visitor.actor, DATES)
        shifts = shift_lists.list_(session, visitor.actor, closed=True, limit=SHIFTS)
        codes = codes_of_paths(session, set(paths(visitor.actor, Action.SHEET_READ)))
        sees_all = visitor.actor.may(Action.SHEET_READ, company(session).path)
    return page(
        request,
        visitor,
        "sheets.html",
        dates=dates,
        shifts=shifts,
        today=visitor.today,
        codes=[None] if sees_all else codes,
    )


@router.get("/sheet/shift/{number}")
def of_shift(request: Request, visitor: Asking, number: str) -> Response:
    """Return the sheet of a shift."""
    with visitor.reading() as session:
        sheet = shift_sheet(session, visitor.actor, visitor.now, number)
    return _page(request, visitor, shift_document(sheet, visitor.database.zone), None)


@router.get("/sheet/{on}")
def of_day(
    request: Request,
    visitor: Asking,
    on: str,
    node: Annotated[str | None, Query(max_length=40)] = None,
) -> Response:
    """Return the sheet of a date, as of now where it has not ended."""
    wanted, zone = day(on, "date"), visitor.database.zone
    with visitor.reading() as session:
        sheet, seal = day_sheet(
            session, visitor.actor, visitor.now, end_of(wanted, zone), node or None
        )
    closes = wanted if seal is None and sheet.has_ended and not sheet.node else None
    return _page(request, visitor, day_document(sheet, seal, zone), closes)


@router.post("/sheet/{on}/close")
def close(visitor: Asking, form: Posted, on: str) -> Response:
    """Close a date for ever."""
    wanted = day(on, "date")
    visitor.ask(
        "close day",
        {"on": wanted.isoformat()},
        lambda work: closing.close_day(work, on=wanted),
        form.key,
    )
    return RedirectResponse(f"/sheet/{wanted.isoformat()}", 303)


def _page(request: Request, visitor: Visitor, document: Document, closes: date | None) -> Response:
    return page(
        request,
        visitor,
        "sheet.html",
        title=f"{document.title.en} {document.subject}",
        body=Markup(sheet_body(document)),  # every value in it is escaped there
        closes=closes,
        close_key=new_key(),
    )
