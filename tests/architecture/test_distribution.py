"""The distributions: what is in them, what they need, and links that work beside no file."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from fnmatch import fnmatch
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from pathspec import GitIgnoreSpec

import firmware_sim
from tools import environments, libmodbus_client, pins, pythons
from tools.source_tree import files_of

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT: dict[str, Any] = PYPROJECT["project"]
BUILD: dict[str, Any] = PYPROJECT["tool"]["hatch"]["build"]["targets"]
OURS = ("firmware_sim", "meterctl", "protocols", "pytest_prepaid_meter")
DISTRIBUTIONS = {
    "serial": "pyserial",
    "smartcard": "pyscard",
    "click": "typer",
    "sqlalchemy": "SQLAlchemy",
    "argon2": "argon2-cffi",
    "chinese_calendar": "chinesecalendar",
    "stdnum": "python-stdnum",
}
"""Distributions that are called otherwise than what is imported of them; typer brings its click."""
NOT_NEEDED = {"pytest"}
"""The plugin is imported by pytest itself."""
LOADED_BY_OTHERS = {"psycopg", "python-multipart"}
"""Dependencies that we do not import: SQLAlchemy loads the driver that a URL names, Starlette what
reads forms."""
CAPPED = {"pymodbus"}
"""Dependencies with an upper bound: the client is built on a class that pymodbus calls internal."""


def required(*lists: list[str]) -> dict[str, Requirement]:
    wanted = [Requirement(text) for each in lists for text in each]
    return {each.name: each for each in wanted}


def imported() -> dict[str, set[str]]:
    """Return the top-level modules of others that ours import, each with the files that do."""
    found: dict[str, set[str]] = {}
    for path in files_of(ROOT):
        if not path.endswith(".py") or path.removesuffix(".py").split("/")[0] not in OURS:
            continue
        for node in ast.walk(ast.parse((ROOT / path).read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            for name in names:
                found.setdefault(name.partition(".")[0], set()).add(path)
    return {
        name: paths
        for name, paths in found.items()
        if name not in OURS and name not in sys.stdlib_module_names
    }


def test_every_import_at_run_time_is_declared_and_everything_declared_is_imported() -> None:
    needed = {DISTRIBUTIONS.get(name, name) for name in imported()} - NOT_NEEDED
    extras = PROJECT["optional-dependencies"]
    declared = required(PROJECT["dependencies"], extras["card"], extras["plot"], extras["desk"])
    assert needed | LOADED_BY_OTHERS == set(declared), {
        name: imported().get(name) for name in needed - set(declared)
    }


def test_the_source_distribution_has_every_file_of_the_tree_and_names_none_that_is_not() -> None:
    include = BUILD["sdist"]["include"]
    files = files_of(ROOT)
    assert len(files) > 500
    rules = GitIgnoreSpec.from_lines(include)
    assert [path for path in files if not rules.match_file(path)] == []
    for rule in include:
        assert any(GitIgnoreSpec.from_lines([rule]).match_file(path) for path in files), rule
    ignored = GitIgnoreSpec.from_lines((ROOT / ".gitignore").read_text().splitlines())
    for made in (".venv/bin/python", ".cache/x/y", "tests/__pycache__/x.pyc", "dist/x.whl"):
        assert ignored.match_file(made) or not rules.match_file(made), made


def test_the_wheel_has_our_modules_their_types_and_data_and_nothing_else() -> None:
    included = BUILD["wheel"]["only-include"]
    assert {name.removesuffix(".py") for name in included} == set(OURS)
    rules = GitIgnoreSpec.from_lines(f"/{name}" for name in included)
    files = [path for path in files_of(ROOT) if rules.match_file(path)]
    for package in OURS[:3]:
        assert f"{package}/py.typed" in files
    other = {path for path in files if not path.endswith((".py", "/py.typed"))}
    shipped = {path for path in other if fnmatch(path, "protocols/modbus/maps/*.toml")}
    assert shipped
    pages = {path for path in other if path.startswith("meterctl/utility/web/")}
    assert {path.rpartition(".")[2] for path in pages} == {"html", "css", "js"}
    assert other - shipped - pages == {
        "firmware_sim/data/household.csv",
        "firmware_sim/data/map.toml",
        "firmware_sim/data/meter.toml",
    }
    modules = set(files) - other - set(included)
    assert not [path for path in modules if "test" in Path(path).name]


def test_every_dependency_has_a_lower_bound_and_few_an_upper_one() -> None:
    declared = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["desk"]]
    wanted = required(declared)
    for text in declared:
        assert re.fullmatch(r"[\w-]+(\[\w+\])?==[\d.]+(; .*)?", pins.lower_bound(text)), text
    capped = {
        name
        for name, each in wanted.items()
        if any(clause.operator != ">=" for clause in each.specifier)
    }
    assert capped <= CAPPED


def test_the_installed_versions_are_allowed() -> None:
    optional = PROJECT["optional-dependencies"]["desk"]
    for name, each in required(PROJECT["dependencies"], optional).items():
        if each.marker is None or each.marker.evaluate():
            assert each.specifier.contains(version(name), prereleases=True), name


def test_the_version_stands_once() -> None:
    assert "version" in PROJECT["dynamic"]
    assert version(PROJECT["name"]) == firmware_sim.__version__


def test_links_of_the_readme_lead_to_files_and_are_no_links_on_a_package_index() -> None:
    text = (ROOT / "README.md").read_text()
    files = set(files_of(ROOT))
    linked = re.findall(r"\]\((?!https?://|#)([^)#]+)", text)
    assert len(linked) > 10
    for path in linked:
        assert any(each == path or each.startswith(f"{path}/") for each in files), path
    for rule in PYPROJECT["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"][
        "substitutions"
    ]:
        text = re.sub(rule["pattern"], rule["replacement"], text)
    assert not re.findall(r"\]\((?!https?://|#)", text)
    assert "`docs/library.md`" in text


def test_the_pythons_that_are_named_are_looked_for() -> None:
    assert pythons.versions() == ["3.11", "3.12", "3.13"]
    own = "{}.{}".format(*sys.version_info)
    found = dict(environments.pythons([own, "3.99"]))
    assert found == {own: sys.executable, "3.99": None}


def test_every_folder_of_make_pins_is_there() -> None:
    for path in (*pins.TESTS, *(f"tests/{name}" for name in pythons.TESTS)):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize(
    ("suffix", "binary", "source"),
    [
        (
            ".list",
            "deb [signed-by=k] u s main\ndeb-src u s main\n",
            "deb-src [signed-by=k] u s main",
        ),
        (".sources", "Types: deb\nURIs: u", "Types: deb-src\nURIs: u"),
        (".sources", "Types: deb deb-src\nURIs: u", "Types: deb-src\nURIs: u"),
    ],
)
def test_a_list_of_packages_becomes_one_of_their_sources(
    suffix: str, binary: str, source: str
) -> None:
    assert libmodbus_client.of_sources(binary, suffix) == source


@pytest.mark.parametrize("command", ["make pythons", "make pins", "make strangers"])
def test_make_helps_with_what_it_offers(command: str) -> None:
    assert f"## {command}" in (ROOT / "Makefile").read_text()
