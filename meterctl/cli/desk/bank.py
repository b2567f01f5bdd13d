"""desk bank set|list|in|out|files|lines|match|send-back|reconcile."""

from __future__ import annotations

from contextlib import closing
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

from meterctl.cli.desk.desk_money import money_record, print_money, shown
from meterctl.cli.desk.desk_options import desk_options
from meterctl.cli.desk.desk_output import print_done, print_records
from meterctl.cli.desk.sell import AgreementArgument
from meterctl.cli.desk.shared_options import ROWS, LimitOption, ReasonOption
from meterctl.cli.desk.signed_in import SignedIn, signed_in
from meterctl.cli.output import say
from meterctl.cli.values import offered
from meterctl.errors import UsageError
from meterctl.named_files import read_named_bytes
from meterctl.utility.errors import Invalid
from meterctl.utility.model.banking import BankLineState
from meterctl.utility.rules import typed_text
from meterctl.utility.rules.bank_description import COMES_IN, BankFileKind
from meterctl.utility.services import (
    bank_debits,
    bank_files,
    bank_lines,
    bank_lists,
    bank_reconciliation,
    banks,
)
from meterctl.written_files import Making, WholeFile, require_place
from protocols.command_line import Argument, Context, Option, Program
from protocols.errors import QuantityError
from protocols.named_files import decode_text
from protocols.replacements import printable

_bank = Program("Files of banks: money that they took, their statements, debits that they make.")
DEBITS = Making("file of debits", b"reference")
UNBOOKED = "nothing was booked"
_KINDS = [kind.value for kind in COMES_IN]
BankArgument = Annotated[str, Argument(metavar="BANK", help="Name of the bank: `bank list`.")]
BankOption = Annotated[
    str | None, Option("--bank", metavar="BANK", help="Of this bank.", show_default="all")
]
LineArgument = Annotated[
    str, Argument(metavar="LINE", help="Number of the line, such as L7: `bank lines`.")
]
KindOption = Annotated[
    str | None,
    Option(
        "--kind",
        metavar="KIND",
        help="What the file is: collected, statement or returns.",
        show_default="the only one that the bank sends",
        autocompletion=offered(*_KINDS),
    ),
]
_SIDES = (
    ("ours_only", "the books alone have"),
    ("banks_only", "the bank alone has"),
    ("differing", "both have otherwise"),
)
"""Fields of a reconciliation, and what their items are."""


def add_to(app: Program) -> None:
    """Add the commands of this file."""
    app.add_typer(_bank, name="bank")


@_bank.command("set")
def set_(
    context: Context,
    file: Annotated[
        Path, Argument(metavar="FILE.toml", help="The bank's name and what its files look like.")
    ],
) -> None:
    """Add a bank, or replace what is known of its files."""
    try:
        text = decode_text(read_named_bytes(file))
    except (UsageError, QuantityError) as error:
        raise UsageError(f"{file}: {error}. Nothing was changed") from error
    with signed_in(desk_options(context)) as desk:
        try:
            desk.do(
                "bank set",
                {"description": text},
                lambda work: banks.set_bank(work, description=text),
                lambda told: f"bank {told['bank']} sends {', '.join(told['kinds'])}",
            )
        except Invalid as error:
            raise Invalid(error.code, f"{file}: {error}") from error


@_bank.command("list")
def list_(context: Context) -> None:
    """List the banks; tills are banked at the first one, and it pays out."""
    given = desk_options(context)
    with signed_in(given) as desk, desk.reading() as session:
        found = [desk.record(row) for row in banks.list_(session, desk.actor)]
        print_records(given, found, ("bank", "title", "kinds", "is_first"))


@_bank.command("in")
def in_(
    context: Context,
    bank: BankArgument,
    file: Annotated[Path, Argument(metavar="FILE", help="A file of the bank.")],
    kind: KindOption = None,
) -> None:
    """Book a file of a bank, whole or not at all; the same file again changes nothing.

    Lines that are known already are skipped. One that is known with another amount is named and not
    booked.
    """
    given = desk_options(context)
    wanted = None if kind is None else typed_text.word(BankFileKind, kind, "kind")
    try:
        content = read_named_bytes(file)
    except UsageError as error:
        raise UsageError(f"{file}: {error}; {UNBOOKED}") from error
    digest, named = sha256(content).hexdigest(), printable(file.name)
    with signed_in(given) as desk:
        try:
            answer = desk.ask(
                "bank in",
                {"bank": bank, "sha256": digest, "kind": None if wanted is None else wanted.value},
                lambda work: bank_files.load(
                    work, bank=bank, content=content, name=named, kind=wanted
                ),
                money=True,
            )
        except Invalid as error:
            raise Invalid(error.code, f"{file}: {error}") from error
        told = {**answer.values, "replayed": answer.replayed}
        _tell_differences(told)
        _print_message(desk, told, _loaded(told))


