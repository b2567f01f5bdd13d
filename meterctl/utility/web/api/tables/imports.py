"""The import of a CSV file, for each part of the archive."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import Any

from meterctl.utility.rules.csv_rows import parse_rows
from meterctl.utility.services.archive.imports import ImportKind, columns_of, import_rows
from meterctl.utility.store.unit_of_work import Answer, UnitOfWork
from meterctl.utility.web.api.answers.archive import Imported
from meterctl.utility.web.api.operations import Asked, Call, Change, Values
from meterctl.utility.web.api.values import FileText


class Csv(Asked):
    """A file with a line of column names."""

    csv: FileText


def import_of(kind: ImportKind, path: str) -> Change:
    """Return the import of a file; the same file under the same key is the command's, too."""

    def act(work: UnitOfWork, values: Values) -> dict[str, Any]:
        return import_rows(work, kind, parse_rows(values["csv"], columns_of(kind)))

    return Change(
        "POST", f"{path}/import", f"{kind} import", "Import a CSV file: all of it, or nothing.",
        act, Imported, body=Csv, run=_import,
    )  # fmt: skip


def _import(call: Call) -> Answer:
    """Import a file, which its hash names."""
    return replace(call, asked={"sha256": digest_of(call.values["csv"])}).ask()


def digest_of(text: str) -> str:
    """Return the SHA-256 of a file's text in UTF-8, hex."""
    return sha256(text.encode()).hexdigest()
