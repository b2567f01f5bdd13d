"""The tool that draws mutants: the same draw from a seed, and a mutant that its tests find."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import pytest

from tests.mutants.drawn import trial
from tests.mutants.drawn.covering import CoveringTests, TestPart
from tests.mutants.drawn.draw import draw
from tests.mutants.drawn.equivalent import EQUIVALENTS, Equivalent
from tests.mutants.drawn.mutation import Mutation, places
from tests.mutants.drawn.process import in_parallel
from tests.mutants.drawn.trial import Ending
from tests.mutants.tree import ROOT

PRODUCT = '''\
"""Not mutated."""
LIMITS: tuple[int, ...] = ()
def first_over(limit: int) -> int:
    number = 0
    while number <= limit:
        number += 1
    assert number > 0
    return number
'''
TEST = "from product import first_over\ndef test_it() -> None:\n    assert first_over(3) {} 4\n"


def mutants(source: str) -> dict[tuple[str, str], Mutation]:
    return {
        (one.original, one.replacement): one
        for place in places("product.py", source)
        for one in place
    }


def test_a_seed_draws_the_same_mutants_again_and_each_of_them_compiles() -> None:
    drawn = draw(ROOT, 100, 3)
    assert drawn == draw(ROOT, 100, 3)
    assert drawn != draw(ROOT, 100, 4)
    assert len(set(drawn)) == 100
    for mutation in drawn:
        source = (ROOT / mutation.file).read_text()
        assert ast.dump(ast.parse(mutation.applied(source))) != ast.dump(ast.parse(source))


def test_texts_types_and_assertions_are_not_mutated() -> None:
    assert set(mutants(PRODUCT)) == {
        ("0", "1"),
        ("0", "-1"),
        ("number <= limit", "False"),
        ("number <= limit", "(number < limit)"),
        ("number <= limit", "(number > limit)"),
        ("number += 1", "number -= 1"),
        ("1", "2"),
        ("1", "0"),
        ("return number", "return None"),
    }


@pytest.mark.filterwarnings("ignore:This process.*multi-threaded:DeprecationWarning")
@pytest.mark.parametrize(
    ("change", "test", "ending"),
    [
        (("number <= limit", "(number < limit)"), "==", Ending.FOUND),
        (("number <= limit", "(number < limit)"), "<=", Ending.SURVIVED),
        (("number += 1", "number -= 1"), "==", Ending.TIMED_OUT),
    ],
)
def test_a_mutant_is_found_by_a_test_that_covers_it(
    change: tuple[str, str],
    test: str,
    ending: Ending,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(trial, "EXTRA_S", 2 if ending is Ending.TIMED_OUT else 120)
    (tmp_path / "product.py").write_text(PRODUCT)
    (tmp_path / "test_product.py").write_text(TEST.format(test))
    covering = CoveringTests({"test_product.py::test_it": TestPart(0.01, {"product.py": 0x1FF})})
    mutation, progress = mutants(PRODUCT)[change], tmp_path / "progress.txt"
    [(_, code)] = in_parallel([trial.job(tmp_path, mutation, covering, progress)], 1)
    result = trial.read_result(mutation, code, progress)
    assert result.ending is ending, progress.with_suffix(".log").read_text()


def test_each_equivalent_mutant_is_one_of_the_tree() -> None:
    for known in EQUIVALENTS:
        every = places(known.file, (ROOT / known.file).read_text())
        assert any(known.is_(one) for place in every for one in place), known


def test_of_a_statement_that_imports_execute_all_tests_of_its_module_are_run() -> None:
    tests = {
        "test_product.py::test_lambda": TestPart(2, {"product.py": 0b1000}),
        "test_product.py::test_table": TestPart(1, {"product.py": 0b1_0000}),
        "test_further.py::test_user": TestPart(1, {"product.py": 0b1_0000}),
        "test_further.py::test_other": TestPart(1, {"other.py": 0b1}),
    }
    covering = CoveringTests(tests, {"product.py": 0b110})
    assert covering.of("product.py", 1, 3) == list(tests)[:3], "a table with a lambda in it"
    assert covering.of("product.py", 1, 2) == [*(list(tests)[n] for n in (1, 0, 2, 3))]
    assert covering.of("product.py", 3, 3) == ["test_product.py::test_lambda"]
    assert covering.of("product.py", 5, 9) == []


def test_an_equivalent_mutant_can_be_of_one_of_several_equal_lines() -> None:
    mutations = [
        one
        for place in places("product.py", "f(1)\nf(2)\nf(1)\n")
        for one in place
        if (one.original, one.replacement) == ("f(1)", "pass")
    ]
    assert [one.occurrence for one in mutations] == [1, 2]
    known = Equivalent("product.py", "f(1)", "f(1)", "pass", "one is enough", occurrence=2)
    assert [known.is_(one) for one in mutations] == [False, True]
    assert all(replace(known, occurrence=None).is_(one) for one in mutations)
