"""Invariants of who did what: I7, I11."""

from __future__ import annotations

from typing import Any

from sqlalchemy import String, and_, cast, func, literal, or_, select
from sqlalchemy.orm import Session, aliased

from meterctl.utility.model.agreement import Agreement, AgreementVersion
from meterctl.utility.model.banking import BankLine, BankLineState
from meterctl.utility.model.base import Base
from meterctl.utility.model.evidence import Audit, Document
from meterctl.utility.model.metering import Meter, Port
from meterctl.utility.model.money import (
    Bill,
    DayClose,
    Entry,
    Payment,
    PaymentPurpose,
    PaymentState,
    Sale,
    Shift,
)
from meterctl.utility.model.organisation import (
    Duty,
    GrantState,
    Organisation,
    Setting,
    Staff,
    StaffGrant,
)
from meterctl.utility.model.party import Party, SupplyPoint
from meterctl.utility.model.work import Task, TaskKind
from meterctl.utility.rules.rights import FOUR_EYES, MONEY_ROLES, PAYOUT_ALONE, Action
from meterctl.utility.rules.transitions import (
    AgreementState,
    SaleEvent,
    SaleState,
    ShiftState,
    TaskState,
    VersionState,
)
from meterctl.utility.store.checks.approved_entries import APPROVED, entries_approved
from meterctl.utility.store.checks.entries import subject_of_entry
from meterctl.utility.store.checks.outcome import Checked, Tally, streamed
from meterctl.utility.store.tasks import OPENED, PROPOSAL
from meterctl.utility.store.unit_of_work import sha256_of

AUDITED: tuple[type[Base], ...] = (
    Organisation, Staff, StaffGrant, Duty, Party, SupplyPoint, Port, Meter, Agreement,
    AgreementVersion, Shift, Sale, Bill, Task, Document,
)  # fmt: skip
"""Tables of which every row has at least the audit of its making."""
_FIRST_STATES: dict[type[Base], str] = {
    Sale: SaleState.TAKEN,
    Shift: ShiftState.OPEN,
    Payment: PaymentState.TAKEN,
    Agreement: AgreementState.NEW,
    AgreementVersion: VersionState.DRAFT,
    Task: TaskState.OPEN,
}
"""Tables whose state is that of the row's newest audit with one, or this one without any."""
_IN_TRANSACTIONS: tuple[tuple[type[Base], str], ...] = (
    (Entry, "booked_at"), (Payment, "paid_at"), (Setting, "set_at"),
)  # fmt: skip
"""Tables of which every row has an audit of its own instant and person: an entry's is about what
the entry is about, the others' about any subject."""
_SETTLED = (SaleEvent.SETTLED_AS_DELIVERED, SaleEvent.SETTLED_AS_DEAD)


def two_persons(session: Session) -> Checked:
    """I7: what needs two persons was proposed by one and approved by another."""
    tally = Tally()
    approvers = {action.value for action in FOUR_EYES.values()}
    subject = literal("task/") + cast(Task.id, String)
    approval = (
        select(Task.id, Task.proposer_id, Task.staff_id, func.count(Audit.id))
        .outerjoin(Audit, and_(
            Audit.subject == subject, Audit.action.in_(approvers),
            Audit.staff_id != Task.proposer_id,
        ))
        .where(
            Task.kind == TaskKind.APPROVAL, Task.state == TaskState.DONE, Task.outcome == APPROVED
        )
        .group_by(Task.id, Task.proposer_id, Task.staff_id)
    )  # fmt: skip
    for task, proposer, approver, audits in streamed(session, approval):
        tally.count += 1
        if proposer is None or approver is None:
            tally.violation(f"task T{task}", "it does not say who proposed and who approved it")
        elif proposer == approver or not audits:
            tally.violation(f"task T{task}", "no second person approved it")
    _proposals(session, tally)
    _grants(session, tally)
    _settled_sales(session, tally)
    _payouts(session, tally)
    _sent_back(session, tally)
    entries_approved(session, tally)
    return tally.checked(
        "I7", "what needs two persons was approved by another one", "approvals, grants and entries"
    )


