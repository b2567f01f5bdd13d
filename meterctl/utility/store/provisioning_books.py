"""What becomes of a version of an agreement when its orders end (UTILITY 6 S3).

All orders of one attempt are made at once and run in their order: the meter is read, its limits and
tariff are set, and its account is opened with 0.00 if that was asked for. The version is active
when all of them are done. When one fails, the others are not run, and the version is a draft again
with the cause.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from meterctl.utility.model.agreement import Agreement, AgreementMode, AgreementVersion
from meterctl.utility.model.metering import Meter, Reading
from meterctl.utility.model.work import Order, OrderKind
from meterctl.utility.rules.transitions import (
    AGREEMENT,
    COMMAND,
    SALE,
    VERSION,
    AgreementEvent,
    AgreementState,
    CommandEvent,
    CommandState,
    ReadingState,
    SaleEvent,
    SaleState,
    VersionEvent,
    VersionState,
    after,
)
from meterctl.utility.store.findings import FindingRule, end_finding
from meterctl.utility.store.queries.agreements import active_version
from meterctl.utility.store.queries.readings import newest
from meterctl.utility.store.unit_of_work import UnitOfWork

ATTEMPT = "attempt"
"""Parameter of a version's orders: which attempt to provision it they belong to."""
_DONE = (CommandState.DONE, SaleState.DELIVERED, SaleState.HAND_DELIVERED)
_FAILED = (
    CommandState.REFUSED,
    CommandState.EXPIRED,
    SaleState.DEAD,
    SaleState.HAND_DEAD,
    SaleState.CANCELLED,
)
_NOT_BEGUN = (CommandState.QUEUED, CommandState.SILENT, SaleState.TAKEN)


def done(work: UnitOfWork, order: Order) -> None:
    """Draw the consequences of an order whose state has just moved, if it is of a version.

    The caller holds the agreement and the order.
    """
    if order.agreement_version_id is None or order.agreement_id is None:
        return
    agreement = work.lock(Agreement, order.agreement_id)
    version = work.session.get_one(
        AgreementVersion, order.agreement_version_id, populate_existing=True
    )
    if version.state is not VersionState.PROVISIONING:
        return
    orders = _of_attempt(work, order)
    cause = _refusal(order)
    if not cause and order.kind is OrderKind.READ and _state(order) in _DONE:
        cause = unfit(agreement, newest(work.session, order.meter_id))
    if cause:
        _refuse(work, version, orders, cause)
    elif all(_state(each) in _DONE for each in orders):
        activate(work, agreement, version)
        meter = work.session.get_one(Meter, order.meter_id)
        end_finding(work, FindingRule.TERMS_DIFFER, meter)  # its limits were read back


def activate(work: UnitOfWork, agreement: Agreement, version: AgreementVersion) -> None:
    """Put a proved version into force, in the place of the one before."""
    former = active_version(work.session, agreement.id)
    if former is not None:
        _move(work, former, VersionEvent.REPLACE)
    _move(work, version, VersionEvent.PROVED)
    if agreement.state is AgreementState.NEW:
        agreement.state = after(AGREEMENT, agreement.state, AgreementEvent.ACTIVATE)
        agreement.version += 1
        work.session.flush()
        work.audit(
            "agreement_active",
            agreement,
            {"state": AgreementState.NEW},
            {"state": agreement.state, "version": version.n},
        )


def unfit(agreement: Agreement, reading: Reading | None) -> str:
    """Return why a new agreement cannot begin with a meter as it was read; empty if it can."""
    if reading is None:
        return "the meter was not read"
    if reading.state is ReadingState.HELD:
        return "the reading is held: two persons look at the meter first"
    state = reading.more["account_state"]
    if agreement.mode is not AgreementMode.METER:
        return "" if state == "unopened" else f"the meter's account is {state}, not unopened"
    if state == "closed":
        return "the meter's account is closed: it opens again only with a new storage"
    has_books = any(
        (
            reading.credit_exact,
            reading.cumulative_exact,
            reading.opening_exact,
            reading.consumption_exact,
            reading.standing_exact,
            reading.debt_entered_exact,
        )
    )
    return "the meter has credit or debt of its own: take it over" if has_books else ""


def _of_attempt(work: UnitOfWork, order: Order) -> Sequence[Order]:
    """Return the orders of the attempt that an order belongs to; later ones are locked.

    Those before it have ended, or wait for a worker of the same port.
    """
    rows = work.session.execute(
        select(Order.id, Order.parameters)
        .where(Order.agreement_version_id == order.agreement_version_id)
        .order_by(Order.id)
    ).all()
    attempt = order.parameters[ATTEMPT]
    return [
        work.lock(Order, row.id) if row.id > order.id else work.session.get_one(Order, row.id)
        for row in rows
        if row.parameters[ATTEMPT] == attempt
    ]


def _state(order: Order) -> CommandState | SaleState:
    state = order.credit_state or order.command_state
    assert state is not None
    return state


def _refusal(order: Order) -> str:
    """Return why an order failed for good; empty if it did not."""
    return f"{order.kind}: {order.cause or _state(order)}" if _state(order) in _FAILED else ""


def _refuse(
    work: UnitOfWork, version: AgreementVersion, orders: Sequence[Order], cause: str
) -> None:
    """Make a version a draft again; its orders that were not begun are not run."""
    for order in orders:
        if _state(order) not in _NOT_BEGUN:
            continue
        before = _state(order)
        if order.command_state is not None:
            order.command_state = after(COMMAND, order.command_state, CommandEvent.EXPIRE)
        elif order.credit_state is not None:
            order.credit_state = after(SALE, order.credit_state, SaleEvent.CANCEL)
        order.cause, order.changed_at = cause, work.now
        work.session.flush()
        work.audit("order_not_run", order, {"state": before}, {"state": _state(order)}, cause)
    _move(work, version, VersionEvent.REFUSE, cause)


def _move(
    work: UnitOfWork, version: AgreementVersion, event: VersionEvent, cause: str = ""
) -> None:
    before = version.state
    version.state, version.cause = after(VERSION, version.state, event), cause
    work.session.flush()
    work.audit(f"version_{event}", version, {"state": before}, {"state": version.state}, cause)
