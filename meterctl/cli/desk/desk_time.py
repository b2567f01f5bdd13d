"""desk time show|advance."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

from meterctl.cli.desk.desk_options import desk_options
from meterctl.cli.desk.desk_output import print_done, print_record
from meterctl.cli.desk.signed_in import signed_in
from meterctl.utility.meters.simulator import require_listening, tell
from meterctl.utility.services import clock
from protocols.command_line import Argument, Context, Option, Program
from protocols.quantities import format_duration, parse_duration

_time = Program("The desk's clock. One that was made with --simulated is moved by hand.")


def add_to(app: Program) -> None:
    """Add the commands of this file."""
    app.add_typer(_time, name="time")


@_time.command("show")
def show(context: Context) -> None:
    """Show the desk's clock and zone."""
    given = desk_options(context)
    with signed_in(given) as desk:
        shown = {
            "now_at": desk.now,
            "today": desk.today.isoformat(),
            "zone": str(desk.database.zone),
            "simulated": desk.database.simulated,
        }
        print_record(given, desk.record(shown))


@_time.command("advance")
def advance(
    context: Context,
    duration: Annotated[str, Argument(metavar="TIME", help="How far, such as 1d or 90m.")],
    control: Annotated[
        list[Path] | None,
        Option(
            "--control",
            metavar="PATH",
            help="Control socket of a `meter-sim run` whose meters are moved first; repeatable.",
        ),
    ] = None,
) -> None:
    """Move the clock of a simulated desk, the meters' before it.

    A key that was used already moves neither.
    """
    given = desk_options(context)
    by = parse_duration(duration)
    sockets = control or []
    for path in sockets:
        require_listening(path)
    with signed_in(given) as desk:
        body = {"by": by, "control": [str(path) for path in sockets]}
        advance_clock = partial(desk.ask, "time advance", body, partial(clock.advance, by=by))
        rehearsed = advance_clock(dry_run=True)  # before meters move, which nothing moves back
        if not (given.dry_run or rehearsed.replayed):
            for path in sockets:
                tell(path, ["advance", format_duration(by)])
        answer = advance_clock()
        record = desk.record({**answer.values, "replayed": answer.replayed})
    before = " (moved before under this key)" if answer.replayed else ""
    print_done(
        given,
        record if given.json else {},
        f"the desk's clock is {format_duration(by)} later{before}",
    )
