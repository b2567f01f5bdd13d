"""Databases of each layout as they were written, and the balances that they hold.

Each is the end of a seed of the simulation, with the journal of its sales. `python -m
tests.desk.kept` writes those of today's layout: once, with the commit that makes the layout.
"""

from __future__ import annotations

import gzip
import subprocess
from pathlib import Path

import psycopg
from sqlalchemy import make_url

from tests.support.desk_databases import SQLITE

FOLDER = Path(__file__).parent
DATABASES = {SQLITE: ".sqlite.gz", "postgresql": ".postgresql.sql.gz"}
"""How the names of kept databases end, by engine: a file of SQLite, a dump of PostgreSQL."""
JOURNAL, BALANCES = ".journal.gz", ".balances.json"


def kept_layouts() -> list[str]:
    """Return the numbers of the layouts of which databases are kept."""
    end = DATABASES[SQLITE]
    return sorted(path.name.removesuffix(end) for path in FOLDER.glob(f"*{end}"))


def unpacked(name: str, path: Path) -> Path:
    """Write a kept file to a path, and return it."""
    path.write_bytes(gzip.decompress((FOLDER / name).read_bytes()))
    return path


def load_dump(name: str, url: str) -> None:
    """Load a kept dump into an empty database of PostgreSQL."""
    statements = gzip.decompress((FOLDER / name).read_bytes())
    with psycopg.connect(_place(url), autocommit=True) as connection:
        connection.execute(statements)


def dump(programs: Path, url: str) -> str:
    """Return a database of PostgreSQL as statements; the owner of its rows is left out."""
    command = [str(programs / "pg_dump"), "--no-owner", "--inserts", f"--dbname={_place(url)}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("\\"))  # commands of psql


def _place(url: str) -> str:
    """Return where a database is, as libpq takes it."""
    named = make_url(url)
    return f"host={named.query['host']} user={named.username} dbname={named.database}"
