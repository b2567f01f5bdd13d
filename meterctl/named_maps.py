"""Register maps that the user names: a shipped one by its name, or a file."""

from __future__ import annotations

from pathlib import Path

from meterctl.errors import UsageError
from meterctl.named_files import read_named
from protocols.errors import QuantityError
from protocols.modbus.named_maps import map_of_text, names_file, shipped_map
from protocols.modbus.register_map import RegisterMap


def read_map(named: str) -> RegisterMap:
    """Return the register map of --map.

    Raises:
        UsageError: no map is shipped under that name, a file that cannot be read, or every mistake
            in it, a line each.
    """
    if not names_file(named):
        try:
            return shipped_map(named)
        except QuantityError as error:
            raise UsageError(f"--map {named}: {error}; nothing was sent") from error
    try:
        text = read_named(Path(named)).text
    except UsageError as error:
        raise UsageError(f"map {named}: {error}; nothing was sent") from error
    try:
        return map_of_text(named, text)
    except QuantityError as error:
        raise UsageError(str(error)) from error
