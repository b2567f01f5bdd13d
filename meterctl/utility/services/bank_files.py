"""Files that come from a bank (UTILITY S9): each is booked once, whole or not at all.

Money for customers that are found stands in their advance and pays their bills, the oldest first;
other money waits in suspense. A statement moves money between transit and the bank. What a bank
says of debits is a payment, or a bounce.

The row of the bank is held until the end, so that two files with the same lines follow each other:
lines that are known are skipped and counted, and one that is known with another amount is named and
not booked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from typing import Any

from meterctl.utility.errors import Invalid, Refused
from meterctl.utility.model.agreement import Agreement
from meterctl.utility.model.banking import Bank, BankFile, BankLine, BankLineState
from meterctl.utility.model.money import PaymentChannel
from meterctl.utility.model.work import TaskKind
from meterctl.utility.rules.bank_description import COMES_IN, BankFileKind, read_bank
from meterctl.utility.rules.bank_files import BankRow, read_bank_file
from meterctl.utility.rules.rights import Action, Role
from meterctl.utility.rules.selling import shown
from meterctl.utility.services import bank_contents, bank_debits, bank_postings
from meterctl.utility.store.queries.banking import (
    Owner,
    file_number,
    file_of_content,
    find_bank,
    known_lines,
    line_number,
    owners,
)
from meterctl.utility.store.queries.organisation import company
from meterctl.utility.store.queries.payments import payment_number
from meterctl.utility.store.tasks import number_of, open_task
from meterctl.utility.store.unit_of_work import UnitOfWork

DIFFERENCE_DUE = timedelta(days=1)


@dataclass(slots=True)
class _Sorted:
    """The lines of a file by what becomes of them."""

    new: list[BankRow] = field(default_factory=list)
    known: int = 0
    differences: list[dict[str, Any]] = field(default_factory=list)
    owners: Mapping[str, Owner] = field(default_factory=dict)
    debits: Mapping[str, BankLine] = field(default_factory=dict)


def load(
    work: UnitOfWork, *, bank: str, content: bytes, name: str, kind: BankFileKind | None = None
) -> dict[str, Any]:
    """Book a file of a bank.

    Args:
        bank: its code.
        content: the bytes of the file.
        name: of the file, as the person calls it.
        kind: of the file; None: the bank sends one kind alone.

    Returns:
        What `result_of` says; `loaded_before` where its content was loaded before: then nothing was
        changed.

    Raises:
        Invalid: a line for each mistake of the file; nothing was booked.
        Refused: the content was loaded as another bank's or as another kind.
        NotPermitted: the person is no accountant of the company.
    """
    node = company(work.session).id
    work.require(Action.BANK_IN, node)
    found = work.lock(Bank, find_bank(work.session, bank).id)
    digest = sha256(content).hexdigest()
    before = file_of_content(work.session, digest)
    if before is not None:
        _require_same(before, bank, kind)
        work.audit("bank_file_again", before, None, {"name": name})
        return {**result_of(before), "loaded_before": True}
    description = read_bank(found.description)
    kind = _kind(kind, description.kinds)
    rows = read_bank_file(content, description, kind, work.database.zone, work.today)
    sorted_ = _sort(work, found, kind, rows)
    channel = PaymentChannel.BANK_DEBIT
    if kind is BankFileKind.COLLECTED:
        channel = PaymentChannel(description.kinds[kind].collected_by)
    file = _enter_file(work, found, kind, name, digest, sorted_, rows)
    bank_contents.keep(work, file, content)
    _book(work, found, file, sorted_, channel)
    result = result_of(file)
    if sorted_.differences:
        due_on = work.today + DIFFERENCE_DUE
        task = open_task(work, TaskKind.BANK_DIFFERENCE, file, node, Role.ACCOUNTANT, due_on)
        result = {**result, "task": number_of(task)}
    return {**result, "loaded_before": False}


def _require_same(before: BankFile, bank: str, kind: BankFileKind | None) -> None:
    """Refuse a content that was loaded as another bank's or as another kind; raises Refused."""
    if before.bank != bank.strip() or kind not in (None, before.kind):
        raise Refused(
            "loaded_otherwise",
            f"this content was loaded as {before.kind} of {before.bank} "
            f"({file_number(before.id)}); nothing was changed",
        )


