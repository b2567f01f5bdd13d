"""Mutants that change nothing which a test could observe, each with the reason."""

from __future__ import annotations

from dataclasses import dataclass

from tests.mutants.drawn.mutation import Mutation


@dataclass(frozen=True, slots=True)
class Equivalent:
    """Mutants by their source, not by its line number; `reason` says why they have no effect.

    `replacement` None is any replacement of the text.
    """

    file: str
    source_line: str
    original: str
    replacement: str | None
    reason: str
    nth: int = 1

    def is_(self, mutation: Mutation) -> bool:
        """Return whether a drawn mutant is one of these."""
        place = (mutation.file, mutation.source_line, mutation.original, mutation.nth)
        return (self.file, self.source_line, self.original, self.nth) == place and (
            self.replacement in (None, mutation.replacement)
        )


EQUIVALENTS: tuple[Equivalent, ...] = (
    Equivalent(
        "protocols/quantities.py",
        "and len(part) <= decimals",
        "len(part) <= decimals",
        "(len(part) < decimals)",
        "what leaves the fast path is read by the regular expression, with the same result",
    ),
    Equivalent(
        "protocols/quantities.py",
        'elif zone == "Z":',
        'zone == "Z"',
        "False",
        "the branch after it reads Z as an offset too",
    ),
    Equivalent(
        "firmware_sim/records/ring.py",
        "BLOCK_SIZE = 768",
        "768",
        None,
        "rows that are compressed together; every size gives the same rows",
    ),
    Equivalent(
        "firmware_sim/acceptance/acceptance.py",
        "NOTHING = Split(0, 0, 0)",
        "0",
        None,
        "an answer has no place for the part that is credit",
        nth=3,
    ),
    Equivalent(
        "firmware_sim/storage/store.py",
        "newest: int = -1",
        "1",
        None,
        "decides which of the three slots is written first, and reading tries all three",
    ),
    Equivalent(
        "firmware_sim/storage/store.py",
        "if not 0 < size <= SLOT_SIZE - _SLOT.size:",
        "SLOT_SIZE - _SLOT.size",
        None,
        "a size above it fails its CRC; the check saves reading it",
    ),
    Equivalent(
        "firmware_sim/supply/control.py",
        "if supply.causes & CREDIT_CAUSES:",
        "supply.causes & CREDIT_CAUSES",
        "(supply.causes | CREDIT_CAUSES)",
        "clearing causes of which none is open changes nothing",
    ),
    Equivalent(
        "firmware_sim/supply/control.py",
        "supply: Supply, cause: Cause, due: int | None, emit: Emit, due_clock: int = 0",
        "0",
        None,
        "where a delay begins its instant is always given",
    ),
    Equivalent(
        "firmware_sim/records/ring.py",
        "self._rows_a_block = max(1, BLOCK_SIZE // row_size) if depth > PLAIN_DEPTH else depth",
        "BLOCK_SIZE // row_size",
        None,
        "rows that are compressed together; every number of rows gives the same rows",
    ),
    Equivalent(
        "firmware_sim/metrology/load_csv.py",
        "_PIECE = 1 << 16",
        "1",
        None,
        "how much of a file is read at once; every size gives the same rows",
    ),
    Equivalent(
        "firmware_sim/metrology/load_csv.py",
        "self._last_ms = -(1 << 63)",
        "63",
        None,
        "lies before the time of any row all the same",
    ),
    Equivalent(
        "firmware_sim/storage/store.py",
        "return len(state.tail)",
        "return len(state.tail)",
        "return None",
        "of a store that keeps no tail the whole tail is dropped, whatever it returns",
    ),
    Equivalent(
        "firmware_sim/storage/record.py",
        "if kept is None or kept[0] is not value:",
        "kept is None or kept[0] is not value",
        "True",
        "a text that is written again is the same text",
    ),
    Equivalent(
        "firmware_sim/acceptance/execution.py",
        "if state.settings.utc_offset_minutes != offset:",
        "state.settings.utc_offset_minutes != offset",
        "True",
        "a jump to the present date and period changes nothing",
    ),
    Equivalent(
        "firmware_sim/storage/store.py",
        "if len(state.tail) > MAX_TAIL:",
        "len(state.tail) > MAX_TAIL",
        "True",
        "of a tail within its limit no row is dropped",
    ),
    Equivalent(
        "firmware_sim/state.py",
        "phase_summation: int = 0",
        "0",
        None,
        "an identity is always made whole",
    ),
    Equivalent(
        "firmware_sim/clock.py",
        "year = (day_of_era - day_of_era // 1_460 + day_of_era // 36_524 "
        "- day_of_era // 146_096) // 365",
        "1_460",
        "1459",
        "the year is the same for each of the 146,097 days of an era: a test enumerates them",
    ),
    Equivalent(
        "firmware_sim/storage/record.py",
        "if kept is None or kept[0] is not value:",
        "0",
        "-1",
        "a text that is written again is the same text",
    ),
    Equivalent(
        "meterctl/operations/card/presets.py",
        "taken = case.back.command_sequence if case.back is not None else 0",
        "0",
        "-1",
        "the sequences of commands begin at 1",
    ),
    Equivalent(
        "protocols/card/files.py",
        "issued_at: int = 0",
        "0",
        None,
        "the product always names the instant of a binding",
    ),
)
