"""The serial ports of this machine: adapters and built-in ports, and virtual ones of meter-sim."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from meterctl.transports.port_access import permission_advice
from meterctl.transports.port_holders import Holder, Machine, holders

_UNKNOWN = ("", "n/a")
"""What pyserial says of a port that the system does not describe."""


class Described(Protocol):
    """A port as pyserial lists it."""

    device: str
    description: str | None
    manufacturer: str | None
    product: str | None
    serial_number: str | None


@dataclass(frozen=True, slots=True)
class LocalPort:
    """A port of this machine.

    `stable_name` is the path that stays the same when the adapter is plugged in again, with what
    the adapter says of itself; None for each that the system does not say. `problem` says why
    the port cannot be used now, and what helps.
    """

    port: str
    stable_name: str | None
    description: str | None
    vendor: str | None
    product: str | None
    serial_number: str | None
    driver: str | None
    held_by: str | None
    problem: str | None

    @property
    def is_usable(self) -> bool:
        """Whether a program of this user can open it."""
        return self.problem is None


def listed_ports() -> Sequence[Described]:
    """Return the ports that the system lists."""
    from serial.tools import list_ports  # pyserial is imported where a port is wanted

    return sorted(list_ports.comports(), key=lambda one: _order(one.device))


def may_read_and_write(path: str) -> bool:
    """Return whether this user may read and write a device."""
    return os.access(path, os.R_OK | os.W_OK)


def local_ports(
    machine: Machine,
    folder: Path,
    further: Sequence[str] = (),
    *,
    listed: Callable[[], Iterable[Described]] = listed_ports,
    may_use: Callable[[str], bool] = may_read_and_write,
    advice: Callable[[str], str] = permission_advice,
) -> list[LocalPort]:
    """Return the ports of a machine, then virtual ports that a folder links to, then `further`.

    No port is opened.
    """
    known: dict[str, Described | None] = {one.device: one for one in listed()}
    links = [path for path in _virtual_ports(machine, folder) if str(path) not in further]
    named = [*known, *map(_shown, links), *further]
    real = {name: os.path.realpath(name) for name in named}
    held = holders(machine, set(real.values()))
    stable = _stable_names(machine)
    made: list[LocalPort] = []
    for name in dict.fromkeys(named):
        device, one = real[name], known.get(name)
        users = [each for each in held[device] if not each.made_it]
        maker = next((each for each in held[device] if each.made_it), None)
        problem = _problem(name, device, users, may_use, advice)
        made.append(
            LocalPort(
                name,
                stable.get(device),
                _description(one, device, maker, machine),
                _said(None if one is None else one.manufacturer),
                _said(None if one is None else one.product),
                _said(None if one is None else one.serial_number),
                _driver(machine, device),
                ", ".join(map(str, users)) or None,
                problem,
            )
        )
    return made


def _order(device: str) -> tuple[str, int]:
    """Return the key that sorts ttyUSB2 before ttyUSB10."""
    name = device.rstrip("0123456789")
    number = device[len(name) :]
    return name, int(number or 0)


def _virtual_ports(machine: Machine, folder: Path) -> list[Path]:
    """Return the links of a folder to terminals, those that lead nowhere too."""
    terminals = str(machine.dev / "pts") + os.sep
    with contextlib.suppress(OSError):
        return sorted(
            path
            for path in folder.iterdir()
            if path.is_symlink() and os.path.realpath(path).startswith(terminals)
        )
    return []


def _shown(path: Path) -> str:
    """Return a path as a person would type it."""
    with contextlib.suppress(ValueError, OSError):
        return str(path.relative_to(Path.cwd()))
    return str(path)


def _stable_names(machine: Machine) -> dict[str, str]:
    """Return the stable name of each device: by what the adapter is, else by where it is."""
    found: dict[str, str] = {}
    for kind in ("by-path", "by-id"):  # the second stands where there are both
        with contextlib.suppress(OSError):
            for link in sorted((machine.dev / "serial" / kind).iterdir()):
                found[os.path.realpath(link)] = str(link)
    return found


def _driver(machine: Machine, device: str) -> str | None:
    link = machine.sys / "class" / "tty" / Path(device).name / "device" / "driver"
    return Path(os.path.realpath(link)).name if link.exists() else None


def _description(
    one: Described | None, device: str, maker: Holder | None, machine: Machine
) -> str | None:
    if one is not None:
        said = _said(one.description)
        return None if said == Path(device).name else said
    if maker is not None:
        return f"virtual port of {maker}"
    return "virtual port" if device.startswith(str(machine.dev / "pts")) else None


def _said(text: str | None) -> str | None:
    """Return a text of the system, None for one that says nothing."""
    return None if text is None or text in _UNKNOWN else text


def _problem(
    name: str,
    device: str,
    users: Sequence[Holder],
    may_use: Callable[[str], bool],
    advice: Callable[[str], str],
) -> str | None:
    """Return why a port cannot be used now, None where it can."""
    if not os.path.exists(device):
        gone = os.path.islink(name)
        return "what made it has ended; the link leads nowhere" if gone else "there is no such port"
    if not may_use(device):
        return "; ".join(["no permission", *filter(None, [advice(device)])])
    if users:
        return f"{' and '.join(map(str, users))} {'has' if len(users) == 1 else 'have'} it open"
    return None
