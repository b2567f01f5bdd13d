"""Security state of a meter: sequences, key version, journals, failures (METER.md 7)."""

from __future__ import annotations

from dataclasses import dataclass

from protocols.data_model.words import Carrier
from protocols.keys import MessageClass
from protocols.quantities import HOUR
from protocols.sealed_message import Origin

ATTACK_FAILURES = 5
ATTACK_WINDOW_MS = HOUR
JOURNALS_KEPT = 16
"""Rows kept; a further one replaces that of the message accepted longest ago (METER.md 7)."""


@dataclass(frozen=True, slots=True)
class JournalRow:
    """Last accepted credit message of one journal; `code` is 8 hexadecimal digits."""

    journal: int
    mark: int
    sequence: int
    code: str


@dataclass(slots=True)
class Security:
    """Sequences of both classes, key version, opening code, failures by carrier, journals.

    `last_code` (8 hexadecimal digits) and `last_at` (ms by the meter's clock) are of the last
    accepted credit message, as in its receipt. `journals` are rows in the order of their sequences;
    `forgotten` is the highest sequence of a replaced row.
    """

    credit_sequence: int = 0
    command_sequence: int = 0
    key_version: int = 0
    opening_code: str = ""
    failures: tuple[tuple[int, ...], ...] = ((),) * len(Carrier)
    """Elapsed times of the last wrong codes."""
    last_code: str = "00000000"
    last_at: int = 0
    journals: tuple[JournalRow, ...] = ()
    forgotten: int = 0

    def last(self, message_class: MessageClass) -> int:
        """Return the last accepted sequence of a class."""
        return (
            self.credit_sequence if message_class is MessageClass.CREDIT else self.command_sequence
        )

    def take(self, message_class: MessageClass, sequence: int) -> None:
        """Store an accepted sequence as the last of its class."""
        if message_class is MessageClass.CREDIT:
            self.credit_sequence = sequence
        else:
            self.command_sequence = sequence

    def remember(self, origin: Origin, sequence: int, code: bytes, at: int) -> None:
        """Store the row of the last accepted credit message; journal 0 has no row."""
        self.last_code, self.last_at = code[:4].hex(), at
        if origin.journal == 0:
            return
        kept = [row for row in self.journals if row.journal != origin.journal]
        kept.append(JournalRow(origin.journal, origin.mark, sequence, self.last_code))
        if len(kept) > JOURNALS_KEPT:
            self.forgotten = max(self.forgotten, kept.pop(0).sequence)
        self.journals = tuple(kept)

    def last_of(self, journal: int) -> JournalRow | None:
        """Return the row of a journal, None where there is none."""
        return next((row for row in self.journals if row.journal == journal), None)

    def suspended(self, carrier: Carrier, elapsed_ms: int) -> bool:
        """Return whether a carrier has five failures within the last 3,600 s."""
        times = self.failures[carrier]
        return len(times) >= ATTACK_FAILURES and elapsed_ms - times[0] < ATTACK_WINDOW_MS

    def forgive(self, carrier: Carrier) -> None:
        """Delete the failures of a carrier after a genuine message."""
        if self.failures[carrier]:
            self._replace(carrier, ())

    def fail(self, carrier: Carrier, elapsed_ms: int) -> bool:
        """Record a wrong code; return whether the carrier is suspended by it."""
        recent = (at for at in self.failures[carrier] if elapsed_ms - at < ATTACK_WINDOW_MS)
        self._replace(carrier, (*recent, elapsed_ms)[-ATTACK_FAILURES:])
        return self.suspended(carrier, elapsed_ms)

    def attacked(self, elapsed_ms: int) -> bool:
        """Return whether any carrier is suspended."""
        return any(self.failures) and any(
            self.suspended(carrier, elapsed_ms) for carrier in Carrier
        )

    def _replace(self, carrier: Carrier, times: tuple[int, ...]) -> None:
        self.failures = tuple(
            times if other == carrier else kept for other, kept in enumerate(self.failures)
        )
