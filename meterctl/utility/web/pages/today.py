"""Today 今日: a row for each station; every figure opens the rows that it counts."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from meterctl.utility.rules.typed_text import word
from meterctl.utility.services import today as services
from meterctl.utility.store.queries.today import TodayFigure
from meterctl.utility.web.pages.asking import Asking
from meterctl.utility.web.pages.rendering import page

router = APIRouter()
ROWS = 200
"""Rows of a figure on a page."""
AMOUNTS = (TodayFigure.SOLD_YESTERDAY, TodayFigure.SOLD_TODAY, TodayFigure.CASH)
"""Figures that are shown by their amount; of the others, how many."""
AGED = (
    TodayFigure.CASH,
    TodayFigure.UNKNOWN,
    TodayFigure.ON_CARD,
    TodayFigure.SUSPENSE,
    TodayFigure.TASKS_LATE,
)
"""Figures beside which the age of the oldest row stands."""
ALARMS = frozenset(TodayFigure) - {*AMOUNTS, TodayFigure.WAITING}
"""Figures that should be 0."""


@router.get("/today")
def show(
    request: Request, visitor: Asking, node: Annotated[str | None, Query(max_length=40)] = None
) -> Response:
    """Return the figures of each station."""
    with visitor.reading() as session:
        told = services.today(
            session, visitor.actor, visitor.now, visitor.database.zone, node or None
        )
    return page(
        request,
        visitor,
        "today.html",
        told=told,
        figures=list(TodayFigure),
        amounts=AMOUNTS,
        aged=AGED,
        alarms=ALARMS,
    )


@router.get("/today/{figure}")
def rows(
    request: Request,
    visitor: Asking,
    figure: str,
    node: Annotated[str | None, Query(max_length=40)] = None,
    own: bool = False,
    offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
) -> Response:
    """Return the rows that a figure counts, with their sum."""
    wanted = word(TodayFigure, figure, "figure")
    with visitor.reading() as session:
        zone = visitor.database.zone
        found = services.rows(
            session, visitor.actor, visitor.now, zone, wanted, node or None, own=own,
            limit=ROWS + 1, offset=offset,
        )  # fmt: skip
    return page(
        request,
        visitor,
        "today_rows.html",
        figure=wanted,
        rows=found[:ROWS],
        node=node,
        own=own,
        offset=offset,
        next_offset=offset + ROWS if len(found) > ROWS else None,
        is_money=wanted.is_money,
    )
