"""docs/maps.md and docs/map.schema.json: register maps for those who write them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from firmware_sim.programs.maps import list_made, summary_of
from pages import NOTE, ROOT, head, row
from protocols.data_model.identity import IDENTITY
from protocols.data_model.items import ITEMS
from protocols.modbus import shipped_maps
from protocols.modbus.map_file import parse_map
from protocols.modbus.map_keys import FILE, TABLES, Key, Table, TableKind
from protocols.modbus.map_units import units_of

SCHEMA = "http://json-schema.org/draft-07/schema#"
EXAMPLE = """Address,Name,Type,Unit,Scale,Function
0x0000,Voltage L1,UINT16,V,0.1,4
0x0001,Current L1,INT16,A,0.01,4
0x0002,Active power,INT32,W,1,4
0x0004,Frequency,UINT16,Hz,0.01,4
0x0006,Import active energy,UINT32,kWh,0.01,4
0x0008,Active energy,UINT32,kWh,0.01,4
0x000A,Voltage THD,UINT16,%,0.1,4
0x0100,Baud rate,UINT16,,,3
"""
"""The register list of the page."""


def maps() -> str:
    """Return docs/maps.md."""
    text = (ROOT / "docs" / "maps.in.md").read_text()
    made = list_made("shop", "shop.csv", EXAMPLE, None).text
    checked = f"shop.toml: OK, {summary_of(parse_map(made, 'shop'))}"
    for name, part in {
        "csv": f"```csv\n{EXAMPLE}```",
        "toml": f"```toml\n{made}```",
        "checked": checked,
        "keys": "".join(map(_keys, TABLES)).strip(),
        "units": _units(),
        "shipped": _shipped(),
        "identity": "".join(f"- `{item.name}`\n" for item in IDENTITY),
    }.items():
        text = text.replace(f"{{{name}}}\n", f"{part.rstrip()}\n")
    return NOTE + text


def _keys(table: Table) -> str:
    title = f"### {table.name or 'Keys of the file'}\n\n"
    meaning = f"{table.meaning}\n\n" if table.name else ""
    rows = (row(f"`{key.name}`", _values(key), key.meaning, _default(key)) for key in table.keys)
    return f"\n{title}{meaning}{head('key', 'values', 'meaning', 'without it')}{''.join(rows)}"


def _values(key: Key) -> str:
    if not isinstance(key.kind, TableKind):
        return key.kind.allowed
    name = key.kind.of.name
    return f"tables, see {name}" if key.kind.is_list else f"a table, see {name}"


def _default(key: Key) -> str:
    return "needed" if key.needed else key.default


def _units() -> str:
    """Return the units that rows of items may have, a row for each family of them."""
    several: dict[tuple[str, ...], list[str]] = {}
    for item in ITEMS:
        units = units_of(item)
        if len(units) > 1:
            several.setdefault(units, []).append(item.name)
    return head("unit of the item", "others", "items such as") + "".join(
        row(own, ", ".join(others), ", ".join(f"`{name}`" for name in names[:2]))
        for (own, *others), names in several.items()
    )


def _shipped() -> str:
    rows = []
    for name in shipped_maps.names():
        file = shipped_maps.shipped(name)
        sources = "; ".join(f"{source.text} ({source.confidence})" for source in file.sources)
        rows.append(row(f"`{name}`", file.title, len(file.register_map.registers), sources))
    return head("name", "meter", "registers", "sources") + "".join(rows)


def map_schema() -> str:
    """Return docs/map.schema.json."""
    inner = {table.name: _schema(table) for table in TABLES if table.name}
    schema = {
        "$schema": SCHEMA,
        "title": "A register map of a simulated meter",
        "description": "docs/maps.md explains it; `meter-sim map check` knows more rules.",
        **_schema(FILE),
        "$defs": inner,
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _schema(table: Table) -> dict[str, Any]:
    return {
        **({"description": table.meaning} if table.name else {}),
        "type": "object",
        "properties": dict(_properties(table)),
        "required": [key.name for key in table.keys if key.needed],
        "additionalProperties": False,
    }


def _properties(table: Table) -> Iterator[tuple[str, dict[str, Any]]]:
    for key in table.keys:
        default = f" Without it: {key.default}." if key.default else ""
        yield key.name, {"description": key.meaning + default, **key.kind.schema}
