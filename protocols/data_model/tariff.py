"""The tariff: four parts, each with its own activation instant (METER.md 6).

    Seasons     day table of each local date: holiday before weekday before season
    DayTables   rate from each local minute on
    Prices      price of each rate, 1e-4 account unit per kWh
    Steps       limits in whole mWh, additions to the price, the period over which they count,
                billing day and year

Rates and day tables are numbered from 1, as in DL/T 645.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import pairwise
from struct import Struct, error, unpack_from

from protocols.errors import MalformedMessageError
from protocols.quantities import LocalMoment, format_date, format_fixed

MAX_RATES = 4
MAX_DAY_TABLES = 8
MAX_DAY_TABLE_ENTRIES = 14
MAX_SEASONS = 14
MAX_HOLIDAYS = 64
DAYS_OF_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
MAX_STEP_LIMIT = 10**15
"""mWh: far above any real consumption, and within a 64-bit register."""
MAX_STEPS = 6
MAX_PRICE = 99_999_999
"""Prices have eight digits, 9999.9999 (DL/T 645)."""


class _Checked(ABC):
    """Base of the parts."""

    __slots__ = ()

    @abstractmethod
    def problems(self) -> Iterator[str]:
        """Yield each invalid field; a text begins with its key in a description."""

    def problem(self) -> str | None:
        """Return the first invalid field as text, or None."""
        return next(self.problems(), None)


@dataclass(frozen=True, slots=True)
class Seasons(_Checked):
    """Choice of the day table of a date.

    Args:
        starts: (month, day, table) in order of their dates. A season that starts on 29 February
            starts on 1 March in a year without that day.
        weekdays: a table for each weekday, Monday first; 0 takes the season's table.
        holidays: (days since 1970-01-01, table).
    """

    starts: tuple[tuple[int, int, int], ...] = ((1, 1, 1),)
    weekdays: tuple[int, ...] = (0,) * 7
    holidays: tuple[tuple[int, int], ...] = ()

    def problems(self) -> Iterator[str]:
        dates = [(month, day) for month, day, _ in self.starts]
        twice = [one for one, other in pairwise(sorted(dates)) if one == other]
        if twice:
            yield f"seasons: {_month_day(twice[0])} starts two seasons: allowed is one"
        elif not 1 <= len(dates) <= MAX_SEASONS or dates != sorted(dates):
            yield f"seasons: 1 to {MAX_SEASONS}, in order of their dates"
        for month, day in dates:
            if not (1 <= month <= 12 and 1 <= day <= DAYS_OF_MONTH[month - 1]):
                yield f"seasons: a start is no date: {_month_day((month, day))}"
        tables: dict[int, int] = {}
        for date, table in self.holidays:
            if tables.setdefault(date, table) != table:
                yield f"holidays: {format_date(date)} has two day tables: allowed is one"
        if any(date < 0 for date in tables):
            yield "holidays: a date is before 1970"
        if len(self.weekdays) != 7:
            yield "weekdays are seven"
        if len(self.holidays) > MAX_HOLIDAYS:
            yield f"holidays: {len(self.holidays)} are given: holidays at most {MAX_HOLIDAYS}"

    def tables(self) -> set[int]:
        """Return the day tables that are referenced."""
        return (
            {t for *_, t in self.starts}
            | {t for t in self.weekdays if t}
            | {t for _, t in self.holidays if t}
        )


@dataclass(frozen=True, slots=True)
class DayTables(_Checked):
    """Day tables: (local minute, rate) in order; before a table's first entry its last applies."""

    tables: tuple[tuple[tuple[int, int], ...], ...] = (((0, 1),),)

    def problems(self) -> Iterator[str]:
        if not 1 <= len(self.tables) <= MAX_DAY_TABLES:
            yield f"day_tables: 1 to {MAX_DAY_TABLES}"
        for number, table in enumerate(self.tables):
            key, minutes = f"day_tables.{number}.entries", [minute for minute, _ in table]
            twice = [one for one, other in pairwise(sorted(minutes)) if one == other]
            if twice:
                time = f"{twice[0] // 60:02d}:{twice[0] % 60:02d}"
                yield f"{key}: {time} begins two entries: allowed is one"
            elif not 1 <= len(table) <= MAX_DAY_TABLE_ENTRIES or minutes != sorted(minutes):
                yield f"{key}: 1 to {MAX_DAY_TABLE_ENTRIES} entries in order of time"
            if any(minute >= 1440 for minute in minutes):
                yield f"{key}: an entry is past 23:59"

    def rates(self) -> set[int]:
        """Return the rates that are referenced."""
        return {rate for table in self.tables for _, rate in table}


