"""Registers of windows and lists, field by field: rows of tables, and what is sealed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from struct import calcsize
from typing import Any

from protocols.data_model.kinds import Kind
from protocols.data_model.row_types import ROW_TYPES, kinds_of
from protocols.data_model.tables import Event, Table
from protocols.data_model.tariff import TariffSet
from protocols.errors import ProtocolError
from protocols.keys import MessageClass
from protocols.modbus.dissection.placed import Answered, Question
from protocols.modbus.dissection.sealed import (
    ANSWER,
    RECEIPT,
    STATUS,
    as_object,
    read_form,
    read_message,
)
from protocols.modbus.dissection.sheet import Sheet
from protocols.modbus.register_parts import RowList, RowWindow
from protocols.modbus.sealed_windows import SealedWindow
from protocols.modbus.tariff_window import TARIFF_PART, TariffWindow

Values = dict[str, str]
"""Names and JSON values."""
_CLASSES = {number: each.value for number, each in enumerate(MessageClass)}
_CODE = re.compile(r"[a-zA-Z]")


def read_question(sheet: Sheet, asked: Question) -> Values:
    """Read what was written into a window. Raises CutShortError."""
    match asked.window:
        case RowWindow():
            first = sheet.number(4, "first row", _first_text)
            return {"first": str(first)}
        case SealedWindow.RECEIPT:
            kind = sheet.number(2, "class", _class_text)
            sequence = sheet.number(4, "sequence")
            return {"class": json.dumps(_class_text(kind)), "sequence": str(sequence)}
        case SealedWindow.STATUS:
            nonce = sheet.take(8, "nonce", "")
            journal = sheet.take(4, "journal", lambda data: data.hex())
            version = sheet.number(2, "key version")
            return {
                "nonce": json.dumps(nonce.hex()),
                "journal": json.dumps(journal.hex()),
                "key_version": str(version),
            }
        case TariffWindow():
            which = sheet.number(2, "set", _set_text)
            return {"set": json.dumps(_set_word(which)), "offset": str(sheet.number(2, "offset"))}
        case SealedWindow.MESSAGE | SealedWindow.ANSWER:
            return _message_part(sheet)


def _set_text(value: int) -> str:
    return f"{value}: {_set_word(value)}"


def _set_word(value: int) -> str:
    return next((each.name.lower() for each in TariffSet if each == value), f"unknown_{value}")


def _tariff_part(sheet: Sheet) -> Values:
    which = sheet.number(2, "set", _set_text)
    offset = sheet.number(2, "offset", "bytes before these")
    size = sheet.number(2, "size", "bytes in all")
    crc = sheet.number(4, "CRC-32", lambda value: f"{value:08x}")
    shown = min(max(size - offset, 0), TARIFF_PART, sheet.left)
    data = sheet.take(shown, "encoding", "parts of a tariff, as in a sealed message")
    sheet.rest("fill", "")
    found = {"set": json.dumps(_set_word(which)), "offset": str(offset), "size": str(size)}
    return {**found, "crc32": json.dumps(f"{crc:08x}"), "bytes": json.dumps(data.hex(" "))}


def _first_text(value: int) -> str:
    return str(value) if value else "0: the newest rows"


def _class_text(value: int) -> str:
    return _CLASSES.get(value, f"unknown_{value}")


def _message_part(sheet: Sheet) -> Values:
    total = sheet.number(2, "total", "bytes of the message")
    offset = sheet.number(2, "offset", "bytes before this part")
    size = sheet.number(2, "part", "bytes in this part")
    commit = sheet.number(2, "commit", lambda value: f"{value}: {_COMMITS.get(value, 'unknown')}")
    found = {"total": str(total), "offset": str(offset), "size": str(size), "commit": str(commit)}
    size = min(size, sheet.left)
    if offset == 0 and size == total and size:
        found["message"] = as_object(read_message(sheet, size))
    elif size:
        sheet.take(size, "part of a message", f"bytes {offset} to {offset + size - 1} of {total}")
    sheet.rest("fill", "up to whole registers")
    return found


_COMMITS = {0: "more parts follow", 1: "the message is delivered"}


def read_answer(sheet: Sheet, shown: Answered) -> Values:
    """Read what a window shows. Raises CutShortError."""
    match shown.window:
        case RowWindow() as window:
            return _rows_of_window(sheet, window)
        case TariffWindow():
            return _tariff_part(sheet)
        case SealedWindow.RECEIPT | SealedWindow.MESSAGE:
            return _sized(sheet, "receipt")
        case SealedWindow.STATUS:
            return _sized(sheet, "status")
        case SealedWindow.ANSWER:
            state = sheet.number(2, "state", lambda value: f"{value}: {_STATES.get(value, '-')}")
            found = {"state": str(state)}
            found["answer"] = as_object(_answer(sheet, is_shown=state == 1))
            return found | (_sized(sheet, "receipt") if sheet.left else {})


_STATES = {0: "no answer", 1: "answered"}
_SIZE_OF = {"receipt": RECEIPT, "status": STATUS}


def _answer(sheet: Sheet, *, is_shown: bool) -> Values:
    size = sum(part.size for part in ANSWER)
    if is_shown:
        return read_form(sheet, size, "answer", ANSWER)
    sheet.take(size, "answer", "none")
    return {}


def _sized(sheet: Sheet, name: str) -> Values:
    """Read a size in bytes and a sealed form of that size."""
    size = sheet.number(2, f"size of the {name}", lambda value: f"{value}" if value else "0: none")
    found = {}
    if size and sheet.left:
        found[name] = as_object(read_form(sheet, min(size, sheet.left), name, _SIZE_OF[name]))
    sheet.rest("fill", "")
    return {name: "null"} | found


def _rows_of_window(sheet: Sheet, window: RowWindow) -> Values:
    first = sheet.number(4, "first row", "")
    count = sheet.number(2, "rows", "")
    found: list[str] = []
    size = window.row_size
    while sheet.left >= size and len(found) < count:
        found.append(_row(sheet, window.table, size, f"row {len(found) + 1}"))
    sheet.rest("fill", "no row")
    return {"first": str(first), "rows": f"[{', '.join(found)}]"}


def read_list(sheet: Sheet, rows: RowList) -> Values:
    """Read the newest rows of a table from the first one on."""
    found: list[str] = []
    size = rows.table.row_size
    while sheet.left >= size:
        row = _row(sheet, rows.table, size, f"row {len(found) + 1}")
        if row:
            found.append(row)
    sheet.rest("row", "cut by the request")
    return {"rows": f"[{', '.join(found)}]"}


def _row(sheet: Sheet, table: Table, size: int, name: str) -> str:
    """Read a row of a table; return it as a JSON object, empty for a row that is not there."""
    data = sheet.ahead(size)
    if not any(data):
        sheet.take(size, name, "no row")
        return ""
    try:
        row = ROW_TYPES[table.name].unpack(table.completed(data))
        columns = [*_columns_within(row, size)]
    except ProtocolError:
        sheet.take(size, name, "no row of this table")
        return ""
    if sum(each for _, each, _ in columns) != size:  # columns that share bytes
        texts = ", ".join(f"{column} {text}" for column, _, text in _columns(row))
        sheet.take(size, name, texts)
    else:
        for column, each, text in columns:
            sheet.take(each, f"{name} {column}", text)
    return as_object(_row_values(row))


def _row_values(row: Any) -> Values:
    values = {name: kind.json(getattr(row, name)) for name, kind in _kinds(row).items()}
    if not isinstance(row, Event):
        return values
    own = {"event": json.dumps(row.name), "elapsed_ms": values["elapsed_ms"]}
    return {"number": values["number"], "at": values["at"], **own, **row.detail_fragments()}


def _columns_within(row: Any, size: int) -> Iterator[tuple[str, int, str]]:
    """Yield the columns that lie in so many bytes: rows of older builds have fewer."""
    for column in _columns(row):
        size -= column[1]
        if size >= 0:
            yield column


def _columns(row: Any) -> list[tuple[str, int, str]]:
    """Return name, size and text of each column of a row; size 0 where columns share bytes."""
    sizes = [calcsize(f">{code}") for code in _CODE.findall(str(row.PACKING.format))]
    texts = {name: kind.text(getattr(row, name)) for name, kind in _kinds(row).items()}
    if isinstance(row, Event):
        texts["code"] += f": {row.name}"
        for column, (name, (kind, value)) in zip("ab", row.details().items(), strict=False):
            texts[column] = f"{name} {kind.text(value)}"
    if len(sizes) != len(texts):
        sizes = [0] * len(texts)
    return [(name, size, text) for (name, text), size in zip(texts.items(), sizes, strict=True)]


def _kinds(row: Any) -> Mapping[str, Kind]:
    row_type: Any = type(row)
    return kinds_of(row_type)
