"""The proved state of meters: key versions and totals, which never decrease (METER.md 8).

Callers have verified the code of each proof. No value is taken from an unsealed register.
"""

from __future__ import annotations

from dataclasses import dataclass

from meterctl.journal.database import Database
from protocols.card.write_back import WriteBack
from protocols.keys import DEVELOPMENT_KEY_VERSION
from protocols.sealed_message import Receipt
from protocols.sealed_status import SealedStatus


@dataclass(frozen=True, slots=True)
class ProvedStorage:
    """Proved state of one storage of a meter.

    `cumulative` is in ledger units, `energy` in mWh; `elapsed_ms` and `last_at` are in ms.

    `turn` rises with every proof that is fresh or exceeds the known totals; the storage with the
    highest turn is the current one. `last_*` are sequence, code and instant of the last known
    message of the credit class; `proof` is the last sealed status or write-back, whole; entries up
    to `begun_after` are from before a known set-back of the storage.
    """

    meter: str
    epoch: int
    turn: int
    sequence: int = 0
    cumulative: int = 0
    energy: int = 0
    elapsed_ms: int = 0
    last_sequence: int = 0
    last_code: bytes = b""
    last_at: int = 0
    receipt: bytes = b""
    proof: bytes = b""
    begun_after: int = 0


_COLUMNS = (
    "meter, epoch, turn, sequence, cumulative, energy, elapsed, last_sequence, "
    "last_code, last_at, receipt, proof,"
    " begun_after"
)

_NEXT_TURN = "(SELECT COALESCE(MAX(turn), 0) + 1 FROM proved)"


def behind(proved: ProvedStorage | None, status: SealedStatus) -> str | None:
    """Return how a status contradicts the proved state of its storage; None if it does not."""
    if proved is None:
        return None
    compared = (
        ("credit sequence", proved.sequence, status.credit_sequence, ""),
        ("cumulative purchases", proved.cumulative, status.committed_cumulative, " (1e-10 unit)"),
        ("import energy", proved.energy, status.committed_energy, " mWh"),
        ("elapsed time", proved.elapsed_ms, status.committed_elapsed, " ms"),
    )
    for name, known, now, unit in compared:
        if now < known:
            return f"its {name} went back from {known} to {now}{unit}"
    known_last, last = (proved.last_code, proved.last_at), (status.last_code, status.last_at)
    if proved.last_code and proved.last_sequence == status.credit_sequence and known_last != last:
        return (
            f"its message of sequence {proved.last_sequence} is another one, or was accepted "
            f"at another instant"
        )
    return None


