"""What the meter's secure element remembers: sequences, key version, failures (METER.md 7)."""

from __future__ import annotations

from dataclasses import dataclass

from protocols.data_model.words import Carrier
from protocols.keys import MessageClass

ATTACK_FAILURES = 5
ATTACK_WINDOW_MS = 3_600_000


@dataclass(slots=True)
class Security:
    """Sequences of both classes, the current key version, the bytes that opened the account, failures by carrier."""

    credit_sequence: int = 0
    command_sequence: int = 0
    key_version: int = 0
    opening_code: str = ""
    failures: tuple[tuple[int, ...], ...] = ((),) * len(Carrier)
    """Elapsed times of the last wrong codes."""

    def last(self, message_class: MessageClass) -> int:
        """Return the last accepted sequence of a class."""
        return self.credit_sequence if message_class is MessageClass.CREDIT else self.command_sequence

    def take(self, message_class: MessageClass, sequence: int) -> None:
        """Accept a sequence."""
        if message_class is MessageClass.CREDIT:
            self.credit_sequence = sequence
        else:
            self.command_sequence = sequence

    def suspended(self, carrier: Carrier, elapsed: int) -> bool:
        """Say whether five failures lie within the last 3,600 s of a carrier."""
        times = self.failures[carrier]
        return len(times) >= ATTACK_FAILURES and elapsed - times[0] < ATTACK_WINDOW_MS

    def forgive(self, carrier: Carrier) -> None:
        """Forget the failures of a carrier: something genuine came by it."""
        if self.failures[carrier]:
            self._replace(carrier, ())

    def fail(self, carrier: Carrier, elapsed: int) -> bool:
        """Count a wrong code; say whether this one makes an attack."""
        recent = (at for at in self.failures[carrier] if elapsed - at < ATTACK_WINDOW_MS)
        self._replace(carrier, (*recent, elapsed)[-ATTACK_FAILURES:])
        return self.suspended(carrier, elapsed)

    def attacked(self, elapsed: int) -> bool:
        """Say whether any carrier is suspended."""
        return any(self.failures) and any(self.suspended(carrier, elapsed) for carrier in Carrier)

    def _replace(self, carrier: Carrier, times: tuple[int, ...]) -> None:
        self.failures = tuple(times if other == carrier else kept for other, kept in enumerate(self.failures))
