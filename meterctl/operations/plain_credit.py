"""Credit that no sealed message brought: what a status counts above all that was sold (METER.md 7).

A meter with `unsafe_writes` takes credit by a plain write, which moves its cumulative purchases and
no sequence. Where this journal holds every message of a meter, or every one since its last proof,
the rest of what was purchased came by plain writes. Where another journal sold in between, it
cannot be told apart, and nothing is said.

A card's write-back is compared in the same way, but names nothing: the card is refused until a
status has named the rest, and the write-back is no proof that a later status starts from.

A storage that was set back holds other messages than those which were proved before. Once the
journal has a sign of that, the rest is reported without naming a plain write, and the totals are
compared from that status on.
"""

from __future__ import annotations

from typing import NamedTuple

from meterctl.journal import Entry, Journal, ProvedStorage
from meterctl.journal.entries import SALES
from protocols.card.write_back import WriteBack
from protocols.errors import MalformedMessageError
from protocols.quantities import CENT, format_money
from protocols.sealed_status import LastOfJournal, SealedStatus

AUDITED = "plain_credit"
"""The word of its audit lines."""
UNEXPLAINED = "unexplained_credit"
"""The word of the audit lines of credit that may have come by other sales."""
SERVED = "set_back_served"
"""The word of the audit line of a set-back after which a journal begins again."""
SIGNS = ("set_back", SERVED, "mismatch")
"""The words of the audit lines that tell of a storage that was set back."""
_TEXTS = {
    AUDITED: "came by no sealed message: by a plain write, which its unsafe_writes allow",
    UNEXPLAINED: (
        "is in no entry of this journal; the storage was set back, so that other sales may have "
        "brought it"
    ),
}


def tell_plain_credit(
    journal: Journal, status: SealedStatus, before: ProvedStorage | None, now: int
) -> None:
    """Report and audit the credit that no sealed message brought and that is not audited yet.

    Args:
        before: the proved state of the storage without this status.
    """
    shown = _Shown.by_status(status)
    meter, epoch = shown.meter, shown.epoch
    cents = _above_all_entries(journal, shown, before)
    if cents is None:
        cents = _above_last_proof(journal, shown, before)
    if cents <= 0:
        return
    past = _Past.of(journal, meter, epoch)
    if past.was_set_back and not past.is_doubted:
        cents = _above_last_proof(journal, shown, before)
        if cents <= 0:
            return
    what = UNEXPLAINED if past.is_doubted else AUDITED
    text = f"credit of {format_money(cents * CENT)} {_TEXTS[what]}"
    journal.notices.append(f"meter {meter}: {text}")
    journal.audit(what, now, meter=meter, amount=cents, detail=f"{_named(epoch)}: {text}")


def known_plain_credit(journal: Journal, meter: str, epoch: int) -> int:
    """Return the credit of a storage that was audited as plain, 0.01."""
    lines = journal.audit_mentioning(meter, _named(epoch))
    return sum(line.amount for line in lines if line.what == AUDITED)


def told_credit(journal: Journal, meter: str, epoch: int) -> int:
    """Return the credit of a storage that was audited as in no entry, plain or not, 0.01."""
    lines = journal.audit_mentioning(meter, _named(epoch))
    return sum(line.amount for line in lines if line.what in (AUDITED, UNEXPLAINED))


def is_behind_last_proof(journal: Journal, back: WriteBack) -> bool:
    """Return whether a write-back is from before the last whole proof of its storage."""
    since = _total_of(_proved(journal, back))
    return since is not None and any(
        shown < known for shown, known in zip(_Shown.by_card(back).total, since, strict=True)
    )


def untold_credit(journal: Journal, back: WriteBack) -> int:
    """Return what a write-back shows since the last whole proof that is in no entry, 0.01.

    0 where another journal may have sold it.
    """
    return max(0, _above_last_proof(journal, _Shown.by_card(back), _proved(journal, back)))


def unproved_entries(journal: Journal, back: WriteBack) -> list[Entry]:
    """Return the open entries that may be among the messages that a write-back counts."""
    return [
        entry
        for entry in journal.open_entries(back.meter_digits)
        if entry.lives_in(back.epoch) and entry.sequence <= back.credit_sequence
    ]


def may_be_compared_from(journal: Journal, back: WriteBack) -> bool:
    """Return whether a write-back may become the proof that a later status is compared with.

    Not while an open entry is among the messages since the present one: its proof may yet show
    that this journal holds them all.
    """
    since = _total_of(_proved(journal, back))
    return since is None or all(
        entry.sequence <= since.messages for entry in unproved_entries(journal, back)
    )


