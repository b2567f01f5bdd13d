"""purchases, events."""

from __future__ import annotations

from typing import Annotated

from meterctl.cli.arguments import LOOK
from meterctl.cli.options import options
from meterctl.cli.output import print_rows, table_of
from meterctl.cli.tables import Table
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
_NUMBERS = ("number", "sequence", *_AMOUNTS)


def add_to(app: Program) -> None:
    """Add the commands of this file."""
    app.command("purchases", rich_help_panel=LOOK)(purchases)
    app.command("events", rich_help_panel=LOOK)(events)


def purchases(context: Context) -> None:
    """Show the last ten accepted top-ups, newest first."""
    given = options(context)
    with given.session() as session:
        rows, _ = session.driver.rows(PURCHASES)
        offsets = read_offsets(session.driver, [row.at for row in rows])
    shown = [row.fragments(offsets.at) for row in reversed(rows)]
    print_rows(shown, given.json, table_of(shown, _PURCHASE, _NUMBERS, absent="null"))


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
) -> None:
    """Show the event log of the meter, oldest first."""
    given = options(context)
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
    records = [event_fragments(event, offset_at) for event in found]
    rows = [_event_row(event, offset_at) for event in found]
    columns = ("number", "at", "event", "details")
    print_rows(records, given.json, Table(columns, rows, ("number",)))


def _event_row(event: Event, offset_at: OffsetAt) -> list[str]:
    details = event.detail_fragments(offset_at)
    text = " ".join(f"{name}={value}" for name, value in details.items()).replace('"', "")
    at = event.fragments(offset_at)["at"].strip('"')
    return [str(event.number), at, event.name, text]


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
