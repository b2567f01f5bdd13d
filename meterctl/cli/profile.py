"""profile, freezes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from meterctl.cli.arguments import LOOK
from meterctl.cli.forms import CsvExcelOption, CsvOption, TableForm, table_form
from meterctl.cli.lists import Columns, Extent, listing_of, print_list
from meterctl.cli.options import Options, options
from meterctl.cli.output import print_table, say, table_of_fields
from meterctl.cli.progress import reading
from meterctl.cli.time_texts import short_end, short_moment
from meterctl.drivers import Reader
from meterctl.errors import UsageError
from meterctl.operations.load_profile import Gap, GapReason, Interval, read_profile
from meterctl.operations.local_time import Offsets, read_offsets
from meterctl.operations.paging import numbered
from meterctl.operations.snapshots import Snapshot, between
from meterctl.operations.time_span import bound_of, span_of
from protocols.command_line import Context, Option, Program, examples
from protocols.data_model import items
from protocols.data_model.kinds import ENERGY, MONEY, MONEY_EXACT, POWER, Boolean, Moment
from protocols.data_model.tables import (
    BILLING_FREEZES,
    DAILY_FREEZES,
    PROFILE,
    Freeze,
    OffsetAt,
    Table,
)
from protocols.quantities import DAY, HOUR, format_date, format_fixed

FromOption = Annotated[
    str | None,
    Option(
        "--from",
        metavar="MOMENT",
        help="Begin here: 2026-01-31, 2026-01-31T08:00 in the meter's local time, or with an "
        "offset as 2026-01-31T08:00+01:00.",
    ),
]
ToOption = Annotated[
    str | None,
    Option(
        "--to",
        metavar="MOMENT",
        help="End here; a date ends at its first instant, so that --from 2026-01-01 "
        "--to 2026-02-01 is January.",
    ),
]
PlotOption = Annotated[
    Path | None,
    Option("--plot", metavar="FILE.svg", help="Draw it into a file too; needs matplotlib."),
]
NATIVE = "native"
"""The map of a meter without --map."""
_MARKS = ("power_down", "clock_set", "supply_open", "time_repeated")
_INTERVAL = ("number", "begin", "end", "import_kwh", "export_kwh", "mean_kw", *_MARKS, "gap")
_FREEZE = (*Freeze.columns(), "missing_days", "used_kwh", "cost", "cost_exact")
_PROFILE_EXAMPLES = examples(
    ("meterctl --port m1.tty profile --from 2026-01-31 --to 2026-02-01", "One day."),
    ("meterctl --port m1.tty profile --csv-excel > january.csv", "All of it, for a spreadsheet."),
    ("meterctl --port m1.tty profile --plot load.svg", "Draw it."),
)
_FREEZE_EXAMPLES = examples(
    ("meterctl --port m1.tty freezes", "The registers at every midnight, and what each day used."),
    ("meterctl --port m1.tty freezes --billing --json", "Ends of billing periods, for a script."),
)


def add_to(app: Program) -> None:
    """Add the commands of this file."""
    app.command("profile", rich_help_panel=LOOK, epilog=_PROFILE_EXAMPLES)(profile)
    app.command("freezes", rich_help_panel=LOOK, epilog=_FREEZE_EXAMPLES)(freezes)


def profile(
    context: Context,
    first: FromOption = None,
    last: ToOption = None,
    as_csv: CsvOption = False,
    for_excel: CsvExcelOption = False,
    plot: PlotOption = None,
) -> None:
    """Show the load profile: the energy of each 15 minutes.

    It shows the intervals that end after --from and not after --to. A time without records is a row
    with `gap`, its reason, and no energy. `time_repeated`: the clock was set back, and an earlier
    record is of the same time.
    """
    given = options(context)
    form = table_form(given.json, as_csv, for_excel)
    bounds = bound_of("--from", first), bound_of("--to", last)
    _require_plot(plot)
    with given.session() as session:
        driver = session.driver
        require_rows(given, driver, PROFILE, "load profile")
        serial = _serial_number(driver) if plot is not None else ""
        span = span_of(driver, *bounds)
        with reading("load profile", shown=not given.trace) as on_read:
            found = read_profile(driver, span, on_read)
        parts = list(found.parts(span))
        offsets = read_offsets(driver, [moment for part in parts for moment in _moments(part)])
    if form is TableForm.PEOPLE:
        _print_profile(parts, offsets.at)
    else:
        records = [_fragments(part, offsets.at) for part in parts]
        print_list(Extent(None, True, form), listing_of(records), Columns(_INTERVAL, (), _INTERVAL))
    if plot is not None:
        from meterctl.cli.plots import profile_svg, write_plot

        write_plot(plot, profile_svg(serial, parts, offsets))


def _moments(part: Interval | Gap) -> Sequence[int]:
    return [part.end] if part.begin is None else [part.begin, part.end]


def _fragments(part: Interval | Gap, offset_at: OffsetAt) -> dict[str, str]:
    """Return an interval or a gap as JSON values; a gap has no energy."""
    begin, end = part.begin, part.end
    moment, boolean = Moment(), Boolean()
    times = {
        "begin": "null" if begin is None else moment.json(begin, offset_at(begin)),
        "end": moment.json(end, offset_at(end)),
    }
    if isinstance(part, Gap):
        empty = dict.fromkeys(_INTERVAL, "null")
        return {**empty, **times, "gap": json.dumps(part.reason.value)}
    record, mean = part.record, part.mean_mw
    return {
        "number": str(part.number),
        **times,
        "import_kwh": ENERGY.json(record.import_mwh),
        "export_kwh": ENERGY.json(record.export_mwh),
        "mean_kw": "null" if mean is None else POWER.json(mean),
        "power_down": boolean.json(record.power_down),
        "clock_set": boolean.json(record.clock_set),
        "supply_open": boolean.json(record.supply_open),
        "time_repeated": boolean.json(part.time_repeated),
        "gap": "null",
    }


def _print_profile(parts: Sequence[Interval | Gap], offset_at: OffsetAt) -> None:
    """Print rows for people, and their sums."""
    intervals = [part for part in parts if isinstance(part, Interval)]
    exports = any(one.record.export_mwh for one in intervals)
    energies = ("import_kwh", "export_kwh") if exports else ("import_kwh",)
    rows = [_row(part, offset_at) for part in parts]
    columns = ("begin", "end", *energies, "mean_kw", "marks")
    right = (*energies, "mean_kw")
    empty = "the meter has no record of this time"
    print_list(
        Extent(None, True, TableForm.PEOPLE),
        listing_of(rows),
        Columns(columns, right, columns, "-"),
        empty,
    )
    if not intervals:
        return
    means = [
        (one.mean_mw, one)
        for one in intervals
        if one.mean_mw is not None and not one.record.clock_set
    ]
    highest = max(means, key=lambda pair: pair[0], default=None)
    missing = sum(part.end - part.begin for part in parts if isinstance(part, Gap))
    sums = {
        "records": str(len(intervals)),
        "import_kwh": ENERGY.json(sum(one.record.import_mwh for one in intervals)),
        "export_kwh": ENERGY.json(sum(one.record.export_mwh for one in intervals)),
        "highest_mean_kw": "null" if highest is None else POWER.json(highest[0]),
        "highest_until": "null"
        if highest is None
        else json.dumps(short_moment(highest[1].end, offset_at)),
        "hours_without_records": format_fixed(missing * 100 // HOUR, 2, 2),
    }
    print_table(table_of_fields(sums, ("value",), title="sum"))


def _row(part: Interval | Gap, offset_at: OffsetAt) -> dict[str, str]:
    """Return a row for people: short times, and the marks in words."""
    fragments = _fragments(part, offset_at)
    if isinstance(part, Gap):
        marks = f"no records: {_GAP_WORDS[part.reason]}"
    else:
        marks = " ".join(name for name in _MARKS if fragments[name] == "true")
    begin = "null" if part.begin is None else json.dumps(short_moment(part.begin, offset_at))
    return {
        **fragments,
        "begin": begin,
        "end": json.dumps(short_end(part.begin, part.end, offset_at)),
        "marks": json.dumps(marks),
    }


_GAP_WORDS = {
    GapReason.POWER_DOWN: "no power",
    GapReason.CLOCK_SET: "the clock was set forward",
    GapReason.NOT_KEPT: "not kept any more",
    GapReason.UNKNOWN: "the meter does not tell why",
}


def freezes(
    context: Context,
    first: FromOption = None,
    last: ToOption = None,
    billing: Annotated[
        bool, Option("--billing", help="Those at the ends of billing periods.")
    ] = False,
    as_csv: CsvOption = False,
    for_excel: CsvExcelOption = False,
    plot: PlotOption = None,
) -> None:
    """Show the registers at each local midnight, and what was used since the one before.

    A freeze at the very moment of --to is shown too: it ends the last day. `missing_days` counts
    the days before it without a freeze of their own.
    """
    given = options(context)
    form = table_form(given.json, as_csv, for_excel)
    bounds = bound_of("--from", first), bound_of("--to", last)
    _require_plot(plot)
    table, name = (BILLING_FREEZES, "billing") if billing else (DAILY_FREEZES, "daily")
    with given.session() as session:
        driver = session.driver
        require_rows(given, driver, table, f"{name} freezes")
        serial = _serial_number(driver) if plot is not None else ""
        span = span_of(driver, *bounds)
        with reading(f"{name} freezes", shown=not given.trace) as on_read:
            rows = [row for _, row in numbered(driver, table, on_read=on_read)]
        offsets = read_offsets(driver, [row.at for row in rows])
    shown = [
        (before, row)
        for before, row in zip([None, *rows], rows, strict=False)
        if (span.begin is None or row.at >= span.begin) and (span.end is None or row.at <= span.end)
    ]
    records = [_freeze_fragments(before, row, offsets, billing) for before, row in shown]
    if form is TableForm.PEOPLE:
        _print_freezes(shown, records, offsets, billing)
    else:
        print_list(Extent(None, True, form), listing_of(records), Columns(_FREEZE, (), _FREEZE))
    if plot is not None:
        from meterctl.cli.plots import freezes_svg, write_plot

        kept = [row for _, row in shown]
        write_plot(plot, freezes_svg(serial, kept, offsets, is_daily=not billing))


def _freeze_fragments(
    before: Freeze | None, row: Freeze, offsets: Offsets, billing: bool
) -> dict[str, str]:
    """Return a freeze as JSON values, with what was used since the one before."""
    used = None if before is None else between(Snapshot.of(before), Snapshot.of(row))
    missing = None if before is None else max(offsets.date(row.at) - offsets.date(before.at) - 1, 0)
    cost = None if used is None else used.cost
    return {
        **row.fragments(offsets.at),
        "missing_days": "null" if missing is None or billing else str(missing),
        "used_kwh": "null" if used is None else ENERGY.json(used.import_mwh),
        "cost": "null" if cost is None else MONEY.json(cost),
        "cost_exact": "null" if cost is None else MONEY_EXACT.json(cost),
    }


def _print_freezes(
    shown: Sequence[tuple[Freeze | None, Freeze]],
    records: Sequence[dict[str, str]],
    offsets: Offsets,
    billing: bool,
) -> None:
    """Print freezes for people, their sum, and the days without one."""
    rows = [
        {
            **record,
            "at": json.dumps(_midnight(row.at, offsets)),
            "import_kwh": record["energy_import_kwh"],
            "export_kwh": record["energy_export_kwh"],
            "credit": record["available_credit"],
        }
        for (_, row), record in zip(shown, records, strict=True)
    ]
    exports = any(row.energy_export_kwh for _, row in shown)
    energies = ("import_kwh", "export_kwh") if exports else ("import_kwh",)
    numbers = (*energies, "used_kwh", "cost", "credit")
    columns = Columns(("at", *numbers), numbers, (), "-")
    empty = "the meter has no freeze of this time"
    print_list(Extent(None, True, TableForm.PEOPLE), listing_of(rows), columns, empty)
    for before, row in shown:
        if before is not None and not billing:
            _say_missing(before, row, offsets)
    if len(shown) > 1:
        used = between(Snapshot.of(shown[0][1]), Snapshot.of(shown[-1][1]))
        cost = "null" if used.cost is None else MONEY.json(used.cost)
        sums = {"freezes": str(len(shown)), "used_kwh": ENERGY.json(used.import_mwh), "cost": cost}
        print_table(table_of_fields(sums, ("value",), title="from the first to the last"))


def _midnight(instant: int, offsets: Offsets) -> str:
    """Return a midnight as its date, another moment with its time and offset."""
    if offsets.local_ms(instant) % DAY == 0:
        return format_date(offsets.date(instant))
    return short_moment(instant, offsets.at)


def _say_missing(before: Freeze, row: Freeze, offsets: Offsets) -> None:
    """Name the days without a freeze between two."""
    first, end = offsets.date(before.at) + 1, offsets.date(row.at)
    if first < end:
        last = format_date(end - 1)
        days = last if first == end - 1 else f"{format_date(first)} to {last}"
        say(f"no freeze of {days}: used_kwh of {format_date(end)} counts these days too")
    elif end < first:
        say(
            f"freeze {row.number} is not dated after freeze {before.number}: the clock was set back"
        )


def require_rows(given: Options, driver: Reader, table: Table, what: str) -> None:
    """Raise UsageError where the map of the meter does not have a table."""
    if not driver.has_rows(table):
        raise UsageError(f"map {given.map_name or NATIVE} has no {what}; nothing was sent")


def _require_plot(path: Path | None) -> None:
    if path is not None:
        from meterctl.cli.plots import require_plot

        require_plot(path)


def _serial_number(driver: Reader) -> str:
    """Return the serial number for a title; empty where the map does not have it."""
    if not driver.holds(items.SERIAL_NUMBER):
        return ""
    return str(driver.read([items.SERIAL_NUMBER])[items.SERIAL_NUMBER])
