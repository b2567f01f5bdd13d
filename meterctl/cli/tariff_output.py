"""What the commands of a tariff print: sets, a file in words, differences, what was read back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from meterctl.cli.forms import TableForm
from meterctl.cli.output import emit, emit_csv, print_json, print_table, say
from meterctl.cli.tariff_tables import part_tables
from meterctl.operations.tariff.differences import PartDifference
from meterctl.operations.tariff.file import AT_ONCE, Activation, Finding, TariffFile
from meterctl.operations.tariff.resulting_sets import moment_text
from meterctl.operations.tariff.sets import TariffSets
from meterctl.operations.tariff.setting import (
    PartReadBack,
    PlannedTariff,
    activation_text,
    replaced_text,
)
from meterctl.operations.tariff.values import NO_TABLE, PARTS, json_of, object_of, values_of
from protocols.command_line.tables import Screen, Table, drawn
from protocols.data_model.json_lines import array, line
from protocols.data_model.tariff import Part, Prices
from protocols.quantities import LocalMoment, format_moment

CSV_COLUMNS = ("set", "part", "activation", "name", "value")


# ---- both sets of a meter


def print_sets(sets: TariffSets, account_unit: str, form: TableForm) -> None:
    """Print both sets; `account_unit` is JSON. Raises OutputError."""
    if form is TableForm.JSON:
        print_json({"account_unit": account_unit, **_sets_json(sets)})
    elif form.is_csv:
        emit_csv(_records(sets), CSV_COLUMNS, form)
    else:
        rows = [
            (name, moment_text(sets, sets.pending[name][0]) if name in sets.pending else "-")
            for name in PARTS
        ]
        print_table(Table(("part", "pending from"), rows))
        prices = sets.current.prices
        unit = "price" if account_unit == "null" else json.loads(account_unit)
        _print_parts(map(sets.in_force, PARTS), "Current", prices, unit)
        waiting = [sets.pending[name][1] for name in PARTS if name in sets.pending]
        _print_parts(waiting, "Pending", unit=unit)


def _sets_json(sets: TariffSets) -> dict[str, str]:
    pending = "{}"
    if sets.pending:
        moments = {name: moment_json(sets, at) for name, (at, _) in sets.pending.items()}
        pending = object_of(
            (part for _, part in sets.pending.values()), {"activation": line(moments)}
        )
    current = object_of(sets.in_force(name) for name in PARTS)
    return {"current": current, "pending": pending}


def moment_json(sets: TariffSets, instant: int) -> str:
    """Return an instant as JSON, with the offset of the meter's local time then."""
    return f'"{format_moment(instant, sets.offsets.at(instant))}"'


def _records(sets: TariffSets) -> Iterator[dict[str, str]]:
    """Yield a record for each value of both sets."""
    parts = [("current", name, "null", sets.in_force(name)) for name in PARTS]
    parts += [
        ("pending", name, moment_json(sets, at), part) for name, (at, part) in sets.pending.items()
    ]
    for which, name, activation, part in parts:
        for key, value in values_of(part).items():
            yield dict(
                zip(
                    CSV_COLUMNS,
                    (f'"{which}"', f'"{name}"', activation, f'"{key}"', value),
                    strict=True,
                )
            )


# ---- a file


def print_file(path: Path, file: TariffFile, warnings: Sequence[Finding], as_json: bool) -> None:
    """Print a file in words, or as one object with the keys of a tariff file."""
    if as_json:
        moments = {name: json.dumps(_written(at)) for name, at in file.activations.items()}
        told = [{"line": each.line or None, "text": each.text} for each in warnings]
        print_json(
            {
                "file": json.dumps(str(path)),
                "parts": json.dumps(list(file.parts)),
                "activation": line(moments),
                **json_of(file.parts.values()),
                "warnings": json.dumps(told, ensure_ascii=False),
            }
        )
        return
    rows = [
        (name, _applies(file.activations[name]) if name in file.parts else "-") for name in PARTS
    ]
    print_table(Table(("part", "applies"), rows))
    prices = file.parts.get("prices")
    _print_parts(file.parts.values(), "", prices if isinstance(prices, Prices) else None)


