"""desk finding list."""

from __future__ import annotations

from typing import Annotated

from meterctl.cli.desk.desk_options import desk_options
from meterctl.cli.desk.desk_output import print_records
from meterctl.cli.desk.shared_options import ROWS, LimitOption
from meterctl.cli.desk.signed_in import signed_in
from meterctl.cli.values import offered
from meterctl.utility.rules.typed_text import word
from meterctl.utility.services import findings
from meterctl.utility.store.findings import FindingRule
from protocols.command_line import Context, Option, Program

_finding = Program("Findings: what a rule found about a meter, a sale or an agreement.")
_RULES = [rule.value for rule in FindingRule]
_COLUMNS = ("finding", "rule", "state", "meter", "agreement", "note", "first_seen_at")


def add_to(app: Program) -> None:
    """Add the commands of this file."""
    app.add_typer(_finding, name="finding")


@_finding.command("list")
def list_(
    context: Context,
    rule: Annotated[
        str | None,
        Option(
            "--rule",
            metavar="RULE",
            help=f"Only those of a rule: {', '.join(_RULES)}.",
            autocompletion=offered(*_RULES),
        ),
    ] = None,
    every: Annotated[bool, Option("--all", help="Those too that are not open any more.")] = False,
    limit: LimitOption = ROWS,
) -> None:
    """List the open findings at your nodes, the newest first."""
    given = desk_options(context)
    wanted = None if rule is None else word(FindingRule, rule, "rule")
    with signed_in(given) as desk, desk.reading() as session:
        found = findings.list_(
            session, desk.actor, node=given.node, rule=wanted, ended=every, limit=limit
        )
        print_records(given, [desk.record(row) for row in found], _COLUMNS)
