"""The house keeps its rules: tables are complete, pages are current, nothing speaks of the machine it was made on."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from firmware_sim.readings import GETTERS
from firmware_sim.requests import Request
from protocols.data_model.items import ITEMS

ROOT = Path(__file__).resolve().parents[2]


def tracked() -> list[Path]:
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    return [ROOT / name for name in names if name and not (ROOT / name).is_symlink()]


def test_every_item_has_a_reading() -> None:
    assert set(GETTERS) == set(ITEMS)


def test_the_generated_pages_are_as_the_code_draws_them() -> None:
    done = subprocess.run([sys.executable, "tools/generate_docs.py", "--check"], cwd=ROOT, check=False)
    assert done.returncode == 0


def test_no_file_names_a_machine_or_a_registry() -> None:
    pattern = re.compile(r"(/work/|/root/|/home/[a-z]|https?://[^\s\"']*(simple/|registry|mirror))")
    own = Path(__file__)
    for path in tracked():
        if path == own or path.suffix in (".csv",):
            continue
        found = pattern.search(path.read_text(errors="ignore"))
        assert not found, f"{path}: {found and found.group()}"


def test_the_core_has_no_float() -> None:
    for package in ("protocols", "firmware_sim"):
        for path in (ROOT / package).rglob("*.py"):
            if "hosting" in path.parts or path.name == "plot.py":
                continue
            if "scenarios" in path.parts:  # Decimal there is what is shown, to be compared with what was written
                continue
            code = re.sub(r'""".*?"""|#.*', "", path.read_text(), flags=re.DOTALL)
            assert not re.search(r"\bfloat\(|\bDecimal\b", code), path


def test_requests_are_values() -> None:
    for kind in Request.__args__:  # type: ignore[attr-defined]
        assert kind.__dataclass_params__.frozen


def test_every_mutant_can_be_put_in() -> None:
    from tests.mutants.catalogue import MUTANTS

    for mutant in MUTANTS:
        assert (ROOT / mutant.file).read_text().count(mutant.old) == 1, mutant.name
