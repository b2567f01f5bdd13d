"""Staff: persons and their tokens. A token is drawn where it is shown; here its hash arrives."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from meterctl.utility.errors import Invalid, NotPermitted, Refused
from meterctl.utility.model.money import Shift
from meterctl.utility.model.organisation import (
    GrantState,
    Organisation,
    Staff,
    StaffGrant,
    StaffState,
)
from meterctl.utility.rules.rights import Action
from meterctl.utility.rules.transitions import ShiftState
from meterctl.utility.services.grants import refuse_without_admin
from meterctl.utility.services.inserting import insert
from meterctl.utility.store.authentication import end_cookies
from meterctl.utility.store.queries.organisation import company
from meterctl.utility.store.queries.staff import find_staff
from meterctl.utility.store.rights import is_around, require_anywhere
from meterctl.utility.store.unit_of_work import Actor, UnitOfWork

_NUMBER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,19}")
_HASH = re.compile(r"[0-9a-f]{64}")


def add(work: UnitOfWork, *, number: str, name: str) -> dict[str, Any]:
    """Add a person, who may do nothing before a grant.

    Raises:
        Conflict: the number is in use.
        Invalid: the number or the name is not one.
    """
    work.require(Action.STAFF_EDIT, company(work.session).id)
    if not _NUMBER.fullmatch(number):
        raise Invalid(
            "staff_number",
            f"{number!r}: a number has at most 20 letters and digits; nothing was changed",
        )
    if not name.strip():
        raise Invalid("name", "a person needs a name; nothing was changed")
    staff = insert(
        work,
        Staff(
            number=number,
            name=name.strip(),
            state=StaffState.ACTIVE,
            password_hash=None,
            token_hash=None,
        ),
        f"staff {number}",
    )
    work.audit(Action.STAFF_EDIT, staff, None, {"number": number, "name": staff.name})
    return _values(staff)


def set_token(work: UnitOfWork, *, number: str, token_hash: str) -> dict[str, Any]:
    """Give a person a token; the one before is not valid any more.

    Args:
        token_hash: of `authentication.draw_token`.

    Raises:
        Refused: the person was deactivated.
    """
    work.require(Action.STAFF_EDIT, company(work.session).id)
    staff = work.lock(Staff, find_staff(work.session, number).id)
    if staff.state is not StaffState.ACTIVE:
        raise Refused("deactivated", f"{number} was deactivated; nothing was changed")
    if not _HASH.fullmatch(token_hash):
        raise Invalid("token_hash", "the hash of a token has 64 hex digits; nothing was changed")
    had_one = staff.token_hash is not None
    staff.token_hash = token_hash
    staff.version += 1
    end_cookies(work.session, staff.id)
    work.audit(Action.STAFF_EDIT, staff, {"token": had_one}, {"token": True}, "a new token")
    return _values(staff)


def set_password(work: UnitOfWork, *, password_hash: str, keep_token: bool) -> dict[str, Any]:
    """Set the password of the person who acts; all who are signed in as that person are signed out.

    Args:
        password_hash: of `passwords.hash_password`.
        keep_token: for commands and scripts; else the token is not valid any more, so that who drew
            it cannot use it.

    Raises:
        NotPermitted: it is no person who acts.
    """
    if work.actor.staff_id is None:
        raise NotPermitted("no_person", "a worker has no password; nothing was changed")
    staff = work.lock(Staff, work.actor.staff_id)
    before = {"password": staff.password_hash is not None, "token": staff.token_hash is not None}
    staff.password_hash = password_hash
    if not keep_token:
        staff.token_hash = None
    staff.version += 1
    end_cookies(work.session, staff.id)
    after = {"password": True, "token": staff.token_hash is not None}
    work.audit(Action.STAFF_EDIT, staff, before, after, "a new password")
    return _values(staff)


def deactivate(work: UnitOfWork, *, number: str, reason: str = "") -> dict[str, Any]:
    """Deactivate a person, for ever: token and password are not valid any more.

    A shift that is not closed is left to the head of its station, who counts and closes it; the
    answer names it.

    Raises:
        Refused: the person was deactivated before, or no admin would be left.
    """
    root = company(work.session)
    work.require(Action.STAFF_EDIT, root.id)
    work.lock(Organisation, root.id)
    staff = work.lock(Staff, find_staff(work.session, number).id)
    if staff.state is not StaffState.ACTIVE:
        raise Refused("deactivated", f"{number} was deactivated already; nothing was changed")
    shift = work.session.scalars(
        select(Shift).where(Shift.vendor_id == staff.id, Shift.state != ShiftState.CLOSED)
    ).first()
    refuse_without_admin(work, root, leaving=staff.id)
    staff.state = StaffState.DEACTIVATED
    staff.token_hash = None
    staff.version += 1
    end_cookies(work.session, staff.id)
    work.audit(
        Action.STAFF_EDIT, staff, {"state": StaffState.ACTIVE}, {"state": staff.state}, reason
    )
    return {**_values(staff), "open_shift": None if shift is None else shift.number}


def list_(session: Session, actor: Actor, today: date) -> list[dict[str, Any]]:
    """Return persons by number, each with the roles of today, of later and those proposed.

    At the company all persons; else those with a role at the person's nodes, below or above them,
    with these roles, and the person.
    """
    require_anywhere(actor, Action.ORGANISATION_READ)
    rows = session.execute(
        select(StaffGrant, Organisation.code)
        .join(Organisation, Organisation.id == StaffGrant.node_id)
        .where(
            StaffGrant.state != GrantState.REVOKED,
            or_(StaffGrant.to_on.is_(None), StaffGrant.to_on > today),
            is_around(actor, Action.ORGANISATION_READ),
        )
        .order_by(StaffGrant.id)
    )
    roles: dict[int, list[str]] = {}
    for row, code in rows:
        waits = "" if row.state is GrantState.ACTIVE else " (proposed)"
        later = f" from {row.from_on}" if row.from_on > today else ""
        end = f" to before {row.to_on}" if row.to_on is not None else ""
        roles.setdefault(row.staff_id, []).append(f"{row.role} at {code}{later}{end}{waits}")
    wanted = select(Staff).order_by(Staff.number)
    if not actor.may(Action.ORGANISATION_READ, company(session).path):
        wanted = wanted.where(Staff.id.in_({*roles, actor.staff_id}))
    people = session.scalars(wanted)
    return [{**_values(person), "roles": roles.get(person.id, [])} for person in people]


def _values(staff: Staff) -> dict[str, Any]:
    return {
        "number": staff.number,
        "name": staff.name,
        "state": staff.state.value,
        "version": staff.version,
    }
