"""A register map as text: a table for a screen, Markdown, CSV or JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from itertools import groupby

from firmware_sim.programs.register_lists.row_keys import keys_text
from firmware_sim.programs.shown_maps import ShownRow, rows_of
from protocols.command_line.tables import Screen, Table, drawn
from protocols.modbus.map_file import MapFile
from protocols.modbus.map_key_kinds import AREAS
from protocols.modbus.pdu import Function


class PageFormat(Enum):
    """A form in which a map is shown; the value is the word of `--format`."""

    TABLE = "table"
    MARKDOWN = "markdown"
    CSV = "csv"
    JSON = "json"


def page_of(file: MapFile, form: PageFormat, screen: Screen) -> str:
    """Return a map as text, without a line break at its end."""
    match form:
        case PageFormat.TABLE:
            return _table(file, screen)
        case PageFormat.MARKDOWN:
            return _markdown(file)
        case PageFormat.CSV:
            return _csv(file)
        case PageFormat.JSON:
            return json.dumps(_json(file), ensure_ascii=False)


def _table(file: MapFile, screen: Screen) -> str:
    """Return a table for each area, or several areas at once, that has something."""
    columns: dict[str, Callable[[ShownRow], str]] = {
        "address": lambda row: str(row.address),
        "hex": lambda row: f"{row.address:04X}",
        "type": _type,
        "content": lambda row: row.item or row.meaning,
        "meaning": lambda row: "; ".join(filter(None, (_unit(row), _notes(row)))),
    }
    parts = [f"{file.register_map.name}: {file.title}", *_facts(file)]
    for areas, rows in groupby(rows_of(file), key=lambda row: row.areas):
        cells = [[cell(row) for cell in columns.values()] for row in rows]
        title = " and ".join(_TITLES[area] for area in areas)
        table = Table(tuple(columns), cells, ("address", "hex"), title)
        parts.append(drawn(table, screen))
    return "\n".join(parts)


_TITLES = {
    "coil": "coils",
    "discrete": "discrete inputs",
    "holding": "holding registers",
    "input": "input registers",
}


def _markdown(file: MapFile) -> str:
    columns: dict[str, Callable[[ShownRow], str]] = {
        "area": lambda row: ", ".join(row.areas),
        "address": lambda row: str(row.address),
        "hex": lambda row: f"{row.address:04X}",
        "type": _type,
        "item": lambda row: f"`{row.item}`" if row.item else "",
        "unit": _unit,
        "meaning": lambda row: "; ".join(filter(None, (row.meaning.rstrip("."), _notes(row)))),
    }
    lines = [f"# {file.title}", "", *(f"- {fact}" for fact in _facts(file)), ""]
    lines += [_marked(columns), f"|{' --- |' * len(columns)}"]
    lines += [
        _marked(cell(row).replace("|", "\\|") for cell in columns.values()) for row in rows_of(file)
    ]
    return "\n".join(lines)


def _marked(cells: Sequence[str] | Iterator[str] | Mapping[str, object]) -> str:
    return f"| {' | '.join(cells)} |"


def _type(row: ShownRow) -> str:
    """Return type, size where the type has none of its own, and orders: ascii x16."""
    size = "" if row.type and row.type not in _SIZED else f"x{row.size}"
    return " ".join(filter(None, (row.type, size, row.order)))


_SIZED = ("ascii", "bcd", "bits")


def _unit(row: ShownRow) -> str:
    one = "" if row.scale == "1" else row.scale
    return f"{one} {row.unit}".strip()


def _notes(row: ShownRow) -> str:
    writable = ("writable",) if row.item and row.access == "write" else ()
    return "; ".join((*row.notes, *writable))


CSV_COLUMNS: dict[str, Callable[[ShownRow], str]] = {
    "area": lambda row: " ".join(row.areas),
    "address": lambda row: f"0x{row.address:04X}",
    "size": lambda row: str(row.size),
    "type": lambda row: row.type,
    "word_order": lambda row: row.word_order,
    "byte_order": lambda row: row.byte_order,
    "item": lambda row: row.item,
    "scale": lambda row: row.scale,
    "unit": lambda row: row.unit,
    "access": lambda row: "r/w" if row.access == "write" else "r",
    "keys": lambda row: keys_text(row.keys),
    "description": lambda row: "; ".join((row.meaning.rstrip("."), *row.notes)),
}
"""Heading -> the cell of a row. `map new --from-csv` reads these columns."""


def _csv(file: MapFile) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for row in rows_of(file):
        writer.writerow([cell(row) for cell in CSV_COLUMNS.values()])
    return out.getvalue().rstrip("\n")


def _facts(file: MapFile) -> Iterator[str]:
    """Yield what holds for a whole map, in sentences without an end."""
    m = file.register_map
    for source in file.sources:
        yield f"{source.confidence}: {source.text}"
    yield f"functions: {', '.join(map(str, sorted(map(int, m.functions))))}"
    yield f"a read has at most {m.largest_read} registers"
    if m.whole_values:
        yield "a read that begins or ends inside a value is refused with exception 02"
        pairs = [word for word, area in AREAS.items() if m.in_pairs(area)]
        if pairs:
            areas = " and ".join(pairs)
            yield f"{areas}: a read of an odd address or length is refused with exception 02"
    if m.any_unit:
        yield "on TCP every unit is answered while the meter is alone"
    if m.windows is None:
        yield "no windows for sealed messages: a top-up over this map is refused before it is begun"
    for quirk in file.quirks:
        yield f"quirk: {quirk.text}"


def _json(file: MapFile) -> dict[str, object]:
    m = file.register_map
    return {
        "name": m.name,
        "title": file.title,
        "sources": [{"text": s.text, "confidence": s.confidence} for s in file.sources],
        "functions": sorted(int(function) for function in Function if function in m.functions),
        "largest_read": m.largest_read,
        "whole_values": m.whole_values,
        "any_unit": m.any_unit,
        "sealed_windows": m.windows is not None,
        "quirks": [{"text": q.text, "consumer": q.consumer} for q in file.quirks],
        "rows": [_json_row(row) for row in rows_of(file)],
    }


def _json_row(row: ShownRow) -> dict[str, object]:
    lists = {"areas": list(row.areas), "notes": list(row.notes), "keys": dict(row.keys)}
    return row._asdict() | lists
