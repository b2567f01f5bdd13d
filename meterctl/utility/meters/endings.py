"""What became of an order, written down in one transaction: state, books, the next try.

What became of an order of the credit class is the journal's word; one whose state has changed
meanwhile (two persons settled it) is looked at again. A try that did not settle an order is
repeated by the schedule of `orders.DELAYS`. A sale that is unknown for a day, or at a meter without
a wire, makes a slip.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import select

from meterctl.utility.errors import Refused
from meterctl.utility.meters.gateway import CommandOutcome, Outcome, Problem, Reading, Terms, Told
from meterctl.utility.meters.orders import Begun, begin_again, next_delay
from meterctl.utility.meters.outcomes import (
    cause_of,
    command_event,
    event_of,
    in_words_of_desk,
    proved_by,
    reading_values,
    told,
)
from meterctl.utility.meters.terms_of_orders import settings_text, terms_text
from meterctl.utility.model.agreement import Agreement
from meterctl.utility.model.metering import Meter
from meterctl.utility.model.money import Sale
from meterctl.utility.model.party import SupplyPoint
from meterctl.utility.model.work import Order, TaskKind
from meterctl.utility.rules.rights import Role
from meterctl.utility.rules.transitions import CommandEvent, JournalWord, SaleEvent, SaleState
from meterctl.utility.store import (
    comparison_books,
    order_books,
    provisioning_books,
    reading_books,
    sale_books,
)
from meterctl.utility.store.engine import Database
from meterctl.utility.store.findings import FindingRule, note_finding, stop_meter
from meterctl.utility.store.set_back_books import ESTIMATE, accept_set_back
from meterctl.utility.store.tasks import open_task
from meterctl.utility.store.unit_of_work import WORKER, UnitOfWork, repeated, unit_of_work
from protocols.quantities import DAY

Ended = Outcome | CommandOutcome | Told[Reading] | Told[Terms]
SLIP_AFTER = DAY
"""Age of an unknown sale that makes a slip to its meter, ms."""
SLIP_DUE = timedelta(days=3)
LOOKS = 3
"""How often an order is looked at again whose state another transaction changed meanwhile."""
_TRIED_AGAIN = frozenset(
    {
        Problem.NO_ANSWER, Problem.CORRUPT, Problem.BUSY, Problem.BOOKS_DO_NOT_ADD_UP,
        Problem.LOCAL, Problem.INTERNAL,
    }
)  # fmt: skip
"""Problems after which a reading is tried again; others end its order."""
STOPPING = {
    Problem.SET_BACK: FindingRule.SET_BACK,
    Problem.EPOCH_CHANGED: FindingRule.EPOCH_CHANGED,
}
"""Problems after which nothing more is sold to a meter until two persons have looked at it."""


def end(database: Database, begun: Begun, ended: Ended) -> str:
    """Write down what became of an order that was begun.

    Returns:
        The word of the order's state afterwards.
    """
    match ended:
        case Outcome():
            state = end_credit(database, begun, ended)
        case CommandOutcome():
            event, cause = command_event(ended), cause_of(ended)
            read_back = {"settings": settings_text(ended.settings)} if ended.settings else {}
            state = _end_command(database, begun, event, cause, read_back)
        case Told():
            state = _end_reading(database, begun, ended)
    rule = STOPPING.get(ended.problem)
    if rule is not None:
        stop(database, begun, rule, in_words_of_desk(ended.problem, ended.cause))
    return state


def expire(database: Database, begun: Begun) -> None:
    """End a command whose moment has passed."""
    _end_command(database, begun, CommandEvent.EXPIRE, "it was not done in time", {})
    go_on(database, begun.order)


def end_credit(database: Database, begun: Begun, outcome: Outcome) -> str:
    """Write down what the journal says of an order of the credit class; return its state."""
    expected = SaleState.UNKNOWN if begun.resolves else SaleState.SENDING
    try:
        return repeated(lambda: _move_credit(database, begun, outcome, expected))
    except Refused:
        for _ in range(LOOKS):
            state = _credit_state(database, begun)
            try:
                return repeated(partial(_move_credit, database, begun, outcome, state))
            except Refused as error:
                refused = error
        raise refused from None


def go_on(database: Database, order: int) -> None:
    """Do what follows an order that has ended, in a transaction of its own, once."""

    def once() -> None:
        with unit_of_work(database, WORKER, database.now()) as work:
            order_books.follow(work, order)

    repeated(once)


def owe_slip(work: UnitOfWork, subject: Sale | Order) -> None:
    """Open the slip of a sale or an order whose outcome cannot be learned from here."""
    node = work.session.scalars(
        select(SupplyPoint.node_id)
        .join(Agreement, Agreement.point_id == SupplyPoint.id)
        .where(Agreement.id == subject.agreement_id)
    ).one_or_none()
    if node is not None:
        open_task(work, TaskKind.SLIP, subject, node, Role.FIELD, work.today + SLIP_DUE)


def _credit_state(database: Database, begun: Begun) -> SaleState:
    """Return the state of an order of the credit class as it is committed."""
    with database.reading() as session:
        state = session.scalars(select(Order.credit_state).where(Order.id == begun.order)).one()
    assert state is not None
    return state


def _move_credit(database: Database, begun: Begun, outcome: Outcome, state: SaleState) -> str:
    """Move an order by what the journal says, if that is an event for its state.

    Raises:
        Refused: it is in another state; nothing was changed.
    """
    with unit_of_work(database, WORKER, database.now()) as work:
        if state is SaleState.TAKEN and outcome.state is not JournalWord.ABSENT:
            begin_again(work, begun)  # another process had found nothing before it was sealed
            state = SaleState.SENDING
        event, cause = event_of(state, outcome), cause_of(outcome)
        _lock_for_terms(work, begun)
        if event is not None:
            _book(work, begun, event, outcome)
        order = work.lock(Order, begun.order)
        if event is None and order.credit_state is not state:
            raise Refused("not_in_this_state", f"O{order.id} is {order.credit_state}, not {state}")
        order.outcome = {**(order.outcome or {}), **told(outcome)}
        order.journal_entry = outcome.entry or order.journal_entry
        if order.credit_state is SaleState.TAKEN:
            order.cause, order.not_before = cause, work.now + next_delay(begun.tries)
        elif order.credit_state is SaleState.UNKNOWN:
            _try_later(work, begun, order, is_new=event is not None)
            order.cause = cause
        elif state is SaleState.CANCELLED and outcome.state is JournalWord.CONFIRMED:
            _note_cancelled(work, begun)
        provisioning_books.done(work, order)
        assert order.credit_state is not None
        return order.credit_state.value


def _note_cancelled(work: UnitOfWork, begun: Begun) -> None:
    """Note a sale that was cancelled, and that its meter has all the same."""
    if begun.sale is not None:
        sale = work.lock(Sale, begun.sale)
        note_finding(
            work, FindingRule.PROOF_AGAINST_END, sale, begun.agreement,
            SaleState.DELIVERED, SaleState.CANCELLED, "the meter has it, its money was given back",
        )  # fmt: skip


def _book(work: UnitOfWork, begun: Begun, event: SaleEvent, outcome: Outcome) -> None:
    """Move a sale or an order without money by an event."""
    proved, cause = proved_by(outcome), cause_of(outcome)
    if event in (SaleEvent.CONFIRMED, SaleEvent.RECEIPT, SaleEvent.RESOLVED_DELIVERED):
        cause = ""
    if begun.sale is not None:
        sale_books.move(work, begun.sale, event, proved=proved, cause=cause)
    else:
        order_books.move_order(work, begun.order, event, proved=proved, cause=cause)


def _try_later(work: UnitOfWork, begun: Begun, order: Order, *, is_new: bool) -> None:
    """Set the next try of an order whose outcome is unknown, and send people when it is time."""
    if is_new:
        order.tries = 1
    order.not_before = work.now + next_delay(order.tries)
    subject = order if begun.sale is None else work.lock(Sale, begun.sale)
    since = order.made_at if isinstance(subject, Order) else subject.changed_at
    if begun.place is None or work.now - since >= SLIP_AFTER:
        owe_slip(work, subject)


def _end_reading(database: Database, begun: Begun, ended: Told[Reading] | Told[Terms]) -> str:
    """Accept a reading, or write down why there is none."""
    read = ended.value
    if read is None:
        again = ended.problem in _TRIED_AGAIN
        event = CommandEvent.NO_ANSWER if again else CommandEvent.REFUSE
        cause = in_words_of_desk(ended.problem, ended.cause)
        return _end_command(database, begun, event, cause, {"problem": ended.problem.value})
    if isinstance(read, Terms):
        shown = terms_text(read)
        if comparison_books.COMPARE in begun.parameters:
            del shown["pending"]  # one is kept of each meter and night
        return _end_command(database, begun, CommandEvent.PROVED, "", shown)

    def once() -> str:
        with unit_of_work(database, WORKER, database.now()) as work:
            values = reading_values(begun.meter, read)
            estimate = begun.parameters.get(ESTIMATE)
            if estimate is None:
                accepted = reading_books.accept(work, values, begun.agreement)
            else:
                accepted = accept_set_back(work, values, begun.agreement, estimate)
            return _moved_command(work, begun, CommandEvent.PROVED, "", {"reading": accepted.id})

    return repeated(once)


def _end_command(
    database: Database, begun: Begun, event: CommandEvent, cause: str, outcome: dict[str, Any]
) -> str:
    """Move an order of the command class, and set its next try where it was silent."""

    def once() -> str:
        with unit_of_work(database, WORKER, database.now()) as work:
            return _moved_command(work, begun, event, cause, outcome)

    return repeated(once)


def _moved_command(
    work: UnitOfWork, begun: Begun, event: CommandEvent, cause: str, outcome: dict[str, Any]
) -> str:
    """Move an order of the command class; return the word of its state."""
    _lock_for_terms(work, begun)
    order = order_books.move_command(work, begun.order, event, cause=cause)
    order.outcome = {**(order.outcome or {}), **outcome}
    if event is CommandEvent.NO_ANSWER:
        order.not_before = work.now + next_delay(begun.tries)
    provisioning_books.done(work, order)
    comparison_books.done(work, order)
    assert order.command_state is not None
    return order.command_state.value


def _lock_for_terms(work: UnitOfWork, begun: Begun) -> None:
    """Lock agreement and meter of an order of a version, and of one that compares terms."""
    is_of_terms = begun.version is not None or comparison_books.COMPARE in begun.parameters
    if is_of_terms and begun.agreement is not None:
        work.lock(Agreement, begun.agreement)
        work.lock(Meter, begun.meter)


def stop(database: Database, begun: Begun, rule: FindingRule, cause: str) -> None:
    """Stop a meter of which a proved value fell, or that has another storage."""

    def once() -> None:
        with unit_of_work(database, WORKER, database.now()) as work:
            meter = work.lock(Meter, begun.meter)
            proved = (
                f"epoch {meter.epoch}, sequence {meter.proved_sequence}, "
                f"cumulative {meter.proved_cumulative}"
            )
            stop_meter(work, meter, rule, begun.agreement, cause, proved, cause)

    repeated(once)
