"""Which processes have a port open, as Linux shows it: open files, locks, lock files.

What the system hides from this user is not found. No port is opened: an opening moves the control
lines of a real port.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from protocols.replacements import printable

_INTERPRETER = re.compile(r"python[0-9.]*")
_LONGEST_NAME = 40


@dataclass(frozen=True, slots=True)
class Machine:
    """Where the system shows devices, processes and lock files."""

    dev: Path = Path("/dev")
    proc: Path = Path("/proc")
    sys: Path = Path("/sys")
    locks: tuple[Path, ...] = (Path("/run/lock"), Path("/var/lock"))


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that has a port open; `made_it`: one that serves the other end of a virtual port.

    Its name is None where the process does not show it.
    """

    pid: int
    name: str | None
    made_it: bool = False

    def __str__(self) -> str:
        return f"{self.name or 'a process'} ({self.pid})"


def holders(machine: Machine, devices: Collection[str]) -> Mapping[str, list[Holder]]:
    """Return the processes that have each of some devices open; this process is left out.

    Args:
        devices: real paths, without links in them.
    """
    found: dict[str, dict[int, Holder]] = {device: {} for device in devices}
    for pid in _pids(machine):
        for device, made_it in _open_devices(machine, pid, devices):
            if made_it or pid not in found[device]:
                found[device][pid] = Holder(pid, _name(machine, pid), made_it)
    locked = _locked_files(machine)
    for device in devices:
        for pid in (*_lockers(device, locked), *_lock_file(machine, device)):
            found[device].setdefault(pid, Holder(pid, _name(machine, pid)))
    return {
        device: [one for pid, one in sorted(each.items()) if pid != os.getpid()]
        for device, each in found.items()
    }


def _pids(machine: Machine) -> Iterator[int]:
    with contextlib.suppress(OSError):
        yield from (int(name) for name in os.listdir(machine.proc) if name.isdigit())


def _open_devices(
    machine: Machine, pid: int, devices: Collection[str]
) -> Iterator[tuple[str, bool]]:
    """Yield the devices that a process has open, and whether it is the other end that it has."""
    files = machine.proc / str(pid) / "fd"
    try:
        names = os.listdir(files)
    except OSError:  # it ended, or it is another user's
        return
    for name in names:
        try:
            target = os.readlink(files / name)
        except OSError:
            continue
        if target in devices:
            yield target, False
        elif target.endswith("/ptmx"):
            other_end = _other_end(machine, pid, name)
            if other_end in devices:
                yield other_end, True


def _other_end(machine: Machine, pid: int, file: str) -> str:
    """Return the terminal that belongs to an open master, empty where it is not shown."""
    with contextlib.suppress(OSError):
        text = (machine.proc / str(pid) / "fdinfo" / file).read_text("utf-8", "replace")
        if number := re.search(r"^tty-index:\s*(\d+)", text, re.MULTILINE):
            return str(machine.dev / "pts" / number[1])
    return ""


def _name(machine: Machine, pid: int) -> str | None:
    """Return the name of a process; of one of Python the name of its script or module."""
    folder = machine.proc / str(pid)
    try:
        name = (folder / "comm").read_text("utf-8", "replace").strip()
        words = (folder / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
    except OSError:
        return None
    if _INTERPRETER.fullmatch(name):
        name = _script(words[1:]) or name
    return printable(name[:_LONGEST_NAME]) or None


def _script(words: Iterable[str]) -> str:
    """Return what the arguments of Python run, empty for a program that stands among them."""
    rest = iter(words)
    for word in rest:
        if word == "-m":
            return next(rest, "")
        if not word.startswith("-"):
            return Path(word).name
        if word[1:2] != "-" and "c" in word:  # -c, -Ic: its text is no name
            return ""
    return ""


def _locked_files(machine: Machine) -> Mapping[tuple[int, int, int], list[int]]:
    """Return the processes that hold locks, by major and minor number and inode of the file."""
    found: dict[tuple[int, int, int], list[int]] = {}
    with contextlib.suppress(OSError):
        for line in (machine.proc / "locks").read_text("ascii", "replace").splitlines():
            words = line.split()
            with contextlib.suppress(ValueError, IndexError):
                pid = int(words[4])
                major, minor, inode = words[5].split(":")
                found.setdefault((int(major, 16), int(minor, 16), int(inode)), []).append(pid)
    return found


def _lockers(device: str, locked: Mapping[tuple[int, int, int], list[int]]) -> list[int]:
    """Return the processes that hold a lock on a device; -1 is one that is not shown."""
    try:
        file = os.stat(device)
    except OSError:
        return []
    key = os.major(file.st_dev), os.minor(file.st_dev), file.st_ino
    return [pid for pid in locked.get(key, []) if pid > 0]


def _lock_file(machine: Machine, device: str) -> Iterator[int]:
    """Yield the process of a lock file as UUCP makes it, while that process runs."""
    for folder in machine.locks:
        with contextlib.suppress(OSError, ValueError, IndexError):
            text = (folder / f"LCK..{Path(device).name}").read_text("ascii", "replace")
            pid = int(text.split()[0])
            if (machine.proc / str(pid)).exists():
                yield pid
