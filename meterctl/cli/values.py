"""The values that a shell completes for arguments and options. No port and no file is opened."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from protocols.command_line import Context
from protocols.data_model.items import ITEMS, SETTINGS, Item
from protocols.data_model.kinds import Boolean, Choice, Fixed, Flags, Optional


def item_names() -> list[tuple[str, str]]:
    """Return the names of all items, each with its meaning."""
    return [(item.name, item.meaning) for item in ITEMS]


def settings(context: Context, incomplete: str) -> list[tuple[str, str]]:
    """Return `NAME=` of every setting, and its values where only one setting begins so.

    A shell that breaks words at `=` (bash) asks for the value as a word of its own; the words
    before it are then the name, and perhaps the `=`. It adds a space behind a single answer, so
    `NAME=` alone is no answer.
    """
    before = [word for word in context.params.get("settings") or () if word != "="]
    if before and before[-1] in _BY_NAME:
        return _values(_BY_NAME[before[-1]])
    name = incomplete.partition("=")[0]
    begun = [item for item in SETTINGS.values() if item.name.startswith(name)]
    found = [(f"{item.name}=", item.meaning) for item in begun]
    if len(begun) == 1:
        found += [(f"{begun[0].name}={value}", text) for value, text in _values(begun[0])]
    return found


_BY_NAME = {item.name: item for item in SETTINGS.values()}


def _values(item: Item) -> list[tuple[str, str]]:
    kind = item.kind
    words: Iterable[str] = ()
    if isinstance(kind, Choice | Flags):
        words = kind.words
    elif isinstance(kind, Boolean):
        words = ("on", "off")
    elif isinstance(kind, Optional):
        words = (kind.off,)
    elif isinstance(kind, Fixed) and kind.low is not None:
        words = (kind.text(kind.low),)
    return [(word, item.meaning) for word in words]


def offered(*words: str) -> Callable[[], list[str]]:
    """Return the completion of an argument or option that takes one of these words."""
    return lambda: list(words)