def all_audited(session: Session) -> Checked:
    """I11: each row that people change has its audit, each entry that of its transaction."""
    tally = Tally()
    for table in AUDITED:
        _rows(session, tally, table)
    for table, first in _FIRST_STATES.items():
        _states(session, tally, table, first)
    for table, instant in _IN_TRANSACTIONS:
        _in_transactions(session, tally, table, instant)
    _closes(session, tally)
    return tally.checked("I11", "nothing was changed without an audit", "rows and entries")


def _proposals(session: Session, tally: Tally) -> None:
    """Look at each task that proposes something: its proposal is the one it was opened with.

    Audits of earlier versions of the desk do not say which that was.
    """
    subject = literal("task/") + cast(Task.id, String)
    opened = Audit.after[PROPOSAL].as_string()
    proposals = (
        select(Task.id, Task.proposal, opened)
        .join(Audit, and_(Audit.subject == subject, Audit.action == OPENED))
        .where(opened.is_not(None))
    )
    for task, proposal, proposed in streamed(session, proposals):
        tally.count += 1
        if sha256_of(proposal or {}) != proposed:
            tally.violation(f"task T{task}", "proposes something else than it was opened with")


def _grants(session: Session, tally: Tally) -> None:
    """Look at each grant of a role of money."""
    grants = select(
        StaffGrant.id, StaffGrant.role, StaffGrant.proposer_id, StaffGrant.approver_id
    ).where(StaffGrant.role.in_(MONEY_ROLES), StaffGrant.state == GrantState.ACTIVE)
    for grant, role, proposer, approver in streamed(session, grants):
        tally.count += 1
        if proposer is None or approver is None or proposer == approver:
            tally.violation(f"grant {grant} of {role.value}", "no second person approved it")


def _settled_sales(session: Session, tally: Tally) -> None:
    """Look at each sale that was settled by hand: its approval is there."""
    subject = literal("sale/") + cast(Sale.id, String)
    approval = select(Task.id).where(
        Task.kind == TaskKind.APPROVAL, Task.subject_kind == Sale.__tablename__,
        Task.subject_id == Sale.id, Task.outcome == APPROVED,
        Task.proposal["action"].as_string() == Action.SALE_SETTLE.value,
    )  # fmt: skip
    settled = (
        select(Sale.id, approval.exists())
        .join(Audit, Audit.subject == subject)
        .where(Audit.action.in_([f"sale_{event.value}" for event in _SETTLED]))
    )
    for sale, is_approved in streamed(session, settled):
        tally.count += 1
        if not is_approved:
            tally.violation(f"sale S{sale}", "was settled by hand without a second person")


def _payouts(session: Session, tally: Tally) -> None:
    """Look at each payout above the limit: it was approved, or is a payment that bounced."""
    bounced = aliased(Payment)
    of_sale = select(Sale.id).where(Sale.agreement_id == Payment.agreement_id)
    approval = select(Task.id).where(
        Task.kind == TaskKind.APPROVAL,
        Task.outcome == APPROVED,
        Task.proposal["action"].as_string() == Action.PAYOUT.value,
        Task.proposal["amount"].as_integer() == Payment.amount,
        or_(
            and_(
                Task.subject_kind == Agreement.__tablename__,
                Task.subject_id == Payment.agreement_id,
            ),
            and_(Task.subject_kind == Sale.__tablename__, Task.subject_id.in_(of_sale)),
        ),
    )
    went_back = select(bounced.id).where(
        bounced.state == PaymentState.BOUNCED,
        bounced.agreement_id == Payment.agreement_id,
        bounced.amount == Payment.amount,
    )
    rows = select(Payment.id, approval.exists(), went_back.exists()).where(
        Payment.purpose.in_((PaymentPurpose.PAYOUT, PaymentPurpose.REFUND)),
        Payment.amount > PAYOUT_ALONE,
    )
    for payment, is_approved, is_bounced in streamed(session, rows):
        tally.count += 1
        if not (is_approved or is_bounced):
            tally.violation(f"payment P{payment}", "is a payout above the limit by one person")


