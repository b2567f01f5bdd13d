"""Papers of the desk as files: read to be kept, written where a person names a place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from meterctl.cli.desk.desk_options import DeskOptions
from meterctl.errors import UsageError
from meterctl.named_files import read_named_bytes
from meterctl.utility.errors import Invalid
from meterctl.utility.rules.papers import MOST_BYTES, Paper
from meterctl.written_files import Making, WholeFile

STDOUT = Path("-")
"""The FILE that is no file."""


def read_paper(path: Path) -> Paper:
    """Return the paper in a file; raises UsageError where it cannot be read, or is none."""
    try:
        return Paper(path.name, read_named_bytes(path, MOST_BYTES))
    except (UsageError, Invalid) as error:
        raise UsageError(f"{path}: {error}") from error


@contextmanager
def page_file(given: DeskOptions, path: Path | None, making: Making) -> Iterator[WholeFile | None]:
    """Find the place of a page first; None for stdout.

    Raises:
        UsageError: the file cannot be written, or stdout would get two things.
    """
    if path == STDOUT and given.json:
        raise UsageError("--html - and --json both write on stdout: give --html FILE")
    if path is None or path == STDOUT:
        yield None
        return
    with closing(WholeFile(path, making, given.common.own_files)) as file:
        yield file
