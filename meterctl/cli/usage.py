"""usage."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Annotated

from meterctl.cli.arguments import LOOK
from meterctl.cli.credit_left import left_of, print_left
from meterctl.cli.forms import CsvExcelOption, CsvOption, TableForm, table_form
from meterctl.cli.lists import Columns, Extent, listing_of, print_list
from meterctl.cli.options import options
from meterctl.cli.output import say
from meterctl.cli.progress import reading
from meterctl.cli.reports import require_rows
from meterctl.cli.values import offered
from meterctl.errors import UsageError
from meterctl.operations.days_left import CREDIT_ITEMS
from meterctl.operations.local_time import Offsets, read_offsets
from meterctl.operations.snapshots import Consumption, Registers, read_registers
from meterctl.operations.time_span import Span, date_of, span_of
from meterctl.operations.usage import (
    STEP_ITEMS,
    Dated,
    Usage,
    by_day,
    by_month,
    by_rate,
    by_step,
    month_of,
    total,
)
from protocols.command_line import Context, Option, Program, examples
from protocols.data_model.kinds import ENERGY, MONEY, MONEY_EXACT, PRICE, Boolean, Moment
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
_RATE = ("rate", "energy_kwh", "price", "cost", "cost_exact")
_STEP = (
    "step", "limit_kwh", "energy_kwh", "addition", "addition_cost", "addition_cost_exact", "cost",
    "cost_exact",
)  # fmt: skip
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
        span = span_of(driver, *bounds)
        with reading("daily freezes", shown=not given.trace) as on_read:
            registers = read_registers(driver, (*CREDIT_ITEMS, *STEP_ITEMS), on_read)
        moments = [one.at for one in (*registers.billing, *registers.daily)]
        present = registers.present
        offsets = read_offsets(driver, [*moments, *([] if present is None else [present.at])])
    shown = _shown(wanted, registers, offsets, span)
    for text in shown.said:
        say(text)
    if form is TableForm.PEOPLE:
        print_list(
            Extent(None, True, form),
            listing_of(shown.people),
            shown.columns,
            "the meter has no freeze of this time",
        )
    else:
        names = shown.columns.csv
        print_list(Extent(None, True, form), listing_of(shown.records), Columns(names, (), names))
    left = left_of(registers, offsets)
    if left is not None:
        print_left(left, form)


def _by(text: str) -> By:
    if text not in _WORDS:
        raise UsageError(
            f"--by {text}: {did_you_mean(text, _WORDS, 'allowed is ' + ', '.join(_WORDS))}"
        )
    return By(text)


@dataclass(frozen=True, slots=True)
class _Shown:
    """Rows for programs and for people, their columns, and what is said about them."""

    records: Sequence[dict[str, str]]
    people: Sequence[dict[str, str]]
    columns: Columns
    said: Sequence[str]


def _shown(by: By, registers: Registers, offsets: Offsets, span: Span) -> _Shown:
    match by:
        case By.DAY:
            return _dated(by, by_day(registers, offsets, span), offsets)
        case By.MONTH:
            return _dated(by, by_month(registers, offsets, span), offsets)
        case By.RATE:
            return _rates(registers, offsets, span)
        case By.STEP:
            return _steps(registers)


# ---- days and months


def _dated(by: By, found: Usage, offsets: Offsets) -> _Shown:
    records = [{by.value: _name(by, row), **_part(row, offsets)} for row in found.rows]
    exports = any(row.part.export_mwh for row in found.rows)
    energies = ("import_kwh", "export_kwh") if exports else ("import_kwh",)
    notes = [_note(by, row) for row in found.rows]
    columns = (by.value, *energies, "cost", *(("note",) if any(notes) else ()))
    people = [
        {**record, by.value: json.dumps(_dates(by, row)), "note": json.dumps(note)}
        for row, record, note in zip(found.rows, records, notes, strict=True)
    ]
    whole = total([row.part for row in found.rows])
    if whole is not None:
        cost = "null" if whole.cost is None else MONEY.json(whole.cost)
        energy = {
            "import_kwh": ENERGY.json(whole.import_mwh),
            "export_kwh": ENERGY.json(whole.export_mwh),
        }
        people.append({by.value: '"total"', **energy, "cost": cost, "note": '""'})
    return _Shown(
        records,
        people,
        Columns(columns, (*energies, "cost"), (by.value, *_DATED), "-"),
        [*_cut(found.cut), *_uncosted([row.part for row in found.rows])],
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
        **_cost(part.cost),
        "complete": Boolean().json(part.is_complete),
    }


def _cost(cost: int | None, name: str = "cost") -> dict[str, str]:
    if cost is None:
        return {name: "null", f"{name}_exact": "null"}
    return {name: MONEY.json(cost), f"{name}_exact": MONEY_EXACT.json(cost)}


def _dates(by: By, row: Dated) -> str:
    """Return the dates of a row for people."""
    month = month_of(row)
    if by is By.MONTH and month is not None:
        return month
    last = format_date(row.end - 1)
    if row.begin is None:
        return f"until {last}"
    first = format_date(row.begin)
    return first if row.days == 1 else f"{first} to {last}"


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


def _cut(rows: Sequence[Dated]) -> list[str]:
    return [
        f"{_dates(By.DAY, row)}: left out, it goes past --from or --to and no freeze divides it"
        for row in rows
    ]


def _uncosted(parts: Sequence[Consumption]) -> list[str]:
    missing = sum(part.cost is None for part in parts)
    if not missing:
        return []
    return [
        f"no cost is shown for {missing} of {len(parts)} rows: the meter did not keep what was "
        f"charged until then"
    ]


# ---- rates and steps


def _rates(registers: Registers, offsets: Offsets, span: Span) -> _Shown:
    found = by_day(registers, offsets, span)
    parts = [row.part for row in found.rows]
    whole = total(parts)
    rows = [] if whole is None else by_rate(whole, registers.values)
    records = [
        {
            "rate": str(row.rate),
            "energy_kwh": ENERGY.json(row.mwh),
            "price": "null" if row.price is None else PRICE.json(row.price),
            **_cost(row.cost),
        }
        for row in rows
    ]
    people = list(records)
    said = [*_cut(found.cut), *_uncosted(parts)]
    if whole is not None:
        energy = ENERGY.json(sum(whole.rates_mwh))
        cost = "null" if whole.cost is None else MONEY.json(whole.cost)
        people.append({"rate": '"total"', "energy_kwh": energy, "price": "null", "cost": cost})
        if whole.cost is not None and any(row.cost is None for row in rows):
            said.append(
                "no cost of each rate is shown: the present prices do not give what was charged, "
                "because of steps or of a tariff that changed"
            )
    shown = ("rate", "energy_kwh", "price", "cost")
    return _Shown(records, people, Columns(shown, shown, _RATE, "-"), said)


def _steps(registers: Registers) -> _Shown:
    rows = by_step(registers)
    records = [
        {
            "step": str(row.step),
            "limit_kwh": "null" if row.limit_mwh is None else ENERGY.json(row.limit_mwh),
            "energy_kwh": ENERGY.json(row.mwh),
            "addition": "null" if row.addition is None else PRICE.json(row.addition),
            **_cost(row.addition_cost, "addition_cost"),
            **_cost(row.cost),
        }
        for row in rows
    ]
    said = []
    if any(row.addition_cost is None for row in rows):
        said.append(
            "no cost is shown: the freeze at the begin of the period is not kept, or the tariff "
            "changed in it; the energy is divided by the present limits"
        )
    elif any(row.cost is None for row in rows):
        said.append(
            "no cost of each step is shown: several rates were used, and the meter does "
            "not tell which of them in which step"
        )
    shown = ("step", "limit_kwh", "energy_kwh", "addition", "addition_cost", "cost")
    return _Shown(records, records, Columns(shown, shown, _STEP, "-"), said)
