"""The driver interface: requests of the host to a meter, the same for every protocol."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from protocols.data_model.items import Item
from protocols.data_model.tables import Event, Purchase
from protocols.keys import MessageClass
from protocols.sealed_message import Answer
from protocols.sealed_status import StatusQuestion


@dataclass(frozen=True, slots=True)
class Delivery:
    """The reply to a sealed message: the unsealed answer, and the sealed receipt if any."""

    answer: Answer
    receipt: bytes


class Driver(Protocol):
    """A meter behind one protocol.

    Raises NoAnswerError for silence, CorruptAnswerError for bytes that cannot be the answer,
    RefusedError for a refusal.
    """

    name: str

    def read(self, items: Iterable[Item]) -> Mapping[Item, Any]:
        """Return items of one meter; a read whose answer was lost is repeated."""
        ...

    def answers(self, items: Iterable[Item]) -> int:
        """Return the number of answers that these items need; one answer is of one instant."""
        ...

    def purchases(self) -> list[Purchase]:
        """Return the purchase records, newest first."""
        ...

    def events(self, first: int) -> tuple[list[Event], bool]:
        """Return events from number `first` on, oldest first, and whether more may follow.

        `first` 0 returns the newest few.
        """
        ...

    def deliver(self, message: bytes) -> Delivery:
        """Deliver a sealed message. The final write is sent exactly once."""
        ...

    def receipt(self, message_class: MessageClass, sequence: int) -> bytes:
        """Return the sealed receipt of an accepted sequence; b"" if the meter has none."""
        ...

    def status(self, question: StatusQuestion) -> bytes:
        """Return the sealed status; b"" if the meter has none under that key version."""
        ...
