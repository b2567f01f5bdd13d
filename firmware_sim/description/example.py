"""The example of a meter's TOML: `data/meter.toml`, and every other key with its default."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files

from firmware_sim.description.keys import KEYS, Key
from firmware_sim.hosting.errors import HostingError
from protocols.data_model.kinds import Fixed
from protocols.errors import QuantityError
from protocols.toml_values import TableOrFile, TextKind

PLACE = "# EVERY OTHER KEY\n"
"""Line of `data/meter.toml` in whose place the other keys stand."""
COLUMN = 36
"""Where a comment begins."""


def example(given: Mapping[str, str] | None = None) -> str:
    """Return the text of the example, with the texts of some keys that stand in `data/meter.toml`.

    Raises:
        HostingError: a text that its key does not allow.
    """
    text = files("firmware_sim.data").joinpath("meter.toml").read_text()
    named = set(re.findall(r"^(?:# |\[)?([a-z0-9_]+)(?: = |\])", text, re.MULTILINE))
    others = [_line(key) for key in KEYS if key.in_file and key.name not in named]
    for key in KEYS:
        if given and key.name in given:
            text = _with_value(text, key, given[key.name])
    return text.replace(PLACE, "".join(others))


def _with_value(text: str, key: Key, value: str) -> str:
    """Return the text with another value of a key; its comment stays in its column."""
    kind = key.kind
    assert not isinstance(kind, TableOrFile)
    try:
        shown = _as_toml(kind, kind.text(kind.parse(value)))
    except QuantityError as error:
        raise HostingError(f"{key.name}: {error}; nothing was changed") from error
    line = re.compile(rf"^{key.name} = [^#\n]*?( *)(?=#|$)", re.MULTILINE)
    assert line.search(text)
    return line.sub(lambda old: f"{key.name} = {shown}".ljust(len(old[0])), text, count=1)


def _line(key: Key) -> str:
    given = f"# {key.name} = {default_text(key)}"
    return f"{given:<{COLUMN - 2}} # {key.meaning}\n"


def default_text(key: Key) -> str:
    """Return the default of a key as TOML."""
    kind = key.kind
    assert not isinstance(kind, TableOrFile)
    return _as_toml(kind, kind.text(key.default))


def _as_toml(kind: TextKind, text: str) -> str:
    return text if isinstance(kind, Fixed) and kind.decimals == 0 else f'"{text}"'
