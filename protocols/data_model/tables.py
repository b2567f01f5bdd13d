"""Rows of the meter's records: purchases, events, freezes and the load profile.

A row is a frozen dataclass whose fields carry their kind; a wire places the table, then the columns
within a row. Each row packs itself into a fixed number of bytes, which the meter stores as they are
(METER.md 9).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from operator import attrgetter
from struct import Struct
from struct import error as StructError
from typing import Annotated, Any, ClassVar, Self, get_type_hints

from protocols.data_model.events import EVENT_BY_CODE
from protocols.data_model.kinds import (
    COUNT,
    ENERGY,
    MONEY,
    MONEY_EXACT,
    Boolean,
    Choice,
    Fixed,
    Flags,
    Kind,
    Moment,
    Optional,
)
from protocols.data_model.words import Carrier, choice
from protocols.errors import MalformedMessageError
from protocols.fixed_width import SaturatingStruct

_PURCHASE_KIND = Choice(("open", "credit"))
_ALL_ONES = -1
OffsetAt = Callable[[int], int]
"""The offset of local time in minutes at an instant, ms since 1970 UTC."""


class Row:
    """Base of the rows: fixed packing in field order, and the kinds of the columns."""

    PACKING: ClassVar[SaturatingStruct]

    def pack(self) -> bytes:
        """Return the row as `PACKING.size` bytes."""
        kind: Any = type(self)
        return self.PACKING.saturate(*_values(kind)(self))

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        """Return the row of `PACKING.size` bytes; raises MalformedMessageError."""
        try:
            return cls(*cls.PACKING.unpack(data))
        except StructError as error:
            raise MalformedMessageError(
                f"{len(data)} bytes are no {cls.__name__.lower()}"
            ) from error

    @classmethod
    def columns(cls) -> dict[str, Kind]:
        """Return the kind of each column, in order."""
        kind: Any = cls
        return dict(_columns(kind))

    def fragments(self, offset: int | OffsetAt = 0) -> dict[str, str]:
        """Return the columns as JSON values; each moment carries its own offset.

        Args:
            offset: of all moments in minutes, or a function that returns that of each.
        """
        return {
            name: moment_json(kind, getattr(self, name), offset)
            for name, kind in self.columns().items()
        }


@cache
def _values(row: type) -> Callable[[Row], tuple[object, ...]]:
    return attrgetter(*(field.name for field in fields(row)))


@cache
def _columns(row: type) -> dict[str, Kind]:
    hints = get_type_hints(row, include_extras=True)
    return {f.name: hints[f.name].__metadata__[0] for f in fields(row)}


def moment_json(kind: Kind, value: Any, offset: int | OffsetAt) -> str:
    """Return a value as JSON; a moment carries the offset, or its own."""
    if not isinstance(kind, Moment):
        return kind.json(value)
    return kind.json(value, offset if isinstance(offset, int) else offset(value))


@dataclass(frozen=True, slots=True)
class Purchase(Row):
    """One accepted top-up (电表购电记录).

    `number` counts purchases, `sequence` is that of the sealed message, of a plain write its
    purchase count.
    """

    PACKING: ClassVar[SaturatingStruct] = SaturatingStruct("IQHqqqqqqIH")

    number: Annotated[int, COUNT]
    at: Annotated[int, Moment()]
    kind: Annotated[int, _PURCHASE_KIND]
    amount: Annotated[int, MONEY]
    to_overdraft: Annotated[int, MONEY]
    to_debt: Annotated[int, MONEY]
    credit_before: Annotated[int, MONEY]
    credit_after: Annotated[int, MONEY]
    cumulative: Annotated[int, MONEY]
    sequence: Annotated[int, COUNT]
    carrier: Annotated[int, choice(Carrier)]


@dataclass(frozen=True, slots=True)
class Event(Row):
    """One event; `protocols.data_model.events` names its `code` and the details `a` and `b`."""

    PACKING: ClassVar[SaturatingStruct] = SaturatingStruct("IQQHqq")

    number: Annotated[int, COUNT]
    at: Annotated[int, Moment()]
    elapsed_ms: Annotated[int, COUNT]
    code: Annotated[int, COUNT]
    a: Annotated[int, COUNT]
    b: Annotated[int, COUNT]

    @property
    def name(self) -> str:
        """The event's word; `event_` and the number for an unknown code."""
        kind = EVENT_BY_CODE.get(self.code)
        return kind.name if kind else f"event_{self.code}"

    def moments(self) -> list[int]:
        """Return the instant of the event, and those among its details."""
        details = self.details().values()
        return [self.at, *(value for kind, value in details if isinstance(kind, Moment))]

    def details(self) -> dict[str, tuple[Kind, int]]:
        """Return the named details with their kinds."""
        kind = EVENT_BY_CODE.get(self.code)
        named = kind.details if kind else (("a", COUNT), ("b", COUNT))
        return {
            name: (kind, value)
            for (name, kind), value in zip(named, (self.a, self.b), strict=False)
        }

    def detail_fragments(self, offset: int | OffsetAt = 0) -> dict[str, str]:
        """Return the named details as JSON values; a set of one cause is a single word.

        `offset` is that of `fragments`.
        """
        out = {}
        for name, (kind, value) in self.details().items():
            names = kind.names(value) if isinstance(kind, Flags) else []
            out[name] = (
                json.dumps(names[0]) if len(names) == 1 else moment_json(kind, value, offset)
            )
        return out


