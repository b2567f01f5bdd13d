"""The serial ports of a machine, on folders that stand for /dev, /proc and /sys."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from meterctl.transports.local_ports import LocalPort, local_ports
from meterctl.transports.port_holders import Machine


@dataclass(frozen=True, slots=True)
class Adapter:
    """A port as pyserial lists it."""

    device: str
    description: str | None = "USB-RS485 Cable"
    manufacturer: str | None = "FTDI"
    product: str | None = "USB-RS485 Cable"
    serial_number: str | None = "FT4QZ1"


class FakeMachine:
    """A machine with an adapter at ttyUSB0, and processes that a test adds."""

    def __init__(self, root: Path) -> None:
        self.root, self.work = root, root / "work"
        for name in ("dev/pts", "dev/serial/by-id", "proc", "lock", "work"):
            (root / name).mkdir(parents=True)
        self.adapter = root / "dev/ttyUSB0"
        self.adapter.touch()
        (root / "dev/ptmx").touch()
        (root / "dev/serial/by-id/usb-FTDI_FT4QZ1-if00").symlink_to(self.adapter)
        self.machine = Machine(root / "dev", root / "proc", root / "sys", (root / "lock",))

    def process(self, pid: int, name: str, *opened: Path, words: str = "") -> Path:
        """Add a process with open files; return its folder."""
        folder = self.root / "proc" / str(pid)
        for part in ("fd", "fdinfo"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        (folder / "comm").write_text(f"{name}\n")
        (folder / "cmdline").write_text(words.replace(" ", "\0"))
        for number, path in enumerate(opened):
            (folder / "fd" / str(number)).symlink_to(path)
        return folder

    def drive(self, name: str) -> None:
        """Let /sys show a driver of the adapter."""
        (self.root / "sys/bus" / name).mkdir(parents=True)
        device = self.root / "sys/class/tty/ttyUSB0/device"
        device.mkdir(parents=True)
        (device / "driver").symlink_to(self.root / "sys/bus" / name)

    def ports(self, *further: str, may_use: bool = True, listed: bool = True) -> list[LocalPort]:
        """Return the ports."""
        return local_ports(
            self.machine,
            self.work,
            further,
            listed=lambda: [Adapter(str(self.adapter))] if listed else [],
            may_use=lambda _: may_use,
            advice=lambda _: "join dialout",
        )


@pytest.fixture
def fake(tmp_path: Path) -> FakeMachine:
    """A machine with an adapter."""
    return FakeMachine(tmp_path)


def test_an_adapter_has_its_stable_name_and_what_it_says_of_itself(fake: FakeMachine) -> None:
    fake.drive("ftdi_sio")
    (port,) = fake.ports()
    assert port.stable_name is not None
    assert port.stable_name.endswith("by-id/usb-FTDI_FT4QZ1-if00")
    assert (port.vendor, port.serial_number, port.driver) == ("FTDI", "FT4QZ1", "ftdi_sio")
    assert port.is_usable


def test_the_name_by_place_stands_where_the_adapter_has_none_of_its_own(fake: FakeMachine) -> None:
    (fake.root / "dev/serial/by-id/usb-FTDI_FT4QZ1-if00").unlink()
    (fake.root / "dev/serial/by-path").mkdir()
    (fake.root / "dev/serial/by-path/pci-0000:00:14.0-usb-0:2:1.0-port0").symlink_to(fake.adapter)
    assert "by-path/pci" in str(fake.ports()[0].stable_name)


def test_nothing_is_said_of_an_adapter_that_sys_does_not_show(fake: FakeMachine) -> None:
    port = local_ports(
        fake.machine, fake.work, listed=lambda: [Adapter(str(fake.adapter), "n/a", None, None, "")]
    )[0]
    said = (port.description, port.vendor, port.product, port.serial_number, port.driver)
    assert said == (None,) * 5


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("python3\0-c\0import os\nos.system('x')\x1b[2J", "python3"),
        ("python3\0-Ic\0import os", "python3"),
        ("python3\0-m\0meterctl\0watch", "meterctl"),
        ("python3\0/opt/\x1b[2Jread.py", "\\x1b[2Jread.py"),
        ("python3\0" + "x" * 99, "x" * 40),
    ],
)
def test_a_process_is_named_by_its_program_alone(fake: FakeMachine, words: str, name: str) -> None:
    folder = fake.process(41, "python3", fake.adapter)
    (folder / "cmdline").write_text(words)
    assert fake.ports()[0].held_by == f"{name} (41)"


def test_a_process_that_has_it_open_is_named_with_its_number(fake: FakeMachine) -> None:
    fake.process(41, "python3.11", fake.adapter, words="python3.11 -X /usr/bin/meterctl watch")
    fake.process(42, "bash", fake.root / "dev/tty0")
    (port,) = fake.ports()
    assert (port.held_by, port.is_usable) == ("meterctl (41)", False)
    assert port.problem == "meterctl (41) has it open"


def test_this_process_is_no_other_that_has_it_open(fake: FakeMachine) -> None:
    fake.process(os.getpid(), "meterctl", fake.adapter)
    assert fake.ports()[0].is_usable


def test_a_lock_of_a_process_that_hides_its_files_is_seen(fake: FakeMachine) -> None:
    file = fake.adapter.stat()
    place = f"{os.major(file.st_dev):02x}:{os.minor(file.st_dev):02x}:{file.st_ino}"
    (fake.root / "proc/locks").write_text(
        f"1: FLOCK  ADVISORY  WRITE 77 {place} 0 EOF\n2: POSIX  ADVISORY  READ 5 00:01:9 0 EOF\n"
    )
    assert fake.ports()[0].held_by == "a process (77)"


@pytest.mark.parametrize(("runs", "held"), [(True, "minicom (9)"), (False, None)])
def test_a_uucp_lock_file_counts_while_its_process_runs(
    fake: FakeMachine, runs: bool, held: str | None
) -> None:
    (fake.root / "lock/LCK..ttyUSB0").write_text("         9\n")
    if runs:
        fake.process(9, "minicom")
    assert fake.ports()[0].held_by == held


def test_a_missing_permission_names_what_helps(fake: FakeMachine) -> None:
    (port,) = fake.ports(may_use=False)
    assert (port.problem, port.is_usable) == ("no permission; join dialout", False)


def test_a_virtual_port_of_the_folder_names_the_meter_sim_behind_it(fake: FakeMachine) -> None:
    (fake.root / "dev/pts/3").touch()
    (fake.work / "m1.tty").symlink_to(fake.root / "dev/pts/3")
    maker = fake.process(50, "meter-sim", fake.root / "dev/ptmx", fake.root / "dev/pts/3")
    (maker / "fdinfo/0").write_text("pos:\t0\nflags:\t0100002\ntty-index:\t3\n")
    fake.process(51, "meterctl", fake.root / "dev/pts/3")
    _, port = fake.ports()
    assert port.port.endswith("m1.tty")
    assert port.description == "virtual port of meter-sim (50)"
    assert port.held_by == "meterctl (51)"


def test_a_link_of_a_meter_sim_that_has_ended_says_so(fake: FakeMachine) -> None:
    (fake.work / "m1.tty").symlink_to(fake.root / "dev/pts/8")
    (fake.work / "notes.txt").touch()
    _, port = fake.ports()
    assert port.problem == "what made it has ended; the link leads nowhere"


def test_a_path_given_is_shown_and_a_missing_one_is_said_to_be_missing(fake: FakeMachine) -> None:
    port = fake.ports(str(fake.root / "dev/ttyUSB7"), listed=False)[0]
    assert port.problem == "there is no such port"
