"""Write databases of today's layout to be kept: the ends of a seed of the simulation."""

from __future__ import annotations

import gzip
import json
import shutil
import sqlite3
import sys
import tempfile
from pathlib import Path

from meterctl.utility.store.layout import LAYOUT
from tests.desk.kept import BALANCES, DATABASES, FOLDER, JOURNAL, dump
from tests.desk.simulation.play import Play
from tests.desk.simulation.runs import play_through, templates
from tests.desk.simulation.site import Site
from tests.support.desk_databases import SQLITE
from tests.support.desk_sales import balances
from tests.support.postgresql import installed_programs

SEED, STEPS = 749_300_000, 250
PLACE = Path("/tmp/desk")
"""Where they are made: a desk writes down where its journal is."""


def main() -> int:
    """Write them, unless the layout's are kept already."""
    if (FOLDER / f"{LAYOUT}{DATABASES[SQLITE]}").exists():
        sys.exit(f"databases of layout {LAYOUT} are kept already; nothing was written")
    for engine in DATABASES:
        PLACE.mkdir()
        try:
            _keep(engine, PLACE)
        finally:
            shutil.rmtree(PLACE)
    return 0


def _keep(engine: str, folder: Path) -> None:
    """Play the seed on an engine, and keep its database and its journal."""
    with templates().copy(engine, folder) as (url, template):
        site = Site(url, template, folder, SEED)
        play_through(Play(site, SEED), STEPS)
        found = balances(site.database)
        journal = site.journal
        site.close()
        if engine == SQLITE:
            written = _without_log(Path(url.removeprefix("sqlite:///")))
        else:
            written = dump(installed_programs(), url).encode()
        _write(f"{LAYOUT}{DATABASES[engine]}", written)
        _write(f"{LAYOUT}.{engine}{JOURNAL}", _without_log(journal))
        text = json.dumps(found, indent=1, sort_keys=True) + "\n"
        (FOLDER / f"{LAYOUT}.{engine}{BALANCES}").write_text(text)


def _without_log(path: Path) -> bytes:
    """Return a file of SQLite with all that is committed."""
    with tempfile.TemporaryDirectory() as name:
        copied = Path(name) / "whole"
        connection = sqlite3.connect(path)
        connection.execute("VACUUM INTO ?", (str(copied),))
        connection.close()
        return copied.read_bytes()


def _write(name: str, content: bytes) -> None:
    (FOLDER / name).write_bytes(gzip.compress(content, mtime=0))


if __name__ == "__main__":
    sys.exit(main())
