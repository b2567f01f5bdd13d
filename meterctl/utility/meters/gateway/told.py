"""What a meter or a card told, or why it told nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from meterctl.errors import MeterctlError
from meterctl.utility.meters.gateway.problems import Problem, cause_at_desk, problem_of

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Told(Generic[Value]):
    """A value; or None, the problem, and the text of the error."""

    value: Value | None
    problem: Problem = Problem.NONE
    cause: str = ""


def told_by(work: Callable[[], Value]) -> Told[Value]:
    """Return what some work brings, or the problem that ended it."""
    try:
        return Told(work())
    except MeterctlError as error:
        return Told(None, problem_of(error), cause_at_desk(error))
