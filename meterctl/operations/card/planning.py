"""A checked operation that waits for the user's yes; nothing is written yet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Planned(Generic[Result]):
    """A checked plan; nothing is written yet. `text` is the question to the user."""

    text: str
    carry_out: Callable[[], Result]
    rehearse: Callable[[], object] = lambda: None
    """The checks before sealing that need the meter, for a dry run."""
