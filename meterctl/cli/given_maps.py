"""The maps of --map, as they were given on the command line or in the variable."""

from __future__ import annotations

import os

from protocols.command_line import Context

MAP_VARIABLE = "METERCTL_MAP"


def named_maps(context: Context) -> list[str]:
    """Return the words of --map; its variable holds one."""
    root = context.find_root()
    source = root.get_parameter_source("map_names")
    if source is not None and source.name == "ENVIRONMENT":
        return [os.environ[MAP_VARIABLE]]  # typer would take a blank in it for the end of a name
    return list(root.params.get("map_names") or ())
