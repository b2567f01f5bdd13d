"""Bulk sales: a progress bar, a line for every row, and a report after an interrupt."""

from __future__ import annotations

import contextlib
import json
import signal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from meterctl.cli.arguments import text_of
from meterctl.cli.options import Options
from meterctl.cli.output import (
    OutputError,
    print_json,
    print_table,
    result_fragments,
    say,
    table_of,
)
from meterctl.errors import UnknownOutcomeError, UsageError
from protocols.command_line import Exit
from protocols.quantities import CENT, format_money

if TYPE_CHECKING:
    from meterctl.operations.card.bulk import Done, RequestedSale

_COLUMNS = ("sale", "file", "card", "meter", "amount", "id", "outcome")


def sell_bulk(given: Options, path: Path) -> None:
    """Sell the rows of a CSV; exits with the worst code of its rows, or 7 after an interrupt."""
    from meterctl.operations.card.bulk import parse_sales

    try:
        wanted = parse_sales(text_of(path), path.parent)
    except UsageError as error:
        told = "\n".join(f"sales {path}: {line}" for line in str(error).splitlines())
        raise UsageError(f"{told}; nothing was sold") from error
    total = format_money(sum(one.cents for one in wanted) * CENT)
    given.confirm(
        f"sell {total} on {len(wanted)} cards (sales made before are left out)", last=False
    )
    done, interrupted = _sell(given, wanted)
    _report(given, done)
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
    raise Exit(worst)


def _sell(given: Options, wanted: list[RequestedSale]) -> tuple[list[Done], bool]:
    """Sell rows beside a progress bar; return their results, and whether the user interrupted it.

    A further interrupt is ignored, so that the sales are reported.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    from meterctl.operations.card.bulk import sell_all

    done: list[Done] = []
    interrupted = False
    columns = (TextColumn("selling"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
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
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    return done, interrupted


def _report(given: Options, done: list[Done]) -> None:
    """Print the table of the rows, and every error on stderr."""
    if not given.json and done:
        try:
            print_table(table_of([_bulk_row(one) for one in done], _COLUMNS, ("amount", "id")))
        except OutputError as error:
            say(f"meterctl: the sales cannot be printed: {error}; meterctl journal list shows them")
    for one in done:
        if one.error is not None:
            say(f"meterctl: sale {one.wanted.sale}: {one.error}")


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
        "serial_number": f'"{entry.meter}"' if entry else "null",
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
