"""Statements that are made once and run for every sale.

To make a statement, to run one on a class instead of its table, or to let SQLAlchemy carry one out,
takes several times as long as the database does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Delete, Dialect, Insert, Select, Table, Update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import TypeEngine

from meterctl.utility.model.base import Base

Statement = Select[Any] | Insert | Update | Delete
Values = Mapping[str, Any]
_Convert = Callable[[Any], Any]


def rows_of(table: type[Base]) -> Table:
    """Return the table of a class."""
    rows = table.__table__
    assert isinstance(rows, Table)
    return rows


def insert_if_absent(table: type[Base]) -> Mapping[str, Insert]:
    """Return, for the name of each engine, the insertion that does nothing where the row exists.

    On PostgreSQL it waits for a transaction that inserts the same row.
    """
    rows = rows_of(table)
    return {
        "postgresql": postgresql.insert(rows).on_conflict_do_nothing(),
        "sqlite": sqlite.insert(rows).on_conflict_do_nothing(),
    }


class Prepared:
    """A statement that is compiled once for an engine, and run on the driver's own cursor.

    It takes part in the connection's transaction as any other. Its parameters, and the columns of
    an insertion, are those of the first values that it is run with. All methods raise what
    `Connection.execute` raises.
    """

    def __init__(self, statement: Statement) -> None:
        self._statement = statement
        self._compiled: WeakKeyDictionary[Dialect, _Compiled] = WeakKeyDictionary()

    def rows(self, connection: Connection, values: Values) -> list[Any]:
        """Return all rows; a column is an attribute by its name."""
        compiled = self._for(connection.dialect, values)
        cursor = _run(connection, compiled, compiled.parameters(values))
        return [compiled.row(each) for each in cursor.fetchall()]

    def row(self, connection: Connection, values: Values) -> Any | None:
        """Return the first row, None where there is none."""
        compiled = self._for(connection.dialect, values)
        found = _run(connection, compiled, compiled.parameters(values)).fetchone()
        return None if found is None else compiled.row(found)

    def value(self, connection: Connection, values: Values) -> Any | None:
        """Return the first column of the first row, None where there is none."""
        found = self.row(connection, values)
        return None if found is None else found[0]

    def change(self, connection: Connection, values: Values) -> int:
        """Return how many rows were changed."""
        compiled = self._for(connection.dialect, values)
        return int(_run(connection, compiled, compiled.parameters(values)).rowcount)

    def change_each(self, connection: Connection, several: Sequence[Values]) -> None:
        """Run it with each of several values, of the same names."""
        compiled = self._for(connection.dialect, several[0])
        parameters = [compiled.parameters(values) for values in several]
        if len(parameters) > 1:
            _run(connection, compiled, parameters, many=True)
        else:
            _run(connection, compiled, parameters[0])

    def _for(self, dialect: Dialect, values: Values) -> _Compiled:
        found = self._compiled.get(dialect)
        if found is None:
            found = self._compiled[dialect] = _compile(self._statement, dialect, values)
        return found


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A statement in the words of an engine.

    Args:
        sql: with the driver's marks.
        fixed: parameters that the statement has already, as the driver takes them.
        order: names of the parameters by position; empty where the driver takes them by name.
        to_driver: by name, what makes a value into the driver's.
        of_row: the row's class; `from_driver` what makes the driver's value of a column ours.
    """

    sql: str
    fixed: Mapping[str, Any]
    order: tuple[str, ...]
    to_driver: tuple[tuple[str, _Convert], ...]
    of_row: type[tuple[Any, ...]]
    from_driver: tuple[tuple[int, _Convert], ...]

    def parameters(self, values: Values) -> Any:
        """Return values as the driver takes them."""
        given = {**self.fixed, **values}
        for name, convert in self.to_driver:
            given[name] = convert(given[name])
        return [given[name] for name in self.order] if self.order else given

    def row(self, found: Sequence[Any]) -> Any:
        """Return a row of the driver with our values."""
        if not self.from_driver:
            return self.of_row(found)
        columns = list(found)
        for index, convert in self.from_driver:
            columns[index] = convert(columns[index])
        return self.of_row(columns)


def _run(connection: Connection, compiled: _Compiled, given: Any, *, many: bool = False) -> Any:
    """Run a statement in the connection's transaction, and return the driver's cursor."""
    driver = connection.connection.dbapi_connection
    assert driver is not None
    dialect = connection.dialect
    cursor = driver.cursor()
    try:
        if many:
            cursor.executemany(compiled.sql, given)
        else:
            cursor.execute(compiled.sql, given)
    except dialect.loaded_dbapi.Error as error:
        base = dialect.loaded_dbapi.Error
        raise DBAPIError.instance(compiled.sql, given, error, base, dialect=dialect) from error
    return cursor


def _compile(statement: Statement, dialect: Dialect, values: Values) -> _Compiled:
    """Compile a statement for values of these names."""
    keys = None if isinstance(statement, Select) else list(values)
    compiled: Any = statement.compile(dialect=dialect, column_keys=keys)
    defaults = {each.key: each.default.arg for each in getattr(compiled, "insert_prefetch", ())}
    expanded = compiled.construct_expanded_state({**defaults, **values})
    processors: dict[str, _Convert] = {
        name: convert
        for name, parameter in compiled.binds.items()
        if (convert := _impl(parameter.type, dialect).bind_processor(dialect)) is not None
    }
    processors |= expanded.processors
    fixed = {
        name: processors[name](value) if name in processors else value
        for name, value in expanded.parameters.items()
        if name not in values
    }
    columns = statement.exported_columns
    results = [
        (index, convert)
        for index, column in enumerate(columns)
        if (convert := _impl(column.type, dialect).result_processor(dialect, None)) is not None
    ]
    return _Compiled(
        expanded.statement,
        fixed,
        tuple(expanded.positiontup or ()),
        tuple((name, processors[name]) for name in values if name in processors),
        _row_class([str(column.key) for column in columns]),
        tuple(results),
    )


def _impl(declared: TypeEngine[Any], dialect: Dialect) -> TypeEngine[Any]:
    return declared.dialect_impl(dialect)


def _row_class(names: Sequence[str]) -> type[tuple[Any, ...]]:
    """Return a class of tuples with their columns as attributes."""
    columns = {name: property(itemgetter(index)) for index, name in enumerate(names)}
    return type("Row", (tuple,), {"__slots__": (), **columns})