@_bank.command("out")
def out(
    context: Context,
    bank: BankArgument,
    due: Annotated[
        str, Option("--due", metavar="DATE", help="Bills due by this date, as 2026-12-31.")
    ],
    file: Annotated[
        Path | None,
        Option(
            "--file",
            metavar="FILE",
            help="Where the file for the bank is written.",
            show_default="BANK-debits-DATE.csv",
        ),
    ] = None,
) -> None:
    """Write the file in which a bank is asked for due bills of customers with a mandate.

    A bill is asked for once until the bank answers; one that bounced after three days again, twice.
    """
    given = desk_options(context)
    wanted = typed_text.day(due, "--due")
    path = file or Path(f"{bank}-debits-{wanted.isoformat()}.csv")
    own = given.common.own_files
    if given.dry_run:
        require_place(path, DEBITS, own)
        with signed_in(given) as desk:
            _print_sent(desk, _send(desk, bank, wanted), path)
        return
    with closing(WholeFile(path, DEBITS, own)) as place, signed_in(given) as desk:
        told = _send(desk, bank, wanted)
        with desk.reading() as session:
            content = bank_debits.content_of(session, desk.actor, told["file"])
        try:
            place.write(content)
        except UsageError as error:
            raise UsageError(
                f"{error}: {told['file']} is sent by the books, `desk bank write {told['file']}` "
                "writes it again"
            ) from error
        _print_sent(desk, told, path)


@_bank.command("write")
def write(
    context: Context,
    number: Annotated[str, Argument(metavar="FILE", help="Number of the file, such as F3.")],
    file: Annotated[Path, Option("--file", metavar="FILE", help="Where it is written.")],
) -> None:
    """Write a file of a bank again, as it came or went."""
    given = desk_options(context)
    with (
        closing(WholeFile(file, DEBITS, given.common.own_files)) as place,
        signed_in(given) as desk,
        desk.reading() as session,
    ):
        place.write(bank_debits.content_of(session, desk.actor, number))
    say(f"{number}: written to {printable(str(file))}")


@_bank.command("files")
def files(context: Context, bank: BankOption = None, limit: LimitOption = ROWS) -> None:
    """List the files that came from banks and went to them, the newest first."""
    given = desk_options(context)
    with signed_in(given) as desk, desk.reading() as session:
        found = bank_lists.files(session, desk.actor, bank=bank, limit=limit)
        columns = ("file", "bank", "kind", "name", "lines", "amount", "for_on", "staff")
        rows = [money_record(row, desk.database.zone) for row in found]
        print_records(given, rows, columns, ("lines", "amount"))


@_bank.command("lines")
def lines(
    context: Context,
    bank: BankOption = None,
    state: Annotated[
        str | None,
        Option(
            "--state",
            metavar="STATE",
            help="In this state, such as suspense.",
            show_default="all",
            autocompletion=offered(*(state.value for state in BankLineState)),
        ),
    ] = None,
    on: Annotated[
        str | None, Option("--on", metavar="DATE", help="Of this date.", show_default="all")
    ] = None,
    limit: LimitOption = ROWS,
) -> None:
    """List the lines of files, the newest first; those in suspense the oldest first."""
    given = desk_options(context)
    in_state = None if state is None else typed_text.word(BankLineState, state, "state")
    of_date = None if on is None else typed_text.day(on, "--on")
    with signed_in(given) as desk, desk.reading() as session:
        found = bank_lists.lines(
            session, desk.actor, desk.today, bank=bank, state=in_state, on=of_date, limit=limit
        )
        columns = (
            "line", "kind", "reference", "party", "amount", "paid_on", "state", "agreement",
            "cause",
        )  # fmt: skip
        rows = [money_record(row, desk.database.zone) for row in found]
        print_records(given, rows, columns, ("amount",))


@_bank.command("match")
def match(context: Context, line: LineArgument, agreement: AgreementArgument) -> None:
    """Give a line in suspense to its owner: it pays the bills, the rest stands in advance."""
    given = desk_options(context)
    with signed_in(given) as desk:
        answer = desk.ask(
            "bank match",
            {"line": line, "agreement": agreement},
            lambda work: bank_lines.match(work, line=line, to=agreement),
            money=True,
        )
        told = answer.values
        message = (
            f"{told['line']} is {told['payment']} of {told['agreement']}: {shown(told['advance'])} "
            f"in advance, {shown(told['open'])} open"
        )
        print_money(given, desk.database.zone, told, message)


