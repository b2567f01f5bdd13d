"""A card's write-back against the journal: the entries that it proves, and the meter's totals.

Credit is sold only on a card that agrees with the journal (METER.md 8).
"""

from __future__ import annotations

from meterctl.errors import NotPermittedError, SetBackError
from meterctl.journal import Entry, EntryState, SeenWriteBack
from meterctl.journal.entries import CONSEQUENCES, SALES
from meterctl.operations.card.case import Case
from meterctl.operations.conclusions import Proofs, conclude
from meterctl.operations.plain_credit import (
    is_behind_last_proof,
    known_plain_credit,
    may_be_compared_from,
    told_credit,
    unproved_entries,
    untold_credit,
)
from meterctl.operations.receipts import verified_receipt
from protocols.card.write_back import WriteBack
from protocols.keys import MessageClass
from protocols.quantities import CENT, format_money
from protocols.sealed_message import Outcome, Receipt


def compare(case: Case) -> list[Entry]:
    """Settle the entries that a write-back proves, and compare its meter with the journal.

    Returns:
        The settled entries.

    Raises:
        NotPermittedError: the meter and the journal do not agree.
    """
    settled = settle_by_write_back(case)
    hold_against_journal(case)
    return settled


# ---- the entries that a write-back proves


def settle_by_write_back(case: Case) -> list[Entry]:
    """Settle and return the journal entries of the card's meter that its write-back proves.

    Raises:
        NotPermittedError: it is sealed under a key version below the floor, so it proves
            nothing.
    """
    back, journal = case.back, case.journal
    if back is None:
        return []
    floor = journal.proofs.floor(back.meter_digits)
    if not case.ring.may_use(back.key_version, floor):
        raise NotPermittedError(
            f"card {case.serial}: its write-back is sealed under key version "
            f"{back.key_version}, meter "
            f"{back.meter_digits} has passed it ({floor}): it proves nothing; "
            f"{case.presented.unchanged}",
            serial_number=back.meter_digits,
        )
    receipt = _enclosed_receipt(case, back)
    entries = [e for e in journal.provable_entries(back.meter_digits) if e.lives_in(back.epoch)]
    settled = [_settle(case, entry, back, receipt) for entry in entries]
    ended = [entry for entry in settled if entry is not None]
    for entry in ended:
        if entry.state is EntryState.REFUSED and entry.amount:
            _report_never_taken(case, entry)
    return ended


def _enclosed_receipt(case: Case, back: WriteBack) -> Receipt | None:
    """Return the enclosed receipt if its own seal is valid, after recording its proof."""
    receipt = verified_receipt(
        case.ring, case.journal, back.receipt, back.meter_digits, MessageClass.CREDIT
    )
    if receipt is None or receipt.epoch != back.epoch:
        return None
    case.journal.proofs.note_receipt(receipt, back.receipt)
    return receipt


def _settle(case: Case, entry: Entry, back: WriteBack, receipt: Receipt | None) -> Entry | None:
    """Write the conclusion about an entry; return the entry if it changed, else None."""
    proofs = Proofs(receipt, back=back, voids=case.journal.void_codes(entry))
    conclusion = conclude(entry, proofs)
    if conclusion is None:
        return None
    mine = receipt is not None and receipt.code == entry.code
    after = case.journal.settle(
        entry,
        conclusion.event,
        case.now(),
        receipt=back.receipt if mine else b"",
        epoch=conclusion.epoch,
    )
    return after if (after.state, after.outcome) != (entry.state, entry.outcome) else None


def _report_never_taken(case: Case, entry: Entry) -> None:
    """Report and audit the consequence of a message that its meter never accepted."""
    amount = format_money(entry.amount * CENT)
    _, consequence = CONSEQUENCES.get(entry.kind, ("", "was not settled"))
    case.presented.tell(
        f"journal entry {entry.id}: the meter never took its {entry.kind} of "
        f"{amount} and never will "
        f"({entry.outcome}): {amount} {consequence}"
    )
    case.journal.audit(
        "owed" if entry.kind in SALES else "not_taken",
        case.now(),
        meter=entry.meter,
        card=entry.card,
        amount=entry.amount,
        detail=f"entry {entry.id} {entry.outcome}",
    )


