"""Non-volatile memory: a byte device whose writes may tear until a flush returns (METER.md 9)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class NvramError(Exception):
    """The device refused a write; none of its bytes count."""


class NvramFlushError(NvramError):
    """A flush failed; the content of the device is unknown, so the meter stops."""


class PowerCutError(Exception):
    """Simulated power failure during a write."""


class Nvram(Protocol):
    """A byte device. Reads past the end give fewer bytes; writes extend it."""

    def read(self, offset: int, size: int) -> bytes: ...
    def write(self, offset: int, data: bytes) -> None: ...
    def flush(self) -> None: ...


class SimulatedNvram:
    """A device in memory, with the faults of real ones.

    Power fails after `cut_after` more bytes: the write in progress is torn there. `survives`
    decides, for each write since the last flush, whether it is kept by `power_cycle` (a cache that
    loses or reorders unflushed writes).
    """

    def __init__(self, data: bytes = b"") -> None:
        self.data = bytearray(data)
        self.cut_after: int | None = None
        self.full = False
        self.flush_fails = False
        self.written = 0
        self.flushes = 0
        self._flushed = bytes(data)
        self._since_flush: list[tuple[int, bytes]] = []

    def read(self, offset: int, size: int) -> bytes:
        """Return up to `size` bytes at `offset`."""
        return bytes(self.data[offset : offset + size])

    def write(self, offset: int, data: bytes) -> None:
        """Write; raises NvramError when full and PowerCutError at the cut."""
        if self.full:
            raise NvramError("the device is full")
        kept = data if self.cut_after is None else data[: self.cut_after]
        if len(self.data) < offset + len(kept):
            self.data.extend(bytes(offset + len(kept) - len(self.data)))
        self.data[offset : offset + len(kept)] = kept
        self._since_flush.append((offset, kept))
        self.written += len(kept)
        if self.cut_after is not None:
            self.cut_after -= len(kept)
            if len(kept) < len(data) or self.cut_after == 0:
                raise PowerCutError

    def flush(self) -> None:
        """Flush all writes; raises NvramFlushError where that fails."""
        if self.flush_fails:
            raise NvramFlushError("the device failed to flush")
        self.flushes += 1
        self._flushed = bytes(self.data)
        self._since_flush.clear()

    def power_cycle(self, survives: Callable[[int], bool] = lambda _: True) -> SimulatedNvram:
        """Return the device after a power cut; unflushed write i is kept if `survives(i)`."""
        data = bytearray(self._flushed)
        for index, (offset, written) in enumerate(self._since_flush):
            if survives(index):
                if len(data) < offset + len(written):
                    data.extend(bytes(offset + len(written) - len(data)))
                data[offset : offset + len(written)] = written
        return SimulatedNvram(bytes(data))
