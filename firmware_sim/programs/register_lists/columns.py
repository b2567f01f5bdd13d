"""The columns of a register list: which column says what, by its heading."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import NamedTuple

from protocols.csv_text import Record


class Role(Enum):
    """The meaning of a column; the value is its name for people."""

    ITEM = "item"
    ADDRESS = "address"
    NAME = "name"
    DESCRIPTION = "description"
    TYPE = "type"
    SIZE = "size"
    UNIT = "unit"
    SCALE = "scale"
    GAIN = "gain"
    DECIMALS = "decimals"
    FUNCTION = "function"
    ACCESS = "access"
    ORDER = "order"
    KEYS = "keys"


_HEADINGS: Mapping[Role, str] = {
    Role.ITEM: "item|data item",
    Role.ADDRESS: "address|display address|addr|start address|starting address|register address|"
    "reg address|reg addr|modbus address|protocol address|data address|offset|start|"
    "adresse|registeradresse|startadresse|地址|寄存器地址|起始地址|register|registers|"
    "reg|modbus register|register number|register no|reg no|start register|"
    "register start|nr|no|hex|dec|hex address|dec address|address hex|address dec|"
    "hexadecimal|decimal",
    Role.NAME: "name|metric|parameter|parameter name|register name|variable|variable name|signal|"
    "signal name|point|point name|data point|tag|tag name|measurand|measured value|label|"
    "symbol|mnemonic|data|data name|field|quantity|measurement|bezeichnung|parametername|"
    "messwert|名称|参数|变量|数据项|数据名称|参数名称|nombre",
    Role.DESCRIPTION: "description|desc|comment|comments|remark|remarks|meaning|note|notes|"
    "explanation|beschreibung|bemerkung|kommentar|说明|描述|备注|含义|descripcion",
    Role.TYPE: "type|data type|modbus data type|datatype|format|data format|number format|"
    "value type|datentyp|typ|数据类型|类型|格式|数据格式",
    Role.SIZE: "size|bytes|bits|length|len|count|words|no of registers|number of registers|"
    "num registers|register count|reg count|# of registers|registers count|word count|"
    "länge|anzahl|anzahl register|长度|寄存器数|字数|字长",
    Role.UNIT: "unit|units|uom|unit of measurement|scale unit|engineering unit|eu|einheit|"
    "einheiten|单位|unidad",
    Role.SCALE: "scale|scaling|factor|multiplier|scale factor|scaling factor|resolution|"
    "multiplicator|coefficient|faktor|skalierung|auflösung|倍率|系数|分辨率|比例|sf",
    Role.GAIN: "gain|divisor|divider|div|增益",
    Role.DECIMALS: "decimals|decimal places|decimal|precision|nachkommastellen|小数位|小数位数",
    Role.FUNCTION: "function|fncode|fn code|function type|datamodel|data model|function code|"
    "function codes|fc|func|fcode|function code read|read function|modbus function|area|"
    "register type|reg type|table|object type|register class|space|space type|funktion|"
    "funktionscode|功能码|功能|寄存器类型",
    Role.ACCESS: "access|r/w|rw|read/write|permission|permissions|attribute|mode|access mode|"
    "read or write|write|writable|zugriff|读写|读写属性|属性",
    Role.ORDER: "order|byte order|word order|byteorder|wordorder|endian|endianness|endianess|swap|"
    "字节序|字节顺序",
    Role.KEYS: "keys",
}
_ROLE_OF = {name: role for role, names in _HEADINGS.items() for name in names.split("|")}
_PRIORITY = {
    role: {name: place for place, name in enumerate(names.split("|"))}
    for role, names in _HEADINGS.items()
}
_SEARCHED_ROWS = 60
"""Rows in which a heading is looked for: lists begin with titles and notes."""


class Column(NamedTuple):
    """A column: its place in a row, its heading in lower case, and what stands in brackets."""

    place: int
    heading: str
    note: str

    @property
    def whole(self) -> str:
        """Heading and note."""
        return f"{self.heading} {self.note}".strip()


class Heading(NamedTuple):
    """The row that names the columns, and the columns of each role, the likeliest first."""

    line: int
    columns: Mapping[Role, Sequence[Column]]

    def cell(self, role: Role, row: Sequence[str]) -> str:
        """Return the first cell of a role that has a text."""
        return next(iter(self.cells(role, row)), "")

    def cells(self, role: Role, row: Sequence[str]) -> list[str]:
        """Return the cells of a role that have a text."""
        places = (column.place for column in self.columns.get(role, ()))
        return [row[place].strip() for place in places if place < len(row) and row[place].strip()]


def find_heading(records: Iterable[Record]) -> Heading | None:
    """Return the heading of a list: the first row with a column of addresses and one of names."""
    for number, record in enumerate(records):
        if number == _SEARCHED_ROWS:
            break
        columns = _columns(record.cells)
        has_names = any(role in columns for role in (Role.NAME, Role.DESCRIPTION, Role.ITEM))
        if Role.ADDRESS in columns and has_names:
            return Heading(record.line, columns)
    return None


def _columns(names: Sequence[str]) -> dict[Role, list[Column]]:
    found: dict[Role, list[Column]] = {}
    for place, name in enumerate(names):
        column = _column(place, name)
        role = _ROLE_OF.get(column.heading) or _ROLE_OF.get(column.whole)
        if role is not None:
            found.setdefault(role, []).append(column)
    for role, columns in found.items():
        order = _PRIORITY[role]
        columns.sort(key=lambda column: order.get(column.heading, len(order)))
    return found


def _column(place: int, name: str) -> Column:
    plain = " ".join(unicodedata.normalize("NFKC", name).lower().replace("_", " ").split())
    note = " ".join(re.findall(r"[(\[]([^)\]]*)[)\]]", plain))
    heading = re.sub(r"[(\[][^)\]]*[)\]]", " ", plain).replace(".", " ")
    return Column(place, " ".join(heading.split()), note)
