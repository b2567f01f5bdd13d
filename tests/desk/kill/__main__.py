"""`make desk-kill ROUNDS=200 [SEED=n]`: kill commands of the desk, audit both sides, count."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.desk.kill.rounds import play


def main() -> int:
    """Run the rounds; exit 1 if an audit failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.desk.kill", description=__doc__)
    parser.add_argument("--rounds", type=int, default=200, metavar="N")
    parser.add_argument("--seed", type=int, default=time.time_ns() % (1 << 32), metavar="N")
    given = parser.parse_args()
    again = f"python -m tests.desk.kill --rounds {given.rounds} --seed {given.seed}"
    with tempfile.TemporaryDirectory(prefix="desk-kill-") as folder:
        report = play(given.rounds, given.seed, Path(folder), _say)
    print(report)
    if report.failures:
        print(f"again: {again}")
    return int(bool(report.failures))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
