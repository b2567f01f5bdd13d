"""receipt."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from meterctl.cli.arguments import SELL, sale_key, serial_number
from meterctl.cli.options import Options, options
from meterctl.cli.output import (
    EXACT,
    OutputError,
    emit,
    exact_fragments,
    print_json,
    receipt_fragments,
    result_fragments,
    say,
    stdout_encoding,
)
from meterctl.cli.receipt_rows import slip_of
from meterctl.cli.receipt_words import LANGUAGES, Words, words_of
from meterctl.cli.values import offered
from meterctl.errors import UsageError
from meterctl.journal import Journal
from meterctl.operations.printed_receipt import (
    PrintedReceipt,
    entry_of_sale,
    newest_entry,
    print_receipt_of,
)
from meterctl.slips.slip import Slip
from meterctl.written_files import WholeFile, require_place
from protocols.command_line import Argument, Context, Option, Program, examples
from protocols.data_model import items
from protocols.data_model.kinds import MONEY, MONEY_EXACT, Optional
from protocols.data_model.words import account_unit_text
from protocols.quantities import MINUTE, SECOND, format_moment, format_money
from protocols.replacements import has, printable

ISSUER = "METERCTL_ISSUER"
MOST_ISSUER_LINES = 8
STDOUT = Path("-")
"""The FILE of --html that is no file."""
_EXAMPLES = examples(
    ("meterctl receipt --last", "Print the receipt of the newest sale of the journal."),
    ("meterctl receipt 12 | lp -d slips", "Print that of entry 12 on a slip printer."),
    ("meterctl receipt --sale R-1042 --language zh --html r.html", "Write a page in Chinese."),
    ("meterctl receipt 12 --dry-run", "Show a specimen, which is not counted."),
)


def add_to(app: Program) -> None:
    """Add the command of this file."""
    app.command("receipt", rich_help_panel=SELL, epilog=_EXAMPLES)(receipt)


def receipt(
    context: Context,
    number: Annotated[
        int | None,
        Argument(metavar="ENTRY", help="Number of the entry, as `journal list` shows it."),
    ] = None,
    last: Annotated[
        bool, Option("--last", help="That of the newest entry of the journal, or of --meter.")
    ] = False,
    sale: Annotated[
        str | None, Option("--sale", metavar="KEY", help="That of the sale with this key.")
    ] = None,
    meter: Annotated[
        str | None,
        Option("--meter", metavar="SERIAL", help="With --last: the newest entry of this meter."),
    ] = None,
    html: Annotated[
        Path | None,
        Option(
            "--html",
            metavar="FILE",
            help="Write a page for a browser, in place of the text; - is stdout.",
        ),
    ] = None,
    language: Annotated[
        str,
        Option(
            "--language",
            metavar="|".join(LANGUAGES),
            help="English or Chinese.",
            autocompletion=offered(*LANGUAGES),
        ),
    ] = "en",
    issuer: Annotated[
        list[str] | None,
        Option(
            "--issuer",
            metavar="TEXT",
            help=f"A line of the seller at the head; repeatable. Without it the lines of {ISSUER}.",
        ),
    ] = None,
    cashier: Annotated[
        str, Option("--cashier", metavar="TEXT", help="Name or number of the cashier.")
    ] = "",
) -> None:
    """Print the receipt of a sale that its meter has taken; 40 columns, for a slip printer.

    The journal counts the prints: the first is the original, each further one is marked as a
    reprint. No receipt is printed of a sale that is open or refused.
    """
    given = options(context)
    words, lines = _words(language, to_stdout=html is None and not given.json), _issuer(issuer)
    _require_one(number, last, sale, meter)
    if html == STDOUT and given.json:
        raise UsageError("--html - and --json both write on stdout: give --html FILE")
    with _page_file(given, html) as file:
        with given.open_journal(exists=True) as journal:
            chosen = number if number is not None else _chosen(journal, sale, meter)
            printed = print_receipt_of(journal, chosen, int(time.time()), specimen=given.dry_run)
        with telling_that_it_counts(printed):
            slip = slip_of(printed, words, lines, offset_minutes, cashier)
            if html is not None:
                _write_page(slip, html, file, printed, is_shown=not given.json)
            if given.json:
                print_json(_fragments(printed, lines, cashier.strip()))
            elif html is None:
                _print_text(slip)


@contextlib.contextmanager
def _page_file(given: Options, path: Path | None) -> Iterator[WholeFile | None]:
    """Find the place of a page before the print is counted; None for stdout and a dry run.

    Raises:
        UsageError: no page can be written there.
    """
    from meterctl.slips.page import PAGE

    if path is None or path == STDOUT:
        yield None
    elif given.dry_run:
        require_place(path, PAGE, given.own_files)
        yield None
    else:
        with contextlib.closing(WholeFile(path, PAGE, given.own_files)) as file:
            yield file


def _words(language: str, *, to_stdout: bool) -> Words:
    """Return the words of --language.

    Raises:
        UsageError: there is no such language, or stdout cannot show its characters.
    """
    if language not in LANGUAGES:
        raise UsageError(f"--language {language}: allowed is {' or '.join(LANGUAGES)}")
    words, encoding = words_of(language), stdout_encoding()
    if to_stdout and not has(encoding, "".join(words.texts())):
        raise UsageError(
            f"--language {language}: stdout is {encoding}, which lacks its characters: set "
            f"PYTHONIOENCODING to utf-8 or gb18030, or give --html FILE. No receipt was printed"
        )
    return words


def _issuer(given: list[str] | None) -> list[str]:
    """Return the lines of the seller: those of --issuer, else of the variable."""
    lines = given or os.environ.get(ISSUER, "").splitlines()
    if len(lines) > MOST_ISSUER_LINES:
        raise UsageError(f"--issuer: at most {MOST_ISSUER_LINES} lines are printed")
    return [line for line in lines if line.strip()]


def _require_one(number: int | None, last: bool, sale: str | None, meter: str | None) -> None:
    if (number is not None) + last + (sale is not None) != 1:
        raise UsageError("give one of ENTRY, --last and --sale KEY: which sale the receipt is of")
    if meter is not None and not last:
        raise UsageError("--meter belongs to --last: the newest entry of that meter")


def _chosen(journal: Journal, sale: str | None, meter: str | None) -> int:
    if sale is not None:
        return entry_of_sale(journal, sale_key(sale)).id
    return newest_entry(journal, serial_number(meter)).id


def offset_minutes(instant_s: int) -> int:
    """Return the offset of the host's local time at an instant, minutes."""
    try:
        return time.localtime(instant_s).tm_gmtoff // (MINUTE // SECOND)
    except (OverflowError, OSError, ValueError):
        return 0


