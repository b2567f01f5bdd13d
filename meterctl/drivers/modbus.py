"""The Modbus driver: items, tables and message window of the native map (docs/register-map.md)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from meterctl.drivers import Delivery, Trace
from meterctl.drivers.pymodbus_client import TransportClient
from meterctl.errors import CorruptAnswerError, MeterctlError, NoAnswerError, RefusedError
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
from protocols.modbus.native_map import (
    ANSWER_ADDRESS,
    ANSWER_HEAD_REGISTERS,
    ANSWER_REGISTERS,
    BEST_PLACES,
    BILLING_WINDOW,
    DAILY_WINDOW,
    EVENT_WINDOW,
    MAGIC,
    MESSAGE_ADDRESS,
    MESSAGE_HEAD,
    MESSAGE_PART,
    PROFILE_WINDOW,
    PURCHASE_ADDRESS,
    PURCHASE_REGISTERS,
    RECEIPT_ADDRESS,
    RECEIPT_READ,
    RECEIPT_REGISTERS,
    STATUS_ADDRESS,
    STATUS_QUESTION,
    STATUS_READ,
    STATUS_REGISTERS,
    Place,
    RowWindow,
)
from protocols.modbus.pdu import MAX_READ_REGISTERS
from protocols.sealed_message import Answer
from protocols.sealed_status import StatusQuestion

_WINDOWS: Mapping[Table, tuple[RowWindow, Any]] = {
    EVENTS: (EVENT_WINDOW, Event),
    PROFILE: (PROFILE_WINDOW, ProfileRecord),
    DAILY_FREEZES: (DAILY_WINDOW, Freeze),
    BILLING_FREEZES: (BILLING_WINDOW, Freeze),
}
"""Where a table is read by a cursor, and the kind of its rows."""
TRIES = 3
TOTAL_MS = 15_000
GAP = 16
"""Largest gap between two items that one request reads across, in registers."""


class ModbusDriver:
    """A meter with the native map at one unit number."""

    name = "modbus"

    def __init__(
        self,
        transport: Transport,
        unit: int,
        timeout_ms: int,
        clock: MonotonicClock,
        trace: Trace | None = None,
    ) -> None:
        self._client = TransportClient(transport, timeout_ms, clock, trace)
        self._unit, self._now = unit, clock
        self._where = f"{transport.name} unit {unit}"
        self._known = False

    def read(self, items: Iterable[Item]) -> Mapping[Item, Any]:
        """Return items; neighbouring items share one request."""
        self._know()
        values: dict[Item, Any] = {}
        for block in _blocks_of(items):
            first = block[0].address
            data = self._read(first, block[-1].address + block[-1].registers - first)
            for place in block:
                at = 2 * (place.address - first)
                try:
                    values[place.item] = place.unpack(data[at : at + 2 * place.registers])
                except ProtocolError as error:
                    raise CorruptAnswerError(f"{self._where}: {error}") from error
        return values

    def answers(self, items: Iterable[Item]) -> int:
        """Return the number of answers that these items need; one answer is of one instant."""
        return len(_blocks_of(items))

    def rows(self, table: Table, first: int = 0) -> tuple[list[Any], bool]:
        """Return rows of a table from number `first` on, oldest first, and whether more may follow.

        `first` 0 returns the newest few. Rows without a number of their own are not counted.
        """
        self._know()
        if table is PURCHASES:
            return [row for row in self._purchases() if row.number >= first], False
        window, row_of = _WINDOWS[table]
        data = self._repeat(
            lambda: self._exchange(
                window.read_address, window.read_registers, window.address, first.to_bytes(4, "big")
            )
        )
        count = int.from_bytes(data[4:6], "big")
        if count > window.rows:
            raise CorruptAnswerError(f"{self._where}: {count} rows in a window of {window.rows}")
        rows = [
            row_of.unpack(data[6 + i * window.row_size :][: window.row_size]) for i in range(count)
        ]
        numbers = [row.number for row in rows if isinstance(row, Event)]
        if any(later <= earlier for earlier, later in pairwise(numbers)) or any(
            number < first for number in numbers
        ):
            raise CorruptAnswerError(f"{self._where}: event numbers do not rise")
        return rows, count == window.rows

    def _purchases(self) -> list[Purchase]:
        """Return the purchase records, oldest first."""
        rows: list[Purchase] = []
        each = MAX_READ_REGISTERS // PURCHASE_REGISTERS
        for first in range(0, PURCHASES.depth, each):
            count = min(each, PURCHASES.depth - first)
            data = self._read(
                PURCHASE_ADDRESS + first * PURCHASE_REGISTERS, count * PURCHASE_REGISTERS
            )
            some = [
                data[i : i + PURCHASES.row_size] for i in range(0, len(data), PURCHASES.row_size)
            ]
            rows += [Purchase.unpack(row) for row in some if any(row)]
            if not any(some[-1]):
                break
        return rows[::-1]

    def deliver(self, message: bytes) -> Delivery:
        """Deliver a sealed message. The last part is sent exactly once, others may be repeated."""
        parts = [message[i : i + MESSAGE_PART] for i in range(0, len(message), MESSAGE_PART)]
        for index, part in enumerate(parts[:-1]):
            head = MESSAGE_HEAD.pack(len(message), index * MESSAGE_PART, len(part), 0)
            self._repeat(lambda head=head, part=part: self._write(MESSAGE_ADDRESS, head + part))  # type: ignore[misc]
        last = parts[-1]
        head = MESSAGE_HEAD.pack(len(message), len(message) - len(last), len(last), 1)
        padded = head + last + bytes(len(last) % 2)
        data = self._exchange(ANSWER_ADDRESS, ANSWER_REGISTERS, MESSAGE_ADDRESS, padded)
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
        """Return the sealed receipt of an accepted sequence; b"" if the meter has none."""
        which = 0 if message_class is MessageClass.CREDIT else 1
        question = which.to_bytes(2, "big") + sequence.to_bytes(4, "big")
        data = self._repeat(
            lambda: self._exchange(RECEIPT_READ, RECEIPT_REGISTERS, RECEIPT_ADDRESS, question)
        )
        return _sized(data)

    def status(self, question: StatusQuestion) -> bytes:
        """Return the sealed status; b"" if the meter has none under that key version."""
        asked = STATUS_QUESTION.pack(question.nonce, question.journal, question.key_version)
        return _sized(
            self._repeat(
                lambda: self._exchange(STATUS_READ, STATUS_REGISTERS, STATUS_ADDRESS, asked)
            )
        )

    # ---- requests

    def _know(self) -> None:
        """Check once that the device has the native map."""
        if not self._known:
            if self._read(0, 2) != MAGIC:
                raise CorruptAnswerError(
                    f"{self._where}: the device that answers is no meter with the native map"
                )
            self._known = True

    def _read(self, address: int, count: int) -> bytes:
        call = self._client.read_holding_registers
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


def _blocks_of(items: Iterable[Item]) -> list[list[Place]]:
    """Choose a place for each item, and group the places whose registers fit one request.

    An item with several places is read where it needs no request of its own.
    """
    choices = [BEST_PLACES[item] for item in set(items)]
    chosen = [places[0] for places in choices if len(places) == 1]
    for places in choices:
        if len(places) > 1:
            chosen.append(
                min(places, key=lambda place: (len(_blocks([*chosen, place])), place.address))
            )
    return _blocks(chosen)


def _blocks(places: Sequence[Place]) -> list[list[Place]]:
    """Group places whose registers fit one request."""
    blocks: list[list[Place]] = []
    for place in sorted(places, key=lambda place: place.address):
        end = place.address + place.registers
        if blocks:
            last = blocks[-1][-1]
            near = place.address - (last.address + last.registers) <= GAP
            if near and end - blocks[-1][0].address <= MAX_READ_REGISTERS:
                blocks[-1].append(place)
                continue
        blocks.append([place])
    return blocks


def _words(data: bytes) -> list[int]:
    return [int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2)]


def _sized(data: bytes) -> bytes:
    size = int.from_bytes(data[:2], "big")
    return data[2 : 2 + size]
