"""journal list|show|resolve|renew|audit."""

from __future__ import annotations

import json
import time
from typing import Annotated

from meterctl.cli.arguments import SELL, PayeeOption, SetBackOption, serial_number
from meterctl.cli.forms import CsvExcelOption, CsvOption, TableForm, table_form
from meterctl.cli.interruption import carrying_out
from meterctl.cli.lists import (
    AllOption,
    Columns,
    Extent,
    LimitOption,
    Listing,
    SinceOption,
    print_list,
    since_s,
)
from meterctl.cli.options import Options, options
from meterctl.cli.output import (
    OutputError,
    emit,
    exact_fragments,
    print_json,
    print_result,
    print_rows,
    receipt_fragments,
    result_fragments,
    say,
    table_of,
    table_of_fields,
)
from meterctl.cli.values import offered
from meterctl.errors import BusyError, UnknownOutcomeError, UsageError
from meterctl.journal import AuditFilter, AuditLine, Entry, EntryFilter, EntryState, Journal
from meterctl.operations.resolution import close_by_hand, living_text, to_settle
from meterctl.operations.resolution import resolve as settle_open
from meterctl.session import Session
from protocols.command_line import Argument, Context, Exit, Option, Program
from protocols.command_line.tables import Screen, stacked
from protocols.data_model import items
from protocols.quantities import CENT, format_moment, format_money
from protocols.sealed_message import Receipt
from protocols.suggestions import did_you_mean

_journal = Program(
    "The journal of this host: every sealed message about an account, and what became of it."
)
_COLUMNS = (
    "id",
    "meter",
    "epoch",
    "sequence",
    "kind",
    "amount",
    "state",
    "outcome",
    "created",
    "changed",
    "card",
)
_NUMBERS = ("id", "sequence", "amount")
_CSV = ("id", "serial_number", *_COLUMNS[2:])
_AUDIT = ("id", "at", "what", "meter", "card", "amount", "detail")
ListedMeterOption = Annotated[
    str | None,
    Option("--meter", metavar="SERIAL", help="Only rows of the meter of this serial number."),
]


def add_to(app: Program) -> None:
    """Add the commands of this file."""
    app.add_typer(_journal, name="journal", rich_help_panel=SELL)


@_journal.command("list")
def list_(
    context: Context,
    open_only: Annotated[
        bool, Option("--open", help="Only entries that are not settled yet.")
    ] = False,
    meter: ListedMeterOption = None,
    state: Annotated[
        str | None,
        Option(
            "--state",
            metavar="STATE",
            help=f"Only entries in this state: {', '.join(s.value for s in EntryState)}.",
            autocompletion=offered(*(s.value for s in EntryState)),
        ),
    ] = None,
    since: SinceOption = None,
    limit: LimitOption = None,
    every: AllOption = False,
    as_csv: CsvOption = False,
    for_excel: CsvExcelOption = False,
) -> None:
    """List the newest sales and their outcomes, the newest last."""
    given = options(context)
    extent = Extent(limit, every, table_form(given.json, as_csv, for_excel))
    instant = since_s(since, int(time.time()))
    wanted = EntryFilter(serial_number(meter), _state(state), open_only, instant)
    with given.open_journal(reading=True) as journal:
        listing = Listing.of(journal.entry_list, wanted, entry_fragments)
        print_list(extent, listing, Columns(_COLUMNS, _NUMBERS, _CSV))


def _state(text: str | None) -> EntryState | None:
    """Return the state of --state, None without it; raises UsageError."""
    words = {state.value: state for state in EntryState}
    if text is not None and text.lower() not in words:
        raise UsageError(f"--state {text}: allowed are {', '.join(words)}")
    return None if text is None else words[text.lower()]


@_journal.command("show")
def show(
    context: Context,
    number: Annotated[
        int, Argument(metavar="ID", help="Number of the entry, as `journal list` shows it.")
    ],
    as_csv: CsvOption = False,
    for_excel: CsvExcelOption = False,
) -> None:
    """Show all of one entry: its message, its receipt, its voids, its audit lines."""
    given = options(context)
    form = table_form(given.json, as_csv, for_excel)
    with given.open_journal(reading=True) as journal:
        entry = journal.entry(number)
        fragments = _whole(journal, entry)
    table = table_of_fields(fragments)
    if form is TableForm.PEOPLE:
        emit(stacked(table, Screen.of_stdout()))
    else:
        print_rows([fragments], form, table)


