"""This module runs the statements of a turn without making them anew with each call.

For each call SQLAlchemy looks the statement up in its cache, walks its parameters and builds a result: some 80 us for
what takes SQLite 5. What is prepared here is compiled once, by SQLAlchemy and with the types of its columns; from then
on text and values go to the driver.
"""

from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Dialect
from sqlalchemy.sql.base import Executable
from sqlalchemy.sql.elements import ClauseElement

__all__ = ["Prepared"]

_Change = Callable[[Any], Any]


class Prepared:
    """A statement for one dialect: that of the connection it first runs on.

    `sets` are the columns that an INSERT or UPDATE takes from the values, beside the parameters which the statement
    names itself. A value that is missing is a `KeyError`; other errors are the driver's own.
    """

    def __init__(self, statement: Executable, *sets: str) -> None:
        self._statement = statement
        self._sets = sets
        self._text = ""
        self._values: Callable[[Mapping[str, Any]], Iterable[Any]] = tuple
        self._binds: tuple[tuple[int, _Change], ...] = ()
        self._results: tuple[tuple[int, _Change], ...] = ()
        self._row: Callable[[Sequence[Any]], Any] = tuple

    def all(self, connection: Connection, values: Mapping[str, Any]) -> list[Any]:
        """Run it and return the rows, whose fields are named as the columns are."""
        return [self._made(row) for row in self._execute(connection, values).fetchall()]

    def first(self, connection: Connection, values: Mapping[str, Any]) -> Any:
        """Run it and return the first row, None where there is none."""
        row = self._execute(connection, values).fetchone()
        return None if row is None else self._made(row)

    def run(self, connection: Connection, values: Mapping[str, Any]) -> None:
        """Run it for what it changes."""
        self._execute(connection, values)

    def _execute(self, connection: Connection, values: Mapping[str, Any]) -> Any:
        if not self._text:
            self._compile(connection.dialect)
        bound = list(self._values(values))
        for place, change in self._binds:
            bound[place] = change(bound[place])
        driver: Any = connection.connection.dbapi_connection
        return driver.execute(self._text, bound)

    def _made(self, row: Sequence[Any]) -> Any:
        if self._results:
            row = list(row)
            for place, change in self._results:
                row[place] = change(row[place])
        return self._row(row)

    def _compile(self, dialect: Dialect) -> None:
        statement: Any = self._statement
        compiled = statement.compile(dialect=dialect, column_keys=list(self._sets) or None)
        types = {bind.key: bind.type.dialect_impl(dialect) for bind in compiled.binds.values()}
        names = tuple(compiled.positiontup)
        self._values = itemgetter(*names) if len(names) > 1 else partial(_only, names)
        self._binds = _changes(types[name].bind_processor(dialect) for name in names)
        columns = _columns(statement)
        if columns:
            self._row = namedtuple("_Row", [name for name, _ in columns])._make  # type: ignore[attr-defined]  # noqa: PYI024
            self._results = _changes(kind.dialect_impl(dialect).result_processor(dialect, None) for _, kind in columns)
        self._text = str(compiled)


def _only(names: tuple[str, ...], values: Mapping[str, Any]) -> list[Any]:
    return [values[name] for name in names]


def _changes(changes: Iterable[_Change | None]) -> tuple[tuple[int, _Change], ...]:
    """Return those that there are, each with its place: most values go to the driver and come from it as they are."""
    return tuple((place, change) for place, change in enumerate(changes) if change is not None)


def _columns(statement: ClauseElement) -> list[tuple[str, Any]]:
    """Return name and type of each column of the result; none for what returns nothing."""
    columns = getattr(statement, "exported_columns", ())
    return [(column.key, column.type) for column in columns]
