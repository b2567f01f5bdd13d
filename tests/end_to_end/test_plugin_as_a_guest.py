"""The pytest plugin in projects that have packages of our names, and its own weight in any run."""

from __future__ import annotations

import os
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.support.programs import BIN

pytest_plugins = ["pytester"]
MODULES = {"meter-sim": "firmware_sim", "meterctl": "meterctl"}

OWN = "def test_own(): assert __import__('{name}').greet() == 'mine'\n"


LEAN = ("anyio", "cacheprovider", "hypothesispytest", "schemathesis", "timeout", "xdist")
"""Plugins that these runs do without: they are slow to load."""


def run(pytester: pytest.Pytester, *options: str) -> pytest.RunResult:
    lean = [word for name in LEAN for word in ("-p", f"no:{name}")]
    return pytester.runpytest_subprocess(*lean, "-rN", *options)


@pytest.mark.parametrize(
    ("name", "place", "options"),
    [
        ("protocols", "protocols/__init__.py", ()),
        ("protocols", "protocols.py", ("--import-mode=importlib",)),
        ("firmware_sim", "firmware_sim/__init__.py", ()),
    ],
)
def test_a_project_with_a_package_of_our_name_runs_all_its_tests(
    pytester: pytest.Pytester, name: str, place: str, options: tuple[str, ...]
) -> None:
    own = pytester.path / place
    own.parent.mkdir(exist_ok=True)
    own.write_text("def greet(): return 'mine'\n")
    pytester.makeini("[pytest]\npythonpath = .\nfilterwarnings = error\n")
    pytester.makepyfile(OWN.format(name=name) + "def test_meter(meter): pass\n")
    result = run(pytester, *options)
    result.assert_outcomes(passed=1, errors=1)
    after = result.outlines[result.outlines.index(_line(result, "*ERROR at setup*")) + 1 :]
    told, last = after
    assert "1 passed, 1 error" in last
    assert f"`{name}`" in told
    assert str(own) in told
    assert "meter-sim run" in told


def _line(result: pytest.RunResult, pattern: str) -> str:
    result.stdout.fnmatch_lines([pattern])
    return next(line for line in result.outlines if fnmatch(line, pattern))


def test_a_package_beside_the_tests_is_the_projects(pytester: pytest.Pytester) -> None:
    """Its name is taken in sys.modules when a meter is asked for."""
    folder = pytester.mkpydir("protocols")
    (folder / "test_in.py").write_text("def test_own(): pass\ndef test_meter(meter): pass\n")
    result = run(pytester)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*needs its own package `protocols`*"])


def test_a_folder_of_our_name_without_an_init_is_importable_and_meters_work(
    pytester: pytest.Pytester,
) -> None:
    for name in ("protocols", "firmware_sim", "meterctl"):
        (pytester.path / name).mkdir()
        (pytester.path / name / "own.py").write_text("def greet(): return 'mine'\n")
    pytester.makeconftest("")  # puts the project on the path
    pytester.makepyfile(
        """
        from firmware_sim.own import greet as simulated
        from meterctl.own import greet as controlled
        from protocols.own import greet

        def test_it(meter):
            assert {greet(), simulated(), controlled()} == {"mine"}
            meter.advance("1h")
        """
    )
    run(pytester).assert_outcomes(passed=1)


def test_a_run_without_a_meter_of_ours_imports_nothing_of_ours(pytester: pytest.Pytester) -> None:
    """A project's own fixture `meter` stays its own."""
    pytester.makepyfile(
        """
        import sys
        import pytest

        @pytest.fixture
        def meter(): return 7

        def test_it(meter):
            ours = {"protocols", "firmware_sim", "meterctl", "pydantic", "cryptography", "asyncio"}
            assert not ours & {name.partition(".")[0] for name in sys.modules}
            assert meter == 7
        """
    )
    run(pytester).assert_outcomes(passed=1)


@pytest.mark.parametrize("name", ["prepaid_meter", "pytest_prepaid_meter"])
def test_the_plugin_can_be_left_out(pytester: pytest.Pytester, name: str) -> None:
    pytester.makepyfile("def test_it(): pass\ndef test_meter(meter): pass\n")
    result = run(pytester, "-p", f"no:{name}")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*fixture 'meter' not found*"])


@pytest.mark.parametrize(
    ("place", "loaded"), [("conftest", True), ("option", True), ("conftest", False)]
)
def test_a_project_may_name_the_plugin_itself(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, place: str, loaded: bool
) -> None:
    if not loaded:
        monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    if place == "conftest":
        pytester.makeconftest('pytest_plugins = ["pytest_prepaid_meter"]')
    pytester.makepyfile("def test_meter(request): assert request.getfixturevalue('meter_factory')")
    options = ("-p", "pytest_prepaid_meter") if place == "option" else ()
    run(pytester, *options).assert_outcomes(passed=1)


def test_a_wrong_key_is_one_sentence_at_the_line_of_the_test(pytester: pytest.Pytester) -> None:
    """In a project with a `meterctl` of its own, which no meter needs, and with strict warnings."""
    (pytester.path / "meterctl.py").write_text("def greet(): return 'mine'\n")
    pytester.makeini("[pytest]\npythonpath = .\nfilterwarnings = error\n")
    pytester.makefile(".toml", wrong="pricee = 3\n")
    pytester.makepyfile(
        """
        def test_own(meter):
            assert __import__("meterctl").greet() == "mine"
            meter.advance("1h")

        def test_key(meter_factory):
            meter_factory(pricee="0.50")

        def test_item(meter):
            meter.value("available_credits")

        def test_fault(meter):
            meter.inject("flop")
        """
    )
    result = run(pytester)
    result.assert_outcomes(passed=1, failed=3)
    result.stdout.fnmatch_lines(["E*'pricee' is no key of a meter: did you mean 'price'?"])
    shown = [line for line in result.outlines if "firmware_sim/" in line]
    assert not shown, "no line of our code"
    result = run(pytester, "--meter-config", "wrong.toml", "-k", "item")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["--meter-config: wrong.toml: line 1: pricee*"])
    assert not any(".py:" in line for line in result.outlines)


def test_these_tests_find_this_plugin() -> None:
    assert "pytest_prepaid_meter" in sys.modules


@pytest.mark.parametrize("program", ["meter-sim", "meterctl"])
def test_the_programs_run_where_the_search_path_has_a_package_of_our_name(
    tmp_path: Path, program: str
) -> None:
    (tmp_path / "protocols").mkdir()
    (tmp_path / "protocols" / "__init__.py").write_text("X = 1\n")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    for command in ([BIN / program], [sys.executable, "-m", MODULES[program]]):
        shown = subprocess.run(
            [*command, "--version"],
            env=environment, cwd=tmp_path, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert shown.stdout.startswith(f"{program} ")
