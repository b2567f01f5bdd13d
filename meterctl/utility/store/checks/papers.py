"""Documents beside their contents: each is there, and is what its hash says."""

from __future__ import annotations

from hashlib import sha256

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from meterctl.utility.model.evidence import Document, DocumentContent
from meterctl.utility.store.checks.outcome import Checked, Tally, streamed


def documents_kept(session: Session) -> Checked:
    """The content of each document is there, of its size, and has the hash that names it."""
    tally = Tally()
    tally.count = session.scalars(select(func.count()).select_from(Document)).one()
    size = func.length(DocumentContent.content)
    wrong = (
        select(Document.id, size.label("held"))
        .outerjoin(DocumentContent, DocumentContent.sha256 == Document.sha256)
        .where(or_(size.is_(None), size != Document.size))
    )
    for number, held in streamed(session, wrong):
        what = "is not there" if held is None else f"has {held} bytes"
        tally.violation(f"document D{number}", f"its content {what}")
    for named in streamed(session, select(DocumentContent.sha256)):
        content = select(DocumentContent.content).where(DocumentContent.sha256 == named[0])
        if sha256(session.scalars(content).one()).hexdigest() != named[0]:
            tally.violation(f"content {named[0]}", "is not what its hash says")
    return tally.checked("documents", "each document has the content that was added", "documents")
