"""desk customer add|edit|show|list|import."""

from __future__ import annotations

from typing import Annotated

from meterctl.cli.desk.csv_import import FileArgument, import_file
from meterctl.cli.desk.desk_options import desk_options
from meterctl.cli.desk.desk_output import print_record, print_records
from meterctl.cli.desk.shared_options import ROWS, LimitOption, ReasonOption, SeenVersionOption
from meterctl.cli.desk.signed_in import signed_in
from meterctl.errors import UsageError
from meterctl.utility.services.archive import customers
from meterctl.utility.services.archive.imports import ImportKind
from protocols.command_line import Argument, Context, Option, Program

_customer = Program("Customers, telephone and identity numbers masked.")
NumberArgument = Annotated[str, Argument(metavar="NUMBER", help="Number of the customer.")]
PhoneOption = Annotated[
    list[str] | None,
    Option("--phone", metavar="NUMBER", help="Telephone number; repeatable."),
]
IdOption = Annotated[
    str | None,
    Option(
        "--id",
        metavar="NUMBER",
        help="Resident identity number or unified social credit code; its check digit is checked.",
    ),
]
ProtectedOption = Annotated[
    bool | None,
    Option(
        "--protected/--not-protected",
        help="A person there depends on the supply: it is never cut for money.",
    ),
]


def add_to(app: Program) -> None:
    """Add the commands of this file."""
    app.add_typer(_customer, name="customer")


@_customer.command("add")
def add(
    context: Context,
    name: Annotated[str, Argument(metavar="NAME", help="Name of the person or company.")],
    id_number: IdOption = None,
    phone: PhoneOption = None,
    protected: ProtectedOption = False,
    number: Annotated[
        str,
        Option("--number", metavar="NUMBER", help="Number of an older archive; else one is drawn."),
    ] = "",
) -> None:
    """Add a customer."""
    phones = phone or []
    wanted = {
        "name": name, "id_number": id_number, "phones": phones, "protected": protected,
        "number": number,
    }  # fmt: skip
    with signed_in(desk_options(context)) as desk:
        desk.do(
            "customer add",
            wanted,
            lambda work: customers.add(
                work,
                name=name,
                id_number=id_number or "",
                phones=phones,
                protected=bool(protected),
                number=number,
            ),
            lambda done: f"customer {done['number']} is added",
        )


@_customer.command("edit")
def edit(
    context: Context,
    number: NumberArgument,
    seen: SeenVersionOption,
    name: Annotated[str | None, Option("--name", metavar="NAME", help="Another name.")] = None,
    id_number: IdOption = None,
    phone: PhoneOption = None,
    protected: ProtectedOption = None,
) -> None:
    """Change what is named of a customer; --phone stands for all telephone numbers."""
    wanted = {
        "number": number, "version": seen, "name": name, "id_number": id_number, "phones": phone,
        "protected": protected,
    }  # fmt: skip
    with signed_in(desk_options(context)) as desk:
        desk.do(
            "customer edit",
            wanted,
            lambda work: customers.edit(
                work,
                number=number,
                version=seen,
                name=name,
                id_number=id_number,
                phones=phone,
                protected=protected,
            ),
            lambda done: f"customer {done['number']} is changed",
        )


@_customer.command("show")
def show(
    context: Context,
    number: NumberArgument,
    unmask: Annotated[
        bool,
        Option("--unmask", help="Show telephone and identity numbers; it is kept in the audit."),
    ] = False,
    reason: ReasonOption = "",
) -> None:
    """Show a customer and the customer's supply points."""
    given = desk_options(context)
    if unmask and given.dry_run:
        raise UsageError("--unmask writes the audit: there is no dry run of it")
    with signed_in(given) as desk:
        if unmask:
            wanted = {"number": number, "reason": reason}
            desk.ask(
                "customer unmask",
                wanted,
                lambda work: customers.unmask(work, number=number, reason=reason),
            )
        with desk.reading() as session:
            shown = customers.show(session, desk.actor, number)
            if unmask:
                shown |= customers.secrets_of(session, desk.actor, number)
        print_record(given, desk.record(shown))


@_customer.command("list")
def list_(
    context: Context,
    text: Annotated[
        str | None, Argument(metavar="TEXT", help="A part of the name, or the whole number.")
    ] = None,
    limit: LimitOption = ROWS,
) -> None:
    """List customers of your nodes, and those without a supply point."""
    given = desk_options(context)
    with signed_in(given) as desk, desk.reading() as session:
        found = customers.list_(session, desk.actor, text, limit)
        columns = ("number", "name", "id_number", "phones", "protected", "version")
        print_records(given, [desk.record(row) for row in found], columns, ("version",))


@_customer.command("import")
def import_(context: Context, file: FileArgument) -> None:
    """Add the customers of a file: column name; number, id_number, phones, protected if known.

    Several phones in a cell are separated by semicolons.
    """
    import_file(context, file, ImportKind.CUSTOMER)
