"""The end of a meter's epoch whose storage is lost, by an estimate of two persons (UTILITY 4).

What was consumed since the last reading is estimated; the rest of the credit is owed to the
customer, or below 0 is a final bill. The debt that lay in the meter is due again, and what is owed
pays it. The next epoch begins with its own opening; what sales have brought into it already stays
booked in the meter. A meter with a wire is read before anything is sealed for its new storage.
"""

from __future__ import annotations

from typing import Any

from meterctl.utility.errors import Refused
from meterctl.utility.model.agreement import Agreement, AgreementMode
from meterctl.utility.model.metering import FindingState, Meter
from meterctl.utility.model.money import BillKind
from meterctl.utility.model.party import SupplyPoint
from meterctl.utility.model.work import OrderKind, Task, TaskKind
from meterctl.utility.rules import postings
from meterctl.utility.rules.postings import AccountKind
from meterctl.utility.rules.rights import Action, Role
from meterctl.utility.rules.selling import UNREAD
from meterctl.utility.rules.transitions import SaleEvent, SaleState
from meterctl.utility.services.orders import add_order
from meterctl.utility.services.readings import find_meter_of
from meterctl.utility.services.tasks import approval, propose
from meterctl.utility.store import order_books, provisioning_books
from meterctl.utility.store.claims import write_claim
from meterctl.utility.store.findings import FindingRule, open_finding
from meterctl.utility.store.ledger import About
from meterctl.utility.store.queries.agreements import live_agreement
from meterctl.utility.store.queries.epochs import Later, delivered_later
from meterctl.utility.store.queries.points import point_of_meter
from meterctl.utility.store.queries.readings import live_credit_order
from meterctl.utility.store.set_back_books import ESTIMATE
from meterctl.utility.store.tasks import cancel_task, number_of
from meterctl.utility.store.unit_of_work import UnitOfWork


def end_epoch(work: UnitOfWork, *, meter: str, estimate: int, reason: str) -> dict[str, Any]:
    """Propose to end the epoch of a meter whose storage is lost.

    Args:
        meter: serial number, or the number of its agreement.
        estimate: what was consumed since the last reading, 0.01; 0 where no credit is booked in it.
        reason: what was found at the meter.

    Raises:
        Refused: the meter was never read, or an order to it is not settled.
    """
    found = find_meter_of(work.session, work.actor, Action.EPOCH_END, meter)
    return _propose(work, found, estimate, reason, is_served=False)


def serve_set_back(work: UnitOfWork, *, meter: str, estimate: int, reason: str) -> dict[str, Any]:
    """Propose to go on with a meter whose storage was set back, with what it shows now.

    When another person has approved it, the meter is read; what its credit differs by from the
    books is booked, and sales to it go on. The arguments are those of `end_epoch`.

    Raises:
        Refused: it is not stopped for that, or an order to it is not settled.
    """
    found = find_meter_of(work.session, work.actor, Action.EPOCH_END, meter)
    _require_set_back(found)
    return _propose(work, found, estimate, reason, is_served=True)


def _propose(
    work: UnitOfWork, found: Meter, estimate: int, reason: str, *, is_served: bool
) -> dict[str, Any]:
    """Open the task in which another person approves what is done with a storage."""
    agreement = _agreement(work, found, is_served=is_served)
    if estimate and agreement.mode is not AgreementMode.METER:
        raise Refused(
            "no_credit",
            f"{agreement.number} has mode {agreement.mode}: no credit is booked in its meter, and "
            f"nothing is to be estimated: give 0; nothing was changed",
        )
    node = work.session.get_one(SupplyPoint, agreement.point_id).node_id
    proposal = {
        "meter": found.id,
        "agreement": agreement.id,
        "epoch": found.epoch,
        "estimate": estimate,
        "reason": reason,
        "is_served": is_served,
    }
    task = propose(work, Action.EPOCH_END, found, node, Role.STATION_HEAD, proposal)
    booked, later = _booked(work, found, agreement)
    return {
        "task": number_of(task),
        "meter": found.serial,
        "in_meter": booked - later.in_meter,
        "amount": estimate,
    }


@approval(Action.EPOCH_END)
def book(work: UnitOfWork, task: Task) -> dict[str, Any]:
    """Book the end of an epoch as it was proposed.

    Raises:
        Refused: the meter has another epoch by now, or an order to it is not settled.
    """
    assert task.proposal is not None
    proposed = task.proposal
    agreement = work.lock(Agreement, proposed["agreement"])
    meter = work.lock(Meter, proposed["meter"])
    if meter.epoch != proposed["epoch"]:
        raise Refused("changed", f"meter {meter.serial} has another epoch now; nothing was booked")
    _agreement(work, meter, is_served=bool(proposed.get("is_served")))
    if proposed.get("is_served"):
        return _read_set_back(work, meter, agreement, task)
    _end_unknown(work, meter)
    balance, later = _booked(work, meter, agreement)
    booked = balance - later.in_meter
    left = booked - proposed["estimate"]
    key, about = f"epoch/{meter.id}/{meter.epoch}", About(agreement=agreement.id)
    final = _final_bill(work, agreement, meter, -left) if left < 0 else 0
    lost = postings.epoch_lost(agreement.id, booked, proposed["estimate"], final)
    debts = postings.debt_after_epoch(agreement.id, work.ledger.debts_in_meter(agreement.id))
    work.ledger.post(f"{key}/ended", "epoch_ended", (*lost, *debts), about)
    due = work.ledger.open_bills(agreement.id)
    set_off = postings.set_off(agreement.id, max(left, 0), due)
    work.ledger.post(f"{key}/set_off", "set_off", set_off, about)
    _begin_again(work, meter, later, proposed["reason"])
    if meter.stopped == UNREAD:
        add_order(work, f"{key}/read", OrderKind.READ, meter, agreement, {})
    owed = max(left, 0) - sum(transfer.amount for transfer in set_off)
    return {"meter": meter.serial, "agreement": agreement.number, "owed": owed}


