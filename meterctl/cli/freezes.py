"""freezes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated

from meterctl.cli.arguments import LOOK
from meterctl.cli.forms import CsvExcelOption, CsvOption, TableForm, table_form
from meterctl.cli.lists import Columns, Extent, listing_of, print_list
from meterctl.cli.options import options
from meterctl.cli.output import print_table, say, table_of_fields
from meterctl.cli.progress import reading
from meterctl.cli.reports import (
    ROUNDED,
    FromOption,
    PlotOption,
    ToOption,
    adds_up,
    cost_fragments,
    require_plot,
    require_rows,
    shown_account_unit,
    shown_serial_number,
)
from meterctl.cli.time_texts import short_moment
from meterctl.operations.local_time import Offsets, read_offsets
from meterctl.operations.one_meter import of_one_meter
from meterctl.operations.paging import numbered
from meterctl.operations.snapshots import Snapshot, between
from meterctl.operations.time_span import bound_of, span_of
from protocols.command_line import Context, Option, Program, examples
from protocols.data_model.kinds import ENERGY
from protocols.data_model.tables import BILLING_FREEZES, DAILY_FREEZES, Freeze
from protocols.quantities import DAY, format_date

_FREEZE = (*Freeze.columns(), "missing_days", "used_kwh", "cost", "cost_exact")
_EMPTY = "the meter has no freeze of this time"
_EXAMPLES = examples(
    ("meterctl --port m1.tty freezes", "The registers at every midnight, and what each day used."),
    ("meterctl --port m1.tty freezes --billing --json", "Ends of billing periods, for a script."),
)


def add_to(app: Program) -> None:
    """Add the command of this file."""
    app.command("freezes", rich_help_panel=LOOK, epilog=_EXAMPLES)(freezes)


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
    require_plot(given, plot)
    table, name = (BILLING_FREEZES, "billing") if billing else (DAILY_FREEZES, "daily")
    with given.session() as session:
        driver = session.driver
        require_rows(given, driver, table, f"{name} freezes")
        with of_one_meter(driver) as one:
            serial = shown_serial_number(one) if plot is not None else ""
            unit = shown_account_unit(one) if plot is not None else ""
            span = span_of(one, *bounds)
            with reading(f"{name} freezes", shown=not given.trace) as on_read:
                rows = [row for _, row in numbered(one, table, on_read=on_read)]
            offsets = read_offsets(one, [row.at for row in rows])
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
        if not records:
            say(_EMPTY)
    if plot is not None:
        from meterctl.cli.plots import freezes_svg, write_plot

        kept = [row for _, row in shown]
        drawn = freezes_svg(serial, unit, kept, offsets, is_daily=not billing)
        write_plot(plot, drawn, given.own_files)


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
        **cost_fragments(cost),
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
    print_list(Extent(None, True, TableForm.PEOPLE), listing_of(rows), columns, _EMPTY)
    for before, row in shown:
        if before is not None and not billing:
            _say_missing(before, row, offsets)
    if len(shown) > 1:
        used = between(Snapshot.of(shown[0][1]), Snapshot.of(shown[-1][1]))
        sums = {
            "freezes": str(len(shown)),
            "used_kwh": ENERGY.json(used.import_mwh),
            "cost": cost_fragments(used.cost)["cost"],
        }
        print_table(table_of_fields(sums, ("value",), title="first to last"))
        costs = [
            None if before is None else between(Snapshot.of(before), Snapshot.of(row)).cost
            for before, row in shown[1:]
        ]
        if not adds_up(costs, used.cost):
            say(ROUNDED)


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
