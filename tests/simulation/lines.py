"""Journal entries as the auditor reads them, in the terms of METER.md 8."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NoReturn

from protocols.quantities import CENT, format_money
from protocols.sealed_message import SealedMessage

TRANSFERS = frozenset({"open", "credit", "refund", "debt", "close"})
LEFT_OPEN = TRANSFERS | {"void"}
"""Kinds of entries that METER 8 may leave to a person."""
OPEN_STATES = frozenset({"prepared", "on_card", "unknown"})
FINAL_STATES = frozenset({"confirmed", "refused"})
BY_HAND = "by_hand"
"""State of an entry that a person closed without proof; it counts as open."""


class AuditError(AssertionError):
    """Meter or journals contradict METER.md; the text names meter, epoch and sequence."""


@dataclass(frozen=True, slots=True)
class JournalLine:
    """One entry of a journal; `amount` in 0.01 account unit, `message` the sealed bytes.

    `journal` names the journal; a copied or restored journal has another name. A line is `lost` if
    its journal was replaced: no operation settles it any more. `seller` names the journal that made
    the entry: copies of that journal hold the same sale.
    """

    serial: str
    epoch: int
    sequence: int
    kind: str
    amount: int
    state: str
    message: bytes
    journal: str = ""
    lost: bool = False
    seller: str = ""


@lru_cache(maxsize=4096)
def decoded(data: bytes) -> SealedMessage:
    """Return the fields of a message; raises ProtocolError."""
    return SealedMessage.decode(data)


def fail_line(line: JournalLine, text: str) -> NoReturn:
    """Raise AuditError for an entry of a journal."""
    raise AuditError(
        f"meter {line.serial} epoch {line.epoch:08x} sequence {line.sequence}: journal "
        f"{line.journal}, "
        f"{line.kind} of {format_money(line.amount * CENT)}: {text}"
    )
