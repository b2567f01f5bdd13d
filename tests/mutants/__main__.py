"""`make mutants`: apply each mutant to a copy of the product, and fail if one survives.

The simulation runs first, but for mutants of the desk, which it does not run; a mutant that no seed
finds must be found by its named tests. The product without a mutant must pass all of them, since
only then does a failure prove a find.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.mutants.catalogue import MUTANTS
from tests.mutants.drawn.run import run as run_drawn
from tests.mutants.mutant import Mutant, MutantError
from tests.mutants.tree import copy

SEEDS = 60
WITHIN_S = 600


def run(folder: Path, *arguments: str) -> tuple[bool, str]:
    """Run Python on a copy; return whether it failed, and its output."""
    environment = os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, *arguments]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return True, f"no end within {WITHIN_S} s"
    return done.returncode != 0, done.stdout + done.stderr


def seeds(folder: Path) -> tuple[bool, str]:
    """Run the simulation on a copy."""
    return run(
        folder, "-m", "tests.simulation", "--seeds", str(SEEDS), "--from", "0", "--first", "--one"
    )


def tests(folder: Path, paths: tuple[str, ...]) -> tuple[bool, str]:
    """Run tests on a copy."""
    return run(
        folder,
        "-m",
        "pytest",
        "-x",
        "-q",
        "-p",
        "no:prepaid_meter",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        *paths,
    )


def found_by(mutant: Mutant) -> str:
    """Return the seed or test that found a mutant, empty if it survived."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy(folder)
        target = folder / mutant.file
        try:
            target.write_text(mutant.applied(target.read_text()))
        except MutantError as error:
            raise SystemExit(str(error)) from None
        failed, said = run(folder, "-c", "import firmware_sim.cli, meterctl.cli.program")
        if failed:
            raise SystemExit(
                f"{mutant.name}: the product does not even start with it, which proves "
                f"nothing: {said}"
            )
        failed, said = seeds(folder) if mutant.is_simulated else (False, "")
        if failed:
            return next(
                (line.strip() for line in said.splitlines() if line.startswith("seed ")),
                "the simulation",
            )
        failed, said = tests(folder, mutant.tests)
        if failed:
            return next(
                (line.strip() for line in said.splitlines() if line.startswith("FAILED")),
                mutant.tests[0],
            )
    return ""


def sound() -> str:
    """Return the failures of the product without a mutant, empty if there is none."""
    with tempfile.TemporaryDirectory() as name:
        copy(Path(name))
        failed, said = seeds(Path(name))
        if not failed:
            failed, said = tests(
                Path(name), tuple(dict.fromkeys(path for m in MUTANTS for path in m.tests))
            )
        return said if failed else ""


def catalogue() -> int:
    """Run each mutant and print what found it; exit 1 if one survived."""
    began = time.monotonic()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        whole = pool.submit(sound)
        finders = []
        for mutant, finder in zip(MUTANTS, pool.map(found_by, MUTANTS), strict=True):
            finders.append(finder)
            print(f"{mutant.name}: {finder[:100] or 'SURVIVED'}", flush=True)
    if said := whole.result():
        print(f"the product itself does not pass:\n{said}")
        return 1
    table = Table("mutant", "found by")
    for mutant, finder in zip(MUTANTS, finders, strict=True):
        table.add_row(mutant.name, finder or "[bold red]no test: it survived[/]")
    Console(width=160).print(table)
    survivors = finders.count("")
    print(f"{len(MUTANTS)} mutants, {survivors} survived; {time.monotonic() - began:.0f} s")
    return int(survivors > 0)


def main() -> int:
    """Run the mutants of the catalogue, or drawn ones."""
    parser = argparse.ArgumentParser(prog="tests.mutants")
    parser.add_argument("--random", type=int, metavar="N", help="draw N mutants instead")
    parser.add_argument("--seed", type=int, default=1, help="the seed of the draw")
    arguments = parser.parse_args()
    if arguments.random is None:
        return catalogue()
    return run_drawn(arguments.random, arguments.seed)


if __name__ == "__main__":
    sys.exit(main())
