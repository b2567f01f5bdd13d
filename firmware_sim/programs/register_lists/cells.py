"""Cells of a register list: types, scales, units, functions and access as people write them."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple

from protocols.errors import QuantityError


class WrittenType(NamedTuple):
    """A type of the list, empty where its cells do not say it; `size` in registers, 0 likewise."""

    type: str
    word_order: str = ""
    byte_order: str = ""
    size: int = 0


class WrittenUnit(NamedTuple):
    """A unit and the number that stands before it: 0.1 V."""

    unit: str
    factor: Fraction


_TYPES = (
    (r"acc(?:umulator)?(16|32|64)", "u"),
    (r"(?:bitfield|enum|bitmap)(16|32|64)?", "u"),
    (r"u(?:nsigned)?(?:int|integer|short|long)?(8|16|32|64)(?:bits?)?(?:int|integer)?", "u"),
    (r"(16|32|64)bits?u(?:nsigned)?(?:int|integer)?", "u"),
    (r"(?:s|i|int|sint|signed|signedint|integer|signedinteger)(8|16|32|64)(?:bits?)?", "s"),
    (r"(16|32|64)bits?(?:signed)?(?:int|integer)", "s"),
    (r"(16|32|64)bits?signed", "s"),
    (r"(?:f|fp|flo|float|real|ieee754|ieee|floatingpoint)(32|64)(?:bits?)?(?:ieee754)?", "f"),
    (r"(32|64)bits?(?:ieee754)?(?:float|real|floatingpoint)(?:ieee754)?", "f"),
)
_NAMED_TYPES = {
    **dict.fromkeys(("word", "ushort", "uint", "unsigned", "unsignedint", "16bit", "hex"), "u16"),
    **dict.fromkeys(("unsignedshort", "unsignedword", "uword", "u", "无符号整数"), "u16"),
    **dict.fromkeys(("int", "short", "integer", "signed", "sint", "signedint", "sword"), "s16"),
    **dict.fromkeys(("signedshort", "signedword", "i", "s", "有符号整数"), "s16"),
    **dict.fromkeys(
        ("dword", "udword", "udoubleword", "ulong", "udint", "unsignedlong", "32bit"), "u32"
    ),
    **dict.fromkeys(("unsigneddword", "doubleword"), "u32"),
    **dict.fromkeys(("long", "dint", "signedlong", "sdword", "longint", "signeddword"), "s32"),
    **dict.fromkeys(("qword", "ulint", "ulonglong", "64bit", "uqword"), "u64"),
    **dict.fromkeys(("lint", "longlong", "sqword"), "s64"),
    **dict.fromkeys(("float", "real", "single", "ieee754", "floatingpoint", "浮点数"), "f32"),
    **dict.fromkeys(("floatieee754", "ieee754float", "singlefloat", "浮点"), "f32"),
    **dict.fromkeys(("double", "lreal", "doublefloat"), "f64"),
    **dict.fromkeys(("string", "ascii", "char", "str", "text", "字符串"), "ascii"),
    "bits": "bits",
    **dict.fromkeys(("bool", "boolean", "bit", "coil", "位"), "bool"),
}
_ORDERS = {
    **dict.fromkeys(
        ("abcd", "1234", "bigendian", "big", "be", "msb", "msw", "hl", "hwlw", "hilo"), ("", "")
    ),
    **dict.fromkeys(
        ("cdab", "3412", "wordswap", "swapped", "swap", "sw", "lsw", "lwhw", "lohi", "r"),
        ("low_first", ""),
    ),
    **dict.fromkeys(("lowfirst", "wordle", "midlittleendian"), ("low_first", "")),
    **dict.fromkeys(("badc", "2143", "byteswap", "midbigendian"), ("", "low_first")),
    **dict.fromkeys(
        ("dcba", "4321", "littleendian", "little", "le", "wordbyteswap", "lsb"),
        ("low_first", "low_first"),
    ),
}
_SIZED = re.compile(r"(string|ascii|char|str|bcd)(\d{0,3})")


_OF_ANY_SIZE = {
    **dict.fromkeys(("uint", "unsigned", "unsignedint", "u", "hex", "无符号整数"), "u"),
    **dict.fromkeys(("int", "integer", "signed", "sint", "signedint", "i", "s", "有符号整数"), "s"),
    **dict.fromkeys(("float", "real", "ieee754", "floatingpoint", "浮点数", "浮点"), "f"),
}


def parse_type(text: str, size: int = 0) -> WrittenType:
    """Return the type of a cell such as UINT32, "float (CDAB)" or STR16.

    Args:
        text: the cell.
        size: number of registers that the list gives the value, 0 where it does not say it.

    Raises:
        QuantityError: the type is not known.
    """
    plain = re.sub(r"[^0-9a-z\u4e00-\u9fff]", "", text.lower())
    if not plain:
        return WrittenType("", size=size)
    word, order, swapped = plain, ("", ""), ""
    for name in sorted(_ORDERS, key=len, reverse=True):
        if plain.endswith(name) and (head := plain.removesuffix(name)) and _plain_type(head):
            word, order, swapped = head, _ORDERS[name], name
            break
    found = _plain_type(word)
    if not found or (swapped and found == "ascii"):
        raise QuantityError(f"{text!r} is a type that is not known")
    letter = _OF_ANY_SIZE.get(word)
    if letter is not None and size in ((2, 4) if letter == "f" else (1, 2, 4)):
        found = f"{letter}{16 * size}"
    sized = _SIZED.fullmatch(word)
    if sized and sized[2] and not size and found == "ascii":
        size = -(-int(sized[2]) // 2)  # characters, two in a register
    return WrittenType(found, *order, size)


def parse_order(text: str) -> tuple[str, str]:
    """Return the order of words and of bytes of a cell such as CDAB; raises QuantityError."""
    plain = re.sub(r"[^a-z0-9]", "", text.lower())
    if not plain:
        return ("", "")
    if plain not in _ORDERS:
        raise QuantityError(f"{text!r} is an order that is not known")
    return _ORDERS[plain]


def _plain_type(word: str) -> str:
    for pattern, letter in _TYPES:
        if found := re.fullmatch(pattern, word):
            bits = max(int(found[1] or 16), 16)
            return f"{letter}{bits}"
    if sized := _SIZED.fullmatch(word):
        return "bcd" if sized[1] == "bcd" else "ascii"
    return _NAMED_TYPES.get(word, "")


_NUMERAL = r"\d+(?:\.\d+)?(?:e[+-]?\d+)?"
_FACTOR = re.compile(rf"[*x×]? ?({_NUMERAL})(?: ?/ ?({_NUMERAL}))?")
_POWER_OF_TEN = re.compile(r"[*x×]? ?10 ?(?:\^|\*\*) ?([+-]?\d{1,2})")
_DIVISOR = re.compile(rf"(?:/|÷|:) ?({_NUMERAL})")
_GREATEST = Fraction(10**12)


def parse_factor(text: str) -> Fraction:
    """Return a factor such as 0.1, x0.1, 1/10, /10 or 10^-2; raises QuantityError."""
    cell = " ".join(text.lower().split())
    if power := _POWER_OF_TEN.fullmatch(cell):
        return _in_range(Fraction(10) ** int(power[1]), text)
    if divisor := _DIVISOR.fullmatch(cell):
        return _in_range(Fraction(1), text, Fraction(divisor[1]))
    if found := _FACTOR.fullmatch(cell):
        return _in_range(Fraction(found[1]), text, Fraction(found[2] or 1))
    raise QuantityError(f"{text!r} is no scale")


def _in_range(factor: Fraction, text: str, divisor: Fraction = Fraction(1)) -> Fraction:
    if not divisor or not 1 / _GREATEST <= factor / divisor <= _GREATEST:
        raise QuantityError(f"{text!r} is no scale")
    return factor / divisor


_PREFIXES = {"": 0, "k": 3, "K": 3, "M": 6, "m": -3, "G": 9}
_UNITS = {
    "v": "V", "volt": "V", "volts": "V", "伏": "V", "a": "A", "amp": "A", "amps": "A",
    "ampere": "A", "amperes": "A", "安": "A", "w": "W", "watt": "W", "watts": "W", "瓦": "W",
    "var": "var", "vars": "var", "va": "VA", "wh": "Wh", "varh": "varh", "vah": "VAh",
    "hz": "Hz", "hertz": "Hz",
}  # fmt: skip
_WHOLE_UNITS = {
    **dict.fromkeys(("°", "deg", "degree", "degrees", "grad"), "deg"),
    **dict.fromkeys(("s", "sec", "second", "seconds", "秒"), "s"),
    **dict.fromkeys(("min", "minute", "minutes", "mins", "分钟"), "min"),
    **dict.fromkeys(("%", "percent"), "%"),
    **dict.fromkeys(("元", "yuan", "rmb", "cny", "¥", "eur", "€", "usd", "zar", "credit"), "money"),
    **dict.fromkeys(("account_unit", "account_unit per kwh", "元/kwh", "yuan/kwh"), "money"),
    "ms": "ms",
}
_WITH_NUMBER = re.compile(
    rf"[*x×]? ?({_NUMERAL}|1 ?/ ?{_NUMERAL}|10\^-?\d+)? ?[*x×]? ?"
    rf"([^\d\s*x×/().,][^\d*×/().,]*)?(?: ?[*x×] ?({_NUMERAL}))?",
    re.IGNORECASE,
)


def parse_unit(text: str) -> WrittenUnit:
    """Return the unit of a cell such as "0.1 V", KWH or "A x 0.001"; raises QuantityError."""
    cell = " ".join(text.split()).strip("[]() ")
    if cell in ("", "-", "--", "/", "—", "n/a", "N/A", "none", "None"):
        return WrittenUnit("", Fraction(1))
    if whole := _WHOLE_UNITS.get(cell.lower()):
        return WrittenUnit(whole, Fraction(1))
    found = _WITH_NUMBER.fullmatch(cell)
    if found is None or (found[1] and found[3]):
        raise QuantityError(f"{text!r} is a unit that is not known")
    number = found[1] or found[3]
    factor = parse_factor(number) if number else Fraction(1)
    return WrittenUnit(_unit(found[2] or "", text), factor)


def unit_in_name(text: str) -> WrittenUnit:
    """Return the unit that stands in brackets behind a name, an empty one where none does."""
    none = WrittenUnit("", Fraction(1))
    found = UNIT_IN_NAME.fullmatch(text)
    if found is None:
        return none
    try:
        unit = parse_unit(found[2])
    except QuantityError:
        return none
    return unit if unit.unit else none


UNIT_IN_NAME = re.compile(r"(.+?)\s*[(\[]([^()\[\]]{1,8})[)\]]")


def _unit(word: str, text: str) -> str:
    word = word.strip()
    whole = _WHOLE_UNITS.get(word.lower())
    if whole or not word:
        return whole or ""
    for prefix in _PREFIXES:
        base = _UNITS.get(word.removeprefix(prefix).lower())
        if base and word.startswith(prefix):
            return prefix.replace("K", "k") + base
    raise QuantityError(f"{text!r} is a unit that is not known")


def split_unit(unit: str) -> tuple[str, Fraction]:
    """Return the unit without its prefix, and what one of the unit is in it: kW is 1000 W."""
    for prefix in ("k", "M", "m", "G"):
        base = unit.removeprefix(prefix)
        if unit.startswith(prefix) and base in _UNITS.values():
            return base, Fraction(10) ** _PREFIXES[prefix]
    return unit, Fraction(1)


_READ_AREAS = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}
_WRITE_AREAS = {5: "coil", 15: "coil", 6: "holding", 16: "holding", 22: "holding", 23: "holding"}
_AREA_WORDS = (
    (r"(?<!discrete )\binputs?\b(?! (?:status|contact))|\b3x|\bir\b|输入寄存器", "input"),
    (r"\bholding|\b4x|\bhr\b|保持寄存器", "holding"),
    (r"\bdiscrete|\binput (?:status|contact)|\b1x|\bdi\b|离散", "discrete"),
    (r"\bcoils?\b|\b0x\b|\brelay output|线圈", "coil"),
)


class WrittenFunctions(NamedTuple):
    """Areas that a cell about functions names, in order, and whether one of them writes."""

    areas: tuple[str, ...]
    writes: bool


def parse_functions(text: str) -> WrittenFunctions:
    """Return the areas of a cell such as 03, FC04 or "3/6/16" or "input register"."""
    lower = text.lower()
    if named := areas_in(text):
        return WrittenFunctions(named, "write" in lower)
    codes = [_function(code) for code in re.findall(r"0x[0-9a-f]+|\d+", lower)]
    if not codes and lower.strip(" -/"):
        raise QuantityError(f"{text!r} is no function")
    if unknown := [code for code in codes if code not in _READ_AREAS | _WRITE_AREAS]:
        raise QuantityError(f"function {unknown[0]}: registers are read by 1 to 4")
    reads = [_READ_AREAS[code] for code in codes if code in _READ_AREAS]
    writes = [_WRITE_AREAS[code] for code in codes if code in _WRITE_AREAS]
    return WrittenFunctions(tuple(dict.fromkeys(reads or writes)), bool(writes))


def _function(code: str) -> int:
    if code.startswith("0x"):
        return int(code, 16)
    return 16 if code == "10" else int(code)  # 10 is hexadecimal where it is a function


def areas_in(text: str) -> tuple[str, ...]:
    """Return the areas that a text names in words, such as "Holding registers"."""
    lower = text.lower().replace("_", " ")
    return tuple(area for pattern, area in _AREA_WORDS if re.search(pattern, lower))


class WrittenAccess(NamedTuple):
    """Whether a register may be read, and written."""

    reads: bool
    writes: bool


def parse_access(text: str) -> WrittenAccess:
    """Return the access of a cell such as RO, R/W or "write only"; what is not known reads."""
    plain = re.sub(r"[^a-z读写只]", "", text.lower())
    if plain in ("w", "wo", "write", "writeonly", "只写", "写"):
        return WrittenAccess(False, True)
    writes = plain in ("rw", "wr", "readwrite", "writeread", "readandwrite", "读写")
    return WrittenAccess(True, writes)
