"""What a watch sees of a meter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from meterctl.errors import MeterctlError
from protocols.data_model import items
from protocols.data_model.items import Item
from protocols.data_model.tables import Event, OffsetAt


@dataclass(frozen=True, slots=True)
class AnsweringMeter:
    """Which meter answers, and which storage of it; None where its map does not show it."""

    serial_number: str | None
    epoch: int | None

    def __str__(self) -> str:
        if self.serial_number is None:
            return "a meter without a serial number"
        storage = "" if self.epoch is None else f" (storage {items.EPOCH.kind.text(self.epoch)})"
        return f"meter {self.serial_number}{storage}"


@dataclass(frozen=True, slots=True)
class Reading:
    """The values of items, all of one meter. `unknown` are those without a finite number."""

    unit: int
    at_ms: int
    """By the host's clock, ms since 1970 UTC."""
    tick_ms: int
    """Monotonic."""
    meter: AnsweringMeter
    values: dict[Item, Any]
    unknown: frozenset[Item]
    offset_at: OffsetAt


@dataclass(frozen=True, slots=True)
class Failure:
    """A reading that failed; `since_ms` is the last answer, or the first try without any."""

    unit: int
    at_ms: int
    since_ms: int
    error: MeterctlError


@dataclass(frozen=True, slots=True)
class EventsSeen:
    """Events, oldest first; `is_past`: they are older than the watch.

    `lost` are the numbers before them that the meter does not keep any more.
    """

    unit: int
    at_ms: int
    meter: AnsweringMeter
    events: tuple[Event, ...]
    offset_at: OffsetAt
    lost: range = range(0)
    is_past: bool = False


@dataclass(frozen=True, slots=True)
class OtherMeter:
    """Another meter answers than before, or the same with another storage."""

    unit: int
    at_ms: int
    before: AnsweringMeter
    now: AnsweringMeter


Observation = Reading | Failure | EventsSeen | OtherMeter
