"""Agreements by what people know of a customer: numbers, meter, telephone, card, name, address.

Whole numbers are found by indexes. A part of a name, of an address or of a telephone number has
none that both engines know: its table alone is read through, a page of what is found at a time, and
only as far as it takes to find enough that the person may see.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, String, and_, case, cast, select
from sqlalchemy.orm import Session

from meterctl.utility.model.agreement import Agreement
from meterctl.utility.model.metering import Installation, Meter
from meterctl.utility.model.money import Sale
from meterctl.utility.model.organisation import Organisation
from meterctl.utility.model.party import Party, SupplyPoint
from meterctl.utility.rules.transitions import AgreementState

POINT_DIGITS = METER_DIGITS = 12
LAST_DIGITS = 4
"""A telephone number is found by at least so many of its last digits."""
_PAGE = 500
"""What is found of a table before it is looked up who may see it."""
_IN_JSON = 3
"""Last digits by which lists of telephone numbers are chosen; spaces may stand before them."""

_NO_DIGITS = re.compile(r'[^0-9"]')


class Matched(StrEnum):
    """What of a customer is what was looked for."""

    AGREEMENT = "agreement"
    POINT = "point"
    METER = "meter"
    CARD = "card"
    CUSTOMER = "customer"
    PHONE = "phone"
    POINT_BEGINS = "point_begins"
    METER_BEGINS = "meter_begins"
    NAME = "name"
    ADDRESS = "address"

    @property
    def is_whole(self) -> bool:
        """Whether one thing is named, so that nothing else is meant."""
        return self in (
            Matched.AGREEMENT, Matched.POINT, Matched.METER, Matched.CARD, Matched.CUSTOMER
        )  # fmt: skip


def found_agreements(
    session: Session, within: ColumnElement[bool], by: Matched, text: str, limit: int
) -> list[Any]:
    """Return agreements by one thing; those in force come first.

    Args:
        within: the condition of the nodes that the person sees (`Organisation.path`).
        by: what is looked at.
        text: what it is, or begins with, or has as a part; of a telephone number its last digits.
        limit: how many at most.

    Returns:
        Rows `id, number, state, mode, point, address, meter, name, id_number`.
    """
    found: list[Any] = []
    owner = _OWNERS[by]
    closed = case((Agreement.state == AgreementState.CLOSED, 1), else_=0)
    for page in _pages(session, by, text):
        wanted = _wanted(within).where(owner.in_(page)).order_by(closed, owner, Agreement.id)
        found += session.execute(wanted.limit(limit - len(found)))
        if len(found) >= limit:
            break
    return found


_OWNERS: dict[Matched, Any] = {
    Matched.AGREEMENT: Agreement.id,
    Matched.CARD: Agreement.id,
    Matched.CUSTOMER: Party.id,
    Matched.PHONE: Party.id,
    Matched.NAME: Party.id,
    Matched.POINT: SupplyPoint.id,
    Matched.POINT_BEGINS: SupplyPoint.id,
    Matched.METER: SupplyPoint.id,
    Matched.METER_BEGINS: SupplyPoint.id,
    Matched.ADDRESS: SupplyPoint.id,
}
"""What has the numbers that are found first."""


def _pages(session: Session, by: Matched, text: str) -> Iterator[list[int]]:
    """Yield the numbers of the owners that match, in their order."""
    number, wanted = _matching(session, by, text)
    last = 0
    while True:
        rows = session.execute(wanted.where(number > last).order_by(number).limit(_PAGE)).all()
        found = [row[0] for row in rows if by is not Matched.PHONE or _ends(row[1], text)]
        if found:
            yield found
        if len(rows) < _PAGE:
            return
        last = rows[-1][0]


def _matching(session: Session, by: Matched, text: str) -> tuple[Any, Select[*tuple[Any, ...]]]:
    """Return the number of the owner, and the statement that selects it from one table."""
    installed = select(Installation.point_id).where(Installation.to_at.is_(None))
    of_meter = installed.join(Meter, Meter.id == Installation.meter_id)
    match by:
        case Matched.AGREEMENT:
            return Agreement.id, select(Agreement.id).where(Agreement.number == text)
        case Matched.CARD:
            of_card = select(Sale.agreement_id).where(Sale.card.is_not(None), Sale.card == text)
            return Sale.agreement_id, of_card
        case Matched.CUSTOMER:
            return Party.id, select(Party.id).where(Party.number == text)
        case Matched.PHONE:
            phones = cast(Party.phones, String)
            ends = phones.contains(f'{text[-_IN_JSON:]}"', autoescape=True)
            return Party.id, select(Party.id, phones).where(ends)
        case Matched.NAME:
            return Party.id, select(Party.id).where(_contains(session, Party.name, text))
        case Matched.POINT:
            return SupplyPoint.id, select(SupplyPoint.id).where(SupplyPoint.number == text)
        case Matched.POINT_BEGINS:
            begins = _begins(SupplyPoint.number, text, POINT_DIGITS)
            return SupplyPoint.id, select(SupplyPoint.id).where(begins)
        case Matched.METER:
            return Installation.point_id, of_meter.where(Meter.serial == text)
        case Matched.METER_BEGINS:
            begins = _begins(Meter.serial, text, METER_DIGITS)
            return Installation.point_id, of_meter.where(begins)
        case Matched.ADDRESS:
            contains = _contains(session, SupplyPoint.address, text)
            return SupplyPoint.id, select(SupplyPoint.id).where(contains)


def _wanted(within: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    installed = and_(Installation.point_id == SupplyPoint.id, Installation.to_at.is_(None))
    return (
        select(
            Agreement.id, Agreement.number, Agreement.state, Agreement.mode,
            SupplyPoint.number.label("point"), SupplyPoint.address, Meter.serial.label("meter"),
            Party.name, Party.id_number,
        )
        .join(Party, Party.id == Agreement.party_id)
        .join(SupplyPoint, SupplyPoint.id == Agreement.point_id)
        .join(Organisation, Organisation.id == SupplyPoint.node_id)
        .outerjoin(Installation, installed)
        .outerjoin(Meter, Meter.id == Installation.meter_id)
        .where(within)
    )  # fmt: skip


def _begins(column: Any, digits: str, length: int) -> ColumnElement[bool]:
    """Return the condition that a number of a known length begins with digits."""
    lowest, highest = digits.ljust(length, "0"), digits.ljust(length, "9")
    between: ColumnElement[bool] = column.between(lowest, highest)
    return between


def _contains(session: Session, column: Any, text: str) -> ColumnElement[bool]:
    """Return the condition that a text has another one as a part; small letters are capitals.

    On SQLite they are so already, and what would say so costs twice the time.
    """
    is_postgresql = session.get_bind().dialect.name == "postgresql"
    if is_postgresql and text.lower() != text.upper():
        ignoring_case: ColumnElement[bool] = column.icontains(text, autoescape=True)
        return ignoring_case
    contains: ColumnElement[bool] = column.contains(text, autoescape=True)
    return contains


def _ends(phones: str, digits: str) -> bool:
    """Return whether one of a list of telephone numbers (JSON) ends with digits."""
    return f'{digits}"' in _NO_DIGITS.sub("", phones)
