"""The figures of the story: how many stations, meters and sales, and when it begins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

ZONE = "Asia/Shanghai"
UTC_OFFSET_MINUTES = 480
START_MS = 1_795_996_800_000
"""Monday, 30 November 2026, 08:00 in Shanghai."""
CREDIT = 20_00
"""What a meter holds when it is taken over, 0.01."""
SINGLE_SALES = 4
"""Interrupted by a kill, to a silent meter, to the wrong customer, repeated under its key."""
_LOADS = ("household", "0.2kW", "household", "0.35kW", "0.5kW", "household", "0.8kW")
"""What is drawn behind the meters, in turn."""
_WORKSHOP, _WORKSHOP_EACH, _WORKSHOP_PLACE = "3.5kW", 23, 9
"""What a workshop draws, one meter in so many: its credit lasts until the afternoon."""
_SURNAMES = (
    "Wang",
    "Li",
    "Zhang",
    "Liu",
    "Chen",
    "Yang",
    "Zhao",
    "Huang",
    "Zhou",
    "Wu",
    "Xu",
    "Sun",
)
_NAMES = ("Wei", "Fang", "Na", "Min", "Jing", "Li", "Qiang", "Lei", "Yan", "Jie", "Ping")
_STREETS = ("North Gate", "East Bridge", "South Market", "West Lake")


@dataclass(frozen=True, slots=True)
class Home:
    """A supply point of the story with its meter and its customer."""

    unit: int
    station: str
    port: str
    is_new: bool
    """Its meter's account is unopened, and its customer comes today."""
    buys_by_card: bool

    @property
    def serial(self) -> str:
        """Serial number of the meter."""
        return f"{self.unit:012}"

    @property
    def customer(self) -> str:
        """Name of the customer."""
        surname, name = _SURNAMES[self.unit % len(_SURNAMES)], _NAMES[self.unit % len(_NAMES)]
        return f"{surname} {name}"

    @property
    def address(self) -> str:
        """Address of the supply point."""
        return f"{self.unit} {_STREETS[(int(self.station) - 101) % len(_STREETS)]} Street"

    @property
    def is_workshop(self) -> bool:
        """Whether its credit does not last for the day."""
        return not self.is_new and self.unit % _WORKSHOP_EACH == _WORKSHOP_PLACE

    @property
    def load(self) -> str:
        """What is drawn behind the meter, as `meter-sim` takes it."""
        return _WORKSHOP if self.is_workshop else _LOADS[self.unit % len(_LOADS)]


@dataclass(frozen=True, slots=True)
class Plan:
    """How large the story is.

    At each station `wire_sales` are made by wire, and `cards` customers buy twice by card; four
    further sales are events of their own.
    """

    stations: int = 4
    meters: int = 50
    new_meters: int = 4
    wire_sales: int = 10
    cards: int = 2
    waits: bool = True
    silence: tuple[str, ...] = ("request_lost", "on")
    """The fault that makes a meter silent."""

    @property
    def station_codes(self) -> tuple[str, ...]:
        """Codes of the stations."""
        return tuple(f"{101 + number:04}" for number in range(self.stations))

    @property
    def sales(self) -> int:
        """Sales for money in the whole story."""
        return self.stations * (self.wire_sales + 2 * self.cards) + SINGLE_SALES

    def homes(self) -> Iterator[Home]:
        """Yield the supply points, a station after the other; the new ones are its last."""
        for number, station in enumerate(self.station_codes):
            for place in range(self.meters):
                unit = number * self.meters + place + 1
                first_new = self.meters - self.new_meters
                buys_by_card = first_new <= place < first_new + self.cards
                yield Home(unit, station, f"bus-{station}", place >= first_new, buys_by_card)


WHOLE = Plan()
SMALL = Plan(
    stations=2, meters=6, new_meters=2, wire_sales=1, cards=1, waits=False,
    silence=("exception", "on", "--value", "11"),
)  # fmt: skip
"""For tests: nothing is waited for; that the meter is silent is answered at once (0B)."""
