"""Bulk sales: a progress bar, a line for every row, and a report after an interrupt."""

from __future__ import annotations

import contextlib
import json
import signal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from meterctl.cli.card_output import plain
from meterctl.cli.options import Options, text_of
from meterctl.cli.output import OutputError, print_json, print_table, result_fragments, say
from meterctl.errors import UnknownOutcomeError, UsageError
from protocols.quantities import CENT, format_money

if TYPE_CHECKING:
    from meterctl.operations.card.bulk import Done


def sell_bulk(given: Options, path: Path) -> None:
    """Sell the rows of a CSV; exits with the worst code of its rows, or 7 after an interrupt."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    from meterctl.operations.card.bulk import parse_sales, sell_all

    try:
        wanted = parse_sales(text_of(path), path.parent)
    except UsageError as error:
        raise UsageError(f"sales {path}: {error}; nothing was sold") from error
    total = format_money(sum(one.cents for one in wanted) * CENT)
    given.confirm(
        f"sell {total} on {len(wanted)} cards (sales made before are left out)", last=False
    )
    done: list[Done] = []
    interrupted = False
    columns = (TextColumn("selling"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    from rich.console import Console

    console = Console(stderr=True)
    bar = Progress(*columns, console=console, disable=given.json or not console.is_terminal)
    with given.open_journal() as journal, bar as progress:
        task = progress.add_task("", total=len(wanted))
        opened = partial(given.presented, reader=None)
        try:
            for one in sell_all(wanted, journal, opened, rehearsal=given.dry_run):
                done.append(one)
                progress.advance(task)
                if given.json:
                    _print_row(one)
        except KeyboardInterrupt:
            interrupted = True
        signal.signal(
            signal.SIGINT, signal.SIG_IGN
        )  # a further interrupt must not suppress the report of the sales
    if not given.json and done:
        rows = [_bulk_row(one) for one in done]
        table = [[plain(value) for name, value in row.items() if name != "reason"] for row in rows]
        try:
            print_table("", [name for name in rows[0] if name != "reason"], table, ("amount", "id"))
        except OutputError as error:
            say(f"meterctl: the sales cannot be printed: {error}; meterctl journal list shows them")
    for one in done:
        if one.error is not None:
            say(f"meterctl: sale {one.wanted.sale}: {one.error}")
    if interrupted and not done:
        raise KeyboardInterrupt
    if interrupted:
        raise UnknownOutcomeError(
            f"interrupted after {len(done)} of {len(wanted)} sales: the same command "
            f"goes on, and sells nothing twice"
        )
    worst = max((one.error.exit_code for one in done if one.error is not None), default=0)
    if given.json:
        failed = sum(one.error is not None for one in done)
        text = f"{len(done)} of {len(wanted)} rows, {failed} failed"
        with contextlib.suppress(OutputError):
            print_json(result_fragments(worst, message=text, planned=given.dry_run and not worst))
    raise typer.Exit(worst)


def _print_row(done: Done) -> None:
    """Print the result of a row; if stdout fails, name its journal entry on stderr."""
    try:
        print_json(_bulk_row(done))
    except OutputError as error:
        entry = f"journal entry {done.entry.id}" if done.entry else f"sale {done.wanted.sale}"
        say(f"meterctl: {entry} cannot be printed: {error}")


def _bulk_row(done: Done) -> dict[str, str]:
    """Return the result of a row as JSON values."""
    wanted, entry = done.wanted, done.entry
    return {
        "sale": json.dumps(wanted.sale),
        "file": json.dumps(str(wanted.file)),
        "card": f'"{entry.card}"' if entry else "null",
        "meter": f'"{entry.meter}"' if entry else "null",
        "amount": format_money(wanted.cents * CENT),
        "id": str(entry.id) if entry else "null",
        "outcome": f'"{_bulk_outcome(done)}"',
        "reason": json.dumps(str(done.error) if done.error else None),
    }


def _bulk_outcome(done: Done) -> str:
    if done.error is not None:
        return "unknown" if done.error.exit_code == UnknownOutcomeError.exit_code else "failed"
    if done.entry is None:
        return "would_be_sold"
    return "sold_before" if done.before else "sold"
