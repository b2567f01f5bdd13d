"""A register map file: TOML text to a map, with what it says of itself.

docs/maps.md is for its authors; `map_keys.py` declares its keys. Import it where a file is read:
no program that reads none needs it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from protocols.errors import QuantityError
from protocols.modbus.areas import Area
from protocols.modbus.map_checks import (
    Part,
    check_parts,
    check_register,
    check_requests,
    check_sealed_items,
)
from protocols.modbus.map_keys import FORMAT, IDENTIFICATION_OBJECTS
from protocols.modbus.map_mistakes import Findings, Row, read_file
from protocols.modbus.map_rows import MapRow, RowReader, server_id_of
from protocols.modbus.needless_keys import check_identification, check_keys
from protocols.modbus.pdu import MAX_READ_REGISTERS, Function
from protocols.modbus.register_map import RegisterMap
from protocols.modbus.register_parts import Constant, Register, Section, Span
from protocols.modbus.sealed_windows import SealedWindows
from protocols.toml_text import parse_toml


@dataclass(frozen=True, slots=True)
class Source:
    """Where facts of a map come from; `confidence` is a word of `map_keys.CONFIDENCES`."""

    text: str
    confidence: str


@dataclass(frozen=True, slots=True)
class Quirk:
    """What a program expects that no manual says."""

    text: str
    consumer: str


@dataclass(frozen=True, slots=True)
class MapFile:
    """A register map, and what its file says of it.

    `rows` are its registers and constants in the order of the file; each of `warnings` begins with
    its line.
    """

    register_map: RegisterMap
    title: str
    sources: tuple[Source, ...] = ()
    quirks: tuple[Quirk, ...] = ()
    rows: tuple[MapRow, ...] = ()
    warnings: tuple[str, ...] = field(default=())


def parse_map(text: str, name: str) -> MapFile:
    """Return the map of a TOML text.

    Args:
        name: the name of a map whose file has no key `name`.

    Raises:
        QuantityError: every mistake, a line each, such as "line 12: register.item: ...".
    """
    table = parse_toml(text)
    version = table.get("format")
    if isinstance(version, int) and version > FORMAT:
        raise QuantityError(
            f"format: it is written in format {version}, and this build reads {FORMAT}"
        )
    findings = Findings(text)
    file = read_file(table, findings)
    parts = _Parts(file, findings)
    parts.check()
    findings.refuse()
    register_map = parts.register_map(file, file.get("name", name))
    return MapFile(
        register_map,
        file.get("title"),
        tuple(Source(row.get("text"), row.get("confidence")) for row in file.rows("source")),
        tuple(Quirk(row.get("text"), row.get("consumer")) for row in file.rows("quirk")),
        tuple(row for _, row in parts.rows),
        findings.warnings,
    )


class _Parts:
    """The parts of a map, as far as they have no mistake of their own."""

    def __init__(self, file: Row, findings: Findings) -> None:
        self._requests, self._findings = file.table("requests"), findings
        self._identification = file.table("identification")
        reader = RowReader(file.table("defaults"), findings)
        registers = [(row, reader.register(row)) for row in file.rows("register")]
        constants = [(row, reader.constant(row)) for row in file.rows("constant")]
        self.rows = [(row, found) for row, found in (*registers, *constants) if found is not None]
        self.zeros = _spans(file.rows("zeros"), reader)
        self.scratch = _spans(file.rows("scratch"), reader)
        self.credit = reader.credit(file.table("credit")) if "credit" in file else None
        self.control = reader.control(file.table("control")) if "control" in file else None
        windows = self._requests.get("windows")
        self.windows = None if windows is None else SealedWindows(windows)

    @property
    def functions(self) -> frozenset[Function]:
        """The function codes of the map."""
        found: frozenset[Function] = self._requests.get("functions", frozenset(Function))
        return found

    def check(self) -> None:
        """Keep the mistakes of all parts together, and the warnings."""
        largest: int = self._requests.get("largest_read", MAX_READ_REGISTERS)
        parts = list(self._all())
        check_parts(parts, self._findings)
        check_requests(parts, self.functions, self._findings)
        check_identification(self._identification, self.functions, self._findings)
        for row, found in self.rows:
            check_keys(row, found.part, self._findings)
            if isinstance(found.part, Register):
                check_register(found.part, row.place, largest, self._findings)
        if self.windows is not None:
            held = [found.part for _, found in self.rows if isinstance(found.part, Register)]
            check_sealed_items(held, self._findings)

    def register_map(self, file: Row, name: str) -> RegisterMap:
        """Return the map of parts without a mistake."""
        registers = [found.part for _, found in self.rows if isinstance(found.part, Register)]
        constants = [found.part for _, found in self.rows if isinstance(found.part, Constant)]
        identification = self._identification
        server_id: str = identification.get("server_id", "")
        return RegisterMap(
            name,
            (Section(file.get("title"), tuple(registers)),),
            constants=tuple(constants),
            zeros=tuple(span for _, span in self.zeros) + self._gaps(),
            scratch=tuple(span for _, span in self.scratch),
            windows=self.windows,
            identification={
                number: identification.get(key).encode()
                for key, number in IDENTIFICATION_OBJECTS.items()
                if key in identification
            },
            functions=self.functions,
            largest_read=self._requests.get("largest_read", MAX_READ_REGISTERS),
            whole_values=self._requests.get("odd_addresses", False),
            any_unit=self._requests.get("any_unit", False),
            server_id=server_id_of(server_id) if server_id else b"",
            asks_phase_energies=any(one.item.kept_on_request for one in registers),
            credit=self.credit,
            control=self.control,
        )

    def _gaps(self) -> tuple[Span, ...]:
        """Return what reads 0 between the first and the last address of each area."""
        if not self._requests.get("gaps", False):
            return ()
        gaps = []
        for area in (Area.COIL, Area.DISCRETE, Area.HOLDING, Area.INPUT):
            extents = [part.extent for part in self._all() if area in part.area and part.is_read]
            if not extents:
                continue
            begin, end = min(one.start for one in extents), max(one.stop for one in extents)
            windows = () if self.windows is None or area in Area.BITS else self.windows.extents
            for window in (*windows, range(end, end)):
                if begin < min(window.start, end):
                    gaps.append(Span(area, begin, min(window.start, end) - begin))
                begin = max(begin, window.stop)
        return tuple(gaps)

    def _all(self) -> Iterator[Part]:
        """Yield all parts, with what is read and what is written there."""
        for row, found in self.rows:
            if isinstance(found.part, Register):
                one = found.part
                yield Part(row.place, one.item.name, one.area, one.extent, is_written=one.writable)
            else:
                yield Part(row.place, "a constant", found.part.area, found.part.extent)
        for row, span in self.zeros:
            yield Part(row.place, "zeros", span.area, span.extent, shares=True)
        for row, span in self.scratch:
            yield Part(row.place, "scratch", span.area, span.extent, is_written=True)
        holding = Area.HOLDING
        if self.credit is not None:
            yield Part("credit", "the credit", holding, self.credit.extent, False, True, True)
        if self.control is not None:
            area, extent = self.control.area, self.control.extent
            yield Part("control", "the control", area, extent, False, True, True)
        for extent in self.windows.extents if self.windows is not None else ():
            name = "a window for sealed messages"
            yield Part("requests.windows", name, Area.REGISTERS, extent, False, True)


def _spans(rows: list[Row], reader: RowReader) -> list[tuple[Row, Span]]:
    spans = [(row, reader.span(row)) for row in rows]
    return [(row, span) for row, span in spans if span is not None]
