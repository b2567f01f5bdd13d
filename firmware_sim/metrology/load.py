"""The customer's load: step functions of elapsed time, in signed milliwatts per phase (METER.md 3).

`LoadRows` are the rows of a file, packed, without any meter's clock or phases: all meters of a
process share one. `Load` places them on one meter's elapsed time.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Hashable, Sequence
from enum import Enum
from functools import lru_cache
from typing import NamedTuple
from weakref import WeakValueDictionary

from protocols.quantities import DAY, format_moment

CONSTANTS_KEPT = 256
"""Constant loads that are kept to be shared."""
UNITY = 10_000
"""Power factor 1, in 1e-4."""


class Demand(NamedTuple):
    """Power of each phase in mW (negative is export) and the power factor in 1e-4."""

    phases: tuple[int, ...]
    power_factor: int = UNITY

    def through(self, lost: frozenset[int], turned: bool) -> Demand:
        """Return the demand without the lost phases, numbered from 0, and with turned signs."""
        sign = -1 if turned else 1
        return Demand(
            tuple(0 if n in lost else sign * p for n, p in enumerate(self.phases)),
            self.power_factor,
        )


class OnEnd(Enum):
    """The load after the last row of a file."""

    HOLD = "hold"
    REPEAT = "repeat"
    ZERO = "zero"


def split(power_mw: int, phases: int) -> tuple[int, ...]:
    """Return a total power split equally; the odd milliwatts are on L1."""
    if phases == 1:
        return (power_mw,)
    share, rest = divmod(abs(power_mw), phases)
    if power_mw < 0:
        share, rest = -share, -rest
    return (share + rest, *(share,) * (phases - 1))


def packed(values: Sequence[int]) -> array[int]:
    """Return numbers in the smallest array that holds them: 2, 4 or 8 bytes each."""
    low, high = min(values, default=0), max(values, default=0)
    for code, bits in (("h", 15), ("i", 31)):
        if -(1 << bits) <= low and high < 1 << bits:
            return array(code, values)
    return array("q", values)


class LoadRows:
    """Rows of a load: each holds until the next one begins.

    Args:
        starts_ms: beginnings, rising; from any origin.
        columns: power in mW, one column a phase, or one of all phases.
        factors: power factor of each row in 1e-4; None is 1 everywhere.
        is_total: whether the one column is the power of all phases.
        is_dated: whether the beginnings are clock times (ms since 1970 UTC) and no offsets.
        is_local: whether they are local times (ms since 1970 of the local calendar), which
            `load_zone.py` makes clock times of.
    """

    __slots__ = (
        "__weakref__",
        "_dated",
        "_source",
        "columns",
        "factors",
        "is_dated",
        "is_local",
        "is_total",
        "starts_ms",
    )

    def __init__(
        self,
        starts_ms: Sequence[int],
        columns: Sequence[Sequence[int]],
        factors: Sequence[int] | None = None,
        *,
        is_total: bool = False,
        is_dated: bool = False,
        is_local: bool = False,
    ) -> None:
        self.starts_ms = _regular(starts_ms) or array("q", starts_ms)
        self.columns = tuple(packed(column) for column in columns)
        self.factors = None if factors is None else packed(factors)
        self.is_total, self.is_dated, self.is_local = is_total, is_dated, is_local
        self._dated: WeakValueDictionary[Hashable, LoadRows] = WeakValueDictionary()
        self._source: LoadRows | None = None

    def dated(self, zone: Hashable, instants: Callable[[Sequence[int]], Sequence[int]]) -> LoadRows:
        """Return rows in local time at clock times, which `instants` returns for a zone.

        Their powers are shared, and the rows by all meters of the zone.
        """
        rows = self._dated.get(zone)
        if rows is None:
            rows = LoadRows(instants(self.starts_ms), (), is_total=self.is_total, is_dated=True)
            rows.columns, rows.factors = self.columns, self.factors
            rows._source = self  # as long as it is drawn its file is not read again
            self._dated[zone] = rows
        return rows

    def __len__(self) -> int:
        return len(self.starts_ms)

    def demand(self, index: int, phases: int) -> Demand:
        """Return the demand of a row at a meter of so many phases."""
        factors = self.factors
        factor = UNITY if factors is None else factors[index]
        if self.is_total:
            return Demand(split(self.columns[0][index], phases), factor)
        return Demand(tuple([column[index] for column in self.columns]), factor)


def _regular(starts_ms: Sequence[int]) -> range | None:
    """Return beginnings at equal distances as a range, None for others."""
    if len(starts_ms) < 2 or starts_ms[1] <= starts_ms[0]:
        return None
    step_ms = starts_ms[1] - starts_ms[0]
    regular = range(starts_ms[0], starts_ms[0] + step_ms * len(starts_ms), step_ms)
    return regular if array("q", regular) == array("q", starts_ms) else None


class Load:
    """A step function of elapsed time. The first row holds from whenever the meter starts.

    With REPEAT the rows recur every `period_ms`, by default the span of the rows and one step.
    """

    __slots__ = (
        "_count",
        "_demand",
        "_first_ms",
        "_on_end",
        "_origin_ms",
        "_period_ms",
        "_phases",
        "_repeats",
        "_starts_ms",
        "_step_ms",
        "rows",
    )

    def __init__(
        self,
        starts_ms: Sequence[int],
        demands: Sequence[Demand],
        on_end: OnEnd,
        period_ms: int = 0,
    ) -> None:
        """Make a load of demands that begin at elapsed times in rising order."""
        phases = len(demands[0].phases)
        columns = [[demand.phases[n] for demand in demands] for n in range(phases)]
        factors = [demand.power_factor for demand in demands]
        self._place(LoadRows(starts_ms, columns, factors), 0, phases, on_end, period_ms)

    @classmethod
    def of_rows(cls, rows: LoadRows, origin_ms: int, phases: int, on_end: OnEnd) -> Load:
        """Return the load of shared rows; their origin is the elapsed time `origin_ms`."""
        load = cls.__new__(cls)
        load._place(rows, origin_ms, phases, on_end, 0)
        return load

    @staticmethod
    @lru_cache(maxsize=CONSTANTS_KEPT)
    def constant(phases: tuple[int, ...], power_factor: int = UNITY) -> Load:
        """Return a load that never changes; meters with the same one share it."""
        return Load((0,), (Demand(phases, power_factor),), OnEnd.HOLD)

    def _place(
        self, rows: LoadRows, origin_ms: int, phases: int, on_end: OnEnd, period_ms: int
    ) -> None:
        starts_ms = rows.starts_ms
        last_step_ms = starts_ms[-1] - starts_ms[-2] if len(rows) > 1 else DAY
        self.rows, self._starts_ms, self._demand = rows, starts_ms, rows.demand
        self._count, self._origin_ms, self._phases = len(rows), origin_ms, phases
        self._on_end = on_end if len(rows) > 1 else OnEnd.HOLD
        self._repeats = self._on_end is OnEnd.REPEAT
        self._first_ms = starts_ms[0]
        self._step_ms = starts_ms.step if isinstance(starts_ms, range) else 0
        self._period_ms = period_ms or starts_ms[-1] - starts_ms[0] + last_step_ms

    def outside(self, clock_ms: int) -> str | None:
        """Return why no row of a file with time stamps is for a clock (ms UTC), None if one is."""
        if not self.rows.is_dated:
            return None
        first_ms, end_ms = self._first_ms, self._first_ms + self._period_ms
        clock = f"the meter's clock, {format_moment(clock_ms)}"
        if clock_ms < first_ms:
            return f"its rows begin at {format_moment(first_ms)}, after {clock}: {self._before()}"
        if clock_ms >= end_ms:
            return f"its rows end at {format_moment(end_ms)}, before {clock}: {self._after()}"
        return None

    def _before(self) -> str:
        if self._repeats:
            return "until then they are repeated backwards"
        return "until then the power of the first row is drawn"

    def _after(self) -> str:
        match self._on_end:
            case OnEnd.REPEAT:
                return "they are repeated"
            case OnEnd.HOLD:
                return "the power of the last row is drawn"
            case OnEnd.ZERO:
                return "nothing is drawn"

    def at(self, elapsed_ms: int) -> tuple[Demand, int | None]:
        """Return the demand at an elapsed time, and the elapsed time of the next row."""
        first_ms, step_ms = self._first_ms, self._step_ms
        inside_ms = elapsed_ms - self._origin_ms
        if self._repeats:
            inside_ms = (inside_ms - first_ms) % self._period_ms + first_ms
        if step_ms:
            after = (inside_ms - first_ms) // step_ms + 1
            next_ms = first_ms + after * step_ms
        else:
            after = bisect_right(self._starts_ms, inside_ms)
            next_ms = self._starts_ms[after] if after < self._count else 0
        if 0 < after < self._count:
            return self._demand(after - 1, self._phases), elapsed_ms - inside_ms + next_ms
        if after <= 0:
            return self._demand(0, self._phases), elapsed_ms - inside_ms + first_ms
        last = self._demand(self._count - 1, self._phases)
        if self._on_end is OnEnd.HOLD:
            return last, None
        end_ms = elapsed_ms - inside_ms + first_ms + self._period_ms
        if self._repeats or elapsed_ms < end_ms:
            return last, end_ms
        return Demand((0,) * self._phases), None
