"""The sums of all journals against a meter's books, for each kind (METER.md 7 and 8).

    confirmed <= the meter's books <= confirmed + open

An entry that a person closed by hand counts as open. Both sides are equal if no entry is open.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable

from protocols.quantities import CENT, format_money
from protocols.sealed_message import MessageKind
from tests.simulation.lines import BY_HAND, OPEN_STATES, AuditError, JournalLine, decoded

KINDS = ("open", "credit", "refund", "debt", "close", "void")


def check_sums(
    serial: str, lines: Iterable[JournalLine], taken: Iterable[bytes], undone: Collection[bytes]
) -> None:
    """Compare the number and the amount of each kind.

    Args:
        lines: the entries of all journals for one meter, each message once.
        taken: the messages of the credit class that are in the meter's books.
        undone: messages that were in its books before its storage was set back.
    """
    confirmed: Counter[tuple[str, str]] = Counter()
    unsettled: Counter[tuple[str, str]] = Counter()
    books: Counter[tuple[str, str]] = Counter()
    for line in lines:
        if line.state == "confirmed" and line.message not in undone:
            _count(confirmed, line.kind, line.amount)
        elif _may_be_taken(line) or line.message in undone:
            _count(unsettled, line.kind, line.amount)
    # An opening for epoch 0 may be in several storages, but it is one sale.
    for data in dict.fromkeys(taken):
        message = decoded(data)
        _count(books, message.kind.word, message.amount)
    for kind in KINDS:
        for what in ("number", "amount"):
            key = kind, what
            if not confirmed[key] <= books[key] <= confirmed[key] + unsettled[key]:
                raise AuditError(
                    f"meter {serial}: the {what} of {kind} in its books is "
                    f"{_told(books, key)}, the "
                    f"journals have {_told(confirmed, key)} confirmed and "
                    f"{_told(unsettled, key)} open"
                )


def _may_be_taken(line: JournalLine) -> bool:
    """Return whether an entry counts as open.

    An opening for epoch 0 that is void in one storage is still valid in others.
    """
    is_void_in_one = line.state == "refused" and decoded(line.message).epoch == 0
    return line.state == BY_HAND or line.state in OPEN_STATES or is_void_in_one


def _count(sums: Counter[tuple[str, str]], kind: str, amount: int) -> None:
    sums[kind, "number"] += 1
    # The meter computes the amount of a closing.
    if kind != MessageKind.CLOSE.word:
        sums[kind, "amount"] += amount


def _told(sums: Counter[tuple[str, str]], key: tuple[str, str]) -> str:
    return str(sums[key]) if key[1] == "number" else format_money(sums[key] * CENT)
