"""The text of a map file that is made from a register list.

Rows whose names mean an item become registers; every other row stands beside them as a comment,
with the items that its name is near to, ready for a person to decide.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from firmware_sim.programs.register_lists.names import (
    has_other_phases,
    item_named,
    meaning_of,
    near_items,
)
from firmware_sim.programs.register_lists.reading import (
    ListedRegister,
    RegisterList,
    Title,
    UnreadRow,
)
from firmware_sim.programs.shown_maps import decimal_text
from protocols.data_model.items import BY_NAME, Item
from protocols.data_model.kinds import Digits, Fixed, Optional
from protocols.errors import QuantityError
from protocols.modbus.value_layout import Layout, ValueType
from protocols.suggestions import one_of

_WIDTH = 100
_COMMENT_COLUMN = 52
_LONGEST_COMMENT = _WIDTH - 4
_LONGEST_NAME = 44
"""Columns of a row's line and name before the reason why it is left out."""
_MOST_DECIMALS = 9
_WIDEST_ZEROS = 4096
"""Addresses between the first and the last register up to which a made map reads 0 in gaps."""
_LINE = re.compile(r"line (\d+): (.*)")
_OF_ROW = re.compile(r"register(?:\.\w+)?: ")


@dataclass(frozen=True, slots=True)
class Block:
    """What stands in the map file for one row of the list.

    `keys` are those of the register and their values in TOML, none for a row without a register.
    Of `placed` ones they are an element of `register`; else they are a comment.
    """

    register: ListedRegister | None
    comment: str
    keys: dict[str, str] = field(default_factory=dict)
    placed: bool = False

    def lines(self, defaults: dict[str, str]) -> list[str]:
        """Return its lines in the array; keys that equal a default are left out."""
        if not self.keys:
            return [f"  # {self.comment}"]
        own = [f"{key} = {v}" for key, v in self.keys.items() if defaults.get(key) != v]
        row = f"{{ {', '.join(own)} }},"
        if not self.placed:
            return [f"  # {self.comment}", f"  # {row}"]
        beside = f"  {row:<{_COMMENT_COLUMN}}  # {self.comment}"
        return [beside] if len(beside) <= _WIDTH else [f"  # {self.comment}", f"  {row}"]

    def left_out(self, reason: str) -> Block:
        """Return the block as a comment that says why."""
        named = _cut(self.comment, _LONGEST_NAME)
        return replace(self, placed=False, comment=_cut(f"{named}: {reason}"))


@dataclass(frozen=True, slots=True)
class MadeMap:
    """The text of a map file, and how many rows of its list are placed and left out.

    `listed` is the list as it was read.
    """

    text: str
    listed: RegisterList
    placed: int
    left_out: int


def map_text(
    head: Callable[[str], str], listed: RegisterList, check: Callable[[str], object]
) -> MadeMap:
    """Return a map file of a list.

    Args:
        head: the text before the registers, for what holds for all of them.
        listed: the list.
        check: raises QuantityError, a line for each mistake, for a text that is no map file. Rows
            that it refuses are left out.

    Raises:
        QuantityError: no row of the list can be a register; the reason of the first such row.
    """
    first = _blocks(listed)
    blocks = _without_overlaps(first)
    while any(block.placed for block in blocks):
        defaults = _defaults(blocks)
        text, first_lines = _joined(head(_common(defaults, blocks)), blocks, defaults)
        try:
            check(text)
        except QuantityError as error:
            blocks = _without_refused(blocks, first_lines, error)
            continue
        placed = sum(block.placed for block in blocks)
        others = sum(block.register is not None or bool(block.keys) for block in blocks) - placed
        unread = sum(isinstance(row, UnreadRow) for row in listed.rows)
        return MadeMap(text, listed, placed, others + unread)
    placed_first = any(block.placed for block in first)
    raise QuantityError(_refusal(listed, blocks if placed_first else ()))


def _refusal(listed: RegisterList, refused: Sequence[Block]) -> str:
    """Return why a list gives no register: its rows, its addresses, its names or the format.

    Args:
        listed: the list.
        refused: blocks of which some meant an item and none is placed; empty where none did.
    """
    if refused:
        told = next(block.comment for block in refused if block.register and block.keys)
        return f"no row can be a register of a map; {told}"
    unread = [row for row in listed.rows if isinstance(row, UnreadRow)]
    first = [f"line {row.line}: {row.text}: {row.reason}" for row in unread[:1]]
    if any(isinstance(row, ListedRegister) for row in listed.rows):
        told = "no row that can be read has a name that means an item" if unread else _NO_NAME
        return "; ".join((told, *first, _ITEM_COLUMN))
    if unread:
        return "; ".join(("no row can be read", *first))
    return "there is no row below the line that names the columns"


