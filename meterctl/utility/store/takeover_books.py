"""Taking a meter over: its agreement begins with what was proved of it (UTILITY 4).

It is done in one transaction for each meter, when the reading has come that the approval ordered:
credit and debt with the fractions of their cumulative values, so that I3 holds from there; the open
bills, and what the customer has paid for bills, from the old books.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from sqlalchemy import select

from meterctl.utility.model.agreement import Agreement, AgreementMode, AgreementVersion
from meterctl.utility.model.metering import Installation, Meter, Reading
from meterctl.utility.model.money import BillKind
from meterctl.utility.model.party import SupplyPoint
from meterctl.utility.model.work import Order, OrderKind, Task
from meterctl.utility.rules import postings
from meterctl.utility.rules.allocation import Part
from meterctl.utility.rules.postings import AccountKind, Books, MeterBalances
from meterctl.utility.rules.terms import json_of_terms, settings_read, terms_of_json, terms_of_meter
from meterctl.utility.rules.transitions import (
    AGREEMENT,
    READING,
    VERSION,
    AgreementEvent,
    AgreementState,
    CommandState,
    ReadingEvent,
    ReadingState,
    VersionEvent,
    VersionState,
    after,
)
from meterctl.utility.store.bills import issue_bill
from meterctl.utility.store.ledger import About
from meterctl.utility.store.order_books import following
from meterctl.utility.store.queries.agreements import unfinished_version
from meterctl.utility.store.reading_books import compare_books
from meterctl.utility.store.unit_of_work import UnitOfWork

TAKE_OVER = "take_over"
"""What follows the reading of an approved taking over (`order_books.THEN`)."""
TASK, ROW = "task", "row"
"""Parameters of its order: the proposal's task, and the row of it from 0."""
PROBLEM = "not_taken_over"
"""Key in its order's outcome: why the meter was not taken over."""
NO_CUSTOMER = "0" * 12


@following(TAKE_OVER)
def take_over(work: UnitOfWork, order: Order) -> None:
    """Take a meter over with the reading that its order brought, once.

    A meter that cannot be taken over stays as it is; the order's outcome says why.
    """
    if order.command_state is not CommandState.DONE or order.agreement_id is None:
        return
    agreement = work.lock(Agreement, order.agreement_id)
    meter = work.lock(Meter, order.meter_id)
    order = work.lock(Order, order.id)
    outcome = order.outcome or {}
    task = work.session.get_one(Task, order.parameters[TASK])
    assert task.proposal is not None
    row = task.proposal["rows"][order.parameters[ROW]]
    reading = work.session.get_one(Reading, outcome["reading"])
    settings = _settings(work, agreement)
    problem = _problem(work, agreement, reading)
    if not problem and settings is None:
        problem = "what it is set to was not read"
    if problem:
        order.outcome = {**outcome, PROBLEM: problem}
        work.session.flush()
        return
    _book(work, agreement, meter, reading, row)
    _put_into_force(work, agreement, settings or {}, row["terms"])
    if agreement.mode is AgreementMode.METER:
        compare_books(work, reading, agreement, meter)


def _problem(work: UnitOfWork, agreement: Agreement, reading: Reading) -> str:
    """Return why an agreement cannot begin with a reading; empty if it can."""
    if agreement.state is not AgreementState.NEW:
        return f"agreement {agreement.number} is {agreement.state}"
    if reading.state is not ReadingState.TAKEN:
        return f"its reading is {reading.state}"
    version = unfinished_version(work.session, agreement.id)
    if version is None or version.state is not VersionState.DRAFT:
        return f"agreement {agreement.number} has no draft: its version was changed meanwhile"
    state, customer = reading.more["account_state"], reading.more["customer_number"]
    if agreement.mode is not AgreementMode.METER:
        return "" if state == "unopened" else f"its account is {state}, in mode {agreement.mode}"
    if state == "closed":
        return "its account is closed"
    point = work.session.get_one(SupplyPoint, agreement.point_id)
    if customer not in (NO_CUSTOMER, point.number):
        return f"it belongs to customer number {customer}, the point is {point.number}"
    return ""


