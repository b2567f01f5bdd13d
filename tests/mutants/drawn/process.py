"""Test runs in processes of their own, forked from one that has the third-party modules loaded.

A mutant is never written to a file: the process imports the mutated module from its changed source.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from multiprocessing.connection import wait
from multiprocessing.context import ForkProcess
from pathlib import Path
from types import CodeType

import pytest
from hypothesis import settings

LOADED_ONCE = (
    "asyncio",
    "cryptography.hazmat.primitives.cmac",
    "pydantic",
    "pymodbus.client",
    "rich.table",
    "serial",
    "sqlite3",
    "typer.testing",
)
OURS = ("protocols", "firmware_sim", "meterctl", "tests", "examples")
NOT_LOADED = 70
"""Exit code where the tests passed, but never imported the mutated module."""
MEMORY = 4 << 30
"""Bytes a process may map: a mutant that grows without end fails instead of the machine."""


class MutatedModule(SourceFileLoader):
    """Finds and loads one module from a given source instead of its file."""

    def __init__(self, root: Path, file: str, source: str) -> None:
        name = ".".join(Path(file).with_suffix("").parts).removesuffix(".__init__")
        super().__init__(name, str(root / file))
        self.mutated, self.loaded = source, False

    def find_spec(self, fullname: str, *_: object) -> ModuleSpec | None:
        """Return the specification of the mutated module, None for any other."""
        if fullname != self.name:
            return None
        inside = [str(Path(self.path).parent)] if self.path.endswith("__init__.py") else None
        return spec_from_file_location(
            fullname, self.path, loader=self, submodule_search_locations=inside
        )

    def get_code(self, fullname: str) -> CodeType:
        """Compile the given source; no bytecode file is read or written."""
        self.loaded = True
        return compile(self.mutated, self.path, "exec", dont_inherit=True)


def load_third_party() -> None:
    """Import what every test run needs, once, before the first fork."""
    for name in LOADED_ONCE:
        importlib.import_module(name)


def run_tests(
    root: Path, files: Sequence[str], plugin: object, log: Path, mutated: MutatedModule | None
) -> None:
    """Run test files of a tree in this process, with a plugin; end it with pytest's exit code."""
    os.setsid()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    with log.open("wb") as output:
        for stream in (1, 2):
            os.dup2(output.fileno(), stream)
    os.chdir(root)
    os.environ["PYTHONPATH"] = str(root)
    sys.path.insert(0, str(root))
    for name in [name for name in sys.modules if name.split(".")[0] in OURS]:
        del sys.modules[name]
    if mutated:
        sys.meta_path.insert(0, mutated)
    settings.register_profile("repeatable", derandomize=True, database=None, deadline=None)
    settings.load_profile("repeatable")
    # Plain assertions: pytest's rewriting would load the modules of a plugin, ours among them.
    options = ["-q", "--rootdir", str(root), "--assert=plain", "-p", "no:cacheprovider"]
    options += ["-p", "no:xdist", "-p", "no:prepaid_meter", "-p", "no:faulthandler"]
    options += ["-p", "no:schemathesis", "-p", "no:anyio"]
    code = pytest.main([*options, *files], plugins=[plugin])
    if mutated and code == os.EX_OK and not mutated.loaded:
        code = NOT_LOADED
    sys.stdout.flush()
    os._exit(code)


def in_parallel(jobs: Sequence[Callable[[], None]], at_once: int) -> Iterator[tuple[int, int]]:
    """Run each job in a forked process; yield (number, exit code) as they end.

    When the caller stops early, the running ones are killed with all that they started.
    """
    fork = multiprocessing.get_context("fork")
    waiting = list(enumerate(jobs))[::-1]
    running: dict[int, tuple[int, ForkProcess]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                number, job = waiting.pop()
                process = fork.Process(target=job)
                process.start()
                running[process.sentinel] = number, process
            for sentinel in wait(list(running)):
                assert isinstance(sentinel, int)
                number, process = running.pop(sentinel)
                process.join()
                assert process.exitcode is not None
                yield number, process.exitcode
    finally:
        for _, process in running.values():
            assert process.pid is not None
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                process.kill()
            process.join()
