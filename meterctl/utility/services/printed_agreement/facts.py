"""What stands on a printed agreement, gathered from the books; what is not known is None."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from meterctl.utility.model.agreement import Agreement, AgreementMode, AgreementVersion
from meterctl.utility.model.metering import Meter
from meterctl.utility.model.organisation import Organisation
from meterctl.utility.model.party import CustomerClass, Party, SupplyPoint
from meterctl.utility.model.work import Order, OrderKind
from meterctl.utility.rules.calendar import local_date
from meterctl.utility.rules.law import BILL_DUE, LOWEST_SALE
from meterctl.utility.rules.numbering import masked_party_number
from meterctl.utility.rules.terms import Terms, terms_of_json
from meterctl.utility.rules.transitions import CommandState
from meterctl.utility.store.queries.organisation import company, station_of
from meterctl.utility.store.queries.points import meter_at_point
from meterctl.utility.store.settings import value
from meterctl.utility.store.unit_of_work import UnitOfWork
from protocols.data_model.tariff import PART_NAMES, DayTables, Prices, Steps
from protocols.replacements import printable
from protocols.tariff_file import KEYS_OF_PARTS, read_tariff, unchecked_tariff
from protocols.toml_text import parse_toml

LONGEST = 120
"""Characters of a name or an address that are printed; a longer one ends with an ellipsis."""
_PARTS = (Prices, Steps, DayTables)
"""The parts of a tariff that are printed."""
_KEYS = tuple(key for part in _PARTS for key in KEYS_OF_PARTS[part])


@dataclass(frozen=True, slots=True)
class PriceFacts:
    """Prices that are agreed, or that the meter was read to have; a part is None if not known.

    `read_on` is the date of the reading that some of them are of; None: all are agreed.
    """

    prices: Prices | None = None
    steps: Steps | None = None
    day_tables: DayTables | None = None
    read_on: date | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts of one version of an agreement. Money in 0.01, power in mW.

    Attributes:
        id_number: of the customer, masked.
        boundary: where the utility's property ends (产权分界); empty: it is not written down.
        meter: serial number; None: none is installed yet.
        due_days: from a bill's issue to the date on which it is due.
        lowest_sale: lowest amount of a sale.
    """

    company: str
    station: str
    number: str
    version: int
    mode: AgreementMode
    effective_on: date
    party_number: str
    name: str
    id_number: str | None
    point: str
    address: str
    customer_class: CustomerClass
    capacity_mw: int
    boundary: str
    meter: str | None
    read_day: int
    due_days: int
    lowest_sale: int
    terms: Terms
    price: PriceFacts


def facts_of(work: UnitOfWork, agreement: Agreement, version: AgreementVersion) -> Facts:
    """Return the facts of a version as they stand now."""
    session = work.session
    party = session.get_one(Party, agreement.party_id)
    point = session.get_one(SupplyPoint, agreement.point_id)
    node = session.get_one(Organisation, point.node_id)
    meter = meter_at_point(session, point.id)
    terms = terms_of_json(version.terms)
    on = version.effective_on
    return Facts(
        company=_cut(company(session).name),
        station=_cut((station_of(session, node) or node).name),
        number=agreement.number,
        version=version.n,
        mode=agreement.mode,
        effective_on=on,
        party_number=party.number,
        name=_cut(party.name),
        id_number=None if party.id_number is None else masked_party_number(party.id_number),
        point=point.number,
        address=_cut(point.address),
        customer_class=point.customer_class,
        capacity_mw=point.capacity_mw,
        boundary=_cut(point.boundary.strip()),
        meter=None if meter is None else meter.serial,
        read_day=point.read_day,
        due_days=value(session, BILL_DUE, node.id, point.customer_class, on),
        lowest_sale=value(session, LOWEST_SALE, node.id, point.customer_class, on),
        terms=terms,
        price=_price(work, terms, meter),
    )


def _price(work: UnitOfWork, terms: Terms, meter: Meter | None) -> PriceFacts:
    agreed = {} if terms.tariff_text is None else _parts(parse_toml(terms.tariff_text))
    missing = any(PART_NAMES[kind] not in agreed for kind in _PARTS)
    read = None if meter is None or not missing else _read(work.session, meter)
    if read is None:
        return PriceFacts(**agreed)
    current = {name: json.loads(text, parse_float=str) for name, text in read.tariff.items()}
    return PriceFacts(
        **{**_parts(current), **agreed}, read_on=local_date(read.at, work.database.zone)
    )


def _cut(text: str) -> str:
    """Return a text of the books as it is printed: the sheet has one page."""
    shown = printable(text)
    return shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 1]}…"


@dataclass(frozen=True, slots=True)
class _Read:
    """The tariff that a meter was read to have: the values of its keys as JSON, and when, ms."""

    tariff: Mapping[str, str]
    at: int


def _read(session: Session, meter: Meter) -> _Read | None:
    """Return the tariff of the newest reading of what a meter is set to; None: there is none."""
    row = session.execute(
        select(Order.outcome, Order.changed_at)
        .where(
            Order.meter_id == meter.id,
            Order.kind == OrderKind.READ,
            Order.command_state == CommandState.DONE,
            Order.parameters["terms"].as_boolean().is_not(None),
        )
        .order_by(Order.id.desc())
        .limit(1)
    ).one_or_none()
    current = None if row is None else (row.outcome or {}).get("current")
    return None if row is None or not current else _Read(current, row.changed_at)


def _parts(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts of a tariff that a table has, by their names."""
    given = {key: table[key] for key in _KEYS if key in table}
    tariff = unchecked_tariff(read_tariff(given))
    named = {PART_NAMES[kind]: given.keys() & KEYS_OF_PARTS[kind] for kind in _PARTS}
    return {name: getattr(tariff, name) for name, keys in named.items() if keys}
