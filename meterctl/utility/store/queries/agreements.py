"""Agreements and their versions, by the number of the agreement, its point or its meter."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from meterctl.utility.errors import Invalid, NotFound
from meterctl.utility.model.agreement import Agreement, AgreementVersion
from meterctl.utility.model.metering import Installation, Meter
from meterctl.utility.model.party import SupplyPoint
from meterctl.utility.rules.transitions import AgreementState, VersionState

UNFINISHED = (VersionState.DRAFT, VersionState.SIGNED, VersionState.PROVISIONING)
"""States of a version that may still become active; an agreement has one at most."""


def find_agreement(session: Session, named: str) -> Agreement:
    """Return an agreement by its number, else the one in force of a supply point or a meter.

    Args:
        named: number of the agreement, of the supply point (户号), or serial number of the meter
            that is installed there.

    Raises:
        NotFound: there is none.
        Invalid: the digits are a point's number and another meter's serial number.
    """
    found = session.scalars(select(Agreement).where(Agreement.number == named)).one_or_none()
    if found is not None:
        return found
    installed = (
        select(Installation.point_id)
        .join(Meter, Meter.id == Installation.meter_id)
        .where(Meter.serial == named, Installation.to_at.is_(None))
    )
    points = session.scalars(
        select(SupplyPoint.id).where(
            or_(SupplyPoint.number == named, SupplyPoint.id.in_(installed))
        )
    ).all()
    if len(points) > 1:
        raise Invalid(
            "ambiguous",
            f"{named} is a supply point, and a meter at another one: name the agreement; "
            f"nothing was changed",
        )
    live = live_agreement(session, points[0]) if points else None
    if live is None:
        raise NotFound(
            "no_agreement",
            f"no agreement {named!r}, and none of such a supply point or meter; "
            f"`desk agreement list` shows them; nothing was changed",
        )
    return live


def node_of(session: Session, agreement: Agreement) -> int:
    """Return the node at which an agreement's supply point lies."""
    return session.get_one(SupplyPoint, agreement.point_id).node_id


def versions_of(session: Session, agreement_id: int) -> Sequence[AgreementVersion]:
    """Return the versions of an agreement, the first one first."""
    return session.scalars(
        select(AgreementVersion)
        .where(AgreementVersion.agreement_id == agreement_id)
        .order_by(AgreementVersion.n)
    ).all()


def unfinished_version(session: Session, agreement_id: int) -> AgreementVersion | None:
    """Return the version that is not active yet and may still become so; None: there is none."""
    return _version(session, agreement_id, *UNFINISHED)


def active_version(session: Session, agreement_id: int) -> AgreementVersion | None:
    """Return the version in force; None: there is none."""
    return _version(session, agreement_id, VersionState.ACTIVE)


def live_agreement(session: Session, point_id: int) -> Agreement | None:
    """Return the agreement about a supply point that is not closed; None: there is none.

    A new one whose versions were all withdrawn is none.
    """
    living = (
        select(AgreementVersion.id)
        .where(
            AgreementVersion.agreement_id == Agreement.id,
            AgreementVersion.state != VersionState.WITHDRAWN,
        )
        .exists()
    )
    return session.scalars(
        select(Agreement)
        .where(
            Agreement.point_id == point_id,
            Agreement.state != AgreementState.CLOSED,
            (Agreement.state != AgreementState.NEW) | living,
        )
        .order_by(Agreement.id)
    ).first()


def agreements_with_prefix(session: Session, prefix: str) -> int:
    """Return how many agreements have numbers that begin with a prefix."""
    return session.scalars(
        select(func.count())
        .select_from(Agreement)
        .where(Agreement.number.startswith(prefix, autoescape=True))
    ).one()


def _version(session: Session, agreement_id: int, *states: VersionState) -> AgreementVersion | None:
    return session.scalars(
        select(AgreementVersion).where(
            AgreementVersion.agreement_id == agreement_id, AgreementVersion.state.in_(states)
        )
    ).one_or_none()
