"""items."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from meterctl.cli.arguments import LOOK
from meterctl.cli.forms import CsvExcelOption, CsvOption, table_form
from meterctl.cli.options import options
from meterctl.cli.output import print_rows, stdout_encoding
from protocols.command_line import Context, Program
from protocols.command_line.tables import Table
from protocols.data_model.codes import codes
from protocols.data_model.items import ITEMS, Item
from protocols.modbus.areas import Area
from protocols.replacements import has

if TYPE_CHECKING:
    from protocols.modbus.register_map import RegisterMap
    from protocols.modbus.register_parts import Register


def add_to(app: Program) -> None:
    """Add the command of this file."""
    app.command("items", rich_help_panel=LOOK)(list_items)


def list_items(
    context: Context, as_csv: CsvOption = False, for_excel: CsvExcelOption = False
) -> None:
    """List every item that a meter shows, with its unit, meaning and DL/T 645 term.

    With --map those of a register map, each with its area, wire address and type. With --json,
    `codes` holds the word of each number that a wire carries, of sets that of each bit.
    """
    given = options(context)
    form = table_form(given.json, as_csv, for_excel)
    register_map = given.register_map()
    if register_map is None:
        records = [_fragments(item) for item in ITEMS]
        columns = ["item", "unit", "limits", "meaning", "term"]
        rows = [[i.name, i.unit, i.allowed, i.meaning, i.term] for i in ITEMS]
        table = _encodable(columns, rows)
    else:
        places = list(_places(register_map))
        records = [{**_fragments(one.item), **_place_fragments(one)} for one in places]
        columns = ["item", "area", "address", "type", "unit", "meaning", "term"]
        table = _encodable(columns, [_row(one) for one in places])
    print_rows(records, form, table)


def _fragments(item: Item) -> dict[str, str]:
    return {
        "name": _quoted(item.name),
        "unit": _quoted(item.unit),
        "settable": "true" if item.setting else "false",
        "allowed": _quoted(item.allowed) if item.setting else "null",
        "codes": json.dumps({str(n): word for n, word in codes(item.kind).items()} or None),
        "meaning": _quoted(item.meaning),
        "term": _quoted(item.term),
    }


def _places(register_map: RegisterMap) -> Iterator[Register]:
    """Yield every place of every item, in the order of the items and of their addresses."""
    for item in ITEMS:
        found = [one for one in register_map.registers if one.item == item]
        yield from sorted(found, key=lambda one: (one.area.value, one.address))


def _place_fragments(register: Register) -> Mapping[str, str]:
    return {
        "areas": json.dumps(_areas(register)),
        "address": str(register.address),
        "type": _quoted(register.layout.type.value),
        "size": str(register.width),
        "writable": json.dumps(register.writable),
    }


def _row(register: Register) -> list[str]:
    item, layout = register.item, register.layout
    return [
        item.name,
        ", ".join(_areas(register)),
        f"{register.address:04X}",
        layout.type.value + (", writable" if register.writable else ""),
        item.unit,
        item.meaning,
        item.term,
    ]


def _areas(register: Register) -> list[str]:
    return [str(area.name).lower() for area in Area if area in register.area]


def _encodable(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """Return the table, without the last column where stdout cannot show its characters."""
    if not has(stdout_encoding(), "".join(row[-1] for row in rows)):
        return Table(columns[:-1], [row[:-1] for row in rows])
    return Table(columns, rows)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