@contextlib.contextmanager
def telling_that_it_counts(printed: PrintedReceipt) -> Iterator[None]:
    """Print a receipt that is counted; where that fails, say that the next one is a reprint.

    Raises:
        UsageError: stdout or the file cannot be written.
        KeyboardInterrupt: the user interrupted it.
    """
    entry = printed.entry
    counts = "" if printed.made is None else f"the next print is reprint {printed.made.number}"
    try:
        yield
    except (OutputError, UsageError) as error:
        parts = (f"the receipt of journal entry {entry.id} was not printed", str(error), counts)
        raise UsageError(
            "; ".join(part for part in parts if part), serial_number=entry.meter, entry=entry.id
        ) from error
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt("; ".join(filter(None, ("interrupted", counts)))) from error


def _write_page(
    slip: Slip, path: Path, file: WholeFile | None, printed: PrintedReceipt, *, is_shown: bool
) -> None:
    """Write the page of a receipt; that of a specimen is shown, since a dry run writes nothing."""
    from meterctl.slips.page import slip_page

    page = slip_page(slip)
    if printed.made is None:
        say(f"dry run, nothing is counted or written: this page to {printable(str(path))}")
    elif file is not None:
        file.write(page.encode())
        say(f"receipt {printed.number}: written to {printable(str(path))}")
        return
    if is_shown:  # in characters of every encoding: the page names UTF-8 as its own
        emit(page.encode("ascii", "xmlcharrefreplace").decode().removesuffix("\n"))


def _print_text(slip: Slip) -> None:
    from meterctl.slips.text import FEED, slip_lines

    text = "\n".join(slip_lines(slip, stdout_encoding()))
    to_printer = sys.stdout is not None and not sys.stdout.isatty()
    emit(text + "\n" * FEED if to_printer else text)


def _fragments(printed: PrintedReceipt, issuer: list[str], cashier: str) -> dict[str, str]:
    """Return a receipt as JSON values; moments in local time of the host.

    `at` is the meter's time, without a receipt that of the entry's begin, which never changes.
    """
    entry, proved, made = printed.entry, printed.receipt, printed.made
    meter_time = "null" if proved is None else _moment(proved.at // SECOND)
    created = _moment(entry.created)
    unit = None if printed.account_unit is None else account_unit_text(printed.account_unit)
    proof = dict.fromkeys((*_PROVED, *EXACT), "null")
    if proved is not None:
        proof = {name: receipt_fragments(proved, 0)[name] for name in _PROVED}
        proof |= exact_fragments(proved)
    return {
        "id": str(entry.id),
        "receipt_number": json.dumps(printed.number),
        "at": created if proved is None else meter_time,
        "created": created,
        "meter_time": meter_time,
        "meter": json.dumps(entry.meter),
        "customer_number": json.dumps(printed.customer_number),
        "kind": json.dumps(entry.kind),
        "account_unit": json.dumps(unit),
        "amount": format_money(printed.amount),
        **proof,
        "to_credit": MONEY_OR_NONE.json(printed.to_credit),
        "to_credit_exact": EXACT_OR_NONE.json(printed.to_credit),
        "purchase_count": json.dumps(printed.purchase_count),
        "epoch": items.EPOCH.kind.json(entry.epoch),
        "sequence": str(entry.sequence),
        "carrier": '"card"' if entry.card else '"wire"',
        "card": json.dumps(entry.card or None),
        "sale": json.dumps(entry.reference or None, ensure_ascii=False),
        "void_of": json.dumps(entry.void_of or None),
        "proof": json.dumps(printed.proof),
        "code": json.dumps(entry.code.hex()),
        "receipt": json.dumps(entry.receipt.hex() or None),
        "issuer": json.dumps(issuer, ensure_ascii=False),
        "cashier": json.dumps(cashier or None, ensure_ascii=False),
        "specimen": json.dumps(made is None),
        "reprint": "null" if made is None else str(made.reprint),
        "first_printed": "null" if made is None else _moment(made.first_at),
        "printed": _moment(printed.printed_at),
        **result_fragments(
            outcome=entry.outcome or None,
            serial_number=entry.meter,
            entry=entry.id,
            planned=made is None,
        ),
    }


_PROVED = (
    *("to_overdraft", "to_debt", "credit_before", "credit_after", "cumulative", "settlement"),
)
"""Keys of the meter's receipt; null where it gave none."""
MONEY_OR_NONE = Optional(MONEY)
EXACT_OR_NONE = Optional(MONEY_EXACT)


def _moment(instant_s: int) -> str:
    return json.dumps(format_moment(instant_s * SECOND, offset_minutes(instant_s)))
