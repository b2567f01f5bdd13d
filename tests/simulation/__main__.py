"""`make simulate SEEDS=n [FROM=k]`: run n seeds and record failing ones in regressions.txt."""

from __future__ import annotations

import argparse
import secrets
import sys
import time
from collections import Counter

from rich.progress import track

from tests.simulation.runs import REGRESSIONS, play, play_all, regressions
from tests.simulation.world import LATEST_DRAWS


def main() -> int:
    """Run, print `n seeds, m failures` and the rate; exit 1 if any failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument(
        "--from", dest="start", type=int, help="the first seed; drawn where it is not given"
    )
    parser.add_argument(
        "--first", dest="stop", action="store_true", help="stop at the first failure"
    )
    parser.add_argument(
        "--one", action="store_true", help="on one processor, and without keeping what fails"
    )
    parser.add_argument(
        "--draws", type=int, default=LATEST_DRAWS, help="the version of the draws of a seed"
    )
    given = parser.parse_args()
    first = secrets.randbelow(10**9) if given.start is None else given.start
    print(f"from {first}")
    began, failed, top_ups, crashes, delivered = time.monotonic(), 0, 0, 0, 0
    seen: Counter[str] = Counter()
    seeds = range(first, first + given.seeds)
    played = (
        (play(seed, given.draws) for seed in seeds) if given.one else play_all(seeds, given.draws)
    )
    for one in track(played, "simulating", given.seeds, disable=not sys.stdout.isatty()):
        top_ups, crashes, delivered = (
            top_ups + one.top_ups,
            crashes + one.crashes,
            delivered + one.delivered,
        )
        seen += one.seen
        if one.failure:
            failed += 1
            print(one.failure)
            if given.stop:
                break
            if not given.one and (one.seed, given.draws) not in regressions():
                with REGRESSIONS.open("a") as file:
                    file.write(f"{one.seed} {given.draws}\n")
    took = time.monotonic() - began
    print(f"{given.seeds} seeds, {failed} failures; {given.seeds / took:.1f} seeds/s")
    print(
        f"{top_ups} top-ups begun, {delivered} sealed messages reached a meter, "
        f"{crashes} meters restarted"
    )
    print(", ".join(f"{name} {count}" for name, count in sorted(seen.items())))
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
