"""`python -m benchmarks`: measure the subjects one after another and print one table."""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import signal
import sys
import time
from collections.abc import Sequence

from benchmarks.figures import Figure, table
from benchmarks.meter_year import SPINS, spin_s

SUBJECTS = (
    "modbus_tcp",
    "modbus_rtu",
    "modbus_maps",
    "meter_year",
    "memory",
    "growth",
    "top_ups",
    "desk_ledger",
    "desk_wire",
    "desk_pages",
    "field",
    "starvation",
    "start",
)


def main(arguments: Sequence[str]) -> int:
    """Measure the subjects asked for.

    The exit code is 0 where every subject could be measured, however fast.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="fewer rounds: an estimate, not a measurement"
    )
    parser.add_argument(
        "--only", action="append", choices=SUBJECTS, metavar="NAME", help=", ".join(SUBJECTS)
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a row on stdout")
    given = parser.parse_args(arguments)
    signal.signal(
        signal.SIGTERM, lambda *_: sys.exit(143)
    )  # so that every started process is ended
    say(_machine())
    figures: list[Figure] = []
    failed = False
    for name in given.only or SUBJECTS:
        began = time.monotonic()
        try:
            for figure in importlib.import_module(f"benchmarks.{name}").measure(given.quick):
                figures.append(figure)
                if given.json:
                    print(figure.json(), flush=True)
        except (
            Exception
        ) as error:  # a subject that cannot be measured must not discard the other figures
            failed = True
            say(f"{name}: {type(error).__name__}: {error}")
        except KeyboardInterrupt:
            failed = True
            say(f"{name}: interrupted")
            break
        say(f"{name}: {time.monotonic() - began:.0f} s")
    if not given.json:
        print(table(figures))
    return int(failed)


def say(text: str) -> None:
    """Print a text for a person on stderr."""
    print(text, file=sys.stderr, flush=True)


def _machine() -> str:
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    return (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs, load average {load}, "
        f"Python {platform.python_version()}, {SPINS:,} additions in "
        f"{min(spin_s() for _ in range(3)):.2f} s"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
