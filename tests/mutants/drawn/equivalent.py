"""Mutants that change nothing which a test could observe, each with the reason."""

from __future__ import annotations

from dataclasses import dataclass

from tests.mutants.drawn.mutation import Mutation


@dataclass(frozen=True, slots=True)
class Equivalent:
    """Mutants by their source, not by its line number; `reason` says why they have no effect.

    `replacement` None is any replacement of the text, `occurrence` None any line with this source.
    """

    file: str
    source_line: str
    original: str
    replacement: str | None
    reason: str
    nth: int = 1
    occurrence: int | None = None

    def is_(self, mutation: Mutation) -> bool:
        """Return whether a drawn mutant is one of these."""
        place = (mutation.file, mutation.source_line, mutation.original, mutation.nth)
        return (
            (self.file, self.source_line, self.original, self.nth) == place
            and self.replacement in (None, mutation.replacement)
            and self.occurrence in (None, mutation.occurrence)
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
    Equivalent(
        "firmware_sim/metrology/load_csv.py",
        "self._last_ms = -(1 << 63)",
        "1",
        "2",
        "lies before the time of any row all the same",
    ),
    Equivalent(
        "firmware_sim/metrology/load_csv.py",
        'written = len(texts[0].partition(".")[2])',
        "2",
        "1",
        "where a number has more decimals its column is read in another way, with the same values",
    ),
    Equivalent(
        "firmware_sim/metrology/stretch.py",
        "low, high = 0, -(-(count * MWH_IN_MW_MS - first[1]) // first[0])",
        "0",
        None,
        "remainders are below one mWh and the count is at least 1: it is complete from 1 ms on",
    ),
    Equivalent(
        "firmware_sim/metrology/load.py",
        "next_ms = self._starts_ms[after] if after < self._count else 0",
        "0",
        None,
        "after the last row it is not read",
    ),
    Equivalent(
        "firmware_sim/metrology/electrical.py",
        "return -amount if power_mw < 0 else amount",
        "power_mw < 0",
        "(power_mw <= 0)",
        "without power the current is 0, with either sign",
    ),
    Equivalent(
        "firmware_sim/tariff/calendar.py",
        "start <= minute < end if start < end else (minute >= start or minute < end)",
        "start < end",
        "(start <= end)",
        "a window of two equal times is not among the pairs",
    ),
    Equivalent(
        "firmware_sim/calendar_work.py",
        "_END_OF_DAY = DAY - 1",
        "DAY - 1",
        "(DAY + 1)",
        "every instant of hour 23 or later is after the last billing hour",
    ),
    Equivalent(
        "firmware_sim/calendar_work.py",
        "_END_OF_DAY = DAY - 1",
        "1",
        None,
        "every instant of hour 23 or later is after the last billing hour",
    ),
    Equivalent(
        "firmware_sim/storage/store.py",
        "if len(state.tail) > MAX_TAIL:",
        "len(state.tail) > MAX_TAIL",
        "(len(state.tail) >= MAX_TAIL)",
        "of a tail within its limit no row is dropped",
    ),
    Equivalent(
        "firmware_sim/storage/store.py",
        "if not nvram.read(0, 1):",
        "1",
        "2",
        "a device that holds anything holds a first byte",
    ),
    Equivalent(
        "protocols/card/memory.py",
        "if memory.read(0, 1):",
        "1",
        "2",
        "a device that holds anything holds a first byte",
    ),
    Equivalent(
        "firmware_sim/state.py",
        "nominal_voltage_mv: int = 230_000",
        "230_000",
        None,
        "an identity is always made whole",
    ),
    Equivalent(
        "firmware_sim/state.py",
        "frequency_mhz: int = 50_000",
        "50_000",
        None,
        "an identity is always made whole",
    ),
    Equivalent(
        "firmware_sim/state.py",
        "reverse_charged: bool = False",
        "False",
        None,
        "an identity is always made whole",
    ),
    Equivalent(
        "meterctl/journal/ports.py",
        'return str(row[0]) if row else ""',
        "0",
        "-1",
        "the row has one column",
    ),
    Equivalent(
        "meterctl/journal/proofs.py",
        "return int(row[0]) if row else 0",
        "0",
        "-1",
        "the row has one column",
    ),
    Equivalent(
        "meterctl/journal/entry_table.py",
        'return int(self._db.row("SELECT COALESCE(MAX(id), 0) FROM entries")[0])',
        "0",
        "-1",
        "the row has one column",
        nth=2,
    ),
    Equivalent(
        "meterctl/journal/database.py",
        'version = self._connection.execute("PRAGMA user_version").fetchone()[0]',
        "0",
        "-1",
        "the row has one column",
    ),
    Equivalent(
        "meterctl/journal/layout.py",
        'if version == 0 and db.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]:',
        "0",
        "-1",
        "the row has one column",
        nth=2,
    ),
    Equivalent(
        "meterctl/operations/card/last_proof.py",
        "if based is None or entry.sequence > based.credit_sequence:",
        "entry.sequence > based.credit_sequence",
        "(entry.sequence >= based.credit_sequence)",
        "a receipt of that sequence says what the proof says, or its version is below the floor",
    ),
    Equivalent(
        "protocols/card/applet.py",
        "wanted, waiting = command.le or 256, self._waiting",
        "256",
        "257",
        "no response is longer than 256 bytes",
    ),
    Equivalent(
        "protocols/card/applet.py",
        "more = min(len(self._waiting), 255)",
        "255",
        "256",
        "after one byte or more of a response at most 255 are left",
    ),
    Equivalent(
        "protocols/card/applet.py",
        "self._forget()",
        "self._forget()",
        "pass",
        "SELECT in clear has ended a session before it is executed",
        occurrence=5,
    ),
    Equivalent(
        "protocols/card/applet.py",
        "self._forget()",
        "self._forget()",
        "pass",
        "SELECT in clear has ended a session before it is executed",
        occurrence=6,
    ),
    Equivalent(
        "protocols/card/applet.py",
        "super().__init__(hex(status))",
        "super().__init__(hex(status))",
        "pass",
        "the text of an internal refusal is shown nowhere",
    ),
    Equivalent(
        "firmware_sim/acceptance/execution.py",
        "if opening:",
        "opening",
        "True",
        "credit is accepted for an open account of this customer only",
        occurrence=1,
    ),
    Equivalent(
        "firmware_sim/meter.py",
        "elif now >= self._flow.until_ms:  # no level, mode, inhibitor or price changed",
        "now >= self._flow.until_ms",
        "True",
        "a load that has not changed flows on as it did",
    ),
    Equivalent(
        "firmware_sim/records/publishing.py",
        "while new and tail[new - 1].number > rings[tail[new - 1].ring].last:",
        "tail[new - 1].number > rings[tail[new - 1].ring].last",
        "(tail[new - 1].number >= rings[tail[new - 1].ring].last)",
        "a ring ignores a row that it holds",
    ),
    Equivalent(
        "firmware_sim/supply/control.py",
        "if supply.causes & CREDIT_CAUSES:",
        "supply.causes & CREDIT_CAUSES",
        "True",
        "clearing causes of which none is open changes nothing",
    ),
    Equivalent(
        "meterctl/operations/card/preset_file.py",
        "if activation < 0 or activation % 1000 or activation // 1000 > 0xFFFF_FFFF:",
        "0",
        "-1",
        "-1 ms is no whole second",
    ),
    Equivalent(
        "firmware_sim/account/account.py",
        "low, high = 0, (max(0, credit - account.credit) + account.debt) // CENT + 2",
        "0",
        None,
        "the search ends at the same cent from any upper end that suffices",
        nth=2,
    ),
    Equivalent(
        "firmware_sim/account/account.py",
        "low, high = 0, (max(0, credit - account.credit) + account.debt) // CENT + 2",
        "2",
        None,
        "the search ends at the same cent from any upper end that suffices",
    ),
    Equivalent(
        "firmware_sim/account/account.py",
        "low, high = 0, (max(0, credit - account.credit) + account.debt) // CENT + 2",
        "(max(0, credit - account.credit) + account.debt) // CENT",
        "((max(0, credit - account.credit) + account.debt) * CENT)",
        "the search ends at the same cent from any upper end that suffices",
    ),
)
