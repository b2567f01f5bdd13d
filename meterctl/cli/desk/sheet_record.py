"""The figures of a sheet as JSON fragments: money with its decimals, instants in the zone."""

from __future__ import annotations

import json
from typing import Any
from zoneinfo import ZoneInfo

from meterctl.cli.desk.desk_output import amount_json, moment_json
from meterctl.utility.services.sheets.figures import Figures, Unit
from protocols.quantities import LEDGER_DECIMALS, format_money


def sheet_record(figures: Figures, zone: ZoneInfo) -> dict[str, str]:
    """Return the figures as a record, by the units that their fields have."""
    record = {}
    for name, field in type(figures).model_fields.items():
        value = getattr(figures, name)
        unit = next((each for each in field.metadata if isinstance(each, Unit)), None)
        record[name] = _fragment(value, _unit_in(field.annotation) if unit is None else unit, zone)
    return record


def _unit_in(annotation: Any) -> Unit | None:
    """Return the unit of a field that may be None, such as `Money | None`."""
    for part in getattr(annotation, "__args__", ()):
        for each in getattr(part, "__metadata__", ()):
            if isinstance(each, Unit):
                return each
    return None


def _fragment(value: Any, unit: Unit | None, zone: ZoneInfo) -> str:
    match value, unit:
        case None, _:
            return "null"
        case Figures(), _:
            pairs = sheet_record(value, zone).items()
            return f"{{{', '.join(f'{json.dumps(name)}: {text}' for name, text in pairs)}}}"
        case tuple(), _:
            return f"[{', '.join(_fragment(each, unit, zone) for each in value)}]"
        case int(), Unit.MONEY:
            return amount_json(value)
        case int(), Unit.EXACT:
            return format_money(value, LEDGER_DECIMALS)
        case int(), Unit.INSTANT:
            return moment_json(value, zone)
        case bool() | int(), None:
            return json.dumps(value)
        case _:
            return json.dumps(str(value), ensure_ascii=False)
