"""Rings against a plain dictionary: rows, numbers and blocks that are compressed."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from firmware_sim.records.ring import BLOCK_SIZE, PLAIN_DEPTH, Ring


class RingMachine(RuleBasedStateMachine):
    """A ring and its model."""

    @initialize(
        row_size=st.sampled_from((4, 12, 38, 68)),
        depth=st.sampled_from((1, 5, PLAIN_DEPTH, PLAIN_DEPTH + 1, 62, 256)),
    )
    def begin(self, row_size: int, depth: int) -> None:
        self.ring, self.rows = Ring(row_size, depth), dict[int, bytes]()
        self.size, self.depth, self.last = row_size, depth, 0

    def add(self, number: int, fill: int) -> None:
        row = (number * 7 + fill).to_bytes(4, "big").ljust(self.size, bytes((fill,)))
        self.ring.append(number, row)
        if number <= self.last:
            return
        if number != self.last + 1:
            self.rows.clear()
        self.rows[number] = row
        self.rows.pop(number - self.depth, None)
        self.last = number

    @rule(count=st.integers(1, 3 * BLOCK_SIZE // 12), fill=st.integers(0, 255))
    def append(self, count: int, fill: int) -> None:
        for _ in range(count):
            self.add(self.last + 1, fill)

    @rule(distance=st.integers(-3, 5))
    def append_elsewhere(self, distance: int) -> None:
        if self.last + distance > 0:
            self.add(self.last + distance, 1)

    @rule(distance=st.integers(0, 100))
    def clear(self, distance: int) -> None:
        self.last += distance
        self.ring.clear(self.last)
        self.rows.clear()

    @rule(count=st.integers(0, 300))
    def read_newest(self, count: int) -> None:
        numbers = sorted(self.rows, reverse=True)[:count]
        assert list(self.ring.newest(count)) == [self.rows[number] for number in numbers]

    @invariant()
    def every_row_is_kept_or_gone(self) -> None:
        if not hasattr(self, "ring"):
            return
        assert self.ring.last == self.last
        assert self.ring.last - self.ring.first + 1 == len(self.rows)
        edges = {self.last - self.depth, self.ring.first - 1, self.last + 1, self.last}
        for number in [*edges, *list(self.rows)[::17]]:
            assert self.ring.get(number) == self.rows.get(number)


RingMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
test_a_ring_keeps_the_newest_rows = RingMachine.TestCase
