"""The tariff of a meter as a wire shows it: the set in force, and the parts that wait."""

from __future__ import annotations

from firmware_sim.meter import Meter
from protocols.data_model.tariff import TariffChange, TariffSet

_LAST_SECOND = 0xFFFF_FFFF


def shown_tariff(meter: Meter, which: TariffSet) -> TariffChange:
    """Return all parts of the current set, or the parts of the pending set; nothing is changed.

    A part of the current set has activation 0. A pending part has its instant in whole seconds of
    UTC, in the range of its 32 bits, also where a message gave it as local time: the meter turned
    it into an instant when it accepted the message.
    """
    match which:
        case TariffSet.CURRENT:
            return TariffChange(tuple((0, part) for part in meter.state.tariff.parts))
        case TariffSet.PENDING:
            return TariffChange(
                tuple(
                    (1000 * min(max(one.activation_ms // 1000, 0), _LAST_SECOND), one.part)
                    for one in meter.state.pending
                )
            )
