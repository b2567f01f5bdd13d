"""The values of a meter's last flushed commit that only rise (METER.md 7 and 9)."""

from __future__ import annotations

from typing import NamedTuple

from firmware_sim.state import State


class Lasting(NamedTuple):
    """Elapsed ms, import energy in mWh, purchases in ledger units; flushed: no kill loses them."""

    elapsed_ms: int = 0
    import_mwh: int = 0
    cumulative: int = 0


def lasting_of(state: State) -> Lasting:
    """Return the values of a state that was flushed."""
    return Lasting(state.elapsed_ms, state.registers.import_mwh, state.account.cumulative)
