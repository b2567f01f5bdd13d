"""What was booked of an agreement, for those who may see its money."""

from __future__ import annotations

from sqlalchemy.orm import Session

from meterctl.utility.rules.rights import Action
from meterctl.utility.store.queries.agreements import find_agreement, node_of
from meterctl.utility.store.queries.ledger import StatementLine, statement
from meterctl.utility.store.rights import require_at
from meterctl.utility.store.unit_of_work import Actor


def statement_of(session: Session, actor: Actor, number: str) -> list[StatementLine]:
    """Return what moved on an agreement's accounts, oldest first, with the balance after it.

    Raises:
        NotFound: there is no such agreement.
        NotPermitted: no role of the person's sees sales there.
    """
    agreement = find_agreement(session, number)
    require_at(session, actor, Action.SALE_READ, node_of(session, agreement))
    return statement(session, agreement.id)
