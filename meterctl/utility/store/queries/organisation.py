"""Nodes of the organisation tree, by their codes."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from meterctl.utility.errors import NotFound
from meterctl.utility.model.organisation import Organisation, OrganisationKind


def find_node(session: Session, code: str) -> Organisation:
    """Return a node by its code; raises NotFound."""
    node = session.scalars(select(Organisation).where(Organisation.code == code)).one_or_none()
    if node is None:
        raise NotFound("no_node", f"there is no node {code!r}; `desk org list` shows them")
    return node


def company(session: Session) -> Organisation:
    """Return the root of the tree."""
    return session.scalars(
        select(Organisation).where(Organisation.kind == OrganisationKind.COMPANY)
    ).one()


def codes_of_paths(session: Session, paths: Collection[str]) -> list[str]:
    """Return the codes of the nodes of these paths, the upper ones first."""
    return list(
        session.scalars(
            select(Organisation.code)
            .where(Organisation.path.in_(paths))
            .order_by(Organisation.path)
        )
    )


def numbers_of_path(path: str) -> list[int]:
    """Return the ids of the nodes from the company down to the one of a path such as "/1/4/"."""
    return [int(number) for number in path.strip("/").split("/")]


def station_of(session: Session, node: Organisation) -> Organisation | None:
    """Return the station in which a node lies, or which it is; None above all stations."""
    return session.scalars(
        select(Organisation).where(
            Organisation.id.in_(numbers_of_path(node.path)),
            Organisation.kind == OrganisationKind.STATION,
        )
    ).one_or_none()


def nodes_below(session: Session, node: Organisation) -> list[Organisation]:
    """Return a node and all below it; each stands after the one that it lies in."""
    return list(
        session.scalars(
            select(Organisation)
            .where(Organisation.path.startswith(node.path, autoescape=True))
            .order_by(Organisation.path)
        )
    )
