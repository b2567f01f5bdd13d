"""The figures of Today: each is the sum of rows, and the same statement gives the rows.

Conditions of partial indexes are written out: a statement with a parameter there uses none.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Date,
    Select,
    Subquery,
    and_,
    cast,
    func,
    literal,
    null,
    or_,
    select,
    text,
    union_all,
)
from sqlalchemy.orm import Session, aliased

from meterctl.utility.model.agreement import Agreement
from meterctl.utility.model.banking import BankLine
from meterctl.utility.model.base import BIG
from meterctl.utility.model.evidence import CheckRun
from meterctl.utility.model.metering import Finding, Installation, Meter
from meterctl.utility.model.money import Account, Entry, Payment, Sale, Shift, Transfer
from meterctl.utility.model.organisation import Organisation, OrganisationKind
from meterctl.utility.model.party import SupplyPoint
from meterctl.utility.model.work import Task
from meterctl.utility.rules.postings import AccountKind
from meterctl.utility.rules.transitions import SaleEvent, SaleState, ShiftState

TERMS_DIFFER = "terms_differ"
"""Rule of the finding that a meter has other terms than its agreement."""
_TAKEN, _CANCELLED = "sale_taken", f"sale_{SaleEvent.CANCEL}"
"""Kinds of entries: money taken for a sale, and given back in the shift that took it."""


class TodayFigure(StrEnum):
    """A figure of a station."""

    SOLD_YESTERDAY = "sold_yesterday"
    """Taken for sales of yesterday less cancelled, by the ledger, at the node of the shift."""
    SOLD_TODAY = "sold_today"
    CASH = "cash"
    """Cash of shifts that are not closed, without their float, by the ledger."""
    WAITING = "waiting"
    """Sales that are taken or being sent."""
    UNKNOWN = "unknown"
    """Sales of which it is not known whether the meter has them."""
    ON_CARD = "on_card"
    """Sales that lie on cards for longer than the setting `card_old`."""
    SUSPENSE = "suspense"
    """Lines of banks whose owner is not known for longer than the setting `suspense_old`."""
    TERMS_DIFFER = "terms_differ"
    """Open findings that a meter has other terms than its agreement."""
    FINDINGS = "findings"
    """Other open findings."""
    TASKS_LATE = "tasks_late"
    """Tasks that are not ended and were due before today."""

    @property
    def is_money(self) -> bool:
        """Whether its rows have amounts."""
        return self not in (TodayFigure.TERMS_DIFFER, TodayFigure.FINDINGS, TodayFigure.TASKS_LATE)


@dataclass(frozen=True, slots=True)
class Moment:
    """What the figures are of.

    Attributes:
        within: the condition of the nodes (`Organisation.path`).
        today: the date; `yesterday` the one before, which began at `yesterday_at`, ms.
        cards_before: sales that lie on their cards since this instant or before, ms.
        suspense_before: lines of banks that were paid before this date.
    """

    within: ColumnElement[bool]
    today: date
    yesterday: date
    yesterday_at: int
    cards_before: int
    suspense_before: date


@dataclass(frozen=True, slots=True)
class FigureTotal:
    """The rows of a figure at a node: how many, their sum (0.01), and since when the oldest is."""

    count: int
    amount: int
    oldest_at: int | None
    oldest_on: date | None


def totals(session: Session, moment: Moment) -> dict[TodayFigure, dict[int, FigureTotal]]:
    """Return each figure by the number of the node at which its rows lie."""
    sold = _totals_by_date(session, _sold(moment, moment.yesterday, moment.today))
    found = {
        TodayFigure.SOLD_YESTERDAY: sold.get(moment.yesterday, {}),
        TodayFigure.SOLD_TODAY: sold.get(moment.today, {}),
    }
    return found | {
        figure: _totals(session, figure, moment) for figure in TodayFigure if figure not in found
    }


def _totals(session: Session, figure: TodayFigure, moment: Moment) -> dict[int, FigureTotal]:
    rows = _rows(figure, moment)
    wanted = select(
        rows.c.node_id, func.count(), func.sum(rows.c.amount), func.min(rows.c.since_at),
        func.min(rows.c.since_on),
    ).group_by(rows.c.node_id)  # fmt: skip
    return {
        node: FigureTotal(count, int(amount or 0), since_at, since_on)
        for node, count, amount, since_at, since_on in session.execute(wanted)
    }


def _totals_by_date(session: Session, rows: Subquery) -> dict[date, dict[int, FigureTotal]]:
    """Return the totals of rows by date and node; both days are read by one statement."""
    wanted = select(
        rows.c.since_on, rows.c.node_id, func.count(), func.sum(rows.c.amount),
        func.min(rows.c.since_at),
    ).group_by(rows.c.since_on, rows.c.node_id)  # fmt: skip
    found: dict[date, dict[int, FigureTotal]] = {}
    for on, node, count, amount, since_at in session.execute(wanted):
        found.setdefault(on, {})[node] = FigureTotal(count, int(amount), since_at, on)
    return found


def rows_of_figure(
    session: Session, figure: TodayFigure, moment: Moment, limit: int | None, offset: int
) -> list[Any]:
    """Return the rows of a figure, the oldest first.

    Each has `node` (a code), `subject`, `subject_id`, `number` (of a shift, a bank's line),
    `agreement`, `meter` (of a finding about one), `amount`, `since_at`, `since_on`, `what`.
    """
    rows = _rows(figure, moment)
    about_meter = and_(rows.c.subject == Meter.__tablename__, Meter.id == rows.c.subject_id)
    wanted = (
        select(rows, Organisation.code.label("node"), Agreement.number.label("agreement"),
               Meter.serial.label("meter"))
        .join(Organisation, Organisation.id == rows.c.node_id)
        .outerjoin(Agreement, Agreement.id == rows.c.agreement_id)
        .outerjoin(Meter, about_meter)
        .order_by(rows.c.since_at, rows.c.since_on, rows.c.row_id)
        .offset(offset)
    )  # fmt: skip
    return list(session.execute(wanted if limit is None else wanted.limit(limit)))


def last_check(session: Session, until: int | None = None) -> CheckRun | None:
    """Return the last run of `desk check`, up to an instant (ms); None: there was none."""
    runs = select(CheckRun).order_by(CheckRun.id.desc()).limit(1)
    if until is not None:
        runs = runs.where(CheckRun.at <= until)
    return session.scalars(runs).one_or_none()


def _rows(figure: TodayFigure, moment: Moment) -> Subquery:
    match figure:
        case TodayFigure.SOLD_YESTERDAY:
            return _sold(moment, moment.yesterday, moment.yesterday)
        case TodayFigure.SOLD_TODAY:
            return _sold(moment, moment.today, moment.today)
        case TodayFigure.CASH:
            return _cash(moment)
        case TodayFigure.WAITING:
            return _sales(moment, Sale.state.in_((SaleState.TAKEN, SaleState.SENDING)))
        case TodayFigure.UNKNOWN:
            return _sales(moment, Sale.state == SaleState.UNKNOWN)
        case TodayFigure.ON_CARD:
            on_card = text(f"sale.state = '{SaleState.ON_CARD}'")
            return _sales(moment, on_card & (Sale.changed_at <= moment.cards_before))
        case TodayFigure.SUSPENSE:
            return _suspense(moment)
        case TodayFigure.TERMS_DIFFER:
            return _findings(moment, Finding.rule == TERMS_DIFFER)
        case TodayFigure.FINDINGS:
            return _findings(moment, Finding.rule != TERMS_DIFFER)
        case TodayFigure.TASKS_LATE:
            return _late(moment)


def _columns(
    row_id: Any,
    node_id: Any,
    subject: Any,
    subject_id: Any,
    *,
    agreement_id: Any = None,
    amount: Any = None,
    since_at: Any = None,
    since_on: Any = None,
    number: Any = None,
    what: Any = "",
) -> Select[Any]:
    """Return the columns that the rows of every figure have."""
    return select(
        row_id.label("row_id"),
        node_id.label("node_id"),
        (literal(subject) if isinstance(subject, str) else subject).label("subject"),
        subject_id.label("subject_id"),
        (cast(null(), BIG) if agreement_id is None else agreement_id).label("agreement_id"),
        (cast(null(), BIG) if amount is None else amount).label("amount"),
        (cast(null(), BIG) if since_at is None else since_at).label("since_at"),
        (cast(null(), Date) if since_on is None else since_on).label("since_on"),
        (literal("") if number is None else number).label("number"),
        (literal(what) if isinstance(what, str) else what).label("what"),
    )


def _sold(moment: Moment, first: date, last: date) -> Subquery:
    """Return what was booked for sales from one date to another, by tills and banks.

    A table of sales or entries has no index by which the two days are found among all readings;
    the accounts have one, with the date.
    """
    recent = or_(Shift.closed_at.is_(None), Shift.closed_at >= moment.yesterday_at)
    tills = (
        select(Account.id.label("account_id"), Shift.node_id)
        .join(Shift, Shift.id == Account.owner_id)
        .join(Organisation, Organisation.id == Shift.node_id)
        .where(Account.kind == AccountKind.CASH, recent, moment.within)
        .subquery()
    )
    banks = select(Account.id.label("account_id")).where(Account.kind == AccountKind.TRANSIT)
    transit = banks.subquery()
    parts = []
    for account, kind, sign in (
        (Transfer.debit_id, _TAKEN, 1), (Transfer.credit_id, _CANCELLED, -1),
    ):  # fmt: skip
        of_days = and_(
            Transfer.booked_on >= first, Entry.for_on.between(first, last), Entry.kind == kind
        )
        by_till = (
            _sold_columns(tills.c.node_id, Transfer.amount * sign)
            .select_from(tills)
            .join(Transfer, account == tills.c.account_id)
            .join(Entry, Entry.id == Transfer.entry_id)
            .where(of_days)
        )
        node = func.coalesce(Shift.node_id, SupplyPoint.node_id)
        by_bank = (
            _sold_columns(node, Transfer.amount * sign)
            .select_from(transit)
            .join(Transfer, account == transit.c.account_id)
            .join(Entry, Entry.id == Transfer.entry_id)
            .join(Agreement, Agreement.id == Entry.agreement_id)
            .join(SupplyPoint, SupplyPoint.id == Agreement.point_id)
            .outerjoin(Payment, Payment.id == Entry.payment_id)
            .outerjoin(Shift, Shift.id == Payment.shift_id)
            .join(Organisation, Organisation.id == node)
            .where(of_days, moment.within)
        )
        parts += [by_till, by_bank]
    return union_all(*parts).subquery()


def _sold_columns(node_id: Any, amount: Any) -> Select[Any]:
    return _columns(
        Entry.id, node_id, Sale.__tablename__, Entry.sale_id, agreement_id=Entry.agreement_id,
        amount=amount, since_at=Entry.booked_at, since_on=Entry.for_on, what=Entry.kind,
    )  # fmt: skip


def _cash(moment: Moment) -> Subquery:
    """Return the shifts that are not closed and hold cash."""
    parts = []
    for side, sign in ((Transfer.debit_id, 1), (Transfer.credit_id, -1)):
        parts.append(
            select(Shift.id.label("shift_id"), (Transfer.amount * sign).label("amount"))
            .join(Account, and_(Account.kind == AccountKind.CASH, Account.owner_id == Shift.id))
            .join(Organisation, Organisation.id == Shift.node_id)
            .join(Transfer, side == Account.id)
            .where(text(f"shift.state <> '{ShiftState.CLOSED}'"), moment.within)
        )
    moved = union_all(*parts).subquery()
    amount = func.sum(moved.c.amount)
    held = (
        select(moved.c.shift_id, amount.label("amount"))
        .group_by(moved.c.shift_id)
        .having(amount != 0)
        .subquery()
    )
    return (
        _columns(
            Shift.id, Shift.node_id, Shift.__tablename__, Shift.id, amount=held.c.amount,
            since_on=Shift.opened_on, since_at=Shift.opened_at, number=Shift.number,
            what=Shift.state,
        )
        .select_from(held)
        .join(Shift, Shift.id == held.c.shift_id)
        .subquery()
    )  # fmt: skip


def _sales(moment: Moment, which: ColumnElement[bool]) -> Subquery:
    """Return sales at the nodes of their supply points."""
    return (
        _columns(
            Sale.id, SupplyPoint.node_id, Sale.__tablename__, Sale.id,
            agreement_id=Sale.agreement_id, amount=Sale.amount, since_at=Sale.taken_at,
            what=Sale.state,
        )
        .select_from(Sale)
        .join(Agreement, Agreement.id == Sale.agreement_id)
        .join(SupplyPoint, SupplyPoint.id == Agreement.point_id)
        .join(Organisation, Organisation.id == SupplyPoint.node_id)
        .where(which, moment.within)
        .subquery()
    )  # fmt: skip


def _suspense(moment: Moment) -> Subquery:
    """Return lines of banks in suspense: those of the company, whose accounts the banks' are."""
    return (
        _columns(
            BankLine.id, Organisation.id, BankLine.__tablename__, BankLine.id,
            amount=BankLine.amount, since_at=BankLine.paid_at, since_on=BankLine.paid_on,
            number=BankLine.reference, what=BankLine.bank,
        )
        .select_from(BankLine)
        .join(Organisation, Organisation.kind == OrganisationKind.COMPANY)
        .where(
            text("bank_line.state = 'suspense'"),
            BankLine.paid_on < moment.suspense_before,
            moment.within,
        )
        .subquery()
    )  # fmt: skip


def _findings(moment: Moment, which: ColumnElement[bool]) -> Subquery:
    """Return open findings, at the node of the agreement or meter, else at the company."""
    of_meter = aliased(SupplyPoint)
    company = (
        select(Organisation.id)
        .where(Organisation.kind == OrganisationKind.COMPANY)
        .correlate(None)
        .scalar_subquery()
    )
    node = func.coalesce(SupplyPoint.node_id, of_meter.node_id, company)
    installed = and_(
        Finding.subject_kind == Meter.__tablename__,
        Installation.meter_id == Finding.subject_id,
        Installation.to_at.is_(None),
    )
    return (
        _columns(
            Finding.id, node, Finding.subject_kind, Finding.subject_id,
            agreement_id=Finding.agreement_id, since_at=Finding.first_seen, number=Finding.rule,
            what=Finding.note,
        )
        .select_from(Finding)
        .outerjoin(Agreement, Agreement.id == Finding.agreement_id)
        .outerjoin(SupplyPoint, SupplyPoint.id == Agreement.point_id)
        .outerjoin(Installation, installed)
        .outerjoin(of_meter, of_meter.id == Installation.point_id)
        .join(Organisation, Organisation.id == node)
        .where(text("finding.state = 'open'"), which, moment.within)
        .subquery()
    )  # fmt: skip


def _late(moment: Moment) -> Subquery:
    """Return tasks that are late."""
    return (
        _columns(
            Task.id, Task.node_id, Task.__tablename__, Task.id, since_on=Task.due_on,
            since_at=Task.made_at, what=Task.kind,
        )
        .select_from(Task)
        .join(Organisation, Organisation.id == Task.node_id)
        .where(
            text("task.state IN ('open', 'taken')"), Task.due_on < moment.today, moment.within
        )
        .subquery()
    )  # fmt: skip
