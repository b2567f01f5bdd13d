"""The organisation tree: company, branches, stations, districts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from meterctl.utility.errors import Invalid, Refused
from meterctl.utility.model.organisation import Organisation, OrganisationKind
from meterctl.utility.rules.rights import Action
from meterctl.utility.services.inserting import insert
from meterctl.utility.store.queries.organisation import company, find_node, nodes_below
from meterctl.utility.store.rights import is_around, require_anywhere, require_around
from meterctl.utility.store.unit_of_work import Actor, UnitOfWork

PARENTS: Mapping[OrganisationKind, tuple[OrganisationKind, ...]] = {
    OrganisationKind.COMPANY: (),
    OrganisationKind.BRANCH: (OrganisationKind.COMPANY,),
    OrganisationKind.STATION: (OrganisationKind.COMPANY, OrganisationKind.BRANCH),
    OrganisationKind.DISTRICT: (OrganisationKind.STATION,),
}
"""Kind of a node -> the kinds of nodes that it may lie in. A small company has no branches."""
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,19}")
_STATION_CODE = re.compile(r"[0-9]{4}")


def add(
    work: UnitOfWork, *, parent: str, kind: OrganisationKind, code: str, name: str
) -> dict[str, Any]:
    """Add a node below another one.

    Args:
        parent: code of the node that it lies in.
        code: unique in the company; of a station 4 digits, with which its points' numbers begin.

    Raises:
        Refused: a node of this kind cannot lie there.
        Conflict: the code is in use.
        Invalid: the code or the name is not one.
    """
    above = find_node(work.session, parent)
    work.require(Action.ORGANISATION_EDIT, above.id)
    if above.kind not in PARENTS[kind]:
        allowed = " or ".join(PARENTS[kind]) or "no other node"
        raise Refused(
            "wrong_parent",
            f"a {kind} lies in a {allowed}, and {parent} is a {above.kind}; nothing was changed",
        )
    _check_code(kind, code)
    node = insert(
        work,
        Organisation(
            parent_id=above.id,
            kind=kind,
            code=code,
            name=_checked_name(name),
            path=f"{above.path}{code}",  # its own number is not known yet
        ),
        f"node {code}",
    )
    node.path = f"{above.path}{node.id}/"
    work.audit(Action.ORGANISATION_EDIT, node, None, _values(node, above.code))
    return _values(node, above.code)


def rename(work: UnitOfWork, *, code: str, name: str, version: int | None = None) -> dict[str, Any]:
    """Give a node another name; raises Stale where it has another version than the one seen."""
    found = find_node(work.session, code)
    work.require(Action.ORGANISATION_EDIT, found.id)
    node = work.lock(Organisation, found.id, version)
    above = (
        "" if node.parent_id is None else work.session.get_one(Organisation, node.parent_id).code
    )
    before = {"name": node.name}
    node.name = _checked_name(name)
    node.version += 1
    work.audit(Action.ORGANISATION_EDIT, node, before, {"name": node.name})
    return _values(node, above)


def show(session: Session, actor: Actor, code: str) -> dict[str, Any]:
    """Return a node; raises NotFound, or NotPermitted where it is not around the person's."""
    node = find_node(session, code)
    require_around(session, actor, Action.ORGANISATION_READ, node.id)
    above = None if node.parent_id is None else session.get_one(Organisation, node.parent_id)
    return _values(node, "" if above is None else above.code)


def list_(session: Session, actor: Actor, code: str | None) -> list[dict[str, Any]]:
    """Return of a node and all below it the person's nodes, with those below and above them.

    Each stands after the one above it.

    Args:
        code: of the node; None: the company's.
    """
    require_anywhere(actor, Action.ORGANISATION_READ)
    top = company(session) if code is None else find_node(session, code)
    codes = {node.id: node.code for node in nodes_below(session, company(session))}
    around = select(Organisation.id).where(is_around(actor, Action.ORGANISATION_READ))
    seen = set(session.scalars(around))
    return [
        _values(node, codes.get(node.parent_id or 0, ""))
        for node in nodes_below(session, top)
        if node.id in seen
    ]


def _check_code(kind: OrganisationKind, code: str) -> None:
    """Refuse a code that is not one; raises Invalid."""
    if kind is OrganisationKind.STATION and not _STATION_CODE.fullmatch(code):
        raise Invalid(
            "node_code",
            f"{code!r}: a station's code has 4 digits, with which the numbers of its supply points "
            f"begin; nothing was changed",
        )
    if not _CODE.fullmatch(code):
        raise Invalid(
            "node_code", f"{code!r}: a code has at most 20 letters and digits; nothing was changed"
        )


def _checked_name(name: str) -> str:
    if not name.strip():
        raise Invalid("name", "a node needs a name; nothing was changed")
    return name.strip()


def _values(node: Organisation, parent: str) -> dict[str, Any]:
    return {
        "code": node.code,
        "kind": node.kind.value,
        "name": node.name,
        "parent": parent,
        "version": node.version,
    }
