"""The part of a command line that describes meters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from firmware_sim.description.keys import FLAGS, OF_DESCRIPTION


@dataclass(frozen=True, slots=True)
class MeterFlags:
    """Meters on a command line: configuration files, and values by the names of their keys.

    With a `count` there are so many meters alike, without files. `maps` are register maps, each
    NAME or FILE for every meter, or with @UNIT for the one of a unit.
    """

    config: tuple[str, ...] = ()
    values: Mapping[str, object] = field(default_factory=dict)
    count: int | None = None
    maps: tuple[str, ...] = ()

    def overridden(self) -> list[str]:
        """Return the options that a state file overrides."""
        return [
            key.option
            for key in FLAGS
            if key.name in self.values and key.name not in OF_DESCRIPTION
        ]
