"""Credit in a meter that no sale of ours explains, explained by two persons (UTILITY 4).

An accountant proposes it, a station's head approves it. What another seller put in stands against
that agent; else the customer owes it: a claim.
"""

from __future__ import annotations

from typing import Any

from meterctl.utility.errors import Refused
from meterctl.utility.model.agreement import Agreement
from meterctl.utility.model.metering import FindingState, Meter, Reading
from meterctl.utility.model.party import SupplyPoint
from meterctl.utility.model.work import Task, TaskKind
from meterctl.utility.rules import postings
from meterctl.utility.rules.money import floored
from meterctl.utility.rules.rights import Action, Role
from meterctl.utility.services.readings import find_meter_of
from meterctl.utility.services.tasks import approval, propose
from meterctl.utility.store.claims import write_claim
from meterctl.utility.store.findings import FindingRule, open_finding
from meterctl.utility.store.ledger import About
from meterctl.utility.store.queries.readings import (
    booked_cumulative,
    last_accepted,
    live_credit_order,
)
from meterctl.utility.store.reading_books import compare_books
from meterctl.utility.store.tasks import cancel_task, number_of
from meterctl.utility.store.unit_of_work import UnitOfWork


def explain(
    work: UnitOfWork, *, meter: str, reason: str, bank: int | None = None
) -> dict[str, Any]:
    """Propose how the credit is booked that a finding `unknown_credit` is about.

    Args:
        meter: serial number, or the number of its agreement.
        reason: where the credit came from.
        bank: number of the bank into which the agent pays who sold it; None: the customer owes it.

    Raises:
        Refused: nothing is unexplained, or an order to the meter is not settled.
    """
    found = find_meter_of(work.session, work.actor, Action.CREDIT_EXPLAIN, meter)
    reading, amount = _unexplained(work, found)
    assert reading.agreement_id is not None
    node = _node(work, reading.agreement_id)
    proposal = {"meter": found.id, "amount": amount, "bank": bank, "reason": reason}
    task = propose(work, Action.CREDIT_EXPLAIN, found, node, Role.STATION_HEAD, proposal)
    return {"task": number_of(task), "meter": found.serial, "amount": amount}


@approval(Action.CREDIT_EXPLAIN)
def book(work: UnitOfWork, task: Task) -> dict[str, Any]:
    """Book what was proposed; refused where the meter has changed since.

    Raises:
        Refused: another amount is unexplained now.
    """
    assert task.proposal is not None
    proposed = task.proposal
    meter = work.session.get_one(Meter, proposed["meter"])
    agreement_id = _unexplained(work, meter)[0].agreement_id
    assert agreement_id is not None
    agreement = work.lock(Agreement, agreement_id)
    meter = work.lock(Meter, meter.id)
    reading, amount = _unexplained(work, meter)
    if amount != proposed["amount"]:
        raise Refused(
            "changed",
            f"meter {meter.serial}: another amount is unexplained now; nothing was booked",
        )
    claim, transit = None, None
    if proposed["bank"] is None:
        claim = _claim(work, agreement, meter, amount, proposed["reason"])
    else:
        transit = postings.transit(proposed["bank"])
    work.ledger.post(
        f"explained/{meter.id}/{reading.epoch}/{reading.cumulative_exact}",
        "explained",
        (
            *postings.unexplained_credit(agreement.id, amount, transit, claim),
            *postings.debt_taken(
                agreement.id,
                meter.to_debt_exact,
                max(reading.to_debt_exact, meter.to_debt_exact),
                work.ledger.debts_in_meter(agreement.id),
            ),
        ),
        About(agreement=agreement.id, reading=reading.id, bill=claim),
    )
    before = meter.explained_before
    meter.explained_before += reading.cumulative_exact - _booked(work, meter, reading)
    meter.to_debt_exact = max(reading.to_debt_exact, meter.to_debt_exact)
    work.session.flush()
    work.audit(
        Action.CREDIT_EXPLAIN_APPROVE,
        meter,
        {"explained_before": before},
        {"explained_before": meter.explained_before},
        proposed["reason"],
    )
    finding = open_finding(work, FindingRule.UNKNOWN_CREDIT, meter)
    if finding is not None:
        finding.state = FindingState.CONFIRMED
        told = {"state": FindingState.CONFIRMED}
        work.audit(Action.CREDIT_EXPLAIN_APPROVE, finding, {"state": FindingState.OPEN}, told)
    cancel_task(work, TaskKind.UNKNOWN_CREDIT, meter, "two persons explained it")
    compare_books(work, reading, agreement, meter)
    return {"meter": meter.serial, "amount": amount}


def _claim(work: UnitOfWork, agreement: Agreement, meter: Meter, amount: int, reason: str) -> int:
    """Write the claim for credit that the customer has; return its bill."""
    number = f"B-M{meter.id}-{meter.epoch}-{floored(meter.explained_before)}"
    return write_claim(work, agreement.id, number, amount, reason).id


def _node(work: UnitOfWork, agreement_id: int) -> int:
    agreement = work.session.get_one(Agreement, agreement_id)
    return work.session.get_one(SupplyPoint, agreement.point_id).node_id


def _unexplained(work: UnitOfWork, meter: Meter) -> tuple[Reading, int]:
    """Return the last accepted reading, and the amount in it that no sale explains (0.01)."""
    reading = None
    if meter.epoch is not None:
        reading = last_accepted(work.session, meter.id, meter.epoch)
    if live_credit_order(work.session, meter.id) is not None:
        raise Refused(
            "live_order", f"meter {meter.serial}: an order is not settled yet; nothing was changed"
        )
    amount = 0
    if reading is not None:
        amount = floored(reading.cumulative_exact - _booked(work, meter, reading))
    if reading is None or amount <= 0:
        raise Refused("explained", f"meter {meter.serial}: nothing is unexplained")
    return reading, amount


def _booked(work: UnitOfWork, meter: Meter, reading: Reading) -> int:
    return booked_cumulative(work.session, meter.id, reading.epoch, meter.explained_before)
