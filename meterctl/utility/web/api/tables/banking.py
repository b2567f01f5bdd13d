"""Banks with their files and lines, and mandates."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from datetime import date
from hashlib import sha256
from typing import Any

from pydantic import Field

from meterctl.utility.model.banking import BankLineState
from meterctl.utility.rules.bank_description import BankFileKind
from meterctl.utility.services import (
    bank_debits,
    bank_files,
    bank_lines,
    bank_lists,
    bank_reconciliation,
    banks,
    mandates,
)
from meterctl.utility.store.unit_of_work import Answer, UnitOfWork
from meterctl.utility.web.api.answers import banking as told
from meterctl.utility.web.api.answers.money import StandingPayment
from meterctl.utility.web.api.operations import (
    Asked,
    Call,
    Change,
    Look,
    Looked,
    Operation,
    Page,
    Reason,
    Values,
    calling,
)
from meterctl.utility.web.api.values import Base64In, FileText, Name, Number, Text

MOST_MANDATES = 1_000_000


class Description(Asked):
    """TOML that names a bank and says what its files look like."""

    description: FileText


class NewFile(Asked):
    """A file of a bank; `kind` may be left out where it sends one alone."""

    content: Base64In = Field(exclude=True)
    name: Name = Field("file", exclude=True)
    kind: BankFileKind | None = None


class Due(Asked):
    """Bills due by this date."""

    due: date


class Matched(Asked):
    """Whose a line is."""

    agreement: Name


class FilePage(Page):
    """Files of a bank, of a kind."""

    bank: Name | None = None
    kind: BankFileKind | None = None


class LinePage(FilePage):
    """Lines of a bank, in a state, of a date."""

    state: BankLineState | None = None
    on: date | None = None


class MandatePage(Page):
    """Mandates of a bank; `all` those that are ended too."""

    bank: Name | None = None
    all_: bool = Field(False, alias="all")


class NewMandate(Asked):
    """That a customer lets a bank debit the bills of an agreement."""

    agreement: Name
    bank: Name
    reference: Text
    account: Text = ""
    from_on: date | None = Field(None, alias="from")
    to_on: date | None = Field(None, alias="to")
    document: Number | None = None


def _load(call: Call) -> Answer:
    """Book a file, which its hash names; its name is not asked."""
    content = call.values["content"]
    asked = {**call.asked, "sha256": sha256(content).hexdigest()}
    return replace(call, asked=asked).ask()


def _debit(work: UnitOfWork, values: Values) -> dict[str, Any]:
    return bank_debits.send(work, bank=values["bank"], due=values["due"])


def _banks(found: Looked) -> list[Values]:
    return banks.list_(found.session, found.visitor.actor)


def _bank(found: Looked) -> Values:
    return banks.show(found.session, found.visitor.actor, found.path["bank"])


def _files(found: Looked) -> list[Values]:
    q = found.query
    return bank_lists.files(
        found.session, found.visitor.actor, bank=q.bank, kind=q.kind, after=q.after,
        limit=q.limit + 1,
    )  # fmt: skip


def _content(found: Looked) -> Values:
    number = found.path["file"]
    content = bank_debits.content_of(found.session, found.visitor.actor, number)
    return {"file": number, "content": b64encode(content).decode()}


def _lines(found: Looked) -> list[Values]:
    q, visitor = found.query, found.visitor
    return bank_lists.lines(
        found.session, visitor.actor, visitor.today, bank=q.bank, kind=q.kind, state=q.state,
        on=q.on, after=q.after, limit=q.limit + 1,
    )  # fmt: skip


def _mandates(found: Looked) -> list[Values]:
    q = found.query
    rows = mandates.list_(
        found.session, found.visitor.actor, q.bank, ended=q.all_, limit=MOST_MANDATES
    )
    return [{**row, "row": f"{row['agreement']}/{n}"} for n, row in enumerate(rows, 1)]


BANKS: tuple[Operation, ...] = (
    Look("/banks", "bank_list", "List the banks, the first one first.", _banks, told.Bank,
         query=Page, by="bank", is_whole=True),
    Look("/banks/{bank}", "bank_show", "Show a bank with the description of its files.", _bank,
         told.Bank, versioned=True),
    Change("POST", "/banks", "bank set", "Add a bank, or replace what is known of its files.",
           calling(banks.set_bank), told.Bank, body=Description, status=201),
    Change("POST", "/banks/{bank}/files", "bank in",
           "Book a file of a bank, whole or not at all.", calling(bank_files.load),
           told.LoadedFile, body=NewFile, money=True, status=201, run=_load),
    Change("POST", "/banks/{bank}/debits", "bank out",
           "Make the file in which a bank is asked for due bills.", _debit, told.DebitsFile,
           body=Due, money=True, status=201),
    Change("POST", "/banks/{bank}/reconcile/{on}", "bank reconcile",
           "Compare a date with a bank's statement.", calling(bank_reconciliation.reconcile),
           told.Reconciliation),
    Look("/bank-files", "bank_files", "List the files of banks, the newest first.", _files,
         told.BankFile, query=FilePage, by="file"),
    Look("/bank-files/{file}", "bank_write", "Return the bytes of a file of a bank.", _content,
         told.FileContent),
    Look("/bank-lines", "bank_lines",
         "List the lines of files, the newest first; those in suspense the oldest first.", _lines,
         told.BankLine, query=LinePage, by="line"),
    Change("POST", "/bank-lines/{line}/match", "bank match",
           "Give a line in suspense to its owner.", calling(bank_lines.match, agreement="to"),
           StandingPayment, body=Matched, money=True),
    Change("POST", "/bank-lines/{line}/send-back", "bank send-back",
           "Send money in suspense back to who paid it.", calling(bank_lines.send_back),
           told.SentBackLine, body=Reason, money=True),
    Look("/mandates", "mandate_list", "List the mandates at your nodes, the accounts masked.",
         _mandates, told.Mandate, query=MandatePage, by="row", is_whole=True),
    Change("POST", "/mandates", "mandate add",
           "Write down that a bank may debit the bills of an agreement.",
           calling(mandates.add, **{"account": "payer_account", "from": "from_on", "to": "to_on"}),
           told.Mandate, body=NewMandate, status=201),
    Change("POST", "/mandates/{agreement}/end", "mandate end",
           "End the mandate of an agreement.", calling(mandates.end), told.Mandate, body=Reason),
)  # fmt: skip
