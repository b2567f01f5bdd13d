"""Records which tests execute which lines: a test run with coverage, test by test."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.mutants.drawn.covering import PRODUCT, CoveringTests, digests, load
from tests.mutants.drawn.process import in_parallel, run_tests

FILES_AT_ONCE = 4


class RecordingError(Exception):
    """The product does not pass its tests without a mutant."""


class Recorder:
    """A plugin that gives each test a context of coverage, and measures it."""

    def __init__(self, root: Path, kept: dict[str, Path]) -> None:
        self._root, self._kept = root, kept
        self._seconds: dict[str, float] = {}

    def pytest_sessionstart(self) -> None:
        from coverage import Coverage

        self._coverage = Coverage(
            data_file=None, config_file=False, source=[str(self._root / name) for name in PRODUCT]
        )
        self._coverage.start()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        began = time.monotonic()
        self._coverage.switch_context(item.nodeid)
        outcome = yield
        self._coverage.switch_context("")
        self._seconds[item.nodeid] = time.monotonic() - began
        return outcome

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        self._coverage.stop()
        if exitstatus != 0:
            return
        lines: dict[str, dict[str, int]] = {name: {} for name in ("", *self._seconds)}
        data = self._coverage.get_data()
        for path in data.measured_files():
            file = Path(path).relative_to(self._root).as_posix()
            for line, contexts in data.contexts_by_lineno(path).items():
                for name in contexts:
                    lines[name][file] = lines[name].get(file, 0) | 1 << line
        for test_file, path in self._kept.items():
            part = {
                name: (round(seconds, 4), {file: hex(bits) for file, bits in lines[name].items()})
                for name, seconds in {"": 0.0, **self._seconds}.items()
                if name.split("::")[0] in ("", test_file)
            }
            whole = path.with_suffix(".new")
            whole.write_text(json.dumps(part))
            whole.replace(path)


def covering_tests(root: Path, cache: Path, folder: Path, at_once: int) -> CoveringTests:
    """Return the covering tests of a copied tree; records the test files that have no kept part.

    Raises:
        RecordingError: a test fails.
    """
    cache.mkdir(parents=True, exist_ok=True)
    wanted = digests(root)
    covering, missing = load(cache, wanted)
    if not missing:
        return covering
    print(f"recording what {len(missing)} test files execute ...", flush=True)
    starts = range(0, len(missing), FILES_AT_ONCE)
    batches = [missing[at : at + FILES_AT_ONCE] for at in starts]
    count = len(batches)
    logs = [folder / f"recording-{at}.log" for at in range(count)]
    jobs = [
        partial(
            run_tests,
            root,
            batch,
            Recorder(root, {name: cache / f"{wanted[name]}.json" for name in batch}),
            log,
            None,
        )
        for batch, log in zip(batches, logs, strict=True)
    ]
    for done, (number, code) in enumerate(in_parallel(jobs, at_once), 1):
        if code != os.EX_OK:
            said = logs[number].read_text(errors="replace")
            raise RecordingError(f"the product does not pass its tests:\n{said[-4000:]}")
        print(f"  {done} of {count}", flush=True)
    return load(cache, wanted)[0]
