"""Shifts of vendors: opened with a float, counted, closed with what was banked (UTILITY 6, S4).

A vendor has one shift at a time; money is taken while it is open. Closing leaves its cash at 0.00:
what was counted more or less is booked as a difference, and the rest lies in transit to the bank.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from meterctl.utility.errors import Conflict, Invalid, NotFound, Refused
from meterctl.utility.model.agreement import Agreement
from meterctl.utility.model.metering import Meter
from meterctl.utility.model.money import Sale, Shift
from meterctl.utility.model.organisation import Organisation
from meterctl.utility.model.work import Order, TaskKind
from meterctl.utility.rules.cash_up import cash_up, to_bank
from meterctl.utility.rules.law import CASH_LIMIT, TILL_DIFFERENCE
from meterctl.utility.rules.numbering import shift_number
from meterctl.utility.rules.postings import (
    BANK,
    AccountKind,
    cash_banked,
    cash_difference,
    float_made_up,
)
from meterctl.utility.rules.rights import ALLOWED, Action, Role
from meterctl.utility.rules.selling import shown
from meterctl.utility.rules.transitions import SHIFT, SaleEvent, ShiftEvent, ShiftState, after
from meterctl.utility.store import sale_books, settings
from meterctl.utility.store.ledger import About
from meterctl.utility.store.queries.organisation import find_node
from meterctl.utility.store.queries.sale_places import Till
from meterctl.utility.store.queries.shifts import (
    abandoned_sales,
    describe_shift,
    find_shift,
    orders_of,
    shift_of,
)
from meterctl.utility.store.tasks import open_task
from meterctl.utility.store.unit_of_work import UnitOfWork


def open_shift(work: UnitOfWork, *, node: str | None, float_amount: int) -> dict[str, Any]:
    """Open the shift of the person who acts.

    Args:
        node: code of where it is; None: the only node where the person takes money.
        float_amount: change that lies in the till, 0.01; it is not booked.

    Raises:
        Refused: the person has a shift already.
        Invalid: a negative float, or it is not clear which node is meant.
    """
    where = _node(work, node)
    work.require(Action.SHIFT_OPEN, where.id)
    _require_amount("float", float_amount)
    vendor_id = work.actor.staff_id
    if vendor_id is None:
        raise Refused("no_person", "a worker has no shift; nothing was changed")
    held = shift_of(work.session, vendor_id)
    if held is not None:
        raise _has_one(held.number, held.state)
    limit = settings.value(work.session, CASH_LIMIT, where.id, None, work.today)
    shift = Shift(
        number=_next_number(work, where),
        vendor_id=vendor_id,
        node_id=where.id,
        state=ShiftState.OPEN,
        opened_at=work.now,
        opened_on=work.today,
        float_amount=float_amount,
        limit_amount=limit,
        receipts=0,
    )
    try:
        work.add(shift)
    except IntegrityError as error:  # another command opened one at the same moment
        raise Conflict(
            "shift_open", "another command opened a shift at this moment; nothing was changed"
        ) from error
    work.audit(
        Action.SHIFT_OPEN,
        shift,
        None,
        {"state": shift.state, "float": float_amount, "limit": limit},
    )
    return describe_shift(work.session, shift)


def count(work: UnitOfWork, *, shift: str | None, counted: int) -> dict[str, Any]:
    """Write down the cash that was counted in a till, its float with it; again replaces it.

    Args:
        shift: number of the shift; None: one's own.

    Raises:
        NotPermitted: it is another person's, and no role of yours counts those.
        Refused: it is closed.
    """
    _require_amount("counted", counted)
    held = _chosen(work, shift, Action.SHIFT_COUNT, Action.COUNT_OTHERS_SHIFT)
    before = {"state": held.state, "counted": held.counted}
    if held.state is ShiftState.COUNTED:
        held.state = after(SHIFT, held.state, ShiftEvent.RECOUNT)
    held.state = after(SHIFT, held.state, ShiftEvent.COUNT)
    held.counted, held.counted_at, held.counter_id = counted, work.now, work.actor.staff_id
    held.version += 1
    work.audit(Action.SHIFT_COUNT, held, before, {"state": held.state, "counted": counted})
    return _with_difference(work, held)


def recount(work: UnitOfWork, *, shift: str | None) -> dict[str, Any]:
    """Take back the count of a shift: it is open again, to sell or to be counted again.

    Raises:
        Refused: it was not counted.
    """
    held = _chosen(work, shift, Action.SHIFT_COUNT, Action.COUNT_OTHERS_SHIFT)
    before = {"state": held.state, "counted": held.counted}
    held.state = after(SHIFT, held.state, ShiftEvent.RECOUNT)
    held.counted = held.counted_at = held.counter_id = None
    held.version += 1
    work.audit("shift_recount", held, before, {"state": held.state})
    return describe_shift(work.session, held)


def close(work: UnitOfWork, *, shift: str | None, slip: str | None) -> dict[str, Any]:
    """Close a counted shift: its cash is banked, what it is short or over is booked.

    A sale of it that no worker has begun, and none lives to begin, is ended: its amount is owed to
    the customer.

    Args:
        shift: number of the shift; None: one's own.
        slip: number of the bank's slip; needed where anything is banked.

    Raises:
        Refused: it is not counted.
        Invalid: cash is to be banked, and no slip is named.
    """
    number = _chosen_id(work, shift)
    held = work.session.get_one(Shift, number)
    _require_own(work, held, Action.SHIFT_CLOSE, Action.CLOSE_OTHERS_SHIFT)
    ended = _end_abandoned_sales(work, number)
    reached = after(SHIFT, held.state, ShiftEvent.CLOSE)
    assert held.counted is not None
    counted = cash_up(
        held.float_amount, work.ledger.balance(AccountKind.CASH, held.id), held.counted
    )
    banked = to_bank(counted, held.float_amount)
    slip = (slip or "").strip() or None
    if banked > 0 and slip is None:
        raise Invalid(
            "slip", f"{shown(banked)} is to be banked: say the slip's number; nothing was changed"
        )
    work.ledger.post(
        f"shift/{held.id}/closed",
        "shift_closed",
        (
            *cash_difference(held.id, counted.difference),
            *cash_banked(held.id, BANK, banked),
            *float_made_up(held.id, BANK, max(0, held.float_amount - held.counted)),
        ),
        About(),
    )
    held.state, held.slip, held.closed_at = reached, slip, work.now
    held.version += 1
    task = _difference_task(work, held, counted.difference)
    work.audit(
        Action.SHIFT_CLOSE,
        held,
        {"state": ShiftState.COUNTED},
        {"state": reached, "banked": banked, "difference": counted.difference, "slip": slip},
    )
    return {
        **describe_shift(work.session, held),
        "banked": banked,
        "difference": counted.difference,
        "task": task,
        "ended_sales": ended,
    }


def own_shift(work: UnitOfWork) -> Shift:
    """Return the open shift of the person who acts, not locked; raises Refused without one."""
    held = None if work.actor.staff_id is None else shift_of(work.session, work.actor.staff_id)
    if held is None:
        raise no_open_shift()
    require_open(held)
    return held


def no_open_shift() -> Refused:
    """Return the refusal of a person without a shift."""
    return Refused("no_shift", "you have no open shift: `desk shift open`; no money was moved")


def till_of(shift: Shift) -> Till:
    """Return a shift that is locked as a till."""
    return Till(shift.id, shift.number, shift.state, shift.limit_amount)


def require_open(shift: Shift | Till) -> None:
    """Refuse a shift in which no money moves any more; raises Refused."""
    match shift.state:
        case ShiftState.OPEN:
            return
        case ShiftState.COUNTED:
            raise Refused(
                "shift_counted",
                f"shift {shift.number} is counted: `desk shift recount` opens it again; no money "
                "was moved",
            )
        case ShiftState.CLOSED:
            raise Refused("shift_closed", f"shift {shift.number} is closed; no money was moved")


def _node(work: UnitOfWork, code: str | None) -> Organisation:
    """Return the node of a code, else the only one where the person opens shifts."""
    if code is not None:
        return find_node(work.session, code)
    paths = {grant.path for grant in work.actor.grants if grant.role in ALLOWED[Action.SHIFT_OPEN]}
    if len(paths) != 1:
        raise Invalid("node", "say at which node with --node CODE; nothing was changed")
    return work.session.scalars(select(Organisation).where(Organisation.path == paths.pop())).one()


def _next_number(work: UnitOfWork, node: Organisation) -> str:
    """Return the number of a node's next shift; the node is held until it is written."""
    work.session.get(Organisation, node.id, with_for_update=True)
    before = work.session.scalar(
        select(func.count()).select_from(Shift).where(Shift.node_id == node.id)
    )
    return shift_number(node.code, (before or 0) + 1)


