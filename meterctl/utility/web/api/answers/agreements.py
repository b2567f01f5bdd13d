"""Agreements with their versions and bills, readings, findings, takeovers."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from meterctl.utility.model.agreement import AgreementMode
from meterctl.utility.model.money import BillKind
from meterctl.utility.rules.transitions import AgreementState, CommandState, VersionState
from meterctl.utility.web.api.operations import Told
from meterctl.utility.web.api.values import Amount, Day, Exact, Moment


class Bill(Told):
    """A bill that is open: `receivable` of it at the desk, or `meter_debt` of it in the meter."""

    bill: str
    kind: BillKind
    month: str | None
    due_on: Day
    amount: Amount
    receivable: Amount | None = None
    meter_debt: Amount | None = None


class Version(Told):
    """A version of an agreement; its terms are texts, as in a file of terms."""

    n: int
    state: VersionState
    effective_on: Day
    terms: dict[str, str]
    signed_at: Moment | None
    signed_by: str | None
    print_sha256: str | None
    cause: str


class AgreementRow(Told):
    """An agreement in a list, with the number of its newest version."""

    agreement: str
    party: str
    name: str
    point: str
    meter: str | None
    mode: AgreementMode
    state: AgreementState
    version: int | None
    version_state: VersionState | None
    cause: str


class Agreement(Told):
    """An agreement with its versions, its balances and its open bills."""

    agreement: str
    party: str
    name: str
    point: str
    meter: str | None
    mode: AgreementMode
    state: AgreementState
    undelivered: Amount
    in_meter: Amount
    advance: Amount
    payable: Amount
    receivable: Amount
    meter_debt: Amount
    open_bills: list[Bill]
    debts_in_meter: list[Bill]
    versions: list[Version]


class AgreementVersion(Told):
    """An agreement with the version that was drafted, signed or withdrawn."""

    agreement: str
    party: str
    point: str
    mode: AgreementMode
    state: AgreementState
    version: Version


class Provisioned(AgreementVersion):
    """A version on its way to its meter, by orders."""

    orders: list[str]


class ComparedTerm(Told):
    """A term as it is agreed, and as the meter has it."""

    term: str
    agreed: str
    meter: str | None
    differs: bool


class Comparison(Told):
    """The terms in force beside what the meter is set to."""

    agreement: str
    version: int
    differences: int
    terms: list[ComparedTerm]


class OrderedComparison(Told):
    """A comparison that was ordered; `compared` is null while its meter was not read."""

    agreement: str
    meter: str
    order: str
    compared: Comparison | None = None


class OrderedComparisons(Told):
    """How many comparisons were ordered."""

    ordered: int


class WrittenTerms(Told):
    """The order that sets a meter to the terms in force."""

    agreement: str
    version: int
    meter: str
    order: str
    settings: dict[str, str]
    order_state: CommandState | None = None
    cause: str = ""


class Reading(Told):
    """A reading of a meter."""

    reading: int
    meter: str
    state: str
    source: str
    taken_at: Moment
    for_on: Day
    epoch: int
    credit_sequence: int
    energy_mwh: int
    credit: Amount
    credit_exact: Exact
    debt: Amount
    debt_exact: Exact
    consumption: Amount
    consumption_exact: Exact
    standing: Amount
    standing_exact: Exact
    instalments: Amount
    instalments_exact: Exact
    cumulative: Amount
    cumulative_exact: Exact
    account_state: str | None
    supply_state: str | None
    causes: list[str]


class OrderedReading(Told):
    """A reading that was ordered; the fields of the reading are there when it was taken."""

    meter: str
    order: str
    state: str
    order_state: CommandState | None = None
    cause: str = ""
    reading: int | None = None


class Finding(Told):
    """What a rule found about a meter, a sale or an agreement."""

    finding: str
    rule: str
    state: str
    subject: str
    agreement: str | None
    meter: str | None
    value: str
    limit: str
    note: str
    differences: list[Any]
    first_seen_at: Moment
    last_seen_at: Moment


class MeterProposal(Told):
    """A proposal about the books of a meter, which a second person approves."""

    task: str
    meter: str
    amount: Amount
    in_meter: Amount | None = None


class TakeoverRow(Told):
    """A row of a file that is taken over, and what its meter showed last."""

    line: int
    agreement: str
    point: str
    meter: str
    mode: AgreementMode
    state: str
    credit: Amount | None
    credit_exact: Exact | None
    debt: Amount | None
    debt_exact: Exact | None
    taken_at: Moment | None
    open: Amount
    advance: Amount
    cause: str


class Takeover(Told):
    """How far a file is that is taken over."""

    task: str
    task_state: str
    outcome: str
    counts: dict[str, int]
    rows: list[TakeoverRow]


class TakeoverApproved(Told):
    """A file that is approved: its meters are read to be taken over."""

    task: str
    state: str
    outcome: str
    meters: int
    unread: int = 0


class TakeoverProposal(Told):
    """A file that is proposed: its SHA-256 names it."""

    task: str
    state: str = ""
    meters: int = Field(description="How many meters are read.")
    sha256: str = ""
