"""desk today."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from meterctl.cli.desk.desk_options import desk_options
from meterctl.cli.desk.desk_output import (
    Record,
    amount_json,
    fragments,
    moment_json,
    print_records,
    text_json,
    whole_json,
)
from meterctl.cli.desk.shared_options import ROWS, LimitOption
from meterctl.cli.desk.signed_in import SignedIn, signed_in
from meterctl.cli.output import say
from meterctl.utility.rules import typed_text
from meterctl.utility.services import today as today_service
from meterctl.utility.store.queries.today import TodayFigure
from protocols.command_line import Context, Option, Program

TOTAL = "total"
GREEN = "all hold"
_AGED = (
    TodayFigure.CASH,
    TodayFigure.WAITING,
    TodayFigure.UNKNOWN,
    TodayFigure.ON_CARD,
    TodayFigure.SUSPENSE,
    TodayFigure.TASKS_LATE,
)
"""Figures beside which the age of the oldest row stands."""
_COLUMNS = (
    "node", "sold_yesterday", "sold_today", "cash", "cash_days", "waiting", "unknown",
    "unknown_amount", "unknown_days", "on_card", "suspense", "terms_differ", "findings",
    "tasks_late",
)  # fmt: skip
_AMOUNTS = (TodayFigure.SOLD_YESTERDAY, TodayFigure.SOLD_TODAY, TodayFigure.CASH)
"""Figures that are told by their amount; the others by how many their rows are."""
_ROW_COLUMNS = ("number", "node", "agreement", "meter", "amount", "since_at", "since_on", "what")


def add_to(app: Program) -> None:
    """Add the commands of this file."""
    app.command("today")(today)


def today(
    context: Context,
    rows: Annotated[
        str | None,
        Option(
            "--rows",
            metavar="FIGURE",
            help="List the rows behind a figure, such as unknown: they add up to it.",
        ),
    ] = None,
    limit: LimitOption = ROWS,
) -> None:
    """Show what each station sold, holds in cash, does not know, and owes by now.

    A row is a station; the company has one for what lies at no station. Under `cash_days` and
    `unknown_days` stands the age of the oldest one. With --node only what lies there and below.
    """
    given = desk_options(context)
    with signed_in(given) as desk, desk.reading() as session:
        zone = desk.database.zone
        if rows is not None:
            figure = typed_text.word(TodayFigure, rows, "FIGURE")
            found = today_service.rows(
                session, desk.actor, desk.now, zone, figure, given.node, limit=limit
            )
            print_records(given, [_row_record(desk, row) for row in found], _ROW_COLUMNS)
            return
        told = today_service.today(session, desk.actor, desk.now, zone, given.node)
    records = [_record(desk, row, told["check"]) for row in told["rows"]]
    total = {"node": TOTAL, "name": "", "kind": "", "figures": told["totals"]}
    print_records(given, [*records, _record(desk, total, told["check"])], _COLUMNS, _COLUMNS[1:])
    if not given.json:
        say(_check_words(desk, told["check"]))


def _record(desk: SignedIn, row: Mapping[str, Any], check: Mapping[str, Any] | None) -> Record:
    record = {name: text_json(row[name]) for name in ("node", "name", "kind")}
    for figure in TodayFigure:
        told, name = row["figures"][figure.value], figure.value
        if figure in _AMOUNTS:
            record |= {
                name: amount_json(told["amount"]),
                f"{name}_count": whole_json(told["count"]),
            }
        else:
            record[name] = whole_json(told["count"])
            if figure.is_money:
                record[f"{name}_amount"] = amount_json(told["amount"])
        if figure in _AGED:
            record[f"{name}_days"] = whole_json(told["age_days"])
    checked = fragments(
        {"check_broken": None if check is None else check["broken"]}, desk.database.zone
    )
    at = None if check is None else check["at"]
    return {**record, **checked, "check_at": moment_json(at, desk.database.zone)}


def _row_record(desk: SignedIn, row: Mapping[str, Any]) -> Record:
    return {**desk.record(row), "amount": amount_json(row["amount"])}


def _check_words(desk: SignedIn, check: Mapping[str, Any] | None) -> str:
    """Return what the last run of `desk check` found, and when."""
    if check is None:
        return "check: never run; `desk check` proves the books"
    at = moment_json(check["at"], desk.database.zone).strip('"')
    return f"check of {at}: {', '.join(check['broken']) + ' BROKEN' if check['broken'] else GREEN}"
