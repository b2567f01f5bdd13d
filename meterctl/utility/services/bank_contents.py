"""The content of banks' files, as it came or went: kept by its hash."""

from __future__ import annotations

from meterctl.utility.model.banking import BankFile
from meterctl.utility.model.evidence import Document
from meterctl.utility.services.documents import keep_content
from meterctl.utility.store.unit_of_work import UnitOfWork

KIND, MEDIA_TYPE = "bank_file", "text/csv"


def keep(work: UnitOfWork, file: BankFile, content: bytes) -> None:
    """Keep the content of a file as a document of it."""
    keep_content(work, file.sha256, content)
    document = work.add(
        Document(
            subject_kind=BankFile.__tablename__,
            subject_id=file.id,
            kind=KIND,
            name=file.name,
            media_type=MEDIA_TYPE,
            size=len(content),
            sha256=file.sha256,
            at=work.now,
            staff_id=work.actor.staff_id,
        )
    )
    told = {"kind": KIND, "sha256": file.sha256, "size": len(content)}
    work.audit("document_kept", document, None, told)
