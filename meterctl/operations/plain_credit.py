"""Credit that no sealed message brought: what a status counts above all that was sold (METER.md 7).

A meter with `unsafe_writes` takes credit by a plain write, which moves its cumulative purchases and
no sequence. Where this journal holds every message between two proofs of a meter, the rest of what
was purchased between them came by plain writes. Where another journal sold in between, it cannot be
told apart, and nothing is said.
"""

from __future__ import annotations

from typing import NamedTuple

from meterctl.journal import Journal, ProvedStorage
from meterctl.journal.entries import SALES
from protocols.card.write_back import WriteBack
from protocols.errors import MalformedMessageError
from protocols.quantities import CENT, format_money
from protocols.sealed_status import SealedStatus

AUDITED = "plain_credit"
"""The word of its audit lines."""


class _Total(NamedTuple):
    """Credit sequence of a meter, and its cumulative purchases in ledger units."""

    sequence: int
    cumulative: int


def tell_plain_credit(
    journal: Journal, status: SealedStatus, before: ProvedStorage | None, now: int
) -> None:
    """Report and audit the credit since the last proof that no sealed message brought.

    Args:
        before: the proved state of the storage without this status.
    """
    since = _total_of(before)
    if since is None:
        return
    cents = _unsold(journal, status, since)
    if cents <= 0:
        return
    text = (
        f"credit of {format_money(cents * CENT)} came by no sealed message: "
        f"by a plain write, which its unsafe_writes allow"
    )
    journal.notices.append(f"meter {status.serial_number}: {text}")
    journal.audit(
        AUDITED,
        now,
        meter=status.serial_number,
        amount=cents,
        detail=f"{_named(status.epoch)}: {text}",
    )


def known_plain_credit(journal: Journal, meter: str, epoch: int) -> int:
    """Return the credit of a storage that was audited as plain, 0.01."""
    lines = journal.audit_mentioning(meter, _named(epoch))
    return sum(line.amount for line in lines if line.what == AUDITED)


def _named(epoch: int) -> str:
    return f"epoch {epoch:08x}"


def _total_of(before: ProvedStorage | None) -> _Total | None:
    """Return the totals of the last whole proof, those of a new storage where there is none.

    None where a known set-back makes them unknown.
    """
    if before is None:
        return _Total(0, 0)
    if not before.proof:
        begun_again = before.begun_after or not before.sequence
        return None if begun_again else _Total(0, 0)
    try:
        if len(before.proof) != SealedStatus.SIZE:
            back = WriteBack.decode(before.proof)
            return _Total(back.credit_sequence, back.cumulative)
        status = SealedStatus.decode(before.proof)
    except MalformedMessageError:
        return None
    return _Total(status.credit_sequence, status.committed_cumulative)


def _unsold(journal: Journal, status: SealedStatus, since: _Total) -> int:
    """Return the purchases since then that are in no entry, 0.01; 0 if another journal sold too."""
    meter, epoch = status.serial_number, status.epoch
    held, sold = journal.confirmed_sum(meter, epoch, status.credit_sequence)
    held_then, sold_then = journal.confirmed_sum(meter, epoch, since.sequence)
    held, sold = held - held_then, sold - sold_then
    row = status.of_journal
    for entry in journal.open_entries(meter):
        # the status proves it; it is settled by a later step
        if (entry.sequence, entry.origin.mark, entry.code) == (row.sequence, row.mark, row.code):
            held += 1
            sold += entry.amount if entry.kind in SALES else 0
    if held != status.credit_sequence - since.sequence:
        return 0
    return (status.committed_cumulative - since.cumulative) // CENT - sold
