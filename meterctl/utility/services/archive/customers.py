"""Customers (客户). Telephone numbers and identity numbers are masked, also in the audit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from meterctl.utility.errors import Conflict, Invalid, NotPermitted
from meterctl.utility.model.agreement import Agreement
from meterctl.utility.model.organisation import Organisation
from meterctl.utility.model.party import Party, SupplyPoint
from meterctl.utility.rules.numbering import masked_party_number, masked_phone, party_number
from meterctl.utility.rules.rights import Action
from meterctl.utility.services.inserting import insert
from meterctl.utility.store.queries.points import find_party
from meterctl.utility.store.rights import is_within, require_anywhere
from meterctl.utility.store.unit_of_work import Actor, UnitOfWork

_NUMBER = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,19}")
_PHONE = re.compile(r"\+?[0-9][0-9 -]{4,18}[0-9]")
PHONES = 5
"""Telephone numbers of a customer at most."""


def add(
    work: UnitOfWork,
    *,
    name: str,
    id_number: str = "",
    phones: Sequence[str] = (),
    protected: bool = False,
    number: str = "",
) -> dict[str, Any]:
    """Add a customer.

    Args:
        id_number: resident identity number or unified social credit code; empty: none is known.
        protected: a person there depends on the supply (医疗).
        number: of an older archive; empty: one is drawn.

    Raises:
        Conflict: the number is in use, or another customer has the identity number.
        Invalid: a value is not one.
    """
    require_anywhere(work.actor, Action.CUSTOMER_EDIT)
    if number and not _NUMBER.fullmatch(number):
        raise Invalid(
            "customer_number",
            f"{number!r}: a number has at most 20 letters and digits; nothing was changed",
        )
    party = Party(
        number=number or f"new {work.key}",
        name=_checked_name(name),
        id_number=_checked_id(work, id_number, None),
        phones=_checked_phones(phones),
        protected=protected,
    )
    insert(work, party, f"customer {number}")
    if not number:
        party.number = f"C{party.id:07}"
    work.audit(Action.CUSTOMER_EDIT, party, None, masked(party))
    return masked(party)


def edit(
    work: UnitOfWork,
    *,
    number: str,
    version: int,
    name: str | None = None,
    id_number: str | None = None,
    phones: Sequence[str] | None = None,
    protected: bool | None = None,
) -> dict[str, Any]:
    """Change a customer; what is None stays.

    Raises:
        Stale: the customer has another version than the one that was seen.
        Conflict, Invalid: as `add`.
    """
    found = find_party(work.session, number)
    _require(work.session, work.actor, Action.CUSTOMER_EDIT, found)
    party = work.lock(Party, found.id, version)
    before = masked(party)
    if name is not None:
        party.name = _checked_name(name)
    if id_number is not None:
        party.id_number = _checked_id(work, id_number, party)
    if phones is not None:
        party.phones = _checked_phones(phones)
    if protected is not None:
        party.protected = protected
    party.version += 1
    work.audit(Action.CUSTOMER_EDIT, party, before, masked(party))
    return masked(party)


def unmask(work: UnitOfWork, *, number: str, reason: str) -> dict[str, Any]:
    """Write down that a customer's telephone and identity numbers are shown, and why.

    The answer is kept with the request, so it is masked: `secrets_of` has what is shown.
    """
    party = find_party(work.session, number)
    _require(work.session, work.actor, Action.CUSTOMER_UNMASK, party)
    work.audit(Action.CUSTOMER_UNMASK, party, None, None, reason)
    return masked(party)


def show(session: Session, actor: Actor, number: str) -> dict[str, Any]:
    """Return a customer, masked, with the points of the customer's at the person's nodes."""
    party = find_party(session, number)
    _require(session, actor, Action.CUSTOMER_READ, party)
    points = session.scalars(
        select(SupplyPoint.number)
        .join(Agreement, Agreement.point_id == SupplyPoint.id)
        .join(Organisation, Organisation.id == SupplyPoint.node_id)
        .where(Agreement.party_id == party.id, is_within(actor, Action.CUSTOMER_READ))
        .order_by(SupplyPoint.number)
    )
    return {**masked(party), "points": list(points)}


def secrets_of(session: Session, actor: Actor, number: str) -> dict[str, Any]:
    """Return what `show` masks; the caller has written down with `unmask` that it is shown."""
    party = find_party(session, number)
    _require(session, actor, Action.CUSTOMER_UNMASK, party)
    return {"id_number": party.id_number, "phones": list(party.phones)}


def list_(
    session: Session, actor: Actor, text: str | None, limit: int, after: str | None = None
) -> list[dict[str, Any]]:
    """Return customers by number, masked: those in the person's nodes, and those without a point.

    Args:
        text: a part of the name, or the whole number.
        after: a number: only higher ones.
    """
    require_anywhere(actor, Action.CUSTOMER_READ)
    rows = select(Party).where(or_(~_has_agreement(), _is_within(actor, Action.CUSTOMER_READ)))
    if text is not None:
        rows = rows.where(or_(Party.name.contains(text, autoescape=True), Party.number == text))
    if after is not None:
        rows = rows.where(Party.number > after)
    return [masked(party) for party in session.scalars(rows.order_by(Party.number).limit(limit))]


def masked(party: Party) -> dict[str, Any]:
    """Return a customer's values with masked telephone and identity numbers."""
    return {
        "number": party.number,
        "name": party.name,
        "id_number": None if party.id_number is None else masked_party_number(party.id_number),
        "phones": [masked_phone(phone) for phone in party.phones],
        "protected": party.protected,
        "version": party.version,
    }


def _has_agreement() -> Any:
    return exists().where(Agreement.party_id == Party.id)


def _is_within(actor: Actor, action: Action) -> Any:
    """Return the condition that a customer has an agreement in a node of the person's."""
    return exists().where(
        Agreement.party_id == Party.id,
        SupplyPoint.id == Agreement.point_id,
        Organisation.id == SupplyPoint.node_id,
        is_within(actor, action),
    )


def _require(session: Session, actor: Actor, action: Action, party: Party) -> None:
    """Refuse an action about a customer: at none of the customer's nodes a grant allows it.

    A customer without an agreement belongs to no node: a grant at any node does.
    """
    require_anywhere(actor, action)
    allowed = select(Party.id).where(
        Party.id == party.id, or_(~_has_agreement(), _is_within(actor, action))
    )
    if session.scalars(allowed).first() is None:
        raise NotPermitted(
            "not_allowed",
            f"{actor.number}: {action} is not allowed for {party.number}; nothing was changed",
        )


def _checked_name(name: str) -> str:
    if not name.strip():
        raise Invalid("name", "a customer needs a name; nothing was changed")
    return name.strip()


def _checked_phones(phones: Sequence[str]) -> list[str]:
    """Return telephone numbers, each once; raises Invalid."""
    found = list(dict.fromkeys(phone.strip() for phone in phones if phone.strip()))
    for phone in found:
        if not _PHONE.fullmatch(phone):
            raise Invalid("phone", f"{phone!r} is no telephone number; nothing was changed")
    if len(found) > PHONES:
        raise Invalid("phone", f"at most {PHONES} telephone numbers; nothing was changed")
    return found


def _checked_id(work: UnitOfWork, text: str, own: Party | None) -> str | None:
    """Return an identity number, None where there is none; raises Invalid, Conflict."""
    if not text.strip():
        return None
    found = party_number(text).number
    other = work.session.scalars(select(Party).where(Party.id_number == found)).first()
    if other is not None and other is not own:
        raise Conflict(
            "id_number", f"customer {other.number} has this identity number; nothing was changed"
        )
    return found
