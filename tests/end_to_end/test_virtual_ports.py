"""One process serves the path of a virtual port; no other user can lock it."""

from __future__ import annotations

import fcntl
import hashlib
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from firmware_sim.hosting.errors import HostingError
from firmware_sim.hosting.port_lock import lock_port
from firmware_sim.hosting.virtual_port import VirtualPort
from tests.support.programs import meter_sim, running

OTHER_USER = 65534
ROUNDS, RIVALS = 200, 4
by_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files of other users")


@contextmanager
def served(link: Path) -> Iterator[VirtualPort]:
    port = VirtualPort(link)
    try:
        assert os.readlink(link).startswith("/dev/")
        yield port
    finally:
        port.close()


def lock_of(link: Path) -> Path:
    return link.with_name(f".{link.name}.lock")


def test_another_user_cannot_hold_a_port_by_a_name_that_anybody_may_take(tmp_path: Path) -> None:
    link = tmp_path / "m.tty"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as unrelated:
        name = hashlib.sha256(os.path.abspath(link).encode()).hexdigest()
        unrelated.bind(f"\0meter-sim:{name}")
        with served(link):
            pass
    assert os.listdir(tmp_path) == [], "an orderly stop leaves neither link nor lock"


def test_a_port_is_served_once_and_again_after_its_process_was_killed(tmp_path: Path) -> None:
    words = ("--modbus-rtu", "m.tty", "--speed", "0")
    with running(*words, cwd=tmp_path, kill=True):
        said = meter_sim("run", *words, cwd=tmp_path, check=2).stderr
        assert "another meter-sim serves it" in said
    assert lock_of(tmp_path / "m.tty").exists(), "a killed process leaves its lock file"
    with served(tmp_path / "m.tty"), pytest.raises(HostingError, match="another meter-sim"):
        VirtualPort(tmp_path / "m.tty")
    assert os.listdir(tmp_path) == []


def test_rivals_never_hold_one_port_at_the_same_time(tmp_path: Path) -> None:
    """Every release removes the lock file, which another process may just have opened."""
    link, inside, held, twice = tmp_path / "m.tty", threading.Lock(), [0] * RIVALS, []
    begin = threading.Barrier(RIVALS)

    def rival(number: int) -> None:
        begin.wait()
        for _ in range(ROUNDS):
            try:
                lock = lock_port(link)
            except HostingError:
                continue
            if inside.acquire(blocking=False):
                held[number] += 1
                os.listdir(tmp_path)  # lets the other threads run
                inside.release()
            else:
                twice.append(number)
            lock.release()

    threads = [threading.Thread(target=rival, args=(number,)) for number in range(RIVALS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not twice
    assert sum(held) > 0
    assert os.listdir(tmp_path) == []


def test_a_lock_file_that_was_removed_between_opening_and_locking_is_not_taken(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    link, flock, removed = tmp_path / "m.tty", fcntl.flock, []

    def late(file: int, operation: int) -> None:
        if not removed:
            removed.append(os.fstat(file).st_ino)
            lock_of(link).unlink()
        flock(file, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    lock = lock_port(link)
    assert removed
    with pytest.raises(HostingError, match="another meter-sim"):
        lock_port(link)
    lock.release()


def test_a_lock_file_that_is_another_one_by_now_is_left(tmp_path: Path) -> None:
    link = tmp_path / "m.tty"
    first = lock_port(link)
    lock_of(link).unlink()
    second = lock_port(link)
    first.release()
    with pytest.raises(HostingError, match="another meter-sim"):
        lock_port(link)
    second.release()


def a_link(path: Path) -> None:
    path.symlink_to("/dev/null")


def a_fifo(path: Path) -> None:
    os.mkfifo(path)


def a_folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize("make", [a_link, a_fifo, a_folder])
def test_what_is_no_lock_file_is_removed(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(lock_of(tmp_path / "m.tty"))
    with served(tmp_path / "m.tty"):
        assert lock_of(tmp_path / "m.tty").is_file()


@by_root
def test_the_lock_file_of_another_user_is_removed_even_where_he_holds_it(tmp_path: Path) -> None:
    path = lock_of(tmp_path / "m.tty")
    with path.open("w") as strange:
        os.chown(path, OTHER_USER, OTHER_USER)
        fcntl.flock(strange, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with served(tmp_path / "m.tty"):
            assert path.stat().st_uid == 0


def test_what_cannot_be_removed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = lock_of(tmp_path / "m.tty")
    path.symlink_to("/dev/null")

    def refused(_: Path) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "unlink", refused)
    with pytest.raises(HostingError, match=r"\.m\.tty\.lock is not a lock file of this user"):
        VirtualPort(tmp_path / "m.tty")


@pytest.mark.parametrize("missing", ["openpty", "ttyname"])
def test_a_system_without_ptys_is_named_and_nothing_is_left(
    missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, missing, refused)
    with pytest.raises(HostingError) as failed:
        VirtualPort(tmp_path / "m.tty", "m.tty")
    assert str(failed.value) == "port m.tty: No space left on device; nothing was changed"
    assert os.listdir(tmp_path) == []


@by_root
def test_the_live_port_of_another_user_is_left_alone_and_a_dead_one_is_replaced(
    tmp_path: Path,
) -> None:
    master, slave = os.openpty()
    link, terminal = tmp_path / "m.tty", os.ttyname(slave)
    link.symlink_to(terminal)
    os.lchown(link, OTHER_USER, OTHER_USER)
    os.chown(terminal, OTHER_USER, OTHER_USER)
    try:
        with pytest.raises(HostingError, match="it is a link to"):
            VirtualPort(link)
        assert os.readlink(link) == terminal
    finally:
        os.close(slave)
        os.close(master)
    with served(link):
        pass