@_journal.command("renew")
def renew(context: Context) -> None:
    """Give a copied or restored journal a new number; entries keep their old one."""
    given = options(context)
    with given.open_journal(exists=True) as journal:
        old = journal.numbers.current
        if not given.confirm(
            f"journal {given.journal_path}: draw a new number in place of {old:08x}"
        ):
            return
        number = journal.numbers.renew(int(time.time()))
        journal.audit("renewed", int(time.time()), detail=f"number {old:08x} became {number:08x}")
    fragments = {"old": f'"{old:08x}"', "number": f'"{number:08x}"'}
    print_result(fragments, given.json, "journal", outcome=None)


@_journal.command("resolve")
def resolve(
    context: Context,
    number: Annotated[
        int | None, Argument(metavar="ID", help="Number of one entry; without it all open ones.")
    ] = None,
    by_hand: Annotated[
        str | None,
        Option(
            "--as",
            metavar="confirmed|refused",
            help="Close one entry by your word, without a proof of the meter.",
            autocompletion=offered("confirmed", "refused"),
        ),
    ] = None,
    meter: PayeeOption = None,
    set_back: SetBackOption = False,
) -> None:
    """Settle the open entries of the meter on the port: ask it, send again, or void them."""
    given = options(context)
    if by_hand is not None:
        _close_by_hand(given, number, by_hand, meter, set_back)
        return
    with (
        given.open_journal(exists=True) as journal,
        given.session(seals=True, payee=meter, set_back=set_back) as session,
    ):
        whom = None if number is None else journal.entry(number).meter
        if given.dry_run:
            hint, entries = to_settle(session, journal, number)
            numbers = ", ".join(str(entry.id) for entry in entries) or "none"
            planned = f"settle the open entries of meter {hint.serial_number}: {numbers}"
            given.rehearses(planned, hint.serial_number)
            return
        with carrying_out("journal resolve", journal, meter=whom, begun=True):
            results = settle_open(session, journal, number)
    if not results:
        say("no entry is open")
    worst = max((r.error.exit_code for r in results if r.error is not None), default=0)
    for result in results:
        if result.error is not None:
            say(f"meterctl: {result.error}")
    _end(
        given,
        [result.entry for result in results],
        worst,
        "; ".join(str(r.error) for r in results if r.error),
    )
    raise Exit(worst)


def _close_by_hand(
    given: Options, number: int | None, word: str, meter: str | None, set_back: bool
) -> None:
    states = {state.value: state for state in (EntryState.CONFIRMED, EntryState.REFUSED)}
    if number is not None and word not in states:
        meant = did_you_mean(word, states, f"allowed is {' or '.join(states)}")
        raise UsageError(f"--as {word}: {meant}", entry=number)
    if number is None:
        raise UsageError(
            "--as closes one entry: write journal resolve ID --as confirmed, or --as refused"
        )
    with given.open_journal(exists=True) as journal:
        entry = journal.entry(number)
        if not entry.is_open:
            raise UsageError(
                f"journal entry {number} is {entry.state.value} already; nothing was changed",
                serial_number=entry.meter,
                entry=number,
            )
        if given.port is not None and not given.dry_run:
            with given.session(seals=True, payee=meter, set_back=set_back) as session:
                proved = _proved(session, journal, entry)
            if proved is not None:
                same = proved.state is states[word]
                text = (
                    f"journal entry {number} is proved {proved.state.value} "
                    f"({proved.outcome}): it was not closed by hand"
                )
                say(f"meterctl: {text}")
                _end(given, [proved], 0 if same else 3, text)
                raise Exit(0 if same else 3)
        question = (
            f"close entry {number} ({entry.kind}, meter {entry.meter}) as {word} without proof"
        )
        if not given.confirm(f"{question}; {living_text(entry)}", entry.meter):
            return
        closed = close_by_hand(journal, entry, states[word], int(time.time()))
        say(f"journal entry {number}: {living_text(entry)}")
        _end(given, [closed], 0, f"closed without proof; {living_text(entry)}")


def _proved(session: Session, journal: Journal, entry: Entry) -> Entry | None:
    """Try to settle an entry by proof first; return it if it was proved, else None.

    Raises:
        MeterctlError: no attempt was made: another meter is on the port, or another process works
            on the entry.
    """
    try:
        results = settle_open(session, journal, entry.id)
    except UnknownOutcomeError as error:  # no answer on the port
        say(f"meterctl: no proof before it is closed by your word: {error}")
        return None
    for result in results:
        if isinstance(result.error, BusyError):
            raise result.error
        if result.error is not None and result.entry.is_open:
            say(f"meterctl: no proof before it is closed by your word: {result.error}")
    after = journal.entry(entry.id)
    return None if after.is_open else after


