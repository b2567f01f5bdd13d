"""Readings that are of one meter, also where two answer at one unit number.

The serial number and the epoch are read before, at times during, and after all other reads. They
are read several times in a row at the begin and at the end: two meters that answer in turn, or by
chance, show themselves in this.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from meterctl.drivers import Page, Reader
from meterctl.errors import CorruptAnswerError, RefusedError
from meterctl.operations.observations import AnsweringMeter
from protocols.data_model import items
from protocols.data_model.items import Item
from protocols.data_model.tables import Table
from protocols.data_model.tariff import TariffChange, TariffSet

IDENTITY = (items.SERIAL_NUMBER, items.EPOCH)
CHECKS = 4
"""Reads of the identity in a row, at the begin and at the end."""
READS_BETWEEN = 8
"""Reads after which the identity is read again."""


def two_meters(one: AnsweringMeter, other: AnsweringMeter) -> CorruptAnswerError:
    """Return the error for two meters at one unit number."""
    return CorruptAnswerError(
        f"two meters answer at this unit, {one} and {other}; nothing was changed. Give each a "
        f"unit number of its own, or disconnect one"
    )


@contextmanager
def of_one_meter(reader: Reader) -> Iterator[Reader]:
    """Yield a reader for reads that belong together; without a serial number, the reader itself.

    Raises:
        CorruptAnswerError: two meters answered; what was read is of no use.
    """
    held = [item for item in IDENTITY if reader.holds(item)]
    try:
        first = _identity(reader, held) if items.SERIAL_NUMBER in held else None
    except RefusedError:
        first = None
    if first is None:
        yield reader
        return
    checked = _OneMeter(reader, held, first)
    checked.check(CHECKS - 1)
    yield checked
    checked.check(CHECKS)


def _identity(reader: Reader, held: Iterable[Item]) -> AnsweringMeter:
    found = reader.read(held)
    return AnsweringMeter(found.get(items.SERIAL_NUMBER), found.get(items.EPOCH))


class _OneMeter:
    """A reader that reads the identity again at times."""

    def __init__(self, reader: Reader, held: Iterable[Item], expected: AnsweringMeter) -> None:
        self._reader, self._held, self._expected = reader, tuple(held), expected
        self._reads = 0
        self.name = reader.name
        self.holds, self.answers = reader.holds, reader.answers
        self.has_rows, self.has_tariff = reader.has_rows, reader.has_tariff

    def check(self, times: int) -> None:
        """Read the identity some times; raises CorruptAnswerError for another one."""
        for _ in range(times):
            found = _identity(self._reader, self._held)
            if found != self._expected:
                raise two_meters(self._expected, found)

    def _count(self) -> None:
        self._reads += 1
        if self._reads % READS_BETWEEN == 0:
            self.check(1)

    def read(self, items: Iterable[Item]) -> Mapping[Item, Any]:
        """Return items; see `Reader`."""
        self._count()
        return self._reader.read(items)

    def read_at_once(self, items: Iterable[Item]) -> Mapping[Item, Any]:
        """Return items of as few instants as possible; see `Reader`."""
        self._count()
        return self._reader.read_at_once(items)

    def rows(self, table: Table, first: int = 0) -> tuple[list[Any], bool]:
        """Return rows; see `Reader`."""
        self._count()
        return self._reader.rows(table, first)

    def page(self, table: Table, first: int = 0) -> Page:
        """Return a page of rows; see `Reader`."""
        self._count()
        return self._reader.page(table, first)

    def tariff(self, which: TariffSet) -> TariffChange:
        """Return a tariff set; see `Reader`."""
        self._count()
        return self._reader.tariff(which)
