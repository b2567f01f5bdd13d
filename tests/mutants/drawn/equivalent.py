"""Mutants that change nothing which anyone could observe, each with the reason."""

from __future__ import annotations

from dataclasses import dataclass

from tests.mutants.drawn.mutation import Mutation


@dataclass(frozen=True, slots=True)
class Equivalent:
    """A mutant by its source, not by its line number; `reason` says why it has no effect."""

    file: str
    source_line: str
    original: str
    replacement: str
    reason: str

    def is_(self, mutation: Mutation) -> bool:
        """Return whether a drawn mutant is this one."""
        return (self.file, self.source_line, self.original, self.replacement) == (
            mutation.file,
            mutation.source_line,
            mutation.original,
            mutation.replacement,
        )


EQUIVALENTS: tuple[Equivalent, ...] = ()
