"""Credit that no sealed message brought: what a status counts above all that was sold (METER.md 7).

A meter with `unsafe_writes` takes credit by a plain write, which moves its cumulative purchases and
no sequence. Where this journal holds every message of a meter, or every one since its last proof,
the rest of what was purchased came by plain writes. Where another journal sold in between, it
cannot be told apart, and nothing is said.
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


def tell_plain_credit(
    journal: Journal, status: SealedStatus, before: ProvedStorage | None, now: int
) -> None:
    """Report and audit the credit that no sealed message brought and that is not audited yet.

    Args:
        before: the proved state of the storage without this status.
    """
    cents = _unsold(journal, status, before)
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


class _Total(NamedTuple):
    """Messages of the credit class up to an instant, and the purchases among them, 0.01."""

    messages: int
    purchased: int


def _unsold(journal: Journal, status: SealedStatus, before: ProvedStorage | None) -> int:
    """Return the purchases that are in no entry, 0.01; 0 where another journal sold too."""
    meter, epoch = status.serial_number, status.epoch
    shown = _Total(status.credit_sequence, status.committed_cumulative // CENT)
    held = _held(journal, status)
    if held.messages == shown.messages and not (before and before.begun_after):
        unsold = shown.purchased - held.purchased
        return unsold - known_plain_credit(journal, meter, epoch) if unsold else 0
    since = _total_of(before)
    if since is None:
        return 0
    held = _held(journal, status, since.messages)
    more = _Total(shown.messages - since.messages, shown.purchased - since.purchased)
    return more.purchased - held.purchased if held.messages == more.messages else 0


def _held(journal: Journal, status: SealedStatus, above: int = 0) -> _Total:
    """Return what this journal holds of a meter's messages above a sequence.

    An open entry is counted that the status proves: a later step settles it.
    """
    meter, epoch = status.serial_number, status.epoch
    count, sold = journal.confirmed_sum(meter, epoch, status.credit_sequence)
    below, sold_below = journal.confirmed_sum(meter, epoch, above) if above else (0, 0)
    count, sold = count - below, sold - sold_below
    row = status.of_journal
    for entry in journal.open_entries(meter):
        told = (entry.sequence, entry.origin.mark, entry.code)
        if entry.sequence > above and told == (row.sequence, row.mark, row.code):
            count += 1
            sold += entry.amount if entry.kind in SALES else 0
    return _Total(count, sold)


def _total_of(before: ProvedStorage | None) -> _Total | None:
    """Return the totals of the last whole proof of a storage, None without one."""
    if before is None or not before.proof:
        return None
    try:
        if len(before.proof) != SealedStatus.SIZE:
            back = WriteBack.decode(before.proof)
            return _Total(back.credit_sequence, back.cumulative // CENT)
        status = SealedStatus.decode(before.proof)
    except MalformedMessageError:
        return None
    return _Total(status.credit_sequence, status.committed_cumulative // CENT)
