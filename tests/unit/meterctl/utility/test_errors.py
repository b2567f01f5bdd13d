"""Every error of the desk has a code word, an HTTP status and an exit code of the one table."""

from __future__ import annotations

import re

import pytest

from meterctl.errors import MeterctlError
from meterctl.utility import errors

ANSWERS = {
    errors.NotPermitted: (403, 6),
    errors.NotFound: (404, 2),
    errors.Conflict: (409, 3),
    errors.Refused: (409, 3),
    errors.Stale: (412, 3),
    errors.KeyReused: (422, 2),
    errors.Invalid: (422, 2),
    errors.OutcomeUnknown: (503, 7),
}


def test_every_error_of_the_desk_is_named_here() -> None:
    assert set(errors.DeskError.__subclasses__()) == set(ANSWERS)


@pytest.mark.parametrize("kind", ANSWERS, ids=lambda kind: kind.__name__)
def test_an_error_carries_its_code_its_status_and_its_exit_code(
    kind: type[errors.DeskError],
) -> None:
    error = kind("some_code", "nothing was changed")
    assert isinstance(error, MeterctlError)
    assert (error.status, error.exit_code) == ANSWERS[kind]
    assert (error.code, str(error)) == ("some_code", "nothing was changed")


def test_the_tree_in_the_module_names_each_with_its_numbers() -> None:
    rows = re.findall(r"── (\w+) +(\d) +(\d+)", errors.__doc__ or "")
    named = {name: (int(status), int(exit_code)) for name, exit_code, status in rows}
    assert named == {
        kind.__name__: (kind.status, kind.exit_code) for kind in (errors.DeskError, *ANSWERS)
    }
