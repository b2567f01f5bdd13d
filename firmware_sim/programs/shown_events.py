"""Events of a meter as `run` and `simulate` show them: a line for people, or a JSON object."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from firmware_sim.meter import Meter
from firmware_sim.readings import GETTERS, utc_offset_minutes
from firmware_sim.records.ring import EVENT_RING
from protocols.data_model import items
from protocols.data_model.events import EVENTS
from protocols.data_model.tables import Event
from protocols.data_model.words import SupplyState
from protocols.quantities import format_moment

_SHOWN = (items.AVAILABLE_CREDIT, items.ENERGY_IMPORT, items.SUPPLY_STATE)
_NAME_WIDTH = max(map(len, EVENTS))
_STATE_WIDTH = max(len(state.name) for state in SupplyState)


@dataclass(frozen=True, slots=True)
class ShownEvent:
    """An event: its word, its instant, its details as JSON values, and items of the meter then.

    `number` is that of the event log; None for an event that is not recorded.
    """

    name: str
    number: int | None
    at: int
    elapsed_ms: int
    details: Mapping[str, str]
    standing: Mapping[str, str]
    utc_offset_minutes: int

    def fragments(self) -> dict[str, str]:
        """Return the JSON object of `simulate --json`."""
        return {
            "event": f'"{self.name}"',
            "at": f'"{self._moment}"',
            "elapsed_ms": str(self.elapsed_ms),
            **self.standing,
            **self.details,
        }

    def fragments_of(self, serial_number: str, unit: int) -> dict[str, str]:
        """Return the JSON object of `run --json`, for one of several meters."""
        shown = self.fragments()
        named = {
            "event": shown.pop("event"),
            "serial_number": f'"{serial_number}"',
            "unit": str(unit),
            "number": str(self.number),
        }
        return named | shown

    def line(self, meter: str = "", *, with_energy: bool = False) -> str:
        """Return a line for people; `meter` names one of several."""
        credit, energy, state = (self.standing[item.name].strip('"') for item in _SHOWN)
        details = " ".join(f"{name}={text}" for name, text in self.details.items())
        columns = [
            self._moment,
            *([meter] if meter else []),
            f"{self.name:<{_NAME_WIDTH}}",
            f"credit {credit:>10}",
            *([f"import {energy:>14} kWh"] if with_energy else []),
            f"{state:<{_STATE_WIDTH}}",
            details.replace('"', ""),
        ]
        return "  ".join(columns).rstrip()

    @property
    def _moment(self) -> str:
        return format_moment(self.at, self.utc_offset_minutes)


def recorded_events(meter: Meter, first: int) -> Iterator[ShownEvent]:
    """Yield the events of a log from a number on, with the items of the meter as it stands."""
    ring = meter.rings[EVENT_RING]
    standing = _standing(meter)
    for number in range(max(first, ring.first), ring.last + 1):
        row = ring.get(number)
        if row is not None:
            event = Event.unpack(row)
            yield ShownEvent(
                event.name,
                event.number,
                event.at,
                event.elapsed_ms,
                event.detail_fragments(partial(utc_offset_minutes, meter)),
                standing,
                utc_offset_minutes(meter, event.at),
            )


def present_event(meter: Meter, name: str, details: Mapping[str, str]) -> ShownEvent:
    """Return an event that no meter records, at the present instant of a meter."""
    clock = meter.clock
    offset = utc_offset_minutes(meter, clock)
    return ShownEvent(name, None, clock, meter.state.elapsed_ms, details, _standing(meter), offset)


def _standing(meter: Meter) -> Mapping[str, str]:
    return {item.name: item.kind.json(GETTERS[item](meter)) for item in _SHOWN}