# ---- the totals of its meter


def hold_against_journal(case: Case) -> None:
    """Compare a meter's totals with the journal, and store them.

    A write-back answers the sale on the card, so it must include all sales that were proved before;
    and the totals of one card never decrease. Transfers that this journal does not hold are
    reported and audited, but do not block a sale: they are sealed with this ring's keys, by another
    journal.

    Raises:
        NotPermittedError: a meter that was set back, or impossible totals; named and audited.
    """
    back, journal = case.back, case.journal
    if back is None:
        return
    problem = _mismatch(case, back)
    if problem is not None:
        _serve_knowingly(case, back, problem)
    _tell_unknown_transfers(case, back)
    _tell_refused_commands(case, back)
    journal.write_backs.keep(back.meter_digits, back.epoch, case.serial, _seen(back), case.now())
    proof = case.files.slot if may_be_compared_from(journal, back) else b""
    journal.proofs.note_write_back(back, proof)


def _serve_knowingly(case: Case, back: WriteBack, problem: str) -> None:
    """Refuse a meter that was set back; with --set-back reset its proved state."""
    text = f"card {case.serial}, meter {back.meter_digits}: {problem}"
    what = "set_back_served" if case.set_back else "mismatch"
    case.audit(what, meter=back.meter_digits, detail=problem)
    if not case.set_back:
        raise SetBackError(f"{text}; nothing was sold. --set-back serves it knowingly")
    case.presented.tell(f"{text}; served knowingly")
    case.journal.proofs.begin_again(back.meter_digits, back.epoch, case.journal.last_id())


def _tell_unknown_transfers(case: Case, back: WriteBack) -> None:
    """Report transfers that only the meter holds, not this journal; audit new ones."""
    taken, total = case.journal.confirmed_sum(back.meter_digits, back.epoch, back.credit_sequence)
    strange = back.credit_sequence - taken
    proved = case.journal.proofs.of(back.meter_digits).get(back.epoch)
    if not strange or (
        proved is not None and proved.begun_after
    ):  # transfers from before a known set-back do not count
        return
    if not is_behind_last_proof(case.journal, back):
        total += known_plain_credit(case.journal, back.meter_digits, back.epoch)
    text = (
        f"it has taken {strange} transfers that this journal does not know, "
        f"{_up_to(back.cumulative - total * CENT)} in all: another journal "
        f"with these keys sold them"
    )
    unproved = unproved_entries(case.journal, back)
    if unproved:
        text += f", or they are entry {unproved[0].id}, which is not proved yet"
    case.presented.tell(f"meter {back.meter_digits}: {text}")
    last = _seen_before(case, back)
    if last is None or last.credit_sequence < back.credit_sequence:
        case.audit("unknown_credit", meter=back.meter_digits, detail=text)


def _up_to(amount: int) -> str:
    """Return an amount as the most that it can be: plain writes may have brought a part of it."""
    return f"at most {format_money(amount)}" if amount > 0 else format_money(0)


def _tell_refused_commands(case: Case, back: WriteBack) -> None:
    """Report that the meter did not take the commands of the card."""
    if back.command_outcome and not Outcome(back.command_outcome).applied:
        outcome = Outcome(back.command_outcome).name.lower()
        case.presented.tell(
            f"meter {back.meter_digits}: it did not take the commands of this card: {outcome}"
        )


def _mismatch(case: Case, back: WriteBack) -> str | None:
    """Return the reason why the meter and the journal do not agree, None where they do."""
    return (
        _revived(case, back)
        or _behind_proved_sales(case, back)
        or _behind_last_write_back(case, back)
        or _other_total(case, back)
    )