def _end_unknown(work: UnitOfWork, meter: Meter) -> None:
    """End a refund, debt or opening whose outcome only the lost storage could prove.

    It did nothing that counts: all credit of the storage is owed, and its debt is due.
    """
    order = live_credit_order(work.session, meter.id)
    if order is None:
        return
    cause = "the storage for which it was sealed is lost"
    order_books.move_order(work, order.id, SaleEvent.SETTLED_AS_DEAD, cause=cause)
    provisioning_books.done(work, order)
    order_books.follow(work, order.id)


def _require_set_back(meter: Meter) -> None:
    if meter.stopped != FindingRule.SET_BACK:
        raise Refused(
            "not_set_back", f"meter {meter.serial} is not stopped as set back; nothing was changed"
        )


def _read_set_back(
    work: UnitOfWork, meter: Meter, agreement: Agreement, task: Task
) -> dict[str, Any]:
    """Order the reading with which the books of a meter begin again."""
    _require_set_back(meter)
    assert task.proposal is not None
    parameters = {ESTIMATE: task.proposal["estimate"]}
    key = f"set_back/{task.id}"
    order = add_order(work, key, OrderKind.READ, meter, agreement, parameters)
    return {"meter": meter.serial, "agreement": agreement.number, "order": f"O{order.id}"}


def _agreement(work: UnitOfWork, meter: Meter, *, is_served: bool) -> Agreement:
    """Return the agreement of a meter whose storage is known; raises Refused where none is.

    No order of credit to it may be live, but one that is no sale, of which nothing more is learned
    where the storage is lost; a sale is settled on its own.
    """
    point = point_of_meter(work.session, meter.id)
    held = None if point is None else live_agreement(work.session, point.id)
    if held is None or meter.epoch is None:
        raise Refused(
            "no_epoch",
            f"meter {meter.serial}: no agreement, or no storage of it that was ever read; nothing "
            f"was changed",
        )
    live = live_credit_order(work.session, meter.id)
    is_sale = live is not None and live.kind is OrderKind.SALE
    if live is not None and (is_served or is_sale or live.credit_state is not SaleState.UNKNOWN):
        raise Refused(
            "live_order", f"meter {meter.serial}: an order is not settled yet; nothing was changed"
        )
    return held


def _booked(work: UnitOfWork, meter: Meter, agreement: Agreement) -> tuple[int, Later]:
    """Return what is booked in a meter (0.01), and what of it a later storage of it has."""
    balance = work.ledger.balance(AccountKind.IN_METER, agreement.id)
    return balance, delivered_later(work.session, meter, agreement.id)


def _final_bill(work: UnitOfWork, agreement: Agreement, meter: Meter, amount: int) -> int:
    """Write the final bill of an epoch that ended in overdraft; return its number."""
    number, note = f"B-E{meter.id}-{meter.epoch}", f"epoch of meter {meter.serial} ended"
    return write_claim(work, agreement.id, number, amount, note, BillKind.FINAL).id


def _begin_again(work: UnitOfWork, meter: Meter, later: Later, reason: str) -> None:
    """Forget what was proved of the epoch that ended: the next reading begins a new one.

    Until then nothing is sold to a meter with a wire.
    """
    before = {"epoch": meter.epoch, "stopped": meter.stopped}
    meter.epoch = meter.proved_sequence = meter.proved_cumulative = None
    meter.proved_energy_mwh = meter.proved_elapsed = meter.proved_at = None
    meter.explained_before, meter.to_debt_exact = 0, later.to_debt_exact
    meter.stopped = None if meter.port_id is None else UNREAD
    work.session.flush()
    told = {"epoch": None, "stopped": meter.stopped}
    work.audit(Action.EPOCH_END_APPROVE, meter, before, told, reason)
    finding = open_finding(work, FindingRule.EPOCH_CHANGED, meter)
    if finding is not None:
        finding.state = FindingState.CONFIRMED
        changed = {"state": FindingState.CONFIRMED}
        work.audit(Action.EPOCH_END_APPROVE, finding, {"state": FindingState.OPEN}, changed)
    cancel_task(work, TaskKind.SET_BACK, meter, "the epoch was ended by two persons")
