"""The totals that cards brought back from their meters."""

from __future__ import annotations

from dataclasses import dataclass

from meterctl.journal.database import Database


@dataclass(frozen=True, slots=True)
class SeenWriteBack:
    """Totals that never decrease in a sound meter.

    `cumulative` is the sum of purchases in 0.01, `energy` is in mWh.
    """

    credit_sequence: int
    cumulative: int
    energy: int
    elapsed_ms: int


class SeenWriteBacks:
    """The last totals of every card, by meter and epoch."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def last(self, meter: str, epoch: int, card: str) -> SeenWriteBack | None:
        """Return the totals that a card last brought back from a meter; None if it never did."""
        row = self._db.row(
            "SELECT credit_sequence, cumulative, energy, elapsed FROM write_backs"
            " WHERE meter = ? AND epoch = ? AND card = ?",
            meter,
            epoch,
            card,
        )
        return SeenWriteBack(*row) if row else None

    def keep(self, meter: str, epoch: int, card: str, seen: SeenWriteBack, now: int) -> None:
        """Store the totals that a card brought back, at `now` in s since 1970 UTC."""
        self._db.execute(
            "INSERT OR REPLACE INTO write_backs VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            meter,
            epoch,
            card,
            now,
            seen.credit_sequence,
            seen.cumulative,
            seen.energy,
            seen.elapsed_ms,
        )
