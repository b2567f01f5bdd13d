"""usage."""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import Enum
from typing import Annotated

from meterctl.cli.arguments import LOOK
from meterctl.cli.credit_left import left_of, not_counted_in, print_left
from meterctl.cli.forms import CsvExcelOption, CsvOption, TableForm, table_form
from meterctl.cli.lists import Columns, Extent, listing_of, print_list
from meterctl.cli.options import options
from meterctl.cli.output import say
from meterctl.cli.progress import reading
from meterctl.cli.reports import ROUNDED, adds_up, cost_fragments, require_rows
from meterctl.cli.usage_by_tariff import rates, steps
from meterctl.cli.usage_texts import Shown, cut_texts, dates, span_texts, uncosted_texts
from meterctl.cli.values import offered
from meterctl.errors import UsageError
from meterctl.operations.days_left import CREDIT_ITEMS
from meterctl.operations.local_time import Offsets, read_offsets
from meterctl.operations.one_meter import of_one_meter
from meterctl.operations.rates_and_steps import TARIFF_ITEMS
from meterctl.operations.snapshots import Registers, read_registers
from meterctl.operations.time_span import Span, date_of, span_of
from meterctl.operations.usage import Dated, Usage, by_day, by_month, month_of, total
from protocols.command_line import Context, Option, Program, examples
from protocols.data_model.kinds import ENERGY, Boolean, Moment
from protocols.data_model.tables import DAILY_FREEZES
from protocols.quantities import format_date
from protocols.suggestions import did_you_mean


class By(Enum):
    """What the rows of usage are."""

    DAY = "day"
    MONTH = "month"
    RATE = "rate"
    STEP = "step"


_WORDS = tuple(by.value for by in By)
_DATED = ("begin", "end", "days", "import_kwh", "export_kwh", "cost", "cost_exact", "complete")
_EXAMPLES = examples(
    ("meterctl --port m1.tty usage", "Each day, today so far, and the days that the credit lasts."),
    ("meterctl --port m1.tty usage --by month --csv-excel > bill.csv", "For a spreadsheet."),
    (
        "meterctl --port m1.tty usage --by rate --from 2026-01-01 --to 2026-02-01",
        "January, by rate.",
    ),
)


def add_to(app: Program) -> None:
    """Add the command of this file."""
    app.command("usage", rich_help_panel=LOOK, epilog=_EXAMPLES)(usage)


def usage(
    context: Context,
    by: Annotated[
        str,
        Option(
            "--by",
            metavar="|".join(_WORDS),
            help="A row for each day, month, rate, or step of the present period.",
            autocompletion=offered(*_WORDS),
        ),
    ] = By.DAY.value,
    first: Annotated[
        str | None, Option("--from", metavar="DATE", help="Begin with this day: 2026-01-31.")
    ] = None,
    last: Annotated[
        str | None,
        Option(
            "--to",
            metavar="DATE",
            help="End before this day, so that --from 2026-01-01 --to 2026-02-01 is January.",
        ),
    ] = None,
    as_csv: CsvOption = False,
    for_excel: CsvExcelOption = False,
) -> None:
    """Show what was consumed and what it cost, and how long the credit lasts.

    The cost of a day is the difference of what the meter charged for energy at its two midnights,
    without standing charges; where the meter did not keep it, no cost is shown. With --json the
    last object tells how long the credit lasts.
    """
    given = options(context)
    form = table_form(given.json, as_csv, for_excel)
    wanted = _by(by)
    bounds = date_of("--from", first), date_of("--to", last)
    if wanted is By.STEP and bounds != (None, None):
        raise UsageError(
            "--by step shows the present period alone: the meter keeps no steps of earlier ones. "
            "Leave out --from and --to; nothing was sent"
        )
    with given.session() as session:
        driver = session.driver
        require_rows(given, driver, DAILY_FREEZES, "daily freezes")
        with of_one_meter(driver) as meter:
            span = span_of(meter, *bounds)
            with reading("daily freezes", shown=not given.trace) as on_read:
                registers = read_registers(meter, (*CREDIT_ITEMS, *TARIFF_ITEMS), on_read)
            moments = [one.at for one in (*registers.billing, *registers.daily)]
            present = registers.present
            offsets = read_offsets(meter, [*moments, *([] if present is None else [present.at])])
    shown = _shown(wanted, registers, offsets, span)
    for text in shown.said:
        say(text)
    if form is TableForm.PEOPLE:
        if shown.people:
            print_list(Extent(None, True, form), listing_of(shown.people), shown.columns)
        for text in shown.after:
            say(text)
    else:
        names = shown.columns.csv
        print_list(Extent(None, True, form), listing_of(shown.records), Columns(names, (), names))
    left = left_of(registers, offsets)
    if left is not None:
        print_left(left, form, not_counted_in(left, registers, offsets))


