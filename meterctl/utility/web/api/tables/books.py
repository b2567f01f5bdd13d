"""The ledger, the sheets, closed dates, Today, the proof of the books, the audit, the clock."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from meterctl.utility.rules.calendar import end_of
from meterctl.utility.rules.typed_text import whole
from meterctl.utility.services import audits, checks, clock, closing, statements
from meterctl.utility.services import status as statuses
from meterctl.utility.services import today as todays
from meterctl.utility.services.sheets.lookup import day_sheet, shift_sheet
from meterctl.utility.store.unit_of_work import UnitOfWork
from meterctl.utility.web.api.answers import books as told
from meterctl.utility.web.api.operations import (
    Asked,
    Change,
    Look,
    Looked,
    Operation,
    Page,
    Values,
    calling,
)
from meterctl.utility.web.api.values import DurationIn, Name, json_of_figures


class AtNode(Asked):
    """A node and those below it; without one the company."""

    node: Name | None = None


class FigurePage(Page):
    """Rows of a node and below; without one of all your nodes."""

    node: Name | None = None


class AuditPage(Page):
    """What was done to a row (`sale/17`), by a person, or by an action."""

    subject: Name | None = None
    staff: Name | None = None
    action: Name | None = None


class Advance(Asked):
    """How far the clock is moved."""

    by: DurationIn


def _ledger(found: Looked) -> list[Values]:
    lines = statements.statement_of(found.session, found.visitor.actor, found.path["agreement"])
    rows = [asdict(line) for line in lines]
    return [{"number": str(number), **row} for number, row in enumerate(rows, 1)]


def _day_sheet(found: Looked) -> Values:
    visitor, zone = found.visitor, found.visitor.database.zone
    end = end_of(found.path["on"], zone)
    sheet, seal = day_sheet(found.session, visitor.actor, visitor.now, end, found.query.node)
    sealed = None if seal is None else json_of_figures(seal, zone)
    return {"sheet": json_of_figures(sheet, zone), "seal": sealed}


def _shift_sheet(found: Looked) -> Values:
    visitor = found.visitor
    sheet = shift_sheet(found.session, visitor.actor, visitor.now, found.path["shift"])
    return {"sheet": json_of_figures(sheet, visitor.database.zone)}


def _today(found: Looked) -> Values:
    visitor = found.visitor
    shown: dict[str, Any] = todays.today(
        found.session, visitor.actor, visitor.now, visitor.database.zone, found.query.node
    )
    check = shown.pop("check")
    run = None if check is None else {"checked_at": check.pop("at"), **check}
    return {**shown, "as_of_at": shown.pop("as_of"), "check": run}


def _figure(found: Looked) -> list[Values]:
    visitor, q = found.visitor, found.query
    before = 0 if q.after is None else whole(q.after, "after")
    rows = todays.rows(
        found.session, visitor.actor, visitor.now, visitor.database.zone, found.path["figure"],
        q.node, limit=q.limit + 1, offset=before,
    )  # fmt: skip
    return [{**row, "row": str(number)} for number, row in enumerate(rows, before + 1)]


def _check(found: Looked) -> Values:
    checked = [asdict(each) for each in checks.check(found.session, found.visitor.actor)]
    broken = [each["invariant"] for each in checked if each["broken"]]
    return {"broken": broken, "checked": checked}


def _audit(found: Looked) -> list[Values]:
    q = found.query
    before = None if q.after is None else whole(q.after, "after")
    return audits.newest(
        found.session, found.visitor.actor, q.limit + 1, subject=q.subject, staff=q.staff,
        action=q.action, before=before,
    )  # fmt: skip


def _time(found: Looked) -> Values:
    visitor = found.visitor
    return {
        "now_at": visitor.now,
        "today": visitor.today,
        "zone": str(visitor.database.zone),
        "simulated": visitor.database.simulated,
    }


def _status(found: Looked) -> Values:
    visitor, database = found.visitor, found.visitor.database
    return {
        "now_at": visitor.now,
        "zone": str(database.zone),
        "simulated": database.simulated,
        "engine": database.engine.dialect.name,
        "staff_number": visitor.actor.number,
        **statuses.status(found.session, visitor.actor, visitor.today),
    }


def _without_control(values: Values) -> Values:
    """Return what is asked of the clock, as the command says it where no meter is moved."""
    return {**values, "control": []}


def _advance(work: UnitOfWork, values: Values) -> Values:
    return clock.advance(work, by=values["by"])


BOOKS: tuple[Operation, ...] = (
    Look("/ledger/{agreement}", "ledger_show",
         "List what moved on the accounts of an agreement, the oldest first.", _ledger,
         told.LedgerLine, query=Page, by="number", is_whole=True),
    Look("/sheets/day/{on}", "sheet_day", "Show the sheet of a date.", _day_sheet, told.Sheet,
         query=AtNode),
    Look("/sheets/shift/{shift}", "sheet_shift", "Show the sheet of a shift.", _shift_sheet,
         told.SheetOfShift),
    Change("POST", "/days/{on}/close", "close day", "Close a date of the books for ever.",
           calling(closing.close_day), told.ClosedDay, money=True),
    Look("/today", "today", "Show what each station sold, holds, does not know and owes.", _today,
         told.Today, query=AtNode),
    Look("/today/{figure}", "today_rows", "List the rows behind a figure of Today.", _figure,
         told.RowOfFigure, query=FigurePage, by="row"),
    Look("/check", "check",
         "Prove the invariants of the books over the whole database, without the journal.", _check,
         told.Check),
)  # fmt: skip
DESK: tuple[Operation, ...] = (
    Look("/audit", "audit", "List what was done, the newest first.", _audit, told.AuditRow,
         query=AuditPage, by="number"),
    Look("/status", "status", "Show the desk's clock, how much it holds, and what waits.", _status,
         told.Status),
    Look("/time", "time_show", "Show the desk's clock and zone.", _time, told.Time),
    Change("POST", "/time/advance", "time advance", "Move the clock of a simulated desk, alone.",
           _advance, told.MovedTime, body=Advance, asks=_without_control),
)  # fmt: skip
