"""desk takeover: points, customers, meters, open bills and advances of older books."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from meterctl.cli.desk.csv_import import read_csv_text
from meterctl.cli.desk.desk_money import money_record
from meterctl.cli.desk.desk_options import desk_options
from meterctl.cli.desk.desk_output import print_done, print_record, print_records
from meterctl.cli.desk.signed_in import SignedIn, signed_in
from meterctl.cli.desk.terms_file import read_terms_file
from meterctl.errors import UsageError
from protocols.command_line import Argument, Context, Option, Program

if TYPE_CHECKING:
    from meterctl.utility.rules.takeover_file import TakeoverRow

_COLUMNS = (
    "line", "agreement", "point", "meter", "mode", "state", "credit", "debt", "open", "advance",
    "cause",
)  # fmt: skip
_RIGHT = ("line", "credit", "debt", "open", "advance")


def add_to(app: Program) -> None:
    """Add the command of this file."""
    app.command("takeover")(takeover)


def takeover(
    context: Context,
    file: Annotated[
        Path, Argument(metavar="FILE.csv", help="A row a supply point; see docs/desk-takeover.md.")
    ],
    approve: Annotated[
        bool, Option("--approve", help="Approve what another person proposed with this file.")
    ] = False,
    unread: Annotated[
        bool,
        Option("--unread", help="With --approve: also the meters that were not read, unseen."),
    ] = False,
    again: Annotated[
        bool, Option("--again", help="Read the meters again that could not be taken over.")
    ] = False,
) -> None:
    """Propose to take over what a file names, or show how far it is.

    Another person approves it, when each meter was read: its credit and debt are shown then. Each
    meter is then taken over with its next reading; one that does
    not answer waits until it does. The same file again changes nothing and shows the progress."""
    from meterctl.utility.services import takeover as service

    if approve and again:
        raise UsageError("--approve and --again: one of them. Nothing was changed")
    if unread and not approve:
        raise UsageError("--unread is for --approve. Nothing was changed")
    given = desk_options(context)
    rows, digest = _read(file)
    with signed_in(given) as desk:
        with desk.reading() as session:
            task = service.find_proposal(session, digest)
            number = None if task is None else f"T{task.id}"
        if approve and number is not None:
            desk.ask(
                "takeover approve",
                {"sha256": digest, "unread": unread},
                lambda work: service.approve(work, task=number, unread=unread),
            )
        elif again:
            desk.ask(
                "takeover again",
                {"sha256": digest},
                lambda work: service.read_again(work, sha256=digest),
            )
        elif number is None and not approve:
            terms = _terms(file, rows)
            answer = desk.ask(
                "takeover",
                {"sha256": digest},
                lambda work: service.propose_file(work, rows=rows, sha256=digest, terms=terms),
            )
            if given.dry_run:
                message = f"{file}: {answer.values['meters']} meters would be taken over"
                print_done(given, {}, message)
                return
        _print(desk, digest)


def _read(file: Path) -> tuple[list[TakeoverRow], str]:
    """Return the rows of a file and the SHA-256 of its bytes; raises UsageError."""
    from meterctl.utility.errors import Invalid
    from meterctl.utility.rules.takeover_file import parse_takeover

    text, digest = read_csv_text(file)
    try:
        return parse_takeover(text), digest
    except Invalid as error:
        raise UsageError(f"{file}: {error}") from error


def _terms(file: Path, rows: list[TakeoverRow]) -> dict[str, dict[str, Any]]:
    """Return the terms that rows name, from files beside the file."""
    from meterctl.utility.model.agreement import AgreementMode

    return {
        row.terms: read_terms_file(
            file.parent / row.terms,
            in_meter=row.cells["mode"] in ("", AgreementMode.METER.value),
        )
        for row in rows
        if row.terms
    }


def _print(desk: SignedIn, digest: str) -> None:
    """Print how far a file is."""
    from meterctl.utility.services import takeover as service

    with desk.reading() as session:
        told = service.progress(session, desk.actor, digest)
    zone = desk.database.zone
    if desk.given.json:
        print_record(desk.given, money_record(told, zone))
        return
    print_records(desk.given, [money_record(row, zone) for row in told["rows"]], _COLUMNS, _RIGHT)
    counts = ", ".join(f"{count} {state}" for state, count in told["counts"].items())
    ended = told["outcome"] or told["task_state"]
    print_done(desk.given, {}, f"{told['task']} is {ended}; {counts}")
