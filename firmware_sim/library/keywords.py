"""The description of a meter from the arguments of a call: a file, and keys over it."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping

from firmware_sim.description.files import describe_keys
from firmware_sim.description.keys import KEYWORD_READERS
from firmware_sim.errors import HostingError
from firmware_sim.library.words import FileName, file_name
from firmware_sim.meter_description import DEFAULT_START, MeterDescription


def describe(
    config: FileName | MeterDescription | None, keys: Mapping[str, object]
) -> MeterDescription:
    """Return the description of a file and of keys over it; raises HostingError."""
    if isinstance(config, MeterDescription):
        if keys:
            raise HostingError(f"a MeterDescription holds all keys: put {', '.join(keys)} into it")
        return config
    given = {
        name: os.fspath(value) if isinstance(value, os.PathLike) else value
        for name, value in keys.items()
        if value is not None
    }
    for name in given:
        if name not in KEYWORD_READERS:
            near = difflib.get_close_matches(name, KEYWORD_READERS, 1)
            guess = f"did you mean {near[0]!r}?" if near else "`meter-sim new FILE` lists them"
            raise HostingError(f"{name!r} is no key of a meter: {guess}")
    return describe_keys(
        None if config is None else file_name("config", config), given, DEFAULT_START
    )
