"""Persistent state of a meter: all that a power cut must not lose, in ONE record (METER.md 9).

Integers, booleans, strings and bytes in small mutable pieces; a request computes on a copy. It does
not hold the rows of the rings, but the numbers of the newest rows and the tail: the rows that the
storage has not yet written to its rings.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import cache
from operator import attrgetter
from typing import Any, TypeVar

from firmware_sim.account.account import Account, amount_to_reach
from firmware_sim.clock import Clock
from firmware_sim.metrology.registers import Registers
from firmware_sim.records.publishing import TailRow
from firmware_sim.records.ring import EVENT_RING, RINGS
from firmware_sim.security.replay import Security
from firmware_sim.settings import Settings
from firmware_sim.supply.control import Supply
from firmware_sim.tariff.calendar import CalendarState
from protocols.data_model.events import EVENTS
from protocols.data_model.tables import Event
from protocols.data_model.tariff import Part, Tariff
from protocols.data_model.words import PHASES_OF, Cause
from protocols.quantities import MONEY_LIMIT

Piece = TypeVar("Piece")


@cache
def _values(kind: type) -> Any:
    return attrgetter(*(field.name for field in fields(kind)))


def _copy(piece: Piece) -> Piece:
    """Return a shallow copy; `copy.copy` takes three times as long."""
    kind: Any = type(piece)
    copied: Piece = kind(*_values(kind)(piece))
    return copied


@dataclass(frozen=True, slots=True)
class Identity:
    """Constants of a meter for the life of its state."""

    serial_number: str
    epoch: int
    meter_type: int
    phase_summation: int = 0
    reverse_charged: bool = False
    nominal_voltage_mv: int = 230_000
    frequency_mhz: int = 50_000
    transitions: tuple[tuple[int, int], ...] = ()

    @property
    def phases(self) -> int:
        """How many phases the meter has."""
        return PHASES_OF[self.meter_type]

    @property
    def has_time_zone(self) -> bool:
        """Whether a time zone says the local time, and `utc_offset_minutes` is not in force."""
        return bool(self.transitions)


@dataclass(frozen=True, slots=True)
class PendingPart:
    """A part of the pending tariff set, and the clock (ms UTC) at which it activates."""

    activation_ms: int
    part: Part


@dataclass(slots=True)
class Period:
    """The open profile period, and the maximum demand of the closed ones."""

    import_at_start: int = 0
    export_at_start: int = 0
    began_ms: int = 0
    power_down: bool = False
    maximum_demand_mw: int = 0
    maximum_demand_at_ms: int = 0


@dataclass(slots=True)
class CardSlotMemory:
    """The account's card (0: none), when it was issued, and the number of illegal insertions.

    `bound_at_s` is the vendor's clock in s since 1970 UTC: a card issued earlier never replaces one
    issued later.
    """

    bound_card: int = 0
    bound_at_s: int = 0
    illegal_insertions: int = 0


@dataclass(slots=True)
class State:
    """State of one meter at `elapsed_ms`; `numbers` are those of the newest row of each ring.

    It is bit for bit the same for any partition of time, except the tail, which depends on the
    storage.
    """

    identity: Identity
    clock: Clock
    calendar: CalendarState
    elapsed_ms: int = 0
    powered: bool = True
    settings: Settings = field(default_factory=Settings)
    tariff: Tariff = field(default_factory=Tariff)
    pending: tuple[PendingPart, ...] = ()
    registers: Registers = field(default_factory=Registers)
    account: Account = field(default_factory=Account)
    supply: Supply = field(default_factory=Supply)
    security: Security = field(default_factory=Security)
    period: Period = field(default_factory=Period)
    slot: CardSlotMemory = field(default_factory=CardSlotMemory)
    numbers: list[int] = field(default_factory=lambda: [0] * RINGS)
    events_cleared_to: int = 0
    tail: list[TailRow] = field(default_factory=list)

    def clone(self) -> State:
        """Return a copy on which a request may compute; frozen pieces are shared."""
        other = _copy(self)
        other.clock = _copy(self.clock)
        other.registers = _copy(self.registers)
        other.registers.rate_mwh = list(self.registers.rate_mwh)
        other.account = _copy(self.account)
        other.supply = _copy(self.supply)
        other.security = _copy(self.security)
        other.period = _copy(self.period)
        other.slot = _copy(self.slot)
        other.calendar = _copy(self.calendar)
        other.numbers = list(self.numbers)
        other.tail = list(self.tail)
        return other

    @property
    def held_back(self) -> bool:
        """Whether an inhibitor prevents disconnection for credit."""
        return self.calendar.friendly or self.supply.guarantee or self.supply.moratorium

    def amount_to_reconnect(self) -> int:
        """Return the smallest top-up that ends an open exhaustion, ledger units; 0 without one.

        It is accepted and ends the exhaustion. Where no single top-up can, it is the largest one
        that is accepted, 999,999.99: the rest is left to pay.
        """
        if not self.supply.causes & Cause.CREDIT_EXHAUSTED:
            return 0
        wanted = max(self.settings.reconnect_threshold, 1)
        reached = amount_to_reach(self.account, wanted, self.settings.debt_share_percent)
        return min(reached, MONEY_LIMIT)

    def append(self, ring: int, row: bytes) -> None:
        """Add a row to a ring through the tail."""
        self.numbers[ring] += 1
        self.tail.append(TailRow(ring, self.numbers[ring], row))

    def emit(self, name: str, a: int = 0, b: int = 0) -> None:
        """Record an event at the present instant: its word and two details."""
        row = Event(
            self.numbers[EVENT_RING] + 1,
            max(self.clock.read(self.elapsed_ms), 0),
            self.elapsed_ms,
            EVENTS[name].code,
            int(a),
            int(b),
        )
        self.append(EVENT_RING, row.pack())
