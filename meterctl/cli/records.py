"""purchases, events."""

from __future__ import annotations

from typing import Annotated

from meterctl.cli.arguments import LOOK
from meterctl.cli.options import options
from meterctl.cli.output import Table, print_rows, table_of
from protocols.command_line import Context, Option, Program
from protocols.data_model import items
from protocols.data_model.kinds import COUNT
from protocols.data_model.tables import EVENTS, PURCHASES, Event

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
        offset = session.driver.read([items.UTC_OFFSET])[items.UTC_OFFSET]
        rows, _ = session.driver.rows(PURCHASES)
    shown = [row.fragments(offset) for row in reversed(rows)]
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
        values = session.driver.read([items.UTC_OFFSET, items.EVENT_NUMBER])
        offset, newest = values[items.UTC_OFFSET], values[items.EVENT_NUMBER]
        found: list[Event] = []
        next_number, more = max(first, newest - EVENTS.depth + 1, 1), newest > 0
        while more and next_number <= newest:
            rows, more = session.driver.rows(EVENTS, next_number)
            found += rows
            next_number = rows[-1].number + 1 if rows else newest + 1
    records = [event_fragments(event, offset) for event in found]
    rows = [_event_row(event, offset) for event in found]
    columns = ("number", "at", "event", "details")
    print_rows(records, given.json, Table(columns, rows, ("number",)))


def _event_row(event: Event, utc_offset_minutes: int) -> list[str]:
    details = event.detail_fragments(utc_offset_minutes)
    text = " ".join(f"{name}={value}" for name, value in details.items()).replace('"', "")
    at = event.fragments(utc_offset_minutes)["at"].strip('"')
    return [str(event.number), at, event.name, text]


def event_fragments(event: Event, utc_offset_minutes: int) -> dict[str, str]:
    """Return an event as JSON values: number, at, event, and its own details."""
    shown = event.fragments(utc_offset_minutes)
    return {
        "number": COUNT.json(event.number),
        "at": shown["at"],
        "event": f'"{event.name}"',
        "elapsed_ms": COUNT.json(event.elapsed_ms),
        **event.detail_fragments(utc_offset_minutes),
    }
