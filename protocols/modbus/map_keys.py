"""The keys of a register map file: the one declaration from which reading, docs and schema derive.

`map_file.py` reads a file by it; the kinds of values are in `map_key_kinds.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from protocols.errors import QuantityError
from protocols.modbus.areas import ADDRESSES
from protocols.modbus.map_key_kinds import (
    AREAS,
    HEX,
    Areas,
    ConstantValue,
    Functions,
    Initial,
    NumberOrNan,
    Numbers,
    Scale,
    Switch,
    Text,
    ValueKind,
    Whole,
    WordNumbers,
    Words,
    shown,
)
from protocols.modbus.pdu import MAX_READ_BITS, MAX_READ_REGISTERS
from protocols.modbus.plain_writes import CONTROL_ACTIONS
from protocols.modbus.value_layout import Order, ValueType

FORMAT = 1
"""The version of the file format."""
CONFIDENCES = {
    "measured": "seen on the wire of a real meter or client",
    "documented": "in a manual or a specification",
    "consumer": "in a program that reads such meters",
    "memory": "from memory, unproved",
}


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a table: what its values are and what they mean.

    `default` is what a file without the key has, in words; a `needed` key has none.
    """

    name: str
    kind: ValueKind
    meaning: str
    needed: bool = False
    default: str = ""


