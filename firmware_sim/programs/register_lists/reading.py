"""A register list (CSV) as values: where each of its registers lies and how it is written."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from firmware_sim.programs.register_lists.addresses import Extent, Numbering
from firmware_sim.programs.register_lists.cells import (
    UNIT_IN_NAME,
    WrittenType,
    areas_in,
    parse_access,
    parse_factor,
    parse_functions,
    parse_order,
    parse_type,
    parse_unit,
    unit_in_name,
)
from firmware_sim.programs.register_lists.columns import Role, find_heading
from firmware_sim.programs.register_lists.conventions import (
    Conventions,
    assumed_unit,
    find_conventions,
    size_of,
)
from firmware_sim.programs.register_lists.row_keys import parse_keys
from firmware_sim.programs.shown_maps import decimal_text
from protocols.csv_text import Record, with_decimal_point
from protocols.errors import QuantityError
from protocols.modbus.map_units import is_coarse


class ListedRegister(NamedTuple):
    """A register of a list: what its row says.

    `names` are its names and descriptions; `item` is that of a column of items. `areas` may be
    empty. The number 1 is `scale` of `unit`. `keys` are those of a column of keys and their values
    in TOML, None without such a column.
    """

    line: int
    names: tuple[str, ...]
    item: str
    extent: Extent
    areas: tuple[str, ...]
    type: WrittenType
    unit: str
    scale: Fraction
    writes: bool
    keys: Mapping[str, str] | None = None

    @property
    def name(self) -> str:
        """The first of its names."""
        return self.names[0] if self.names else ""


class UnreadRow(NamedTuple):
    """A row without a register that can be placed: its text and why."""

    line: int
    text: str
    reason: str


class Title(NamedTuple):
    """A row of one text: a title of the rows below it, or a note."""

    line: int
    text: str


Row = ListedRegister | UnreadRow | Title


@dataclass(frozen=True, slots=True)
class RegisterList:
    """A list: its rows in order, how it writes addresses, and whether its scales are divisors."""

    rows: tuple[Row, ...]
    numbering: Numbering
    scales_divide: bool


def parse_register_list(text: str, numbering: Numbering | None = None) -> RegisterList:
    """Return the registers of a list.

    Args:
        text: the CSV, separated by commas, semicolons or tabs, or a table of Markdown; titles may
            stand above its heading.
        numbering: how addresses are written; None where the list shows it.

    Raises:
        QuantityError: no heading names a column of addresses and one of names.
    """
    conventions = find_conventions(text, numbering)
    reader = _Reader(conventions)
    read = tuple(found for row in conventions.rows if (found := reader.row(row)) is not None)
    return RegisterList(read, conventions.numbering, conventions.scales_divide)


class _Reader:
    """Reads rows; a title that names an area names it for the rows below.

    Above the columns there are notes too: only a text that names one area is a title there.
    """

    def __init__(self, conventions: Conventions) -> None:
        self._list, self._heading = conventions, conventions.heading
        titled = (areas_in(text) for text in conventions.titles)
        above = [areas for areas in titled if len(areas) == 1]
        self._titled: tuple[str, ...] = above[-1] if above else ()

    def row(self, record: Record) -> Row | None:
        """Return what a row says; None for a repeated heading."""
        extent = self._list.extent(record)
        if extent is None:
            return self._without_address(record)
        try:
            return self._register(record, extent)
        except QuantityError as error:
            return UnreadRow(record.line, _text(record.cells), str(error))

    def _without_address(self, record: Record) -> UnreadRow | Title | None:
        texts = [cell for cell in record.cells if cell]
        if len(set(texts)) == 1:
            self._titled = areas_in(texts[0]) or self._titled
            return Title(record.line, texts[0])
        if find_heading([record]) is not None:
            return None
        return UnreadRow(record.line, _text(record.cells), self._list.address_problem(record))

    def _register(self, record: Record, extent: Extent) -> ListedRegister:
        def cell(role: Role) -> str:
            return self._heading.cell(role, record.cells)

        names = [
            text
            for role in (Role.NAME, Role.DESCRIPTION)
            for text in self._heading.cells(role, record.cells)
        ]
        functions = parse_functions(cell(Role.FUNCTION))
        access = parse_access(cell(Role.ACCESS))
        if not access.reads:
            raise QuantityError("it can only be written")
        areas, written = self._type(cell(Role.TYPE), cell(Role.SIZE), extent)
        word_order, byte_order = parse_order(cell(Role.ORDER))
        unit, scale = self._number(cell, names)
        return ListedRegister(
            record.line,
            tuple(_plain_name(name) for name in names),
            cell(Role.ITEM),
            extent,
            functions.areas or areas or ((extent.area,) if extent.area else self._titled),
            written._replace(
                word_order=written.word_order or word_order,
                byte_order=written.byte_order or byte_order,
            ),
            unit,
            scale,
            access.writes or functions.writes,
            parse_keys(cell(Role.KEYS)) if Role.KEYS in self._heading.columns else None,
        )

    def _type(
        self, text: str, size_text: str, extent: Extent
    ) -> tuple[tuple[str, ...], WrittenType]:
        """Return the areas and the type that a column of types says."""
        size = -(-size_of(size_text) // self._list.parts) or extent.size
        areas = areas_in(text)
        if areas and "coil" not in areas:
            return areas, WrittenType("", size=size)
        return areas, parse_type(text, size)

    def _number(self, cell: Callable[[Role], str], names: Sequence[str]) -> tuple[str, Fraction]:
        """Return the unit and the value of the number 1 in it."""
        unit = parse_unit(cell(Role.UNIT))
        if not unit.unit:
            said = (found for name in names if (found := unit_in_name(name)).unit)
            unit = next((found for found in said), unit)
        factor = self._factor(cell(Role.SCALE), cell(Role.GAIN), cell(Role.DECIMALS))
        if factor is not None and unit.factor not in (1, factor):
            raise QuantityError(f"its unit says {unit.factor} and its scale {factor}")
        scale = unit.factor if factor is None else factor
        if scale > 1 and is_coarse(scale, unit.unit or assumed_unit((*names, cell(Role.ITEM)))):
            raise QuantityError(
                f"steps of {decimal_text(scale)} {unit.unit}".rstrip()
                + " are more than usual values: is the scale a gain?"
            )
        return unit.unit, scale

    def _factor(self, scale: str, gain: str, decimals: str) -> Fraction | None:
        """Return what the columns of scales say, None without one."""
        if _says(scale):
            number = with_decimal_point(scale, self._list.delimiter)
            if re.match(r"[\d.]+\s*[A-Za-zµ°%]+$", number):
                return parse_unit(number).factor
            factor = parse_factor(number)
            return 1 / factor if self._list.scales_divide else factor
        if _says(gain):
            return 1 / parse_factor(with_decimal_point(gain, self._list.delimiter))
        if _says(decimals):
            if not re.fullmatch(r"\d", decimals):
                raise QuantityError(f"{decimals!r} is no number of decimals")
            return Fraction(1, 10 ** int(decimals))
        return None


def _says(text: str) -> bool:
    return text.strip(" -/—") != "" and text.lower() not in ("n/a", "none")


def _plain_name(text: str) -> str:
    """Return a name without the unit that stands behind it in brackets."""
    found = UNIT_IN_NAME.fullmatch(text)
    return found[1] if found is not None and unit_in_name(text).unit else text


def _text(cells: Sequence[str]) -> str:
    return " | ".join(cell for cell in cells if cell.strip())