def _proved(journal: Journal, back: WriteBack) -> ProvedStorage | None:
    return journal.proofs.of(back.meter_digits).get(back.epoch)


def _named(epoch: int) -> str:
    return f"epoch {epoch:08x}"


class _Total(NamedTuple):
    """Messages of the credit class up to an instant, and the purchases among them, 0.01."""

    messages: int
    purchased: int


class _Shown(NamedTuple):
    """What a proof shows of a storage; `last` is the last message of this journal, if told."""

    meter: str
    epoch: int
    total: _Total
    last: LastOfJournal | None = None

    @classmethod
    def by_status(cls, status: SealedStatus) -> _Shown:
        total = _Total(status.credit_sequence, status.committed_cumulative // CENT)
        return cls(status.serial_number, status.epoch, total, status.of_journal)

    @classmethod
    def by_card(cls, back: WriteBack) -> _Shown:
        total = _Total(back.credit_sequence, back.cumulative // CENT)
        return cls(back.meter_digits, back.epoch, total)


class _Past(NamedTuple):
    """What a journal tells of a storage that was set back.

    `is_doubted`: no rest of purchases has been reported since the last sign of it, and the storage
    was not served knowingly since.
    """

    was_set_back: bool
    is_doubted: bool

    @classmethod
    def of(cls, journal: Journal, meter: str, epoch: int) -> _Past:
        """Return the past of a storage; a card's lines name no epoch and are a sign in each."""
        past, named = cls(_repeats(journal, meter, epoch), is_doubted=False), _named(epoch)
        for line in journal.audit_mentioning(meter, "set back"):
            here = named in line.detail
            if line.what in SIGNS and (here or line.card):
                past = cls(was_set_back=True, is_doubted=not (here and line.what == SERVED))
            elif line.what == UNEXPLAINED and here:
                past = past._replace(is_doubted=False)
        return past


def _above_all_entries(journal: Journal, shown: _Shown, before: ProvedStorage | None) -> int | None:
    """Return the purchases that are in no entry and not audited, 0.01.

    None where the journal does not hold every message.
    """
    held = _held(journal, shown)
    if held.messages != shown.total.messages or (before and before.begun_after):
        return None
    unsold = shown.total.purchased - held.purchased
    if unsold <= 0:
        return 0
    return unsold - known_plain_credit(journal, shown.meter, shown.epoch)


def _above_last_proof(journal: Journal, shown: _Shown, before: ProvedStorage | None) -> int:
    """Return the purchases since the last whole proof that are in no entry, 0.01.

    0 where there is none or it is a later one, or where another journal sold too.
    """
    since = _total_of(before)
    if since is None or since.messages > shown.total.messages:
        return 0
    held = _held(journal, shown, since.messages)
    if held.messages != shown.total.messages - since.messages:
        return 0
    cents = shown.total.purchased - since.purchased - held.purchased
    repeats = cents > 0 and _repeats(journal, shown.meter, shown.epoch, since.messages)
    return 0 if repeats else cents


def _repeats(journal: Journal, meter: str, epoch: int, above: int = 0) -> bool:
    """Return whether two entries have proved the same sequence: one is of a former storage."""
    proved = journal.confirmed(meter, epoch, above)
    return len({entry.sequence for entry in proved}) < len(proved)


def _held(journal: Journal, shown: _Shown, above: int = 0) -> _Total:
    """Return what this journal holds of a meter's messages above a sequence.

    An open entry or its void is counted that the status proves: a later step settles it.
    """
    meter, epoch, row = shown.meter, shown.epoch, shown.last
    count, sold = journal.confirmed_sum(meter, epoch, shown.total.messages)
    below, sold_below = journal.confirmed_sum(meter, epoch, above) if above else (0, 0)
    count, sold = count - below, sold - sold_below
    if row is None:
        return _Total(count, sold)
    for entry in journal.open_entries(meter):
        for sealed in (entry, *journal.voids_of(entry)):
            told = (sealed.sequence, sealed.origin.mark, sealed.code)
            proved = told == (row.sequence, row.mark, row.code)
            if proved and sealed.sequence > above and sealed.is_open:
                count += 1
                sold += sealed.amount if sealed.kind in SALES else 0
    return _Total(count, sold)


def _total_of(before: ProvedStorage | None) -> _Total | None:
    """Return the totals of the last whole proof of a storage, None without one."""
    if before is None or not before.proof:
        return None
    try:
        if len(before.proof) != SealedStatus.SIZE:
            return _Shown.by_card(WriteBack.decode(before.proof)).total
        return _Shown.by_status(SealedStatus.decode(before.proof)).total
    except MalformedMessageError:
        return None
