"""The driver interface: requests of the host to a meter, the same for every protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from protocols.data_model.items import Item
from protocols.data_model.tables import Table
from protocols.data_model.tariff import TariffChange, TariffSet
from protocols.keys import MessageClass
from protocols.sealed_message import Answer
from protocols.sealed_status import StatusQuestion

if TYPE_CHECKING:
    from protocols.modbus.areas import Area

Trace = Callable[[str, bytes], None]
"""Sees the bytes of the wire: "->" to the meter, "<-" from it."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """The reply to a sealed message: the unsealed answer, and the sealed receipt if any."""

    answer: Answer
    receipt: bytes


@dataclass(frozen=True, slots=True)
class ReadBack:
    """Numbers that were read after a write.

    `is_certain` is False where the reply may be a late one to a read before the write.
    """

    numbers: Sequence[int]
    is_certain: bool


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of a table that follow each other, oldest first; `first` is the number of the first.

    `is_full`: more rows may follow. A `first` above the number that was asked for says that the
    meter does not keep the rows before it any more.
    """

    first: int
    rows: Sequence[Any]
    is_full: bool


class Reader(Protocol):
    """A meter behind one protocol, to be read.

    Raises NoAnswerError for silence, CorruptAnswerError for bytes that cannot be the answer,
    RefusedError for a refusal.
    """

    name: str

    def read(self, items: Iterable[Item]) -> Mapping[Item, Any]:
        """Return items of one meter; a read whose answer was lost is repeated."""
        ...

    def read_at_once(self, items: Iterable[Item]) -> Mapping[Item, Any]:
        """Return items in as few answers as possible, so that they are of one instant if they can.

        It takes longer than `read`, which transmits nothing that is not wanted.
        """
        ...

    def holds(self, item: Item) -> bool:
        """Return whether an item can be read here; no byte is sent."""
        ...

    def answers(self, items: Iterable[Item]) -> int:
        """Return the number of answers that these items need; one answer is of one instant."""
        ...

    def rows(self, table: Table, first: int = 0) -> tuple[list[Any], bool]:
        """Return rows of a table from number `first` on, oldest first, and whether more may follow.

        `first` 0 returns the newest few. A column that the meter does not keep is None.
        """
        ...

    def page(self, table: Table, first: int = 0) -> Page:
        """Return rows of a table as `rows` does, with the number of the first one."""
        ...

    def has_rows(self, table: Table) -> bool:
        """Return whether a table can be read here; no byte is sent."""
        ...

    def has_tariff(self) -> bool:
        """Return whether the parts of the tariff can be read here; no byte is sent."""
        ...

    def tariff(self, which: TariffSet) -> TariffChange:
        """Return a tariff set of one instant; one that changes meanwhile is read again.

        The current set has its four parts, each with activation 0. The pending set has the parts
        that wait, each with its instant of activation (ms, UTC); it may have none.
        """
        ...


class SealedCarrier(Protocol):
    """A protocol that carries sealed messages; raises as a `Reader`."""

    def deliver(self, message: bytes) -> Delivery:
        """Deliver a sealed message. The final write is sent exactly once."""
        ...

    def receipt(self, message_class: MessageClass, sequence: int) -> bytes:
        """Return the sealed receipt of an accepted sequence; b"" if the meter has none."""
        ...

    def status(self, question: StatusQuestion) -> bytes:
        """Return the sealed status; b"" if the meter has none under that key version."""
        ...


class PlainWriter(Protocol):
    """A protocol that writes numbers at addresses without a seal; raises as a `Reader`.

    The numbers are those of registers, or 0 and 1 of coils.
    """

    def write_once(self, area: Area, address: int, numbers: Sequence[int]) -> None:
        """Write numbers in one request, which is sent exactly once.

        No reply to a read before is outstanding when it is sent, as far as that can be waited for.

        Raises:
            RefusedError: the meter answered with an exception.
            StillWorkingError: the meter acknowledged the request and works on it.
            NoAnswerError, CorruptAnswerError: it may have been executed.
        """
        ...

    def read_numbers(self, area: Area, address: int, count: int) -> Sequence[int]:
        """Return numbers as they stand; a read whose answer was lost is repeated."""
        ...

    def read_back(self, area: Area, address: int, count: int) -> ReadBack:
        """Return numbers as they stand after a write; a read before it is not taken for this."""
        ...

    def rest(self) -> None:
        """Give a device time to carry out what it has: 250 ms."""
        ...


class Driver(Reader, SealedCarrier, PlainWriter, Protocol):
    """A meter behind a protocol that also carries sealed messages, and writes without a seal."""
