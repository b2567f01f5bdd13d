"""One transaction of the desk: what is decided, its audit and its answer are written together.

`perform` runs an action once for its key. The same key with the same body gives the first answer
again; with another body it is refused (UTILITY 2). Nothing waits for a wire within it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from hashlib import sha256
from typing import Any, TypeVar

from sqlalchemy import Connection, Executable, Select, bindparam, insert, inspect, select, update
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session

from meterctl.utility.errors import Conflict, KeyReused, NotFound, NotPermitted, Stale
from meterctl.utility.model.agreement import Agreement
from meterctl.utility.model.banking import Bank, BankLine, Mandate
from meterctl.utility.model.base import Base
from meterctl.utility.model.evidence import Audit, Request
from meterctl.utility.model.metering import Meter, Port
from meterctl.utility.model.money import DayClose, Sale, Shift
from meterctl.utility.model.organisation import Organisation, Staff
from meterctl.utility.model.party import Party, SupplyPoint
from meterctl.utility.model.work import Order, Task
from meterctl.utility.rules.rights import ALLOWED, Action, Role
from meterctl.utility.store.engine import Database
from meterctl.utility.store.ledger import Ledger
from meterctl.utility.store.statements import Prepared, insert_if_absent, rows_of

Row = TypeVar("Row", bound=Base)
Result = TypeVar("Result")

RANKS: tuple[type[Base], ...] = (
    Task,
    Organisation,
    Staff,
    Party,
    SupplyPoint,
    Port,
    Bank,
    Mandate,
    BankLine,
    Agreement,
    Shift,
    Meter,
    Order,
    Sale,
)
"""Rows are locked in this order, and of one table by number, so that no two wait for each other."""
REPEATS = 3
"""How often a transaction is repeated that PostgreSQL ended for another one's sake."""
REPEATED = ("40001", "40P01")
"""PostgreSQL's words for such an end: serialization failure, deadlock."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A role at a node and below; `path` is the node's."""

    role: Role
    path: str


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a person with the grants of today, or the desk's own worker (no number)."""

    staff_id: int | None
    number: str
    grants: tuple[Grant, ...] = ()

    def may(self, action: Action, path: str) -> bool:
        """Return whether a grant allows the action at the node of the path."""
        if self.staff_id is None:
            return True
        return any(
            grant.role in ALLOWED.get(action, ()) and path.startswith(grant.path)
            for grant in self.grants
        )

    def require(self, action: Action, path: str) -> None:
        """Refuse an action that no grant allows at the node of a path; raises NotPermitted."""
        if not self.may(action, path):
            raise self.refusal(action)

    def refusal(self, action: Action) -> NotPermitted:
        """Return the refusal of an action, with the roles that may do it."""
        roles = ", ".join(sorted(ALLOWED.get(action, ())))
        return NotPermitted(
            "not_allowed",
            f"{self.number} may not do {action} here: it needs a role at this node or above it "
            f"({roles}); nothing was changed",
        )


WORKER = Actor(None, "worker")

