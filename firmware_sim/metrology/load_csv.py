"""Loads from CSV text: a time stamp or an offset, power of each phase or in all, optionally a power
factor.

    time,power_w              2026-01-01T00:00:00Z,123.4      rows with time stamps are mapped to
    elapsed once
    offset,power_kw           15m,2.345                       offsets as durations, or offset_s as
    whole seconds offset_s,power_l1_w,power_l2_w,power_l3_w,power_factor

A row holds until the next one. Rows rise in time.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from firmware_sim.metrology.load import UNITY, Demand, Load, OnEnd, split
from protocols.errors import QuantityError
from protocols.quantities import MAX_POWER, parse_duration, parse_fixed

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_POWERS = {"power_w": 3, "power_kw": 6}


def parse_load(
    text: str, phases: int, start_clock: int, on_end: OnEnd = OnEnd.REPEAT, origin: int = 0
) -> Load:
    """Return the load of a CSV file.

    Args:
        phases: how many the meter has; a total is split equally, odd milliwatts on L1.
        start_clock: the meter's clock (ms UTC) at the elapsed time `origin`, to which time stamps
            are mapped.
        origin: the elapsed time (ms) at which offsets begin.

    Raises:
        QuantityError: names the line and what is allowed.
    """
    rows = csv.reader(text.splitlines())
    header = [name.strip().lower() for name in next(rows, [])]
    if not header:
        raise QuantityError(
            "the file is empty: the first line names the columns, such as time,power_w"
        )
    read_time = _time_column(header[0], start_clock)
    read_demand = _power_columns(header[1:], phases)
    columns, last = len(header), -(1 << 63)
    starts: list[int] = []
    demands: list[Demand] = []
    for number, row in enumerate(rows, 2):
        if not row:
            continue
        try:
            if len(row) != columns:
                raise QuantityError(f"{len(row)} values for {columns} columns")
            at = origin + read_time(row[0])
            if at <= last:
                raise QuantityError(f"{row[0]} does not come after the row before it")
            demand = read_demand(row)
        except (QuantityError, ValueError) as error:
            raise QuantityError(f"line {number}: {error}") from error
        last = at
        starts.append(at)
        demands.append(demand)
    if not starts:
        raise QuantityError("the file has no rows")
    return Load(starts, demands, on_end)


def _time_column(name: str, start_clock: int) -> Callable[[str], int]:
    if name == "time":
        midnights: dict[str, int] = {}

        def read(text: str) -> int:
            # Most stamps are "2026-01-01T00:15:00Z": the date is looked up, and the time is two
            # digits each.
            if (
                len(text) == 20
                and text[10] == "T"
                and text[19] == "Z"
                and text[13] == text[16] == ":"
            ):
                midnight = midnights.get(text[:10])
                if midnight is None:
                    midnight = midnights[text[:10]] = _stamp(text[:10] + "T00:00:00Z")
                hours, minutes, seconds = text[11:13], text[14:16], text[17:19]
                if (
                    (hours + minutes + seconds).isdecimal()
                    and hours < "24"
                    and minutes < "60"
                    and seconds < "60"
                ):
                    time = ((int(hours) * 60 + int(minutes)) * 60 + int(seconds)) * 1000
                    return midnight + time - start_clock
            return _stamp(text) - start_clock

        return read
    if name == "offset":
        return parse_duration
    if name == "offset_s":
        return lambda text: parse_fixed(text, 3)
    raise QuantityError(f"the first column is {name!r}: allowed are time, offset and offset_s")


def _stamp(text: str) -> int:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise QuantityError(f"{text} has no offset: write 2026-01-01T00:00:00Z")
    return (moment - _EPOCH) // _MILLISECOND


def _power_columns(names: Sequence[str], phases: int) -> Callable[[Sequence[str]], Demand]:
    """Return how a row's demand is read, for the columns behind the time."""
    factor = names.index("power_factor") + 1 if "power_factor" in names else 0
    powers = [name for name in names if name != "power_factor"]
    if len(powers) == 1 and powers[0] in _POWERS:
        decimals, column = _POWERS[powers[0]], names.index(powers[0]) + 1
        single = phases == 1

        def total(row: Sequence[str]) -> Demand:
            power = _power(row[column], decimals)
            return Demand((power,) if single else split(power, phases), _factor(row, factor))

        return total
    unit = "kw" if powers and powers[0].endswith("_kw") else "w"
    wanted = [f"power_l{phase}_{unit}" for phase in range(1, phases + 1)]
    if powers != wanted:
        raise QuantityError(
            f"power columns {', '.join(powers) or 'none'}: allowed are power_w or "
            f"{', '.join(wanted)}"
        )
    decimals, columns = _POWERS[f"power_{unit}"], [names.index(name) + 1 for name in wanted]
    return lambda row: Demand(
        tuple(_power(row[c], decimals) for c in columns), _factor(row, factor)
    )


def _power(text: str, decimals: int) -> int:
    power = parse_fixed(text, decimals, "a power")
    if not -MAX_POWER <= power <= MAX_POWER:
        raise QuantityError(f"{text} is more than any line carries: at most 1 GW")
    return power


def _factor(row: Sequence[str], column: int) -> int:
    if not column:
        return UNITY
    value = parse_fixed(row[column], 4, "a power factor")
    if not 0 < value <= UNITY:
        raise QuantityError(f"{row[column]} is not a power factor: above 0, at most 1")
    return value
