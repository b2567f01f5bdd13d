"""Seeds of the simulation, every seed that ever failed, and the events that must occur in them."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.simulation.runs import play, regressions

SEEDS = 180
EACH = 10
HAPPENS = (
    "resealed", "vended", "key advanced", "18 sellers", "journal copied", "journal restored",
    "copy refused",
    "set back", "new storage", "opening card", "taken from a card", "SEQUENCE_CONFLICT", "EXPIRED",
    "UnknownOutcomeError",
    "lie: registers", "lie: swallow", "lie: release", "lie: replay_status", "lie: replay_receipt",
    "lie: replay_answer", "lie: refuse", "lie: accept", "lie: divert", "lie: empty_status",
    "lie: forge_status",
    "lie: forge_answer",
    "fault: packets", "fault: stall", "fault: echo", "fault: meter_echo", "fault: reply_late",
    "reading compared",
    "plain: ACCEPTED", "plain: ALREADY_ACCEPTED", "plain: SEQUENCE_CONFLICT", "plain credit named",
)  # fmt: skip
"""Events that occur in the first seeds; a world without them would not test them."""
WATCHED = 70


@pytest.mark.parametrize("first", range(0, SEEDS, EACH))
def test_seeds(first: int) -> None:
    played = [play(seed) for seed in range(first, first + EACH)]
    assert not [one.failure for one in played if one.failure], "\n".join(
        one.failure for one in played
    )
    assert sum(one.delivered for one in played) > 20, "the world stood still"


@pytest.mark.parametrize(("seed", "draws"), regressions())
def test_a_seed_that_failed_once(seed: int, draws: int) -> None:
    assert not play(seed, draws).failure


def test_what_the_worlds_are_for_happens_in_them() -> None:
    seen = sum((play(seed).seen for seed in range(1000, 1000 + WATCHED)), Counter[str]())
    assert not [name for name in HAPPENS if not seen[name]], seen


@pytest.mark.parametrize("seed", [3, 7, 18, 42])
def test_the_same_seed_is_the_same_world(seed: int) -> None:
    first, again = play(seed), play(seed)
    assert first == again
    assert first.story
    assert first.story == again.story
