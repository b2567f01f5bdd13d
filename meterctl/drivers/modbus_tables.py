"""The rows of a meter's tables, read through the windows and lists of its map."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from meterctl.drivers import Page
from meterctl.drivers.modbus_requests import TRIES, AddressRefusedError, ModbusRequests
from meterctl.drivers.table_rows import check_order, list_rows, window_page
from meterctl.errors import CorruptAnswerError
from protocols.data_model.tables import Table
from protocols.modbus.areas import Area
from protocols.modbus.register_parts import RowList, RowWindow


class TableRequests:
    """Reads tables of one unit.

    Args:
        read: returns so many registers of an area from an address on.
        largest_read: registers that one request may read.
    """

    def __init__(
        self,
        requests: ModbusRequests,
        read: Callable[[Area, int, int], bytes],
        largest_read: int,
    ) -> None:
        self._requests, self._read, self._largest_read = requests, read, largest_read
        self._answering: dict[Table, RowWindow] = {}
        """The window of a table that the meter has, where the map has several."""

    def page_of_list(self, rows: RowList, first: int) -> Page:
        """Return the rows of a list from a number on, oldest first."""
        found = [row for row in self._listed(rows) if getattr(row, "number", first) >= first]
        return Page(getattr(found[0], "number", first) if found else first, found, False)

    def page_of_window(self, windows: Sequence[RowWindow], first: int) -> Page:
        """Return the rows from a number on that the first of a table's windows shows, oldest first.

        A meter of an older build lacks the newest window: then the next one is read.
        """
        table = windows[0].table
        if table in self._answering:
            windows = (self._answering[table],)
        for older in windows[1:]:
            try:
                return self._window_page(windows[0], first)
            except AddressRefusedError:
                windows = (older,)
        return self._window_page(windows[0], first)

    def _window_page(self, window: RowWindow, first: int) -> Page:
        """Return the rows that a window shows from a number on."""
        pages: list[Page] = []

        def ask(until: int) -> bytes:
            data = self._requests.exchange(
                window.read_address,
                window.read_registers,
                window.address,
                first.to_bytes(4, "big"),
                until,
            )
            with self._requests.checking():
                pages[:] = [window_page(window, first, data)]
            return data

        self._requests.confirmed(ask)
        self._answering[window.table] = window
        return pages[0]

    def _listed(self, rows: RowList) -> list[Any]:
        """Return the rows of a list, oldest first.

        A purchase while the list is read moves all rows: then it is read again.
        """
        for attempt in range(TRIES):
            found = self._parts(rows)[::-1]
            try:
                with self._requests.checking():
                    check_order(rows.table, found)
            except CorruptAnswerError:
                if attempt == TRIES - 1:
                    raise
            else:
                break
        return found

    def _parts(self, rows: RowList) -> list[Any]:
        """Return the rows of a list, newest first, read in as many requests as they need."""
        found: list[Any] = []
        each = self._largest_read // rows.row_registers
        for first in range(0, rows.rows, each):
            data = self._read(
                Area.HOLDING,
                rows.address + first * rows.row_registers,
                min(each, rows.rows - first) * rows.row_registers,
            )
            with self._requests.checking():
                some, is_last = list_rows(rows.table, data)
            found += some
            if is_last:
                break
        return found
