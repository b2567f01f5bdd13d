"""The layout of a desk's database, brought to today's by an admin."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from meterctl.utility.errors import Invalid, NotFound
from meterctl.utility.model.organisation import Desk
from meterctl.utility.rules.calendar import local_date
from meterctl.utility.rules.rights import Action
from meterctl.utility.store.authentication import person_of
from meterctl.utility.store.engine import Database, connect, require_file
from meterctl.utility.store.layout import LAYOUT, shown
from meterctl.utility.store.queries.organisation import company
from meterctl.utility.store.unit_of_work import UnitOfWork
from meterctl.utility.store.upgrading import upgrade


class _DryRunError(Exception):
    """The end of a dry run: everything is undone."""


def upgrade_desk(
    url: str, token: str, host_now: int, key: str, *, dry_run: bool = False
) -> tuple[str, str]:
    """Bring a desk to today's layout; return the numbers of the layout before and after.

    Who asks is read from the new tables, in the same transaction: a refusal undoes all steps.

    Args:
        url: of the database.
        token: of an admin.
        host_now: the host's clock, ms since 1970 UTC.
        key: for the audit.
        dry_run: undo all steps at the end.

    Raises:
        NotPermitted: the token is none of an admin; nothing was changed.
        NotFound: no desk is in the database.
        Invalid: its layout is a newer one, or the database does not answer.
    """
    engine = connect(url)
    require_file(engine)
    found: list[str] = []

    def finish(connection: Connection, before: str | None) -> None:
        if before is None:
            raise NotFound("no_desk", f"{shown(engine)}: no desk; see `meterctl desk init`")
        found.append(before)
        with Session(connection) as session:
            _audit(session, token, host_now, key, before)
        if dry_run:
            raise _DryRunError

    try:
        upgrade(engine, finish)
    except _DryRunError:
        pass
    except DatabaseError as error:
        text = f"{shown(engine)}: {error.orig}; nothing was changed"
        raise Invalid("database", text) from error
    finally:
        engine.dispose()
    return found[0], LAYOUT


def _audit(session: Session, token: str, host_now: int, key: str, before: str) -> None:
    """Write down who changed the layout; raises NotPermitted."""
    desk = session.scalars(select(Desk)).one()
    now = host_now if desk.clock is None else desk.clock
    today: date = local_date(now, ZoneInfo(desk.zone))
    actor = person_of(session, token, today)
    bind = session.get_bind().engine
    database = Database(bind, ZoneInfo(desk.zone), desk.simulated, lambda: now)
    work = UnitOfWork(database, session, actor, now, key)
    work.require(Action.UPGRADE, company(session).id)
    if before != LAYOUT:
        work.audit(Action.UPGRADE, desk, {"layout": before}, {"layout": LAYOUT})
    session.flush()
