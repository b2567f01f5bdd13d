"""Documents: papers of an agreement, kept by the hash of their content. Rows and contents stay."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from meterctl.utility.errors import Invalid, NotFound, Refused
from meterctl.utility.model.agreement import Agreement
from meterctl.utility.model.evidence import Document, DocumentContent
from meterctl.utility.model.organisation import Staff
from meterctl.utility.rules.papers import ADDED_BY_HAND, DocumentKind, Paper
from meterctl.utility.rules.rights import Action
from meterctl.utility.store.queries.agreements import find_agreement, node_of
from meterctl.utility.store.rights import require_at
from meterctl.utility.store.statements import insert_if_absent
from meterctl.utility.store.unit_of_work import Actor, UnitOfWork

_NEW_CONTENT = insert_if_absent(DocumentContent)


def add(work: UnitOfWork, *, of: str, kind: DocumentKind, paper: Paper) -> dict[str, Any]:
    """Keep a paper of an agreement; one that is kept as this kind already is returned as it is.

    Args:
        of: number of the agreement, its supply point or its meter.

    Raises:
        NotFound: there is no such agreement.
        Invalid: a kind that only the desk itself keeps.
    """
    found = find_agreement(work.session, of)
    work.require(Action.DOCUMENT_ADD, node_of(work.session, found))
    if kind not in ADDED_BY_HAND:
        allowed = ", ".join(ADDED_BY_HAND)
        raise Invalid("kind", f"{kind} is kept when it is printed; allowed are {allowed}")
    agreement = work.lock(Agreement, found.id)
    return _values(work.session, keep(work, agreement, kind, paper))


def keep(work: UnitOfWork, agreement: Agreement, kind: DocumentKind, paper: Paper) -> Document:
    """Return the document of a paper, written where it is not kept yet; its agreement is locked."""
    known = work.session.scalars(
        _of(agreement).where(Document.kind == kind, Document.sha256 == paper.sha256)
    ).one_or_none()
    if known is not None:
        return known
    keep_content(work, paper.sha256, paper.content)
    told = {
        "kind": kind.value, "name": paper.kept_name, "media_type": paper.media_type,
        "size": len(paper.content), "sha256": paper.sha256,
    }  # fmt: skip
    row = work.add(
        Document(
            subject_kind=Agreement.__tablename__,
            subject_id=agreement.id,
            at=work.now,
            staff_id=work.actor.staff_id,
            **told,
        )
    )
    work.audit(Action.DOCUMENT_ADD, row, None, {"agreement": agreement.number, **told})
    return row


def keep_content(work: UnitOfWork, digest: str, content: bytes) -> None:
    """Keep what is written in a document by its SHA-256 (hex), where it is not kept yet."""
    held = select(DocumentContent.sha256).where(DocumentContent.sha256 == digest)
    if work.session.scalars(held).one_or_none() is None:
        values = {"sha256": digest, "content": content}
        work.session.execute(_NEW_CONTENT[work.connection.dialect.name], values)


def list_(session: Session, actor: Actor, of: str) -> list[dict[str, Any]]:
    """Return the documents of an agreement, the newest first; `of` is as of `add`."""
    agreement = find_agreement(session, of)
    require_at(session, actor, Action.DOCUMENT_READ, node_of(session, agreement))
    rows = session.scalars(_of(agreement).order_by(Document.id.desc()))
    return [_values(session, row) for row in rows]


def give(work: UnitOfWork, *, document: str) -> dict[str, Any]:
    """Write down that a person gets a document; `content_of` has it.

    Args:
        document: its number, such as D5.

    Raises:
        NotFound: there is no such document.
    """
    row = _find(work.session, work.actor, document)
    work.audit(Action.DOCUMENT_READ, row, None, None)
    return _values(work.session, row)


def content_of(session: Session, actor: Actor, document: str) -> bytes:
    """Return the content of a document; the caller has written down with `give` who gets it.

    Raises:
        NotFound: there is no such document.
        Refused: what is kept is not what was added.
    """
    row = _find(session, actor, document)
    content = session.scalars(
        select(DocumentContent.content).where(DocumentContent.sha256 == row.sha256)
    ).one_or_none()
    if content is None or sha256(content).hexdigest() != row.sha256:
        raise Refused(
            "document_changed",
            f"{document}: what is kept is not what was added (SHA-256 {row.sha256}); restore it "
            f"from a backup: `desk check` names all such documents",
        )
    return content


def document_number(document: Document) -> str:
    """Return the number of a document for people."""
    return f"D{document.id}"


def printed_page(
    session: Session, agreement: Agreement, name: str, wanted: str | None
) -> Document | None:
    """Return a printed page of an agreement by its name: that of a hash, else the newest."""
    return session.scalars(
        _of(agreement)
        .where(Document.kind == DocumentKind.PRINTED_AGREEMENT, Document.name == name)
        .order_by((Document.sha256 == (wanted or "")).desc(), Document.id.desc())
    ).first()


def _of(agreement: Agreement) -> Select[Document]:
    return select(Document).where(
        Document.subject_kind == Agreement.__tablename__, Document.subject_id == agreement.id
    )


def _find(session: Session, actor: Actor, named: str) -> Document:
    """Return a document by its number, if the person may read those of its agreement."""
    digits = named.strip().upper().removeprefix("D")
    is_number = digits.isascii() and digits.isdigit() and len(digits) <= 18
    row = session.get(Document, int(digits)) if is_number else None
    if row is None or row.subject_kind != Agreement.__tablename__:
        raise NotFound("no_document", f"there is no document {named!r}; nothing was changed")
    agreement = session.get_one(Agreement, row.subject_id)
    require_at(session, actor, Action.DOCUMENT_READ, node_of(session, agreement))
    return row


def _values(session: Session, row: Document) -> dict[str, Any]:
    by = None if row.staff_id is None else session.get_one(Staff, row.staff_id).number
    return {
        "document": document_number(row),
        "agreement": session.get_one(Agreement, row.subject_id).number,
        "kind": row.kind,
        "name": row.name,
        "media_type": row.media_type,
        "size": row.size,
        "sha256": row.sha256,
        "added_at": row.at,
        "staff": by,
    }
