"""`make desk-simulate SEEDS=n [FROM=k]`: run n seeds of the desk beside plain dictionaries."""

from __future__ import annotations

import argparse
import secrets
import sys
import time
from collections import Counter

from rich.progress import track

from tests.desk.simulation.runs import STEPS, play_all
from tests.support.desk_databases import POSTGRESQL, SQLITE


def main() -> int:
    """Run, print `n seeds, m failures` and the rate; exit 1 if any failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.desk.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--from", dest="start", type=int, help="the first seed; else it is drawn")
    parser.add_argument("--steps", type=int, default=STEPS, help="events in a seed")
    parser.add_argument("--postgresql", action="store_true", help="on a PostgreSQL of its own")
    parser.add_argument("--first", action="store_true", help="stop at the first failure")
    given = parser.parse_args()
    first = secrets.randbelow(10**9) if given.start is None else given.start
    engine = POSTGRESQL if given.postgresql else SQLITE
    print(f"from {first}")
    began, failed, seen = time.monotonic(), 0, Counter[str]()
    played = play_all(range(first, first + given.seeds), engine, given.steps)
    for one in track(played, "simulating", given.seeds, disable=not sys.stdout.isatty()):
        seen += one.seen
        if one.failure:
            failed += 1
            print(one.failure)
            if given.first:
                break
    took = time.monotonic() - began
    print(f"{given.seeds} seeds, {failed} failures; {given.seeds / took:.1f} seeds/s")
    print(", ".join(f"{name} {count}" for name, count in sorted(seen.items())))
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
