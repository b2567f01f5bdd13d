"""desk org add|rename|show|list|import."""

from __future__ import annotations

from typing import Annotated

from meterctl.cli.desk.csv_import import FileArgument, import_file
from meterctl.cli.desk.desk_options import desk_options
from meterctl.cli.desk.desk_output import print_record, print_records
from meterctl.cli.desk.shared_options import SeenVersionOption
from meterctl.cli.desk.signed_in import signed_in
from meterctl.cli.values import offered
from meterctl.utility.model.organisation import OrganisationKind
from meterctl.utility.rules.typed_text import word
from meterctl.utility.services import organisation
from meterctl.utility.services.archive.imports import ImportKind
from protocols.command_line import Argument, Context, Option, Program

_org = Program("The company's branches, stations and districts.")
CodeArgument = Annotated[str, Argument(metavar="CODE", help="Code of the node.")]
NameArgument = Annotated[str, Argument(metavar="NAME", help="Name of the node.")]
_KINDS = [kind.value for kind in OrganisationKind if kind is not OrganisationKind.COMPANY]


def add_to(app: Program) -> None:
    """Add the commands of this file."""
    app.add_typer(_org, name="org")


@_org.command("add")
def add(
    context: Context,
    kind: Annotated[
        str,
        Argument(
            metavar="KIND",
            help=f"{', '.join(_KINDS)}: each lies in one of those before it.",
            autocompletion=offered(*_KINDS),
        ),
    ],
    code: Annotated[
        str, Argument(metavar="CODE", help="Its code; of a station 4 digits, as 0101.")
    ],
    name: NameArgument,
    parent: Annotated[
        str, Option("--in", metavar="CODE", help="Code of the node that it lies in.")
    ] = "company",
) -> None:
    """Add a branch, a station or a district."""
    wanted = {"parent": parent, "kind": kind, "code": code, "name": name}
    of_kind = word(OrganisationKind, kind, "kind")
    with signed_in(desk_options(context)) as desk:
        desk.do(
            "org add",
            wanted,
            lambda work: organisation.add(work, parent=parent, kind=of_kind, code=code, name=name),
            lambda done: f"{done['kind']} {done['code']} is added in {done['parent']}",
        )


@_org.command("rename")
def rename(
    context: Context, code: CodeArgument, name: NameArgument, seen: SeenVersionOption
) -> None:
    """Give a node another name."""
    with signed_in(desk_options(context)) as desk:
        desk.do(
            "org rename",
            {"code": code, "name": name, "version": seen},
            lambda work: organisation.rename(work, code=code, name=name, version=seen),
            lambda done: f"{done['code']} is now {done['name']}",
        )


@_org.command("show")
def show(context: Context, code: CodeArgument) -> None:
    """Show a node."""
    given = desk_options(context)
    with signed_in(given) as desk, desk.reading() as session:
        print_record(given, desk.record(organisation.show(session, desk.actor, code)))


@_org.command("list")
def list_(context: Context) -> None:
    """List the nodes, with --node those there and below."""
    given = desk_options(context)
    with signed_in(given) as desk, desk.reading() as session:
        found = organisation.list_(session, desk.actor, given.node)
        columns = ("code", "kind", "name", "parent", "version")
        print_records(given, [desk.record(row) for row in found], columns, ("version",))


@_org.command("import")
def import_(context: Context, file: FileArgument) -> None:
    """Add the nodes of a file with the columns code, kind, parent and name."""
    import_file(context, file, ImportKind.ORG)
