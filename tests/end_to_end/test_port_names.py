"""What a PATH of `meter-sim run` names: real ports are used, and only own links are replaced."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware_sim.hosting.errors import HostingError
from firmware_sim.hosting.port_lock import lock_port
from firmware_sim.hosting.ports import parse_port, virtual_link
from firmware_sim.hosting.virtual_port import VirtualPort
from firmware_sim.programs.ready import ready_line
from tests.conformance.wire import read, rtu
from tests.support.hosts import Adapter, one_meter_host, plugged_in, run_until
from tests.support.programs import meter_sim

IDENTITY = rtu(1, read(3, 0, 2))
PPM1 = rtu(1, bytes.fromhex("030450504d31"))
ENDED = "/dev/pts/4000000"
"""A terminal that there never is."""


@pytest.fixture
def adapter() -> Iterator[Adapter]:
    with plugged_in() as adapter:
        yield adapter


def place(path: Path | str, settings: str = "") -> Path | None:
    return virtual_link(parse_port(f"{path}{settings}"))


def refused(path: Path | str, *said: str, settings: str = "") -> None:
    """Check that a path is refused in one sentence that names it once, and nothing is touched."""
    folder = Path(path).parent
    before = os.listdir(folder)
    with pytest.raises(HostingError) as failed:
        place(path, settings)
    assert all(text in str(failed.value) for text in said), failed.value
    assert str(failed.value).count(str(path)) == 1
    assert failed.value.exit_code == 2
    assert os.listdir(folder) == before


def leave_link(link: Path, terminal: str) -> None:
    """Leave a link and its lock file as a killed meter-sim does."""
    lock = lock_port(link)
    link.symlink_to(terminal)
    lock.record(link)
    os.close(lock.file)


# ---- real ports


@pytest.mark.parametrize("kind", ["a device", "a link", "a relative link", "links of links"])
def test_a_real_port_is_used_and_its_links_are_left(
    kind: str, adapter: Adapter, tmp_path: Path
) -> None:
    by_id = tmp_path / "by-id"
    by_id.mkdir()
    adapter.link(tmp_path / "ttyX")
    (by_id / "usb-1").symlink_to("../ttyX")
    (tmp_path / "folder").symlink_to("by-id")
    (tmp_path / "mine").symlink_to("folder/usb-1")
    paths: dict[str, Path | str] = {
        "a device": adapter.device,
        "a link": tmp_path / "ttyX",
        "a relative link": by_id / "usb-1",
        "links of links": tmp_path / "mine",
    }
    loop = asyncio.new_event_loop()
    host = one_meter_host(loop)
    try:
        host.add_serial(f"{paths[kind]}?baud=19200&parity=E&stop=2&bits=7&silence_ms=100")
        assert not host.virtual_ports
        adapter.send(IDENTITY)
        assert run_until(loop, lambda: adapter.has_received(PPM1))
    finally:
        host.close()
        loop.close()
    assert os.readlink(tmp_path / "ttyX") == adapter.device
    assert os.readlink(tmp_path / "mine") == "folder/usb-1"
    assert sorted(os.listdir(tmp_path)) == ["by-id", "folder", "mine", "ttyX"]


def test_a_parity_is_taken_each_time_that_a_pty_of_another_program_is_opened(
    adapter: Adapter,
) -> None:
    loop = asyncio.new_event_loop()
    for _ in range(3):
        host = one_meter_host(loop)
        host.add_serial(f"{adapter.device}?parity=E")
        host.close()
    loop.close()


def test_a_port_is_opened_once_whatever_its_names(adapter: Adapter, tmp_path: Path) -> None:
    loop = asyncio.new_event_loop()
    host = one_meter_host(loop)
    try:
        host.add_serial(adapter.device)
        with pytest.raises(HostingError, match="another program has reserved it"):
            host.add_serial(str(adapter.link(tmp_path / "same")))
    finally:
        host.close()
        loop.close()


SHELL = """
import os, sys
os.open(sys.argv[1], os.O_RDWR)
print("has a terminal", flush=True)
input()
"""


def test_a_link_that_leads_to_the_terminal_of_a_shell_by_now_is_refused(
    adapter: Adapter, tmp_path: Path
) -> None:
    """The numbers of ptys are used again after a program was killed and left its link."""
    link = adapter.link(tmp_path / "ttyV0")
    loop = asyncio.new_event_loop()
    host = one_meter_host(loop)
    with subprocess.Popen(
        [sys.executable, "-c", SHELL, adapter.device],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as shell:
        assert shell.stdout is not None
        assert shell.stdout.readline()
        try:
            with pytest.raises(HostingError, match="it is a shell's terminal"):
                host.add_serial(str(link))
        finally:
            shell.communicate(b"\n")
            host.close()
            loop.close()


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/dev/null", "Inappropriate ioctl for device"),
        ("/dev/ttyUSB-none", "no such device"),
        ("/dev/serial-none/by-id/usb-1", "no such device"),
        (ENDED, "no such device"),
    ],
)
def test_a_device_that_is_none_or_missing_is_refused_by_its_name(path: str, reason: str) -> None:
    loop = asyncio.new_event_loop()
    host = one_meter_host(loop)
    with pytest.raises(HostingError) as failed:
        host.add_serial(path)
    host.close()
    loop.close()
    assert str(failed.value).startswith(f"port {path}: {reason}")
    assert "Errno" not in str(failed.value)
    assert not os.path.lexists(path) or path == "/dev/null"


def test_a_missing_name_is_refused_in_dev_by_any_way_there(tmp_path: Path) -> None:
    (tmp_path / "devices").symlink_to("/dev")
    refused(tmp_path / "devices" / "ttyUSB-none", "no such device")
    shared = Path(tempfile.mkdtemp(dir="/dev/shm"))
    assert place(shared / "m.tty") == Path(os.path.realpath(shared), "m.tty")
    shared.rmdir()


def test_a_link_to_an_adapter_that_is_not_plugged_in_is_refused_and_left(tmp_path: Path) -> None:
    (tmp_path / "adapter").symlink_to("/dev/ttyUSB-none")
    refused(tmp_path / "adapter", "it is a link to /dev/ttyUSB-none, which does not exist")
    (tmp_path / "mine").symlink_to("m.tty")
    refused(tmp_path / "mine", "which does not exist")
    (tmp_path / "round").symlink_to("round")
    refused(tmp_path / "round", "Too many levels of symbolic links")


@pytest.mark.parametrize("key", ["baud=9600", "parity=N", "parity=E", "stop=2", "bits=7"])
def test_settings_of_a_real_port_make_no_virtual_one(key: str, tmp_path: Path) -> None:
    name = f"{key.partition('=')[0]}= set a real port"
    refused(tmp_path / "m.tty", name, "there is none of that name", settings=f"?{key}")
    leave_link(tmp_path / "left", ENDED)
    refused(tmp_path / "left", name, settings=f"?{key}&delay_ms=5")


def test_the_settings_of_every_port_are_those_of_a_virtual_one_too(tmp_path: Path) -> None:
    assert place(tmp_path / "m.tty", "?delay_ms=5&silence_ms=40") == tmp_path / "m.tty"


# ---- links of meters


def test_two_names_of_one_served_place_are_one(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "e").symlink_to("d")
    port = VirtualPort(tmp_path / "d" / "m.tty")
    (tmp_path / "mine").symlink_to("e/m.tty")
    terminal = os.readlink(tmp_path / "d" / "m.tty")
    loop = asyncio.new_event_loop()
    host = one_meter_host(loop)
    try:
        for name in (tmp_path / "e/m.tty", tmp_path / "mine", tmp_path / "d/m.tty", terminal):
            with pytest.raises(HostingError, match="another meter-sim serves it"):
                host.add_serial(str(name))
        assert os.readlink(tmp_path / "d" / "m.tty") == terminal
        assert os.readlink(tmp_path / "mine") == "e/m.tty"
    finally:
        host.close()
        loop.close()
        port.close()


def test_the_link_of_an_ended_terminal_is_replaced_and_no_link_to_it(tmp_path: Path) -> None:
    (tmp_path / "m.tty").symlink_to(ENDED)
    (tmp_path / "mine").symlink_to("m.tty")
    assert place(tmp_path / "mine") == tmp_path / "m.tty"
    port = VirtualPort(tmp_path / "m.tty")
    assert os.path.realpath(tmp_path / "mine") == os.readlink(tmp_path / "m.tty") != ENDED
    port.close()
    assert os.listdir(tmp_path) == ["mine"]


def test_the_link_of_a_killed_meter_is_replaced_where_another_program_has_its_terminal(
    adapter: Adapter, tmp_path: Path
) -> None:
    link = tmp_path / "m.tty"
    leave_link(link, adapter.device)
    assert place(link) == link
    port = VirtualPort(link)
    assert os.readlink(link) != adapter.device
    port.close()
    assert os.listdir(tmp_path) == []


def test_a_link_that_another_program_made_at_the_place_of_a_killed_meter_is_used(
    adapter: Adapter, tmp_path: Path
) -> None:
    link = tmp_path / "m.tty"
    leave_link(link, adapter.device)
    (tmp_path / "keeps the inode").hardlink_to(link)
    adapter.link(link)
    assert place(link) is None
    with pytest.raises(HostingError, match="it is a link to"):
        VirtualPort(link)
    assert os.readlink(link) == adapter.device


def test_a_missing_folder_is_named_once(tmp_path: Path) -> None:
    with pytest.raises(HostingError) as failed:
        VirtualPort(tmp_path / "nope" / "m.tty", "./nope/m.tty")
    assert str(failed.value) == "port ./nope/m.tty: No such file or directory; nothing was touched"


def test_names_as_long_as_a_directory_takes_are_served(tmp_path: Path) -> None:
    for size in (249, 250, 255):
        link = tmp_path / ("x" * size)
        port = VirtualPort(link)
        with pytest.raises(HostingError, match="another meter-sim serves it"):
            place(link)
        port.close()
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("kind", ["file", "directory", "fifo"])
def test_what_is_no_port_is_left(kind: str, tmp_path: Path) -> None:
    path, link = tmp_path / "m.tty", tmp_path / "mine"
    {"file": path.touch, "directory": path.mkdir, "fifo": lambda: os.mkfifo(path)}[kind]()
    link.symlink_to("m.tty")
    for name in (path, link):
        refused(name, "a file or directory is there; nothing was touched")


# ---- what a person sees


@pytest.mark.parametrize(
    ("port", "said"),
    [
        ("/dev/ttyUSB-none?baud=9600&parity=E", "port /dev/ttyUSB-none: no such device, and"),
        ("./b\udcffd.tty", r"port './b\udcffd.tty': the name is not UTF-8"),
    ],
)
def test_a_port_that_cannot_be_used_ends_a_run_with_one_sentence(
    port: str, said: str, tmp_path: Path
) -> None:
    errors = meter_sim("run", "--modbus-rtu", port, cwd=tmp_path, check=2).stderr
    sentences = [line for line in errors.splitlines() if line.startswith("meter-sim:")]
    assert len(sentences) == 1
    assert sentences[0].startswith(f"meter-sim: {said}")
    assert os.listdir(tmp_path) == []


def test_the_ready_line_tells_a_virtual_port_from_a_real_one(
    adapter: Adapter, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loop = asyncio.new_event_loop()
    host = one_meter_host(loop)
    try:
        host.add_serial(str(tmp_path / "m.tty"))
        host.add_serial(adapter.device)
        print(ready_line(host, None, as_json=False))
        print(ready_line(host, None, as_json=True))
    finally:
        host.close()
        loop.close()
    said, as_json = capsys.readouterr().out.splitlines()
    virtual = f"Modbus RTU {tmp_path}/m.tty (virtual port, parity N)"
    assert said.endswith(f" on {virtual}, Modbus RTU {adapter.device}")
    assert "virtual" not in as_json
