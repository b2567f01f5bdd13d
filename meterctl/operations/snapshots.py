"""Registers at some instants, and what was consumed between two of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from meterctl.drivers import Reader
from meterctl.errors import CorruptAnswerError
from meterctl.operations.event_log import EventLog, read_event_log
from meterctl.operations.paging import OnRead, numbered, paged
from protocols.data_model import items
from protocols.data_model.items import Item
from protocols.data_model.tables import BILLING_FREEZES, DAILY_FREEZES, Freeze
from protocols.quantities import ENERGY_WRAP

RATES = len(items.ENERGY_RATES)
_REGISTERS = (items.ENERGY_IMPORT, items.ENERGY_EXPORT, *items.ENERGY_RATES)
_WITH_REGISTERS = (items.CONSUMPTION_CHARGED, items.ENERGY_MONTH, items.ENERGY_YEAR)
"""They are compared with the registers, and so must be of the same instant."""
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Registers at an instant by the meter's clock: mWh that never wrap, ledger units.

    `charged` is all that was ever charged for energy; None where it was not kept. `number` is that
    of the freeze, 0 of no freeze.
    """

    at: int
    import_mwh: int
    export_mwh: int
    rates_mwh: tuple[int, ...]
    charged: int | None
    number: int = 0

    @classmethod
    def of(cls, freeze: Freeze) -> Snapshot:
        """Return the registers of a freeze."""
        rates = (
            freeze.energy_rate_1_kwh,
            freeze.energy_rate_2_kwh,
            freeze.energy_rate_3_kwh,
            freeze.energy_rate_4_kwh,
        )
        return cls(
            freeze.at,
            freeze.energy_import_kwh,
            freeze.energy_export_kwh,
            rates,
            freeze.consumption_charged_exact,
            freeze.number,
        )


@dataclass(frozen=True, slots=True)
class Consumption:
    """What was consumed between two instants; `cost` is None where it is not known.

    `begin` is None for what was consumed since the meter's start.
    """

    begin: int | None
    end: int
    import_mwh: int
    export_mwh: int
    rates_mwh: tuple[int, ...]
    cost: int | None
    is_complete: bool = True


def between(first: Snapshot, last: Snapshot, *, is_complete: bool = True) -> Consumption:
    """Return what was consumed between two snapshots."""
    known = first.charged is not None and last.charged is not None
    return Consumption(
        first.at,
        last.at,
        last.import_mwh - first.import_mwh,
        last.export_mwh - first.export_mwh,
        tuple(late - early for early, late in zip(first.rates_mwh, last.rates_mwh, strict=True)),
        last.charged - first.charged if known else None,  # type: ignore[operator]
        is_complete,
    )


def start_of(snapshot: Snapshot) -> Snapshot:
    """Return the registers of the same meter at its start."""
    return Snapshot(0, 0, 0, (0,) * len(snapshot.rates_mwh), 0)


@dataclass(frozen=True, slots=True)
class Registers:
    """The daily freezes, billing freezes that are older than these, and the present registers.

    Each list is in the order in which the freezes were made, which a set clock does not change.
    `values` are further items, read with the present registers. `log` has the events that the
    meter keeps.
    """

    daily: Sequence[Snapshot]
    billing: Sequence[Snapshot]
    present: Snapshot | None
    values: dict[Item, Any]
    log: EventLog = field(default_factory=EventLog)

    @property
    def started_at(self) -> int | None:
        """The meter's start by its clock of then; None where its event log does not tell it."""
        clock, elapsed = self.values.get(items.CLOCK), self.values.get(items.ELAPSED)
        return None if clock is None or elapsed is None else self.log.started_at(clock, elapsed)

    @property
    def older(self) -> list[Snapshot]:
        """The billing freezes before the first daily freeze."""
        if not self.daily:
            return list(self.billing)
        first = self.daily[0]
        return [
            one for one in self.billing if one.at < first.at and one.import_mwh <= first.import_mwh
        ]


def read_registers(
    reader: Reader, wanted: Sequence[Item] = (), on_read: OnRead | None = None
) -> Registers:
    """Read freezes, present registers, the event log and some items that the meter has.

    A freeze that is made while they are read makes them be read again.

    Raises:
        CorruptAnswerError: the registers are below those of a freeze.
    """
    for _ in range(_TRIES):
        rows = numbered(reader, DAILY_FREEZES, on_read=on_read)
        daily = [Snapshot.of(row) for _, row in rows]
        billing: list[Snapshot] = []
        if reader.has_rows(BILLING_FREEZES):
            billing = [Snapshot.of(row) for row in paged(reader, BILLING_FREEZES)]
        values = dict(reader.read(_held(reader, (items.CLOCK, items.ELAPSED, *wanted))))
        values |= reader.read_at_once(_held(reader, (*_REGISTERS, *_WITH_REGISTERS)))
        newest = reader.page(DAILY_FREEZES).rows
        if bool(newest) == bool(daily) and (not newest or Snapshot.of(newest[-1]) == daily[-1]):
            break
    else:
        raise CorruptAnswerError("the daily freezes change while they are read")
    return Registers(daily, billing, _present(daily, values), values, read_event_log(reader))


def _held(reader: Reader, wanted: Sequence[Item]) -> list[Item]:
    return [item for item in wanted if reader.holds(item)]


def _present(daily: Sequence[Snapshot], values: dict[Item, Any]) -> Snapshot | None:
    """Return the present registers; on a wire they wrap, and freezes do not."""
    if any(values.get(item) is None for item in (items.CLOCK, *_REGISTERS)):
        return None
    last = daily[-1] if daily else None
    before = (0,) * len(_REGISTERS)
    if last is not None:
        before = (last.import_mwh, last.export_mwh, *last.rates_mwh)
    unwrapped = [
        early + (values[item] - early) % ENERGY_WRAP if last is not None else values[item]
        for item, early in zip(_REGISTERS, before, strict=True)
    ]
    return Snapshot(
        values[items.CLOCK],
        unwrapped[0],
        unwrapped[1],
        tuple(unwrapped[2:]),
        values.get(items.CONSUMPTION_CHARGED),
    )
