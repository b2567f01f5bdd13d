"""meter-sim: run, simulate and control simulated meters (DESIGN.md 5.1)."""

from firmware_sim.cli.program import main

__all__ = ["main"]
