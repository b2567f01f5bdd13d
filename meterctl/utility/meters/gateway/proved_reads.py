"""Registers that were read between two sealed statuses of a meter that took nothing meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from meterctl.journal import Journal
from meterctl.operations.status import ask_status
from meterctl.session import MeterIdentity, Session
from meterctl.utility.meters.gateway.expected import with_expected
from meterctl.utility.meters.gateway.problems import BooksError
from protocols.sealed_status import SealedStatus

TRIES = 3
"""Times that a meter is read that changes meanwhile, or whose registers do not agree."""
Read = TypeVar("Read")
_UNMOVED = (
    "epoch",
    "account_state",
    "account_unit",
    "customer_number",
    "credit_sequence",
    "command_sequence",
    "committed_cumulative",
)
"""What only an accepted message or a new storage changes."""


def between_statuses(
    session: Session,
    journal: Journal,
    read: Callable[[], Read],
    contradiction: Callable[[Read, SealedStatus, SealedStatus], str] = lambda *_: "",
) -> tuple[Read, SealedStatus]:
    """Return what is read between two statuses that name the same account and sequences.

    Args:
        contradiction: returns how what was read contradicts itself or the statuses before and
            after it, empty if it does not.

    Returns:
        What was read, and the status after it.

    Raises:
        BooksError: it contradicts them, or the meter moves on, each time.
        MeterctlError: as `ask_status`.
    """
    return with_expected(
        session, journal, lambda hint: _between(session, journal, hint, read, contradiction)
    )


def _between(
    session: Session,
    journal: Journal,
    hint: MeterIdentity,
    read: Callable[[], Read],
    contradiction: Callable[[Read, SealedStatus, SealedStatus], str],
) -> tuple[Read, SealedStatus]:
    before = ask_status(session, journal, hint).status
    problem = ""
    for _ in range(TRIES):
        found = read()
        after = ask_status(session, journal, hint).status
        problem = _moved(before, after) or contradiction(found, before, after)
        if not problem:
            return found, after
        before = after
    raise BooksError(
        f"meter {hint.serial_number}: what it shows does not agree, {TRIES} times: {problem}; "
        f"nothing was changed",
        serial_number=hint.serial_number,
    )


def _moved(before: SealedStatus, after: SealedStatus) -> str:
    """Return what changed between two statuses that only a message changes, empty if nothing."""
    for name in _UNMOVED:
        was, now = getattr(before, name), getattr(after, name)
        if was != now:
            return f"its {name.replace('_', ' ')} changed from {was} to {now} meanwhile"
    return ""