_NO_NAME = "no row has a name that means an item"
_ITEM_COLUMN = "a column `item` may hold names of `meterctl items`"


def _blocks(listed: RegisterList) -> list[Block]:
    registers = [row for row in listed.rows if isinstance(row, ListedRegister)]
    single_phase = not has_other_phases(
        meaning_of(name, row.unit) for row in registers for name in row.names
    )
    blocks = []
    for row in listed.rows:
        match row:
            case Title():
                blocks.append(Block(None, _cut(f"line {row.line}: {row.text}")))
            case UnreadRow():
                blocks.append(Block(None, _cut(f"line {row.line}: {row.text}: {row.reason}")))
            case ListedRegister():
                blocks.append(_block(row, single_phase))
    return blocks


def _block(row: ListedRegister, single_phase: bool) -> Block:
    named = (item_named(name, row.unit, single_phase=single_phase) for name in row.names)
    meant = [row.item] if row.item else list(dict.fromkeys(item for item in named if item))
    comment = f"line {row.line}: {row.name or row.item}"
    if len(meant) == 1 and meant[0] in BY_NAME:
        item = BY_NAME[meant[0]]
        return Block(row, _cut(comment + _assumed(row, item)), _keys(row, item.name), True)
    near = meant if len(meant) > 1 else near_items(row.item or row.name, row.unit)
    if not near:
        place = f"{' '.join(row.areas)} 0x{row.extent.address:04X}".strip()
        return Block(row, _cut(f"{comment} at {place}: no item"))
    return Block(row, _cut(f"{comment}: perhaps {one_of(near)}"), _keys(row, near[0]))


def _assumed(row: ListedRegister, item: Item) -> str:
    """Return what the list does not say and is assumed."""
    inner = item.kind.inner if isinstance(item.kind, Optional) else item.kind
    assumed = []
    if not row.unit and isinstance(inner, Fixed) and inner.unit:
        assumed.append(inner.unit)
    if not row.type.type:
        assumed.append(_type(row, item))
    return f" ({' and '.join(assumed)} assumed)" if assumed else ""


def _keys(row: ListedRegister, item_name: str) -> dict[str, str]:
    """Return the keys of a register and their values as TOML."""
    item = BY_NAME[item_name]
    found = {"address": f"0x{row.extent.address:04X}", "item": f'"{item_name}"'}
    areas = row.areas or ("holding", "input")
    written = f'"{areas[0]}"' if len(areas) == 1 else _listed(f'"{area}"' for area in areas)
    found["area"] = written
    kind = _type(row, item)
    found["type"] = f'"{kind}"'
    if row.type.word_order:
        found["word_order"] = f'"{row.type.word_order}"'
    if row.type.byte_order:
        found["byte_order"] = f'"{row.type.byte_order}"'
    if size := _size(row, kind, item):
        found["size"] = str(size)
    found |= _scale(row, item)
    if row.keys is None and kind.startswith("u") and item_name.startswith(_WITHOUT_SIGN):
        found["magnitude"] = "true"
    if isinstance(item.kind, Optional) and item.setting:
        found["off"] = _off(kind)
    if item.setting and row.writes:
        found["writable"] = "true"
    return found | dict(row.keys or {})


def _listed(words: Iterable[str]) -> str:
    return f"[{', '.join(words)}]"


_WITHOUT_SIGN = ("current_l", "power_factor")
"""Names of items of which meters with unsigned registers show the magnitude, not 0 on export."""
_SIGNED = ("power", "current_l", "current_n", "angle", "credit", "factor")


def _type(row: ListedRegister, item: Item) -> str:
    """Return the type of a row; without one that which its size and its item lead to."""
    in_bits = set(row.areas) & {"coil", "discrete"}
    if row.type.type:
        return "bool" if in_bits and row.type.type == "u16" else row.type.type
    if in_bits:
        return "bool"
    if isinstance(item.kind, Digits):
        return "bcd"
    letter = "s" if any(part in item.name for part in _SIGNED) else "u"
    return f"{letter}{16 * row.type.size}" if row.type.size in (1, 2, 4) else f"{letter}16"


