"""desk agreement draft|print|sign|provision|withdraw|show|list|compare|write-terms."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from meterctl.cli.desk.desk_money import money_record, print_money
from meterctl.cli.desk.desk_options import desk_options
from meterctl.cli.desk.desk_output import print_done, print_record, print_records
from meterctl.cli.desk.orders_seen_through import COMMAND_EXIT_CODES, see_through
from meterctl.cli.desk.paper_file import page_file, read_paper
from meterctl.cli.desk.shared_options import ROWS, HtmlOption, LimitOption, ReasonOption
from meterctl.cli.desk.signed_in import SignedIn, signed_in
from meterctl.cli.desk.terms_file import read_terms_file
from meterctl.cli.output import emit_utf8
from meterctl.cli.values import offered
from meterctl.errors import UsageError
from meterctl.utility.model.agreement import AgreementMode
from meterctl.utility.rules.terms import default_terms, json_of_terms
from meterctl.utility.rules.transitions import AgreementState, CommandState, VersionState
from meterctl.utility.rules.typed_text import day, word
from meterctl.utility.services import agreement_lists, agreements, comparison, documents
from meterctl.utility.services.printed_agreement.page import MARK
from meterctl.utility.services.printed_agreement.printing import Language, print_agreement
from meterctl.utility.store.ledger import Ledger
from meterctl.written_files import Making
from protocols.command_line import Argument, Context, Exit, Option, Program
from protocols.replacements import printable

_agreement = Program("Agreements with customers, each with its versions of terms.")
_MODES = [mode.value for mode in AgreementMode]
_LANGUAGES = [language.value for language in Language]
PAGE = Making("agreement page", MARK.encode())
_STATES = [state.value for state in AgreementState]
AgreementArgument = Annotated[
    str, Argument(metavar="AGREEMENT", help="Number of the agreement, such as 1001-2026-000001.")
]
EXIT_CODES = {VersionState.ACTIVE: 0, VersionState.PROVISIONING: 4, VersionState.DRAFT: 3}
"""Exit code of `provision` by the state in which the version is at its end."""


def add_to(app: Program) -> None:
    """Add the commands of this file."""
    app.add_typer(_agreement, name="agreement")


@_agreement.command("draft")
def draft(
    context: Context,
    customer: Annotated[
        str, Option("--customer", metavar="NUMBER", help="Number of the customer.")
    ],
    point: Annotated[
        str, Option("--point", metavar="NUMBER", help="Number of the supply point (户号).")
    ],
    mode: Annotated[
        str,
        Option(
            "--mode",
            metavar="|".join(_MODES),
            help="Where the credit is kept: in the meter, at the desk, or nowhere (bills).",
            autocompletion=offered(*_MODES),
        ),
    ] = AgreementMode.METER.value,
    terms: Annotated[
        Path | None,
        Option(
            "--terms",
            metavar="FILE.toml",
            help="Its terms, such as examples/terms/household.toml; to sign it, at least "
            "way_of_buying and low_credit_threshold_1.",
            show_default="those of the mode",
        ),
    ] = None,
    effective_on: Annotated[
        str | None,
        Option("--on", metavar="DATE", help="From when it holds.", show_default="today"),
    ] = None,
) -> None:
    """Draft an agreement, or the next version of the one that the customer has at the point."""
    given = desk_options(context)
    of_mode = word(AgreementMode, mode, "mode")
    in_meter = of_mode is AgreementMode.METER
    agreed = (
        json_of_terms(default_terms(in_meter=in_meter))
        if terms is None
        else read_terms_file(terms, in_meter=in_meter)
    )
    on = None if effective_on is None else day(effective_on, "date")
    with signed_in(given) as desk:
        desk.do(
            "agreement draft",
            {
                "customer": customer, "point": point, "mode": of_mode, "terms": agreed,
                "effective_on": None if on is None else on.isoformat(),
            },
            lambda work: agreements.draft(
                work, customer=customer, point=point, mode=of_mode, terms=agreed, effective_on=on
            ),
            lambda told: f"{told['agreement']}: version {told['version']['n']} is a draft",
        )  # fmt: skip


@_agreement.command("print")
def print_(
    context: Context,
    agreement: AgreementArgument,
    version: Annotated[
        int | None,
        Option(
            "--of-version",
            metavar="N",
            min=1,
            help="Number of the version.",
            show_default="the one that is not in force yet, else the one in force",
        ),
    ] = None,
    language: Annotated[
        str,
        Option(
            "--language",
            metavar="|".join(_LANGUAGES),
            help="Its language.",
            autocompletion=offered(*_LANGUAGES),
        ),
    ] = Language.CHINESE.value,
    html: HtmlOption = None,
) -> None:
    """Print the agreement with its user notice (须知) for a browser: one sheet of A4.

    Without --html the page is on stdout. A draft is signed as it was printed last. The page is
    kept as a document; a version that is signed is printed as it was then.
    """
    given, of_language = desk_options(context), word(Language, language, "language")
    with page_file(given, html, PAGE) as file, signed_in(given) as desk:
        answer = desk.ask(
            "agreement print",
            {"agreement": agreement, "version": version, "language": of_language},
            lambda work: print_agreement(
                work, agreement=agreement, version=version, language=of_language
            ),
        )
        told = {**answer.values, "replayed": answer.replayed}
        message = f"{told['agreement']}: version {told['version']}, SHA-256 {told['sha256']}"
        if not given.dry_run:
            with desk.reading() as session:
                content = documents.content_of(session, desk.actor, told["document"])
            if file is not None:
                file.write(content)
                message = f"{message}, is written to {printable(str(html))}"
            elif not given.json:
                emit_utf8(content.decode())
        record = desk.record(told) if given.json else {}
    print_done(given, record, message)


@_agreement.command("sign")
def sign(
    context: Context,
    agreement: AgreementArgument,
    name: Annotated[str, Option("--name", metavar="NAME", help="Of the customer, as signed.")],
    copy: Annotated[
        Path | None,
        Option("--copy", metavar="FILE", help="The signed paper, scanned; it is kept with it."),
    ] = None,
) -> None:
    """Write down that the customer has signed the draft as it was printed."""
    paper = None if copy is None else read_paper(copy)
    asked = {"agreement": agreement, "name": name}
    asked |= {} if paper is None else {"copy": paper.sha256, "file": paper.kept_name}
    with signed_in(desk_options(context)) as desk:
        desk.do(
            "agreement sign",
            asked,
            lambda work: agreements.sign(work, agreement=agreement, name=name, copy=paper),
            lambda told: (
                f"{agreement}: version {told['version']['n']} is signed, SHA-256 "
                f"{told['version']['print_sha256']}"
            ),
        )


@_agreement.command("withdraw")
def withdraw(context: Context, agreement: AgreementArgument, reason: ReasonOption = "") -> None:
    """Withdraw a version that is a draft or signed."""
    with signed_in(desk_options(context)) as desk:
        desk.do(
            "agreement withdraw",
            {"agreement": agreement, "reason": reason},
            lambda work: agreements.withdraw(work, agreement=agreement, reason=reason),
            lambda told: f"{agreement}: version {told['version']['n']} is withdrawn",
        )


@_agreement.command("provision")
def provision(
    context: Context,
    agreement: AgreementArgument,
    opened: Annotated[
        bool,
        Option("--open", help="Open the meter's account with 0.00; else the first sale opens it."),
    ] = False,
) -> None:
    """Bring the signed version to its meter, and read it back; then it is in force."""
    given = desk_options(context)
    with signed_in(given) as desk:
        answer = desk.ask(
            "agreement provision",
            {"agreement": agreement, "opened": opened},
            lambda work: agreements.provision(work, agreement=agreement, opened=opened),
        )
        see_through(desk, answer.values["orders"])
        told = {**answer.values, "replayed": answer.replayed}
        if not given.dry_run:
            told |= _now(desk, agreement)
        version = told["version"]
        why = f" ({version['cause']})" if version["cause"] else ""
        code = 0 if given.dry_run else EXIT_CODES[VersionState(version["state"])]
        print_money(
            given,
            desk.database.zone,
            {**told, "version": version["n"], "version_state": version["state"]},
            f"{agreement}: version {version['n']} is {version['state']}{why}",
            exit_code=code,
        )
    if code:
        raise Exit(code)


@_agreement.command("show")
def show(context: Context, agreement: AgreementArgument) -> None:
    """Show an agreement with its versions, its balances and its open bills."""
    given = desk_options(context)
    with signed_in(given) as desk, desk.reading() as session:
        ledger = Ledger(session, desk.now, desk.today, desk.actor.staff_id)
        told = agreement_lists.show(session, desk.actor, ledger, agreement)
        if given.json:
            print_record(given, money_record(told, desk.database.zone))
            return
        parts = {name: told.pop(name) for name in ("open_bills", "debts_in_meter", "versions")}
        print_record(given, money_record(told, desk.database.zone))
        _print_parts(desk, parts)


@_agreement.command("list")
def list_(
    context: Context,
    state: Annotated[
        str | None,
        Option(
            "--state",
            metavar="STATE",
            help=f"Only those in this state: {', '.join(_STATES)}.",
            autocompletion=offered(*_STATES),
        ),
    ] = None,
    mode: Annotated[
        str | None,
        Option("--mode", metavar="MODE", help=f"Only those of a mode: {', '.join(_MODES)}."),
    ] = None,
    limit: LimitOption = ROWS,
) -> None:
    """List the agreements at your nodes, by number."""
    given = desk_options(context)
    wanted = None if state is None else word(AgreementState, state, "state")
    of_mode = None if mode is None else word(AgreementMode, mode, "mode")
    columns = (
        "agreement", "party", "name", "point", "meter", "mode", "state", "version",
        "version_state", "cause",
    )  # fmt: skip
    with signed_in(given) as desk, desk.reading() as session:
        found = agreement_lists.list_(session, desk.actor, given.node, wanted, of_mode, limit)
        print_records(given, [desk.record(row) for row in found], columns, ("version",))


@_agreement.command("compare")
def compare(
    context: Context,
    agreement: Annotated[
        str | None,
        Argument(metavar="AGREEMENT", help="Number of the agreement.", show_default="with --all"),
    ] = None,
    every: Annotated[
        bool,
        Option(
            "--all",
            help="Order it for every agreement in force at your nodes; what differs is in "
            "`desk finding list` when the worker has read the meters.",
        ),
    ] = False,
) -> None:
    """Read the settings of the meter, and show them beside the terms in force."""
    given = desk_options(context)
    if every is (agreement is not None):
        raise UsageError("name one agreement, or give --all; nothing was changed")
    with signed_in(given) as desk:
        if agreement is None:
            desk.do(
                "agreement compare --all",
                {"node": given.node},
                lambda work: comparison.compare_all(work, node=given.node),
                lambda told: f"{told['ordered']} comparisons are ordered",
            )
            return
        answer = desk.ask(
            "agreement compare",
            {"agreement": agreement},
            lambda work: agreements.compare(work, agreement=agreement),
        )
        if given.dry_run:
            return
        order = answer.values["order"]
        see_through(desk, [order])
        with desk.reading() as session:
            told = agreement_lists.compared(session, desk.actor, int(order[1:]))
        if given.json:
            print_record(given, desk.record(told))
        else:
            columns = ("term", "agreed", "meter", "differs")
            print_records(given, [desk.record(row) for row in told["terms"]], columns)
    if told["differences"]:
        raise Exit(3)


@_agreement.command("write-terms")
def write_terms(context: Context, agreement: AgreementArgument) -> None:
    """Set the meter to the terms in force again, and read them back."""
    given = desk_options(context)
    with signed_in(given) as desk:
        answer = desk.ask(
            "agreement write-terms",
            {"agreement": agreement},
            lambda work: comparison.write_terms(work, agreement=agreement),
        )
        told, code = {**answer.values, "replayed": answer.replayed}, 0
        message = f"meter {told['meter']} is set to version {told['version']}"
        if not given.dry_run:
            see_through(desk, [told["order"]])
            with desk.reading() as session:
                told |= comparison.written(session, told["order"])
            code = COMMAND_EXIT_CODES[CommandState(told["order_state"])]
            why = f" ({told['cause']})" if told["cause"] else ""
            state = told["order_state"]
            message = f"{message}: {told['order']} is {state}{why}"
        record = desk.record(told) if given.json else {}
        print_done(given, record, message, exit_code=code)
    if code:
        raise Exit(code)


def _now(desk: SignedIn, agreement: str) -> dict[str, Any]:
    """Return how an agreement stands after its orders."""
    with desk.reading() as session:
        return agreements.standing(session, agreement)


def _print_parts(desk: SignedIn, parts: dict[str, list[dict[str, Any]]]) -> None:
    """Print the lists of an agreement as tables, those that are not empty."""
    columns = {
        "open_bills": ("bill", "kind", "month", "due_on", "amount", "receivable"),
        "debts_in_meter": ("bill", "kind", "month", "due_on", "amount", "meter_debt"),
        "versions": ("n", "state", "effective_on", "signed_by", "signed_at", "cause"),
    }
    for name, rows in parts.items():
        if rows:
            records = [money_record(row, desk.database.zone) for row in rows]
            right = ("amount", "receivable", "meter_debt", "n")
            print_records(desk.given, records, columns[name], right)
