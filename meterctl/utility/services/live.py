"""Sales and orders that have changed, for those who may see them."""

from __future__ import annotations

from collections.abc import Set
from typing import Any, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from meterctl.utility.errors import NotFound, NotPermitted
from meterctl.utility.model.evidence import Audit
from meterctl.utility.model.money import Sale
from meterctl.utility.model.work import Order
from meterctl.utility.rules.rights import Action
from meterctl.utility.services import order_lists, sale_lists
from meterctl.utility.store.queries.sales import sale_number
from meterctl.utility.store.rights import paths
from meterctl.utility.store.unit_of_work import Actor

WINDOW = 500
"""Rows of the audit before the last one that are looked at again."""
MOST = 1_000
"""Rows of the audit that are told at a time; the next look tells the others."""
_SALE, _ORDER = f"{Sale.__tablename__}/", f"{Order.__tablename__}/"


class Changed(NamedTuple):
    """What has changed: `sale` or `order` with its values; and what is known after it."""

    told: list[tuple[str, dict[str, Any]]]
    last: int
    seen: set[int]


def newest_change(session: Session) -> int:
    """Return the number of the newest row of the audit; 0: there is none."""
    return session.scalar(select(func.coalesce(func.max(Audit.id), 0))) or 0


def known_changes(session: Session, last: int) -> set[int]:
    """Return the rows of the audit up to one that are looked at again."""
    window = select(Audit.id).where(Audit.id > last - WINDOW, Audit.id <= last)
    return set(session.scalars(window))


def changes(session: Session, actor: Actor, last: int, seen: Set[int]) -> Changed:
    """Return the sales and orders that have changed, as they stand now, each once.

    Args:
        last: number of the highest row of the audit that is known.
        seen: rows of the audit up to it that are known.
    """
    rows = session.execute(
        select(Audit.id, Audit.subject)
        .where(Audit.id > last - WINDOW, Audit.id.not_in(seen))
        .order_by(Audit.id)
        .limit(MOST)
    ).all()
    subjects = dict.fromkeys(row.subject for row in rows)
    told = [("sale", each) for each in _sales(session, actor, _ids(subjects, _SALE))]
    orders = _ids(subjects, _ORDER)
    if orders and (actor.staff_id is None or paths(actor, Action.ORDER_READ)):
        told += [("order", each) for each in order_lists.numbered(session, actor, orders)]
    now = max([last, *(row.id for row in rows)])
    known = {each for each in {*seen, *(row.id for row in rows)} if each > now - WINDOW}
    return Changed(told, now, known)


def _sales(session: Session, actor: Actor, numbers: list[int]) -> list[dict[str, Any]]:
    found = []
    for number in numbers:
        try:
            found.append(sale_lists.show(session, actor, str(sale_number(number))))
        except (NotPermitted, NotFound):
            continue
    return found


def _ids(subjects: dict[str, None], table: str) -> list[int]:
    return [int(each.removeprefix(table)) for each in subjects if each.startswith(table)]
