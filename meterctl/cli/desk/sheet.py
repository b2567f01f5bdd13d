"""desk sheet day|shift."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from meterctl.cli.desk.desk_options import DeskOptions, desk_options
from meterctl.cli.desk.paper_file import page_file
from meterctl.cli.desk.shared_options import HtmlOption
from meterctl.cli.desk.sheet_record import sheet_record
from meterctl.cli.desk.signed_in import signed_in
from meterctl.cli.output import emit, print_json, say, stdout_encoding
from meterctl.utility.rules import typed_text
from meterctl.utility.rules.calendar import end_of
from meterctl.utility.services.sheets.day_document import day_document
from meterctl.utility.services.sheets.document import Document
from meterctl.utility.services.sheets.figures import SealFigures
from meterctl.utility.services.sheets.lookup import day_sheet, shift_sheet
from meterctl.utility.services.sheets.page import MARK, sheet_page
from meterctl.utility.services.sheets.shift_document import shift_document
from meterctl.utility.services.sheets.text import sheet_lines
from meterctl.written_files import Making, WholeFile
from protocols.command_line import Argument, Context, Program
from protocols.replacements import has, printable

_sheet = Program("Sheets that two persons sign: of a date, of a shift.")
PAGE = Making("sheet page", MARK.encode())


def add_to(app: Program) -> None:
    """Add the commands of this file."""
    app.add_typer(_sheet, name="sheet")


@_sheet.command("day")
def day(
    context: Context,
    on: Annotated[
        str | None,
        Argument(metavar="DATE", help="The date, as 2026-11-30.", show_default="today"),
    ] = None,
    html: HtmlOption = None,
) -> None:
    """Print the sheet of a date: every account, receipts beside tills, meters beside the books.

    It is of the end of the date, and of now while the date has not ended. Of a closed date it has
    the figures as they were sealed, and the seal. With --node it has the part of a node: its tills,
    and the accounts of its agreements and shifts.
    """
    given = desk_options(context)
    wanted = None if on is None else typed_text.day(on, "DATE")
    with page_file(given, html, PAGE) as file, signed_in(given) as desk, desk.reading() as session:
        zone = desk.database.zone
        end = end_of(wanted or desk.today, zone)
        sheet, seal = day_sheet(session, desk.actor, desk.now, end, given.node)
        if given.json:
            unsealed = dict.fromkeys(SealFigures.model_fields, "null")
            sealed = unsealed if seal is None else sheet_record(seal, zone)
            print_json(sheet_record(sheet, zone) | sealed)
        _print(given, day_document(sheet, seal, zone), html, file)


@_sheet.command("shift")
def shift(
    context: Context,
    number: Annotated[str, Argument(metavar="SHIFT", help="Number of the shift.")],
    html: HtmlOption = None,
) -> None:
    """Print the sheet of a shift: its float, its receipts without a gap, its cash as counted."""
    given = desk_options(context)
    with page_file(given, html, PAGE) as file, signed_in(given) as desk, desk.reading() as session:
        sheet = shift_sheet(session, desk.actor, desk.now, number)
        zone = desk.database.zone
        if given.json:
            print_json(sheet_record(sheet, zone))
        _print(given, shift_document(sheet, zone), html, file)


def _print(
    given: DeskOptions, document: Document, html: Path | None, file: WholeFile | None
) -> None:
    """Print a sheet: as a page where one is asked for, else as text unless it was JSON."""
    if file is not None:
        file.write(sheet_page(document).encode())
        say(f"{document.title.en} {document.subject}: written to {printable(str(html))}")
    elif html is not None:
        emit(sheet_page(document).encode("ascii", "xmlcharrefreplace").decode().rstrip("\n"))
    elif not given.json:
        chinese = has(stdout_encoding(), "日结单")
        emit("\n".join(sheet_lines(document, chinese=chinese)))
