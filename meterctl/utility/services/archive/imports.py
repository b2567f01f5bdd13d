"""Import of an archive from rows of a CSV file: the whole file or nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from meterctl.utility.errors import DeskError, NotPermitted
from meterctl.utility.model.organisation import OrganisationKind
from meterctl.utility.model.party import CustomerClass
from meterctl.utility.rules.csv_rows import Columns, CsvRow, Mistakes
from meterctl.utility.rules.typed_text import flag, power, whole, word
from meterctl.utility.services import organisation
from meterctl.utility.services.archive import customers, meters, points, ports
from meterctl.utility.store.unit_of_work import UnitOfWork

Cells = Mapping[str, str]


class ImportKind(StrEnum):
    """What the rows of a file are."""

    ORG = "org"
    CUSTOMER = "customer"
    POINT = "point"
    PORT = "port"
    METER = "meter"


@dataclass(frozen=True, slots=True)
class _Import:
    """The columns of a kind, how a row is added, and what is locked before the first."""

    columns: Columns
    add: Callable[[UnitOfWork, Cells], Any]
    lock: Callable[[UnitOfWork, Sequence[CsvRow]], None] | None = None


def import_rows(work: UnitOfWork, kind: ImportKind, rows: Sequence[CsvRow]) -> dict[str, Any]:
    """Add what each row names.

    Raises:
        Invalid: a line for each wrong row (`csv`); nothing was changed.
        NotPermitted: no role of the person's allows it.
    """
    how = _IMPORTS[kind]
    if how.lock is not None:
        how.lock(work, rows)
    mistakes = Mistakes()
    for row in rows:
        try:
            with work.session.begin_nested():
                how.add(work, row.cells)
        except NotPermitted:
            raise
        except DeskError as error:
            mistakes.add(row.line, str(error).removesuffix("; nothing was changed"))
    mistakes.refuse_any()
    return {"kind": kind.value, "rows": len(rows)}


def columns_of(kind: ImportKind) -> Columns:
    """Return the columns of a file of a kind."""
    return _IMPORTS[kind].columns


def _add_node(work: UnitOfWork, cells: Cells) -> None:
    organisation.add(
        work,
        parent=cells["parent"],
        kind=word(OrganisationKind, cells["kind"], "kind"),
        code=cells["code"],
        name=cells["name"],
    )


def _add_customer(work: UnitOfWork, cells: Cells) -> None:
    customers.add(
        work,
        number=cells["number"],
        name=cells["name"],
        id_number=cells["id_number"],
        phones=cells["phones"].replace("/", ";").split(";"),
        protected=flag(cells["protected"], "protected"),
    )


def _add_point(work: UnitOfWork, cells: Cells) -> None:
    points.add(
        work,
        number=cells["number"],
        node=cells["node"],
        address=cells["address"],
        customer_class=word(CustomerClass, cells["class"], "class"),
        capacity_mw=power(cells["capacity"], "capacity"),
        boundary=cells["boundary"],
        route=cells["route"],
        read_day=whole(cells["read_day"] or "1", "read_day"),
        station_is_locked=True,
    )


def _add_port(work: UnitOfWork, cells: Cells) -> None:
    ports.add(
        work,
        name=cells["name"],
        node=cells["node"],
        url=cells["url"],
        protocol=cells["protocol"] or ports.DEFAULT_PROTOCOL,
    )


def _add_meter(work: UnitOfWork, cells: Cells) -> None:
    meters.add(
        work,
        serial=cells["serial"],
        port=cells["port"],
        unit=whole(cells["unit"] or "1", "unit"),
        point=cells["point"],
    )


def _lock_stations(work: UnitOfWork, rows: Sequence[CsvRow]) -> None:
    points.lock_stations(work, {row.cells["node"] for row in rows})


_IMPORTS: Mapping[ImportKind, _Import] = {
    ImportKind.ORG: _Import(Columns(("code", "kind", "parent", "name")), _add_node),
    ImportKind.CUSTOMER: _Import(
        Columns(("name",), ("number", "id_number", "phones", "protected")), _add_customer
    ),
    ImportKind.POINT: _Import(
        Columns(
            ("node", "address", "class", "capacity"), ("number", "boundary", "route", "read_day")
        ),
        _add_point,
        _lock_stations,
    ),
    ImportKind.PORT: _Import(Columns(("name", "node", "url"), ("protocol",)), _add_port),
    ImportKind.METER: _Import(Columns(("serial",), ("port", "unit", "point")), _add_meter),
}
