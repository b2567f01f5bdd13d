"""The papers of agreements: printed, kept, given."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from typing import Any

from pydantic import Field

from meterctl.utility.rules.papers import DocumentKind, Paper
from meterctl.utility.services import documents
from meterctl.utility.services.printed_agreement.printing import Language, print_agreement
from meterctl.utility.store.unit_of_work import Answer, UnitOfWork
from meterctl.utility.web.api.answers import banking as told
from meterctl.utility.web.api.operations import (
    Asked,
    Call,
    Change,
    Look,
    Looked,
    Operation,
    Page,
    Values,
    calling,
)
from meterctl.utility.web.api.values import Base64In, Name, Number


class NewDocument(Asked):
    """A paper of an agreement: PDF, PNG, JPEG, HTML or text."""

    of: Name = Field(alias="for")
    kind: DocumentKind
    name: Name
    content: Base64In = Field(exclude=True)


class DocumentPage(Page):
    """Papers of an agreement."""

    of: Name = Field(alias="for")


class Printed(Asked):
    """Which version is printed, the newest if none is named, and in which language."""

    version: Number | None = None
    language: Language = Language.CHINESE


def _add(call: Call) -> Answer:
    """Keep a paper, which its hash names."""
    paper = Paper(call.values["name"], call.values["content"])
    asked = {**call.asked, "name": paper.kept_name, "sha256": paper.sha256}
    values = {"of": call.values["for"], "kind": call.values["kind"], "paper": paper}
    return replace(call, asked=asked, values=values).ask()


def _give(call: Call) -> Answer:
    """Write down who gets a paper, and return it."""
    answer, visitor = call.ask(), call.visitor
    with visitor.reading() as session:
        content = documents.content_of(session, visitor.actor, call.values["document"])
    return Answer({**answer.values, "content": b64encode(content).decode()}, answer.replayed)


def _print(call: Call) -> Answer:
    answer, visitor = call.ask(), call.visitor
    if call.dry_run:
        return answer
    with visitor.reading() as session:
        content = documents.content_of(session, visitor.actor, answer.values["document"])
    return Answer({**answer.values, "content": content.decode()}, answer.replayed)


def _act_print(work: UnitOfWork, values: Values) -> dict[str, Any]:
    return print_agreement(work, **values)


def _documents(found: Looked) -> list[Values]:
    return documents.list_(found.session, found.visitor.actor, found.query.of)


PAPERS: tuple[Operation, ...] = (
    Change("POST", "/agreements/{agreement}/print", "agreement print",
           "Print an agreement with its user notice; the page is kept as a document.", _act_print,
           told.PrintedAgreement, body=Printed, run=_print),
    Look("/documents", "document_list", "List the papers of an agreement, the newest first.",
         _documents, told.Document, query=DocumentPage, by="document", is_whole=True),
    Change("POST", "/documents", "document add", "Keep a paper of an agreement.",
           calling(documents.add), told.Document, body=NewDocument, status=201, run=_add),
    Change("POST", "/documents/{document}/get", "document get",
           "Return a paper; the audit keeps who got it.", calling(documents.give),
           told.GivenDocument, run=_give, dry_run=False),
)  # fmt: skip
