"""Desks to be copied for seeds: made once a process and an engine."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tests.desk.simulation.site import Template, furnish
from tests.support.desk_databases import SQLITE, DeskDatabases
from tests.support.desk_founded import FoundedDesk, found_with_admins


class Databases(Protocol):
    """A server on which databases are made and dropped."""

    def url(self, database: str) -> str:
        """Return the URL of a database."""
        ...

    def new_database(self, template: str = ...) -> str:
        """Return the name of a new database, a copy of a template."""
        ...

    def drop(self, database: str) -> None:
        """Drop a database."""
        ...


@dataclass
class Templates:
    """The templates of one process, each made at its first use."""

    databases: DeskDatabases
    _file: tuple[Path, Template] | None = field(init=False, default=None)
    _name: tuple[str, Template] | None = field(init=False, default=None)

    @contextmanager
    def copy(self, engine: str, folder: Path) -> Iterator[tuple[str, Template]]:
        """Yield the URL of a new desk as `furnish` leaves it; it is gone afterwards."""
        if engine == SQLITE:
            path, template = self._furnished_file()
            copied = folder / "desk.sqlite"
            shutil.copyfile(path, copied)
            yield f"sqlite:///{copied}", template
            return
        name, template = self._furnished_database()
        server: Databases = self.databases.server()
        made = server.new_database(name)
        try:
            yield server.url(made), template
        finally:
            server.drop(made)

    def _furnished_file(self) -> tuple[Path, Template]:
        if self._file is None:
            path = self.databases.folder / "furnished.sqlite"
            shutil.copyfile(self.databases.template_file(), path)
            self._file = path, _furnished(f"sqlite:///{path}")
        return self._file

    def _furnished_database(self) -> tuple[str, Template]:
        if self._name is None:
            server = self.databases.server()
            made = server.new_database(self.databases.template())
            self._name = made, _furnished(server.url(made))
        return self._name


def _furnished(url: str) -> Template:
    """Found and furnish a desk, and close it so that it can be copied."""
    desk = FoundedDesk(url, found_with_admins(url), keys="furnished-")
    template = furnish(desk)
    desk.database.close()
    return template