@_bank.command("send-back")
def send_back(context: Context, line: LineArgument, reason: ReasonOption = "") -> None:
    """Send money in suspense back to who paid it; more than 500.00 by two persons."""
    given = desk_options(context)
    with signed_in(given) as desk:
        answer = desk.ask(
            "bank send-back",
            {"line": line, "reason": reason},
            lambda work: bank_lines.send_back(work, line=line, reason=reason),
            money=True,
        )
        told = answer.values
        if "task" in told:
            message = f"{told['task']}: another person approves it first"
        else:
            message = (
                f"{told['line']}: tell {told['bank']} to pay {shown(told['amount'])} of "
                f"{told['reference']} back, with the remark {told['line']}"
            )
        print_money(given, desk.database.zone, told, message)


@_bank.command("reconcile")
def reconcile(
    context: Context,
    bank: BankArgument,
    on: Annotated[str, Option("--on", metavar="DATE", help="The date, as 2026-11-30.")],
) -> None:
    """Compare a date with a bank's statement; what one side alone has becomes a task."""
    given = desk_options(context)
    wanted = typed_text.day(on, "--on")
    with signed_in(given) as desk:
        answer = desk.ask(
            "bank reconcile",
            {"bank": bank, "on": wanted.isoformat()},
            lambda work: bank_reconciliation.reconcile(work, bank=bank, on=wanted),
        )
        told, zone = answer.values, desk.database.zone
        if not given.json:
            rows = [
                money_record({"side": words, **item}, zone)
                for name, words in _SIDES
                for item in told[name]
            ]
            columns = ("side", "reference", "on", "ours", "banks", "what")
            print_records(given, rows, columns, ("ours", "banks"), "no item is on one side alone")
        _print_message(desk, told, _compared(told))


def _send(desk: SignedIn, bank: str, due: date) -> dict[str, Any]:
    """Have the file of debits made, and return what was told of it."""
    answer = desk.ask(
        "bank out",
        {"bank": bank, "due": due.isoformat()},
        lambda work: bank_debits.send(work, bank=bank, due=due),
        money=True,
    )
    return {**answer.values, "replayed": answer.replayed}


def _print_sent(desk: SignedIn, told: dict[str, Any], path: Path) -> None:
    message = (
        f"{told['file']}: {told['lines']} bills, {shown(told['amount'])}, written to "
        f"{printable(str(path))}"
    )
    if told["again"]:
        message += f"; {told['again']} of them again"
    _print_message(desk, told, message)


def _print_message(desk: SignedIn, told: dict[str, Any], message: str) -> None:
    """Print the end of a command: its message, and with --json all that was told."""
    record = money_record(told, desk.database.zone) if desk.given.json else {}
    print_done(desk.given, record, message)


def _tell_differences(told: dict[str, Any]) -> None:
    """Name each line that is known otherwise."""
    for each in told["differences"]:
        say(
            f"line {each['line']}: {each['reference']} has {shown(each['amount'])}: {each['why']}; "
            "not booked"
        )


def _loaded(told: dict[str, Any]) -> str:
    """Return what became of a file, in words."""
    parts = [f"{told['booked']} booked, {shown(told['booked_amount'])}"]
    if told["suspense"]:
        parts.append(f"{told['suspense']} in suspense, {shown(told['suspense_amount'])}")
    if told["bounced"]:
        parts.append(f"{told['bounced']} bounced")
    if told["known"]:
        parts.append(f"{told['known']} known already")
    if told["differences"]:
        parts.append(f"{len(told['differences'])} known otherwise ({told.get('task', 'a task')})")
    before = ""
    if told["loaded_before"] or told["replayed"]:
        before = " (this content was loaded before, nothing was changed now)"
    return f"{told['file']} {told['name']}: {told['lines']} lines: {'; '.join(parts)}{before}"


def _compared(told: dict[str, Any]) -> str:
    """Return what a reconciliation found, in words."""
    counts = ", ".join(f"{words} {len(told[name])}" for name, words in _SIDES)
    return (
        f"{told['bank']} on {told['on']}: both have {len(told['both'])}, {counts}; the bank's "
        f"balance is {shown(told['bank_balance'])}, in transit are {shown(told['in_transit'])}, in "
        f"suspense {shown(told['in_suspense'])}{_new_tasks(told['tasks'])}"
    )


def _new_tasks(tasks: list[str]) -> str:
    return f"; new tasks: {', '.join(tasks)}" if tasks else ""