def _end(given: Options, entries: list[Entry], exit_code: int, message: str) -> None:
    """Show entries; with --json the last object has the result. Raises no OutputError."""
    last = entries[-1] if entries else None
    result = result_fragments(
        exit_code,
        outcome=last.outcome or None if last else None,
        serial_number=last.meter if last else None,
        entry=last.id if last else None,
        message=message,
    )
    try:
        if given.json:
            _print(entries[:-1], TableForm.JSON)
            print_json({**(entry_fragments(last) if last else {}), **result})
        else:
            _print(entries, TableForm.PEOPLE)
    except OutputError as error:
        numbers = ", ".join(str(entry.id) for entry in entries)
        say(f"meterctl: it was done, and cannot be printed: {error}; journal entries {numbers}")


@_journal.command("audit")
def audit(
    context: Context,
    meter: ListedMeterOption = None,
    since: SinceOption = None,
    limit: LimitOption = None,
    every: AllOption = False,
    as_csv: CsvOption = False,
    for_excel: CsvExcelOption = False,
) -> None:
    """Show the audit log: cards, closings by hand, meters that were set back, daily limits passed.

    Other refusals are not in it. The newest is the last.
    """
    given = options(context)
    extent = Extent(limit, every, table_form(given.json, as_csv, for_excel))
    wanted = AuditFilter(serial_number(meter), since_s(since, int(time.time())))
    with given.open_journal(reading=True) as journal:
        listing = Listing.of(journal.audit_list, wanted, _audit_fragments)
        shown = Columns(
            _AUDIT, ("id", "amount"), ("id", "at", "what", "serial_number", *_AUDIT[4:])
        )
        print_list(extent, listing, shown, "nothing was audited")


def _audit_fragments(line: AuditLine) -> dict[str, str]:
    return {
        "id": str(line.id),
        "at": f'"{format_moment(line.at * 1000)}"',
        "what": f'"{line.what}"',
        "meter": json.dumps(line.meter or None),
        "serial_number": json.dumps(line.meter or None),
        "card": json.dumps(line.card or None),
        "amount": format_money(line.amount * CENT),
        "detail": json.dumps(line.detail),
    }


def entry_fragments(entry: Entry) -> dict[str, str]:
    """Return an entry as JSON values."""
    return {
        "id": str(entry.id),
        "meter": f'"{entry.meter}"',
        "serial_number": f'"{entry.meter}"',
        "epoch": items.EPOCH.kind.json(entry.epoch),
        "sequence": str(entry.sequence),
        "kind": f'"{entry.kind}"',
        "amount": format_money(entry.amount * CENT),
        "state": f'"{entry.state.value}"',
        "outcome": json.dumps(entry.outcome or None),
        "created": f'"{format_moment(entry.created * 1000)}"',
        "changed": f'"{format_moment(entry.changed * 1000)}"',
        "card": json.dumps(entry.card or None),
    }


def _whole(journal: Journal, entry: Entry) -> dict[str, str]:
    """Return all data of an entry, as JSON values."""
    message = entry.sealed
    fragments = {
        **entry_fragments(entry),
        "sale": json.dumps(entry.reference or None),
        "journal_number": f'"{entry.origin.journal:08x}"',
        "mark": f'"{entry.origin.mark:08x}"',
        "void_of": json.dumps(entry.void_of or None),
        "voids": json.dumps([sealed.id for sealed in journal.voids_of(entry)]),
        "code": f'"{entry.code.hex()}"',
        "message": f'"{entry.message.hex()}"',
    }
    if message is not None:
        fragments |= {
            "format_version": str(message.version),
            "key_version": str(message.key_version),
            "account_unit": items.ACCOUNT_UNIT.kind.json(message.account_unit),
            "customer_number": f'"{message.customer_number}"',
            "issued_at": f'"{format_moment(message.issued_at * 1000)}"',
        }
    if entry.receipt:
        receipt = Receipt.decode(entry.receipt)
        shown = receipt_fragments(receipt, 0) | exact_fragments(receipt)
        fragments |= {f"receipt_{name}": value for name, value in shown.items()}
        fragments["receipt"] = f'"{entry.receipt.hex()}"'
    prints = [format_moment(made.at * 1000) for made in journal.prints.of(entry.id)]
    fragments["prints"] = json.dumps(prints)
    lines = journal.audit_of(entry)
    fragments["audit"] = json.dumps(
        [f"{line.what}: {line.detail}" for line in lines], ensure_ascii=False
    )
    if entry.is_open:
        fragments["living"] = json.dumps(living_text(entry))
    return fragments


def _print(entries: list[Entry], form: TableForm) -> None:
    records = [entry_fragments(entry) for entry in entries]
    print_rows(records, form, table_of(records, _COLUMNS, _NUMBERS, absent=""))
