"""The installation behind a meter: its load and the wiring of its phases (METER.md 3)."""

from __future__ import annotations

from dataclasses import dataclass

from firmware_sim.metrology.load import Demand, Load


@dataclass(frozen=True, slots=True)
class Installation:
    """A load, the phases that have failed (numbered from 0), and whether the current is reversed.

    No storage holds it, and no power failure of the meter changes it.
    """

    load: Load
    lost_phases: frozenset[int] = frozenset()
    flows_back: bool = False

    def at(self, elapsed_ms: int) -> tuple[Demand, int | None]:
        """Return the demand at an elapsed time and when it changes next, None for never."""
        drawn, due_ms = self.load.at(elapsed_ms)
        if self.lost_phases or self.flows_back:
            drawn = drawn.through(self.lost_phases, self.flows_back)
        return drawn, due_ms
