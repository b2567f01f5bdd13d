"""What the next milliwatt-hours cost: rate price plus the addition of the step they fall in
(METER.md 6).
"""

from __future__ import annotations

from bisect import bisect_right

from protocols.data_model.tariff import Steps


def step_at(counter: int, steps: Steps) -> int:
    """Return the step (from 0) of the next mWh after `counter`; a limit belongs to the step that it
    ends.
    """
    return bisect_right(steps.limits, counter)


def to_step_end(counter: int, steps: Steps) -> int | None:
    """Return how many mWh are left in the step of the next mWh, None in the last step."""
    step = step_at(counter, steps)
    return steps.limits[step] - counter if step < len(steps.limits) else None


def cost(count: int, counter: int, rate_price: int, steps: Steps) -> int:
    """Return the charge in ledger units for `count` mWh after `counter`, each at the price of its
    own step.
    """
    total = 0
    while count:
        left = to_step_end(counter, steps)
        here = count if left is None else min(count, left)
        total += here * (rate_price + steps.additions[step_at(counter, steps)])
        counter += here
        count -= here
    return total