@dataclass(frozen=True, slots=True)
class Prices(_Checked):
    """Price of each rate, 1e-4 account unit per kWh."""

    prices: tuple[int, ...] = (5283,)

    def problems(self) -> Iterator[str]:
        if not 1 <= len(self.prices) <= MAX_RATES or any(
            not 0 <= p <= MAX_PRICE for p in self.prices
        ):
            yield f"prices: 1 to {MAX_RATES}, each 0 to 9999.9999"


@dataclass(frozen=True, slots=True)
class Steps(_Checked):
    """Step limits in mWh, one addition more than limits, and the billing dates (DDhh, MMDD)."""

    limits: tuple[int, ...] = ()
    additions: tuple[int, ...] = (0,)
    yearly: bool = False
    billing_day: int = 1
    billing_hour: int = 0
    year_month: int = 1
    year_day: int = 1

    def problems(self) -> Iterator[str]:
        if len(self.limits) > MAX_STEPS or len(self.additions) != len(self.limits) + 1:
            yield f"steps: at most {MAX_STEPS} limits and one addition more than limits"
        for before, limit in pairwise((0, *self.limits)):
            if limit <= before:
                yield (
                    f"step_limits_kwh: {_kwh(limit)} is not above {_kwh(before)}: step limits "
                    f"rise from above 0"
                )
        if any(limit > MAX_STEP_LIMIT for limit in self.limits):
            yield "step_limits_kwh: a step limit is at most 1,000,000,000 kWh"
        if any(not 0 <= a <= MAX_PRICE for a in self.additions):
            yield "step_additions: step additions are 0 to 9999.9999"
        if not (1 <= self.billing_day <= 28 and 0 <= self.billing_hour <= 23):
            yield "billing_day is DDhh, day 01 to 28, hour 00 to 23"
        if not (1 <= self.year_month <= 12 and 1 <= self.year_day <= 28):
            yield "billing_year is MMDD, day 01 to 28"


def _month_day(date: tuple[int, int]) -> str:
    return f"{date[0]:02d}-{date[1]:02d}"


def _kwh(mwh: int) -> str:
    return format_fixed(mwh, 6, 6)


Part = Seasons | DayTables | Prices | Steps
PART_NAMES: dict[type, str] = {
    Seasons: "seasons",
    DayTables: "day_tables",
    Prices: "prices",
    Steps: "steps",
}


@dataclass(frozen=True, slots=True)
class Tariff:
    """One complete tariff set."""

    seasons: Seasons = field(default_factory=Seasons)
    day_tables: DayTables = field(default_factory=DayTables)
    prices: Prices = field(default_factory=Prices)
    steps: Steps = field(default_factory=Steps)

    @property
    def parts(self) -> tuple[Part, ...]:
        """All parts, in the order of their numbers on a wire."""
        return self.seasons, self.day_tables, self.prices, self.steps

    def problem(self) -> str | None:
        """Return the first invalid field or reference between the parts as text, or None."""
        return next(iter(self.problems()), None)

    def problems(self) -> list[str]:
        """Return the invalid fields of all parts; where there is none, the invalid references."""
        return self.field_problems() or self.reference_problems()

    def field_problems(self) -> list[str]:
        """Return the invalid fields of all parts."""
        return list(dict.fromkeys(problem for part in self.parts for problem in part.problems()))

    def reference_problems(self) -> list[str]:
        """Return the invalid references between the parts."""
        found = []
        if any(not 1 <= t <= len(self.day_tables.tables) for t in self.seasons.tables()):
            found.append(
                f"a season, weekday or holiday names a day table beyond "
                f"{len(self.day_tables.tables)}"
            )
        if any(not 1 <= r <= len(self.prices.prices) for r in self.day_tables.rates()):
            found.append(f"a day table names a rate beyond {len(self.prices.prices)}")
        return found


class TariffSet(IntEnum):
    """One of the two sets of a meter: the one in force, and the parts that wait."""

    CURRENT = 0
    PENDING = 1


