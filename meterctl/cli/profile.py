"""profile."""

from __future__ import annotations

import json
from collections.abc import Sequence

from meterctl.cli.arguments import LOOK
from meterctl.cli.forms import CsvExcelOption, CsvOption, TableForm, table_form
from meterctl.cli.lists import Columns, Extent, listing_of, print_list
from meterctl.cli.options import options
from meterctl.cli.output import print_table, say, table_of_fields
from meterctl.cli.progress import reading
from meterctl.cli.reports import (
    FromOption,
    PlotOption,
    ToOption,
    require_plot,
    require_rows,
    shown_serial_number,
)
from meterctl.cli.time_texts import short_end, short_moment
from meterctl.operations.load_profile import Gap, GapReason, Interval, read_profile
from meterctl.operations.local_time import read_offsets
from meterctl.operations.one_meter import of_one_meter
from meterctl.operations.time_span import bound_of, span_of
from protocols.command_line import Context, Program, examples
from protocols.data_model.kinds import ENERGY, POWER, Boolean, Moment
from protocols.data_model.tables import PROFILE, OffsetAt
from protocols.quantities import HOUR, format_fixed

_MARKS = ("power_down", "clock_set", "supply_open", "time_repeated", "saturated")
_INTERVAL = ("number", "begin", "end", "import_kwh", "export_kwh", "mean_kw", *_MARKS, "gap")
_EMPTY = "the meter has no record of this time"
_EXAMPLES = examples(
    ("meterctl --port m1.tty profile --from 2026-01-31 --to 2026-02-01", "One day."),
    ("meterctl --port m1.tty profile --csv-excel > january.csv", "All of it, for a spreadsheet."),
    ("meterctl --port m1.tty profile --plot load.svg", "Draw it."),
)


def add_to(app: Program) -> None:
    """Add the command of this file."""
    app.command("profile", rich_help_panel=LOOK, epilog=_EXAMPLES)(profile)


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
    record is of the same time. `saturated`: the energy is the largest that a record holds, and was
    that much or more.
    """
    given = options(context)
    form = table_form(given.json, as_csv, for_excel)
    bounds = bound_of("--from", first), bound_of("--to", last)
    require_plot(given, plot)
    with given.session() as session:
        driver = session.driver
        require_rows(given, driver, PROFILE, "load profile")
        with of_one_meter(driver) as one:
            serial = shown_serial_number(one) if plot is not None else ""
            span = span_of(one, *bounds)
            with reading("load profile", shown=not given.trace) as on_read:
                found = read_profile(one, span, on_read)
            parts = list(found.parts(span))
            offsets = read_offsets(one, [moment for part in parts for moment in _moments(part)])
    if form is TableForm.PEOPLE:
        _print_profile(parts, offsets.at)
    else:
        records = [_fragments(part, offsets.at) for part in parts]
        print_list(Extent(None, True, form), listing_of(records), Columns(_INTERVAL, (), _INTERVAL))
        if not records:
            say(_EMPTY)
    if plot is not None:
        from meterctl.cli.plots import profile_svg, write_plot

        write_plot(plot, profile_svg(serial, parts, offsets), given.own_files)


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
        "saturated": boolean.json(part.is_saturated),
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
    print_list(
        Extent(None, True, TableForm.PEOPLE),
        listing_of(rows),
        Columns(columns, right, columns, "-"),
        _EMPTY,
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
    saturated = sum(one.is_saturated for one in intervals)
    if saturated:
        say(
            f"{saturated} of the records {'is' if saturated == 1 else 'are'} saturated: the sum is "
            f"of at least as much, and the highest mean is that of the others"
        )


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
