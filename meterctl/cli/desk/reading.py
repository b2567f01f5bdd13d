"""desk reading take|show|explain|end-epoch|set-back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from meterctl.cli.arguments import cents_of
from meterctl.cli.desk.desk_money import money_record, print_money, shown
from meterctl.cli.desk.desk_options import desk_options
from meterctl.cli.desk.desk_output import print_records
from meterctl.cli.desk.orders_seen_through import COMMAND_EXIT_CODES, see_through
from meterctl.cli.desk.shared_options import LimitOption
from meterctl.cli.desk.signed_in import signed_in
from meterctl.utility.rules.transitions import CommandState
from meterctl.utility.services import epoch_ends, explanations, readings
from protocols.command_line import Argument, Context, Exit, Option, Program

_reading = Program("Readings of meters, and what they found.")
_COLUMNS = (
    "taken_at", "state", "source", "account_state", "supply_state", "credit", "debt",
    "consumption", "energy_mwh", "credit_sequence",
)  # fmt: skip
OfArgument = Annotated[
    str, Argument(metavar="METER", help="Serial number of a meter, or number of an agreement.")
]


def add_to(app: Program) -> None:
    """Add the commands of this file."""
    app.add_typer(_reading, name="reading")


@_reading.command("take")
def take(context: Context, of: OfArgument) -> None:
    """Read a meter now; what it has charged is booked, and the books are compared."""
    given = desk_options(context)
    with signed_in(given) as desk:
        answer = desk.ask("reading take", {"of": of}, lambda work: readings.take(work, of=of))
        told, code, message = dict(answer.values), 0, f"meter {answer.values['meter']}"
        if not given.dry_run:
            see_through(desk, [told["order"]])
            with desk.reading() as session:
                taken = readings.taken(session, told["order"])
            told |= taken
            code = COMMAND_EXIT_CODES[CommandState(told["order_state"])]
            message = readings.told_of(told)
        print_money(given, desk.database.zone, told, message, exit_code=code)
    if code:
        raise Exit(code)


@_reading.command("show")
def show(context: Context, of: OfArgument, limit: LimitOption = 10) -> None:
    """Show the readings of a meter, the newest first, and its open findings."""
    given = desk_options(context)
    with signed_in(given) as desk, desk.reading() as session:
        zone = desk.database.zone
        found = readings.show(session, desk.actor, of, limit)
        right = ("credit", "debt", "consumption", "energy_mwh", "credit_sequence")
        empty = f"{of} was never read"
        print_records(given, [money_record(row, zone) for row in found], _COLUMNS, right, empty)
        findings = readings.findings_of(session, desk.actor, of)
        if findings:
            columns = ("rule", "value", "limit", "note", "last_seen")
            print_records(given, [money_record(row, zone) for row in findings], columns)


@_reading.command("explain")
def explain(
    context: Context,
    of: OfArgument,
    reason: Annotated[str, Option("--reason", metavar="TEXT", help="Where the credit came from.")],
    bank: Annotated[
        int | None,
        Option(
            "--agent-bank",
            metavar="N",
            help="An agent sold it, and pays it into this bank; else the customer owes it.",
        ),
    ] = None,
) -> None:
    """Propose how credit is booked that a meter has and no sale of ours explains."""
    given = desk_options(context)
    with signed_in(given) as desk:
        answer = desk.ask(
            "reading explain",
            {"of": of, "reason": reason, "bank": bank},
            lambda work: explanations.explain(work, meter=of, reason=reason, bank=bank),
            money=True,
        )
        told = answer.values
        message = f"{told['task']}: {shown(told['amount'])} in meter {told['meter']}; another "
        print_money(given, desk.database.zone, told, f"{message}person approves it first")


EstimateOption = Annotated[
    str,
    Option("--estimate", metavar="AMOUNT", help="What was consumed since the last reading."),
]
FoundOption = Annotated[str, Option("--reason", metavar="TEXT", help="What was found there.")]
_Propose = Callable[..., dict[str, Any]]


@_reading.command("end-epoch")
def end_epoch(
    context: Context, of: OfArgument, estimate: EstimateOption, reason: FoundOption
) -> None:
    """Propose to end the books of a meter whose storage is lost; the rest of its credit is owed."""
    _propose(context, "reading end-epoch", of, estimate, reason, epoch_ends.end_epoch)


@_reading.command("set-back")
def set_back(
    context: Context, of: OfArgument, estimate: EstimateOption, reason: FoundOption
) -> None:
    """Propose to go on with a meter whose storage was set back; what differs is owed or a claim."""
    _propose(context, "reading set-back", of, estimate, reason, epoch_ends.serve_set_back)


def _propose(
    context: Context, route: str, of: str, estimate: str, reason: str, propose: _Propose
) -> None:
    """Propose what is done with the storage of a meter."""
    given = desk_options(context)
    amount = cents_of(estimate, "nothing was changed", zero=True)
    with signed_in(given) as desk:
        answer = desk.ask(
            route,
            {"of": of, "estimate": amount, "reason": reason},
            lambda work: propose(work, meter=of, estimate=amount, reason=reason),
            money=True,
        )
        told = answer.values
        message = f"{told['task']}: {shown(told['in_meter'])} is booked in meter {told['meter']}"
        end = f"{message}; another person approves it first"
        print_money(given, desk.database.zone, told, end)
