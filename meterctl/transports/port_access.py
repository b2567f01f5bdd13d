"""What is missing to use a serial port of this machine, and how a user gets it."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass

_ROOT = 0


@dataclass(frozen=True, slots=True)
class User:
    """Who runs the program: `groups` are those of the session, `named_in` those of the account."""

    name: str
    number: int
    groups: frozenset[int]
    named_in: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class DeviceOwner:
    """To whom a device belongs, and the bits of its mode."""

    owner: str
    group: str
    group_number: int
    mode: int


def current_user() -> User:
    """Return the user of this process."""
    import grp
    import pwd

    number = os.geteuid()
    try:
        name = pwd.getpwuid(number).pw_name
    except KeyError:
        name = str(number)
    named_in = frozenset(one.gr_name for one in grp.getgrall() if name in one.gr_mem)
    return User(name, number, frozenset((*os.getgroups(), os.getegid())), named_in)


def owner_of(path: str) -> DeviceOwner:
    """Return to whom a device belongs; raises OSError."""
    import grp
    import pwd

    found = os.stat(path)
    try:
        owner = pwd.getpwuid(found.st_uid).pw_name
    except KeyError:
        owner = str(found.st_uid)
    try:
        group = grp.getgrgid(found.st_gid).gr_name
    except KeyError:
        group = str(found.st_gid)
    return DeviceOwner(owner, group, found.st_gid, found.st_mode)


def permission_advice(path: str) -> str:
    """Return how this user gets the right to use a port, for the end of an error text.

    Empty where the system has no groups, or the device is gone.
    """
    try:
        return advice(owner_of(path), current_user())
    except (ImportError, OSError):
        return ""


def advice(device: DeviceOwner, user: User) -> str:
    """Return what to type so that a user may read and write a device."""
    shares = device.mode & (stat.S_IRGRP | stat.S_IWGRP) == stat.S_IRGRP | stat.S_IWGRP
    if not shares or device.group_number == _ROOT:
        return (
            f"it belongs to {device.owner}:{device.group} and no group may use it: a udev rule "
            f'such as SUBSYSTEM=="tty", GROUP="dialout", MODE="0660" gives it to one'
        )
    if device.group in user.named_in and device.group_number not in user.groups:
        return (
            f"{user.name} joined the group {device.group}, and this session began before: log out "
            f"and in again, or type newgrp {device.group}"
        )
    return (
        f"it belongs to the group {device.group}: type sudo usermod -aG {device.group} "
        f"{user.name}, then log out and in again"
    )
