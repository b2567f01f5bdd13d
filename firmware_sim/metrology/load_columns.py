"""Columns of a load file: each reads one value, and all plain values of a piece at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache

from firmware_sim.metrology.load import UNITY
from protocols.errors import QuantityError
from protocols.quantities import HOUR, MAX_POWER, MINUTE, SECOND, parse_duration, parse_fixed

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_DECIMALS = {"power_w": 3, "power_kw": 6}
_TIME_OF_DAY = re.compile(r"[T ]([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?Z?", re.ASCII)


class NotPlainError(Exception):
    """A column of a piece that is not plain: the piece is read row by row."""


class Column:
    """One column: `read` reads one value, `plain` reads all values of a piece at once."""

    has_decimals = True
    """Whether its values are numbers, in which a comma may be the decimal sign."""

    def __init__(self, read: Callable[[str], int]) -> None:
        self.read = read

    def plain(self, texts: Sequence[str]) -> Sequence[int]:
        """Return the values of a piece; raises NotPlainError where one is wrong."""
        try:
            known = {text: self.read(text) for text in set(texts)}
        except (QuantityError, ValueError):
            raise NotPlainError from None
        return [known[text] for text in texts]


class _Fixed(Column):
    """Numbers with a fixed point, in units of 10**-decimals."""

    def __init__(self, decimals: int, read: Callable[[str], int]) -> None:
        super().__init__(read)
        self._decimals = decimals
        self._plain = _column_of(rf"-?[0-9]{{1,12}}(?:\.[0-9]{{1,{decimals}}})?")

    def plain(self, texts: Sequence[str]) -> Sequence[int]:
        joined, decimals = ",".join(texts), self._decimals
        if joined.count(",") != len(texts) - 1:  # a quoted value with a comma
            return super().plain(texts)
        written = len(texts[0].partition(".")[2])
        if written <= decimals and _same_decimals(written).fullmatch(joined):
            scale: int = 10 ** (decimals - written)
            return [int(digits) * scale for digits in joined.replace(".", "").split(",")]
        if not self._plain.fullmatch(joined):
            return super().plain(texts)
        parts = [text.partition(".") for text in texts]
        return [int(whole + part.ljust(decimals, "0")) for whole, _, part in parts]


@cache
def _same_decimals(decimals: int) -> re.Pattern[str]:
    point = rf"\.[0-9]{{{decimals}}}" if decimals else ""
    return _column_of(rf"-?[0-9]{{1,12}}{point}")


def _column_of(number: str) -> re.Pattern[str]:
    return re.compile(rf"(?:{number},)*{number}")


class _Power(_Fixed):
    """Power in mW."""

    def plain(self, texts: Sequence[str]) -> Sequence[int]:
        values = super().plain(texts)
        if max(values) > MAX_POWER or min(values) < -MAX_POWER:
            raise NotPlainError
        return values


class TimeStamps(Column):
    """Clock times in ms since 1970 UTC, or local times where no row has an offset.

    A day and a time of day are read once each.
    """

    has_decimals = False

    def __init__(self) -> None:
        super().__init__(self._read)
        self.is_local: bool | None = None
        """Whether the times are local; None before the first."""
        self._midnights: dict[str, int] = {}
        self._times: dict[str, int] = {}

    def plain(self, texts: Sequence[str]) -> Sequence[int]:
        days, times = [text[:10] for text in texts], [text[10:] for text in texts]
        midnights, known = self._midnights, self._times
        try:
            for day in set(days).difference(midnights):
                midnights[day], _ = _stamp(day + "T00:00:00Z")
            for time in set(times).difference(known):
                known[time] = _time_of_day(time)
        except (QuantityError, ValueError):
            raise NotPlainError from None
        kinds = {not time.endswith("Z") for time in set(times)}
        if len(kinds | {self.is_local} - {None}) > 1:
            raise NotPlainError
        (self.is_local,) = kinds
        return [midnights[day] + known[time] for day, time in zip(days, times, strict=True)]

    def _read(self, text: str) -> int:
        found_ms, is_local = _stamp(text)
        if self.is_local not in (None, is_local):
            told = "has no offset, times before it have one"
            if not is_local:
                told = "has an offset, times before it have none"
            raise QuantityError(f"{text} {told}: write it in all rows, or in none")
        self.is_local = is_local
        return found_ms


def time_column(name: str) -> Column:
    """Return the first column by its name; raises QuantityError with the names that there are."""
    if name == "time":
        return TimeStamps()
    if name == "offset":
        return Column(parse_duration)
    if name == "offset_s":
        return _Fixed(3, lambda text: parse_fixed(text, 3))
    raise QuantityError(f"the first column is {name!r}: allowed are time, offset and offset_s")


def _stamp(text: str) -> tuple[int, bool]:
    """Return ms since 1970 of a time stamp, and whether it is local, without an offset."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise QuantityError(
            f"{text!r} is no time: write 2026-01-01T00:00:00Z, or 2026-01-01T00:00 for local time"
        ) from error
    is_local = moment.tzinfo is None
    aware = moment.replace(tzinfo=UTC) if is_local else moment
    return (aware - _EPOCH) // _MILLISECOND, is_local


def _time_of_day(text: str) -> int:
    """Return ms since midnight of T00:15:00Z or T00:15; raises ValueError for other spellings."""
    match = _TIME_OF_DAY.fullmatch(text)
    if match is None:
        raise ValueError(text)
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return hours * HOUR + minutes * MINUTE + seconds * SECOND


def phase_names(phases: int, unit: str) -> list[str]:
    """Return the names of the columns of so many phases."""
    return [f"power_l{phase}_{unit}" for phase in range(1, phases + 1)]


def power_columns(names: Sequence[str]) -> tuple[dict[int, Column], bool]:
    """Return the columns of power by their places in a row, and whether one is of all phases."""
    powers = [name for name in names if name != "power_factor"]
    unit = "kw" if powers and powers[0].endswith("_kw") else "w"
    is_total = powers == [f"power_{unit}"]
    if not is_total and powers not in [phase_names(n, unit) for n in (1, 2, 3)]:
        raise QuantityError(
            f"power columns {', '.join(powers) or 'none'}: allowed are power_{unit} or "
            f"{', '.join(phase_names(3, unit))}"
        )
    decimals = _DECIMALS[f"power_{unit}"]
    columns: dict[int, Column] = {
        names.index(name) + 1: _Power(decimals, lambda text: _power(text, decimals))
        for name in powers
    }
    return columns, is_total


def factor_column() -> Column:
    """Return the column of the power factor, 1e-4."""
    return Column(_factor)


def _power(text: str, decimals: int) -> int:
    power_mw = parse_fixed(text, decimals, "a power")
    if not -MAX_POWER <= power_mw <= MAX_POWER:
        raise QuantityError(f"{text} is out of range: at most 1 GW")
    return power_mw


def _factor(text: str) -> int:
    value = parse_fixed(text, 4, "a power factor")
    if not 0 < value <= UNITY:
        raise QuantityError(f"{text} is not a power factor: above 0, at most 1")
    return value
