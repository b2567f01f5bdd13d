"""The values of a meter's last flushed commit that only rise (METER.md 7 and 9)."""

from __future__ import annotations

from typing import NamedTuple

from firmware_sim.state import State


class Lasting(NamedTuple):
    """Elapsed time in ms, import energy in mWh and cumulative purchases in ledger units: no kill
    takes them back.
    """

    elapsed_ms: int = 0
    import_mwh: int = 0
    cumulative: int = 0


def lasting_of(state: State) -> Lasting:
    """Return these values of a state that was made to last."""
    return Lasting(state.elapsed_ms, state.registers.import_mwh, state.account.cumulative)