def _kind(kind: BankFileKind | None, sent: Mapping[BankFileKind, Any]) -> BankFileKind:
    """Return the kind of a file: the one that is named, else the only one that the bank sends."""
    if kind is None and len(sent) == 1:
        return next(iter(sent))
    if kind not in COMES_IN:
        raise Invalid(
            "bank_file_kind", f"say which kind it is: {', '.join(sent)}; nothing was booked"
        )
    return kind


def _sort(work: UnitOfWork, bank: Bank, kind: BankFileKind, rows: Sequence[BankRow]) -> _Sorted:
    """Sort the lines of a file; nothing is written."""
    sorted_ = _Sorted()
    known = known_lines(work.session, bank.code, kind, [row.reference for row in rows])
    if kind is BankFileKind.RETURNS:
        references = [row.reference for row in rows]
        sorted_.debits = known_lines(work.session, bank.code, BankFileKind.DEBITS, references)
    for row in rows:
        before = known.get(row.reference)
        if before is not None and before.amount == row.amount:
            sorted_.known += 1
        elif before is not None:
            sorted_.differences.append(_difference(row, _of_before(before), before.amount))
        elif (sent := _other_than_sent(sorted_.debits.get(row.reference), row, kind)) is not None:
            sorted_.differences.append(_difference(row, *sent))
        else:
            sorted_.new.append(row)
    if kind is BankFileKind.COLLECTED:
        sorted_.owners = owners(work.session, {row.party for row in sorted_.new})
    return sorted_


def _of_before(before: BankLine) -> str:
    """Return what a line is known as, and what ends a difference from it."""
    told = f"{line_number(before.id)} has it with {shown(before.amount)}"
    if before.payment_id is None:
        return told
    payment = payment_number(before.payment_id)
    return f"{told}, paid by {payment}: `desk pay bounce {payment}` takes that back"


def _other_than_sent(
    sent: BankLine | None, row: BankRow, kind: BankFileKind
) -> tuple[str, int] | None:
    """Return why a line of `returns` is not what was sent, and what was; None where it is."""
    if kind is not BankFileKind.RETURNS:
        return None
    if sent is None:
        return None if row.amount else ("no such debit was sent", 0)
    if row.amount in (0, sent.amount):
        return None
    return f"the bank was asked for {shown(sent.amount)}", sent.amount


def _difference(row: BankRow, why: str, known: int) -> dict[str, Any]:
    return {
        "line": row.line,
        "reference": row.reference,
        "amount": row.amount,
        "known_amount": known,
        "why": why,
    }


def _enter_file(
    work: UnitOfWork,
    bank: Bank,
    kind: BankFileKind,
    name: str,
    digest: str,
    sorted_: _Sorted,
    rows: Sequence[BankRow],
) -> BankFile:
    """Write down a file with what becomes of its lines."""
    counted = _counted(kind, sorted_)
    file = work.add(
        BankFile(
            bank=bank.code,
            kind=kind,
            name=name,
            sha256=digest,
            lines=len(rows),
            amount=sum(row.amount for row in rows),
            for_on=max(row.paid_on for row in rows),
            result={
                "bank": bank.code,
                "kind": kind.value,
                "name": name,
                "sha256": digest,
                "lines": len(rows),
                **counted,
                "known": sorted_.known,
                "differences": sorted_.differences,
            },
            at=work.now,
            staff_id=work.actor.staff_id,
        )
    )
    told = {"bank": bank.code, "kind": kind, "sha256": digest, "lines": len(rows), **counted}
    work.audit(Action.BANK_IN, file, None, told)
    return file


