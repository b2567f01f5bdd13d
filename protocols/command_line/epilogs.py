"""What stands below a help text: examples, and the one table of exit codes (DESIGN.md 5.3).

An epilog is a text of sections, so that it costs nothing where no help is shown; `help_page.py`
reads it.
"""

from __future__ import annotations

from collections.abc import Iterable

EXAMPLES = "Examples"
EXIT_CODES = {
    0: "done",
    1: "internal fault of the program",
    2: "the command, a file or a port cannot be used; nothing was changed",
    3: "the meter refused, or an expectation did not hold",
    4: "no answer from the meter; nothing was changed",
    5: "the answer was corrupt",
    6: "not permitted; nothing was changed",
    7: "the outcome is unknown: `meterctl journal resolve` settles it",
    130: "interrupted before anything was begun",
}


def exit_codes(codes: Iterable[int] = EXIT_CODES) -> str:
    """Return the section of a help page about these codes."""
    return section_text("Exit codes", *((str(code), EXIT_CODES[code]) for code in codes))


def examples(*rows: tuple[str, str]) -> str:
    """Return the epilog of a command with examples: what is typed, and what it does."""
    return section_text(EXAMPLES, *rows)


def section_text(heading: str, *rows: tuple[str, str]) -> str:
    """Return a section as the text of an epilog; sections are joined with an empty line."""
    return "\n".join([f"{heading}:", *(f"{name}\t{text}" for name, text in rows)])