@dataclass(frozen=True, slots=True)
class Freeze(Row):
    """Registers at a midnight or at the end of a billing period (冻结).

    `consumption_charged_exact` is what was charged for energy until then; None in rows of builds
    that did not keep it, which are 8 bytes shorter and complete with `NOT_KEPT`.
    """

    PACKING: ClassVar[SaturatingStruct] = SaturatingStruct("IQQQQQQQqq")
    NOT_KEPT: ClassVar[bytes] = b"\xff" * 8
    """The last column without a value: all ones, as an amount that is off."""

    number: Annotated[int, COUNT]
    at: Annotated[int, Moment()]
    energy_import_kwh: Annotated[int, ENERGY]
    energy_export_kwh: Annotated[int, ENERGY]
    energy_rate_1_kwh: Annotated[int, ENERGY]
    energy_rate_2_kwh: Annotated[int, ENERGY]
    energy_rate_3_kwh: Annotated[int, ENERGY]
    energy_rate_4_kwh: Annotated[int, ENERGY]
    available_credit: Annotated[int, MONEY]
    consumption_charged_exact: Annotated[int | None, Optional(MONEY_EXACT, off="not_kept")] = None

    def pack(self) -> bytes:
        """Return the row as `PACKING.size` bytes."""
        *values, charged = _values(Freeze)(self)
        return self.PACKING.saturate(*values, _ALL_ONES if charged is None else charged)

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        """Return the row of `PACKING.size` bytes; raises MalformedMessageError."""
        row = super(Freeze, cls).unpack(data)
        if row.consumption_charged_exact != _ALL_ONES:
            return row
        return replace(row, consumption_charged_exact=None)


@dataclass(frozen=True, slots=True)
class OffsetChange(Row):
    """From `at` on local time has this offset; the first change is at or before all records."""

    PACKING: ClassVar[SaturatingStruct] = SaturatingStruct("IQh")

    number: Annotated[int, COUNT]
    at: Annotated[int, Moment()]
    utc_offset_minutes: Annotated[int, Fixed("min", 0, 0)]


@dataclass(frozen=True, slots=True)
class ProfileRecord:
    """Energy of one profile period, stamped with the interval's end; 12 bytes.

     0        4         8        12
    +--------+---------+---------+
    | end, s | F import| F export|   F: two flag bits above 30 bits of mWh, each
    +--------+---------+---------+

    Energy saturates at 2**30 - 1 mWh (1073 kWh) a period.
    """

    PACKING: ClassVar[Struct] = Struct(">III")
    SATURATED: ClassVar[int] = (1 << 30) - 1

    end: Annotated[int, Moment()]
    import_mwh: Annotated[int, ENERGY]
    export_mwh: Annotated[int, ENERGY]
    power_down: Annotated[bool, Boolean()] = False
    clock_set: Annotated[bool, Boolean()] = False
    supply_open: Annotated[bool, Boolean()] = False

    def pack(self) -> bytes:
        """Return the 12 bytes of the record."""
        return self.packed(
            self.end,
            self.import_mwh,
            self.export_mwh,
            self.power_down,
            self.clock_set,
            self.supply_open,
        )

    @classmethod
    def packed(
        cls,
        end: int,
        import_mwh: int,
        export_mwh: int,
        power_down: bool,
        clock_set: bool,
        supply_open: bool,
    ) -> bytes:
        """Return the 12 bytes of a record without an object: 35,000 records a year."""
        top = cls.SATURATED
        low = (import_mwh if import_mwh < top else top) | power_down << 30 | clock_set << 31
        high = (export_mwh if export_mwh < top else top) | supply_open << 30
        return cls.PACKING.pack(min(max(end // 1000, 0), 0xFFFF_FFFF), low, high)

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        """Return the record of 12 bytes; raises MalformedMessageError."""
        try:
            end, low, high = cls.PACKING.unpack(data)
        except StructError as error:
            raise MalformedMessageError(f"{len(data)} bytes are no profile record") from error
        mask = cls.SATURATED
        return cls(
            end * 1000,
            low & mask,
            high & mask,
            bool(low >> 30 & 1),
            bool(low >> 31),
            bool(high >> 30 & 1),
        )


@dataclass(frozen=True, slots=True)
class Table:
    """A table of rows by running number, in rising order; the newest `depth` rows are kept.

    Columns were added at the end of a row: rows of older builds are shorter by `added`, which holds
    the bytes of those columns without a value.
    """

    name: str
    row_size: int
    depth: int
    meaning: str
    added: bytes = b""

    @property
    def older_row_size(self) -> int:
        """Size of the rows of older builds; `row_size` where no column was added."""
        return self.row_size - len(self.added)

    def completed(self, row: bytes) -> bytes:
        """Return a whole row for one of this or of an older build."""
        return row + self.added if len(row) == self.older_row_size else row


PURCHASES = Table("purchases", Purchase.PACKING.size, 10, "Accepted top-ups.")
EVENTS = Table("events", Event.PACKING.size, 256, "The event log.")
DAILY_FREEZES = Table(
    "daily_freezes",
    Freeze.PACKING.size,
    62,
    "Registers at local midnights.",
    Freeze.NOT_KEPT,
)
BILLING_FREEZES = Table(
    "billing_freezes",
    Freeze.PACKING.size,
    12,
    "Registers at ends of billing periods.",
    Freeze.NOT_KEPT,
)
PROFILE = Table(
    "profile",
    ProfileRecord.PACKING.size,
    960,
    "Energy of each 15 minutes of UTC; `profile_days` of them.",
)
UTC_OFFSETS = Table(
    "utc_offsets",
    OffsetChange.PACKING.size,
    512,
    "Offsets of local time, each from an instant on: of records, and of years to come.",
)
TABLES: Mapping[str, Table] = {
    t.name: t for t in (PURCHASES, EVENTS, DAILY_FREEZES, BILLING_FREEZES, PROFILE, UTC_OFFSETS)
}
