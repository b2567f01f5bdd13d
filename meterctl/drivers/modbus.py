"""The Modbus driver: items, tables and windows for sealed messages of a register map."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from typing import Any

from meterctl.drivers import Delivery, Trace
from meterctl.drivers.pymodbus_client import TransportClient
from meterctl.drivers.register_blocks import ReadableMap
from meterctl.errors import (
    CorruptAnswerError,
    MeterctlError,
    NoAnswerError,
    RefusedError,
    UsageError,
)
from meterctl.transports import MonotonicClock, Transport
from protocols.data_model.items import Item
from protocols.data_model.tables import (
    BILLING_FREEZES,
    DAILY_FREEZES,
    EVENTS,
    PROFILE,
    PURCHASES,
    Event,
    Freeze,
    ProfileRecord,
    Purchase,
    Table,
)
from protocols.errors import MODBUS_EXCEPTIONS, MalformedMessageError, ProtocolError
from protocols.keys import MessageClass
from protocols.modbus.native_map import NATIVE_MAP
from protocols.modbus.register_map import Area, RegisterMap, RowList
from protocols.modbus.sealed_windows import (
    ANSWER_HEAD_REGISTERS,
    ANSWER_REGISTERS,
    MESSAGE_HEAD,
    MESSAGE_PART,
    RECEIPT_QUESTION,
    RECEIPT_REGISTERS,
    STATUS_QUESTION,
    STATUS_REGISTERS,
    SealedWindows,
)
from protocols.sealed_message import Answer
from protocols.sealed_status import StatusQuestion

_ROWS: Mapping[Table, Any] = {
    PURCHASES: Purchase,
    EVENTS: Event,
    PROFILE: ProfileRecord,
    DAILY_FREEZES: Freeze,
    BILLING_FREEZES: Freeze,
}
"""The kind of the rows of each table."""
TRIES = 3
TOTAL_MS = 15_000


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
    ) -> None:
        """Serve a unit on a transport; the map is the native one by default."""
        self._map = register_map or NATIVE_MAP
        self._readable = ReadableMap(self._map)
        self._client = TransportClient(transport, timeout_ms, clock, trace)
        self._unit, self._now = unit, clock
        self._where = f"{transport.name} unit {unit}"
        self._known = False

    def read(self, items: Iterable[Item]) -> Mapping[Item, Any]:
        """Return items; neighbouring items share one request.

        Raises:
            UsageError: the map does not have an item.
        """
        blocks = self._readable.blocks_of(self._held(items))
        self._know()
        values: dict[Item, Any] = {}
        for block in blocks:
            data = self._read(block.area, block.address, block.width)
            for register in block.registers:
                at = 2 * (register.address - block.address)
                try:
                    values[register.item] = register.unpack(data[at : at + 2 * register.width])
                except ProtocolError as error:
                    raise CorruptAnswerError(f"{self._where}: {error}") from error
        return values

    def answers(self, items: Iterable[Item]) -> int:
        """Return the number of answers that these items need; one answer is of one instant."""
        return len(self._readable.blocks_of(self._held(items)))

    def rows(self, table: Table, first: int = 0) -> tuple[list[Any], bool]:
        """Return rows of a table from number `first` on, oldest first, and whether more may follow.

        `first` 0 returns the newest few. Rows without a number of their own are not counted.

        Raises:
            UsageError: the map does not have the table.
        """
        listed, window = self._map.row_list(table), self._map.row_window(table)
        if listed is not None:
            self._know()
            found = self._listed(listed)
            return [row for row in found if getattr(row, "number", first) >= first], False
        if window is None:
            raise self._lacks(table.name)
        self._know()
        row_of, size = _ROWS[table], table.row_size
        data = self._repeat(
            lambda: self._exchange(
                window.read_address, window.read_registers, window.address, first.to_bytes(4, "big")
            )
        )
        count = int.from_bytes(data[4:6], "big")
        if count > window.rows:
            raise CorruptAnswerError(f"{self._where}: {count} rows in a window of {window.rows}")
        rows = [row_of.unpack(data[6 + i * size :][:size]) for i in range(count)]
        numbers = [row.number for row in rows if isinstance(row, Event)]
        if any(later <= earlier for earlier, later in pairwise(numbers)) or any(
            number < first for number in numbers
        ):
            raise CorruptAnswerError(f"{self._where}: event numbers do not rise")
        return rows, count == window.rows

    def _listed(self, rows: RowList) -> list[Any]:
        """Return the rows of a list, oldest first."""
        found: list[Any] = []
        each = self._map.largest_read // rows.row_registers
        row_of, size = _ROWS[rows.table], rows.table.row_size
        for first in range(0, rows.rows, each):
            count = min(each, rows.rows - first)
            data = self._read(
                Area.HOLDING,
                rows.address + first * rows.row_registers,
                count * rows.row_registers,
            )
            some = [data[i : i + size] for i in range(0, len(data), size)]
            found += [row_of.unpack(row) for row in some if any(row)]
            if not any(some[-1]):
                break
        return found[::-1]

    def deliver(self, message: bytes) -> Delivery:
        """Deliver a sealed message. The last part is sent exactly once, others may be repeated.

        Raises:
            UsageError: the map has no windows for sealed messages.
        """
        windows = self._sealed()
        parts = [message[i : i + MESSAGE_PART] for i in range(0, len(message), MESSAGE_PART)]
        for index, part in enumerate(parts[:-1]):
            head = MESSAGE_HEAD.pack(len(message), index * MESSAGE_PART, len(part), 0)
            self._repeat(lambda head=head, part=part: self._write(windows.message, head + part))  # type: ignore[misc]
        last = parts[-1]
        head = MESSAGE_HEAD.pack(len(message), len(message) - len(last), len(last), 1)
        padded = head + last + bytes(len(last) % 2)
        data = self._exchange(windows.answer, ANSWER_REGISTERS, windows.message, padded)
        if data[:2] != b"\0\1":
            raise CorruptAnswerError(
                f"{self._where}: the message was delivered, but the answer window is empty"
            )
        try:
            answer = Answer.decode(data[2 : 2 * ANSWER_HEAD_REGISTERS])
        except MalformedMessageError as error:
            raise CorruptAnswerError(f"{self._where}: {error}") from error
        return Delivery(answer, _sized(data[2 * ANSWER_HEAD_REGISTERS :]))

    def receipt(self, message_class: MessageClass, sequence: int) -> bytes:
        """Return the sealed receipt of an accepted sequence; b"" if the meter has none.

        Raises:
            UsageError: the map has no windows for sealed messages.
        """
        windows = self._sealed()
        which = 0 if message_class is MessageClass.CREDIT else 1
        asked = RECEIPT_QUESTION.pack(which, sequence)
        return _sized(
            self._repeat(
                lambda: self._exchange(
                    windows.receipt_read, RECEIPT_REGISTERS, windows.receipt, asked
                )
            )
        )

    def status(self, question: StatusQuestion) -> bytes:
        """Return the sealed status; b"" if the meter has none under that key version.

        Raises:
            UsageError: the map has no windows for sealed messages.
        """
        windows = self._sealed()
        asked = STATUS_QUESTION.pack(question.nonce, question.journal, question.key_version)
        return _sized(
            self._repeat(
                lambda: self._exchange(windows.status_read, STATUS_REGISTERS, windows.status, asked)
            )
        )

    # ---- the map

    def _held(self, items: Iterable[Item]) -> set[Item]:
        """Return items that the map has as registers; raises UsageError where it lacks one."""
        wanted = set(items)
        missing = sorted(item.name for item in wanted if item not in self._readable.best)
        if missing:
            raise self._lacks(", ".join(missing))
        return wanted

    def _sealed(self) -> SealedWindows:
        if self._map.windows is None:
            raise self._lacks("windows for sealed messages")
        return self._map.windows

    def _lacks(self, what: str) -> UsageError:
        return UsageError(f"{self._where}: map {self._map.name} has no {what}; nothing was sent")

    def _know(self) -> None:
        """Check once that the device has the map, where the map has a mark."""
        mark = self._map.mark
        if not self._known and mark is not None:
            area = Area.HOLDING if Area.HOLDING in mark.area else Area.INPUT
            if self._read(area, mark.address, len(mark.data) // 2) != mark.data:
                raise CorruptAnswerError(
                    f"{self._where}: the device that answers is no meter with the "
                    f"{self._map.name} map"
                )
        self._known = True

    # ---- requests

    def _read(self, area: Area, address: int, count: int) -> bytes:
        client = self._client
        call = (
            client.read_holding_registers if area is Area.HOLDING else client.read_input_registers
        )
        return self._repeat(
            lambda: self._ask(call, address=address, count=count, device_id=self._unit)
        )

    def _write(self, address: int, data: bytes) -> bytes:
        return self._ask(
            self._client.write_registers, address=address, values=_words(data), device_id=self._unit
        )

    def _exchange(self, read_address: int, count: int, address: int, data: bytes) -> bytes:
        """Write and read in one request (function 23)."""
        return self._ask(
            self._client.readwrite_registers,
            read_address=read_address,
            read_count=count,
            write_address=address,
            values=_words(data),
            device_id=self._unit,
        )

    def _ask(self, call: Callable[..., Any], **arguments: Any) -> bytes:
        from pymodbus.exceptions import ModbusException

        try:
            reply = self._client.ask(call, **arguments)
        except ModbusException as error:
            raise CorruptAnswerError(f"{self._where}: {error}") from error
        except MeterctlError as error:
            raise type(error)(f"{self._where}: {error}") from error
        if reply.isError():
            code = getattr(reply, "exception_code", 0)
            name = MODBUS_EXCEPTIONS.get(code, "unknown")
            if code == 0x0B:
                raise NoAnswerError(f"{self._where}: exception 0B, the gateway has no such unit")
            raise RefusedError(
                f"{self._where}: Modbus exception {code:02d} ({name}); nothing was changed"
            )
        return b"".join(int(word).to_bytes(2, "big") for word in reply.registers)

    def _repeat(self, work: Callable[[], bytes]) -> bytes:
        """Run a repeatable request, again if its answer was lost: at most 3 tries and 15 s."""
        began = self._now()
        for attempt in range(TRIES):
            try:
                return work()
            except (NoAnswerError, CorruptAnswerError):
                if attempt == TRIES - 1 or self._now() - began > TOTAL_MS:
                    raise
        raise AssertionError("unreachable")


def _words(data: bytes) -> list[int]:
    return [int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2)]


def _sized(data: bytes) -> bytes:
    size = int.from_bytes(data[:2], "big")
    return data[2 : 2 + size]
