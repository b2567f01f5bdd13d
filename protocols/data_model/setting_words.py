"""Settings as people write them in an order or a command: NAME=VALUE words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from protocols.data_model.items import BY_NAME, SETTINGS, Item
from protocols.errors import QuantityError


def parse_setting_words(words: Sequence[str]) -> dict[Item, Any]:
    """Return the values of settings, in the order of the words.

    Raises:
        QuantityError: a word that names no setting, a setting given twice, or a value that is not
            allowed; the text names the setting, or the valid names.
    """
    wanted: dict[Item, Any] = {}
    for word in words:
        name, equals, text = word.partition("=")
        item = BY_NAME.get(name)
        if not equals or item is None or not item.setting:
            names = ", ".join(each.name for each in SETTINGS.values())
            raise QuantityError(
                f"{word!r} is no setting: write NAME=VALUE, with NAME one of {names}"
            )
        if item in wanted:
            raise QuantityError(f"{name} is given twice")
        try:
            wanted[item] = item.kind.parse(text)
        except QuantityError as error:
            raise QuantityError(f"{name}: {error}") from error
    return wanted
