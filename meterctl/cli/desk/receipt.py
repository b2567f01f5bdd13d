"""desk receipt print."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated

from meterctl.cli.desk.desk_money import money_record
from meterctl.cli.desk.desk_options import DeskOptions, desk_options
from meterctl.cli.desk.desk_output import print_done
from meterctl.cli.desk.signed_in import signed_in
from meterctl.cli.output import OutputError, emit, say, stdout_encoding
from meterctl.cli.values import offered
from meterctl.errors import UsageError
from meterctl.slips.page import PAGE, slip_page
from meterctl.slips.slip import Slip
from meterctl.slips.text import FEED, slip_lines
from meterctl.utility.services import receipts
from meterctl.utility.services.receipt_slip import BOTH, LANGUAGES, WORDS, Words, slip_of
from meterctl.written_files import WholeFile, require_place
from protocols.command_line import Argument, Context, Option, Program
from protocols.replacements import has, printable

_receipt = Program("Receipts: numbered in each shift without a gap.")
STDOUT = Path("-")
"""The FILE of --html that is no file."""


def add_to(app: Program) -> None:
    """Add the commands of this file."""
    app.add_typer(_receipt, name="receipt")


@_receipt.command("print")
def print_(
    context: Context,
    receipt: Annotated[
        str,
        Argument(
            metavar="RECEIPT", help="Number of the receipt, the payment (P3), the sale (S17)."
        ),
    ],
    html: Annotated[
        Path | None,
        Option("--html", metavar="FILE", help="Write a page for a browser; - is stdout."),
    ] = None,
    language: Annotated[
        str | None,
        Option(
            "--language",
            metavar="|".join(LANGUAGES),
            help="Chinese beside English, or one of them.",
            autocompletion=offered(*LANGUAGES),
            show_default="both; en where stdout lacks Chinese characters",
        ),
    ] = None,
) -> None:
    """Print a receipt, 40 columns for a slip printer; the first print is the original.

    A print is counted before it is printed; each one after the original says which copy it is. A
    dry run shows a specimen, which is not counted.
    """
    given = desk_options(context)
    words = _words(language, to_stdout=html is None and not given.json)
    if html == STDOUT and given.json:
        raise UsageError("--html - and --json both write on stdout: give --html FILE")
    with _page_file(given, html) as file, signed_in(given) as desk:
        answer = desk.ask(
            "receipt print",
            {"receipt": receipt},
            lambda work: receipts.print_receipt(work, named=receipt),
        )
        told, zone = answer.values, desk.database.zone
        slip = slip_of(told, words, zone, is_specimen=given.dry_run, is_repeated=answer.replayed)
        with _telling_that_it_counts(given, told["receipt_number"]):
            if html is not None:
                _write_page(slip, html, file, told["receipt_number"])
            elif not given.json:
                _print_text(slip)
        if given.json:
            record = money_record({**told, "replayed": answer.replayed}, zone)
            print_done(given, record, f"receipt {told['receipt_number']}, copy {told['copy']}")


def _words(language: str | None, *, to_stdout: bool) -> Words:
    """Return the words of --language; without it both, English where stdout cannot show them.

    Raises:
        UsageError: there is no such language, or stdout cannot show its characters.
    """
    if language is None:
        shows = not to_stdout or has(stdout_encoding(), "".join(BOTH.texts()))
        return BOTH if shows else WORDS["en"]
    if language not in WORDS:
        raise UsageError(f"--language {language}: allowed is {', '.join(LANGUAGES)}")
    words, encoding = WORDS[language], stdout_encoding()
    if to_stdout and not has(encoding, "".join(words.texts())):
        raise UsageError(
            f"--language {language}: stdout is {encoding}, which lacks its characters: set "
            f"PYTHONIOENCODING to utf-8 or gb18030, or give --html FILE. No receipt was printed"
        )
    return words


@contextmanager
def _page_file(given: DeskOptions, path: Path | None) -> Iterator[WholeFile | None]:
    """Find the place of a page before the print is counted; None for stdout and a dry run."""
    own_files = given.common.own_files
    if path is None or path == STDOUT:
        yield None
    elif given.dry_run:
        require_place(path, PAGE, own_files)
        yield None
    else:
        with closing(WholeFile(path, PAGE, own_files)) as file:
            yield file


@contextmanager
def _telling_that_it_counts(given: DeskOptions, number: str) -> Iterator[None]:
    """Print a receipt that is counted; where that fails, say that the next one is a copy.

    Raises:
        UsageError: stdout or the file cannot be written.
    """
    try:
        yield
    except (OutputError, UsageError) as error:
        counts = "" if given.dry_run else "; it is counted, and the next print is a copy"
        raise UsageError(f"receipt {number} was not printed: {error}{counts}") from error


def _write_page(slip: Slip, path: Path, file: WholeFile | None, number: str) -> None:
    """Write the page of a receipt; that of a specimen goes to stdout."""
    page = slip_page(slip)
    if file is not None:
        file.write(page.encode())
        say(f"receipt {number}: written to {printable(str(path))}")
        return
    emit(page.encode("ascii", "xmlcharrefreplace").decode().removesuffix("\n"))


def _print_text(slip: Slip) -> None:
    text = "\n".join(slip_lines(slip, stdout_encoding()))
    to_printer = sys.stdout is not None and not sys.stdout.isatty()
    emit(text + "\n" * FEED if to_printer else text)
