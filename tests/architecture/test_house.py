"""Architecture rules: complete tables, current pages, no machine names, sealing from proofs."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

from firmware_sim.readings import GETTERS
from firmware_sim.requests import Request
from protocols.data_model.items import ITEMS
from tools import check_words
from tools.source_tree import files_of

ROOT = Path(__file__).resolve().parents[2]


def tracked() -> list[Path]:
    return [ROOT / name for name in files_of(ROOT) if not (ROOT / name).is_symlink()]


def test_every_item_has_a_reading() -> None:
    assert set(GETTERS) == set(ITEMS)


def test_the_generated_pages_are_as_the_code_draws_them() -> None:
    done = subprocess.run(
        [sys.executable, "tools/generate_docs.py", "--check"], cwd=ROOT, check=False
    )
    assert done.returncode == 0


def test_no_file_names_a_machine_or_a_registry() -> None:
    pattern = re.compile(r"(/(work|root)/|/home/[a-z]|https?://[^\s\"']*(simple/|registry|mirror))")
    own = Path(__file__)
    for path in tracked():
        if path == own or path.suffix in (".csv",):
            continue
        found = pattern.search(path.read_text(errors="ignore"))
        assert not found, f"{path}: {found and found.group()}"


def test_the_core_has_no_float() -> None:
    for package in ("protocols", "firmware_sim"):
        for path in (ROOT / package).rglob("*.py"):
            if {"hosting", "library"} & {*path.parts} or path.name == "plot.py":
                continue
            # Decimal there is what is shown: nothing is computed from it.
            if "scenarios" in path.parts or path.match("rack/values.py"):
                continue
            code = re.sub(r'""".*?"""|#.*', "", path.read_text(), flags=re.DOTALL)
            assert not re.search(r"\bfloat\(|\bDecimal\b", code), path


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = grimp.build_graph("protocols", "firmware_sim", "meterctl", cache_dir=None)
    for module in sorted(graph.modules):
        for imported in graph.find_modules_directly_imported_by(module):
            chain = graph.find_shortest_chain(imported, module)
            assert chain is None, f"{module} -> {' -> '.join(chain)}"


@pytest.mark.parametrize(
    ("path", "text", "problem"),
    [
        ("a.py", "x = 1\n", None),
        ("a.py", "x" * 100, None),
        ("a.py", "x" * 101, "101 columns"),
        ("a.md", "剩" * 51, "102 columns"),
        ("a.md", "| " + "x" * 200, None),
        ("a.md", "```\n" + "x" * 200 + "\n```", None),
    ],
)
def test_long_lines_are_found(path: str, text: str, problem: str | None) -> None:
    found = list(check_words.problems(path, text, re.compile(r"(?!)")))
    assert len(found) == (problem is not None), found
    assert problem is None or problem in found[0]


@pytest.mark.parametrize(
    "line", ["{} = 1", "# A {}.", "def test_{}() -> None: ...", "{}s", "_{}_x"]
)
def test_a_refused_word_is_found_also_as_a_part_of_a_name(line: str) -> None:
    record = (ROOT / check_words.RECORD).read_text()
    words, pattern = check_words.refused_words(record), check_words.pattern(record)
    assert len(words) > 10
    for word in words:
        assert len(list(check_words.problems("a.py", line.format(word.upper()), pattern))) == 1


def test_the_name_of_a_command_may_hold_a_refused_word() -> None:
    pattern = check_words.pattern((ROOT / check_words.RECORD).read_text())
    command = "make strangers"
    word = command.removeprefix("make ")
    for path, line, refused in (
        ("a.py", f"`{command}` reads", 0),
        ("a.py", word + " read", 1),
        ("Makefile", word + ": environment", 0),
        ("Makefile", f"the-{word}: environment", 1),
    ):
        assert len(list(check_words.problems(path, line, pattern))) == refused, line


def test_requests_are_values() -> None:
    for kind in Request.__args__:  # type: ignore[attr-defined]
        assert kind.__dataclass_params__.frozen


def test_every_mutant_can_be_put_in() -> None:
    from tests.mutants.catalogue import MUTANTS

    for mutant in MUTANTS:
        source = (ROOT / mutant.file).read_text()
        ast.parse(mutant.applied(source))


# ---- messages are sealed from proved values only (METER.md 8)

HINTS = {
    "meterctl/operations/status.py",  # selects the keys to try and explains a failed status
    "meterctl/operations/sealing.py",
}


def host_code() -> list[tuple[str, ast.Module]]:
    paths = sorted((ROOT / "meterctl").rglob("*.py"))
    return [(str(path.relative_to(ROOT)), ast.parse(path.read_text())) for path in paths]


def calls(tree: ast.AST) -> list[ast.Call]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


def name_of(call: ast.Call) -> str:
    function = call.func
    return function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")


def test_messages_are_made_in_one_place_and_from_a_proved_meter_alone() -> None:
    makers = {
        path
        for path, tree in host_code()
        for call in calls(tree)
        if name_of(call) == "SealedMessage"
    }
    assert makers == {"meterctl/operations/sealing.py"}
    for path, tree in host_code():
        for function in ast.walk(tree):
            if not isinstance(function, ast.FunctionDef):
                continue
            if not any(name_of(call) == "SealedMessage" for call in calls(function)):
                continue
            kinds = {
                argument.arg: ast.unparse(argument.annotation or ast.Constant(""))
                for argument in (*function.args.args, *function.args.kwonlyargs)
            }
            assert "MeterIdentity" not in kinds.values(), f"{path}:{function.name}"
            assert "Session" not in kinds.values(), f"{path}:{function.name} could read the wire"
            assert "ProvedMeter" in kinds.values() or function.name == "opening_for_any_epoch"


def test_a_proved_meter_is_made_of_proofs_and_a_hinted_one_never_carried_out() -> None:
    makers: dict[str, set[str]] = {}
    for path, tree in host_code():
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef):
                made = [
                    call
                    for call in calls(function)
                    if ast.unparse(call.func) in ("ProvedMeter", "ProvedMeter.of")
                ]
                if made:
                    makers.setdefault(path, set()).add(function.name)
    assert makers == {
        "meterctl/operations/status.py": {"_meter_of"},
        "meterctl/operations/card/port.py": {"hinted_meter"},  # for plans and their display
        "meterctl/operations/card/last_proof.py": {
            "_meter_of_receipt",
            "_meter_of_proof",
            "_meter_of_write_back",
        },
    }
    for (
        path,
        tree,
    ) in host_code():  # a plan from a hint is never executed: only its text is used
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id == "hinted"
            ):
                assert node.attr == "text", f"{path}: hinted.{node.attr}"


def test_identify_is_for_display_and_hints() -> None:
    """Its sequences, account unit and customer number are read by no operation that seals."""
    told = {"credit_sequence", "command_sequence", "account_unit", "customer_number"}
    for path, tree in host_code():
        if not path.startswith("meterctl/operations/") or path in HINTS:
            continue
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id == "hint"
            ):
                if path.endswith("card/port.py"):
                    continue  # `hinted_meter`, checked by the test above
                assert node.attr not in told, f"{path}:{node.lineno} hint.{node.attr}"
