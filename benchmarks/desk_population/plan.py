"""Who has which number: rows of different tables name each other without being looked up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple, Self

from sqlalchemy import Connection, func, select

from meterctl.utility.model.organisation import Organisation, Staff
from protocols.quantities import DAY, HOUR
from tests.support.desk_world import NOON, TODAY

STATIONS, DISTRICTS, VENDORS = 20, 10, 2
"""Stations of the company, districts and vendors of each."""
DAYS = 80
SALES, READINGS = 2, 5
"""Of a customer."""
AMOUNT, COST, OPENING = 50_00, 10_00, 80_00
"""Of a sale, of a reading, at the taking over; 0.01."""
UNKNOWN, TAKEN, ON_CARD = 20, 40, 200
"""Sales that are on their way."""
EPOCH = 7
MORNING = NOON - 14 * HOUR
"""08:13 of TODAY."""
_FACTOR = 7919
"""A prime: customers buy in another order than that of their numbers."""


class PlannedSale(NamedTuple):
    """A sale: its customer, the day from 0, the shift, the instant and the state."""

    customer: int
    day: int
    shift: int
    at: int
    state: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The numbers of rows; customers, their points, meters and agreements have the same ones.

    Attributes:
        customers: how many; they are numbered from 1.
        first_node: the first station's; its districts follow it.
        first_staff: the first vendor's.
    """

    customers: int
    company: int
    first_node: int
    first_staff: int

    @classmethod
    def of(cls, connection: Connection, customers: int) -> Self:
        """Return the plan of a desk that was just founded."""
        company = connection.scalar(select(func.min(Organisation.id))) or 0
        staff = connection.scalar(select(func.max(Staff.id))) or 0
        return cls(customers, company, company + 1, staff + 1)

    @property
    def sales(self) -> int:
        """How many sales there are, numbered from 1."""
        return SALES * self.customers

    @property
    def shifts(self) -> int:
        """How many shifts there are, numbered from 1."""
        return DAYS * STATIONS * VENDORS

    def station_node(self, station: int) -> int:
        """Return the node of a station, from 0."""
        return self.first_node + station * (1 + DISTRICTS)

    def district_node(self, customer: int) -> int:
        """Return the node of a customer's district."""
        return self.station_node(station_of(customer)) + 1 + customer // STATIONS % DISTRICTS

    def vendor(self, station: int, vendor: int) -> int:
        """Return the staff number of a vendor, from 0 at each station."""
        return self.first_staff + station * VENDORS + vendor

    def shift(self, day: int, station: int, vendor: int) -> int:
        """Return the shift of a vendor on a day."""
        return 1 + (day * STATIONS + station) * VENDORS + vendor

    def sale(self, n: int) -> PlannedSale:
        """Return a sale."""
        customer = 1 + (n * _FACTOR) % self.customers
        day = (n - 1) * DAYS // self.sales
        shift = self.shift(day, station_of(customer), n % VENDORS)
        return PlannedSale(
            customer, day, shift, morning(day) + n % 1000 * 20_000, self._state_of(n)
        )

    def _state_of(self, n: int) -> str:
        quarter = self.sales // 4
        if n > self.sales - TAKEN:
            return "taken"
        if n > self.sales - TAKEN - UNKNOWN:
            return "unknown"
        if n <= quarter and n % max(1, quarter // ON_CARD) == 0:
            return "on_card"
        return "delivered"


def station_of(customer: int) -> int:
    """Return the station of a customer, from 0."""
    return customer % STATIONS


def code_of(station: int) -> str:
    """Return the code of a station's node."""
    return f"{station + 11:04}"


def agreement_of(customer: int) -> str:
    """Return the number of a customer's agreement."""
    return f"{code_of(station_of(customer))}-2026-{customer // STATIONS + 1:06}"


def date_of(day: int) -> date:
    """Return the date of a day of the history; the last one is TODAY."""
    return TODAY - timedelta(DAYS - 1 - day)


def morning(day: int) -> int:
    """Return when the shifts of a day were opened, ms."""
    return MORNING - (DAYS - 1 - day) * DAY
