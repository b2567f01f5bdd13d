"""Hosts of the simulation: each has a journal, a key ring and a pipe; journals may be copied."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from meterctl.journal import Entry, Journal
from meterctl.key_ring import KeyRing
from tests.simulation import lines
from tests.simulation.lines import JournalLine
from tests.simulation.pipes import CrashingPipe

RandomBytes = Callable[[int], bytes]


@dataclass
class Host:
    """A vending point.

    `generation` counts its journals; `lost` holds the entries of the replaced ones. `served` holds
    the meters that it served although they were set back; `sellers` maps an entry of a copied
    journal to the journal that made it.
    """

    number: int
    journal: Journal
    ring: KeyRing
    pipe: CrashingPipe
    random: RandomBytes
    generation: int = 0
    lost: list[JournalLine] = field(default_factory=list)
    served: set[str] = field(default_factory=set)
    sellers: dict[int, str] = field(default_factory=dict)
    _sellers_then: dict[int, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name of its present journal."""
        return f"{self.number}.{self.generation}"

    def lines(self) -> Iterable[JournalLine]:
        """Return the entries of its present and its replaced journals."""
        yield from self.lost
        yield from (self._line(entry) for entry in self.journal.entries())

    def _line(self, e: Entry) -> JournalLine:
        state = lines.BY_HAND if e.is_closed_by_hand else e.state.value
        return JournalLine(
            e.meter,
            e.epoch,
            e.sequence,
            e.kind,
            e.amount,
            state,
            e.message,
            self.name,
            seller=self.sellers.get(e.id, self.name),
        )

    def restart(self) -> None:
        """Restart the host: its process ended, and a new one opens the journal."""
        self.pipe.prepare(0)
        self.journal.close()
        self.journal = Journal(self.journal.path, self.random)

    @property
    def backup(self) -> Path:
        """The path of an earlier copy of its journal, which may not exist."""
        return self.journal.path.with_suffix(".earlier")

    def back_up(self) -> None:
        """Copy the journal."""
        shutil.copyfile(self.journal.path, self.backup)
        self._sellers_then = self._sellers_now()

    def _sellers_now(self) -> dict[int, str]:
        return {e.id: self.sellers.get(e.id, self.name) for e in self.journal.entries()}

    def restore(self) -> None:
        """Replace the journal with its earlier copy."""
        self._take(self.backup, self._sellers_then)

    def copy_from(self, other: Host) -> None:
        """Replace the own journal with a copy of another host's."""
        self._take(other.journal.path, other._sellers_now())

    def _take(self, source: Path, sellers: dict[int, str]) -> None:
        self.lost += [replace(self._line(entry), lost=True) for entry in self.journal.entries()]
        path = self.journal.path
        self.journal.close()
        shutil.copyfile(source, path)
        self.generation += 1
        self.sellers = dict(sellers)
        self.journal = Journal(path, self.random)
