"""Cards at a counter: what their write-back proves, and the sales that are written on them."""

from __future__ import annotations

from dataclasses import replace

from meterctl.utility.meters.due_orders import Scope
from meterctl.utility.meters.endings import end_credit, go_on, stop
from meterctl.utility.meters.execution import Execution
from meterctl.utility.meters.gateway import (
    CardPlace,
    CardReading,
    Consumption,
    Outcome,
    Presented,
    Problem,
)
from meterctl.utility.meters.orders import Begun, Claim, live_of, of_key
from meterctl.utility.meters.outcomes import write_back_values
from meterctl.utility.rules.transitions import SaleState
from meterctl.utility.store.engine import Database
from meterctl.utility.store.findings import FindingRule
from meterctl.utility.store.unit_of_work import WORKER, repeated, unit_of_work
from meterctl.utility.store.write_back_books import accept_write_back


def present_card(execution: Execution, card: CardPlace) -> Presented:
    """Read a card, and book what its write-back proves.

    Raises:
        UsageError: the journal cannot be read.
    """
    presented = execution.gateway.cards.present(card)
    begun = None
    for outcome in _told(presented):
        begun = of_key(execution.database, outcome.key) or begun
        settle(execution, outcome)
    if presented.problem is Problem.SET_BACK and begun is not None:
        stop(execution.database, begun, FindingRule.SET_BACK, presented.cause)
    if presented.back is not None and presented.problem is Problem.NONE:
        _book_write_back(execution.database, presented.back)
    return presented


def write_card(execution: Execution, names: tuple[str, str], presented: Presented) -> Begun | None:
    """Carry out the next sale for the card that lies in a reader; None where none waits.

    Args:
        names: name and address of the reader, one of which the sale's order names.
        presented: the card. An unbound one takes the opening of any meter.
    """
    return execution.run_next(None, Claim(Scope.READER, reader=(*names, presented.meter)))


def finish_card(execution: Execution, card: CardPlace, presented: Presented) -> None:
    """Write a sale whole whose card was pulled while it was written; one that is whole is told."""
    if not presented.meter or presented.consumption is Consumption.ACCEPTED:
        return
    for begun in live_of(execution.database, execution.worker):
        is_here = begun.credit_state is SaleState.ON_CARD and begun.serial == presented.meter
        if is_here and begun.card is not None:
            settle(execution, execution.on_card(replace(begun, card=card)))


def settle(execution: Execution, outcome: Outcome) -> None:
    """Book an outcome that the journal told of a key, if it is one of an order of the desk."""
    begun = of_key(execution.database, outcome.key) if outcome.key else None
    if begun is None:
        return
    end_credit(execution.database, begun, outcome)
    go_on(execution.database, begun.order)


def _book_write_back(database: Database, back: CardReading) -> None:
    """Book the reading that a write-back makes of a meter without a wire."""
    values = write_back_values(back)

    def once() -> None:
        with unit_of_work(database, WORKER, database.now()) as work:
            accept_write_back(work, values)

    repeated(once)


def _told(presented: Presented) -> list[Outcome]:
    """Return the outcomes that a card told, each key once."""
    found = {outcome.key: outcome for outcome in presented.settled}
    if presented.sale is not None:
        found.setdefault(presented.sale.key, presented.sale)
    return list(found.values())
