"""What is known of the meters of a watch, for its picture."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from meterctl.cli.watching.load_history import LoadHistory
from meterctl.operations.observations import (
    AnsweringMeter,
    EventsSeen,
    Failure,
    Observation,
    OtherMeter,
    Reading,
)
from protocols.data_model import items
from protocols.data_model.items import Item
from protocols.data_model.kinds import Fixed, Optional
from protocols.data_model.tables import Event

KEPT_EVENTS = 64
"""Most events of a meter that a picture has room for."""


@dataclass(slots=True)
class MeterView:
    """One meter: its last reading, a failure since then, its events, and the course of a value."""

    unit: int
    plotted: Item | None
    interval_ms: int
    reading: Reading | None = None
    failure: Failure | None = None
    before: AnsweringMeter | None = None
    """The meter in whose place this one came, if that was seen."""
    changed_ms: int = 0
    """When that was."""
    readings: int = 0
    failures: int = 0
    events: deque[tuple[EventsSeen, Event]] = field(
        default_factory=lambda: deque(maxlen=KEPT_EVENTS)
    )
    load: LoadHistory = field(init=False)

    def __post_init__(self) -> None:
        self.load = LoadHistory(self.interval_ms)

    def take(self, seen: Observation) -> None:
        """Note what was seen; another meter begins without values, events and load."""
        match seen:
            case Reading():
                self.reading, self.failure = seen, None
                self.readings += 1
                value = seen.values.get(self.plotted) if self.plotted is not None else None
                if value is not None:
                    self.load.add(seen.tick_ms, value)
            case Failure():
                self.failure = seen
                self.failures += 1
            case EventsSeen():
                self.events.extend((seen, event) for event in seen.events)
            case OtherMeter():
                self.before, self.changed_ms = seen.before, seen.at_ms
                self.reading = None
                self.events.clear()
                self.load = LoadHistory(self.interval_ms)


@dataclass(slots=True)
class WatchView:
    """All meters of a watch, by their unit; `named` are the items that were asked for by name."""

    port: str
    every_ms: int
    shown: Sequence[Item]
    named: Sequence[Item]
    meters: Mapping[int, MeterView]
    port_notice: str = ""
    """What was said of the port since the last reading."""
    file_notice: str = ""
    """Why a file takes no more rows."""

    @classmethod
    def of(
        cls,
        port: str,
        every_ms: int,
        shown: Sequence[Item],
        named: Sequence[Item],
        units: Sequence[int],
    ) -> WatchView:
        """Return the view of a watch that begins."""
        plotted = plotted_item(shown)
        meters = {unit: MeterView(unit, plotted, every_ms) for unit in units}
        return cls(port, every_ms, shown, named, meters)

    def take(self, seen: Observation) -> None:
        """Note what was seen of a meter."""
        if isinstance(seen, Reading):
            self.port_notice = ""
        self.meters[seen.unit].take(seen)


def plotted_item(shown: Sequence[Item]) -> Item | None:
    """Return the item whose course is shown: the power, else the first that has a unit."""
    if items.ACTIVE_POWER in shown:
        return items.ACTIVE_POWER
    return next((item for item in shown if item.unit and _is_fixed(item)), None)


def _is_fixed(item: Item) -> bool:
    return isinstance(item.kind, Fixed) or (
        isinstance(item.kind, Optional) and isinstance(item.kind.inner, Fixed)
    )
