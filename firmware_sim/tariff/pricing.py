"""Charge for energy: price of the rate plus addition of the step (METER.md 6)."""

from __future__ import annotations

from bisect import bisect_right

from protocols.data_model.tariff import Steps


def step_at(counter: int, steps: Steps) -> int:
    """Return the step (from 0) of the mWh after `counter`; a limit belongs to the step it ends."""
    return bisect_right(steps.limits, counter)


def to_step_end(counter: int, steps: Steps) -> int | None:
    """Return the mWh left in the step of the next mWh, None in the last step."""
    step = step_at(counter, steps)
    return steps.limits[step] - counter if step < len(steps.limits) else None


def cost(count: int, counter: int, rate_price: int, steps: Steps) -> int:
    """Return the charge in ledger units of `count` mWh after `counter`, each at its step price."""
    total = 0
    while count:
        left = to_step_end(counter, steps)
        here = count if left is None else min(count, left)
        total += here * (rate_price + steps.additions[step_at(counter, steps)])
        counter += here
        count -= here
    return total
