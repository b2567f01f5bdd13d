"""What the customer draws: step functions of elapsed time, in signed milliwatts per phase (METER.md
3).
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

from protocols.quantities import DAY

UNITY = 10_000
"""Power factor 1, in 1e-4."""


class Demand(NamedTuple):
    """Power of each phase in mW (negative is export) and the power factor in 1e-4."""

    phases: tuple[int, ...]
    power_factor: int = UNITY

    def through(self, lost: frozenset[int], turned: bool) -> Demand:
        """Return the demand with nothing on some phases, numbered from 0, and the other way where
        it is turned.
        """
        sign = -1 if turned else 1
        return Demand(
            tuple(0 if n in lost else sign * p for n, p in enumerate(self.phases)),
            self.power_factor,
        )


class OnEnd(Enum):
    """What holds after the last row of a file."""

    HOLD = "hold"
    REPEAT = "repeat"
    ZERO = "zero"


def split(power: int, phases: int) -> tuple[int, ...]:
    """Return a total power split equally; the odd milliwatts are on L1."""
    share, rest = divmod(abs(power), phases)
    sign = -1 if power < 0 else 1
    return (sign * (share + rest), *(sign * share for _ in range(phases - 1)))


class Load:
    """A step function: each row holds until the next one. A constant load is one row.

    Rows begin at elapsed times (ms) in rising order; the first holds from whenever the meter
    starts. With REPEAT the rows recur every `period` ms, which by default is the span of the rows
    and one more step.
    """

    __slots__ = ("_demands", "_on_end", "_period", "_repeats", "_starts", "_zero")

    def __init__(
        self, starts: Sequence[int], demands: Sequence[Demand], on_end: OnEnd, period: int = 0
    ) -> None:
        self._starts = array("q", starts)
        self._demands = demands
        self._on_end = on_end if len(demands) > 1 else OnEnd.HOLD
        self._repeats = self._on_end is OnEnd.REPEAT
        step = starts[-1] - starts[-2] if len(starts) > 1 else DAY
        self._period = period or starts[-1] - starts[0] + step
        self._zero = Demand((0,) * len(demands[0].phases))

    @classmethod
    def constant(cls, phases: tuple[int, ...], power_factor: int = UNITY) -> Load:
        """Return a load that never changes."""
        return cls((0,), (Demand(phases, power_factor),), OnEnd.HOLD)

    def at(self, elapsed_ms: int) -> tuple[Demand, int | None]:
        """Return the demand at an elapsed time and the next elapsed time at which another row
        begins.
        """
        starts = self._starts
        turn = 0
        if self._repeats:
            turn = (elapsed_ms - starts[0]) // self._period * self._period
        inside = elapsed_ms - turn
        after = bisect_right(starts, inside)
        if after < len(starts):
            return self._demands[after - 1 if after else 0], starts[after] + turn
        if self._repeats:
            return self._demands[-1], starts[0] + self._period + turn
        if self._on_end is OnEnd.ZERO:
            end = starts[0] + self._period
            return (self._demands[-1], end) if inside < end else (self._zero, None)
        return self._demands[-1], None