@dataclass(frozen=True, slots=True)
class TableKind:
    """A table inside another: `of` says its keys; or a list of such tables, where `is_list`."""

    of: Table
    is_list: bool = False

    @property
    def allowed(self) -> str:
        keys = f"the keys {', '.join(key.name for key in self.of.keys)}"
        return f"tables [[{self.of.name}]] with {keys}" if self.is_list else f"a table with {keys}"

    @property
    def schema(self) -> Mapping[str, Any]:
        reference = {"$ref": f"#/$defs/{self.of.name}"}
        return {"type": "array", "items": reference} if self.is_list else reference

    def read(self, value: object) -> Any:
        """Return the table or the tables as TOML holds them; `map_file.py` reads their keys."""
        if self.is_list:
            if isinstance(value, list) and all(isinstance(each, Mapping) for each in value):
                return value
            if isinstance(value, Mapping):
                name = self.of.name
                raise QuantityError(f"it is a list of tables: write [[{name}]], not [{name}]")
        elif isinstance(value, list) and any(isinstance(each, Mapping) for each in value):
            raise QuantityError("it is one table, which has single brackets, and no list of them")
        elif isinstance(value, Mapping):
            return value
        raise QuantityError(f"{shown(value)} is no {'list of tables' if self.is_list else 'table'}")


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the file, with its keys in the order in which docs show them."""

    name: str
    meaning: str
    keys: tuple[Key, ...]

    def key(self, name: str) -> Key | None:
        """Return a key by its name."""
        return next((key for key in self.keys if key.name == name), None)


_ANY = Text()
_WORD = Text(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*", "a word of small letters, digits and hyphens")
_ADDRESS = Whole(0, ADDRESSES - 1)
_SIZE = Whole(1, ADDRESSES)
_VALUE_SIZE = Whole(1, MAX_READ_BITS)
_TYPES = Words(
    {one.value: one for one in ValueType},
    {
        "float": "f32",
        "double": "f64",
        "string": "ascii",
        "bit": "bool",
        "boolean": "bool",
        **{f"float{bits}": f"f{bits}" for bits in (32, 64)},
        **{f"uint{bits}": f"u{bits}" for bits in (16, 32, 64)},
        **{f"int{bits}": f"s{bits}" for bits in (16, 32, 64)},
        **{f"i{bits}": f"s{bits}" for bits in (16, 32, 64)},
    },
)
_ORDERS = Words({one.value: one for one in Order})
_NAME = Text(r"[a-z][a-z0-9_]*", "the name of an item")
_GAPS = Words({"zero": True, "refuse": False})
_ODD = Words({"allow": False, "refuse": True})
_OBJECT = Text(r"[ -~]{1,200}", "1 to 200 characters of ASCII")

# fmt: off
SOURCE = Table("source", "Where the facts of the map come from, one [[source]] each.", (
    Key("text", _ANY, "Document, edition and page; program and file.", needed=True),
    Key("confidence", Words({word: word for word in CONFIDENCES}),
        "How sure it is: " + "; ".join(f"`{word}`: {what}" for word, what in CONFIDENCES.items())
        + ".", needed=True),
))
_ADDRESS_KEY = Key("address", _ADDRESS, "Wire address, from 0, of the first register or bit.",
                   needed=True)
_AREA = Key("area", Areas(), "Where it lies: input registers (function 4), holding registers "
            "(3), coils (1), discrete inputs (2).", default="that of [defaults]")
_TYPE = Key("type", _TYPES, "Type of the value; bits exist in coils and discrete inputs only.",
            default="that of [defaults]")
_WORD_ORDER = Key("word_order", _ORDERS, "Order of the registers of one value.",
                  default="high_first")
_BYTE_ORDER = Key("byte_order", _ORDERS, "Order of the two bytes of each register.",
                  default="high_first")
_DECIMALS = Key("decimals", Whole(-18, 18), "Decimals of the number: with 2 it counts 0.01 of the "
                "unit.", default="0")
_ABSENT = Key("absent", NumberOrNan(), "Shown where the meter lacks the phase; 0x8000 of an s16 is "
              "its bits.", default="the value reads 0")
DEFAULTS = Table("defaults", "Keys of every [[register]] and [[constant]], and the area of "
                 "[[zeros]] and [[scratch]]. A row with a type of its own takes no `decimals` and "
                 "no `absent` from here.",
                 (_AREA, _TYPE, _WORD_ORDER, _BYTE_ORDER, _DECIMALS, _ABSENT))
REQUESTS = Table("requests", "Which requests the meter takes.", (
    Key("functions", Functions(), "Function codes that exist; others are refused with exception "
        "01.", default="all"),
    Key("largest_read", Whole(1, MAX_READ_REGISTERS), "Registers of the largest read; more is "
        "exception 03.", default=str(MAX_READ_REGISTERS)),
    Key("gaps", _GAPS, "Addresses without a meaning between the first and the last one of each "
        "area: they read 0, or are refused with exception 02.", default="refuse"),
    Key("odd_addresses", _ODD, "A read that begins or ends inside a value or a constant: "
        "allowed, or refused with exception 02. Where all values of an area have even addresses "
        "and even widths, a read of an odd address or length is refused too, gaps included.",
        default="allow"),
    Key("windows", _ADDRESS, "Address of the windows for sealed messages; without them no sealed "
        "top-up passes.", default="none"),
    Key("any_unit", Switch(), "On TCP a meter that is alone answers whatever unit is asked.",
        default="false"),
))
IDENTIFICATION = Table("identification", "What functions 43 and 17 tell.", (
    Key("vendor", _OBJECT, "Object 0 of function 43/14."),
    Key("product_code", _OBJECT, "Object 1."),
    Key("revision", _OBJECT, "Object 2."),
    Key("url", _OBJECT, "Object 3."),
    Key("product_name", _OBJECT, "Object 4."),
    Key("model", _OBJECT, "Object 5."),
    Key("server_id", _OBJECT, "All data of function 17, in hexadecimal digits; any other text "
        "stands after the bytes 50 FF.", default="product name or code, and serial number"),
))
IDENTIFICATION_OBJECTS = {"vendor": 0, "product_code": 1, "revision": 2, "url": 3,
                          "product_name": 4, "model": 5}
REGISTER = Table("register", "A value of the meter, one [[register]] each.", (
    _ADDRESS_KEY,
    Key("item", _NAME, "Name of the item: `meterctl items` lists them.", needed=True),
    _AREA,
    _TYPE,
    Key("unit", _ANY, "Unit of the number, such as W of an item in kW.", default="the item's"),
    _DECIMALS,
    Key("scale", Scale(), "Value of the number 1 in the unit, instead of decimals; a negative one "
        "turns the sign."),
    Key("off", NumberOrNan(), 'The number for "off" of an item that has it.',
        default="needed by such an item"),
    _ABSENT,
    Key("size", _VALUE_SIZE, "Registers of bcd and ascii, addresses of bits.",
        default="as many as the item needs; a number in bcd needs it"),
    _WORD_ORDER,
    _BYTE_ORDER,
    Key("values", WordNumbers(), "Numbers of the words of a choice, or of on and off.",
        default="those of docs/register-map.md"),
    Key("bit", _NAME, "The one word of a set that a bool holds."),
    Key("wraps", Switch(), "A number beyond the end of its unsigned type begins again at 0.",
        default="false: it stays at the end"),
    Key("magnitude", Switch(), "The value without its sign.", default="false"),
    Key("sign_of", _NAME, "The value with the sign of this item."),
    Key("writable", Switch(), "A setting that a plain write changes, where the meter has "
        "`unsafe_writes`.", default="false"),
    Key("source", _ANY, "Where this row comes from, if not from the sources of the map."),
    Key("note", _ANY, "What a reader of the map should know of it."),
))
CONSTANT = Table("constant", "What never changes, one [[constant]] each.", (
    _ADDRESS_KEY,
    _AREA,
    Key("type", _TYPES, "Type of `value`.", default="that of [defaults]"),
    Key("value", ConstantValue(), "The number or the text; 0x8000 of an s16 is its bits. "
        "\"unit\" of a number is the unit number of the meter."),
    Key("hex", HEX, "The bytes, instead of type and value: whole registers, or bits with the "
        "first one in the lowest bit."),
    Key("size", _VALUE_SIZE, "Registers of ascii, which is filled with NUL; number of bits.",
        default="as many as the value needs"),
    _WORD_ORDER,
    _BYTE_ORDER,
    Key("meaning", _ANY, "What a reader of the map should know of it."),
    Key("source", _ANY, "Where this row comes from."),
))
ZEROS = Table("zeros", "Addresses that read 0 where nothing else lies, one [[zeros]] each.", (
    _AREA,
    _ADDRESS_KEY,
    Key("size", _SIZE, "Number of addresses.", needed=True),
    Key("meaning", _ANY, "What the real meter has there."),
))
SCRATCH = Table("scratch", "What may be written without effect, one [[scratch]] each.", (
    _AREA,
    _ADDRESS_KEY,
    Key("size", _SIZE, "Number of addresses.", needed=True),
    Key("initial", Initial(), "What it holds before it is written.", default="zeros"),
    Key("meaning", _ANY, "What the real meter has there."),
))
PLAIN_NUMBER = Table("number", "A number of a plain credit.", (
    Key("type", _TYPES, "Its type.", needed=True),
    _DECIMALS,
    _WORD_ORDER,
    _BYTE_ORDER,
    Key("wraps", Switch(), "It begins again at 0 after the end of its type.", default="false"),
))
CREDIT = Table("credit", "Holding registers that take a credit in one request of function 16, "
               "where the meter has `unsafe_writes`: its count, and the amount right after it.", (
    _ADDRESS_KEY,
    Key("count", TableKind(PLAIN_NUMBER), "Layout of the purchase count, such as "
        '{ type = "u16" }.', needed=True),
    Key("amount", TableKind(PLAIN_NUMBER), "Layout of the amount, such as "
        '{ type = "u32", decimals = 2 }.', needed=True),
))
_ACTIONS = Numbers(Whole(0, (1 << 64) - 1), "a list of whole numbers, big-endian over `size`")
CONTROL = Table("control", "Holding registers, or a coil, that order the switch in one request, "
                "where the meter has `unsafe_writes`.", (
    Key("area", Words({word: AREAS[word] for word in ("holding", "coil")}), "Where it lies.",
        needed=True),
    _ADDRESS_KEY,
    Key("size", Whole(1, 4), "Registers that are written together.", default="1"),
    *(Key(word, _ACTIONS, f"Numbers that act as `{word}` does (METER 5).")
      for word in CONTROL_ACTIONS),
))
QUIRK = Table("quirk", "What a program expects that no manual says, one [[quirk]] each.", (
    Key("text", _ANY, "What it is.", needed=True),
    Key("consumer", _ANY, "The program that needs it.", needed=True),
))
FILE = Table("", "The file.", (
    Key("format", Whole(FORMAT, FORMAT), "Version of this format.", needed=True),
    Key("name", _WORD, "Name of the map.", default="that of the file"),
    Key("title", _ANY, "The meter, in words.", needed=True),
    Key("source", TableKind(SOURCE, is_list=True), SOURCE.meaning, needed=True),
    Key("defaults", TableKind(DEFAULTS), DEFAULTS.meaning),
    Key("requests", TableKind(REQUESTS), REQUESTS.meaning),
    Key("identification", TableKind(IDENTIFICATION), IDENTIFICATION.meaning),
    *(Key(one.name, TableKind(one, is_list=True), one.meaning)
      for one in (REGISTER, CONSTANT, ZEROS, SCRATCH)),
    Key("credit", TableKind(CREDIT), CREDIT.meaning),
    Key("control", TableKind(CONTROL), CONTROL.meaning),
    Key("quirk", TableKind(QUIRK, is_list=True), QUIRK.meaning),
))
# fmt: on
TABLES = (
    FILE,
    SOURCE,
    DEFAULTS,
    REQUESTS,
    IDENTIFICATION,
    REGISTER,
    CONSTANT,
    ZEROS,
    SCRATCH,
    CREDIT,
    PLAIN_NUMBER,
    CONTROL,
    QUIRK,
)
