"""Settings as people write them in an order or a command: NAME=VALUE words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from protocols.data_model.items import BY_NAME, SETTINGS, Item
from protocols.errors import QuantityError
from protocols.suggestions import did_you_mean


def parse_setting_words(words: Sequence[str]) -> dict[Item, Any]:
    """Return the values of settings, in the order of the words.

    Raises:
        QuantityError: a word that names no setting, a setting given twice, or a value that is not
            allowed; the text names the setting, or the valid names.
    """
    wanted: dict[Item, Any] = {}
    for place, word in enumerate(words):
        name, equals, text = word.partition("=")
        item = BY_NAME.get(name)
        if item is None or not item.setting:
            raise QuantityError(_unknown(name))
        if not equals:
            value = next((each for each in words[place + 1 :][:1] if "=" not in each), "VALUE")
            raise QuantityError(f"{name} has no value: write {name}={value}, with one =")
        if item in wanted:
            raise QuantityError(f"{name} is given twice")
        try:
            wanted[item] = item.kind.parse(text)
        except QuantityError as error:
            raise QuantityError(f"{name}: {error}") from error
    return wanted


def _unknown(name: str) -> str:
    names = [each.name for each in SETTINGS.values()]
    hint = did_you_mean(name, names)
    if hint:
        return f"{name!r} is no setting ({hint})"
    return f"{name!r} is no setting: write NAME=VALUE, with NAME one of {', '.join(names)}"
