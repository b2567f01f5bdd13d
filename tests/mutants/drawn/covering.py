"""Which tests execute which lines of the product, and how long each takes.

Each test file is run once with coverage by test, in a copy of the tree. Its part is kept under
`.cache/mutants` until it, the product or the modules that the tests share change.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

TESTS = (
    "tests/unit/**/test_*.py",
    "tests/property/test_*.py",
    "tests/attacks/test_*.py",
    "tests/simulation/test_*.py",
    "tests/end_to_end/test_scenarios.py",
)
"""The tests that are to find a mutant."""
EXHAUSTIVE = ("tests/attacks/test_cuts.py",)
"""Not among them: cuts at every byte take minutes, and other tests hold the same rules."""
PRODUCT = ("protocols", "firmware_sim", "meterctl")


@dataclass(frozen=True, slots=True)
class TestPart:
    """A test: its duration in seconds and, by file, the executed lines as bits of a number."""

    __test__ = False
    seconds: float
    lines: dict[str, int]


@dataclass(slots=True)
class CoveringTests:
    """All tests by their node identifiers."""

    tests: dict[str, TestPart] = field(default_factory=dict)

    imported: dict[str, int] = field(default_factory=dict)
    """The lines that are executed outside of tests: by imports, for parameters."""

    def of(self, file: str, first: int, last: int) -> list[str]:
        """Return the tests that execute one of the lines: those named after the module, the rest.

        Both the quickest first. Where imports execute the lines, behind them the tests that execute
        anything else in the module: of a table with functions in it a test may execute no line.
        Where imports alone execute the lines, all tests.
        """
        wanted = (1 << last + 1) - (1 << first)
        within = {name for name, test in self.tests.items() if test.lines.get(file, 0) & wanted}
        at_import = bool(self.imported.get(file, 0) & wanted)
        if not within and not at_import:
            return []
        named = f"test_{Path(file).stem}"
        return sorted(
            (
                name
                for name, test in self.tests.items()
                if name in within or (at_import and (not within or file in test.lines))
            ),
            key=lambda name: (
                named not in name.split("::")[0],
                name not in within,
                file not in self.tests[name].lines,
                self.tests[name].seconds,
            ),
        )


def test_files(root: Path) -> list[str]:
    """Return the files of the tests that are to find a mutant."""
    found = {path.relative_to(root).as_posix() for name in TESTS for path in root.glob(name)}
    return sorted(found.difference(EXHAUSTIVE))


def digests(root: Path) -> dict[str, str]:
    """Return a digest for each test file: of it, the product and what the tests share."""
    ours = test_files(root)
    shared = sha256()
    for folder in (*PRODUCT, "tests", "examples"):
        for path in sorted((root / folder).rglob("*")):
            name = path.relative_to(root).as_posix()
            if path.is_file() and path.suffix != ".pyc" and not _is_apart(name):
                shared.update(name.encode() + b"\0" + path.read_bytes())
    return {
        name: sha256(shared.digest() + name.encode() + (root / name).read_bytes()).hexdigest()
        for name in ours
    }


def _is_apart(name: str) -> bool:
    """Return whether a file has no effect on other tests than its own."""
    return Path(name).name.startswith("test_") or name.startswith(("tests/mutants", "tests/fuzz"))


def load(cache: Path, wanted: dict[str, str]) -> tuple[CoveringTests, list[str]]:
    """Return the kept parts and the test files that have none."""
    covering, missing = CoveringTests(), []
    for name, digest in wanted.items():
        path = cache / f"{digest}.json"
        if path.exists():
            for test, (seconds, lines) in json.loads(path.read_text()).items():
                bits = {file: int(text, 16) for file, text in lines.items()}
                if test:
                    covering.tests[test] = TestPart(seconds, bits)
                else:
                    for file, some in bits.items():
                        covering.imported[file] = covering.imported.get(file, 0) | some
        else:
            missing.append(name)
    return covering, missing
