"""The example of a meter's TOML: `data/meter.toml`, and every other key with its default."""

from __future__ import annotations

import re
from importlib.resources import files

from firmware_sim.description.keys import KEYS, Key
from firmware_sim.description.toml import TableOrFile
from protocols.data_model.kinds import Fixed

PLACE = "# EVERY OTHER KEY\n"
"""Line of `data/meter.toml` in whose place the other keys stand."""
COLUMN = 36
"""Where a comment begins."""


def example() -> str:
    """Return the text of the example."""
    text = files("firmware_sim.data").joinpath("meter.toml").read_text()
    named = set(re.findall(r"^(?:# |\[)?([a-z0-9_]+)(?: = |\])", text, re.MULTILINE))
    others = [_line(key) for key in KEYS if key.in_file and key.name not in named]
    return text.replace(PLACE, "".join(others))


def _line(key: Key) -> str:
    given = f"# {key.name} = {default_text(key)}"
    return f"{given:<{COLUMN - 2}} # {key.meaning}\n"


def default_text(key: Key) -> str:
    """Return the default of a key as TOML."""
    kind = key.kind
    assert not isinstance(kind, TableOrFile)
    text = kind.text(key.default)
    return text if isinstance(kind, Fixed) and kind.decimals == 0 else f'"{text}"'