@dataclass(frozen=True, slots=True)
class TariffChange:
    """Parts of the pending set, each with its activation; 0 is at once.

    An activation is an instant (ms, UTC), or local time of the meter, in whole seconds.
    """

    parts: tuple[tuple[int | LocalMoment, Part], ...]

    def encode(self) -> bytes:
        """Return the parameters of a sealed `tariff` message (docs/sealed-messages.md)."""
        out = bytearray([len(self.parts)])
        for activation, part in self.parts:
            body = _encode_part(part)
            which = _PART_TYPES.index(type(part))
            if isinstance(activation, LocalMoment):
                out += _PART.pack(which | _LOCAL, activation.ms // 1000, len(body)) + body
            else:
                out += _PART.pack(which, activation // 1000, len(body)) + body
        return bytes(out)

    @classmethod
    def decode_shown(cls, data: bytes) -> TariffChange:
        """Return the set that a meter shows, which may have no part; raises as `decode`."""
        return cls(()) if data == cls(()).encode() else cls.decode(data)

    @classmethod
    def decode(cls, data: bytes) -> TariffChange:
        """Return the change; raises MalformedMessageError for bytes that do not encode one."""
        try:
            parts: list[tuple[int | LocalMoment, Part]] = []
            at = 1
            for _ in range(data[0]):
                marked, activation, size = _PART.unpack_from(data, at)
                which = marked & ~_LOCAL
                at += _PART.size
                if at + size > len(data) or which >= len(_PART_TYPES):
                    raise MalformedMessageError("a tariff part is cut short or unknown")
                part = _DECODERS[which](data[at : at + size])
                if _encode_part(part) != data[at : at + size]:
                    raise MalformedMessageError("a tariff part is not in its canonical encoding")
                at_ms = activation * 1000
                parts.append((LocalMoment(at_ms) if marked & _LOCAL else at_ms, part))
                at += size
        except (error, IndexError) as fault:
            raise MalformedMessageError("a tariff part is cut short") from fault
        if at != len(data) or not parts or len({type(part) for _, part in parts}) != len(parts):
            raise MalformedMessageError(
                "a tariff change has each part at most once and no trailing bytes"
            )
        return cls(tuple(parts))


_PART = Struct(">BIH")
_LOCAL = 0x80
"""Mark on the type of a part whose activation is local time of the meter."""
_PART_TYPES: tuple[type, ...] = (Seasons, DayTables, Prices, Steps)


def _encode_seasons(part: Seasons) -> bytes:
    out = (
        bytes([len(part.starts)])
        + b"".join(bytes(start) for start in part.starts)
        + bytes(part.weekdays)
    )
    return (
        out
        + bytes([len(part.holidays)])
        + b"".join(Struct(">IB").pack(*holiday) for holiday in part.holidays)
    )


def _decode_seasons(data: bytes) -> Seasons:
    count = data[0]
    starts = tuple((data[i], data[i + 1], data[i + 2]) for i in range(1, 1 + 3 * count, 3))
    at = 1 + 3 * count
    weekdays = tuple(data[at : at + 7])
    holidays = tuple(unpack_from(">IB", data, at + 8 + 5 * i) for i in range(data[at + 7]))
    return Seasons(starts, weekdays, holidays)


def _encode_day_tables(part: DayTables) -> bytes:
    out = bytearray([len(part.tables)])
    for table in part.tables:
        out.append(len(table))
        for minute, rate in table:
            out += Struct(">HB").pack(minute, rate)
    return bytes(out)


def _decode_day_tables(data: bytes) -> DayTables:
    tables, at = [], 1
    for _ in range(data[0]):
        count = data[at]
        tables.append(tuple(unpack_from(">HB", data, at + 1 + 3 * i) for i in range(count)))
        at += 1 + 3 * count
    return DayTables(tuple(tables))


def _encode_prices(part: Prices) -> bytes:
    return Struct(f">B{len(part.prices)}I").pack(len(part.prices), *part.prices)


def _decode_prices(data: bytes) -> Prices:
    return Prices(unpack_from(f">{data[0]}I", data, 1))


_STEPS = Struct(">BBBBBB")


def _encode_steps(part: Steps) -> bytes:
    head = _STEPS.pack(
        len(part.limits),
        part.yearly,
        part.billing_day,
        part.billing_hour,
        part.year_month,
        part.year_day,
    )
    return head + Struct(f">{len(part.limits)}Q{len(part.additions)}I").pack(
        *part.limits, *part.additions
    )


def _decode_steps(data: bytes) -> Steps:
    count, yearly, day, hour, month, year_day = _STEPS.unpack_from(data)
    values = unpack_from(f">{count}Q{count + 1}I", data, _STEPS.size)
    return Steps(values[:count], values[count:], bool(yearly), day, hour, month, year_day)


def _encode_part(part: Part) -> bytes:
    match part:
        case Seasons():
            return _encode_seasons(part)
        case DayTables():
            return _encode_day_tables(part)
        case Prices():
            return _encode_prices(part)
        case Steps():
            return _encode_steps(part)


_DECODERS = (_decode_seasons, _decode_day_tables, _decode_prices, _decode_steps)