def _sent_back(session: Session, tally: Tally) -> None:
    """Look at money above the limit that was sent back by a bank: it was approved."""
    approval = select(Task.id).where(
        Task.kind == TaskKind.APPROVAL,
        Task.outcome == APPROVED,
        Task.proposal["action"].as_string() == Action.BANK_SEND_BACK.value,
        Task.proposal["amount"].as_integer() == BankLine.amount,
        Task.subject_kind == BankLine.__tablename__,
        Task.subject_id == BankLine.id,
    )
    rows = select(BankLine.id, approval.exists()).where(
        BankLine.state == BankLineState.SENT_BACK, BankLine.amount > PAYOUT_ALONE
    )
    for line, is_approved in streamed(session, rows):
        tally.count += 1
        if not is_approved:
            tally.violation(f"bank line L{line}", "was sent back above the limit by one person")


def _rows(session: Session, tally: Tally, table: type[Base]) -> None:
    """Look at each row of a table: its making is in the audit."""
    number: Any = table.id  # type: ignore[attr-defined]
    tally.count += session.scalars(select(func.count()).select_from(table)).one()
    subject = literal(f"{table.__tablename__}/") + cast(number, String)
    audit = select(Audit.id).where(Audit.subject == subject)
    for row in streamed(session, select(number).where(~audit.exists())):
        tally.violation(f"{table.__tablename__} {row[0]}", "has no audit")


def _states(session: Session, tally: Tally, table: type[Base], first: str) -> None:
    """Look at the state of each row of a table: the newest audit with a state says the same."""
    number, state = table.id, table.state  # type: ignore[attr-defined]
    subject = literal(f"{table.__tablename__}/") + cast(number, String)
    last = (
        select(Audit.after["state"].as_string())
        .where(Audit.subject == subject, Audit.after["state"].as_string().is_not(None))
        .order_by(Audit.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    audited = func.coalesce(last, first)
    rows = select(number, state, audited)
    for row, now, by_audit in streamed(session, rows):
        if now.value != by_audit:
            tally.violation(
                f"{table.__tablename__} {row}", f"is {now.value}, by its audit {by_audit}"
            )


def _in_transactions(session: Session, tally: Tally, table: type[Base], instant: str) -> None:
    """Look at each row of a table: something was audited with it, by the same person."""
    tally.count += session.scalars(select(func.count()).select_from(table)).one()
    number: Any = table.id  # type: ignore[attr-defined]
    staff: Any = table.staff_id  # type: ignore[attr-defined]
    same_person = func.coalesce(Audit.staff_id, 0) == func.coalesce(staff, 0)
    audit = select(Audit.id).where(Audit.at == getattr(table, instant), same_person)
    wrong = [select(number).where(~audit.exists())]
    if table is Payment:  # a bank says when it took the money: its payments have their own audits
        subject_of_payment = literal("payment/") + cast(number, String)
        own = select(Audit.id).where(Audit.subject == subject_of_payment, same_person)
        by_bank = Payment.bank_reference.is_not(None)
        wrong = [
            wrong[0].where(~by_bank),
            select(number).where(by_bank, ~own.exists()),
        ]
    if table is Entry:
        subject = subject_of_entry()
        # The sum keeps the index of instants out: many rows may have one, few have one subject.
        about_it = select(Audit.id).where(
            Audit.subject == subject, Audit.at + 0 == Entry.booked_at, same_person
        )
        wrong = [
            wrong[0].where(subject.is_(None)),
            select(number).where(subject.is_not(None), ~about_it.exists()),
        ]
    for rows in wrong:
        for row in streamed(session, rows):
            tally.violation(f"{table.__tablename__} {row[0]}", "nothing was audited with it")


def _closes(session: Session, tally: Tally) -> None:
    """Look at each close of a date: it is in the audit."""
    for on in session.scalars(select(DayClose.on)):
        tally.count += 1
        subject = f"{DayClose.__tablename__}/{on.isoformat()}"
        audit = select(Audit.id).where(Audit.subject == subject).limit(1)
        if session.scalars(audit).first() is None:
            tally.violation(f"close of {on}", "has no audit")
