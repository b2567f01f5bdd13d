"""The word of an error, and of what caused it."""

from __future__ import annotations

import pytest

from meterctl.errors import (
    MeterctlError,
    NoAnswerError,
    OpenEntryError,
    SetBackError,
    UnknownOutcomeError,
)
from meterctl.utility.errors import DeskError
from meterctl.utility.meters.gateway.problems import BooksError, Problem, cause_at_desk, problem_of


def all_kinds(kind: type[MeterctlError]) -> list[type[MeterctlError]]:
    found = [kind, *(each for below in kind.__subclasses__() for each in all_kinds(below))]
    return [each for each in found if not issubclass(each, DeskError)]


@pytest.mark.parametrize("kind", [*all_kinds(MeterctlError)], ids=lambda kind: kind.__name__)
def test_every_error_but_the_root_has_a_word(kind: type[MeterctlError]) -> None:
    word = problem_of(kind.__new__(kind))
    assert (word is Problem.INTERNAL) == (kind is MeterctlError)
    assert word is not Problem.NONE


def test_no_error_is_no_problem() -> None:
    assert problem_of(None) is Problem.NONE


@pytest.mark.parametrize(
    ("cause", "word"),
    [
        (NoAnswerError("silence"), Problem.NO_ANSWER),
        (SetBackError("lower"), Problem.SET_BACK),
        (BooksError("sums"), Problem.BOOKS_DO_NOT_ADD_UP),
        (KeyError("no error of ours"), Problem.NO_ANSWER),
        (None, Problem.NO_ANSWER),
    ],
)
def test_an_unknown_outcome_has_the_word_of_its_cause(
    cause: Exception | None, word: Problem
) -> None:
    first, second = UnknownOutcomeError("sent"), UnknownOutcomeError("voided")
    first.__cause__, second.__cause__ = cause, first
    assert problem_of(second) is word


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            UnknownOutcomeError("entry 58 is open: meterctl journal resolve 58 (reason: silent)"),
            "entry 58 is open: `meterctl desk work` asks its meter (reason: silent)",
        ),
        (
            UnknownOutcomeError("perhaps: meterctl --port ... journal resolve 5 asks the meter"),
            "perhaps: `meterctl desk work` asks its meter",
        ),
        (
            SetBackError("back; meterctl journal resolve 5 --as refused closes it without proof"),
            "back; `meterctl desk sale settle` closes it without proof",
        ),
        (
            OpenEntryError("entry 5; nothing was sealed. Settle it: meterctl ..."),
            "entry 5; nothing was sealed. `meterctl desk work` settles it at its meter, "
            "`meterctl desk card present` by its card",
        ),
        (NoAnswerError("silence"), "silence"),
    ],
)  # fmt: skip
def test_what_to_do_is_told_with_commands_of_the_desk(error: MeterctlError, told: str) -> None:
    assert cause_at_desk(error) == told
