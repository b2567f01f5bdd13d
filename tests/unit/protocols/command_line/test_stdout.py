"""What becomes of output that stdout does not take."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

FULL = "/dev/full"
pytestmark = pytest.mark.skipif(not os.path.exists(FULL), reason=f"there is no {FULL}")


@pytest.mark.parametrize("words", [("-h",), ("topup", "-h"), ("--version",)])
def test_help_and_version_on_a_full_stdout_are_a_fault_of_stdout(words: tuple[str, ...]) -> None:
    assert _run("meterctl", *words) == (2, f"meterctl: {REASON}\n")


@pytest.mark.parametrize("words", [("-h",), ("--version",)])
def test_the_meter_says_the_same(words: tuple[str, ...]) -> None:
    assert _run("firmware_sim", *words) == (2, f"meter-sim: {REASON}\n")


def test_completion_on_a_full_stdout_is_a_fault_of_stdout() -> None:
    asked = {"_METERCTL_COMPLETE": "complete_bash", "COMP_WORDS": "meterctl jo", "COMP_CWORD": "1"}
    assert _run("meterctl", **asked) == (2, f"meterctl: {REASON}\n")


REASON = "stdout cannot be written: No space left on device"


def _run(program: str, *words: str, **environment: str) -> tuple[int, str]:
    with open(FULL, "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", program, *words],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            env={**os.environ, **environment},
        )
    return done.returncode, done.stderr