def _print_parts(
    parts: Iterable[Part], title: str, prices: Prices | None = None, unit: str = "price"
) -> None:
    for part in parts:
        for table in part_tables(part, title, prices, unit):
            print_table(table)


def _applies(activation: Activation) -> str:
    local = " local time" if isinstance(activation, LocalMoment) else ""
    return f"from {_written(activation)}{local}" if activation != AT_ONCE else "at once"


def _written(activation: Activation) -> str | None:
    """Return an activation as text; None for at once."""
    if activation == AT_ONCE:
        return None
    if isinstance(activation, LocalMoment):
        return str(activation).replace(".000", "")
    return format_moment(activation).replace(".000", "")


def say_warnings(path: Path, warnings: Sequence[Finding]) -> None:
    """Print warnings of a file on stderr."""
    for each in warnings:
        say(f"tariff {path}: {each.said('warning: ')}")


# ---- a command


def difference_tables(planned: PlannedTariff) -> Iterator[Table]:
    """Yield what a command changes: when each part applies, and each value that is another one."""
    rows = [
        (each.name, activation_text(planned, each), _effect(planned, each))
        for each in planned.differences
    ]
    yield Table(("part", "applies", "effect"), rows)
    for each in planned.differences:
        if each.values:
            yield _values_table(each)


def _effect(planned: PlannedTariff, difference: PartDifference) -> str:
    if difference.is_none:
        return "no change" if difference in planned.sent_differences else "no change: not sent"
    count = sum(each.new != each.current for each in difference.values)
    counted = f"{count} new value{'s' * (count != 1)}" if count else "the current values stay"
    return "; ".join(filter(None, (counted, replaced_text(planned, difference))))


def _values_table(difference: PartDifference) -> Table:
    waits = difference.replaces is not None
    columns = ("value", "current", "pending", "new") if waits else ("value", "current", "new")
    rows = [
        (each.name, *(_cell(each.name, getattr(each, name)) for name in columns[1:]))
        for each in difference.values
    ]
    return Table(columns, rows, columns[1:], f"Change of {difference.name}")


def _cell(name: str, value: str | None) -> str:
    """Return a value for people: "-" where a set does not have it."""
    if value is None:
        return "-"
    is_day = name.startswith("holiday_") and value == NO_TABLE
    return "of the day" if is_day else value.strip('"')


def show_differences(planned: PlannedTariff, *, on_stderr: bool) -> None:
    """Print what a command changes; raises OutputError."""
    for table in difference_tables(planned):
        text = drawn(table, Screen.of_stdout())
        (say if on_stderr else emit)(text)


def difference_fragments(planned: PlannedTariff) -> dict[str, str]:
    """Return what a command changes as JSON: a row for each value that is another one."""
    rows = [
        line(
            {
                "part": f'"{part.name}"',
                "name": f'"{each.name}"',
                "current": each.current or "null",
                "pending": each.pending or "null",
                "new": each.new or "null",
            }
        )
        for part in planned.differences
        for each in part.values
    ]
    return {"changes": array(rows)}


def part_fragments(planned: PlannedTariff, found: Sequence[PartReadBack]) -> dict[str, str]:
    """Return the parts of a command as JSON, with the set in which each was read back."""
    stands = {back.name: back.found_in.name.lower() for back in found}
    rows = [
        line(
            {
                "part": f'"{each.name}"',
                "activation": _activation_json(planned, each.activation),
                "replaces": _activation_json(planned, each.replaces or 0),
                "sent": json.dumps(each in planned.sent_differences),
                "read_back": json.dumps(stands.get(each.name)),
            }
        )
        for each in planned.differences
    ]
    return {"parts": array(rows)}


def _activation_json(planned: PlannedTariff, instant: int) -> str:
    return "null" if instant == AT_ONCE else moment_json(planned.before, instant)


def read_back_table(planned: PlannedTariff, found: Sequence[PartReadBack]) -> Table:
    """Return the table of what was read back."""
    rows = [
        (
            back.name,
            "in force"
            if back.activation == AT_ONCE
            else f"waits for {moment_text(planned.before, back.activation)}",
        )
        for back in found
    ]
    return Table(("part", "read back"), rows)
