"""desk audit."""

from __future__ import annotations

import re
from typing import Annotated

from meterctl.cli.desk.desk_options import desk_options
from meterctl.cli.desk.desk_output import print_records
from meterctl.cli.desk.shared_options import ROWS, LimitOption
from meterctl.cli.desk.signed_in import signed_in
from meterctl.utility.services import audits
from protocols.command_line import Context, Option, Program

_NUMBERED = {"S": "sale", "O": "meter_order", "T": "task"}
"""Letter of a number as people see it -> table."""


def add_to(app: Program) -> None:
    """Add the commands of this file."""
    app.command("audit")(audit)


def audit(
    context: Context,
    subject: Annotated[
        str | None,
        Option(
            "--subject",
            metavar="SUBJECT",
            help="Only what was done to it: S17 (a sale), O5 (an order), T3 (a task), or table and "
            "number of a row, as staff/2.",
        ),
    ] = None,
    staff: Annotated[
        str | None, Option("--staff", metavar="NUMBER", help="Only what this person did.")
    ] = None,
    action: Annotated[
        str | None, Option("--action", metavar="ACTION", help="Only this action.")
    ] = None,
    limit: LimitOption = ROWS,
) -> None:
    """List the audit: person, action, subject, values before and after; the newest first."""
    given = desk_options(context)
    with signed_in(given) as desk, desk.reading() as session:
        found = audits.newest(
            session,
            desk.actor,
            limit,
            subject=None if subject is None else _row(subject),
            staff=staff,
            action=action,
        )
        columns = ("done_at", "staff", "action", "subject", "before", "after", "reason", "key")
        print_records(given, [desk.record(row) for row in found], columns)


def _row(subject: str) -> str:
    """Return table and number of a row from a number as people see it."""
    match = re.fullmatch(r"([SOT])([0-9]+)", subject.strip().upper())
    return f"{_NUMBERED[match[1]]}/{match[2]}" if match else subject