def _size(row: ListedRegister, kind: str, item: Item) -> int:
    """Return the size of a type that needs one, 0 for another."""
    if kind not in ("bcd", "ascii", "bits"):
        return 0
    digits = item.kind.count if isinstance(item.kind, Digits) else 0
    return row.type.size or -(-digits // (4 if kind == "bcd" else 2)) or 1


def _scale(row: ListedRegister, item: Item) -> dict[str, str]:
    """Return the unit where it is not that of the item, and the scale of the number."""
    found: dict[str, str] = {}
    if row.unit not in ("", "money", item.unit):
        found["unit"] = f'"{row.unit}"'
    if row.scale == 1:
        return found
    for decimals in range(1, _MOST_DECIMALS + 1):
        if row.scale == Fraction(1, 10**decimals):
            return found | {"decimals": str(decimals)}
    return found | {"scale": f'"{decimal_text(row.scale)}"'}


def _off(kind: str) -> str:
    """Return the number for "off" that a list does not say: all ones, NaN of a float."""
    if kind.startswith("f"):
        return '"nan"'
    ones = Layout(ValueType(kind), size=1).all_ones
    return str(ones) if ones < 0 else f"0x{ones:X}"


def _without_overlaps(blocks: Sequence[Block]) -> list[Block]:
    """Return blocks of which none has an address of an earlier one; such are left out."""
    taken: dict[tuple[str, int], int] = {}
    kept = []
    for block in blocks:
        register = block.register
        if not block.placed or register is None:
            kept.append(block)
            continue
        places = [
            (area, register.extent.address + offset)
            for area in register.areas or ("holding", "input")
            for offset in range(_width(block))
        ]
        before = next((taken[place] for place in places if place in taken), None)
        if before is not None:
            kept.append(block.left_out(f"line {before} has the same address"))
            continue
        taken.update(dict.fromkeys(places, register.line))
        kept.append(block)
    return kept


def _width(block: Block) -> int:
    kind = ValueType(block.keys["type"].strip('"'))
    return Layout(kind, size=int(block.keys.get("size", 1))).width


def _without_refused(
    blocks: Sequence[Block], first_lines: Sequence[int], error: QuantityError
) -> list[Block]:
    """Return blocks of which those with a mistake are left out, with the first one it has."""
    reasons: dict[int, str] = {}
    for told in str(error).splitlines():
        found = _LINE.match(told)
        if found is None:
            raise error
        line = int(found[1])
        place = max((n for n, first in enumerate(first_lines) if first <= line), default=-1)
        reasons.setdefault(place, _OF_ROW.sub("", found[2]))
    refused = [place for place in reasons if place >= 0 and blocks[place].placed]
    if not refused:
        raise error
    return [
        block.left_out(reasons[place]) if place in refused else block
        for place, block in enumerate(blocks)
    ]


def _defaults(blocks: Sequence[Block]) -> dict[str, str]:
    """Return the values of keys that most placed blocks have, where leaving them out helps."""
    placed = [block.keys for block in blocks if block.placed]
    found = {}
    for key in ("area", "type"):
        value, count = Counter(keys[key] for keys in placed).most_common(1)[0]
        if count > 1:
            found[key] = value
    for key in ("word_order", "byte_order"):
        values = {keys.get(key) for keys in placed}
        if len(values) == 1 and None not in values:
            found[key] = str(values.pop())
    return found


def _common(defaults: dict[str, str], blocks: Sequence[Block]) -> str:
    """Return `requests` and `defaults` as text."""
    addresses = [b.register.extent.address for b in blocks if b.placed and b.register is not None]
    zero = max(addresses) - min(addresses) < _WIDEST_ZEROS
    gaps = '"zero"' if zero else '"refuse"'
    lines = [f'requests = {{ gaps = {gaps} }}  # what is not listed: "zero", or "refuse" with 02']
    if defaults:
        own = ", ".join(f"{key} = {value}" for key, value in defaults.items())
        lines.append(f"defaults = {{ {own} }}")
    return "\n".join([*lines, ""])


def _joined(
    head: str, blocks: Sequence[Block], defaults: dict[str, str]
) -> tuple[str, Sequence[int]]:
    """Return the whole text, and the number of the first line of each block."""
    lines = [*head.splitlines(), "register = ["]
    first_lines = []
    for block in blocks:
        first_lines.append(len(lines) + 1)
        lines += block.lines(defaults)
    return "\n".join([*lines, "]", ""]), first_lines


def _cut(comment: str, longest: int = _LONGEST_COMMENT) -> str:
    """Return a comment in one line of a bounded length, of characters that a TOML comment takes."""
    plain = "".join(c if c.isprintable() else " " for c in " ".join(comment.split()))
    return plain if len(plain) <= longest else f"{plain[: longest - 4]} ..."
