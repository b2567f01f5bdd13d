"""The words of a line that bash asks to complete.

bash splits words at `=` and `:` too (COMP_WORDBREAKS): `--keys=ring.json` are three words for it,
`tcp://host:502` are five. It replaces only the last of them with an answer.
"""

from __future__ import annotations

_BREAKS = ("=", ":")


def joined(words: list[str], current: int) -> tuple[list[str], int]:
    """Return the words as the program will receive them, and the index of the current one.

    The parts of the current word stay apart where it is no option: of `ITEM=VALUE` the commands
    themselves complete the parts.

    Args:
        words: what bash gives; an empty word at the end may be missing.
        current: index of the word that is completed.
    """
    given = [*words, *[""] * (current + 1 - len(words))]
    found: list[str] = []
    position = 0
    for parts in _groups(given):
        has_current = position <= current < position + len(parts)
        whole = not has_current or parts[0].startswith("--")
        if has_current:
            index = len(found) + (0 if whole else current - position)
        found += ["".join(parts)] if whole else parts
        position += len(parts)
    return found, index


def _groups(words: list[str]) -> list[list[str]]:
    """Return the words that were one word before bash split it, each as its parts."""
    groups: list[list[str]] = []
    for word in words:
        before = groups[-1][-1] if groups else ""
        if groups and word and (word.startswith(_BREAKS) or before.endswith(_BREAKS)):
            groups[-1].append(word)
        else:
            groups.append([word])
    return groups
