"""The bill of one long run, computed in closed form from the energy as an exact function of time.

For an open account whose supply never opens. There is no stepping and no queue of events: the
energy is a piecewise-linear function of time in fractions, the whole mWh completed by a boundary
are its floor, and ranges of mWh are priced.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from functools import cache
from itertools import pairwise
from math import floor

from tests.support.reference_meter import Settings

MS_PER_MINUTE = 60_000
MS_PER_DAY = 86_400_000
MW_MS_PER_MWH = 3_600_000
FIRST_DATE = date(1970, 1, 1)


@dataclass(frozen=True)
class Bill:
    """Energy in mWh, money in ledger units."""

    import_mwh: int
    rate_mwh: tuple[int, ...]
    consumption: int
    standing: int
    instalments: int
    debt: int
    credit: int
    month_mwh: int
    year_mwh: int


class Energy:
    """The imported energy in mWh as a function of the elapsed time in ms."""

    def __init__(self, load: Sequence[tuple[int, int]]) -> None:
        if not load or load[0][0] != 0:
            raise ValueError("the first row of the load must be at 0")
        self.starts = [start for start, _ in load]
        self.slopes = [Fraction(max(0, power), MW_MS_PER_MWH) for _, power in load]
        self.at_start = [Fraction(0)]
        for (start, end), slope in zip(pairwise(self.starts), self.slopes, strict=False):
            self.at_start.append(self.at_start[-1] + slope * (end - start))

    def at(self, elapsed_ms: int) -> Fraction:
        """Return the energy by an instant."""
        row = bisect_right(self.starts, elapsed_ms) - 1
        return self.at_start[row] + self.slopes[row] * (elapsed_ms - self.starts[row])


class Run:
    """The calendar of one run, and the price of the mWh that complete within a part of it."""

    def __init__(
        self,
        load: Sequence[tuple[int, int]],
        until_ms: int,
        clock_start_ms: int,
        settings: Settings,
    ) -> None:
        self.energy = Energy(load)
        self.until = until_ms
        self.settings = settings
        self.local_start = clock_start_ms + settings.utc_offset_minutes * MS_PER_MINUTE
        first = self.local_start // MS_PER_DAY
        last = (self.local_start + until_ms) // MS_PER_DAY
        self.day_numbers = range(first, last + 1)
        self.midnights = self.within([self.elapsed_ms(day, 0) for day in self.day_numbers])
        self.rate_changes = self.within(
            [
                self.elapsed_ms(day, minute)
                for day in self.day_numbers
                for minute, _ in settings.day_table
            ]
        )
        self.month_ends = self.within(
            [
                self.elapsed_ms(day, settings.billing_day[1] * 60)
                for day in self.day_numbers
                if self.date(day).day == settings.billing_day[0]
            ]
        )
        self.year_ends = self.within(
            [
                self.elapsed_ms(day, 0)
                for day in self.day_numbers
                if (self.date(day).month, self.date(day).day) == settings.billing_year
            ]
        )
        self.step_resets = self.month_ends if settings.step_period == "month" else self.year_ends
        self.completed = cache(self.count_completed)

    def elapsed_ms(self, day_number: int, minute: int) -> int:
        """Return the elapsed time of a local minute."""
        return day_number * MS_PER_DAY + minute * MS_PER_MINUTE - self.local_start

    def within(self, instants: list[int]) -> list[int]:
        """Return the instants after the beginning of the run, up to and with its end."""
        return sorted(instant for instant in set(instants) if 0 < instant <= self.until)

    @staticmethod
    def date(day_number: int) -> date:
        """Return the date of a day counted from 1970."""
        return FIRST_DATE + timedelta(days=day_number)

    def count_completed(self, elapsed_ms: int) -> int:
        """Return the whole mWh complete by an instant, one that completes at it included."""
        return floor(self.energy.at(elapsed_ms))

    def rate_after(self, elapsed_ms: int) -> int:
        """Return the rate in force from an instant on."""
        table = sorted(self.settings.day_table)
        minute = (self.local_start + elapsed_ms) % MS_PER_DAY // MS_PER_MINUTE
        # Index -1 is the last entry.
        return table[bisect_right([start for start, _ in table], minute) - 1][1]

    def cuts(self, boundaries: list[int], start: int, end: int) -> list[int]:
        """Return the start, the boundaries strictly between, and the end."""
        inside = boundaries[bisect_right(boundaries, start) :]
        return [start, *(boundary for boundary in inside if boundary < end), end]

    def energy_by_rate(self, start: int, end: int) -> list[int]:
        """Return the mWh completed after start and by end, for each rate."""
        by_rate = [0] * len(self.settings.prices)
        for low, high in pairwise(self.cuts(self.rate_changes, start, end)):
            by_rate[self.rate_after(low)] += self.completed(high) - self.completed(low)
        return by_rate

    def last_reset(self, resets: list[int], elapsed_ms: int) -> int:
        """Return the mWh completed by the newest reset that is not after an instant."""
        index = bisect_right(resets, elapsed_ms)
        return self.completed(resets[index - 1]) if index else 0

    def additions(self, start: int, end: int) -> Fraction:
        """Return the step additions of the mWh completed after start and by end."""
        limits = self.settings.step_limits_mwh
        total = Fraction(0)
        for low, high in pairwise(self.cuts(self.step_resets, start, end)):
            base = self.last_reset(self.step_resets, low)
            first, last = self.completed(low) - base, self.completed(high) - base
            edges = [first, *(min(max(limit, first), last) for limit in limits), last]
            for (below, above), addition in zip(
                pairwise(edges), self.settings.step_additions, strict=True
            ):
                total += Fraction(above - below) * addition
        return total

    def cost(self, start: int, end: int) -> Fraction:
        """Return the price of the mWh completed after start and by end."""
        energy = zip(self.energy_by_rate(start, end), self.settings.prices, strict=True)
        return sum(
            (Fraction(count) * price for count, price in energy), Fraction(0)
        ) + self.additions(start, end)


def whole(amount: Fraction) -> int:
    """Return an amount as a whole number.

    Raises:
        ArithmeticError: it has a fraction.
    """
    if amount.denominator != 1:
        raise ArithmeticError(f"{amount} is not whole")
    return amount.numerator


def bill(
    load: Sequence[tuple[int, int]], until_ms: int, clock_start_ms: int, settings: Settings
) -> Bill:
    """Return the bill from elapsed 0 up to `until_ms`; load is (elapsed ms, total mW) rows."""
    if settings.reverse_charged and any(power < 0 for _, power in load):
        raise ValueError("charged export is not covered here")
    run = Run(load, until_ms, clock_start_ms, settings)
    credit, debt = Fraction(settings.credit), Fraction(settings.debt)
    consumption = instalments = Fraction(0)
    charged_to = 0
    for midnight in run.midnights:
        cost = run.cost(charged_to, midnight)
        consumption += cost
        credit -= cost + settings.standing_charge
        instalment = min(Fraction(settings.debt_instalment), debt, max(Fraction(0), credit))
        credit -= instalment
        debt -= instalment
        instalments += instalment
        charged_to = midnight
    cost = run.cost(charged_to, until_ms)
    total = run.completed(until_ms)
    return Bill(
        import_mwh=total,
        rate_mwh=tuple(run.energy_by_rate(0, until_ms)),
        consumption=whole(consumption + cost),
        standing=settings.standing_charge * len(run.midnights),
        instalments=whole(instalments),
        debt=whole(debt),
        credit=whole(credit - cost),
        month_mwh=total - run.last_reset(run.month_ends, until_ms),
        year_mwh=total - run.last_reset(run.year_ends, until_ms),
    )
