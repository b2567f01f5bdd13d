"""One mutant before its tests: found, timed out or survived."""

from __future__ import annotations

import faulthandler
import os
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from pathlib import Path

import pytest

from tests.mutants.drawn.covering import CoveringTests
from tests.mutants.drawn.mutation import Mutation
from tests.mutants.drawn.process import NOT_LOADED, MutatedModule, run_tests

STDERR = 2
CAP_S = 60
"""The tests of one mutant take no longer than this without it."""
COLLECTION_S = 60
FACTOR, EXTRA_S = 20, 10
"""A test ends within this many times its duration and so many seconds, or it has timed out."""


class Ending(Enum):
    """How a mutant's tests ended."""

    FOUND = "found"
    TIMED_OUT = "timed out"
    SURVIVED = "survived"
    NOT_COVERED = "not covered"


@dataclass(frozen=True, slots=True)
class Result:
    """The ending of a mutant's tests, and the test that found it."""

    mutation: Mutation
    ending: Ending
    test: str = ""

    @property
    def found(self) -> bool:
        """Whether a test noticed the mutant: by failing or by not ending."""
        return self.ending in (Ending.FOUND, Ending.TIMED_OUT)


class Runner:
    """A plugin that runs selected tests in their order, each within its time, and writes which."""

    def __init__(self, selected: dict[str, float], known: set[str], progress: Path) -> None:
        self._selected, self._known, self._progress = selected, known, progress
        faulthandler.dump_traceback_later(COLLECTION_S, exit=True, file=STDERR)

    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        order = {name: at for at, name in enumerate(self._selected)}
        # A mutant may change the parameters of a test, and with them its name.
        kept = [item for item in items if item.nodeid in order or item.nodeid not in self._known]
        items[:] = sorted(kept, key=lambda item: order.get(item.nodeid, len(order)))

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        limit_s = self._selected.get(nodeid, 1) * FACTOR + EXTRA_S
        faulthandler.dump_traceback_later(limit_s, exit=True, file=STDERR)
        self._progress.write_text(f"began {nodeid}")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._progress.write_text(f"failed {report.nodeid}")


def selected_tests(covering: CoveringTests, mutation: Mutation) -> dict[str, float]:
    """Return the tests that a mutant has to pass, the quickest first, with their durations."""
    selected: dict[str, float] = {}
    sum_s = 0.0
    for name in covering.of(mutation.file, *mutation.statement):
        seconds = covering.tests[name].seconds
        sum_s += seconds
        if sum_s > CAP_S and selected:
            break
        selected[name] = seconds
    return selected


def job(root: Path, mutation: Mutation, covering: CoveringTests, progress: Path) -> partial[None]:
    """Return the job that runs the tests of one mutant in a process of its own."""
    selected = selected_tests(covering, mutation)
    files = list(dict.fromkeys(name.split("::")[0] for name in selected))
    source = mutation.applied((root / mutation.file).read_text())
    return partial(_run, root, mutation.file, source, files, selected, covering, progress)


def _run(
    root: Path,
    file: str,
    source: str,
    files: Sequence[str],
    selected: dict[str, float],
    covering: CoveringTests,
    progress: Path,
) -> None:
    progress.write_text("began to import")
    runner = Runner(selected, set(covering.tests), progress)
    mutated = MutatedModule(root, file, source)
    run_tests(root, ["-x", *files], runner, progress.with_suffix(".log"), mutated)


def read_result(mutation: Mutation, code: int, progress: Path) -> Result:
    """Return what the exit code of a mutant's process, and the last test in it, say."""
    assert code != NOT_LOADED, f"no test imports {mutation.file}"
    state, _, test = progress.read_text().partition(" ")
    if code == os.EX_OK:
        return Result(mutation, Ending.SURVIVED)
    if code == pytest.ExitCode.TESTS_FAILED and state == "began":
        return Result(mutation, Ending.TIMED_OUT, test)
    return Result(mutation, Ending.FOUND, test)
