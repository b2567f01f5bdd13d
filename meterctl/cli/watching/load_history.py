"""The course of one value over a whole watch, in constant memory, as a line of bars. Pure."""

from __future__ import annotations

from collections.abc import Sequence

BUCKETS = 512
"""Points that are kept; when they are used up, each two become one."""
BARS, ASCII_BARS = "▁▂▃▄▅▆▇█", "_.:-=+*#"
NO_VALUE = " "


class LoadHistory:
    """Means of a value over equal times, from its first value on."""

    def __init__(self, interval_ms: int) -> None:
        self._interval_ms = interval_ms
        self._began_ms: int | None = None
        self._last_ms = 0
        self._sums: list[tuple[int, int]] = []
        """Sum and count of the values of each interval; a count of 0 is a time without any."""
        self.low: int | None = None
        self.high: int | None = None

    @property
    def duration_ms(self) -> int:
        """From the first value to the last one."""
        return 0 if self._began_ms is None else self._last_ms - self._began_ms

    def add(self, at_ms: int, value: int) -> None:
        """Add a value; times do not fall."""
        if self._began_ms is None:
            self._began_ms = at_ms
        while (place := (at_ms - self._began_ms) // self._interval_ms) >= BUCKETS:
            self._halve()
        self._sums += [(0, 0)] * (place + 1 - len(self._sums))
        total, count = self._sums[place]
        self._sums[place] = total + value, count + 1
        self._last_ms = at_ms
        self.low = value if self.low is None else min(self.low, value)
        self.high = value if self.high is None else max(self.high, value)

    def _halve(self) -> None:
        self._interval_ms *= 2
        pairs = zip(self._sums[::2], [*self._sums[1::2], (0, 0)], strict=False)
        self._sums = [(a + c, b + d) for (a, b), (c, d) in pairs]

    def means(self, width: int) -> list[int | None]:
        """Return at most `width` means of equal times, oldest first; None where no value was."""
        each = -(-len(self._sums) // width) or 1
        groups = [self._sums[at : at + each] for at in range(0, len(self._sums), each)]
        means: list[int | None] = []
        for group in groups:
            count = sum(number for _, number in group)
            means.append(sum(total for total, _ in group) // count if count else None)
        return means


def bars(means: Sequence[int | None], rows: int, glyphs: str) -> list[str]:
    """Return means as bars of some rows, the highest row first, from 0 or the lowest value on."""
    known = [mean for mean in means if mean is not None]
    low, high = min([0, *known]), max([0, *known])
    steps = rows * len(glyphs)
    heights = [
        None if mean is None else 1 + (mean - low) * (steps - 1) // max(high - low, 1)
        for mean in means
    ]
    return [
        "".join(_cell(height, row * len(glyphs), glyphs) for height in heights)
        for row in range(rows - 1, -1, -1)
    ]


def _cell(height: int | None, below: int, glyphs: str) -> str:
    """Return the part of a bar in a row that begins at a height."""
    if height is None or height <= below:
        return NO_VALUE
    return glyphs[min(height - below, len(glyphs)) - 1]
