"""`python -m tests.kill --rounds 200 [--seed N]`: kill programs, audit, count the kills."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.kill.rounds import play


def main() -> int:
    """Run the rounds; exit 1 if an audit failed or too few kills fell inside the window.

    The window is the time between `prepared` and `confirmed`.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.kill", description=__doc__)
    parser.add_argument("--rounds", type=int, default=200, metavar="N")
    parser.add_argument("--seed", type=int, default=time.time_ns() % (1 << 32), metavar="N")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="kill-"))
    again = f"python -m tests.kill --rounds {given.rounds} --seed {given.seed}"
    say(f"seed {given.seed}; the same draws again (not the same microseconds): {again}")
    report = play(given.rounds, given.seed, folder, say)
    print(report)
    if report.failures:
        print(f"meter, journal and log are left in {folder}; again: {again}")
    else:
        shutil.rmtree(folder)
    return int(bool(report.failures) or not report.enough)


def say(text: str) -> None:
    """Print a text on stderr."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
