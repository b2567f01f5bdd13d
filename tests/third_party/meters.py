"""Meters that stand still for clients: flows of energy under each map, all on the same wires."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from tests.conformance.running import Running, running
from tests.third_party.clients import TCP


class Flow(Enum):
    """What flows through a meter: its type and its load, each phase with another power."""

    UNEQUAL = ("three_phase", ("1234.5", "2345.6", "345.7"), "0.9")
    EXPORT = ("three_phase", ("-3210.4", "-1234.6", "-2345.7"), "0.95")
    MIXED = ("three_phase", ("4321.1", "-765.4", "0"), "0.8")
    SINGLE = ("single_phase", ("3456.7",), "0.85")
    SINGLE_EXPORT = ("single_phase", ("-2456.3",), "1")

    @property
    def load(self) -> str:
        """The load as a CSV file."""
        _, powers, factor = self.value
        columns = [f"power_l{number}_w" for number in range(1, len(powers) + 1)]
        if len(powers) == 1:
            columns = ["power_w"]
        head = ",".join(("offset_s", *columns, "power_factor"))
        return f"{head}\n{','.join(('0', *powers, factor))}\n"


@dataclass(frozen=True, slots=True)
class Place:
    """A meter: its unit on both wires, its flow and the map that it has (`native` or another)."""

    unit: int
    flow: Flow
    map: str


def places(maps: Mapping[str, tuple[Flow, ...]]) -> tuple[Place, ...]:
    """Return the meters of some maps, under units that count up."""
    pairs = [(flow, name) for name, flows in maps.items() for flow in flows]
    return tuple(Place(unit, flow, name) for unit, (flow, name) in enumerate(pairs, 1))


class Meters:
    """Running meters that stand still, and their state as `meter-sim control … state` tells it."""

    def __init__(self, process: Running, here: tuple[Place, ...]) -> None:
        self._process = process
        self._units = {(place.map, place.flow): place.unit for place in here}
        self._states = {state["unit"]: state for state in map(json.loads, self._tell())}

    def unit(self, name: str, flow: Flow) -> int:
        """Return the unit of a meter."""
        return self._units[name, flow]

    def state(self, unit: int) -> Mapping[str, Any]:
        """Return the values of all items of a meter."""
        return self._states[unit]

    @property
    def tcp(self) -> tuple[str, int]:
        """Host and port of the meters."""
        return self._process.tcp

    @property
    def pty(self) -> Path:
        """Virtual serial port of the meters."""
        return self._process.pty

    def target(self, wire: str) -> object:
        """Return where a client connects."""
        return list(self.tcp) if wire == TCP else str(self.pty)

    def assert_well(self) -> None:
        """Assert that the program runs and that reading changed nothing."""
        self._process.assert_well()

    def _tell(self) -> list[str]:
        return self._process.control("state").splitlines()


@contextmanager
def standing(folder: Path, maps: Mapping[str, tuple[Flow, ...]]) -> Iterator[Meters]:
    """Run a meter of each map and flow, let 100 minutes pass, and leave it at speed 0."""
    here = places(maps)
    options: list[str | Path] = []
    for place in here:
        load = folder / f"load_{place.unit}.csv"
        load.write_text(place.flow.load)
        path = folder / f"meter_{place.unit}.toml"
        path.write_text(
            f'serial_number = "{10**11 + place.unit}"\nunit = {place.unit}\ncredit = "500.25"\n'
            f'meter_type = "{place.flow.value[0]}"\nload = "{load.name}"\n'
            'start = "2026-01-01T00:00:00Z"\n'
        )
        options += ["--config", path]
        if place.map != "native":
            options += ["--map", f"{place.map}@{place.unit}"]
    with running(folder, *options) as process:
        process.control("advance", "100m")
        yield Meters(process, here)
