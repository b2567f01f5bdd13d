"""Which open entry METER.md 8 leaves to a person, derived from the messages that the meter took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.simulation.lines import JournalLine, decoded

RECEIPTS_KEPT = 16
ROWS_KEPT = 16


def why_left_to_a_person(
    line: JournalLine,
    lines: Sequence[JournalLine],
    epoch: int,
    reached: int,
    taken: Mapping[int, bytes],
    *,
    was_set_back: bool,
) -> str | None:
    """Return the reason; None where a proof, the bytes or a void must have settled the entry.

    Args:
        lines: the entries of all journals.
        epoch: of the meter now.
        reached: the meter's credit sequence.
        taken: the messages of the credit class that the meter accepted in this epoch, by their
            sequence.
    """
    if was_set_back:
        return "the meter's storage was set back"
    if line.epoch not in (epoch, 0):
        return "its epoch is gone"
    origin = decoded(line.message).origin
    rows, forgotten = _rows(taken)
    row = rows.get(origin.journal)
    if line.sequence > reached:
        held = {
            (other.sequence, decoded(other.message).origin.mark)
            for other in lines
            if other.journal == line.journal
            and decoded(other.message).origin.journal == origin.journal
        }
        if row is not None and row not in held:
            return "its journal is a copy or was restored"
        return None
    if not line.epoch:
        kept = line.sequence > reached - RECEIPTS_KEPT and taken.get(line.sequence) == line.message
        if kept or row == (line.sequence, origin.mark):
            return None
        return "an opening for epoch 0, whose sequence another message took"
    if line.sequence > reached - RECEIPTS_KEPT and line.sequence in taken:
        return None
    if row is None:
        return "more than 16 other journals" if forgotten >= line.sequence else None
    return "a copy of its journal sold later" if row[0] > line.sequence else None


def _rows(taken: Mapping[int, bytes]) -> tuple[dict[int, tuple[int, int]], int]:
    """Return (sequence, mark) of each journal's last message in the meter, and `forgotten`."""
    rows: dict[int, tuple[int, int]] = {}
    forgotten = 0
    for sequence in sorted(taken):
        origin = decoded(taken[sequence]).origin
        if origin.journal == 0:
            continue
        rows.pop(origin.journal, None)
        rows[origin.journal] = (sequence, origin.mark)
        if len(rows) > ROWS_KEPT:
            forgotten = max(forgotten, rows.pop(next(iter(rows)))[0])
    return rows, forgotten
