"""The databases of the desk's tests: both engines, new for each test, none left behind."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, text

from tests.support import postgresql
from tests.support.desk_databases import DeskDatabases
from tests.support.postgresql import CannotRunError, Server

ROOT = Path(__file__).resolve().parents[2]


def test_postgresql_runs_wherever_its_wheel_is_installed(desk_databases: DeskDatabases) -> None:
    """Tests on PostgreSQL are skipped only where there is no wheel, never by our fault."""
    try:
        postgresql.installed_programs()
    except CannotRunError as error:
        pytest.skip(f"PostgreSQL cannot run here: {error}")
    engine = create_engine(desk_databases.server().url("postgres"))
    with engine.connect() as connection:
        assert connection.dialect.server_version_info >= (15,)  # type: ignore[operator]
        assert connection.scalar(text("SHOW fsync")) == "off"
    engine.dispose()


def test_a_desk_has_todays_layout_and_what_one_test_writes_no_other_sees(desk_url: str) -> None:
    engine = create_engine(desk_url)
    with engine.begin() as connection:
        assert "desk_layout" in inspect(connection).get_table_names()
        connection.execute(text("CREATE TABLE seen_by_one_test (id BIGINT)"))
    engine.dispose()


@pytest.mark.parametrize("durable", [False, True])
def test_a_server_flushes_where_a_test_asks_and_leaves_neither_process_nor_folder(
    postgresql_server: Server, durable: bool
) -> None:
    with postgresql.running_server(durable=durable) as server:
        engine = create_engine(server.url("postgres"))
        with engine.connect() as connection:
            assert connection.scalar(text("SHOW fsync")) == ("on" if durable else "off")
        pid = _pid(server.folder)
    assert not server.folder.exists()
    assert not _lives(pid)
    engine.dispose()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_a_server_ends_with_a_process_that_is_killed(postgresql_server: Server) -> None:
    code = (
        "import sys; from tests.support.postgresql import running_server\n"
        "with running_server() as server:\n"
        "    print(server.folder, flush=True); sys.stdin.read()\n"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert owner.stdout is not None
    assert owner.stdin is not None
    folder = Path(owner.stdout.readline().decode().strip())
    pid = _pid(folder)
    assert _lives(pid)
    owner.kill()
    owner.wait()
    until = time.monotonic() + 20
    while _lives(pid) and time.monotonic() < until:
        time.sleep(0.02)
    assert not _lives(pid)
    owner.stdin.close()
    owner.stdout.close()
    subprocess.run(["rm", "-r", str(folder)], check=True)


def _pid(folder: Path) -> int:
    return int((folder / "data" / "postmaster.pid").read_text().split()[0])


def _lives(pid: int) -> bool:
    """Return whether a process runs; one that ended and was not waited for does not."""
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat")
        return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