class ProvedStorages:
    """The part of a journal that holds the proved state of meters."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def floor(self, meter: str) -> int:
        """Return the highest current key version proved for a meter in any epoch; 0 if none."""
        row = self._db.row("SELECT version FROM floors WHERE meter = ?", meter)
        return int(row[0]) if row else 0

    def of(self, meter: str) -> dict[int, ProvedStorage]:
        """Return the proved state of every storage of a meter, by epoch."""
        rows = self._db.rows(f"SELECT {_COLUMNS} FROM proved WHERE meter = ?", meter)
        return {row[1]: ProvedStorage(*row) for row in rows}

    def newest(self, meter: str) -> ProvedStorage | None:
        """Return the proved state of the storage that was proved last; None if there is none."""
        return max(self.of(meter).values(), key=lambda proved: proved.turn, default=None)

    def note_status(self, status: SealedStatus, sealed: bytes) -> None:
        """Record the proof of a verified status."""
        key = (status.serial_number, status.epoch)
        with self._db.together():
            self.raise_floor(status.serial_number, status.current_version)
            self._note(
                *key,
                status.credit_sequence,
                status.committed_cumulative,
                status.committed_energy,
                status.committed_elapsed,
                proof=sealed,
                fresh=True,
            )
            self._note_last(*key, status.credit_sequence, status.last_code, status.last_at)

    def note_receipt(self, receipt: Receipt, sealed: bytes) -> None:
        """Record the proof of a verified receipt of the credit class."""
        key = (receipt.serial_number, receipt.epoch)
        with self._db.together():
            self.raise_floor(receipt.serial_number, receipt.key_version)
            self._note(*key, receipt.sequence, receipt.cumulative, 0, 0)
            self._note_last(*key, receipt.sequence, receipt.code, receipt.at, sealed)

    def note_write_back(self, back: WriteBack, slot: bytes) -> None:
        """Record the proof of a verified write-back.

        A write-back of an earlier build is sealed under the version of its card: it names the
        meter's current version without proving it. The floor rises at most to the version of the
        seal.
        """
        with self._db.together():
            self.raise_floor(back.meter_digits, min(back.meter_key_version, back.key_version))
            self._note(
                back.meter_digits,
                back.epoch,
                back.credit_sequence,
                back.cumulative,
                back.energy_mwh,
                back.elapsed_ms,
                proof=slot,
            )

    def begin_again(self, meter: str, epoch: int, after_entry: int) -> None:
        """Reset the proved state of a storage that is known to be set back.

        Entries up to `after_entry` are from before. The floor stays: key versions only rise.
        """
        with self._db.together():
            self._db.execute("DELETE FROM proved WHERE meter = ? AND epoch = ?", meter, epoch)
            self._db.execute("DELETE FROM write_backs WHERE meter = ? AND epoch = ?", meter, epoch)
            self._db.execute(
                f"INSERT INTO proved (meter, epoch, turn, begun_after) VALUES (?, ?, "
                f"{_NEXT_TURN}, ?)",
                meter,
                epoch,
                after_entry,
            )

    def raise_floor(self, meter: str, version: int) -> None:
        """Raise the floor of a meter; lower key versions are no longer used for it."""
        if version == DEVELOPMENT_KEY_VERSION or version <= self.floor(meter):
            return
        self._db.execute(
            "INSERT INTO floors VALUES (?, ?) ON CONFLICT (meter) DO UPDATE SET "
            "version = MAX(version, ?)",
            meter,
            version,
            version,
        )

    def _note(
        self,
        meter: str,
        epoch: int,
        sequence: int,
        cumulative: int,
        energy: int,
        elapsed_ms: int,
        proof: bytes = b"",
        *,
        fresh: bool = False,
    ) -> None:
        """Raise the stored totals; a proof that is not fresh takes a turn only if it is higher."""
        self._db.execute(
            f"INSERT OR IGNORE INTO proved (meter, epoch, turn) VALUES (?, ?, {_NEXT_TURN})",
            meter,
            epoch,
        )
        self._db.execute(
            f"UPDATE proved SET turn = CASE WHEN ? OR ? > sequence OR ? > elapsed "
            f"THEN {_NEXT_TURN} ELSE turn END,"
            " sequence = MAX(sequence, ?), cumulative = MAX(cumulative, ?), energy = "
            "MAX(energy, ?),"
            " elapsed = MAX(elapsed, ?),"
            " proof = CASE WHEN length(?) AND ? >= sequence AND ? >= cumulative AND ? >= elapsed"
            " THEN ? ELSE proof END"
            " WHERE meter = ? AND epoch = ?",
            fresh,
            sequence,
            elapsed_ms,
            sequence,
            cumulative,
            energy,
            elapsed_ms,
            proof,
            sequence,
            cumulative,
            elapsed_ms,
            proof,
            meter,
            epoch,
        )

    def _note_last(
        self,
        meter: str,
        epoch: int,
        sequence: int,
        code: bytes,
        at: int,
        sealed_receipt: bytes = b"",
    ) -> None:
        self._db.execute(
            "UPDATE proved SET"
            " receipt = CASE WHEN length(?) THEN ? WHEN last_sequence < ? THEN x'' "
            "ELSE receipt END,"
            " last_sequence = ?, last_code = ?, last_at = ? WHERE meter = ? AND epoch = ?"
            " AND (last_sequence < ? OR last_code = x'' OR (last_sequence = ? AND "
            "last_code = ?))",
            sealed_receipt,
            sealed_receipt,
            sequence,
            sequence,
            code,
            at,
            meter,
            epoch,
            sequence,
            sequence,
            code,
        )
