"""desk mandate add|end|list."""

from __future__ import annotations

from typing import Annotated

from meterctl.cli.desk.desk_options import desk_options
from meterctl.cli.desk.desk_output import print_records
from meterctl.cli.desk.sell import AgreementArgument
from meterctl.cli.desk.shared_options import (
    ROWS,
    FromOption,
    LimitOption,
    ReasonOption,
    ToOption,
)
from meterctl.cli.desk.signed_in import signed_in
from meterctl.utility.rules import typed_text
from meterctl.utility.services import mandates
from protocols.command_line import Context, Option, Program

_mandate = Program("Mandates: permissions that a bank debits the bills of an agreement.")


def add_to(app: Program) -> None:
    """Add the commands of this file."""
    app.add_typer(_mandate, name="mandate")


@_mandate.command("add")
def add(
    context: Context,
    agreement: AgreementArgument,
    bank: Annotated[str, Option("--bank", metavar="BANK", help="Name of the bank: `bank list`.")],
    reference: Annotated[
        str, Option("--reference", metavar="NUMBER", help="The bank's number of the mandate.")
    ],
    account: Annotated[
        str,
        Option("--account", metavar="NUMBER", help="The account that is debited; shown masked."),
    ] = "",
    from_: FromOption = None,
    to: ToOption = None,
    document: Annotated[
        int | None,
        Option("--document", metavar="N", help="The signed mandate, a document of the agreement."),
    ] = None,
) -> None:
    """Write down that a customer lets a bank debit the bills of an agreement."""
    begins = None if from_ is None else typed_text.day(from_, "--from")
    ends = None if to is None else typed_text.day(to, "--to")
    wanted = {
        "agreement": agreement, "bank": bank, "reference": reference, "account": account,
        "from": from_, "to": to, "document": document,
    }  # fmt: skip
    with signed_in(desk_options(context)) as desk:
        desk.do(
            "mandate add",
            wanted,
            lambda work: mandates.add(
                work,
                agreement=agreement,
                bank=bank,
                reference=reference,
                payer_account=account,
                from_on=begins,
                to_on=ends,
                document=document,
            ),
            lambda told: f"{told['bank']} may debit {told['agreement']}: mandate {reference}",
        )


@_mandate.command("end")
def end(context: Context, agreement: AgreementArgument, reason: ReasonOption = "") -> None:
    """End the mandate of an agreement; a debit that was sent already may still be paid."""
    with signed_in(desk_options(context)) as desk:
        desk.do(
            "mandate end",
            {"agreement": agreement, "reason": reason},
            lambda work: mandates.end(work, agreement=agreement, reason=reason),
            lambda told: f"mandate {told['reference']} of {told['agreement']} is ended",
        )


@_mandate.command("list")
def list_(
    context: Context,
    bank: Annotated[
        str | None, Option("--bank", metavar="BANK", help="Of this bank.", show_default="all")
    ] = None,
    ended: Annotated[bool, Option("--ended", help="Those too that are ended.")] = False,
    limit: LimitOption = ROWS,
) -> None:
    """List the mandates at your nodes, the accounts masked."""
    given = desk_options(context)
    with signed_in(given) as desk, desk.reading() as session:
        found = mandates.list_(session, desk.actor, bank, ended=ended, limit=limit)
        columns = ("agreement", "bank", "reference", "payer_account", "from_on", "to_on", "state")
        print_records(given, [desk.record(row) for row in found], columns)