_LOCKS: dict[type[Base], Select[Any]] = {
    table: select(table).where(rows_of(table).c.id == bindparam("of_id")).with_for_update()
    for table in RANKS
}
_REQUESTS = rows_of(Request)
_NEW_REQUEST = {
    engine: Prepared(statement.returning(_REQUESTS.c.key))
    for engine, statement in insert_if_absent(Request).items()
}
_ANSWERED = Prepared(update(_REQUESTS).where(_REQUESTS.c.key == bindparam("of_key")))
_NEW_AUDIT = Prepared(insert(rows_of(Audit)))


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for a mutation: its key, its route (the action's words), its body (JSON values).

    `shared`: the key is made of what is asked, such as a file's content, so that every person who
    asks for it again gets the first answer; another key belongs to the person who used it first.
    """

    key: str
    route: str
    body: Mapping[str, Any]
    money: bool = False
    shared: bool = False

    @property
    def body_sha256(self) -> str:
        """SHA-256 of the body in one form, hex."""
        return sha256_of(self.body)


def sha256_of(values: Mapping[str, Any]) -> str:
    """Return the SHA-256 of JSON values in one form, hex."""
    form = json.dumps(values, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return sha256(form.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Answer:
    """What a mutation answered, and whether it was done before under its key."""

    values: dict[str, Any]
    replayed: bool = False


@dataclass(slots=True)
class UnitOfWork:
    """An open transaction: its session, who acts, and when."""

    database: Database
    session: Session
    actor: Actor
    now: int
    key: str
    connection: Connection = field(init=False)
    today: date = field(init=False)
    ledger: Ledger = field(init=False)
    _held: dict[tuple[int, int], Base] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.today = datetime.fromtimestamp(self.now // 1000, self.database.zone).date()
        self.connection = self.session.connection()
        self.ledger = Ledger(self.session, self.now, self.today, self.actor.staff_id)

    def require(self, action: Action, node_id: int) -> None:
        """Refuse an action that no grant of the actor allows at a node.

        Raises:
            NotPermitted: none does.
        """
        path = self.session.scalars(
            select(Organisation.path).where(Organisation.id == node_id)
        ).one()
        self.actor.require(action, path)

    def lock(self, table: type[Row], row_id: int, version: int | None = None) -> Row:
        """Return a row as it stands now; no other transaction changes it until the end.

        A row that this one holds already is returned again, with what was changed in it.

        Args:
            table: one of `RANKS`, locked in that order.
            row_id: its number.
            version: the version that the request has seen, if it edits the row.

        Raises:
            NotFound: there is no such row.
            Stale: it has another version.
        """
        rank = (RANKS.index(table), row_id)
        row: Row | None = self._held.get(rank)  # type: ignore[assignment]
        if row is None:
            in_order = rank > max(self._held, default=(-1, -1))
            assert in_order, f"{table.__name__} {row_id} is locked out of order"
            row = self.session.scalars(
                _LOCKS[table], {"of_id": row_id}, execution_options={"populate_existing": True}
            ).one_or_none()
        if row is None:
            raise NotFound("no_row", f"{table.__tablename__} {row_id}: there is none")
        self._held[rank] = row
        if version is not None and row.version != version:  # type: ignore[attr-defined]
            raise Stale(
                "stale", f"{table.__tablename__} {row_id} was changed meanwhile: read it again"
            )
        return row

    def lock_joined(self, joined: Executable, values: Mapping[str, Any]) -> Sequence[Any] | None:
        """Return one row of each of several tables, locked by one statement; None: there are none.

        Args:
            joined: selects the tables in the order of `RANKS`, for update.
            values: of its parameters; it finds at most one row of each table.
        """
        found = self.session.execute(
            joined, values, execution_options={"populate_existing": True}
        ).one_or_none()
        for row in found or ():
            rank = (RANKS.index(type(row)), row.id)
            assert rank > max(self._held, default=(-1, -1)), f"{row} is locked out of order"
            self._held[rank] = row
        return found

    @property
    def holds_nothing(self) -> bool:
        """Whether this transaction has locked no row yet."""
        return not self._held

    def audit(
        self,
        action: Action | str,
        subject: Base,
        before: Mapping[str, Any] | None,
        after: Mapping[str, Any] | None,
        reason: str = "",
    ) -> None:
        """Write down what is changed in a row; the row has its number already."""
        _NEW_AUDIT.change(
            self.connection,
            {
                "at_ms": self.now,
                "staff_id": self.actor.staff_id,
                "action": str(action),
                "subject": f"{subject.__tablename__}/{_key_of(subject)}",
                "before_values": None if before is None else dict(before),
                "after_values": None if after is None else dict(after),
                "reason": reason,
                "key": self.key,
            },
        )

    def add(self, row: Row) -> Row:
        """Insert a row; it has its number afterwards."""
        self.session.add(row)
        self.session.flush()
        return row


def _key_of(row: Base) -> object:
    """Return the number of a row; of a date's close its date."""
    return row.on if isinstance(row, DayClose) else row.id  # type: ignore[attr-defined]


@contextmanager
def _transaction(database: Database) -> Iterator[Session]:
    """Yield a session whose transaction is committed at the end, or undone by an error."""
    with (
        Session(database.engine, expire_on_commit=False, autoflush=False) as session,
        session.begin(),
    ):
        yield session


@contextmanager
def unit_of_work(database: Database, actor: Actor, now: int, key: str = "") -> Iterator[UnitOfWork]:
    """Yield a transaction; it is committed at the end, or wholly undone by an error."""
    with _transaction(database) as session:
        yield UnitOfWork(database, session, actor, now, key)
        _write_changes(session)


def _write_changes(session: Session) -> None:
    """Write what was changed in rows, at the end of a transaction.

    The session's own flush costs several times as much; it writes where rows are new or have no
    number. Rows that are written here leave the session.
    """
    changed = session.dirty
    if session.new or session.deleted or not all(isinstance(row, RANKS) for row in changed):
        session.flush()
        return
    connection = session.connection()
    for row in sorted(changed, key=lambda row: (RANKS.index(type(row)), row.id)):
        state = inspect(row)
        now = {
            name: state.dict[name]
            for name, before in state.committed_state.items()
            if state.dict[name] is not before and state.dict[name] != before
        }
        if now:
            table: type[Base] = type(row)
            _update(table, tuple(now)).change(connection, {**now, "of_id": row.id})
        session.expunge(row)


@cache
def _update(table: type[Base], _columns: tuple[str, ...]) -> Prepared:
    rows = rows_of(table)
    return Prepared(update(rows).where(rows.c.id == bindparam("of_id")))


def repeated(act: Callable[[], Result]) -> Result:
    """Run a transaction, again where PostgreSQL ended it for another one's sake, three times.

    Raises:
        Conflict: it could not be done for other transactions; nothing was changed.
    """
    for _ in range(REPEATS):
        try:
            return act()
        except DBAPIError as error:
            if not _is_repeated(error):
                raise
    try:
        return act()
    except DBAPIError as error:
        if not _is_repeated(error):
            raise
        raise Conflict("busy", "others change the same rows; nothing was changed") from error


def _is_repeated(error: DBAPIError) -> bool:
    """Return whether a transaction was ended only because of another one."""
    state = getattr(error.orig, "sqlstate", None)
    locked = isinstance(error, OperationalError) and "database is locked" in str(error.orig)
    return state in REPEATED or locked


def perform(
    database: Database,
    actor: Actor,
    now: int,
    asked: Asked,
    act: Callable[[UnitOfWork], dict[str, Any]],
    dry_run: bool = False,
) -> Answer:
    """Do a mutation once for its key, and return its answer.

    Args:
        act: does it in the transaction and returns the answer, JSON values.
        dry_run: undo everything at the end; the answer is what would have been.

    Raises:
        KeyReused: the key has been used for something else, or by another person.
        DeskError: refused; nothing was changed.
    """

    def once() -> Answer:
        with _transaction(database) as session:
            first = _claim(session, actor, now, asked)
            if first is not None:
                database.begin_commit(asked.key)
                return first
            work = UnitOfWork(database, session, actor, now, asked.key)
            values = act(work)
            _write_changes(session)
            if dry_run:
                session.rollback()
                return Answer(values)
            _ANSWERED.change(work.connection, {"of_key": asked.key, "answer": values})
            database.begin_commit(asked.key)
            return Answer(values)

    return repeated(once)


def _claim(session: Session, actor: Actor, now: int, asked: Asked) -> Answer | None:
    """Write the request's row; of two requests of one key the second waits for the first.

    Returns:
        The first answer, if the key has been used; None: it is new.
    """
    connection = session.connection()
    row: dict[str, Any] = {
        "key": asked.key,
        "staff_id": actor.staff_id,
        "route": asked.route,
        "body_sha256": asked.body_sha256,
        "answer": {},
        "at_ms": now,
        "money": asked.money,
    }
    if _NEW_REQUEST[connection.dialect.name].value(connection, row):
        return None
    first = session.get_one(Request, asked.key)
    if first.staff_id != actor.staff_id and not asked.shared:
        raise KeyReused(
            "key_of_another",
            f"key {asked.key} was used by another person ({first.route}): give a key of your own, "
            f"or none; no money was taken, nothing was changed",
        )
    if (first.route, first.body_sha256) != (asked.route, asked.body_sha256):
        raise KeyReused(
            "key_reused",
            f"key {asked.key} was used for another request ({first.route}); nothing was changed",
        )
    return Answer(first.answer, replayed=True)
