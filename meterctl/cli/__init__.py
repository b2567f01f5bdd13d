"""meterctl: read meters, top them up exactly once, command their supply (DESIGN.md 5.2)."""

from meterctl.cli.program import main

__all__ = ["main"]
