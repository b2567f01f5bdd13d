"""The proof of the desk's invariants over the whole database, `desk check`; its runs are kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from sqlalchemy.orm import Session

from meterctl.utility.model.evidence import CheckRun
from meterctl.utility.rules.rights import Action
from meterctl.utility.store.checks import runs
from meterctl.utility.store.checks.journal import AcceptedSale
from meterctl.utility.store.checks.meters import Find
from meterctl.utility.store.checks.outcome import Checked
from meterctl.utility.store.queries.organisation import company
from meterctl.utility.store.rights import require_at
from meterctl.utility.store.unit_of_work import Actor, UnitOfWork


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


def keep(work: UnitOfWork, checked: Sequence[Checked], took_ms: int) -> CheckRun:
    """Write down what a whole run of `check` found, for Today.

    Args:
        checked: every invariant that it proved.
        took_ms: how long it took.

    Raises:
        NotPermitted: as `check`.
    """
    work.require(Action.CHECK_READ, company(work.session).id)
    broken = [each.invariant for each in checked if each.broken]
    run = work.add(
        CheckRun(
            at=work.now,
            took_ms=took_ms,
            broken=broken,
            rows=sum(each.count for each in checked),
            staff_id=work.actor.staff_id,
        )
    )
    work.audit("check_run", run, None, {"broken": broken, "took_ms": took_ms})
    return run
