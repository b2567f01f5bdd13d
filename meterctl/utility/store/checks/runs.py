"""Which invariants are looked at by `desk check`: all of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sqlalchemy.orm import Session

from meterctl.utility.store.checks import (
    books,
    chain,
    entries,
    journal,
    meters,
    papers,
    payments,
    people,
    requests,
    sources,
    triggers,
)
from meterctl.utility.store.checks.journal import AcceptedSale
from meterctl.utility.store.checks.meters import Find
from meterctl.utility.store.checks.outcome import Checked, prepare


def whole(
    session: Session, find: Find | None = None, accepted: Iterable[AcceptedSale] | None = None
) -> Iterator[Checked]:
    """Yield every invariant over the whole database, from all transfers.

    Args:
        find: returns what the journal at hand has of a sale's key; None: no journal is at hand.
        accepted: the sales that this journal proves; None: as `find`.
    """
    prepare(session)
    yield books.never_negative(session, whole=True)
    yield books.undelivered_sales(session)
    yield meters.meters_agree(session)
    yield meters.sales_proved(session, find)
    if accepted is not None:
        yield journal.journal_known(session, accepted)
    yield meters.one_live_order(session)
    yield people.two_persons(session)
    yield people.all_audited(session)
    yield requests.requests_answered(session)
    yield payments.payments_booked(session)
    yield entries.entries_sourced(session)
    yield sources.sources_booked(session)
    yield papers.documents_kept(session)
    yield triggers.triggers_present(session)
    yield books.closing_balances(session)
    yield chain.sealed_days(session)
