"""Banks with their files and lines, mandates, and the papers of agreements."""

from __future__ import annotations

from pydantic import Field

from meterctl.utility.model.banking import BankLineState
from meterctl.utility.rules.bank_description import BankFileKind
from meterctl.utility.rules.papers import DocumentKind
from meterctl.utility.web.api.operations import Told
from meterctl.utility.web.api.values import Amount, Day, Moment


class Bank(Told):
    """A bank; `description` is of one bank alone, the TOML that says what its files look like."""

    bank: str
    title: str
    kinds: list[BankFileKind]
    is_first: bool
    version: int
    description: str = ""


class BankFile(Told):
    """A file that came from a bank or went to it."""

    file: str
    bank: str
    kind: BankFileKind
    name: str
    lines: int
    amount: Amount
    for_on: Day
    loaded_at: Moment
    staff: str | None


class FileContent(Told):
    """The bytes of a file of a bank."""

    file: str
    content: str = Field(description="Base64.")


class LineDifference(Told):
    """A line that is known with another amount; it is not booked."""

    line: int
    reference: str
    amount: Amount
    known_amount: Amount
    why: str


class LoadedFile(Told):
    """What became of a file of a bank."""

    file: str
    bank: str
    kind: BankFileKind
    name: str
    sha256: str
    lines: int
    known: int
    differences: list[LineDifference]
    booked: int
    booked_amount: Amount
    suspense: int
    suspense_amount: Amount
    bounced: int
    loaded_before: bool
    task: str | None = None


class DebitsFile(Told):
    """The file in which a bank is asked for due bills."""

    file: str
    bank: str
    kind: BankFileKind
    name: str
    sha256: str
    lines: int
    amount: Amount
    due: Day
    again: int


class BankLine(Told):
    """A line of a file of a bank."""

    line: str
    file: str
    bank: str
    kind: BankFileKind
    reference: str
    party: str
    amount: Amount
    paid_on: Day
    paid_at: Moment | None
    state: BankLineState
    days: int
    agreement: str | None
    payment: str | None
    bill: str | None
    tries: int
    not_before_on: Day | None
    cause: str


class SentBackLine(Told):
    """Money in suspense that goes back; with `task` it waits for a second person."""

    line: str
    amount: Amount
    task: str | None = None
    state: BankLineState | None = None
    bank: str | None = None
    reference: str | None = None


class ReconciledItem(Told):
    """What our side and the bank's side have of one thing."""

    reference: str
    on: Day
    ours: Amount | None
    banks: Amount | None
    what: str
    about: str | None


class Reconciliation(Told):
    """A date compared with a bank's statement; what one side alone has becomes a task."""

    bank: str
    on: Day
    both: list[ReconciledItem]
    ours_only: list[ReconciledItem]
    banks_only: list[ReconciledItem]
    differing: list[ReconciledItem]
    bank_balance: Amount | None
    bank_booked: Amount
    bank_statements: Amount
    in_transit: Amount
    later: Amount
    in_suspense: Amount
    tasks: list[str]


class Mandate(Told):
    """A customer's word that a bank may debit bills; the account is masked."""

    agreement: str
    bank: str
    reference: str
    payer_account: str
    from_on: Day
    to_on: Day | None
    state: str
    document: int | None
    version: int
    row: str | None = Field(None, description="Its place in the list, for `after`.")


class Document(Told):
    """A paper of an agreement."""

    document: str
    agreement: str
    kind: DocumentKind
    name: str
    media_type: str
    size: int
    sha256: str
    added_at: Moment
    staff: str | None


class GivenDocument(Document):
    """A paper with its bytes; the audit keeps who got it."""

    content: str = Field("", description="Base64.")


class PrintedAgreement(Told):
    """The page of an agreement with its user notice (须知), kept as a document."""

    agreement: str
    version: int
    version_state: str
    language: str
    sha256: str
    print_sha256: str | None
    document: str
    content: str = Field("", description="The page, HTML.")
