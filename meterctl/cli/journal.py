"""journal list|resolve."""

from __future__ import annotations

import json
import time
from typing import Annotated

import typer

from meterctl.cli.options import Options, options, say
from meterctl.cli.output import print_json, print_table
from meterctl.errors import UsageError
from meterctl.journal import Entry, EntryState
from meterctl.operations.credit import close_by_hand, is_dead
from meterctl.operations.credit import resolve as settle_open
from protocols.data_model import items
from protocols.quantities import CENT, format_moment, format_money

_journal = typer.Typer(no_args_is_help=True, help="What was sealed and what became of it.")
_COLUMNS = ("id", "meter", "epoch", "sequence", "kind", "amount", "state", "outcome", "created", "changed", "card")


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(_journal, name="journal")


@_journal.command("list")
def list_(
    context: typer.Context,
    open_only: Annotated[bool, typer.Option("--open", help="Only what is not settled.")] = False,
) -> None:
    """List the journal, oldest first."""
    given = options(context)
    with given.open_journal() as journal:
        entries = [e for e in journal.entries() if e.is_open or not open_only]
    _print(entries, given.json)


@_journal.command("resolve")
def resolve(
    context: typer.Context,
    number: Annotated[int | None, typer.Argument(metavar="[ID]", help="One entry; none is every open one.")] = None,
    by_hand: Annotated[
        str | None, typer.Option("--as", metavar="confirmed|refused", help="Close one entry that nothing can prove.")
    ] = None,
) -> None:
    """Settle open entries of the meter on the port: ask for the receipt, send the very bytes again, or void them."""
    given = options(context)
    if by_hand is not None:
        _close_by_hand(given, number, by_hand)
        return
    with given.open_journal() as journal, given.session(seals=True) as session:
        results = settle_open(session, journal, number)
    _print([result.entry for result in results], given.json)
    if not results:
        say("nothing is open")
    worst = max((r.error.exit_code for r in results if r.error is not None), default=0)
    for result in results:
        if result.error is not None:
            say(f"meterctl: {result.error}")
    raise typer.Exit(worst)


def _close_by_hand(given: Options, number: int | None, word: str) -> None:
    states = {state.value: state for state in (EntryState.CONFIRMED, EntryState.REFUSED)}
    if number is None or word not in states:
        raise UsageError("--as closes one entry: write journal resolve ID --as confirmed, or --as refused")
    with given.open_journal() as journal:
        entry = journal.entry(number)
        dead = False
        if given.port is not None:
            with given.session(seals=True) as session:
                dead = is_dead(session, journal, entry)
        if not entry.is_open:
            raise UsageError(f"journal entry {number} is {entry.state.value} already; nothing was changed")
        question = f"close entry {number} ({entry.kind}, meter {entry.meter}) as {word} without proof"
        if not given.confirm(question):
            return
        _print([close_by_hand(journal, entry, states[word], int(time.time()), dead=dead)], given.json)


@_journal.command("audit")
def audit(context: typer.Context) -> None:
    """Show the audit: what was done with cards, and what was not allowed."""
    given = options(context)
    with given.open_journal() as journal:
        lines = journal.audit_lines()
    rows = [
        {
            "id": str(line.id), "at": f'"{format_moment(line.at * 1000)}"', "what": f'"{line.what}"',
            "meter": json.dumps(line.meter or None), "card": json.dumps(line.card or None),
            "amount": format_money(line.amount * CENT), "detail": json.dumps(line.detail),
        }
        for line in lines
    ]  # fmt: skip
    if given.json:
        for row in rows:
            print_json(row)
    elif rows:
        table = [[v.strip('"').replace("null", "") for v in row.values()] for row in rows]
        print_table("", list(rows[0]), table, ("id", "amount"))
    else:
        say("nothing was audited")


def entry_fragments(entry: Entry) -> dict[str, str]:
    """Return an entry as JSON values."""
    return {
        "id": str(entry.id),
        "meter": f'"{entry.meter}"',
        "epoch": items.EPOCH.kind.json(entry.epoch),
        "sequence": str(entry.sequence),
        "kind": f'"{entry.kind}"',
        "amount": format_money(entry.amount * CENT),
        "state": f'"{entry.state.value}"',
        "outcome": json.dumps(entry.outcome or None),
        "created": f'"{format_moment(entry.created * 1000)}"',
        "changed": f'"{format_moment(entry.changed * 1000)}"',
        "card": json.dumps(entry.card or None),
    }


def _print(entries: list[Entry], as_json: bool) -> None:
    if as_json:
        for entry in entries:
            print_json(entry_fragments(entry))
    else:
        rows = [[v.strip('"').replace("null", "") for v in entry_fragments(e).values()] for e in entries]
        print_table("", _COLUMNS, rows, ("id", "sequence", "amount"))
