"""A database of the desk: SQLite in one file, or PostgreSQL by its URL.

A transaction that writes begins with its lock on SQLite (`BEGIN IMMEDIATE`), so two of them never
meet half way; on PostgreSQL rows are locked in the order of `unit_of_work.RANKS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, create_engine, event, make_url, select
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.orm import Session

from meterctl.utility.errors import Invalid, NotFound
from meterctl.utility.model.organisation import Desk
from meterctl.utility.store.layout import require_current_layout, shown

READS = "desk_reads"
"""Execution option of a connection that only reads: its transaction takes no lock on SQLite."""
BUSY_S = 30
"""How long SQLite waits for another process's transaction, s."""


def connect(url: str) -> Engine:
    """Return an engine for a URL, or for the path of a SQLite file.

    Raises:
        Invalid: it is no URL of a database that the desk can use.
    """
    if "://" not in url:
        url = f"sqlite:///{Path(url)}"
    try:
        named = make_url(url)
    except ArgumentError as error:
        raise Invalid("database_url", f"{url!r} names no database; nothing was changed") from error
    match named.get_backend_name():
        case "sqlite":
            engine = create_engine(named, connect_args={"timeout": BUSY_S, "isolation_level": None})
            event.listen(engine, "connect", _begin_sqlite)
            event.listen(engine, "begin", _lock_sqlite)
            return engine
        case "postgresql":
            return create_engine(named.set(drivername="postgresql+psycopg"), pool_pre_ping=True)
        case other:
            raise Invalid(
                "database_url",
                f"the desk uses SQLite or PostgreSQL, not {other}; nothing was changed",
            )


def require_file(engine: Engine) -> None:
    """Refuse a SQLite file that is not there, which a connection would make; raises NotFound."""
    path = file_of(engine)
    if path is not None and not path.exists():
        raise NotFound("no_database", f"{path}: there is no such file; see `meterctl desk init`")


def cause_of(error: SQLAlchemyError) -> str:
    """Return the driver's own words of an error, without those of SQLAlchemy."""
    cause = error.orig if isinstance(error, DBAPIError) else None
    return str(cause or next(iter(error.args), type(error).__name__))


def file_of(engine: Engine) -> Path | None:
    """Return the file of an engine, None where the database is not a file."""
    name = engine.url.database
    return Path(name) if engine.dialect.name == "sqlite" and name else None


def _begin_sqlite(connection: Any, _: Any) -> None:
    """Set what a new connection to a file needs; a commit is on the disk when it returns."""
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _lock_sqlite(connection: Any) -> None:
    """Begin a transaction; one that writes takes its lock at once."""
    reads = connection.get_execution_options().get(READS, False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


@dataclass(frozen=True, slots=True)
class Database:
    """An opened database: its engine, the company's zone, and its clock.

    `host_clock` is the host's clock in ms since 1970 UTC; a simulated database has its own.
    """

    engine: Engine
    zone: ZoneInfo
    simulated: bool
    host_clock: Callable[[], int]
    committing: set[str] = field(init=False, default_factory=set, compare=False)
    """Key of the last mutation whose commit was begun here: it may be done, whatever follows."""

    @classmethod
    def open(cls, url: str, host_clock: Callable[[], int]) -> Database:
        """Open a database that `desk init` made.

        Raises:
            NotFound: there is none, or it is not one of the desk.
            Invalid: the URL names no database that the desk can use.
        """
        engine = connect(url)
        require_file(engine)
        try:
            reader = engine.execution_options(**{READS: True})
            require_current_layout(reader)
            with Session(reader) as session:
                row = session.scalars(select(Desk)).one_or_none()
        except SQLAlchemyError as error:
            cause = cause_of(error)
            raise NotFound(
                "no_desk",
                f"{shown(engine)}: no database of the desk, or it does not answer ({cause}); "
                f"nothing was changed, no money was taken",
            ) from error
        if row is None:
            raise NotFound("no_desk", f"{shown(engine)}: no desk; see `meterctl desk init`")
        return cls(engine, ZoneInfo(row.zone), row.simulated, host_clock)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Yield a session that sees one state of the database and changes nothing."""
        options: dict[str, Any] = {READS: True}
        if self.engine.dialect.name == "postgresql":
            options |= {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        reader = self.engine.execution_options(**options)
        with Session(reader, autoflush=False, expire_on_commit=False) as session:
            yield session

    def now(self) -> int:
        """Return the desk's clock, ms since 1970 UTC."""
        if not self.simulated:
            return self.host_clock()
        with self.reading() as session:
            clock = session.scalars(select(Desk.clock)).one()
            return self.host_clock() if clock is None else clock

    def begin_commit(self, key: str) -> None:
        """Note that the mutation of a key is committed next, or was before."""
        self.committing.clear()
        self.committing.add(key)

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()
