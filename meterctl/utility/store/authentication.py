"""Who acts: a token, a password or the cookie of the pages, and the person that it belongs to.

A token is 256 bits from the operating system, shown once; the database has its SHA-256 alone. A
person without a role today, or who was deactivated, may do nothing. A person who is signed in to
the pages has a cookie, which is such a token too; it ends when it is left alone, at the end of a
working day, and with every new token or password of the person. Its times are the host's.
"""

from __future__ import annotations

import secrets
from datetime import date
from hashlib import sha256
from typing import NamedTuple

from sqlalchemy import ColumnElement, delete, or_, select, update
from sqlalchemy.orm import Session

from meterctl.utility.errors import NotPermitted
from meterctl.utility.model.organisation import Staff, StaffState, WebSession
from meterctl.utility.rules.calendar import local_date
from meterctl.utility.store.engine import Database
from meterctl.utility.store.passwords import is_password
from meterctl.utility.store.queries.staff import grants_on
from meterctl.utility.store.unit_of_work import Actor, Grant, unit_of_work
from protocols.quantities import HOUR, MINUTE

TOKEN_BYTES = 32
IDLE, WHOLE = 2 * HOUR, 12 * HOUR
"""A cookie ends when it was not used for so long, and so long after it was made, ms."""
SEEN = 5 * MINUTE
"""How often the use of a cookie is written down, ms."""


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
    return _with_grants(session, staff, today)


def sign_in(database: Database, actor: Actor) -> str:
    """Sign a person in to the pages, and return the cookie; cookies that have ended are deleted."""
    drawn, at = draw_token(), database.host_clock()
    with unit_of_work(database, actor, at) as work:
        work.session.execute(delete(WebSession).where(_has_ended(at)))
        assert actor.staff_id is not None
        work.add(
            WebSession(
                cookie_hash=drawn.token_hash, staff_id=actor.staff_id, made_at=at, seen_at=at
            )
        )
    return drawn.token


def sign_out(database: Database, actor: Actor, cookie: str) -> None:
    """End a cookie."""
    with unit_of_work(database, actor, database.host_clock()) as work:
        work.session.execute(delete(WebSession).where(WebSession.cookie_hash == hash_of(cookie)))


def end_cookies(session: Session, staff_id: int) -> None:
    """End every cookie of a person."""
    session.execute(delete(WebSession).where(WebSession.staff_id == staff_id))


def by_password(database: Database, number: str, password: str, now: int) -> Actor:
    """Return the person of a number and a password, with the grants of today.

    Raises:
        NotPermitted: no active person has this number with this password (`password`), or no role
            today (`no_grant`).
    """
    with database.reading() as session:
        staff = session.scalars(select(Staff).where(Staff.number == number)).one_or_none()
        is_right = is_password(None if staff is None else staff.password_hash, password)
        if staff is None or staff.state is not StaffState.ACTIVE or not is_right:
            raise NotPermitted("password", "the number or the password is wrong")
        return _with_grants(session, staff, local_date(now, database.zone))


def by_cookie(database: Database, cookie: str, now: int) -> Actor:
    """Return the person who is signed in with a cookie, with the grants of today.

    Raises:
        NotPermitted: the cookie has ended (`signed_out`), or as `authenticate`.
    """
    at = database.host_clock()
    with database.reading() as session:
        found = session.execute(
            select(WebSession.id, WebSession.seen_at, Staff)
            .join(Staff, Staff.id == WebSession.staff_id)
            .where(WebSession.cookie_hash == hash_of(cookie), ~_has_ended(at))
        ).one_or_none()
        if found is None or found.Staff.state is not StaffState.ACTIVE:
            raise NotPermitted("signed_out", "you are signed out; nothing was changed")
        actor = _with_grants(session, found.Staff, local_date(now, database.zone))
    if at - found.seen_at > SEEN:
        with unit_of_work(database, actor, at) as work:
            work.session.execute(
                update(WebSession).where(WebSession.id == found.id).values(seen_at=at)
            )
    return actor


def _has_ended(at: int) -> ColumnElement[bool]:
    """Return the condition that a cookie has ended; one from a later clock has, too."""
    return or_(
        WebSession.seen_at < at - IDLE,
        WebSession.made_at < at - WHOLE,
        WebSession.seen_at > at + SEEN,
    )


def _with_grants(session: Session, staff: Staff, today: date) -> Actor:
    grants = tuple(Grant(role, path) for role, path in grants_on(session, staff.id, today))
    if not grants:
        raise NotPermitted(
            "no_grant", f"{staff.number} has no role on {today}; nothing was changed"
        )
    return Actor(staff.id, staff.number, grants)
