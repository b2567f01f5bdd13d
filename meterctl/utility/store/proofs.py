"""What is proved of a sealed order, and what that proves of its meter."""

from __future__ import annotations

from dataclasses import dataclass

from meterctl.utility.model.metering import Meter
from meterctl.utility.store.findings import FindingRule, stop_meter
from meterctl.utility.store.unit_of_work import UnitOfWork

EPOCH = "epoch"
"""Key in the outcome of an accepted order that is no sale: the storage that accepted it."""


@dataclass(frozen=True, slots=True)
class Proved:
    """What the journal says of a sealed order, and its meter's receipt where there is one.

    All money is exact (1e-10). `cumulative` is the sum of all that the epoch accepted, with this
    order. What only a receipt tells is None where a status without one proved it, or a person
    closed its entry; the next reading books what a sale paid for debt then.
    """

    epoch: int
    sequence: int
    card: str = ""
    to_debt: int | None = None
    to_overdraft: int | None = None
    credit_after: int | None = None
    cumulative: int | None = None
    supply_state: str | None = None
    causes: tuple[str, ...] | None = None


def prove_meter(work: UnitOfWork, meter: Meter, agreement_id: int | None, proved: Proved) -> bool:
    """Keep in a meter's row what an accepted order proves; the meter is locked.

    Returns:
        False: the meter has another epoch than the one that is booked. It is stopped then.
    """
    if meter.epoch is None:
        meter.epoch = proved.epoch
    if meter.epoch != proved.epoch:
        told = (str(proved.epoch), str(meter.epoch))
        stop_meter(work, meter, FindingRule.EPOCH_CHANGED, agreement_id, *told)
        return False
    is_newer = meter.proved_sequence is None or proved.sequence > meter.proved_sequence
    if proved.cumulative is not None and is_newer:
        meter.proved_sequence, meter.proved_cumulative = proved.sequence, proved.cumulative
        meter.proved_at = work.now
    return True
