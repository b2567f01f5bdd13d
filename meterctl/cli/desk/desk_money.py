"""Answers that hold money, as records: amounts with two decimals, exact ones with ten too."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from meterctl.cli.desk.desk_options import DeskOptions
from meterctl.cli.desk.desk_output import amount_json, fragments, print_done
from meterctl.utility.rules.units import AMOUNTS, EXACT, Unit, fields_of
from protocols.quantities import LEDGER_DECIMALS, format_money


def money_record(values: Mapping[str, Any], zone: ZoneInfo) -> dict[str, str]:
    """Return an answer as a record.

    A field `..._exact` stands twice: cut to two decimals without the ending, and whole. What it
    holds of lists and of parts is written in the same way.
    """
    record: dict[str, str] = {}
    for name, value, unit in fields_of(values):
        if unit is Unit.CUT:
            record[name] = _cut(value)
        elif unit is Unit.EXACT:
            record[name] = _whole(value)
        elif unit is Unit.MONEY:
            record[name] = amount_json(value)
        elif isinstance(value, Mapping):
            record[name] = _object(value, zone)
        elif _is_parts(value):
            record[name] = f"[{', '.join(_object(each, zone) for each in value)}]"
        else:
            record |= fragments({name: value}, zone)
    return record


def print_money(
    given: DeskOptions,
    zone: ZoneInfo,
    values: Mapping[str, Any],
    message: str,
    *,
    exit_code: int = 0,
    outcome: str | None = None,
    shown_fields: Collection[str] = (),
) -> None:
    """Print the end of a command that moves money: see `desk_output.print_done`.

    Exact amounts and parts are for --json alone; people get the amounts, and a list in words.

    Args:
        shown_fields: those that people get; all where none is named.
    """
    record = money_record(values, zone)
    if not given.json:
        if shown_fields:
            record = {name: record[name] for name in shown_fields if name in record}
        record = {name: text for name, text in record.items() if not name.endswith(EXACT)}
        for name, value in values.items():
            if isinstance(value, Mapping):
                record.pop(name, None)
            elif name in record and _is_parts(value):
                record[name] = json.dumps([" ".join(_words(each)) for each in value])
    serial = values.get("meter")
    print_done(given, record, message, exit_code=exit_code, outcome=outcome, serial_number=serial)


def shown(amount: int) -> str:
    """Return an amount for people."""
    return amount_json(amount)


def _is_parts(value: Any) -> bool:
    """Return whether a value is a list of parts with fields of their own."""
    return isinstance(value, list) and bool(value) and isinstance(value[0], Mapping)


def _words(values: Mapping[str, Any]) -> Iterator[str]:
    """Yield the fields of a part of a list for people."""
    for name, value in values.items():
        yield shown(value) if name in AMOUNTS else str(value)


def _object(values: Mapping[str, Any], zone: ZoneInfo) -> str:
    inner = money_record(values, zone).items()
    return f"{{{', '.join(f'{json.dumps(name)}: {value}' for name, value in inner)}}}"


def _cut(value: int | None) -> str:
    return "null" if value is None else format_money(value)


def _whole(value: int | None) -> str:
    return "null" if value is None else format_money(value, LEDGER_DECIMALS)
