"""The values that a shell completes for arguments and options. No port is opened.

No file is opened but the register map that the line names, whose items are completed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from meterctl.cli.given_maps import named_maps
from meterctl.errors import UsageError
from protocols.command_line import Context
from protocols.data_model.items import ITEMS, SETTINGS, Item
from protocols.data_model.kinds import Boolean, Choice, Fixed, Flags, Optional

if TYPE_CHECKING:
    from protocols.modbus.register_map import RegisterMap


def map_names() -> list[str]:
    """Return the names of the shipped register maps."""
    from protocols.modbus.named_maps import shipped_names  # no command needs it

    return shipped_names()


def item_names(context: Context) -> list[tuple[str, str]]:
    """Return the names of all items, or of those of --map, each with its meaning."""
    register_map = _map_of(context)
    shown = ITEMS if register_map is None else [one.item for one in register_map.registers]
    return [(item.name, item.meaning) for item in dict.fromkeys(shown)]


def writable_items(context: Context, incomplete: str) -> list[tuple[str, str]]:
    """Return `ITEM=` of every item that --map marks writable, as `settings` does."""
    register_map = _map_of(context)
    places = [] if register_map is None else register_map.registers
    return _offered([one.item for one in places if one.writable], context, incomplete)


def _map_of(context: Context) -> RegisterMap | None:
    """Return the map of --map or its variable, None without one that can be read."""
    names = named_maps(context)
    if not names:
        return None
    from meterctl.named_maps import given_maps, read_map  # most lines name no map

    try:
        named = given_maps(names).of_unit(int(context.find_root().params.get("unit") or 1))
        return None if named is None else read_map(named)
    except UsageError:
        return None


def settings(context: Context, incomplete: str) -> list[tuple[str, str]]:
    """Return `NAME=` of every setting, and its values where only one setting begins so.

    A shell that breaks words at `=` (bash) asks for the value as a word of its own; the words
    before it are then the name, and perhaps the `=`. It adds a space behind a single answer, so
    `NAME=` alone is no answer.
    """
    return _offered(list(SETTINGS.values()), context, incomplete)


def _offered(allowed: Sequence[Item], context: Context, incomplete: str) -> list[tuple[str, str]]:
    by_name = {item.name: item for item in allowed}
    before = [word for word in context.params.get("settings") or () if word != "="]
    if before and before[-1] in by_name:
        return _values(by_name[before[-1]])
    name = incomplete.partition("=")[0]
    begun = [item for item in by_name.values() if item.name.startswith(name)]
    found = [(f"{item.name}=", item.meaning) for item in begun]
    if len(begun) == 1:
        found += [(f"{begun[0].name}={value}", text) for value, text in _values(begun[0])]
    return found


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
