"""The register maps that come with the package: the native one, and files of meters people own.

Nothing is read before a map is asked for.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from protocols.errors import QuantityError
from protocols.modbus.native_map import NATIVE_MAP
from protocols.suggestions import did_you_mean

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from protocols.modbus.map_file import MapFile

NATIVE = NATIVE_MAP.name
_SUFFIX = ".toml"


def names() -> tuple[str, ...]:
    """Return the names of all shipped maps, the native one first."""
    files = sorted(one.name for one in _directory().iterdir() if one.name.endswith(_SUFFIX))
    return (NATIVE, *(name.removesuffix(_SUFFIX) for name in files))


@lru_cache
def shipped(name: str) -> MapFile:
    """Return a shipped map with what its file says of it; raises QuantityError."""
    from protocols.modbus.map_file import MapFile, Source, parse_map  # noqa: PLC0415 - when asked

    if name == NATIVE:
        source = Source("docs/register-map.md", "documented")
        return MapFile(NATIVE_MAP, "The native map of this meter", (source,))
    if name not in names():
        hint = did_you_mean(name, names(), f"shipped are {', '.join(names())}")
        raise QuantityError(f"there is no shipped map {name!r}; {hint}")
    return parse_map(source_of(name), name)


def source_of(name: str) -> str:
    """Return the text of a shipped map's file, which the native one has none of."""
    return (_directory() / f"{name}{_SUFFIX}").read_text("utf-8")


def _directory() -> Traversable:
    from importlib.resources import files  # noqa: PLC0415 - when asked

    return files("protocols.modbus.maps")
