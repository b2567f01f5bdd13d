"""Options and arguments that several commands of the desk have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from protocols.command_line import Option

SeenVersionOption = Annotated[
    int,
    Option(
        "--seen",
        metavar="VERSION",
        help="Its version as `show` prints it: an edit of another version is refused.",
    ),
]
LimitOption = Annotated[
    int, Option("--limit", metavar="N", min=1, help="Show at most so many rows.")
]
ReasonOption = Annotated[
    str, Option("--reason", metavar="TEXT", help="Why; it is kept in the audit.")
]
FromOption = Annotated[
    str | None,
    Option("--from", metavar="DATE", help="First date, as 2026-12-31.", show_default="today"),
]
ToOption = Annotated[
    str | None,
    Option(
        "--to",
        metavar="DATE",
        help="First date on which it holds no more.",
        show_default="for good",
    ),
]
HtmlOption = Annotated[
    Path | None,
    Option("--html", metavar="FILE", help="Write a page of A4 for a browser; - is stdout."),
]
ROWS = 100
"""Rows of a list where no limit is given."""
