"""NVRAM with injected faults: torn, lost and refused writes, failing flushes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from firmware_sim.hal.nvram import Nvram, NvramError, NvramFlushError, PowerCutError


class Draw(Protocol):
    """An applied fault: its amount, and random draws for its details."""

    @property
    def amount(self) -> int: ...
    def below(self, bound: int) -> int: ...


Strike = Callable[[str], Draw | None]
"""Returns the draw of the named fault if it applies now, else None."""


class FaultyNvram:
    """Passes calls to a device; keeps what unflushed writes replaced, so a cut can lose them."""

    def __init__(self, inner: Nvram, strike: Strike, any_faults: Callable[[], bool]) -> None:
        self._inner, self._strike, self._any_faults = inner, strike, any_faults
        self._replaced: list[tuple[int, bytes]] = []

    def read(self, offset: int, size: int) -> bytes:
        """Return up to `size` bytes at `offset`."""
        return self._inner.read(offset, size)

    def write(self, offset: int, data: bytes) -> None:
        """Write; raises NvramError where refused and PowerCutError where the write is torn."""
        if not self._any_faults():
            self._inner.write(offset, data)
            return
        if self._strike("storage_full"):
            raise NvramError("the device is full")
        before = self._inner.read(offset, len(data)).ljust(len(data), b"\0")
        torn = self._strike("torn_write")
        if torn is None:
            self._replaced.append((offset, before))
            self._inner.write(offset, data)
            return
        kept = torn.below(len(data) + 1) if torn.amount < 0 else min(torn.amount, len(data))
        self._replaced.append((offset, before[:kept]))
        self._inner.write(offset, data[:kept])
        self._lose()
        raise PowerCutError

    def flush(self) -> None:
        """Flush all writes; raises NvramFlushError where that fails."""
        if self._strike("flush_fails"):
            raise NvramFlushError("the device failed to flush")
        self._inner.flush()
        self._replaced.clear()

    def _lose(self) -> None:
        """Undo each unflushed write that `lost_writes` selects at random, newest first."""
        for offset, before in reversed(self._replaced):
            lost = self._strike("lost_writes")
            if lost is not None and lost.below(2):
                self._inner.write(offset, before)
        self._replaced.clear()
