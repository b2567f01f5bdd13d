"""Energy registers: whole milliwatt-hours, with the remainder carried in mW x ms (METER.md 3)."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Registers:
    """Energy in mWh, never wrapped; remainders in mW x ms, always below one mWh.

    `phase_energies` are in mW x ms, see `phase_energies.py`; None where the meter keeps none.
    """

    import_mwh: int = 0
    export_mwh: int = 0
    import_remainder: int = 0
    export_remainder: int = 0
    rate_mwh: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    month_mwh: int = 0
    year_mwh: int = 0
    phase_energies: tuple[int, ...] | None = None
