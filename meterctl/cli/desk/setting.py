"""desk setting show|set."""

from __future__ import annotations

from typing import Annotated

from meterctl.cli.desk.desk_options import desk_options
from meterctl.cli.desk.desk_output import print_records
from meterctl.cli.desk.shared_options import FromOption
from meterctl.cli.desk.signed_in import signed_in
from meterctl.cli.values import offered
from meterctl.utility.model.party import CustomerClass
from meterctl.utility.rules.law import SETTINGS
from meterctl.utility.rules.typed_text import day, word
from meterctl.utility.services import settings
from protocols.command_line import Argument, Context, Option, Program

_setting = Program("Limits and deadlines of the company and of the law, each with its date.")
_CLASSES = [each.value for each in CustomerClass]


def add_to(app: Program) -> None:
    """Add the commands of this file."""
    app.add_typer(_setting, name="setting")


@_setting.command("show")
def show(
    context: Context,
    code: Annotated[
        str | None,
        Argument(
            metavar="CODE",
            help="One setting, with every value that it has had.",
            autocompletion=offered(*SETTINGS),
        ),
    ] = None,
) -> None:
    """Show all settings as they are today at --node, or one with all its values."""
    given = desk_options(context)
    with signed_in(given) as desk, desk.reading() as session:
        if code is None:
            rows = settings.all_values(session, desk.actor, desk.node(), desk.today)
            columns: tuple[str, ...] = ("code", "value", "type", "legal", "meaning", "source")
        else:
            rows = settings.rows_of(session, desk.actor, code)
            columns = ("node", "class", "from_on", "value")
        print_records(given, [desk.record(row) for row in rows], columns, ("value",))


@_setting.command("set")
def set_(
    context: Context,
    code: Annotated[
        str,
        Argument(metavar="CODE", help="Code of the setting.", autocompletion=offered(*SETTINGS)),
    ],
    value: Annotated[str, Argument(metavar="VALUE", help="An amount or a number of days.")],
    customer_class: Annotated[
        str | None,
        Option(
            "--class",
            metavar="CLASS",
            help=f"Only for customers of this class: {', '.join(_CLASSES)}.",
            autocompletion=offered(*_CLASSES),
        ),
    ] = None,
    from_on: FromOption = None,
) -> None:
    """Set a value at --node from a date on; a legal one waits for another's approval."""
    given = desk_options(context)
    of_class = None if customer_class is None else word(CustomerClass, customer_class, "class")
    first = None if from_on is None else day(from_on, "--from")
    wanted = {
        "code": code, "value": value, "node": given.node, "class": of_class, "from_on": from_on,
    }  # fmt: skip
    with signed_in(given) as desk:
        desk.do(
            "setting set",
            wanted,
            lambda work: settings.set_value(
                work,
                code=code,
                value=value,
                node=given.node,
                customer_class=of_class,
                from_on=first,
            ),
            lambda done: (
                f"{code} is {done['value']} at {done['node']} from {done['from_on']}"
                if done["state"] == "set"
                else f"{code} will be {done['value']} when another person has approved "
                f"{done['task']}"
            ),
        )
