"""Which allowed word a person may have meant. One spelling of it for both programs."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

LIKENESS = 0.65
"""Least likeness of a suggestion, 0 to 1; below it a guess misleads."""


def nearest(word: str, allowed: Iterable[str], count: int = 3) -> list[str]:
    """Return at most `count` allowed words for `word`, best first; empty if none is near.

    A name that has the word as one of its parts (`credit`: `available_credit`) comes before one
    that is only spelled alike; names that are equally near keep the order of `allowed`.
    """
    names = list(dict.fromkeys(allowed))
    parts = {*_parts(word)} - {""}
    whole = [name for name in names if parts and parts <= {*_parts(name)}]
    by_spelling = {_plain(name): name for name in reversed(names)}
    alike = get_close_matches(_plain(word), by_spelling, count, LIKENESS)
    return list(dict.fromkeys([*whole, *(by_spelling[name] for name in alike)]))[:count]


def did_you_mean(word: str, allowed: Iterable[str], otherwise: str = "") -> str:
    """Return "did you mean A, B or C?", or `otherwise` where no allowed word is near."""
    near = nearest(word, allowed)
    return f"did you mean {one_of(near)}?" if near else otherwise


def one_of(words: Iterable[str]) -> str:
    """Return words as one enumeration: "a", "a or b", "a, b or c"."""
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else last


def _parts(name: str) -> list[str]:
    return _plain(name).split("_")


def _plain(name: str) -> str:
    return name.lower().strip("-").replace("-", "_")
