"""Make a household's load profile for the meter simulator: one year in steps of 15 minutes.

Output
    A CSV file with the header line ``time,power_w`` and one row per 15 minutes of the year, for
    example ``2026-01-01T00:00:00Z,123.4``: the time in UTC (ISO 8601 with ``Z``) and the power in
    watts with one decimal. A row's power holds from its time stamp until the next row's; the last
    row's until the end of the year. A common year has 35,040 rows, a leap year 35,136.

Source
    The German standard load profile for households, BDEW H25 (published 2025, based on data of 2018
    and 2019): a table of typical days by month and kind of day (working day, Saturday, Sunday or
    holiday), multiplied by BDEW's dynamisation function of the day of the year. The table and the
    function are in the package demandlib (MIT licence), so they are not copied here. demandlib is a
    dependency of this script only; the product reads the finished CSV file. To run this script,
    install it first::

        pip install demandlib
        python make_household.py --year 2026 --kwh 3500 --out household.csv

    The shipped file was made with demandlib 0.2.2 and pandas 3.1.1.

Purpose
    The simulator needs a consumption with a realistic course over the day, the week and the year
    and a known total. The powers are scaled to the year's energy and rounded to tenths of a watt by
    the largest-remainder method in integers, so that the sum of ``power_w`` times 0.25 h is exactly
    the energy asked for, and two runs write the same bytes.

Simplifications
    * The profile is defined in German local time. Here its calendar and clock are read as UTC: the
      row of 18:00 UTC has the power that the profile gives for 18:00 in Germany, and there is no
      change to summer time. So every day has 96 rows, and the course lies one hour (in summer two)
      later than a real German household's in UTC.
    * Holidays are the nine that all German states share, as in force since 1995; neither the
      holidays of single states nor the one-off Reformation Day of 2017 are counted. 24 and 31
      December count as their weekday, as in demandlib; network operators commonly give them the
      Saturday's course.
    * A standard load profile is the mean of very many households: smooth, without the peaks of
      single appliances.
"""

import argparse
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path

import pandas as pd  # type: ignore[import-not-found,import-untyped,unused-ignore]
from demandlib.bdew import H25  # type: ignore[import-not-found,import-untyped,unused-ignore]

STEP = timedelta(minutes=15)

# One kWh is this many tenths of a watt held for one step: 1,000 W per kW, 4 steps per hour, 10
# tenths per watt.
TENTHS_PER_KWH = 1000 * 4 * 10

# The profile's values are made integers by this factor before they are scaled, so that the last
# bits of the floating point numbers, which may differ between machines, do not change the result.
WEIGHT_SCALE = 1_000_000

# The holidays below are in force since 1995; the upper bound only refuses typing errors.
FIRST_YEAR = 1995
LAST_YEAR = 2199

# Far above any household; it only refuses typing errors.
MAX_KWH = 1_000_000


def easter_sunday(year: int) -> date:
    """Return Easter Sunday of a year, Gregorian calendar (Meeus/Jones/Butcher algorithm)."""
    golden = year % 19
    century, year_of_century = divmod(year, 100)
    skipped_leap, century_rest = divmod(century, 4)
    moon_correction = (century - (century + 8) // 25 + 1) // 3
    epact = (19 * golden + century - skipped_leap - moon_correction + 15) % 30
    leap, leap_rest = divmod(year_of_century, 4)
    weekday = (32 + 2 * century_rest + 2 * leap - epact - leap_rest) % 7
    late = (golden + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * late + 114, 31)
    return date(year, month, day + 1)


def national_holidays(year: int) -> list[date]:
    """Return the holidays that all German states share, in the order of the calendar.

    Easter Sunday and Whit Sunday are Sundays anyway and need no entry.
    """
    easter = easter_sunday(year)
    return sorted(
        [
            date(year, 1, 1),  # New Year's Day
            easter - timedelta(days=2),  # Good Friday
            easter + timedelta(days=1),  # Easter Monday
            date(year, 5, 1),  # Labour Day
            easter + timedelta(days=39),  # Ascension Day
            easter + timedelta(days=50),  # Whit Monday
            date(year, 10, 3),  # Day of German Unity
            date(year, 12, 25),  # Christmas Day
            date(year, 12, 26),  # Second day of Christmas
        ]
    )


def h25_weights(year: int) -> list[int]:
    """Return the dynamised H25 profile of a year: integers proportional to each step's power."""
    steps = (date(year + 1, 1, 1) - date(year, 1, 1)) // STEP
    index = pd.date_range(start=pd.Timestamp(year, 1, 1), periods=steps, freq="15min")
    profile = H25(index, holidays=national_holidays(year))
    return [round(float(value) * WEIGHT_SCALE) for value in profile]


def apportion(total: int, weights: Sequence[int]) -> list[int]:
    """Divide an integer total in proportion to the weights into integers whose sum is the total.

    Each share is first rounded down; the remaining units go one each to the largest remainders, and
    of equal remainders to the earlier one.
    """
    weight_sum = sum(weights)
    pairs = [divmod(total * weight, weight_sum) for weight in weights]
    shares = [share for share, _ in pairs]
    by_remainder = sorted(range(len(pairs)), key=lambda position: -pairs[position][1])
    for position in by_remainder[: total - sum(shares)]:
        shares[position] += 1
    return shares


def csv_text(year: int, tenths: Sequence[int]) -> str:
    """Return the CSV file's text for the powers of a year, given in tenths of a watt."""
    start = datetime(year, 1, 1, tzinfo=UTC)
    lines = ["time,power_w"]
    for number, tenth in enumerate(tenths):
        time = start + number * STEP
        lines.append(f"{time:%Y-%m-%dT%H:%M:%SZ},{tenth // 10}.{tenth % 10}")
    return "\n".join(lines) + "\n"


def year_argument(text: str) -> int:
    """Read the option --year: a year for which the table of holidays holds."""
    try:
        year = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"not a year: {text!r}") from None
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise argparse.ArgumentTypeError(f"must be from {FIRST_YEAR} to {LAST_YEAR}: {text!r}")
    return year


def kwh_argument(text: str) -> int:
    """Read the option --kwh: the energy in tenths of a watt times one step, a whole number."""
    try:
        kwh = Decimal(text)
    except InvalidOperation:
        raise argparse.ArgumentTypeError(f"not a number: {text!r}") from None
    if not kwh.is_finite() or not 0 < kwh <= MAX_KWH:
        raise argparse.ArgumentTypeError(f"must be greater than 0 and at most {MAX_KWH}: {text!r}")
    tenths = kwh * TENTHS_PER_KWH
    if tenths != int(tenths):
        raise argparse.ArgumentTypeError(
            f"must be a multiple of 0.000025 (0.1 W for 15 minutes): {text!r}"
        )
    return int(tenths)


def main(argv: Sequence[str] | None = None) -> None:
    """Read the command line and write the profile."""
    parser = argparse.ArgumentParser(
        description="Write a household's load profile (BDEW H25) as CSV, one row per 15 minutes of "
        "a year, in UTC."
    )
    parser.add_argument(
        "--year", type=year_argument, default=2026, help="the year (default: %(default)s)"
    )
    parser.add_argument(
        "--kwh",
        type=kwh_argument,
        default="3500",  # a string, so that argparse converts it like a value from the command line
        help="the energy of the whole year in kWh (default: %(default)s)",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="the CSV file to write"
    )
    arguments = parser.parse_args(argv)

    year: int = arguments.year
    total_tenths: int = arguments.kwh
    out: Path = arguments.out
    tenths = apportion(total_tenths, h25_weights(year))
    out.write_text(csv_text(year, tenths), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
