"""Storages of tests: one records its writes, one is only read; and what is found on a device."""

from __future__ import annotations

from firmware_sim.hal.nvram import SimulatedNvram
from firmware_sim.storage.store import load


class RecordingNvram(SimulatedNvram):
    """A device that records every write, so that a test can cut it at each byte."""

    def __init__(self, data: bytes = b"") -> None:
        super().__init__(data)
        self.writes: list[tuple[int, bytes]] = []

    def write(self, offset: int, data: bytes) -> None:
        super().write(offset, data)
        self.writes.append((offset, data))


class Image(SimulatedNvram):
    """A device for reading only."""

    def flush(self) -> None:
        """Do nothing: there was no write."""


def found_on(device: Image) -> tuple[object, ...]:
    """Return the result of a restart: record generation, credit, and every row of every ring."""
    loaded = load(device)
    assert loaded is not None
    rows = tuple(
        tuple(ring.get(n) for n in range(ring.first, ring.last + 1)) for ring in loaded.rings
    )
    return loaded.store._written.generation, loaded.state.account.credit, rows
