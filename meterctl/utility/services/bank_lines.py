"""Lines of banks' files that wait in suspense: matched with their owner, or sent back."""

from __future__ import annotations

from typing import Any

from meterctl.utility.errors import Refused
from meterctl.utility.model.agreement import Agreement
from meterctl.utility.model.banking import Bank, BankLine, BankLineState
from meterctl.utility.model.money import PaymentChannel
from meterctl.utility.model.work import Task, TaskKind
from meterctl.utility.rules import postings
from meterctl.utility.rules.bank_description import BankFileKind, read_bank
from meterctl.utility.rules.rights import Action, Role, payout_needs_approval
from meterctl.utility.services import bank_postings, tasks
from meterctl.utility.services.payments import payment_answer
from meterctl.utility.store.ledger import About
from meterctl.utility.store.queries.agreements import find_agreement
from meterctl.utility.store.queries.banking import find_bank, find_line, line_number
from meterctl.utility.store.queries.organisation import company
from meterctl.utility.store.tasks import cancel_task, number_of
from meterctl.utility.store.unit_of_work import UnitOfWork


def match(work: UnitOfWork, *, line: str, to: str) -> dict[str, Any]:
    """Give a line in suspense to the agreement whose it is: it pays its bills, the rest is advance.

    In meter mode too it stands in advance: it is no sale.

    Raises:
        Refused: the line does not wait in suspense.
        NotPermitted: the person is no accountant of the company.
    """
    work.require(Action.BANK_MATCH, company(work.session).id)
    found, agreement = find_line(work.session, line), find_agreement(work.session, to)
    bank = find_bank(work.session, found.bank)
    waiting = _locked(work, found.id)
    work.lock(Agreement, agreement.id)
    before = {"state": waiting.state}
    channel = _channel(bank, waiting.kind)
    paid, parts = bank_postings.book_matched(work, bank, waiting, agreement.id, channel)
    told = {"state": waiting.state, "agreement": agreement.number, "amount": waiting.amount}
    work.audit(Action.BANK_MATCH, waiting, before, told)
    cancel_task(work, TaskKind.SUSPENSE, waiting, f"it is of {agreement.number}")
    work.session.flush()
    return {"line": line_number(waiting.id), **payment_answer(work, paid, parts)}


def send_back(work: UnitOfWork, *, line: str, reason: str = "") -> dict[str, Any]:
    """Send money in suspense back to who paid it; above the limit a second person approves it.

    The bank is told to with the number of the line, by which its statement is compared.

    Raises:
        Refused: the line does not wait in suspense, or is proposed already.
        NotPermitted: the person is no accountant of the company.
    """
    node = company(work.session).id
    work.require(Action.BANK_SEND_BACK, node)
    waiting = _locked(work, find_line(work.session, line).id)
    if payout_needs_approval(waiting.amount):
        proposal = {"line": waiting.id, "amount": waiting.amount, "reason": reason}
        task = tasks.propose(
            work, Action.BANK_SEND_BACK, waiting, node, Role.COMPANY_MANAGER, proposal
        )
        return {"line": line_number(waiting.id), "amount": waiting.amount, "task": number_of(task)}
    return _send_back(work, waiting, reason)


@tasks.approval(Action.BANK_SEND_BACK)
def _approved(work: UnitOfWork, task: Task) -> dict[str, Any]:
    """Send back what was proposed."""
    assert task.proposal is not None
    waiting = _locked(work, task.proposal["line"])
    return _send_back(work, waiting, task.proposal["reason"])


def _send_back(work: UnitOfWork, waiting: BankLine, reason: str) -> dict[str, Any]:
    bank = find_bank(work.session, waiting.bank)
    work.ledger.post(
        f"bank_line/{waiting.id}/sent_back",
        "bank_sent_back",
        postings.bank_line_sent_back(bank.account, waiting.amount),
        About(),
    )
    before = {"state": waiting.state}
    waiting.state = BankLineState.SENT_BACK
    waiting.version += 1
    told = {"state": waiting.state, "amount": waiting.amount}
    work.audit(Action.BANK_SEND_BACK, waiting, before, told, reason)
    cancel_task(work, TaskKind.SUSPENSE, waiting, "it is sent back")
    return {
        "line": line_number(waiting.id),
        "state": waiting.state.value,
        "amount": waiting.amount,
        "bank": waiting.bank,
        "reference": waiting.reference,
    }


def _locked(work: UnitOfWork, line_id: int) -> BankLine:
    """Return a line, locked, that waits in suspense; raises Refused."""
    waiting = work.lock(BankLine, line_id)
    if waiting.state is not BankLineState.SUSPENSE:
        raise Refused(
            "not_in_suspense",
            f"{line_number(line_id)} is {waiting.state}, not in suspense; nothing was changed",
        )
    return waiting


def _channel(bank: Bank, kind: BankFileKind) -> PaymentChannel:
    """Return how a line was paid."""
    if kind is BankFileKind.RETURNS:
        return PaymentChannel.BANK_DEBIT
    described = read_bank(bank.description).kinds.get(BankFileKind.COLLECTED)
    by = PaymentChannel.TRANSFER if described is None else described.collected_by
    return PaymentChannel(by)
