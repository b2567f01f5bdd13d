"""Register maps as people name them: a bare word is a shipped map, anything else a file. No I/O.

Both programs take such names; each reads files in its own way.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from protocols.errors import QuantityError

if TYPE_CHECKING:
    from protocols.modbus.register_map import RegisterMap

NATIVE = "native"
"""The name of the map that meters have where no other is named."""
SUFFIX = ".toml"
FILES = f"the name of a file has a / or ends in {SUFFIX}"
_AT_UNIT = re.compile(r"(?P<named>.*)@(?P<unit>[0-9]{1,3})", re.DOTALL)


def names_file(named: str) -> bool:
    """Return whether a name is that of a file: it has a "/", or ends in .toml."""
    return "/" in named or named.lower().endswith(SUFFIX)


def at_unit(text: str) -> tuple[str, int | None]:
    """Return the name of a map, and the unit behind its last @; None without one."""
    found = _AT_UNIT.fullmatch(text)
    return (text, None) if found is None else (found["named"], int(found["unit"]))


def shipped_names() -> list[str]:
    """Return the names of the shipped maps."""
    from protocols.modbus.shipped_maps import names  # noqa: PLC0415 - most starts name no map

    return list(names())


def shipped_map(name: str) -> RegisterMap:
    """Return the shipped map of a name; raises QuantityError where there is none."""
    if name == NATIVE:
        from protocols.modbus.native_map import NATIVE_MAP  # noqa: PLC0415 - as below

        return NATIVE_MAP
    from protocols.modbus.shipped_maps import shipped  # noqa: PLC0415 - most starts name no map

    try:
        return shipped(name).register_map
    except QuantityError as error:
        raise QuantityError(f"{error}; {FILES}") from error


def map_of_text(path: str, text: str) -> RegisterMap:
    """Return the map of the text of a file; one that has no name of its own has the file's.

    Raises:
        QuantityError: every mistake in the file, a line each, which begins with the path.
    """
    from protocols.modbus.map_file import parse_map  # noqa: PLC0415 - most starts name no map

    name = path.rpartition("/")[2].removesuffix(SUFFIX)
    try:
        return parse_map(text, name).register_map
    except QuantityError as error:
        told = (f"map {path}: {line}" for line in str(error).splitlines())
        raise QuantityError("\n".join(told)) from error
