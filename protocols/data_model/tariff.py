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
from struct import Struct, error, unpack_from

from protocols.data_model.tariff_rules import (
    billing_day_problems,
    billing_year_problems,
    day_table_problems,
    holiday_problems,
    price_problems,
    season_problems,
    step_addition_problems,
    step_count_problem,
    step_limit_problems,
)
from protocols.errors import MalformedMessageError
from protocols.quantities import LocalMoment


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
        yield from season_problems(dates)
        if dates != sorted(dates):
            yield "seasons: allowed is the order of their dates"
        yield from holiday_problems(self.holidays)
        if len(self.weekdays) != 7:
            yield "weekdays are seven"

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
        minutes = [[minute for minute, _ in table] for table in self.tables]
        yield from day_table_problems(minutes)
        for number, each in enumerate(minutes, 1):
            if each != sorted(each):
                yield f"day_tables.{number}.entries: allowed is the order of their times"

    def rates(self) -> set[int]:
        """Return the rates that are referenced."""
        return {rate for table in self.tables for _, rate in table}


@dataclass(frozen=True, slots=True)
class Prices(_Checked):
    """Price of each rate, 1e-4 account unit per kWh."""

    prices: tuple[int, ...] = (5283,)

    def problems(self) -> Iterator[str]:
        yield from price_problems(self.prices)


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
        yield from step_limit_problems(self.limits)
        yield from step_addition_problems(self.additions)
        if wrong := step_count_problem(len(self.limits), len(self.additions)):
            yield f"step_additions: {wrong}"
        yield from billing_day_problems(self.billing_day, self.billing_hour)
        yield from billing_year_problems(self.year_month, self.year_day)


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
