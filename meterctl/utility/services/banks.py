"""Banks at which the company has accounts, and what their files look like."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from meterctl.utility.model.banking import Bank
from meterctl.utility.rules.bank_description import read_bank
from meterctl.utility.rules.rights import Action
from meterctl.utility.services.inserting import insert
from meterctl.utility.store.queries.banking import find_bank
from meterctl.utility.store.queries.organisation import company
from meterctl.utility.store.rights import require_anywhere
from meterctl.utility.store.unit_of_work import Actor, UnitOfWork, sha256_of


def set_bank(work: UnitOfWork, *, description: str) -> dict[str, Any]:
    """Add a bank, or replace what is known of its files.

    The first bank is the one to which tills are banked and which pays out.

    Args:
        description: TOML, as in examples/banks.

    Raises:
        Invalid: the description has mistakes; each is named with its line.
    """
    work.require(Action.BANK_EDIT, company(work.session).id)
    read = read_bank(description)
    found = work.session.scalars(select(Bank).where(Bank.code == read.code)).one_or_none()
    told = {"code": read.code, "title": read.title, "sha256": sha256_of({"text": description})}
    if found is None:
        next_account = select(func.coalesce(func.max(Bank.account) + 1, 0))
        bank = insert(
            work,
            Bank(
                code=read.code,
                title=read.title,
                account=work.session.scalars(next_account).one(),
                description=description,
            ),
            f"bank {read.code}",
        )
        work.audit(Action.BANK_EDIT, bank, None, told)
        return _values(bank)
    bank = work.lock(Bank, found.id)
    before = {"title": bank.title, "sha256": sha256_of({"text": bank.description})}
    bank.title, bank.description = read.title, description
    bank.version += 1
    work.audit(Action.BANK_EDIT, bank, before, told)
    return _values(bank)


def list_(session: Session, actor: Actor) -> list[dict[str, Any]]:
    """Return the banks, the first one first."""
    require_anywhere(actor, Action.BANK_READ)
    return [_values(bank) for bank in session.scalars(select(Bank).order_by(Bank.account))]


def show(session: Session, actor: Actor, code: str) -> dict[str, Any]:
    """Return a bank with the text of its description."""
    require_anywhere(actor, Action.BANK_READ)
    bank = find_bank(session, code)
    return {**_values(bank), "description": bank.description}


def _values(bank: Bank) -> dict[str, Any]:
    read = read_bank(bank.description)
    return {
        "bank": bank.code,
        "title": bank.title,
        "kinds": [kind.value for kind in read.kinds],
        "is_first": bank.account == 0,
        "version": bank.version,
    }
