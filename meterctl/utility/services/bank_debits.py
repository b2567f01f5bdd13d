"""Bank debit (代扣): due bills with a mandate go out, and come back paid or bounced."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from meterctl.utility.errors import NotFound, Refused
from meterctl.utility.model.agreement import Agreement
from meterctl.utility.model.banking import (
    Bank,
    BankFile,
    BankLine,
    BankLineState,
    Mandate,
    MandateState,
)
from meterctl.utility.model.evidence import DocumentContent
from meterctl.utility.model.money import Bill, BillState, Payment, PaymentChannel, PaymentState
from meterctl.utility.model.work import TaskKind
from meterctl.utility.rules.bank_debits import MOST_TRIES, LastDebit, next_try
from meterctl.utility.rules.bank_description import BankFileKind, read_bank
from meterctl.utility.rules.bank_files import written_debits
from meterctl.utility.rules.calendar import midnight
from meterctl.utility.rules.law import DEBIT_AGAIN
from meterctl.utility.rules.rights import Action, Role
from meterctl.utility.services import bank_contents, bank_postings
from meterctl.utility.store import settings
from meterctl.utility.store.queries.banking import file_number, find_bank, line_number
from meterctl.utility.store.queries.organisation import company
from meterctl.utility.store.queries.sales import node_of_agreement
from meterctl.utility.store.rights import require_at
from meterctl.utility.store.tasks import open_task
from meterctl.utility.store.unit_of_work import Actor, UnitOfWork

GIVEN_UP_DUE = timedelta(days=3)
Answered = Sequence[tuple[BankLine, BankLine, str]]
"""The line that came back, the line that was sent (locked), and why it bounced."""


@dataclass(frozen=True, slots=True)
class _Due:
    """A bill that a bank is asked for: what is open of it, and how often it was asked."""

    bill: Bill
    mandate: Mandate
    amount: int
    tries: int
    number: int
    """Which debit of the bill it is, from 1: no two have one reference."""

    @property
    def reference(self) -> str:
        return f"D{self.bill.id}-{self.number}"


def send(work: UnitOfWork, *, bank: str, due: date) -> dict[str, Any]:
    """Write the file in which a bank is asked for the bills that are due.

    Of agreements with a mandate that holds today: what is open of each bill due by the date.
    A bill is asked for again only after the bank has answered.

    Args:
        bank: its code.
        due: bills of this due date and of earlier ones.

    Returns:
        The file's number with its lines and their amount; `content_of` has its bytes.

    Raises:
        Refused: no bill is to be debited.
        NotPermitted: the person is no accountant of the company.
    """
    work.require(Action.BANK_OUT, company(work.session).id)
    found = work.lock(Bank, find_bank(work.session, bank).id)
    rows = list(_due(work, found, due))
    if not rows:
        raise Refused(
            "nothing_due",
            f"no open bill due by {due} has a mandate of {bank} and waits for a debit; nothing was "
            "sent",
        )
    content = written_debits(
        ((row.reference, row.mandate.reference, row.amount, row.bill.due_on) for row in rows),
        read_bank(found.description),
    )
    name, digest = f"{bank}-debits-{due.isoformat()}.csv", sha256(content).hexdigest()
    result = {
        "bank": bank,
        "kind": BankFileKind.DEBITS.value,
        "name": name,
        "sha256": digest,
        "lines": len(rows),
        "amount": sum(row.amount for row in rows),
        "due": due.isoformat(),
        "again": sum(row.tries > 1 for row in rows),
    }
    file = work.add(
        BankFile(
            bank=bank,
            kind=BankFileKind.DEBITS,
            name=name,
            sha256=digest,
            lines=len(rows),
            amount=result["amount"],
            for_on=due,
            result=result,
            at=work.now,
            staff_id=work.actor.staff_id,
        )
    )
    work.audit(Action.BANK_OUT, file, None, result)
    bank_contents.keep(work, file, content)
    for row in rows:
        _enter_line(work, file, row)
    return {"file": file_number(file.id), **result}


def content_of(session: Session, actor: Actor, number: str) -> bytes:
    """Return the bytes of a file that came from a bank or went to it, by its number.

    Raises:
        NotFound: there is no such file.
        NotPermitted: the person may not read what banks know of all customers.
    """
    require_at(session, actor, Action.BANK_OUT, company(session).id)
    digits = number.strip().upper().removeprefix("F")
    is_number = digits.isascii() and digits.isdigit() and len(digits) <= 18
    file = session.get(BankFile, int(digits)) if is_number else None
    kept = None if file is None else session.get(DocumentContent, file.sha256)
    if kept is None:
        raise NotFound("no_file", f"there is no file {number!r}; `desk bank files` shows them")
    return kept.content


def answer(work: UnitOfWork, bank: Bank, answered: Answered) -> None:
    """Book what a bank says of debits: each is paid, or it bounced."""
    for line, sent, why_bounced in sorted(answered, key=lambda each: each[1].agreement_id or 0):
        assert sent.agreement_id is not None
        line.agreement_id, line.bill_id, line.mandate_id = (
            sent.agreement_id, sent.bill_id, sent.mandate_id,
        )  # fmt: skip
        before = sent.state
        if line.amount:
            work.lock(Agreement, sent.agreement_id)
            channel = PaymentChannel.BANK_DEBIT
            paid = bank_postings.book_payment(work, bank, line, sent.agreement_id, channel)
            sent.state, sent.payment_id = BankLineState.BOOKED, paid.id
        else:
            _bounce(work, line, sent, why_bounced)
        sent.version += 1
        work.audit(Action.BANK_IN, sent, {"state": before}, {"state": sent.state}, sent.cause)


def _bounce(work: UnitOfWork, line: BankLine, sent: BankLine, why: str) -> None:
    """Write down that a debit bounced: it may be sent again, or is given up with a task."""
    assert sent.agreement_id is not None
    line.state, line.cause = BankLineState.BOUNCED, why
    sent.cause = why
    node = node_of_agreement(work.session, sent.agreement_id)
    if sent.tries < MOST_TRIES:
        days = settings.value(work.session, DEBIT_AGAIN, node, None, work.today)
        sent.state, sent.not_before_on = BankLineState.BOUNCED, line.paid_on + timedelta(days)
        return
    sent.state = BankLineState.GIVEN_UP
    bill = work.session.get_one(Bill, sent.bill_id)
    due_on = work.today + GIVEN_UP_DUE
    open_task(work, TaskKind.DEBIT_GIVEN_UP, bill, node, Role.ACCOUNTANT, due_on)


def _due(work: UnitOfWork, bank: Bank, due: date) -> Iterator[_Due]:
    """Yield the bills that a bank is asked for; their agreements are locked."""
    rows = work.session.execute(
        select(Bill, Mandate)
        .join(Mandate, Mandate.agreement_id == Bill.agreement_id)
        .where(
            Bill.state == BillState.ISSUED,
            Bill.due_on <= due,
            Mandate.bank == bank.code,
            Mandate.state == MandateState.LIVE,
            Mandate.from_on <= work.today,
            or_(Mandate.to_on.is_(None), Mandate.to_on > work.today),
        )
        .order_by(Bill.agreement_id, Bill.due_on, Bill.id)
    ).all()
    opened: dict[int, int] = {}
    locked = 0
    for bill, mandate in rows:
        if bill.agreement_id != locked:
            locked = work.lock(Agreement, bill.agreement_id).id
            opened = {part.id: part.amount for part in work.ledger.open_bills(locked)}
        if bill.id not in opened:
            continue
        debits = work.session.scalars(
            select(BankLine)
            .where(BankLine.bill_id == bill.id, BankLine.kind == BankFileKind.DEBITS)
            .order_by(BankLine.id)
        ).all()
        last = _last(work.session, debits[-1]) if debits else None
        tries = next_try(last, work.today)
        if tries is not None:
            yield _Due(bill, mandate, opened[bill.id], tries, len(debits) + 1)


def _last(session: Session, line: BankLine) -> LastDebit:
    """Return the last debit of a bill."""
    payment = None if line.payment_id is None else session.get_one(Payment, line.payment_id)
    return LastDebit(
        tries=line.tries,
        is_open=line.state is BankLineState.SENT,
        not_before_on=line.not_before_on,
        is_paid=payment is not None and payment.state is not PaymentState.BOUNCED,
    )


def _enter_line(work: UnitOfWork, file: BankFile, row: _Due) -> None:
    """Write down a debit that is sent."""
    line = work.add(
        BankLine(
            file_id=file.id,
            bank=file.bank,
            kind=BankFileKind.DEBITS,
            reference=row.reference,
            party=row.mandate.reference,
            amount=row.amount,
            paid_at=midnight(row.bill.due_on, work.database.zone),
            paid_on=row.bill.due_on,
            state=BankLineState.SENT,
            agreement_id=row.bill.agreement_id,
            bill_id=row.bill.id,
            mandate_id=row.mandate.id,
            tries=row.tries,
            cause="",
        )
    )
    told = {
        "state": line.state, "line": line_number(line.id), "bill": row.bill.number,
        "amount": row.amount, "tries": row.tries,
    }  # fmt: skip
    work.audit(Action.BANK_OUT, line, None, told)
