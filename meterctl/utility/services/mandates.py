"""Mandates: a customer's permission that a bank debits the bills of an agreement (代扣协议)."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from meterctl.utility.errors import Invalid, NotFound, Refused
from meterctl.utility.model.agreement import Agreement
from meterctl.utility.model.banking import Bank, Mandate, MandateState
from meterctl.utility.model.evidence import Document
from meterctl.utility.model.organisation import Organisation
from meterctl.utility.model.party import SupplyPoint
from meterctl.utility.rules.bank_files import LONGEST_CELL
from meterctl.utility.rules.numbering import masked_account
from meterctl.utility.rules.rights import Action
from meterctl.utility.services.grants import check_dates
from meterctl.utility.services.inserting import insert
from meterctl.utility.store.queries.agreements import find_agreement, node_of
from meterctl.utility.store.queries.banking import find_bank
from meterctl.utility.store.rights import is_within, require_anywhere
from meterctl.utility.store.unit_of_work import Actor, UnitOfWork


def add(
    work: UnitOfWork,
    *,
    agreement: str,
    bank: str,
    reference: str,
    payer_account: str = "",
    from_on: date | None = None,
    to_on: date | None = None,
    document: int | None = None,
) -> dict[str, Any]:
    """Write down a mandate; an agreement has one that is live.

    Args:
        agreement: its number, its supply point or its meter.
        bank: its code.
        reference: the bank's number of the mandate, by which its files name the customer.
        payer_account: the account that is debited; shown masked.
        from_on: its first date; None: today.
        to_on: the first date without it; None: for good.
        document: the signed mandate, a document of the agreement.

    Raises:
        Refused: the agreement has a live mandate already.
        Conflict: the bank has a mandate of this number already.
        Invalid: a value is not one, or the document is of another agreement.
    """
    found = find_agreement(work.session, agreement)
    work.require(Action.MANDATE_EDIT, node_of(work.session, found))
    of_bank = work.lock(Bank, find_bank(work.session, bank).id)
    begins = from_on or work.today
    check_dates(begins, to_on)
    work.lock(Agreement, found.id)
    held = _live(work.session, found.id)
    if held is not None:
        raise Refused(
            "mandate_lives",
            f"{found.number} has mandate {held.reference} of {held.bank}: `desk mandate end "
            f"{found.number}` first; nothing was changed",
        )
    if document is not None:
        _require_document(work.session, document, found)
    mandate = insert(
        work,
        Mandate(
            agreement_id=found.id,
            bank=of_bank.code,
            reference=_text(reference, "reference", least=1),
            payer_account=_text(payer_account, "account", least=0),
            from_on=begins,
            to_on=to_on,
            state=MandateState.LIVE,
            document_id=document,
        ),
        f"mandate {reference} of {bank}",
    )
    values = _values(mandate, found.number)
    work.audit(Action.MANDATE_EDIT, mandate, None, values)
    return values


def end(work: UnitOfWork, *, agreement: str, reason: str = "") -> dict[str, Any]:
    """End the live mandate of an agreement; a debit that was sent already may still be paid.

    Raises:
        NotFound: the agreement has none.
    """
    found = find_agreement(work.session, agreement)
    work.require(Action.MANDATE_EDIT, node_of(work.session, found))
    held = _live(work.session, found.id)
    if held is None:
        raise NotFound("no_mandate", f"{found.number} has no live mandate; nothing was changed")
    work.lock(Bank, find_bank(work.session, held.bank).id)  # no file is written meanwhile
    mandate = work.lock(Mandate, held.id)
    if mandate.state is not MandateState.LIVE:
        raise NotFound("no_mandate", f"{found.number} has no live mandate; nothing was changed")
    mandate.state, mandate.to_on = MandateState.ENDED, work.today
    mandate.version += 1
    values = _values(mandate, found.number)
    work.audit(Action.MANDATE_EDIT, mandate, {"state": MandateState.LIVE}, values, reason)
    return values


def list_(
    session: Session, actor: Actor, bank: str | None, *, ended: bool, limit: int
) -> list[dict[str, Any]]:
    """Return the mandates at the person's nodes by agreement, their accounts masked.

    Args:
        bank: of this bank alone.
        ended: those too that are ended.
    """
    require_anywhere(actor, Action.BANK_READ)
    rows = (
        select(Mandate, Agreement.number)
        .join(Agreement, Agreement.id == Mandate.agreement_id)
        .join(SupplyPoint, SupplyPoint.id == Agreement.point_id)
        .join(Organisation, Organisation.id == SupplyPoint.node_id)
        .where(is_within(actor, Action.BANK_READ))
        .order_by(Agreement.number, Mandate.id)
        .limit(limit)
    )
    if bank is not None:
        rows = rows.where(Mandate.bank == find_bank(session, bank).code)
    if not ended:
        rows = rows.where(Mandate.state == MandateState.LIVE)
    return [_values(mandate, number) for mandate, number in session.execute(rows)]


def _live(session: Session, agreement_id: int) -> Mandate | None:
    """Return the live mandate of an agreement; None: it has none."""
    return session.scalars(
        select(Mandate).where(
            Mandate.agreement_id == agreement_id, Mandate.state == MandateState.LIVE
        )
    ).one_or_none()


def _require_document(session: Session, number: int, agreement: Agreement) -> None:
    """Refuse a document that is not one of the agreement; raises Invalid."""
    found = session.get(Document, number)
    about = None if found is None else (found.subject_kind, found.subject_id)
    if about != (Agreement.__tablename__, agreement.id):
        raise Invalid(
            "document", f"{agreement.number} has no document {number}; nothing was changed"
        )


def _text(text: str, name: str, least: int) -> str:
    found = text.strip()
    if not (least <= len(found) <= LONGEST_CELL and found.isprintable()):
        raise Invalid(
            name, f"{name} {text!r}: {least} to {LONGEST_CELL} signs of one line; nothing was "
            "changed"
        )  # fmt: skip
    return found


def _values(mandate: Mandate, agreement: str) -> dict[str, Any]:
    return {
        "agreement": agreement,
        "bank": mandate.bank,
        "reference": mandate.reference,
        "payer_account": masked_account(mandate.payer_account),
        "from_on": mandate.from_on.isoformat(),
        "to_on": None if mandate.to_on is None else mandate.to_on.isoformat(),
        "state": mandate.state.value,
        "document": mandate.document_id,
        "version": mandate.version,
    }
