"""Commands of the desk killed at each point, in a few rounds; `make desk-kill` has more."""

from __future__ import annotations

from pathlib import Path

from tests.desk.kill.commands import KillPoint
from tests.desk.kill.rounds import Victim, play

ROUNDS = 10


def test_a_killed_command_loses_nothing_and_delivers_nothing_twice(tmp_path: Path) -> None:
    report = play(ROUNDS, 1, tmp_path, lambda _: None)
    assert not report.failures, str(report)
    assert report.rounds == ROUNDS
    assert {point for _, point in report.killed} == set(KillPoint)
    assert {victim for victim, _ in report.killed} == set(Victim)
