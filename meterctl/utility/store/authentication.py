"""Who acts: a token and the person that it belongs to.

A token is 256 bits from the operating system, shown once; the database has its SHA-256 alone. A
person without a role today, or who was deactivated, may do nothing.
"""

from __future__ import annotations

import secrets
from datetime import date
from hashlib import sha256
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from meterctl.utility.errors import NotPermitted
from meterctl.utility.model.organisation import Staff, StaffState
from meterctl.utility.rules.calendar import local_date
from meterctl.utility.store.engine import Database
from meterctl.utility.store.queries.staff import grants_on
from meterctl.utility.store.unit_of_work import Actor, Grant

TOKEN_BYTES = 32


class DrawnToken(NamedTuple):
    """A new token, to be shown once, and what the database keeps of it."""

    token: str
    token_hash: str


def draw_token() -> DrawnToken:
    """Return a new token."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    return DrawnToken(token, hash_of(token))


def hash_of(token: str) -> str:
    """Return what the database keeps of a token: its SHA-256, hex."""
    return sha256(token.strip().encode()).hexdigest()


def authenticate(database: Database, token: str, now: int) -> Actor:
    """Return the person to whom a token belongs, with the grants of today.

    Raises:
        NotPermitted: no active person has this token (`token`), or no role today (`no_grant`).
    """
    with database.reading() as session:
        return person_of(session, token, local_date(now, database.zone))


def person_of(session: Session, token: str, today: date) -> Actor:
    """Return the person to whom a token belongs; raises as `authenticate`."""
    staff = session.scalars(select(Staff).where(Staff.token_hash == hash_of(token))).one_or_none()
    if staff is None or staff.state is not StaffState.ACTIVE:
        raise NotPermitted("token", "the token is not known here; nothing was changed")
    grants = tuple(Grant(role, path) for role, path in grants_on(session, staff.id, today))
    if not grants:
        raise NotPermitted(
            "no_grant", f"{staff.number} has no role on {today}; nothing was changed"
        )
    return Actor(staff.id, staff.number, grants)
