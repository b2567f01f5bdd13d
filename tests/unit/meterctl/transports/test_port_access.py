"""What is missing to use a port: the group to join, and when to log in again."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from meterctl.errors import UsageError
from meterctl.transports.port_access import DeviceOwner, User, advice
from meterctl.transports.port_holders import Holder
from meterctl.transports.serial_port import SerialTransport

ANNA = User("anna", 1000, frozenset({1000}))
ADAPTER = DeviceOwner("root", "dialout", 20, stat.S_IFCHR | 0o660)


def test_the_group_of_the_device_is_the_one_to_join() -> None:
    assert "sudo usermod -aG dialout anna" in advice(ADAPTER, ANNA)


def test_a_member_whose_session_began_before_logs_in_again() -> None:
    joined = User("anna", 1000, frozenset({1000}), frozenset({"dialout"}))
    assert "log out and in again, or type newgrp dialout" in advice(ADAPTER, joined)


@pytest.mark.parametrize(("group", "number", "mode"), [("root", 0, 0o660), ("dialout", 20, 0o600)])
def test_nothing_advises_to_join_the_group_of_root_or_one_without_rights(
    group: str, number: int, mode: int
) -> None:
    found = advice(DeviceOwner("root", group, number, mode), ANNA)
    assert "usermod" not in found
    assert "udev rule" in found


def test_a_port_that_may_not_be_opened_names_the_group(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("serial.Serial", refused)
    monkeypatch.setattr("meterctl.transports.port_access.owner_of", lambda _: ADAPTER)
    monkeypatch.setattr("meterctl.transports.port_access.current_user", lambda: ANNA)
    with pytest.raises(UsageError, match=r"Permission denied; .*usermod -aG dialout anna.*no"):
        SerialTransport("/dev/ttyUSB0", print)


def test_a_port_that_another_program_has_names_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def locked(*_: object, **__: object) -> None:
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))

    monkeypatch.setattr("serial.Serial", locked)
    monkeypatch.setattr(
        "meterctl.transports.port_holders.holders",
        lambda _, devices: {device: [Holder(9, "minicom")] for device in devices},
    )
    with pytest.raises(UsageError, match=r"another program has it open for itself: minicom \(9\)"):
        SerialTransport(str(tmp_path / "port"), print)
