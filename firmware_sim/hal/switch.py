"""Hardware of the latching supply control switch, which may not follow its drive (METER.md 5)."""

from __future__ import annotations

from enum import Enum
from typing import Protocol


class Switch(Protocol):
    """A latching switch; `position_if` returns the real position after a command."""

    def position_if(self, closed: bool) -> bool: ...
    def drive(self, closed: bool) -> None: ...


class SwitchDefect(Enum):
    """Defects of the simulated switch."""

    NONE = "none"
    WELDED = "welded"
    STUCK_OPEN = "stuck_open"


class SimulatedSwitch:
    """A switch in memory, with its defects."""

    def __init__(self) -> None:
        self.closed = True
        self.defect = SwitchDefect.NONE

    def position_if(self, closed: bool) -> bool:
        """Return the real position after a command."""
        if self.defect is SwitchDefect.NONE:
            return closed
        return self.defect is SwitchDefect.WELDED

    def drive(self, closed: bool) -> None:
        """Drive the switch; a defect determines its position."""
        self.closed = self.position_if(closed)
