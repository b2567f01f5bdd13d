"""What a row of older books becomes in the archive: point, customer, meter, and its agreement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, select

from meterctl.utility.errors import Invalid, Refused
from meterctl.utility.model.agreement import Agreement, AgreementMode
from meterctl.utility.model.metering import Meter
from meterctl.utility.model.organisation import Organisation
from meterctl.utility.model.party import CustomerClass, Party, SupplyPoint
from meterctl.utility.rules.rights import Action
from meterctl.utility.rules.takeover_file import TakeoverRow
from meterctl.utility.rules.terms import default_terms
from meterctl.utility.rules.typed_text import power, whole, word
from meterctl.utility.services.agreements import add_agreement, add_version, checked_terms
from meterctl.utility.services.archive import customers, meters, points
from meterctl.utility.store.queries.agreements import live_agreement
from meterctl.utility.store.queries.points import (
    find_meter,
    find_party,
    find_point,
    find_port,
    point_of_meter,
)
from meterctl.utility.store.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True)
class ArchivedRow:
    """What a row has become in the archive; `values` are of the proposal that takes it over."""

    agreement: Agreement
    point: SupplyPoint
    meter: Meter
    values: dict[str, Any]


def archive_row(
    work: UnitOfWork, row: TakeoverRow, terms: Mapping[str, Mapping[str, Any]]
) -> ArchivedRow:
    """Write what a row names into the archive, and its agreement that waits.

    Args:
        terms: JSON of `rules.terms` by the name under which a row has it.

    Raises:
        Invalid, Refused, NotFound: the row says what cannot be, or what the archive has otherwise.
    """
    mode = word(AgreementMode, row.cells["mode"] or AgreementMode.METER, "mode")
    agreed = None
    if row.terms:
        if row.terms not in terms:
            raise Invalid("terms", f"terms {row.terms!r} were not given")
        agreed = checked_terms(terms[row.terms], mode)
    point = _point(work, row)
    work.require(Action.TAKEOVER_PROPOSE, point.node_id)
    party = _party(work, row, point)
    meter = _meter(work, row, point)
    held = live_agreement(work.session, point.id)
    if held is not None:
        raise Refused("has_agreement", f"point {point.number} has agreement {held.number} already")
    agreement = add_agreement(work, party, point, mode)
    in_meter = mode is AgreementMode.METER
    draft = agreed or default_terms(in_meter=in_meter)
    add_version(work, agreement, draft, work.today)
    values = {
        "line": row.line,
        "agreement": agreement.id,
        "meter": meter.id,
        "bills": [[bill.month, bill.amount, bill.due_on.isoformat()] for bill in row.bills],
        "advance": row.advance,
        "terms": None if agreed is None else agreed.model_dump(),
    }
    return ArchivedRow(agreement, point, meter, values)


def _point(work: UnitOfWork, row: TakeoverRow) -> SupplyPoint:
    """Return the point of a row: the one that it names, that of its meter, or a new one."""
    cells, known = row.cells, known_point(work, row)
    if known is not None:
        _require_same(
            row,
            node=work.session.get_one(Organisation, known.node_id).code,
            address=known.address,
        )
        return known
    added = points.add(
        work,
        node=cells["node"],
        address=cells["address"],
        customer_class=word(CustomerClass, cells["class"] or CustomerClass.RESIDENT, "class"),
        capacity_mw=power(cells["capacity"], "capacity"),
        boundary=cells["boundary"],
        route=cells["route"],
        read_day=whole(cells["read_day"] or "1", "read_day"),
        number=cells["point"],
        station_is_locked=True,
    )
    return find_point(work.session, added["number"])


def known_point(work: UnitOfWork, row: TakeoverRow) -> SupplyPoint | None:
    """Return the point that a row names, else the one where its meter is; None: it is new."""
    number = row.cells["point"]
    if number:
        return work.session.scalars(
            select(SupplyPoint).where(SupplyPoint.number == number)
        ).one_or_none()
    meter = _known_meter(work, row)
    return None if meter is None else point_of_meter(work.session, meter.id)


def _party(work: UnitOfWork, row: TakeoverRow, point: SupplyPoint) -> Party:
    """Return the customer of a row, added where the archive has none."""
    cells = row.cells
    known = work.session.scalars(_parties(cells, point)).first()
    if known is not None:
        _require_same(row, name=known.name)
        return known
    added = customers.add(
        work,
        number=cells["customer"],
        name=cells["name"],
        id_number=cells["id_number"],
        phones=cells["phones"].replace("/", ";").split(";"),
    )
    work.session.flush()
    return find_party(work.session, added["number"])


def _parties(cells: Mapping[str, str], point: SupplyPoint) -> Select[Party]:
    """Return the query of the customer: by number, by identity number, by name at the point."""
    if cells["customer"]:
        return select(Party).where(Party.number == cells["customer"])
    if cells["id_number"]:
        return select(Party).where(Party.id_number == "".join(cells["id_number"].split()).upper())
    return (
        select(Party)
        .join(Agreement, Agreement.party_id == Party.id)
        .where(Agreement.point_id == point.id, Party.name == cells["name"])
        .order_by(Agreement.id.desc())
    )


def _meter(work: UnitOfWork, row: TakeoverRow, point: SupplyPoint) -> Meter:
    """Return the meter of a row at its point, added where the archive has none."""
    port = find_port(work.session, row.cells["port"])
    known = _known_meter(work, row)
    if known is None:
        meters.add(work, serial=row.meter, port=port.name, unit=row.unit, point=point.number)
        return find_meter(work.session, row.meter)
    if (known.port_id, known.unit) != (port.id, row.unit):
        raise Refused("another_wire", f"the archive has meter {row.meter} on another port or unit")
    at = point_of_meter(work.session, known.id)
    if at is None or at.id != point.id:
        where = "nowhere" if at is None else f"at point {at.number}"
        raise Refused("installed", f"meter {row.meter} is installed {where}, not there")
    return known


def _known_meter(work: UnitOfWork, row: TakeoverRow) -> Meter | None:
    return work.session.scalars(select(Meter).where(Meter.serial == row.meter)).one_or_none()


def _require_same(row: TakeoverRow, **archived: str) -> None:
    """Refuse a row that has something otherwise than the archive."""
    for name, value in archived.items():
        if row.cells[name] and row.cells[name] != value:
            raise Refused("another_value", f"the archive has {name} {value!r}")
