"""watch."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from meterctl.cli.arguments import LOOK, unit_numbers
from meterctl.cli.interruption import interrupts
from meterctl.cli.options import options
from meterctl.cli.output import say
from meterctl.cli.reading import named_items
from meterctl.cli.values import item_names
from meterctl.errors import UsageError
from meterctl.written_files import require_other
from protocols.command_line import Argument, Context, Option, Program, examples
from protocols.quantities import DAY, SECOND, parse_duration

if TYPE_CHECKING:
    from meterctl.cli.watching.file import CsvFile
    from meterctl.cli.watching.lines import Sink
    from meterctl.operations.meter_watch import MeterWatch
    from meterctl.operations.watching import Pace
    from protocols.data_model.items import Item

LEAST_EVERY_MS = 200
UNITS = range(1, 248)
_WATCH = examples(
    ("meterctl --port m1.tty watch", "See it live: display, supply, credit, load, events."),
    ("meterctl --port m1.tty watch --json --every 5s", "An object each 5 s, for a script."),
    (
        "meterctl --port m1.tty watch active_power_kw --every 200ms --for 10m",
        "One item, as often as the line can.",
    ),
)


def add_to(app: Program) -> None:
    """Add the command of this file."""
    app.command("watch", rich_help_panel=LOOK, epilog=_WATCH)(watch)


def watch(
    context: Context,
    names: Annotated[
        list[str] | None,
        Argument(
            metavar="ITEM",
            help="Names of items to watch; without any, the state of the meter. New events are "
            "shown without an ITEM, and where event_number is one.",
            autocompletion=item_names,
        ),
    ] = None,
    every: Annotated[
        str,
        Option(
            "--every",
            metavar="TIME",
            help="Read so often, 200ms or more; never more often than the line can.",
        ),
    ] = "1s",
    count: Annotated[
        int | None, Option("--count", metavar="N", help="End after so many readings.")
    ] = None,
    lasts: Annotated[
        str | None, Option("--for", metavar="TIME", help="End after this time, such as 10m.")
    ] = None,
    on_change: Annotated[
        bool,
        Option(
            "--on-change",
            help="Print a reading only where it differs from the one before, the clock aside.",
        ),
    ] = False,
    csv_file: Annotated[
        Path | None,
        Option(
            "--csv",
            metavar="FILE",
            help="Write a row for each reading into a file too; one that exists is continued.",
        ),
    ] = None,
    excel_file: Annotated[
        Path | None,
        Option("--csv-excel", metavar="FILE", help="The same for a spreadsheet."),
    ] = None,
    units: Annotated[
        str | None,
        Option(
            "--units",
            metavar="N,N-N",
            help="Unit numbers of several meters on the port, such as 1,2,5-9, instead of --unit.",
        ),
    ] = None,
) -> None:
    """Watch a meter: a live table at a terminal, else a line for each reading, until Ctrl-C.

    A meter that does not answer is tried until it does, and an adapter that was unplugged is waited
    for. Another meter in its place is named, and its values are never mixed with those before.
    """
    from meterctl.cli.watching.lines import JsonLines, LogLines, OnChange
    from meterctl.cli.watching.screen import WatchScreen, events_shown, has_screen
    from meterctl.cli.watching.values import wanted_items
    from meterctl.cli.watching.views import WatchView
    from meterctl.operations.meter_watch import MeterWatch, Plan
    from meterctl.transports.wires import wall_milliseconds

    given = options(context)
    for path in filter(None, (csv_file, excel_file)):
        require_other(path, given.own_files)
    named = named_items(names or ())
    pace = _pace(every, count, lasts)
    numbers = [given.unit] if units is None else unit_numbers(units, UNITS, (UNITS[0], UNITS[-1]))
    is_shown = not given.json and has_screen(trace=given.trace)
    wanted = wanted_items(named, past_events=events_shown(len(numbers)) if is_shown else 0)
    of_port, of_files = Notices(), Notices()
    with given.readers(numbers, of_port) as readers:
        plan = Plan.of(readers[numbers[0]](), wanted)
        meters = [MeterWatch(unit, readers[unit], plan) for unit in numbers]
        shown = plan.shown
        with _files(csv_file, excel_file, shown, of_files) as files:
            kept: list[Sink] = [OnChange(file) if on_change else file for file in files]
            if not is_shown:
                lines = (
                    JsonLines(shown) if given.json else LogLines(shown, named, units is not None)
                )
                _run(meters, pace, [OnChange(lines) if on_change else lines, *kept])
                return
            view = WatchView.of(given.port or "", pace.every_ms, shown, named, numbers)
            with (
                WatchScreen(view, wall_milliseconds) as screen,
                of_port.shown_by(screen.port_notice),
                of_files.shown_by(screen.file_notice),
            ):
                _run(meters, pace, [screen, *kept])


class Notices:
    """Takes notices of the port or of files: for stderr, or for the screen meanwhile."""

    def __init__(self) -> None:
        self._to: Callable[[str], None] = say

    def __call__(self, text: str) -> None:
        self._to(text)

    @contextlib.contextmanager
    def shown_by(self, screen: Callable[[str], None]) -> Iterator[None]:
        """Give them to a screen for the length of a block."""
        self._to = screen
        try:
            yield
        finally:
            self._to = say


@contextlib.contextmanager
def _files(
    csv_file: Path | None, excel_file: Path | None, shown: Sequence[Item], notices: Notices
) -> Iterator[list[CsvFile]]:
    """Open the files of a watch; raises UsageError, in the end too if one takes no more rows."""
    from meterctl.cli.forms import TableForm
    from meterctl.cli.watching.file import CsvFile

    with contextlib.ExitStack() as stack:
        files = []
        for path, form in ((csv_file, TableForm.CSV), (excel_file, TableForm.CSV_EXCEL)):
            if path is not None:
                files.append(CsvFile(path, form, shown, notices))
                stack.callback(files[-1].close)
        yield files


def _run(meters: Sequence[MeterWatch], pace: Pace, sinks: Sequence[Sink]) -> None:
    """Watch until the pace or the user ends it.

    Raises:
        MeterctlError: the pace ended, and no meter has ever answered: the last failure.
    """
    from meterctl.operations.observations import Failure, Reading
    from meterctl.operations.watching import HostTime, watch
    from meterctl.transports.wires import monotonic_ms, pause_ms, wall_milliseconds

    has_answered, failure = False, None
    with ended_by_the_user():
        for seen in watch(meters, pace, HostTime(wall_milliseconds, monotonic_ms, pause_ms)):
            for sink in sinks:
                sink.take(seen)
            has_answered |= isinstance(seen, Reading)
            failure = seen.error if isinstance(seen, Failure) else failure
        if failure is not None and not has_answered:
            raise failure


@contextlib.contextmanager
def ended_by_the_user() -> Iterator[None]:
    """Run a watch; an interrupt ends it, and further ones are ignored while it is ended."""
    try:
        yield
    except KeyboardInterrupt:
        for number in interrupts():
            signal.signal(number, signal.SIG_IGN)


def _pace(every: str, count: int | None, lasts: str | None) -> Pace:
    """Return the pace of the options; raises UsageError."""
    from meterctl.operations.watching import Pace

    every_ms = _duration_ms(every)
    if not LEAST_EVERY_MS <= every_ms <= DAY:
        raise UsageError(f"--every {every}: allowed is 200ms to 1d; nothing was sent")
    if count is not None and count < 1:
        raise UsageError(f"--count {count}: allowed is 1 and more; nothing was sent")
    for_ms = None if lasts is None else _duration_ms(lasts)
    if for_ms == 0:
        raise UsageError(f"--for {lasts}: allowed is above 0; nothing was sent")
    return Pace(every_ms, count, for_ms)


def _duration_ms(text: str) -> int:
    """Return a duration; a number alone is seconds."""
    return parse_duration(text if not text.isdigit() else f"{int(text) * SECOND}ms")