def _counted(kind: BankFileKind, sorted_: _Sorted) -> dict[str, int]:
    """Return how many of the new lines are booked, wait in suspense and bounced; their amounts."""
    booked = suspense = bounced = booked_amount = suspense_amount = 0
    for row in sorted_.new:
        if kind is BankFileKind.RETURNS and not row.amount:
            bounced += 1
        elif _has_place(kind, row, sorted_):
            booked, booked_amount = booked + 1, booked_amount + row.amount
        else:
            suspense, suspense_amount = suspense + 1, suspense_amount + row.amount
    return {
        "booked": booked,
        "booked_amount": booked_amount,
        "suspense": suspense,
        "suspense_amount": suspense_amount,
        "bounced": bounced,
    }


def _has_place(kind: BankFileKind, row: BankRow, sorted_: _Sorted) -> bool:
    """Return whether it is known whose a line is."""
    match kind:
        case BankFileKind.COLLECTED:
            return sorted_.owners[row.party].agreement_id is not None
        case BankFileKind.RETURNS:
            return row.reference in sorted_.debits
        case BankFileKind.STATEMENT | BankFileKind.DEBITS:
            return True


def _book(
    work: UnitOfWork, bank: Bank, file: BankFile, sorted_: _Sorted, channel: PaymentChannel
) -> None:
    """Book the new lines of a file: rows are locked in their order, lines before agreements."""
    lines = _enter_lines(work, file, sorted_.new)
    match file.kind:
        case BankFileKind.STATEMENT:
            for row, line in lines:
                bank_postings.book_statement(work, bank, line, row.is_fee)
        case BankFileKind.COLLECTED:
            owned = [(sorted_.owners[row.party], line) for row, line in lines]
            for owner, line in sorted(owned, key=lambda each: each[0].agreement_id or 0):
                if owner.agreement_id is None:
                    bank_postings.book_unowned(work, bank, line, owner.cause)
                else:
                    work.lock(Agreement, owner.agreement_id)
                    bank_postings.book_payment(work, bank, line, owner.agreement_id, channel)
        case BankFileKind.RETURNS:
            _book_returns(work, bank, lines, sorted_.debits)
        case BankFileKind.DEBITS:
            raise AssertionError("debits are sent, not loaded")


def _book_returns(
    work: UnitOfWork,
    bank: Bank,
    lines: Sequence[tuple[BankRow, BankLine]],
    debits: Mapping[str, BankLine],
) -> None:
    """Book what a bank says of debits; money that it was not asked for waits in suspense."""
    answered = []
    for row, line in sorted(lines, key=lambda each: _sent_id(debits, each[0])):
        sent = debits.get(row.reference)
        if sent is None:
            bank_postings.book_unowned(work, bank, line, "no such debit was sent")
        else:
            answered.append((line, work.lock(BankLine, sent.id), row.why_bounced))
    bank_debits.answer(work, bank, answered)


def _sent_id(debits: Mapping[str, BankLine], row: BankRow) -> int:
    sent = debits.get(row.reference)
    return 0 if sent is None else sent.id


def _enter_lines(
    work: UnitOfWork, file: BankFile, rows: Sequence[BankRow]
) -> list[tuple[BankRow, BankLine]]:
    """Write down lines in their order; what becomes of each is set by what books it."""
    lines = [
        BankLine(
            file_id=file.id,
            bank=file.bank,
            kind=file.kind,
            reference=row.reference,
            party=row.party,
            amount=row.amount,
            paid_at=row.paid_at,
            paid_on=row.paid_on,
            state=BankLineState.BOOKED,
            tries=0,
            cause="",
        )
        for row in rows
    ]
    work.session.add_all(lines)
    work.session.flush()
    return list(zip(rows, lines, strict=True))


def result_of(file: BankFile) -> dict[str, Any]:
    """Return what became of a file when it was loaded, with its number."""
    return {"file": file_number(file.id), **file.result}
