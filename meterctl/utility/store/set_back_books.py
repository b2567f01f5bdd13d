"""The books of a meter whose storage was set back, begun again with what it shows (UTILITY 5).

Two persons decided to serve it: what was consumed since the last reading is estimated by them, and
what its credit differs by then is owed to the customer, or is a claim. Debt that it has again is
owed too, because the customer pays it twice; debt that it lost is due.
"""

from __future__ import annotations

from dataclasses import replace

from meterctl.utility.model.agreement import Agreement, AgreementMode
from meterctl.utility.model.metering import FindingState, Meter, Reading
from meterctl.utility.model.work import TaskKind
from meterctl.utility.rules import postings
from meterctl.utility.rules.postings import AccountKind, MeterBalances
from meterctl.utility.rules.rights import Action
from meterctl.utility.rules.transitions import READING, ReadingEvent, after
from meterctl.utility.store.claims import write_claim
from meterctl.utility.store.findings import FindingRule, open_finding
from meterctl.utility.store.ledger import About
from meterctl.utility.store.queries.readings import SET_BACK, booked_cumulative, readings_from
from meterctl.utility.store.reading_books import (
    BOOKED,
    ReadingValues,
    accept,
    at_free_instant,
    base_of,
    compare_books,
    prove,
    row_of,
)
from meterctl.utility.store.tasks import cancel_task
from meterctl.utility.store.unit_of_work import UnitOfWork

SERVED = "meter_set_back_served"
"""Word of the audit: the books of a meter began again."""
ESTIMATE = "set_back_estimate"
"""Parameter of the order that reads the meter: consumption since the last reading, 0.01."""


def accept_set_back(
    work: UnitOfWork, values: ReadingValues, agreement_id: int | None, estimate: int
) -> Reading:
    """Store the reading with which the books of a meter begin again; it is stopped no more.

    A meter that is not stopped for it any more, or has another epoch, is read as any other.

    Args:
        estimate: consumption since the last accepted reading, 0.01.
    """
    agreement = None if agreement_id is None else work.lock(Agreement, agreement_id)
    meter = work.lock(Meter, values.meter_id)
    if meter.stopped != FindingRule.SET_BACK or meter.epoch != values.epoch:
        return accept(work, values, agreement_id)
    near = readings_from(work.session, meter.id, values.epoch, values.source, values.taken_at)
    values = at_free_instant(values, near)
    marked = replace(values, more={**values.more, SET_BACK: True})
    reading = work.add(row_of(work, marked, agreement_id))
    reading.state = after(READING, reading.state, ReadingEvent.ACCEPT)
    explained = meter.explained_before + values.cumulative_exact
    explained -= booked_cumulative(work.session, meter.id, values.epoch, meter.explained_before)
    before = {"stopped": meter.stopped, "explained_before": meter.explained_before}
    prove(meter, values)
    meter.explained_before, meter.to_debt_exact = explained, values.to_debt_exact
    meter.stopped = None
    is_booked = agreement is not None and agreement.state in BOOKED
    if is_booked and agreement is not None and agreement.mode is AgreementMode.METER:
        _book(work, reading, agreement, meter, estimate)
        compare_books(work, reading, agreement, meter)
    work.session.flush()
    work.audit("reading", reading, None, {"state": str(reading.state), SET_BACK: True})
    told = {"stopped": None, "explained_before": explained}
    work.audit(SERVED, meter, before, told)
    _end_finding(work, meter)
    cancel_task(work, TaskKind.SET_BACK, meter, "two persons decided to serve it")
    return reading


def _book(
    work: UnitOfWork, reading: Reading, agreement: Agreement, meter: Meter, estimate: int
) -> None:
    """Book the estimate, and what the credit of the meter differs by then."""
    shown = MeterBalances(
        reading.credit_exact, reading.debt_exact, base_of(reading), reading.to_debt_exact
    )
    lost = work.ledger.balance(AccountKind.IN_METER, agreement.id) - shown.booked_credit()
    claim = _claim(work, agreement, reading, estimate - lost) if lost < estimate else 0
    work.ledger.post(
        f"epoch/{meter.id}/{reading.epoch}/set_back/{reading.id}/ended",
        "epoch_ended",
        (
            *postings.epoch_lost(agreement.id, lost, estimate, claim),
            *_debt(work, reading, agreement, shown.booked_debt()),
        ),
        About(agreement=agreement.id, reading=reading.id, bill=claim or None),
        for_on=reading.for_on,
    )


def _claim(work: UnitOfWork, agreement: Agreement, reading: Reading, amount: int) -> int:
    """Write the claim for credit that the meter has again; return its bill."""
    note = "the meter was set back, and has credit that it had charged"
    return write_claim(work, agreement.id, f"B-S{reading.id}", amount, note).id


def _debt(
    work: UnitOfWork, reading: Reading, agreement: Agreement, shown: int
) -> postings.Transfers:
    """Return the transfers of what the debt of the meter differs by; the bill of more is written.

    Args:
        shown: what the meter has of it, 0.01.
    """
    booked, bill = work.ledger.balance(AccountKind.METER_DEBT, agreement.id), 0
    if shown > booked:
        note = "the meter was set back, and collects debt again that was paid"
        bill = write_claim(work, agreement.id, f"B-D{reading.id}", shown - booked, note).id
    debts = work.ledger.debts_in_meter(agreement.id)
    return postings.debt_set_back(agreement.id, booked, shown, debts, bill)


def _end_finding(work: UnitOfWork, meter: Meter) -> None:
    finding = open_finding(work, FindingRule.SET_BACK, meter)
    if finding is not None:
        finding.state = FindingState.CONFIRMED
        told = {"state": FindingState.CONFIRMED}
        work.audit(Action.EPOCH_END_APPROVE, finding, {"state": FindingState.OPEN}, told)
