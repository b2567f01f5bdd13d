"""What a register map has at the addresses of a request."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from protocols.modbus.areas import Area
from protocols.modbus.plain_writes import ForceControl, PlainCredit
from protocols.modbus.register_map import RegisterMap
from protocols.modbus.register_parts import Constant, Register, RowList, RowWindow, Span
from protocols.modbus.sealed_windows import RECEIPT_REGISTERS, SealedWindow, SealedWindows
from protocols.modbus.tariff_window import TariffWindow


class Asked(NamedTuple):
    """Addresses that a request names."""

    area: Area
    address: int
    size: int


class Question(NamedTuple):
    """Registers of a window that take a question, or a part of a message."""

    window: RowWindow | SealedWindow | TariffWindow
    extent: range


class Answered(NamedTuple):
    """Registers of a window that show an answer."""

    window: RowWindow | SealedWindow | TariffWindow
    extent: range


Thing = Register | Constant | Span | RowList | Question | Answered | PlainCredit | ForceControl


class Part(NamedTuple):
    """Consecutive addresses of a request that belong to one thing of a map, or to none.

    `name` is empty where the map has nothing; `is_whole` is False where the request cuts the thing.
    """

    address: int
    size: int
    name: str
    thing: Thing | None
    is_whole: bool

    @property
    def end(self) -> int:
        """The address after the last one."""
        return self.address + self.size


class MapView:
    """A register map, to be asked what lies at an address."""

    def __init__(self, register_map: RegisterMap) -> None:
        self.map = register_map
        self._placed = cache(self._sorted)

    def parts(self, asked: Asked, *, written: bool = False) -> Iterator[Part]:
        """Yield the parts of an extent in order, all its addresses.

        Args:
            written: whether the request writes them; at some addresses a write means another thing.
        """
        at, end = asked.address, asked.address + asked.size
        placed = self._placed(asked.area, written)
        starts = [extent.start for extent, _, _ in placed]
        while at < end:
            number = bisect_right(starts, at) - 1
            extent, name, thing = placed[number] if number >= 0 else (range(0), "", None)
            if at < extent.stop:
                stop = min(extent.stop, end)
                yield Part(at, stop - at, name, thing, range(at, stop) == extent)
            else:
                following = starts[number + 1] if number + 1 < len(starts) else end
                stop = min(following, end)
                yield Part(at, stop - at, "", None, is_whole=False)
            at = stop

    def names(self, asked: Asked) -> list[str]:
        """Return the names of what lies in an extent."""
        return [part.name for part in self.parts(asked) if part.name]

    def _sorted(self, area: Area, written: bool) -> list[tuple[range, str, Thing]]:
        found = sorted(self._things(area, written), key=lambda one: one[0].start)
        kept: list[tuple[range, str, Thing]] = []
        for one in found:
            if not kept or kept[-1][0].stop <= one[0].start:
                kept.append(one)
        return kept

    def _things(self, area: Area, written: bool) -> Iterator[tuple[range, str, Thing]]:
        """Yield what has addresses in an area; of two at one address the first is kept."""
        chosen = self.map
        if written and area is Area.HOLDING and chosen.credit is not None:
            yield chosen.credit.extent, "plain credit", chosen.credit
        if written and chosen.control is not None and area in chosen.control.area:
            yield chosen.control.extent, "switch order", chosen.control
        for register in chosen.registers:
            if area in register.area:
                yield register.extent, register.item.name, register
        for constant in chosen.fixed:
            if area in constant.area:
                name = "mark of the map" if constant == chosen.mark else "constant"
                yield constant.extent, name, constant
        for span in chosen.scratch:
            if area in span.area:
                yield span.extent, "scratch", span
        if area in Area.REGISTERS:
            for rows in chosen.row_lists:
                yield rows.extent, f"list of {rows.table.name}", rows
            for window in chosen.row_windows:
                yield from _of_rows(window)
            if chosen.windows is not None:
                yield from _of_sealed(chosen.windows)
            if chosen.tariff is not None:
                yield from _of_tariff(chosen.tariff)


def _of_rows(window: RowWindow) -> Iterator[tuple[range, str, Thing]]:
    cursor = range(window.address, window.read_address)
    shown = range(window.read_address, window.extent.stop)
    yield cursor, f"cursor of {window.table.name}", Question(window, cursor)
    yield shown, f"window of {window.table.name}", Answered(window, shown)


def _of_tariff(window: TariffWindow) -> Iterator[tuple[range, str, Thing]]:
    asked = range(window.address, window.read_address)
    shown = range(window.read_address, window.extent.stop)
    yield asked, "tariff asked for", Question(window, asked)
    yield shown, "tariff", Answered(window, shown)


def _of_sealed(windows: SealedWindows) -> Iterator[tuple[range, str, Thing]]:
    receipt, message, _, status = windows.extents
    readable = windows.readable
    asked = {
        SealedWindow.RECEIPT: range(receipt.start, receipt.stop - RECEIPT_REGISTERS),
        SealedWindow.MESSAGE: message,
        SealedWindow.STATUS: range(status.start, readable[SealedWindow.STATUS].start),
    }
    for kind, extent in asked.items():
        name = "part of a message" if kind is SealedWindow.MESSAGE else f"{kind.value} asked for"
        yield extent, name, Question(kind, extent)
    for kind, extent in readable.items():
        yield extent, f"sealed {kind.value}", Answered(kind, extent)
