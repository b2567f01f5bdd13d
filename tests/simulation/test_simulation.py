"""500 seeds, and every one that ever failed."""

from __future__ import annotations

import pytest

from tests.simulation.runs import play, regressions

SEEDS = 500
EACH = 10


@pytest.mark.parametrize("first", range(0, SEEDS, EACH))
def test_seeds(first: int) -> None:
    played = [play(seed) for seed in range(first, first + EACH)]
    assert not [one.failure for one in played if one.failure], "\n".join(one.failure for one in played)
    assert sum(one.delivered for one in played) > 20, "the world stood still"


@pytest.mark.parametrize("seed", regressions())
def test_a_seed_that_failed_once(seed: int) -> None:
    assert not play(seed).failure


def test_the_same_seed_is_the_same_world() -> None:
    assert play(3) == play(3)
