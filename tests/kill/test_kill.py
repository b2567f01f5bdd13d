"""A kill at any moment neither loses nor doubles a credit; `make kill ROUNDS=200` runs more."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kill.rounds import Fell, Victim, play

ROUNDS, SEED = 25, 7


@pytest.mark.timeout(600)
def test_killed_programs_lose_and_double_nothing(tmp_path: Path) -> None:
    report = play(ROUNDS, SEED, tmp_path)
    print(report)
    assert not report.failures, (
        f"{report}\nagain: python -m tests.kill --rounds {ROUNDS} --seed {SEED}"
    )
    assert report.rounds == ROUNDS
    for victim in Victim:
        assert report.fell[victim, Fell.BETWEEN], (
            f"no kill of {victim.value} fell between\n{report}"
        )