def _revived(case: Case, back: WriteBack) -> str | None:
    """Return a text if the meter accepted a sale that was void or accepted in another epoch."""
    if not back.outcome or not Outcome(back.outcome).applied:
        return None
    entry = case.journal.find_sale(back.meter_digits, back.answered_sequence, back.answered_code)
    if entry is None:
        return None
    text = f"it has taken {format_money(entry.amount * CENT)} (journal entry {entry.id})"
    if entry.state is EntryState.REFUSED:
        return f"{text}, which was {entry.outcome}: its storage was set back or replaced"
    if entry.state is EntryState.CONFIRMED and not entry.lives_in(back.epoch):
        return (
            f"{text} once more: it had taken it in epoch {entry.epoch:08x}, before its "
            f"storage was replaced"
        )
    return None


def _behind_proved_sales(case: Case, back: WriteBack) -> str | None:
    """Return a text if a sequence below the answered one was proved that the meter lacks."""
    meter, epoch, answered = back.meter_digits, back.epoch, back.answered_sequence
    proved = case.journal.last_sequence(meter, epoch)
    sold = case.journal.confirmed_below(meter, epoch, answered)
    before = max(sold, proved if proved < answered else 0)
    if back.credit_sequence < before:
        return (
            f"it stands at sequence {back.credit_sequence}, sequence {before} was proved "
            f"earlier: it was set back"
        )
    return None


def _behind_last_write_back(case: Case, back: WriteBack) -> str | None:
    """Return a text if a total is lower than in the last write-back of the same card."""
    last = _seen_before(case, back)
    if last is None:
        return None
    for name, old, new in zip(
        ("sequence", "purchases", "energy", "time"), _parts(last), _parts(_seen(back)), strict=True
    ):
        if new < old:
            return (
                f"its {name} went back from {old} to {new}: it was set back, or the card is cloned"
            )
    return None


def _other_total(case: Case, back: WriteBack) -> str | None:
    """Return a text if the meter's purchases are not the proved sales of the journal.

    They must contain those sales. Where the journal holds every message, or every one since the
    last proof, the rest must have been told by a status.
    """
    journal, meter, epoch = case.journal, back.meter_digits, back.epoch
    taken, total = journal.confirmed_sum(meter, epoch, back.credit_sequence)
    rest = _seen(back).cumulative - total
    proved = journal.proofs.of(meter).get(epoch)
    begun = proved is not None and proved.begun_after  # what was told before does not count
    complete = taken == back.credit_sequence and not begun  # each proved sequence occurs once
    if rest < 0 or (complete and not _is_told(case, back, rest)):
        return (
            f"it has taken {format_money(back.cumulative)} in all, the journal has sold it "
            f"{format_money(total * CENT)}"
        )
    untold = 0 if complete else untold_credit(journal, back)
    if untold:
        return (
            f"since its last proof it has taken {format_money(untold * CENT)} more than the "
            f"journal has sold it; the next top-up or other sealed message by wire names it"
        )
    return None


def _is_told(case: Case, back: WriteBack, rest: int) -> bool:
    """Return whether a rest of purchases, 0.01, is what statuses have told.

    A write-back from before the last proof may lack what was told later.
    """
    told = told_credit(case.journal, back.meter_digits, back.epoch)
    return rest in (0, told) or (rest < told and is_behind_last_proof(case.journal, back))


def _seen_before(case: Case, back: WriteBack) -> SeenWriteBack | None:
    """Return the totals of the last write-back that the journal saw on this card."""
    return case.journal.write_backs.last(back.meter_digits, back.epoch, case.serial)


def _seen(back: WriteBack) -> SeenWriteBack:
    return SeenWriteBack(
        back.credit_sequence, back.cumulative // CENT, back.energy_mwh, back.elapsed_ms
    )


def _parts(seen: SeenWriteBack) -> tuple[int, ...]:
    return seen.credit_sequence, seen.cumulative, seen.energy, seen.elapsed_ms
