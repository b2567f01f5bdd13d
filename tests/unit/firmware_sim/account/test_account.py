"""Split of a top-up (METER.md 6): overdraft first, then the debt share, the rest is credit."""

from __future__ import annotations

import pytest

from firmware_sim.account.account import Account, Split, split_top_up


@pytest.mark.parametrize(
    ("credit", "debt", "amount", "share", "parts"),
    [
        (500, 0, 100, 30, Split(0, 0, 100)),
        (500, 1000, 100, 30, Split(0, 30, 70)),
        (500, 10, 100, 30, Split(0, 10, 90)),
        (
            -80,
            1000,
            100,
            30,
            Split(80, 20, 0),
        ),  # 30 % of the amount would be 30, but the overdraft leaves 20
        (-80, 1000, 200, 30, Split(80, 60, 60)),
        (-300, 1000, 100, 100, Split(100, 0, 0)),
        (-100, 1000, 100, 100, Split(100, 0, 0)),
        (0, 1000, 99, 50, Split(0, 49, 50)),  # rounded down, never up
    ],
)
def test_the_three_parts_of_a_top_up(
    credit: int, debt: int, amount: int, share: int, parts: Split
) -> None:
    assert split_top_up(Account(credit=credit, debt=debt), amount, share) == parts
    assert sum(parts) == amount
