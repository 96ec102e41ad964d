"""Writes many rows by one statement, past what SQLAlchemy does for each value.

By SQLAlchemy alone a row of claims costs as much as checking its run. Here a statement is compiled once, and only the
columns whose type the driver does not know are converted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.sql.compiler import SQLCompiler

NEW: Final = "new_"
"""Begins the name of a parameter; SQLAlchemy keeps a column's own name for itself."""


class _Statement(NamedTuple):
    text: str
    names: tuple[str, ...] | None
    """The parameters' order, where the driver has no names."""

    converters: tuple[tuple[str, Callable[[Any], Any]], ...]


def insert_into(table: sa.Table) -> sa.Insert:
    """Inserts one row a time; its parameters are the columns' names after NEW."""
    return sa.insert(table).values({column.name: sa.bindparam(NEW + column.name) for column in table.c})


def update_by_key(table: sa.Table, changed: Sequence[str]) -> sa.Update:
    """Changes columns of the row of a key; its parameters are the columns' names after NEW."""
    is_row = (column == sa.bindparam(NEW + column.name) for column in table.primary_key)
    return sa.update(table).where(*is_row).values({name: sa.bindparam(NEW + name) for name in changed})


def write_rows(
    connection: sa.Connection, statement: sa.Insert | sa.Update, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Execute a statement for rows of its columns by name, without NEW; more columns than it has are left out."""
    if rows:
        names = _driver_statement(statement, connection.dialect).names or tuple(rows[0])
        write_values(connection, statement, names, list(map(itemgetter(*names), rows)))


def write_values(
    connection: sa.Connection,
    statement: sa.Insert | sa.Update,
    given: Sequence[str],
    rows: Sequence[Sequence[Any]],
) -> None:
    """The same for rows without names, whose columns `given` names in their order."""
    if not rows:
        return
    text, names, converters = _driver_statement(statement, connection.dialect)
    order = names or given
    columns: dict[str, Iterable[Any]] = dict(zip(given, zip(*rows, strict=True), strict=True))
    for name, convert in converters:
        columns[name] = map(convert, columns[name])
    values = zip(*(columns[name] for name in order), strict=True)
    if names is None:
        new = [NEW + name for name in order]
        connection.exec_driver_sql(text, [dict(zip(new, row, strict=True)) for row in values])
    else:
        connection.exec_driver_sql(text, list(values))


@lru_cache(maxsize=64)
def _driver_statement(statement: sa.Insert | sa.Update, dialect: sa.Dialect) -> _Statement:
    compiled = statement.compile(dialect=dialect)
    assert isinstance(compiled, SQLCompiler)
    converters = []
    for name, parameter in compiled.binds.items():
        convert = parameter.type.dialect_impl(dialect).bind_processor(dialect)
        if convert is not None:
            if isinstance(parameter.type, sa.Date):
                convert = lru_cache(maxsize=1_024)(convert)  # Few days, written again and again.
            converters.append((name.removeprefix(NEW), convert))
    order = compiled.positiontup
    names = None if order is None else tuple(name.removeprefix(NEW) for name in order)
    return _Statement(str(compiled), names, tuple(converters))
