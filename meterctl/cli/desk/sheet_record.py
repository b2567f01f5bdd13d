"""The figures of a sheet as JSON fragments: money with its decimals, instants in the zone."""

from __future__ import annotations

import json
from typing import Any
from zoneinfo import ZoneInfo

from meterctl.cli.desk.desk_output import amount_json, moment_json
from meterctl.utility.rules.units import Unit
from meterctl.utility.services.sheets.figures import Figures, unit_of
from protocols.quantities import LEDGER_DECIMALS, format_money


def sheet_record(figures: Figures, zone: ZoneInfo) -> dict[str, str]:
    """Return the figures as a record, by the units that their fields have."""
    of = type(figures)
    return {
        name: _fragment(getattr(figures, name), unit_of(of, name), zone) for name in of.model_fields
    }


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
