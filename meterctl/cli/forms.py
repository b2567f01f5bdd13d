"""The form in which a command prints its table: for people, as JSON Lines or as CSV."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

from meterctl.errors import UsageError
from protocols.command_line import Option

CsvOption = Annotated[
    bool,
    Option("--csv", help="Print comma-separated values with a heading, in UTF-8."),
]
CsvExcelOption = Annotated[
    bool,
    Option(
        "--csv-excel",
        help="Print them for a spreadsheet: with a byte order mark, lines that end in CRLF, and "
        "text that stays text.",
    ),
]


class TableForm(Enum):
    """How a table of facts is printed."""

    PEOPLE = "people"
    JSON = "json"
    CSV = "csv"
    CSV_EXCEL = "csv_excel"

    @property
    def is_csv(self) -> bool:
        """Whether it is one of the two forms of CSV."""
        return self in (TableForm.CSV, TableForm.CSV_EXCEL)


def table_form(as_json: bool, as_csv: bool, for_excel: bool) -> TableForm:
    """Return the form that the options of a command ask for.

    Raises:
        UsageError: they ask for more than one.
    """
    asked = {
        TableForm.JSON: as_json,
        TableForm.CSV: as_csv,
        TableForm.CSV_EXCEL: for_excel,
    }
    forms = [form for form, is_asked in asked.items() if is_asked]
    if len(forms) > 1:
        raise UsageError("give one of --json, --csv and --csv-excel")
    return forms[0] if forms else TableForm.PEOPLE
