"""`make fuzz SECONDS=n`: run all targets, guided by coverage if atheris is installed.

Inputs with new coverage are stored in tests/fuzz/corpus/<target>/, failing inputs there too,
shortened, as crash-…. Exit code 1 if a target failed.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.fuzz.corpus import CRASH, FOLDER, HangError, files, keep, minimise, shortened
from tests.fuzz.runs import Tally, limited
from tests.fuzz.seeds import seeds
from tests.fuzz.source import Source, damaged
from tests.fuzz.targets import TARGETS, shares

STEPS = 60
"""Random bytes for one mutation of an input in the plain loop."""


def main(words: Sequence[str] | None = None) -> int:
    """Run the targets, report, store findings; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="how long to fuzz (60)")
    parser.add_argument("--seed", type=int, default=1, help="the only source of randomness (1)")
    parser.add_argument("--plain", action="store_true", help="do not use atheris")
    parser.add_argument(
        "targets", nargs="*", metavar="TARGET", help=f"default: all of {', '.join(TARGETS)}"
    )
    asked = parser.parse_args(words)
    names = asked.targets or list(TARGETS)
    if unknown := set(names) - set(TARGETS):
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    guided = not asked.plain and find_spec("atheris") is not None
    began = time.monotonic()
    if guided:
        tally, found = run_guided(names, asked.seconds, asked.seed)
    else:
        if not asked.plain:
            print("atheris is not installed (no wheel for this Python?)", end=": ")
        print("a plain mutating loop over the corpus, NOT guided by coverage")
        tally, found = run_plain(names, asked.seconds, asked.seed), {}
    took = max(time.monotonic() - began, 1)
    report(tally, names, took)
    if guided:
        print(f"corpus: {minimise(found)} files")
    return 1 if tally.crashes else 0


def run_guided(names: list[str], seconds: int, seed: int) -> tuple[Tally, dict[str, list[bytes]]]:
    """Fuzz in child processes; return the tally and the inputs with new coverage by target."""
    with TemporaryDirectory() as folder:
        for name in names:
            for sub in ("begin", "found"):
                Path(folder, sub, name).mkdir(parents=True)
            for number, data in enumerate(beginnings(name)):
                Path(folder, "begin", name, str(number)).write_bytes(data)
        words = [sys.executable, "-m", "tests.fuzz.guided", folder, str(seconds), str(seed), *names]
        done = subprocess.run(words, check=False, capture_output=True, text=True, errors="replace")
        if done.returncode:
            raise SystemExit(f"the fuzzer itself failed:\n{done.stderr[-4000:]}")
        tally = Tally()
        for name in names:
            written = Path(folder, f"{name}.json")
            if written.exists():
                tally.add(Tally.read(written))
            else:
                print(
                    f"{name}: libFuzzer itself "
                    f"ended:\n{Path(folder, f'{name}.log').read_text(errors='replace')[-800:]}"
                )
                artifacts = sorted(Path(folder).glob(f"{name}.artifact-*"))
                tally.crashes[name, f"{CRASH}libFuzzer-"] = (
                    artifacts[0].read_bytes() if artifacts else b""
                )
        found = {
            name: [path.read_bytes() for path in sorted(Path(folder, "found", name).iterdir())]
            for name in names
        }
        return tally, found


def run_plain(names: list[str], seconds: int, seed: int) -> Tally:
    """Mutate inputs of the corpus by a seeded generator, each target for its share of the time."""
    tally, chance = Tally(), random.Random(seed)
    known = {name: beginnings(name) for name in names}
    for name in names:
        for data in known[name]:
            tally.run(name, data)
    for name, share in shares(names).items():
        end = time.monotonic() + seconds * share
        while time.monotonic() < end:
            tally.run(name, damaged(chance.choice(known[name]), Source(chance.randbytes(STEPS))))
    return tally


def beginnings(name: str) -> list[bytes]:
    """Return seeds, corpus and crashes of a target; a known hang would only use up its time."""
    known = [
        path for path in files(name) if not path.name.startswith(f"{CRASH}{HangError.__name__}")
    ]
    return [*seeds()[name], *(path.read_bytes() for path in known)]


def report(tally: Tally, names: Sequence[str], took: float) -> None:
    """Print executions by target and every crash, whose input is shortened and stored in a file."""
    for name in names:
        print(f"{name:20} {tally.executions[name]:>10,}")
    total = sum(tally.executions.values())
    print(
        f"{'executions':20} {total:>10,} in {took:.0f} s, {total / took:,.0f} a second; "
        f"crashes: {len(tally.crashes)}"
    )
    for path, first_line in _kept(tally.crashes).items():
        print(f"{path.relative_to(FOLDER.parents[2])}: {first_line}")


def _kept(crashes: Mapping[tuple[str, str], bytes]) -> dict[Path, str]:
    kept = {}
    for (name, how), data in crashes.items():
        short = (
            data
            if how.startswith(f"{CRASH}{HangError.__name__}")
            else shortened(TARGETS[name], data)
        )
        try:
            with limited():
                TARGETS[name](short)
            words = "it does not break again"
        except Exception as error:
            words = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        for old in files(name):
            if old.name.startswith(how):
                old.unlink()
        kept[keep(name, short, how)] = words
    return kept


if __name__ == "__main__":
    sys.exit(main())
