"""The import of a CSV file: the whole file or nothing; the same file again changes nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from meterctl.cli.desk.desk_options import desk_options
from meterctl.cli.desk.desk_output import print_done
from meterctl.cli.desk.signed_in import signed_in
from meterctl.errors import UsageError
from meterctl.named_files import read_named_bytes
from protocols.command_line import Argument, Context
from protocols.errors import QuantityError
from protocols.named_files import decode_text

if TYPE_CHECKING:
    from meterctl.utility.rules.csv_rows import Columns, CsvRow
    from meterctl.utility.services.archive.imports import ImportKind

FileArgument = Annotated[
    Path,
    Argument(metavar="FILE.csv", help="A file with a line of column names; UTF-8 or GB18030."),
]


def import_file(
    context: Context,
    file: Path,
    kind: ImportKind,
    changed: Callable[[Mapping[str, str]], Mapping[str, str]] | None = None,
) -> None:
    """Add what each row of a file names, and print how many rows it had.

    Args:
        changed: returns the cells of a row as they are imported.
    """
    from meterctl.utility.errors import Invalid
    from meterctl.utility.rules.csv_rows import CsvRow
    from meterctl.utility.services.archive.imports import columns_of, import_rows

    given = desk_options(context)
    rows, digest = read_rows(file, columns_of(kind))
    if changed is not None:
        rows = [CsvRow(row.line, changed(row.cells)) for row in rows]
    key = given.given_key or f"import-{kind}-{digest}"
    with signed_in(given) as desk:
        try:
            answer = desk.ask(
                f"{kind} import",
                {"sha256": digest},
                lambda work: import_rows(work, kind, rows),
                key=key,
            )
        except Invalid as error:
            raise Invalid(error.code, f"{file}: {error}") from error
        before = "imported before, nothing was changed" if answer.replayed else "imported"
        record = desk.record({**answer.values, "replayed": answer.replayed})
    print_done(given, record if given.json else {}, f"{file}: {len(rows)} rows {before}")


def read_rows(file: Path, columns: Columns) -> tuple[list[CsvRow], str]:
    """Return the rows of a CSV file, and the SHA-256 of its bytes, hex.

    Raises:
        UsageError: it cannot be read, or a row is wrong; each is named with its line.
    """
    from meterctl.utility.errors import Invalid
    from meterctl.utility.rules.csv_rows import parse_rows

    text, digest = read_csv_text(file)
    try:
        return parse_rows(text, columns), digest
    except Invalid as error:
        raise UsageError(f"{file}: {error}") from error


def read_csv_text(file: Path) -> tuple[str, str]:
    """Return the text of a CSV file, and the SHA-256 of its bytes, hex; raises UsageError."""
    try:
        data = read_named_bytes(file)
        return _text(data), sha256(data).hexdigest()
    except (UsageError, QuantityError) as error:
        raise UsageError(f"{file}: {error}") from error


def _text(data: bytes) -> str:
    """Return the text of a file of a spreadsheet; raises QuantityError."""
    try:
        return decode_text(data)
    except QuantityError:
        try:
            return data.decode("gb18030").replace("\r\n", "\n").replace("\r", "\n")
        except UnicodeDecodeError as error:
            raise QuantityError("it is neither UTF-8 nor GB18030") from error


def absolute(url: str, *, is_card: bool, folder: Path) -> str:
    """Return the address of a port with the path of a device or a card file made absolute.

    Workers run in other folders than the command that named it.
    """
    is_path = "/" in url if is_card else "://" not in url
    if not url or not is_path:
        return url
    return os.path.normpath(folder.absolute() / url)
