"""What a mutant is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutant:
    """One fault: in `file`, `old` (which stands there once) becomes `new`; where no seed finds it, `tests` must."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
