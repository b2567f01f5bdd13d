"""Seeds of the desk on both engines, and the events that have to occur in them."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.desk.simulation.runs import play
from tests.desk.simulation.templates import Templates
from tests.support.desk_databases import POSTGRESQL, SQLITE
from tests.support.postgresql import Server

SEEDS, ON_POSTGRESQL, EACH = 50, 10, 25
HAPPENS = (
    "taken over", "reading", "take", "take: on_card", "take: cash_limit",
    "take: key_reused", "same key again", "cancel", "pay", "move", "bounce", "approve",
    "approve: not_allowed", "count", "close_day", "card both", "card erased",
    "killed: sending", "killed: prepared", "killed: sent", "killed: settled", "killed: posted",
    "lie: request_lost", "lie: reply_lost", "lie: late", "lie: twice", "lie: request_damaged",
    "lie: reply_damaged", "sale: taken > delivered", "sale: taken > on_card", "sale: taken > dead",
    "sale: sending > taken", "sale: sending > unknown", "sale: unknown > delivered",
    "sale: on_card > delivered",
)  # fmt: skip
"""Events that occur in so many seeds; a desk without them would not be tested."""


def played(engine: str, seeds: range, made: Templates) -> Counter[str]:
    """Run seeds; return what happened in them how often."""
    results = [play(seed, engine, made=made) for seed in seeds]
    failures = [one.failure for one in results if one.failure]
    assert not failures, "\n".join(failures)
    return sum((one.seen for one in results), Counter[str]())


@pytest.mark.parametrize("first", range(0, SEEDS, EACH))
def test_seeds(first: int, desk_templates: Templates) -> None:
    seen = played(SQLITE, range(first, first + EACH), desk_templates)
    assert not [name for name in HAPPENS if not seen[name]], seen


@pytest.mark.parametrize("first", range(SEEDS, SEEDS + ON_POSTGRESQL, ON_POSTGRESQL))
def test_seeds_on_postgresql(
    first: int, postgresql_server: Server, desk_templates: Templates
) -> None:
    seen = played(POSTGRESQL, range(first, first + ON_POSTGRESQL), desk_templates)
    assert seen["sale: taken > delivered"]


def test_the_same_seed_is_the_same_story(desk_templates: Templates) -> None:
    first, again = (play(7, made=desk_templates) for _ in range(2))
    assert first.story
    assert first == again
