"""Draws mutants, runs their tests two at a time, and reports what survived."""

from __future__ import annotations

import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from tests.mutants.drawn.draw import draw
from tests.mutants.drawn.equivalent import EQUIVALENTS
from tests.mutants.drawn.mutation import Mutation
from tests.mutants.drawn.process import in_parallel, load_third_party
from tests.mutants.drawn.recording import RecordingError, covering_tests
from tests.mutants.drawn.trial import Ending, Result, job, read_result, selected_tests
from tests.mutants.tree import ROOT, copy

CACHE = ROOT / ".cache" / "mutants"
WANTED_PERCENT = 95
INTERRUPTED = 130


def run(count: int, seed: int) -> int:
    """Draw `count` mutants from a seed and try them; return the exit code.

    0: at least 95 % were found. 1: fewer, or the product fails without a mutant. 130: interrupted;
    the report then is of the mutants that were tried.
    """
    results: list[Result] = []
    interrupted = False
    with TemporaryDirectory(prefix="mutants-") as name:
        root = Path(name) / "tree"
        root.mkdir()
        copy(root)
        drawn = draw(root, count, seed)
        mutants = [one for one in drawn if not any(known.is_(one) for known in EQUIVALENTS)]
        print(f"{len(drawn)} mutants drawn from seed {seed}", flush=True)
        try:
            _try(root, mutants, results)
        except RecordingError as error:
            print(error)
            return 1
        except KeyboardInterrupt:
            interrupted = True
    _report(results, len(drawn) - len(mutants))
    if interrupted:
        print(f"interrupted: {len(mutants) - len(results)} mutants were not tried")
        return INTERRUPTED
    return int(_found_percent(results) < WANTED_PERCENT)


def _try(root: Path, mutants: list[Mutation], results: list[Result]) -> None:
    """Run the tests of each mutant; append the results as they come."""
    load_third_party()
    at_once = os.cpu_count() or 1
    covering = covering_tests(root, CACHE, root.parent, at_once)
    covered = [one for one in mutants if selected_tests(covering, one)]
    results.extend(Result(one, Ending.NOT_COVERED) for one in mutants if one not in covered)
    progress = [root.parent / f"{at}.txt" for at in range(len(covered))]
    jobs = [job(root, one, covering, path) for one, path in zip(covered, progress, strict=True)]
    began = time.monotonic()
    for done, (number, code) in enumerate(in_parallel(jobs, at_once), 1):
        results.append(read_result(covered[number], code, progress[number]))
        left_s = (time.monotonic() - began) / done * (len(jobs) - done)
        print(f"{done}/{len(jobs)}, {left_s / 60:.0f} min left: {_line(results[-1])}", flush=True)


def _line(result: Result) -> str:
    mutation = result.mutation
    change = f"{_short(mutation.original)} -> {_short(mutation.replacement)}"
    return f"{mutation.file}:{mutation.line} {mutation.kind} {change}: {result.ending.value}"


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= 40 else f"{flat[:37]}..."


def _found_percent(results: list[Result]) -> float:
    return 100 * sum(result.found for result in results) / max(1, len(results))


def _report(results: list[Result], equivalent: int) -> None:
    """Print the mutants that no test found, and the sums."""
    table = Table("file and line", "mutation", "source line", "")
    for result in sorted(results, key=lambda one: (one.mutation.file, one.mutation.begin)):
        if not result.found:
            mutation = result.mutation
            table.add_row(
                f"{mutation.file}:{mutation.line}",
                f"{mutation.kind}: {_short(mutation.original)} -> {_short(mutation.replacement)}",
                _short(mutation.source_line),
                result.ending.value,
                style="red",
            )
    console = Console(width=160, markup=False)
    if table.row_count:
        console.print(table)
    sums = {ending: sum(one.ending is ending for one in results) for ending in Ending}
    print(
        ", ".join(f"{ending.value}: {sums[ending]}" for ending in Ending)
        + f"; equivalent: {equivalent}; {_found_percent(results):.1f} % found"
    )
