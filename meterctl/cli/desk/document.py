"""desk document add|list|get."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from meterctl.cli.desk.desk_options import desk_options
from meterctl.cli.desk.desk_output import print_done, print_records
from meterctl.cli.desk.paper_file import read_paper
from meterctl.cli.desk.signed_in import signed_in
from meterctl.cli.values import offered
from meterctl.errors import UsageError
from meterctl.utility.rules.papers import ADDED_BY_HAND, DocumentKind
from meterctl.utility.rules.typed_text import word
from meterctl.utility.services import documents
from meterctl.written_files import Making, write_whole
from protocols.command_line import Argument, Context, Option, Program
from protocols.replacements import printable

_document = Program("Documents: papers of agreements, kept by the hash of their content.")
_KINDS = [kind.value for kind in ADDED_BY_HAND]
_HEAD = 64
"""Bytes by which a file is known to be the same document."""
_COLUMNS = ("document", "kind", "name", "media_type", "size", "added_at", "staff")
ForOption = Annotated[
    str,
    Option("--for", metavar="AGREEMENT", help="Number of the agreement, its point or its meter."),
]


def add_to(app: Program) -> None:
    """Add the commands of this file."""
    app.add_typer(_document, name="document")


@_document.command("add")
def add(
    context: Context,
    file: Annotated[Path, Argument(metavar="FILE", help="PDF, PNG, JPEG, HTML or text.")],
    of: ForOption,
    kind: Annotated[
        str,
        Option(
            "--kind",
            metavar="KIND",
            help=f"What it is: {', '.join(_KINDS)}.",
            autocompletion=offered(*_KINDS),
        ),
    ],
) -> None:
    """Keep a paper of an agreement; the same file again is kept once."""
    wanted, paper = word(DocumentKind, kind, "kind"), read_paper(file)
    with signed_in(desk_options(context)) as desk:
        desk.do(
            "document add",
            {"for": of, "kind": wanted, "name": paper.kept_name, "sha256": paper.sha256},
            lambda work: documents.add(work, of=of, kind=wanted, paper=paper),
            lambda told: f"{told['document']} is kept: {told['kind']} of {told['agreement']}",
        )


@_document.command("list")
def list_(context: Context, of: ForOption) -> None:
    """List the documents of an agreement, the newest first."""
    given = desk_options(context)
    with signed_in(given) as desk, desk.reading() as session:
        found = documents.list_(session, desk.actor, of)
        print_records(given, [desk.record(row) for row in found], _COLUMNS, ("size",))


@_document.command("get")
def get(
    context: Context,
    document: Annotated[str, Argument(metavar="DOCUMENT", help="Its number, such as D5.")],
    file: Annotated[Path, Argument(metavar="FILE", help="The file to write; a new one.")],
) -> None:
    """Write a document into a file, as it was added; the audit keeps who got it."""
    given = desk_options(context)
    if given.dry_run:
        raise UsageError("document get writes the audit: there is no dry run of it")
    with signed_in(given) as desk:
        answer = desk.ask(
            "document get",
            {"document": document},
            lambda work: documents.give(work, document=document),
        )
        with desk.reading() as session:
            content = documents.content_of(session, desk.actor, document)
        write_whole(
            file, content, Making("copy of this document", content[:_HEAD]), given.common.own_files
        )
        record = desk.record({**answer.values, "replayed": answer.replayed})
    written = f"{answer.values['document']} is written to {printable(str(file))}"
    print_done(given, record if given.json else {}, written)
