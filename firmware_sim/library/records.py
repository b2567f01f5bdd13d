"""Values and records of a meter, as a caller of the library reads them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeVar

from firmware_sim.errors import QuantityError
from firmware_sim.library.boundary import Boundary
from firmware_sim.library.words import written
from firmware_sim.meter import Meter
from firmware_sim.rack.values import Value, values
from firmware_sim.records.ring import (
    BILLING_RING,
    DAILY_RING,
    EVENT_RING,
    PROFILE_RING,
    PURCHASE_RING,
)
from protocols.data_model.tables import Event, Freeze, ProfileRecord, Purchase
from protocols.suggestions import did_you_mean

__tracebackhide__ = True  # pytest shows the line of the test, and what the error says

FREEZES = {"daily": DAILY_RING, "billing": BILLING_RING}

Result = TypeVar("Result")


class MeterRecords(ABC):
    """Values and rows of a meter. Rows hold whole numbers: mWh, 1e-10 of the account unit, ms."""

    @abstractmethod
    def _read(self, work: Callable[[Meter], Result]) -> Result:
        """Return what `work` reads of the meter at the present."""

    def value(self, item: str) -> Value:
        """Return an item as `meterctl read --json` shows it: Decimal or str.

        Raises:
            QuantityError: there is no such item; the text names those near it.
        """
        shown = self.values()
        if not isinstance(item, str) or item not in shown:
            hint = did_you_mean(written(item), shown, "`meterctl items` lists them")
            raise QuantityError(f"{item!r} is no item: {hint}")
        return shown[item]

    def values(self) -> dict[str, Value]:
        """Return every item by name."""
        return self._read(values)

    def events(self) -> list[Event]:
        """Return the event log, oldest first; `event.name` is the word of docs/events.md."""
        return [Event.unpack(row) for row in reversed(self._rows(EVENT_RING))]

    def event_names(self) -> list[str]:
        """Return the words of the event log, oldest first."""
        return [event.name for event in self.events()]

    def purchases(self) -> list[Purchase]:
        """Return the accepted top-ups, newest first; money in 1e-10 of the account unit."""
        return [Purchase.unpack(row) for row in self._rows(PURCHASE_RING)]

    def profile(self) -> list[ProfileRecord]:
        """Return the load profile, oldest first: energy of each 15 minutes in mWh, `end` in ms."""
        return [ProfileRecord.unpack(row) for row in reversed(self._rows(PROFILE_RING))]

    def freezes(self, kind: str = "daily") -> list[Freeze]:
        """Return the registers at local midnights, oldest first, or at "billing" ends (冻结).

        Energies in mWh, also `energy_import_kwh`; money in 1e-10 of the account unit, `at` in ms.
        `consumption_charged_exact` is what was charged for energy until then: None in a freeze of a
        build that did not keep it.
        """
        with Boundary():
            if written(kind) not in FREEZES:
                raise QuantityError(f"{kind!r}: allowed are {' and '.join(FREEZES)}")
        return [Freeze.unpack(row) for row in reversed(self._rows(FREEZES[kind]))]

    def _rows(self, place: int) -> list[bytes]:
        """Return the rows of a ring, newest first."""

        def read(meter: Meter) -> list[bytes]:
            ring = meter.rings[place]
            return list(ring.newest(ring.depth))

        return self._read(read)
