"""One driver a protocol, behind one interface: what a host can ask of a meter, whatever the
wire.
"""

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
    """What came back for a sealed message: the unsealed answer, and the sealed receipt where there
    is one.
    """

    answer: Answer
    receipt: bytes


class Driver(Protocol):
    """Raises NoAnswerError for silence, CorruptAnswerError for what cannot be the answer,
    RefusedError for a no.
    """

    name: str

    def read(self, items: Iterable[Item]) -> Mapping[Item, Any]:
        """Return items, all of one meter; reading is repeated where an answer was lost."""
        ...

    def answers(self, items: Iterable[Item]) -> int:
        """Return how many answers of the meter the values of these items come in; those of one are
        of one instant.
        """
        ...

    def purchases(self) -> list[Purchase]:
        """Return the purchase records, newest first."""
        ...

    def events(self, first: int) -> tuple[list[Event], bool]:
        """Return events from number `first` on, oldest first, and whether there may be more; 0 is
        the newest few.
        """
        ...

    def deliver(self, message: bytes) -> Delivery:
        """Deliver a sealed message. The final write is sent exactly once."""
        ...

    def receipt(self, message_class: MessageClass, sequence: int) -> bytes:
        """Return the sealed receipt of an accepted sequence, b"" where the meter has none."""
        ...

    def status(self, question: StatusQuestion) -> bytes:
        """Return the sealed status for a question, b"" where the meter has none under that key
        version.
        """
        ...
