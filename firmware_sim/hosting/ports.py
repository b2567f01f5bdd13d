"""A serial port as a person names it: its settings, and whether it is a real or a virtual one."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from firmware_sim.hosting.errors import HostingError
from firmware_sim.hosting.port_lock import is_left_link
from protocols import port_settings
from protocols.errors import QuantityError

_MAX_LINKS = 40
"""Links that Linux follows in one name."""
_TERMINALS = ("/dev/pts/", "/dev/ttys")
"""Slave ends of ptys on Linux and macOS."""
_DEVICES, _SHARED_MEMORY = Path("/dev"), Path("/dev/shm")
"""The folder of devices, and the one in it that holds files."""


@dataclass(frozen=True, slots=True)
class PortSpec:
    """A PATH of the command line, with its settings: `/dev/ttyUSB0?baud=9600&parity=E`.

    `of_real_port` are the keys given that only a real port has.
    """

    given: str
    path: Path
    baud: int
    parity: str
    stop: int
    bits: int
    delay_ms: int
    silence_ms: int | None
    of_real_port: tuple[str, ...]


def parse_port(text: str, baud: int = 9600, parity: str = "N") -> PortSpec:
    """Return the port of a PATH; `baud` and `parity` are the defaults of its wire.

    Raises:
        HostingError: a setting that is not allowed, or a name that cannot be printed.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise HostingError(f"port {text!a}: the name is not UTF-8") from error
    try:
        path, settings = port_settings.parse_port(text)
    except QuantityError as error:
        raise HostingError(str(error)) from error
    return PortSpec(
        path,
        Path(path),
        settings.baud or baud,
        settings.parity or parity,
        settings.stop or 1,
        settings.bits or 8,
        settings.delay_ms or 0,
        settings.silence_ms,
        settings.of_line,
    )


def virtual_link(spec: PortSpec) -> Path | None:
    """Return the place for the link of a virtual port, None where PATH is a real port.

    All links are followed. A character device at their end is a real port: it is used, and no link
    to it is changed. A virtual port takes a free name, the place of a link into /dev/pts whose
    terminal has ended, or of the link that a killed meter-sim left, whose terminal may be another
    program's by now.

    Raises:
        HostingError: nothing can be used or made there, or a running meter-sim serves it.
    """
    link, end = _follow(spec.path)
    try:
        mode = os.stat(end).st_mode
    except FileNotFoundError:
        mode = 0
    except OSError as error:
        raise HostingError(f"port {spec.given}: {error.strerror}; nothing was touched") from error
    if mode and not stat.S_ISCHR(mode):
        raise HostingError(f"port {spec.given}: a file or directory is there; nothing was touched")
    if mode and (link is None or not is_left_link(link, spec.given)):
        return None
    place = end if link is None else link
    if link is not None and not is_terminal(end):
        raise HostingError(
            f"port {spec.given}: it is a link to {end}, which does not exist; nothing was touched"
        )
    _require_no_device(spec, place)
    return place


def is_terminal(path: Path | str) -> bool:
    """Return whether a path without links names the slave end of a pty."""
    return str(path).startswith(_TERMINALS)


def _require_no_device(spec: PortSpec, place: Path) -> None:
    """Raise HostingError where a real port was meant, which does not exist."""
    if place.is_relative_to(_DEVICES) and not place.is_relative_to(_SHARED_MEMORY):
        raise HostingError(
            f"port {spec.given}: no such device, and virtual ports are not made in /dev; "
            f"nothing was touched"
        )
    if spec.of_real_port:
        keys = " and ".join(f"{key}=" for key in spec.of_real_port)
        raise HostingError(
            f"port {spec.given}: {keys} set a real port, and there is none of that name; "
            f"a virtual port takes any speed and parity N"
        )


def _follow(path: Path) -> tuple[Path | None, Path]:
    """Return the last link of a path, None where it is no link, and the end of all links."""
    link, end = None, _in_real_folder(path)
    for _ in range(_MAX_LINKS):
        try:
            target = os.readlink(end)
        except OSError:
            break  # no link, or missing
        link, end = end, _in_real_folder(end.parent / target)
    return link, end


def _in_real_folder(path: Path) -> Path:
    return Path(os.path.realpath(path.parent), path.name)
