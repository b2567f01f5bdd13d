"""The Modbus driver: items, tables and windows for sealed messages of a register map."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from meterctl.drivers import Delivery, Page, ReadBack, Trace
from meterctl.drivers.modbus_requests import TRIES, ExtentRefusedError, ModbusRequests
from meterctl.drivers.modbus_sealed import SealedRequests
from meterctl.drivers.modbus_tables import TableRequests
from meterctl.drivers.modbus_tariff import read_tariff
from meterctl.drivers.register_blocks import (
    Block,
    OwnLengths,
    ReadableMap,
    value_of,
    write_function,
)
from meterctl.errors import CorruptAnswerError, NotFiniteValuesError, UsageError
from meterctl.transports import MonotonicClock, Transport
from protocols.data_model.items import Item
from protocols.data_model.tables import Table
from protocols.data_model.tariff import TariffChange, TariffSet
from protocols.errors import NotFiniteError
from protocols.keys import MessageClass
from protocols.modbus.areas import Area
from protocols.modbus.native_map import NATIVE_MAP
from protocols.modbus.pdu import Function
from protocols.modbus.register_map import RegisterMap
from protocols.modbus.register_parts import Placed
from protocols.modbus.value_layout import NAN
from protocols.sealed_status import StatusQuestion

Result = TypeVar("Result")


class ModbusDriver:
    """A meter at one unit number, read by its map.

    What the map does not have is refused before a byte is sent.
    """

    name = "modbus"

    def __init__(
        self,
        transport: Transport,
        unit: int,
        timeout_ms: int,
        clock: MonotonicClock,
        trace: Trace | None = None,
        register_map: RegisterMap | None = None,
        readable: ReadableMap | None = None,
    ) -> None:
        """Serve a unit on a transport; the map is the native one by default.

        `readable` is that map as it is read, if it was made before.
        """
        self._map = register_map or NATIVE_MAP
        self._readable = readable or ReadableMap(self._map)
        self._requests = ModbusRequests(
            transport,
            unit,
            timeout_ms,
            clock,
            trace,
            has_diagnostics=Function.DIAGNOSTICS in self._map.functions,
        )
        self._where = self._requests.where
        self._known = False
        self._own = OwnLengths(self._readable, clock())
        self._tables = TableRequests(self._requests, self._read, self._map.largest_read)

    def read(self, items: Iterable[Item]) -> Mapping[Item, Any]:
        """Return items; neighbouring items share one request. None is a value that is not there.

        Raises:
            UsageError: the map does not have an item.
            NotFiniteValuesError: the meter has NaN or infinity for some; it carries the others.
            CorruptAnswerError: stray replies came each time.
        """
        return self._read_blocks(self._readable.blocks_of(self._held(items)))

    def read_at_once(self, items: Iterable[Item]) -> Mapping[Item, Any]:
        """Return items in as few answers as the map allows; raises as `read`."""
        blocks = self._readable.blocks_of(self._held(items), self._map.largest_read)
        return self._read_blocks(blocks)

    def _read_blocks(self, blocks: Sequence[Block]) -> Mapping[Item, Any]:
        self._know()
        values = self._undisturbed(lambda: self._values(blocks))
        wrong = frozenset(item for item, value in values.items() if value is NAN)
        if wrong:
            right = {item: value for item, value in values.items() if item not in wrong}
            raise NotFiniteValuesError(self._where, right, wrong)
        return values

    def _undisturbed(self, work: Callable[[], Result]) -> Result:
        """Return what reads give; a stray may have replaced any of them: then all are repeated.

        Raises:
            CorruptAnswerError: stray replies came each time.
        """
        for _ in range(TRIES):
            before = self._requests.strays
            result = work()
            if self._requests.strays == before:
                return result
        raise CorruptAnswerError(f"{self._where}: replies came that were not asked for")

    def _values(self, blocks: Iterable[Block]) -> dict[Item, Any]:
        """Return the values of the registers and bits of some blocks; NAN for no finite number.

        None for a set of which the map places some words, none of which is set.
        """
        values: dict[Item, Any] = {}
        for block in blocks:
            data = self._read(block.area, block.address, block.width)
            each = 1 if block.area & Area.BITS else 2
            for register in block.registers:
                at = each * (register.address - block.address)
                with self._requests.checking():
                    try:
                        value = value_of(register, data[at : at + each * register.width])
                    except NotFiniteError:
                        value = NAN
                if register.layout.bit:
                    value |= values.get(register.item, 0)
                values[register.item] = value
        unknown = [item for item, value in values.items() if value == 0]
        values.update((i, None) for i in unknown if not self._readable.has_all_words(i))
        return values

    def holds(self, item: Item) -> bool:
        """Return whether the map has an item where it can be read; no byte is sent."""
        return self._readable.holds(item)

    def answers(self, items: Iterable[Item]) -> int:
        """Return the number of answers that these items need; one answer is of one instant."""
        return len(self._readable.blocks_of(self._held(items)))

    def rows(self, table: Table, first: int = 0) -> tuple[list[Any], bool]:
        """Return rows of a table from number `first` on, oldest first, and whether more may follow.

        `first` 0 returns the newest few. Rows without a number of their own are not counted. A
        meter of an older build lacks the window with whole rows: then its older one is read, and
        the columns that this lacks are None.

        Raises:
            UsageError: the map does not have the table.
        """
        page = self.page(table, first)
        return list(page.rows), page.is_full

    def page(self, table: Table, first: int = 0) -> Page:
        """Return rows of a table as `rows` does, with the number of the first one.

        Raises:
            UsageError: the map does not have the table.
        """
        if not self.has_rows(table):
            raise self._lacks(table.name)
        self._know()
        listed = self._map.row_list(table)
        if listed is not None:
            return self._tables.page_of_list(listed, first)
        return self._tables.page_of_window(self._map.row_windows_of(table), first)

    def has_rows(self, table: Table) -> bool:
        """Return whether the map has a table; no byte is sent."""
        lists, windows = self._map.row_list(table), self._map.row_window(table)
        return lists is not None or windows is not None

    def has_tariff(self) -> bool:
        """Return whether the map has a window of the tariff; no byte is sent."""
        return self._map.tariff is not None

    def tariff(self, which: TariffSet) -> TariffChange:
        """Return the current or the pending set; one that changes meanwhile is read again.

        Raises:
            UsageError: the map has no window of the tariff.
            RefusedError: the meter has none: it is of an older build.
            CorruptAnswerError: the set changed each time.
        """
        if self._map.tariff is None:
            raise self._lacks("window of the tariff")
        self._know()
        with self._requests.checking():
            return read_tariff(self._requests, self._map.tariff, which)

    def deliver(self, message: bytes) -> Delivery:
        """Deliver a sealed message. The last part is sent exactly once, others may be repeated.

        Raises:
            UsageError: the map has no windows for sealed messages.
        """
        return self._sealed().deliver(message)

    def receipt(self, message_class: MessageClass, sequence: int) -> bytes:
        """Return the sealed receipt of an accepted sequence; b"" if the meter has none.

        Raises:
            UsageError: the map has no windows for sealed messages.
        """
        return self._sealed().receipt(message_class, sequence)

    def status(self, question: StatusQuestion) -> bytes:
        """Return the sealed status; b"" if the meter has none under that key version.

        Raises:
            UsageError: the map has no windows for sealed messages.
        """
        return self._sealed().status(question)

    # ---- the map

    def _held(self, items: Iterable[Item]) -> set[Item]:
        """Return items that the map has; raises UsageError where it lacks one."""
        wanted = set(items)
        missing = sorted(item.name for item in wanted if not self._readable.holds(item))
        if missing:
            raise self._lacks(", ".join(missing))
        return wanted

    def _sealed(self) -> SealedRequests:
        if self._map.windows is None:
            raise self._lacks("windows for sealed messages")
        return SealedRequests(self._requests, self._map.windows)

    def _lacks(self, what: str) -> UsageError:
        return UsageError(f"{self._where}: map {self._map.name} has no {what}; nothing was sent")

    def _know(self) -> None:
        """Make contact once; check that the device has the map, where the map has a mark.

        On a serial line the first read precedes all probes: it shows whether an adapter echoes. Its
        reply may be a late one to the process before, so it is believed only where it is the mark.
        Without a mark a refusal is a contact too: the reads that follow tell their own.

        Raises:
            CorruptAnswerError: the device is no meter with this map.
        """
        contact = None if self._known else self._contact()
        if contact is not None:
            area, address, count, known = contact
            read = self._requests.read_bits if area & Area.BITS else self._requests.read
            try:
                found = self._requests.repeat(
                    lambda until: read(area, address, count, until, is_recognised=True)
                )
            except ExtentRefusedError:
                if known:
                    raise
                found = known
            if known and found != known and self._read(area, address, count) != known:
                raise CorruptAnswerError(
                    f"{self._where}: the device that answers is no meter with the "
                    f"{self._map.name} map: name its map with --map, or find it by `meterctl scan`"
                )
        self._known = True

    def _contact(self) -> tuple[Area, int, int, bytes] | None:
        """Return area, address and count of the first read, and what it must give, if known.

        Without a mark its reply may be a late one to the process before: it has a length of its
        own, so that no reply that follows is like it.
        """
        mark = self._map.mark
        if mark is not None and (area := self._readable.area_of(mark)) is not None:
            return area, mark.address, len(mark.data) // 2, mark.data
        if self._requests.is_tcp:
            return None
        readable = self._readable
        places = [place for place, *_ in (*readable.best.values(), *readable.in_bits.values())]
        parts: tuple[Placed, ...] = (*places, *self._map.fixed, *self._map.scratch)
        for part in parts:
            area = readable.area_of(part)
            if area is not None:
                extent = part.extent[: readable.largest(area)]
                return area, *self._widened(area, extent.start, len(extent)), b""
        return None

    def _widened(self, area: Area, address: int, count: int) -> tuple[int, int]:
        """Return address and count of a read: on a serial line registers have their own length."""
        if self._requests.is_tcp or area & Area.BITS:
            return address, count
        return self._own.widened(area, address, count)

    def _read(self, area: Area, address: int, count: int) -> bytes:
        """Return registers; on a serial line by a read of a length of its own.

        Of coils and discrete inputs a byte each, 0 or 1.
        """
        if area & Area.BITS:
            return self._requests.repeat(
                lambda until: self._requests.read_bits(area, address, count, until)
            )
        first, size = self._widened(area, address, count)
        try:
            data = self._requests.repeat(
                lambda until: self._requests.read(area, first, size, until)
            )
        except ExtentRefusedError:
            if size == count:
                raise
            self._own.keep(area, address, count)  # a device may refuse what its map allows
            return self._read(area, address, count)
        return data[2 * (address - first) :][: 2 * count]

    # ---- writes without a seal

    def write_once(self, area: Area, address: int, numbers: Sequence[int]) -> None:
        """Write registers or coils in one request, which is sent exactly once.

        Raises:
            UsageError: the map has no function for it.
        """
        function = write_function(self._map.functions, area, len(numbers))
        if function is None:
            raise self._lacks(f"function that writes {len(numbers)} at once")
        self._know()
        self._requests.await_late_replies()
        self._requests.write_once(function, address, numbers)

    def read_back(self, area: Area, address: int, count: int) -> ReadBack:
        """Return registers or coils after a write.

        On a serial line their length is one that no read before had, so that no late reply is taken
        for theirs. Where the map has no room for that, late replies were waited for.
        """
        if self._requests.is_tcp:
            return ReadBack(self.read_numbers(area, address, count), True)
        mark = self._map.mark
        is_own = not area & Area.BITS and self._own.renewed(
            area, address, count, len(mark.data) // 2 if mark else 0
        )
        if not is_own:
            self._requests.await_late_replies()
        late = self._requests.may_be_late
        chosen = self._widened(area, address, count)
        numbers = self.read_numbers(area, address, count)
        is_own = is_own and self._widened(area, address, count) == chosen
        return ReadBack(numbers, is_own or not late)

    def rest(self) -> None:
        """Give the device time to carry out what it has."""
        self._requests.rest()

    def read_numbers(self, area: Area, address: int, count: int) -> Sequence[int]:
        """Return registers or coils as numbers; a read whose answer was lost is repeated."""
        self._know()
        data = self._undisturbed(lambda: self._read(area, address, count))
        if area & Area.BITS:
            return tuple(data)
        return tuple(int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2))
