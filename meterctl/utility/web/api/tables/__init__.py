"""The operations of the API, one file a part of the desk, each with its table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from meterctl.utility.web.api.operations import Operation
from meterctl.utility.web.api.tables import (
    agreements,
    archive,
    banking,
    books,
    money,
    papers,
    people,
    readings,
    work,
)

OPERATIONS: Mapping[str, Sequence[Operation]] = {
    "organisation": people.ORGANISATION,
    "staff": people.STAFF,
    "settings": people.SETTINGS,
    "customers": archive.CUSTOMERS,
    "points": archive.POINTS,
    "ports": archive.PORTS,
    "meters": archive.METERS,
    "agreements": agreements.AGREEMENTS,
    "papers": papers.PAPERS,
    "takeover": agreements.TAKEOVERS,
    "readings": readings.READINGS,
    "shifts": money.SHIFTS,
    "sales": money.SALES,
    "payments": money.PAYMENTS,
    "receipts": money.RECEIPTS,
    "banks": banking.BANKS,
    "orders": work.ORDERS,
    "tasks": work.TASKS,
    "books": books.BOOKS,
    "desk": books.DESK,
}
"""Tag -> its operations, in the order of the description."""
