"""desk init|upgrade|status."""

from __future__ import annotations

from typing import Annotated

from meterctl.cli.desk.desk_options import DeskOptions, desk_options
from meterctl.cli.desk.desk_output import flag_json, print_done, print_record, text_json
from meterctl.cli.output import OutputError, emit, print_json, result_fragments, say
from protocols.command_line import Context, Option, Program

ZONE = "Asia/Shanghai"


def add_to(app: Program) -> None:
    """Add the commands of this file."""
    app.command("init")(init)
    app.command("upgrade")(upgrade)
    app.command("status")(status)


def init(
    context: Context,
    company: Annotated[
        str, Option("--company", metavar="NAME", help="The company's name, for receipts.")
    ] = "The company",
    zone: Annotated[
        str,
        Option("--zone", metavar="ZONE", help="Time zone that makes every date and month."),
    ] = ZONE,
    simulated: Annotated[
        bool,
        Option(
            "--simulated",
            help="The desk has a clock of its own, which only `time advance` moves: to try it, "
            "beside simulated meters.",
        ),
    ] = False,
) -> None:
    """Make a desk in a new database, and print the token of its first admin, once.

    The database keeps no token, only what proves one: write it down, or set it as
    METERCTL_DESK_TOKEN. With it make the staff: `meterctl desk staff add`.
    """
    from meterctl.transports.wires import wall_milliseconds
    from meterctl.utility.services.founding import found

    given = desk_options(context)
    if given.dry_run:
        print_done(given, {}, f"a new desk in {_shown(given)}")
        return
    token = found(given.url, zone, simulated, company, wall_milliseconds())
    record = {
        "database": text_json(_shown(given)),
        "zone": text_json(zone),
        "simulated": flag_json(simulated),
        "staff": text_json("admin"),
        "token": text_json(token),
    }
    message = f"a new desk in {_shown(given)}; the token of its admin is printed this once"
    try:
        if given.json:
            print_json({**record, **result_fragments(message=message)})
        else:
            say(message)
            emit(token)
    except OutputError:
        say(f"{message}: {token}")  # nothing else has it


def upgrade(context: Context) -> None:
    """Bring the desk's database to the layout of this version; all of it, or nothing."""
    from meterctl.transports.wires import wall_milliseconds
    from meterctl.utility.services.layouts import upgrade_desk

    given = desk_options(context)
    before, after = upgrade_desk(
        given.url, given.token, wall_milliseconds(), given.key, dry_run=given.dry_run
    )
    record = {"layout_before": text_json(before), "layout": text_json(after)}
    changed = f"layout {after}, before {before}" if after != before else f"layout {after} already"
    print_done(given, record, f"{_shown(given)}: {changed}")


def status(context: Context) -> None:
    """Show the desk's clock, how much it holds, and what waits."""
    from meterctl.cli.desk.signed_in import signed_in
    from meterctl.utility.services.status import status as counts

    given = desk_options(context)
    with signed_in(given) as desk, desk.reading() as session:
        found = {
            "now_at": desk.now,
            "zone": str(desk.database.zone),
            "simulated": desk.database.simulated,
            "engine": desk.database.engine.dialect.name,
            "staff_number": desk.actor.number,
            **counts(session, desk.actor, desk.today),
        }
        print_record(given, desk.record(found))
    if not found["holidays_known"]:
        say("the holidays of this year are not known: its working days are Monday to Friday")


def _shown(given: DeskOptions) -> str:
    """Return the URL of the database without its password."""
    from meterctl.utility.store.engine import connect
    from meterctl.utility.store.layout import shown

    return shown(connect(given.url))
