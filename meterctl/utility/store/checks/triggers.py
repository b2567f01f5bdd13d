"""The triggers that keep rows as they were written: each is there, by name."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session

from meterctl.utility.store.checks.outcome import Checked, Tally

KEPT = (
    "entry", "transfer", "audit", "day_close", "closing_balance", "setting", "bill",
    "bank_file", "document", "document_content", "check_run",
)  # fmt: skip
"""Tables whose rows the database refuses to change."""
_EVENTS = {"sqlite": ("update", "delete", "insert"), "postgresql": ("row", "statement")}
"""Engine -> what the triggers of a table are named for."""
PRESENT = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger'",
    "postgresql": (
        "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled IN ('O', 'A') "
        "AND tgrelid IN (SELECT oid FROM pg_class WHERE relnamespace = "
        "current_schema()::regnamespace)"
    ),
}
"""Engine -> the statement for the names of all triggers that work."""


def expected(engine: str) -> frozenset[str]:
    """Return the names of the triggers that an engine has."""
    return frozenset(f"{table}_stays_{event}" for table in KEPT for event in _EVENTS[engine])


def triggers_present(session: Session) -> Checked:
    """Each trigger that keeps rows as they were written is there, and works."""
    tally = Tally()
    engine = session.get_bind().dialect.name
    wanted = expected(engine)
    tally.count = len(wanted)
    present = set(session.scalars(text(PRESENT[engine])))
    for name in sorted(wanted - present):
        tally.violation(f"trigger {name}", "is not there: rows could be changed")
    return tally.checked("triggers", "the database refuses to change what was written", "triggers")
