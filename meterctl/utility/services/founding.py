"""The founding of a desk: its tables, its company, its settings and its first admin."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import inspect, select
from sqlalchemy.exc import DatabaseError, IntegrityError
from sqlalchemy.orm import Session

from meterctl.utility.errors import Invalid, Refused
from meterctl.utility.model.organisation import (
    Desk,
    GrantState,
    Holiday,
    Organisation,
    OrganisationKind,
    Setting,
    Staff,
    StaffGrant,
    StaffState,
)
from meterctl.utility.rules.calendar import zone_named
from meterctl.utility.rules.law import ANY_CLASS, SETTINGS
from meterctl.utility.rules.rights import Role
from meterctl.utility.store.authentication import draw_token
from meterctl.utility.store.engine import Database, connect, file_of
from meterctl.utility.store.holidays import differing_days
from meterctl.utility.store.layout import shown
from meterctl.utility.store.unit_of_work import WORKER, UnitOfWork, unit_of_work
from meterctl.utility.store.upgrading import upgrade

FOUNDED = "founded"
"""Word of the audit, and key of what founding writes."""
DESK_ID = 1
COMPANY_CODE = "company"
ADMIN_NUMBER = "admin"


def found(url: str, zone: str, simulated: bool, company: str, now: int) -> str:
    """Make a desk in an empty database, and return the token of its first admin.

    The token is nowhere else: the database has its SHA-256.

    Args:
        url: of the database; a SQLite file is made where there is none.
        zone: name of the company's time zone, such as Asia/Shanghai.
        simulated: whether the desk has a clock of its own, which begins at `now`.
        company: the company's name.
        now: ms since 1970 UTC.

    Raises:
        Invalid: no such time zone, no name, or a URL that names no database.
        Refused: the database has a desk already; nothing was changed.
        NotFound: it has tables of another program.
    """
    known = zone_named(zone)
    if not company.strip():
        raise Invalid("company", "the company needs a name; nothing was changed")
    engine = connect(url)
    try:
        _make_file(file_of(engine))
        try:
            if inspect(engine).has_table(Desk.__tablename__):
                with Session(engine) as session:
                    if session.scalars(select(Desk.id)).first() is not None:
                        raise _exists(shown(engine))
            upgrade(engine)
        except DatabaseError as error:
            raise Invalid(
                "database", f"{shown(engine)}: {error.orig}; nothing was changed"
            ) from error
        database = Database(engine, known, simulated, lambda: now)
        drawn = draw_token()
        try:
            with unit_of_work(database, WORKER, now, FOUNDED) as work:
                _write(work, zone, company.strip(), drawn.token_hash)
        except IntegrityError as error:
            raise _exists(shown(engine)) from error
        return drawn.token
    finally:
        engine.dispose()


def _make_file(path: Path | None) -> None:
    """Make an empty SQLite file that only its owner may read; raises Invalid."""
    if path is None or path.exists():
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600, exist_ok=True)
    except OSError as error:
        raise Invalid("database", f"{path}: {error.strerror}; nothing was changed") from error


def _exists(where: str) -> Refused:
    return Refused("desk_exists", f"{where}: there is a desk already; nothing was changed")


def _write(work: UnitOfWork, zone: str, name: str, token_hash: str) -> None:
    """Write the rows of a new desk."""
    now = work.now
    desk = work.add(
        Desk(
            id=DESK_ID,
            zone=zone,
            simulated=work.database.simulated,
            clock=now if work.database.simulated else None,
            made_at=now,
        )
    )
    company = work.add(
        Organisation(
            parent_id=None,
            kind=OrganisationKind.COMPANY,
            code=COMPANY_CODE,
            name=name,
            path="/1/",
        )
    )
    company.path = f"/{company.id}/"
    admin = work.add(
        Staff(
            number=ADMIN_NUMBER,
            name="first admin",
            state=StaffState.ACTIVE,
            password_hash=None,
            token_hash=token_hash,
        )
    )
    grant = work.add(
        StaffGrant(
            staff_id=admin.id,
            role=Role.ADMIN,
            node_id=company.id,
            from_on=work.today,
            to_on=None,
            state=GrantState.ACTIVE,
            proposer_id=None,
            approver_id=None,
        )
    )
    for setting in SETTINGS.values():
        row = work.add(
            Setting(
                code=setting.code,
                node_id=company.id,
                customer_class=ANY_CLASS,
                from_on=setting.from_on,
                value={"value": setting.default},
                staff_id=None,
                set_at=now,
            )
        )
        work.audit(FOUNDED, row, None, {"code": row.code, **row.value})
    work.session.add_all(Holiday(on=on, works=works) for on, works in differing_days().items())
    work.audit(FOUNDED, desk, None, {"zone": zone, "simulated": desk.simulated})
    work.audit(FOUNDED, company, None, {"code": company.code, "name": name})
    work.audit(FOUNDED, admin, None, {"number": admin.number})
    work.audit(FOUNDED, grant, None, {"role": grant.role, "node": company.code})
    for code, setting in SETTINGS.items():
        work.audit(FOUNDED, company, None, {"setting": code, "value": setting.default})
