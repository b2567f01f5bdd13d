"""The reconciliation of a date with a bank: what both sides have, what one has alone (单边账)."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from meterctl.utility.errors import Invalid
from meterctl.utility.model.banking import Bank
from meterctl.utility.rules.postings import AccountKind
from meterctl.utility.rules.rights import Action
from meterctl.utility.store import bank_tasks
from meterctl.utility.store.ledger import Ledger
from meterctl.utility.store.queries.bank_sides import (
    Item,
    first_statement,
    items,
    statement_balance,
)
from meterctl.utility.store.queries.banking import find_bank
from meterctl.utility.store.queries.organisation import company
from meterctl.utility.store.rights import require_at
from meterctl.utility.store.tasks import number_of
from meterctl.utility.store.unit_of_work import Actor, UnitOfWork


def reconcile(work: UnitOfWork, *, bank: str, on: date) -> dict[str, Any]:
    """Compare a date with a bank's statement, and open a task for what one side alone has.

    Items of earlier dates that are still on one side are compared too, and are tasks from the first
    date of the bank's statements on. A task about an item that
    both sides have meanwhile is ended.

    Returns:
        What `figures` says, and `tasks`: those that were opened.

    Raises:
        Invalid: the date has not begun.
        NotPermitted: the person is no accountant of the company.
    """
    work.require(Action.BANK_RECONCILE, company(work.session).id)
    found = work.lock(Bank, find_bank(work.session, bank).id)
    told = _figures(work.session, work.ledger, found, on, work.today)
    since = min(first_statement(work.session, found.code) or on, on)
    opened = [*bank_tasks.owe_one_sided(work, found, since, on), *bank_tasks.owe_suspense(work)]
    tasks = [number_of(task) for task in opened]
    counts = {name: len(told[name]) for name in ("both", "ours_only", "banks_only", "differing")}
    work.audit(Action.BANK_RECONCILE, found, None, {"on": on.isoformat(), **counts})
    return {**told, "tasks": tasks}


def figures(
    session: Session, actor: Actor, ledger: Ledger, bank: str, on: date, today: date
) -> dict[str, Any]:
    """Return how a date compares with a bank's statement; nothing is changed.

    `both` are the items of the date that both sides have with one amount; `ours_only`, `banks_only`
    and `differing` those of the date and of earlier ones that they have not. `later` is what items
    of later dates leave in transit, so that `in_transit` = Σ in_transit of the items + `later`.
    """
    require_at(session, actor, Action.BANK_READ, company(session).id)
    return _figures(session, ledger, find_bank(session, bank), on, today)


def _figures(session: Session, ledger: Ledger, bank: Bank, on: date, today: date) -> dict[str, Any]:
    if on > today:
        raise Invalid("day", f"{on} has not begun; nothing was changed")
    found = items(session, bank, on)
    until = [item for item in found if item.on <= on]
    one_sided = [item for item in until if not item.is_on_both_sides]
    statement = statement_balance(session, bank.code)
    return {
        "bank": bank.code,
        "on": on.isoformat(),
        "both": [_values(item) for item in until if item.is_on_both_sides],
        "ours_only": [_values(item) for item in one_sided if item.banks is None],
        "banks_only": [_values(item) for item in one_sided if item.ours is None],
        "differing": [_values(item) for item in one_sided if None not in (item.ours, item.banks)],
        "bank_balance": statement_balance(session, bank.code, on),
        "bank_booked": ledger.balance(AccountKind.BANK, bank.account),
        "bank_statements": statement,
        "in_transit": ledger.balance(AccountKind.TRANSIT, bank.account),
        "later": sum(item.in_transit for item in found if item.on > on),
        "in_suspense": ledger.balance(AccountKind.SUSPENSE, bank.account),
    }


def _values(item: Item) -> dict[str, Any]:
    return {
        "reference": item.reference,
        "on": item.on.isoformat(),
        "ours": item.ours,
        "banks": item.banks,
        "what": item.what,
        "about": None if item.subject is None else "/".join(map(str, item.subject)),
    }