def _settings(work: UnitOfWork, agreement: Agreement) -> Mapping[str, str] | None:
    """Return what the meter is set to, as it was read last for its agreement."""
    rows = work.session.scalars(
        select(Order.outcome)
        .where(
            Order.agreement_id == agreement.id,
            Order.kind == OrderKind.READ,
            Order.command_state == CommandState.DONE,
        )
        .order_by(Order.id.desc())
    )
    return next((row["settings"] for row in rows if row and "settings" in row), None)


def _book(
    work: UnitOfWork,
    agreement: Agreement,
    meter: Meter,
    reading: Reading,
    row: Mapping[str, Any],
) -> None:
    """Book what the reading and the old books have; readings are booked from this one on."""
    balances = None
    if agreement.mode is AgreementMode.METER:
        balances = MeterBalances(
            reading.credit_exact,
            reading.debt_exact,
            Books(reading.consumption_exact, reading.standing_exact, reading.instalments_exact),
            reading.to_debt_exact,
        )
        meter.explained_before = reading.cumulative_exact
        meter.to_debt_exact = reading.to_debt_exact
    bills = list(_old_bills(work, agreement, row["bills"]))
    debt = 0 if balances is None else balances.booked_debt()
    debt_bill = _bill(work, agreement, 0, "", debt, work.today, "in the meter") if debt else None
    work.ledger.post(
        f"take_over/{agreement.id}",
        "taken_over",
        postings.taken_over(
            agreement.id, balances, debt_bill, bills, row["advance"]
        ),
        About(agreement=agreement.id, reading=reading.id),
        for_on=reading.for_on,
    )  # fmt: skip
    opened = work.ledger.open_bills(agreement.id)
    available = work.ledger.balance(AccountKind.ADVANCE, agreement.id)
    work.ledger.post(
        f"take_over/{agreement.id}/allocated",
        "allocated",
        postings.allocated(agreement.id, available, opened),
        About(agreement=agreement.id),
    )
    reading.state = after(READING, reading.state, ReadingEvent.ACCEPT)
    installation = work.session.scalars(
        select(Installation).where(Installation.meter_id == meter.id, Installation.to_at.is_(None))
    ).one()
    installation.reading_in_id = reading.id
    work.session.flush()
    told = {"state": reading.state, "credit_exact": reading.credit_exact}
    work.audit(TAKE_OVER, reading, {"state": ReadingState.TAKEN}, told)


def _old_bills(
    work: UnitOfWork, agreement: Agreement, rows: Iterable[tuple[str, int, str]]
) -> Iterable[Part]:
    for n, (month, amount, due_on) in enumerate(rows, 1):
        due = date.fromisoformat(due_on)
        yield Part(_bill(work, agreement, n, month, amount, due, "open before"), amount)


def _bill(
    work: UnitOfWork, agreement: Agreement, n: int, month: str, amount: int, due_on: date, note: str
) -> int:
    """Write a bill of the old books; its number is the agreement's with a serial."""
    number = f"B{agreement.number}-{n}"
    kind = BillKind.TAKEN_OVER
    return issue_bill(work, agreement.id, kind, number, amount, due_on, note, month).id


def _put_into_force(
    work: UnitOfWork,
    agreement: Agreement,
    settings: Mapping[str, str],
    agreed: Mapping[str, Any] | None,
) -> None:
    """Put the terms that the meter has into force; those of the file are the next draft."""
    read = settings_read(settings)
    version = unfinished_version(work.session, agreement.id)
    assert version is not None
    version.terms = json_of_terms(terms_of_meter(read))
    version.effective_on = work.today
    version.state = after(VERSION, version.state, VersionEvent.TAKE_OVER)
    agreement.state = after(AGREEMENT, agreement.state, AgreementEvent.ACTIVATE)
    agreement.version += 1
    work.session.flush()
    told = {"state": version.state, "terms": version.terms}
    work.audit(TAKE_OVER, version, {"state": VersionState.DRAFT}, told)
    work.audit(TAKE_OVER, agreement, {"state": AgreementState.NEW}, {"state": agreement.state})
    if agreed is None:
        return
    following_version = work.add(
        AgreementVersion(
            agreement_id=agreement.id,
            n=version.n + 1,
            state=VersionState.DRAFT,
            effective_on=work.today,
            terms=json_of_terms(terms_of_json(agreed)),
            signed_at=None,
            signed_by=None,
            print_sha256=None,
            cause="",
        )
    )
    drafted = {"state": following_version.state, "terms": following_version.terms}
    work.audit(TAKE_OVER, following_version, None, drafted)
