"""purchases, events."""

from __future__ import annotations

import json
from typing import Annotated

from meterctl.cli.arguments import LOOK
from meterctl.cli.forms import CsvExcelOption, CsvOption, TableForm, table_form
from meterctl.cli.lists import (
    AllOption,
    Columns,
    Extent,
    LimitOption,
    listing_of,
    print_list,
)
from meterctl.cli.options import options
from meterctl.errors import UsageError
from meterctl.operations.local_time import read_offsets
from protocols.command_line import Context, Option, Program
from protocols.data_model import items
from protocols.data_model.kinds import COUNT
from protocols.data_model.tables import EVENTS, PURCHASES, Event, OffsetAt

_AMOUNTS = (
    "amount",
    "to_overdraft",
    "to_debt",
    "credit_before",
    "credit_after",
    "cumulative",
)
_PURCHASE = ("number", "at", "kind", *_AMOUNTS, "sequence", "carrier")
_EVENT = ("number", "at", "event", "details")
_NUMBERS = ("number", "sequence", *_AMOUNTS)


def add_to(app: Program) -> None:
    """Add the commands of this file."""
    app.command("purchases", rich_help_panel=LOOK)(purchases)
    app.command("events", rich_help_panel=LOOK)(events)


def purchases(
    context: Context,
    limit: Annotated[
        int | None, Option("--limit", metavar="N", help="Show the newest N of them.")
    ] = None,
    every: Annotated[
        bool, Option("--all", help="Show all that the meter keeps, as without --limit.")
    ] = False,
    as_csv: CsvOption = False,
    for_excel: CsvExcelOption = False,
) -> None:
    """Show the accepted top-ups that the meter keeps, at most ten, newest first."""
    given = options(context)
    extent = Extent(limit, every, table_form(given.json, as_csv, for_excel))
    with given.session() as session:
        rows, _ = session.driver.rows(PURCHASES)
        offsets = read_offsets(session.driver, [row.at for row in rows])
    shown = [row.fragments(offsets.at) for row in reversed(rows)]
    columns = Columns(_PURCHASE, _NUMBERS, _PURCHASE, absent="null")
    print_list(extent, listing_of(shown, newest_first=True), columns)


def events(
    context: Context,
    first: Annotated[
        int,
        Option(
            "--from",
            metavar="NUMBER",
            help="Begin with the event of this number; 0 begins with the oldest kept.",
        ),
    ] = 0,
    limit: LimitOption = None,
    every: AllOption = False,
    as_csv: CsvOption = False,
    for_excel: CsvExcelOption = False,
) -> None:
    """Show the event log of the meter, oldest first."""
    given = options(context)
    if first < 0:
        raise UsageError(f"--from {first}: allowed is 0, for the oldest kept, and more")
    form = table_form(given.json, as_csv, for_excel)
    extent = Extent(limit, every or (first > 0 and limit is None), form)
    with given.session() as session:
        newest = session.driver.read([items.EVENT_NUMBER])[items.EVENT_NUMBER]
        found: list[Event] = []
        next_number, more = max(first, newest - EVENTS.depth + 1, 1), newest > 0
        while more and next_number <= newest:
            rows, more = session.driver.rows(EVENTS, next_number)
            found += rows
            next_number = rows[-1].number + 1 if rows else newest + 1
        moments = [moment for event in found for moment in event.moments()]
        offset_at = read_offsets(session.driver, moments).at
    fragments = event_fragments if form is TableForm.JSON else _event_row
    listing = listing_of([fragments(event, offset_at) for event in found])
    print_list(extent, listing, Columns(_EVENT, ("number",), _EVENT))


def _event_row(event: Event, offset_at: OffsetAt) -> dict[str, str]:
    """Return an event as JSON values for a table: its own details are one text."""
    details = event.detail_fragments(offset_at)
    text = " ".join(f"{name}={value}" for name, value in details.items()).replace('"', "")
    shown = event_fragments(event, offset_at)
    return {**{name: shown[name] for name in _EVENT[:-1]}, "details": json.dumps(text)}


def event_fragments(event: Event, offset_at: OffsetAt) -> dict[str, str]:
    """Return an event as JSON values: number, at, event, and its own details."""
    shown = event.fragments(offset_at)
    return {
        "number": COUNT.json(event.number),
        "at": shown["at"],
        "event": f'"{event.name}"',
        "elapsed_ms": COUNT.json(event.elapsed_ms),
        **event.detail_fragments(offset_at),
    }
