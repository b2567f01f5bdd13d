"""What meters showed while they were read: no reading returns a value that its meter never showed.

A reply that came late, a reply to another request, or bytes that were changed must not become the
value of an item or the row of a table. The check knows the meters, not the wire.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

from firmware_sim.meter import Meter
from firmware_sim.readings import read
from firmware_sim.records.ring import Ring
from firmware_sim.servers.modbus.rings import RINGS
from firmware_sim.servers.seam import Server
from meterctl.drivers.modbus import ModbusDriver
from protocols.data_model.items import Item
from protocols.data_model.tables import Table
from protocols.modbus.native_map import NATIVE_MAP
from protocols.modbus.register_parts import RowWindow
from tests.simulation.lines import AuditError

Shown = list[Any]
CHANGES_WITHOUT_A_TRACE = frozenset(
    {"flip", "drop", "duplicate", "insert", "truncate", "noise", "wrong_transaction"}
)
"""Faults that change unnoticed what a connection carries: it has no checksum."""


class Witness:
    """Notes what meters show at every instant at which a server works for them.

    `trusts_the_line` is whether a value that was never shown is a fault of the product: not where a
    line without a checksum changes bytes, or where a server lies.
    """

    def __init__(self, meter_of: Callable[[str], Meter]) -> None:
        self._meter_of = meter_of
        self._watched: list[tuple[str, Callable[[Meter], Any], Shown]] = []
        self.trusts_the_line = False
        self.compared = 0
        """The number of readings that were compared."""

    @contextmanager
    def watching(self, serial: str, show: Callable[[Meter], Any]) -> Iterator[Shown]:
        """Return what `show` returns of a meter, at each instant within the block."""
        shown: Shown = []
        watched = (serial, show, shown)
        self._watched.append(watched)
        try:
            yield shown
        finally:
            self._watched.remove(watched)

    def look(self) -> None:
        """Note what the watched meters show now."""
        for serial, show, shown in self._watched:
            now = show(self._meter_of(serial))
            if not shown or now != shown[-1]:
                shown.append(now)

    def check(self, told: str, value: Any, shown: Shown) -> None:
        """Raise AuditError if a meter that was read never showed a value."""
        if not self.trusts_the_line:
            return
        self.compared += 1
        if value not in shown:
            raise AuditError(f"{told} was read as {value}; the meter showed {shown}")


class WitnessedServer:
    """A server in front of a server: after it has worked, the witness looks at the meters."""

    def __init__(self, witness: Witness, inner: Server) -> None:
        self._witness, self._inner = witness, inner

    @property
    def closed(self) -> bool:
        """Whether the server has closed the connection."""
        return self._inner.closed

    def unit_of(self, data: bytes) -> int | None:
        """Return the unit that a transmission names first."""
        return self._inner.unit_of(data)

    def next_wake(self) -> int | None:
        """Return when the next bytes are due."""
        return self._inner.next_wake()

    def wake(self, at: int) -> bytes:
        """Return the bytes that are due."""
        out = self._inner.wake(at)
        self._witness.look()
        return out

    def receive(self, data: bytes, at: int) -> bytes:
        """Pass bytes to the server and return its replies."""
        out = self._inner.receive(data, at)
        self._witness.look()
        return out


class WitnessedDriver(ModbusDriver):
    """The product's driver; what it reads is compared with what its meter showed meanwhile."""

    def __init__(self, witness: Witness, serial: str, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._witness, self._serial = witness, serial

    def read(self, items: Iterable[Item]) -> Mapping[Item, Any]:
        """Return items, each as the meter showed it in the meantime."""
        wanted = list(items)
        with self._witness.watching(
            self._serial, lambda meter: {item: item.kind.json(read(meter, item)) for item in wanted}
        ) as shown:
            values = super().read(wanted)
        for item, value in values.items():
            self._witness.check(
                f"meter {self._serial}: {item.name}",
                item.kind.json(value),
                [each[item] for each in shown],
            )
        return values

    def rows(self, table: Table, first: int = 0) -> tuple[list[Any], bool]:
        """Return rows of a table as the meter held them in the meantime, without a gap.

        A list is read in several requests, between which a row may be added. Where the window of
        whole rows was refused, as a fault may do, they are those of an older build.
        """
        window = NATIVE_MAP.row_window(table)
        with self._witness.watching(
            self._serial, lambda meter: _held(meter.rings[RINGS[table]], window, first)
        ) as shown:
            found, more = super().rows(table, first)
        rows = [row.pack() for row in found]
        possible = [[row for _, row in held] for held in shown]
        possible += [
            [table.completed(row[: table.older_row_size]) for row in each] for each in possible
        ]
        if window is None and len(shown) > 1:
            numbers = {row: number for held in shown for number, row in held}
            read = [numbers.get(row, -1) for row in rows]
            if all(later == earlier + 1 > 0 for earlier, later in pairwise(read)):
                possible.append(rows)
        self._witness.check(f"meter {self._serial}: {table.name} from {first}", rows, possible)
        return found, more


def _held(ring: Ring, window: RowWindow | None, first: int) -> list[tuple[int, bytes]]:
    """Return the numbered rows of a ring that are read from number `first` on; 0: the newest."""
    count = ring.depth if window is None else window.rows
    newest = max(first, 1) if window is None else first or ring.last - count + 1
    start = max(ring.first, newest)
    rows = [(number, ring.get(number)) for number in range(start, start + count)]
    return [(number, row) for number, row in rows if row is not None]
