"""What the pages and the API work with: the database, and the way to the meters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from meterctl.utility.store.engine import Database
from meterctl.utility.store.unit_of_work import Actor


class Delivery(Protocol):
    """The way of sales to their meters; who serves the pages knows the journal and the keys."""

    def require_deliverable(
        self, actor: Actor, key: str, agreement: str, amount: int, reader: str | None
    ) -> None:
        """Refuse a sale that could not be carried out here, before money is taken for it.

        Args:
            key: of the sale; one that was used is let through.
            amount: 0.01.
            reader: name of the card reader; None: by wire.

        Raises:
            MeterctlError: it names what hinders it; no money was taken.
        """

    def begin(self, order: int) -> None:
        """Begin to carry out an order, and return at once."""

    def wait(self, order: int, seconds: float) -> None:
        """Wait until an order that was begun here has ended, at most so long."""


@dataclass(frozen=True, slots=True)
class Office:
    """An opened desk that is served.

    Attributes:
        hosts: the values of the header Host that are answered, in lower case.
    """

    database: Database
    delivery: Delivery
    hosts: frozenset[str]
