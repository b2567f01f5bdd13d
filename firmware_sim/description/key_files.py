"""Key files of one meter, as `meterctl keys export` writes them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

from firmware_sim.hosting.errors import HostingError
from firmware_sim.hosting.named_files import read_named
from protocols import named_files
from protocols.keys import MeterKeys

_NAMES = ("credit", "command", "card")
_HEX = re.compile("([0-9a-fA-F]{2})+")


class KeyFile(NamedTuple):
    """Content of a `meterctl keys export` file: keys by version, serial number of their meter."""

    keys: dict[int, MeterKeys] | None
    serial_number: str
    warning: str | None = None
    """Set where other users may read the file."""


NO_KEY_FILE = KeyFile(None, "")


def read_keys(path: Path) -> KeyFile:
    """Return the content of a `meterctl keys export` file.

    Raises:
        HostingError: it cannot be read, others may write it, or it is not such a file.
    """
    text, mode = read_named(path, "keys")
    if named_files.others_may_write(mode):
        found = f"other users may write this file (chmod 600 {path})"
        raise HostingError(f"keys {path}: {found}; nothing was changed")
    keys, serial_number = parse_keys(text, path)
    warning = None
    if named_files.others_may_read(mode):
        warning = f"keys {path}: other users may read this file: chmod 600 {path}"
    return KeyFile(keys, serial_number, warning)


def parse_keys(text: str, path: Path) -> tuple[dict[int, MeterKeys], str]:
    """Return the keys by version and the serial number of the text of a key file.

    `path` names the file in errors.

    Raises:
        HostingError: not a key file, or a key ring with masters, which a meter never holds.
    """
    try:
        table = json.loads(text)
        if "masters" in table:
            raise HostingError(
                f"keys {path}: these are masters of a host; export this meter's with "
                f"`meterctl keys export`"
            )
        serial_number = str(table["serial_number"])
        keys = {int(row["version"]): _keys_of(row) for row in table["keys"]}
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise HostingError(f"keys {path}: it is no file of `meterctl keys export`") from error
    if not keys or any(
        len(k.credit) != 16
        or len(k.command) != 16
        or len(k.card) not in (0, 16)
        or not 0 <= k.version <= 255
        for k in keys.values()
    ):
        raise HostingError(
            f"keys {path}: a meter has at least one version, with two keys of 16 bytes"
        )
    return keys, serial_number


def _keys_of(row: dict[str, Any]) -> MeterKeys:
    """Return the keys of one version; other names with hexadecimal digits are further keys."""
    version = int(row["version"])
    own = (bytes.fromhex(row.get(name, "")) for name in _NAMES)
    further = {
        name: bytes.fromhex(text)
        for name, text in row.items()
        if name not in _NAMES and isinstance(text, str) and _HEX.fullmatch(text)
    }
    return MeterKeys(version, *own, further=further)
