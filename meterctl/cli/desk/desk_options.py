"""The options of all commands of the desk, and what is made of them."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from meterctl.cli.options import Options
from meterctl.cli.output import say
from meterctl.errors import NotPermittedError, UsageError
from protocols.command_line import Context

DATABASE, KEY, NODE = "--database", "--key", "--node"
TOKEN = "METERCTL_DESK_TOKEN"
FILE_NAME = "desk.sqlite"
_DRIVERS = {
    "sqlite": "sqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}
"""Scheme of a URL as people write it -> the engine and driver that we use."""


@dataclass(frozen=True)
class DeskOptions:
    """The options of a command of the desk as given; `common` are those of meterctl."""

    common: Options
    database: str | None = None
    given_key: str | None = None
    node: str | None = None

    @property
    def json(self) -> bool:
        """Whether objects are printed, one a line."""
        return self.common.json

    @property
    def dry_run(self) -> bool:
        """Whether nothing is to be changed."""
        return self.common.dry_run

    @cached_property
    def url(self) -> str:
        """The URL of the database; raises UsageError for one of another kind."""
        if self.database is None:
            return _url_of_file(self.common.journal_path.with_name(FILE_NAME))
        scheme, separator, rest = self.database.partition("://")
        if not separator:
            return _url_of_file(Path(self.database))
        if scheme not in _DRIVERS:
            raise UsageError(
                f"{DATABASE} {scheme}://…: allowed are postgresql://USER@HOST/NAME, sqlite:///FILE "
                f"and the name of a file for SQLite"
            )
        return f"{_DRIVERS[scheme]}://{rest}"

    @cached_property
    def token(self) -> str:
        """The token of who works; raises NotPermittedError without one."""
        found = os.environ.get(TOKEN, "").strip()
        if not found:
            raise NotPermittedError(f"no token: set {TOKEN} to yours. Nothing was changed")
        return found

    @cached_property
    def key(self) -> str:
        """The key of what this command does; one that was not given is drawn and printed now."""
        if self.given_key is not None:
            return _checked(self.given_key)
        drawn = secrets.token_hex(8)
        if not self.dry_run:
            say(f"key {drawn} (the same command with {KEY} {drawn} goes on with it)")
        return drawn


def desk_options(context: Context) -> DeskOptions:
    """Return the options of a command of the desk."""
    found = context.find_object(DeskOptions)
    assert found is not None
    return found


def _url_of_file(path: Path) -> str:
    return f"sqlite:///{os.path.abspath(path)}"


def _checked(key: str) -> str:
    """Return a key that a sale in the journal can have too; raises UsageError."""
    from meterctl.operations.credit import require_sale_key  # not every command has a key

    try:
        return require_sale_key(key)
    except UsageError as error:
        raise UsageError(f"{KEY}: {error}") from error
