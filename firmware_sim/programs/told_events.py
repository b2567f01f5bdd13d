"""The events of running meters, told as they fall: lines for people, or JSON Lines."""

from __future__ import annotations

from firmware_sim.hosting.line_output import LineOutput
from firmware_sim.programs.shown_events import recorded_events
from firmware_sim.rack.rack import Rack
from firmware_sim.rack.stations import Observer, Station
from firmware_sim.records.ring import EVENT_RING
from protocols.data_model.json_lines import line


class ToldEvents(Observer):
    """Tells each event of a rack on an output; events of a state file's past are not told.

    An event for which the output has no room is counted and not formatted. Until `begin` the lines
    are held back: the ready line is the first.
    """

    def __init__(self, rack: Rack, output: LineOutput, as_json: bool) -> None:
        self._output, self._as_json = output, as_json
        self._is_one_of_several = len(rack.stations) > 1
        self._held: list[str] | None = []
        rack.observers.append(self)
        for station in rack.stations:
            self.recorded(station, station.meter.events_before + 1)

    def begin(self) -> None:
        """Tell what was recorded so far, and from now on every event as it falls."""
        held, self._held = self._held or [], None
        for text in held:
            self._output.put(text)

    def recorded(self, station: Station, first: int) -> None:
        """Tell the new events of a meter."""
        if self._held is None and not self._output.has_room:
            self._output.miss(station.meter.rings[EVENT_RING].last + 1 - first)
            return
        for event in recorded_events(station.meter, first):
            text = (
                line(event.fragments_of(station.serial_number, station.unit))
                if self._as_json
                else event.line(station.serial_number if self._is_one_of_several else "")
            )
            if self._held is None:
                self._output.put(text)
            else:
                self._held.append(text)
