"""The proof of the desk's invariants over the whole database: `desk check`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sqlalchemy.orm import Session

from meterctl.utility.rules.rights import Action
from meterctl.utility.store.checks import runs
from meterctl.utility.store.checks.journal import AcceptedSale
from meterctl.utility.store.checks.meters import Find
from meterctl.utility.store.checks.outcome import Checked
from meterctl.utility.store.queries.organisation import company
from meterctl.utility.store.rights import require_at
from meterctl.utility.store.unit_of_work import Actor


def check(
    session: Session,
    actor: Actor,
    find: Find | None = None,
    accepted: Iterable[AcceptedSale] | None = None,
) -> Iterator[Checked]:
    """Yield each invariant as it is proved, all in the one snapshot of the session.

    Args:
        find: returns what the journal at hand has of a sale's key; None: no journal is at hand.
        accepted: the sales that this journal proves; None: as `find`.

    Raises:
        NotPermitted: no role of the person's allows it for the company.
    """
    require_at(session, actor, Action.CHECK_READ, company(session).id)
    return runs.whole(session, find, accepted)
