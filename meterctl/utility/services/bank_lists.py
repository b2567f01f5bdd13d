"""Files of banks and their lines, as people see them."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from meterctl.utility.model.agreement import Agreement
from meterctl.utility.model.banking import BankFile, BankLine, BankLineState
from meterctl.utility.model.money import Bill
from meterctl.utility.model.organisation import Staff
from meterctl.utility.rules.bank_description import BankFileKind
from meterctl.utility.rules.rights import Action
from meterctl.utility.rules.typed_text import whole
from meterctl.utility.store.queries.banking import file_number, find_line, line_number
from meterctl.utility.store.queries.organisation import company
from meterctl.utility.store.queries.payments import payment_number
from meterctl.utility.store.rights import require_at
from meterctl.utility.store.unit_of_work import Actor


def files(
    session: Session,
    actor: Actor,
    *,
    bank: str | None = None,
    kind: BankFileKind | None = None,
    after: str | None = None,
    limit: int,
) -> list[dict[str, Any]]:
    """Return the newest files that came from banks or went to them.

    Args:
        after: number of a file: only older ones.
    """
    require_at(session, actor, Action.BANK_READ, company(session).id)
    rows = (
        select(BankFile, Staff.number)
        .outerjoin(Staff, Staff.id == BankFile.staff_id)
        .order_by(BankFile.id.desc())
        .limit(limit)
    )
    if bank is not None:
        rows = rows.where(BankFile.bank == bank)
    if after is not None:
        rows = rows.where(BankFile.id < whole(after.strip().upper().removeprefix("F"), "after"))
    if kind is not None:
        rows = rows.where(BankFile.kind == kind)
    return [
        {
            "file": file_number(file.id),
            "bank": file.bank,
            "kind": file.kind.value,
            "name": file.name,
            "lines": file.lines,
            "amount": file.amount,
            "for_on": file.for_on.isoformat(),
            "loaded_at": file.at,
            "staff": staff,
        }
        for file, staff in session.execute(rows)
    ]


def lines(
    session: Session,
    actor: Actor,
    today: date,
    *,
    bank: str | None = None,
    kind: BankFileKind | None = None,
    state: BankLineState | None = None,
    on: date | None = None,
    after: str | None = None,
    limit: int,
) -> list[dict[str, Any]]:
    """Return the newest lines of banks' files; those in suspense the oldest first.

    Args:
        on: of this date alone.
        after: number of a line: only those that stand after it.
    """
    require_at(session, actor, Action.BANK_READ, company(session).id)
    rows = (
        select(BankLine, Agreement.number, Bill.number)
        .outerjoin(Agreement, Agreement.id == BankLine.agreement_id)
        .outerjoin(Bill, Bill.id == BankLine.bill_id)
    )
    for column, wanted in (
        (BankLine.bank, bank), (BankLine.kind, kind), (BankLine.state, state),
        (BankLine.paid_on, on),
    ):  # fmt: skip
        if wanted is not None:
            rows = rows.where(column == wanted)
    last = None if after is None else find_line(session, after)
    if state is BankLineState.SUSPENSE:
        rows = rows.order_by(BankLine.paid_on, BankLine.id)
        if last is not None:
            place = tuple_(BankLine.paid_on, BankLine.id)
            rows = rows.where(place > (last.paid_on, last.id))
    else:
        if last is not None:
            rows = rows.where(BankLine.id < last.id)
        rows = rows.order_by(BankLine.id.desc())
    return [
        {
            "line": line_number(line.id),
            "file": file_number(line.file_id),
            "bank": line.bank,
            "kind": line.kind.value,
            "reference": line.reference,
            "party": line.party,
            "amount": line.amount,
            "paid_on": line.paid_on.isoformat(),
            "paid_at": line.paid_at,
            "state": line.state.value,
            "days": (today - line.paid_on).days,
            "agreement": agreement,
            "payment": None if line.payment_id is None else payment_number(line.payment_id),
            "bill": bill,
            "tries": line.tries,
            "not_before_on": (
                None if line.not_before_on is None else line.not_before_on.isoformat()
            ),
            "cause": line.cause,
        }
        for line, agreement, bill in session.execute(rows.limit(limit))
    ]
