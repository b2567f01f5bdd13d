"""What was booked of an agreement and on a date, for those who may see the money."""

from __future__ import annotations

from datetime import date

from sqlalchemy.orm import Session

from meterctl.utility.rules.rights import Action
from meterctl.utility.store.queries.agreements import find_agreement, node_of
from meterctl.utility.store.queries.ledger import (
    EntryLine,
    KindTotal,
    StatementLine,
    statement,
    totals,
)
from meterctl.utility.store.queries.ledger import entries_on as booked_on
from meterctl.utility.store.queries.organisation import company
from meterctl.utility.store.rights import require_at
from meterctl.utility.store.unit_of_work import Actor


def totals_on(session: Session, actor: Actor, on: date) -> list[KindTotal]:
    """Return the total of each kind of accounts of the company on a date; raises NotPermitted."""
    require_at(session, actor, Action.SHEET_READ, company(session).id)
    return totals(session, on)


def entries_on(session: Session, actor: Actor, on: date, after: int, limit: int) -> list[EntryLine]:
    """Return what was booked on a date in the company, by number; raises NotPermitted.

    Args:
        after: the entry before the first one; 0: from the first one on.
        limit: of entries.
    """
    require_at(session, actor, Action.SHEET_READ, company(session).id)
    return booked_on(session, on, after, limit)


def statement_of(session: Session, actor: Actor, number: str) -> list[StatementLine]:
    """Return what moved on an agreement's accounts, oldest first, with the balance after it.

    Raises:
        NotFound: there is no such agreement.
        NotPermitted: no role of the person's sees sales there.
    """
    agreement = find_agreement(session, number)
    require_at(session, actor, Action.SALE_READ, node_of(session, agreement))
    return statement(session, agreement.id)
