"""Orders and workers, tasks, the ledger, closed dates, the proof of the books, the clock."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from meterctl.utility.model.work import OrderKind, TaskKind
from meterctl.utility.rules.postings import AccountKind
from meterctl.utility.rules.rights import Role
from meterctl.utility.rules.transitions import TaskState
from meterctl.utility.services.sheets.figures import DaySheet, SealFigures, ShiftSheet
from meterctl.utility.web.api.operations import Told
from meterctl.utility.web.api.values import Amount, Day, Moment, answer_of


class Order(Told):
    """What a worker does at a meter; `parameters` and `outcome` are of one order alone."""

    number: str
    key: str
    kind: OrderKind
    state: str
    sale: str | None
    tries: int
    not_before_at: Moment
    cause: str
    worker: int | None
    journal_entry: int | None
    made_at: Moment
    changed_at: Moment
    meter: str
    port: str | None
    agreement: str | None
    parameters: dict[str, Any] | None = None
    outcome: dict[str, Any] | None = None


class Worker(Told):
    """A journal that seals for the desk, and the worker that has it."""

    worker: int
    journal_number: str
    journal: str
    lives: bool
    holder: str | None
    live_orders: int


class LostWorker(Told):
    """A journal that is given up, with the orders that are unknown now."""

    worker: int
    journal: str
    orders: list[str]


class Task(Told):
    """What a person owes by a date; `proposal` and `outcome` are of one task alone."""

    number: str
    kind: TaskKind
    about: str
    action: str | None
    node: str
    role: Role
    state: TaskState
    due_on: Day
    staff: str | None
    proposer: str | None
    proposal: dict[str, Any] | None = None
    outcome: str = ""


class MovedTask(Told):
    """A task that was moved. Of an approval the fields of what it did stand here, too.

    Where what it did has a `kind` and a `state`, such as a sale, these are told.
    """

    task: str
    kind: str
    state: str
    outcome: str


class LedgerLine(Told):
    """What an entry moved on an account of an agreement, and what stood on it afterwards."""

    number: str
    entry: int
    booked_at: Moment
    booked_on: Day
    for_on: Day
    event: str
    account: AccountKind
    amount: Amount
    balance: Amount
    bill: str | None


class ClosedDay(Told):
    """A date that is closed, with its seal."""

    on: Day
    entries: int
    transfers: int
    balances: int
    also_closed: list[str]
    broken: int
    seal: str


class Sheet(Told):
    """The sheet of a date; `seal` is null while it is not closed, and of the part of a node."""

    sheet: answer_of(DaySheet)  # type: ignore[valid-type]
    seal: answer_of(SealFigures) | None  # type: ignore[valid-type]


class SheetOfShift(Told):
    """The sheet of a shift."""

    sheet: answer_of(ShiftSheet)  # type: ignore[valid-type]


class Violation(Told):
    """Where an invariant is broken."""

    subject: str
    text: str


class Checked(Told):
    """An invariant that was looked at."""

    invariant: str
    holds: str
    count: int
    rows: str
    broken: int
    violations: list[Violation]
    noted: str


class Check(Told):
    """The proof of the books: `broken` names the invariants that do not hold."""

    broken: list[str]
    checked: list[Checked]


class Figure(Told):
    """A figure of Today: how many rows it has, their sum, the oldest of them."""

    count: int
    amount: Amount | None
    oldest_at: Moment | None
    oldest_on: Day | None
    age_days: int | None


class TodayRow(Told):
    """A station with its figures by name."""

    node: str
    name: str
    kind: str
    figures: dict[str, Figure]


class LastCheck(Told):
    """The last run of the proof of the books."""

    checked_at: Moment
    took_ms: int
    rows: int
    broken: list[str]


class Today(Told):
    """What each station sold, holds in cash, does not know, and owes by now."""

    on: Day
    as_of_at: Moment
    node: str | None
    rows: list[TodayRow]
    totals: dict[str, Figure]
    check: LastCheck | None


class RowOfFigure(Told):
    """A row behind a figure of Today."""

    subject: str
    subject_id: int
    number: str
    node: str | None
    agreement: str | None
    meter: str | None
    amount: Amount | None
    since_at: Moment | None
    since_on: Day | None
    what: str
    row: str = Field(description="Its place in the list, for `after`.")


class AuditRow(Told):
    """What was done: values before and after, amounts among them as texts where they are named."""

    number: int
    done_at: Moment
    staff: str
    action: str
    subject: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    reason: str
    key: str


class Time(Told):
    """The desk's clock."""

    now_at: Moment
    today: Day
    zone: str
    simulated: bool


class MovedTime(Told):
    """The clock of a simulated desk that was moved."""

    before_at: Moment
    now_at: Moment


class Status(Told):
    """The desk at a glance."""

    now_at: Moment
    zone: str
    simulated: bool
    engine: str
    staff_number: str
    nodes: int
    staff: int
    customers: int
    points: int
    ports: int
    meters: int
    meters_stopped: int
    agreements_active: int
    shifts_open: int
    sales_taken: int
    sales_on_card: int
    sales_unknown: int
    tasks: int
    tasks_late: int
    days_open: int
    holidays_known: bool