def _has_one(number: str, state: ShiftState) -> Refused:
    return Refused(
        "shift_open", f"your shift {number} is {state}: close it first; nothing was changed"
    )


def _chosen_id(work: UnitOfWork, number: str | None) -> int:
    """Return the id of a shift by its number, else of one's own that is not closed."""
    if number is not None:
        return find_shift(work.session, number).id
    held = None if work.actor.staff_id is None else shift_of(work.session, work.actor.staff_id)
    if held is None:
        raise NotFound("no_shift", "you have no shift that is not closed; nothing was changed")
    return held.id


def _chosen(work: UnitOfWork, number: str | None, own: Action, others: Action) -> Shift:
    """Return a shift, locked, that the person may handle."""
    held = work.lock(Shift, _chosen_id(work, number))
    _require_own(work, held, own, others)
    return held


def _require_own(work: UnitOfWork, shift: Shift, own: Action, others: Action) -> None:
    """Refuse a person who may not handle a shift, by whether it is the person's own."""
    is_own = shift.vendor_id == work.actor.staff_id
    work.require(own if is_own else others, shift.node_id)


def _end_abandoned_sales(work: UnitOfWork, shift_id: int) -> list[str]:
    """End the taken sales of a shift that no worker will run; return their numbers.

    All rows are locked first, in the order of `RANKS`; then those that a worker began meanwhile are
    left out.
    """
    lease_now = work.database.host_clock()
    found = abandoned_sales(work.session, shift_id, lease_now)
    for agreement in sorted({row.agreement_id for row in found}):
        work.lock(Agreement, agreement)
    work.lock(Shift, shift_id)
    for meter in sorted({row.meter_id for row in found}):
        work.lock(Meter, meter)
    for order in orders_of(work.session, [row.id for row in found]):
        work.lock(Order, order)
    sales = [work.lock(Sale, number) for number in sorted(row.id for row in found)]
    left = {row.id for row in abandoned_sales(work.session, shift_id, lease_now)}
    ended = [sale for sale in sales if sale.id in left]
    for sale in ended:
        cause = "its shift was closed before a worker sent it"
        sale_books.move(work, sale.id, SaleEvent.WORKER_GONE, cause=cause)
    return [f"S{sale.id}" for sale in ended]


def _difference_task(work: UnitOfWork, shift: Shift, difference: int) -> str | None:
    """Open the station head's task about a difference above the limit; return its number."""
    allowed = settings.value(work.session, TILL_DIFFERENCE, shift.node_id, None, work.today)
    if abs(difference) <= allowed:
        return None
    task = open_task(
        work,
        TaskKind.TILL_DIFFERENCE,
        shift,
        shift.node_id,
        Role.STATION_HEAD,
        work.today + timedelta(days=1),
        {"difference": difference},
    )
    return f"T{task.id}"


def _with_difference(work: UnitOfWork, shift: Shift) -> dict[str, Any]:
    """Return a counted shift with what it should have and what it is over, or short below 0."""
    assert shift.counted is not None
    cash = work.ledger.balance(AccountKind.CASH, shift.id)
    counted = cash_up(shift.float_amount, cash, shift.counted)
    return {
        **describe_shift(work.session, shift),
        "should_have": counted.expected,
        "difference": counted.difference,
    }


def _require_amount(name: str, amount: int) -> None:
    if amount < 0:
        raise Invalid("amount", f"{name} {shown(amount)}: at least 0.00; nothing was changed")