def _by(text: str) -> By:
    if text not in _WORDS:
        raise UsageError(
            f"--by {text}: {did_you_mean(text, _WORDS, 'allowed is ' + ', '.join(_WORDS))}"
        )
    return By(text)


def _shown(by: By, registers: Registers, offsets: Offsets, span: Span) -> Shown:
    match by:
        case By.DAY:
            found = by_day(registers, offsets, span)
            said = span_texts(found, span, registers, registers.daily, offsets)
            return _dated(by, found, offsets, said)
        case By.MONTH:
            found = by_month(registers, offsets, span)
            freezes = (*registers.older, *registers.daily)
            said = span_texts(found, span, registers, freezes, offsets)
            return _dated(by, found, offsets, said)
        case By.RATE:
            return rates(registers, offsets, span)
        case By.STEP:
            return steps(registers, offsets)


# ---- days and months


def _dated(by: By, found: Usage, offsets: Offsets, said: Sequence[str]) -> Shown:
    records = [{by.value: _name(by, row), **_part(row, offsets)} for row in found.rows]
    exports = any(row.part.export_mwh for row in found.rows)
    energies = ("import_kwh", "export_kwh") if exports else ("import_kwh",)
    notes = [_note(by, row) for row in found.rows]
    columns = (by.value, *energies, "cost", *(("note",) if any(notes) else ()))
    people = [
        {**record, by.value: json.dumps(_dates(by, row)), "note": json.dumps(note)}
        for row, record, note in zip(found.rows, records, notes, strict=True)
    ]
    parts = [row.part for row in found.rows]
    whole = total(parts)
    after = []
    if whole is not None:
        energy = {
            "import_kwh": ENERGY.json(whole.import_mwh),
            "export_kwh": ENERGY.json(whole.export_mwh),
        }
        people.append({by.value: '"total"', **energy, **cost_fragments(whole.cost), "note": '""'})
        if not adds_up([part.cost for part in parts], whole.cost):
            after.append(ROUNDED)
    return Shown(
        records,
        people,
        Columns(columns, (*energies, "cost"), (by.value, *_DATED), "-"),
        [*said, *cut_texts(found.cut), *uncosted_texts(found.rows)],
        after,
    )


def _name(by: By, row: Dated) -> str:
    """Return the day or month of a row as JSON; null for several."""
    if by is By.MONTH:
        return json.dumps(month_of(row))
    return json.dumps(format_date(row.begin) if row.begin is not None and row.days == 1 else None)


def _part(row: Dated, offsets: Offsets) -> dict[str, str]:
    part = row.part
    begin = part.begin
    return {
        "begin": "null" if begin is None else Moment().json(begin, offsets.at(begin)),
        "end": Moment().json(part.end, offsets.at(part.end)),
        "days": "null" if row.days is None else str(row.days),
        "import_kwh": ENERGY.json(part.import_mwh),
        "export_kwh": ENERGY.json(part.export_mwh),
        **cost_fragments(part.cost),
        "complete": Boolean().json(part.is_complete),
    }


def _dates(by: By, row: Dated) -> str:
    """Return the dates of a row for people, or its month."""
    return (month_of(row) if by is By.MONTH else None) or dates(row)


def _note(by: By, row: Dated) -> str:
    if row.begin is None:
        return "since the meter's start" if row.part.is_complete else "since its start, so far"
    if row.days is None:
        return "the clock was set back"
    if by is By.MONTH and month_of(row) is None:
        return "no freeze at the end of a month"
    if not row.part.is_complete:
        return "so far" if by is By.DAY else "incomplete"
    return "no freeze between" if by is By.DAY and row.days != 1 else ""
