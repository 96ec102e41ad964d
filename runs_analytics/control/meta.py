"""Single values of the whole store, and the two counters that everything is ordered by."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from runs_analytics.control.schema import meta

_SEQ = "seq"
_CONTROL_VERSION = "control_version"

CHANGED: Final = "runs_changed"
"""Where a connection notes that its transaction changes what others remember."""

# Built once: these run for every request that stores runs.
_FIND: Final = sa.select(meta.c.value).where(meta.c.name == sa.bindparam("name_"))
_SET: Final = sa.update(meta).where(meta.c.name == sa.bindparam("name_")).values(value=sa.bindparam("value_"))


def get_meta(connection: sa.Connection, name: str) -> str | None:
    """The value of that name, or None."""
    found: str | None = connection.execute(_FIND, {"name_": name}).scalar()
    return found


def set_meta(connection: sa.Connection, name: str, value: str) -> None:
    """Store a value, replacing any of that name."""
    changed = connection.execute(_SET, {"name_": name, "value_": value})
    if changed.rowcount == 0:
        connection.execute(sa.insert(meta).values(name=name, value=value))


def next_seq(connection: sa.Connection) -> int:
    """The next number of the one order over inbox rows and segments; never given out twice.

    Because the writer holds the store's write lock until it commits, numbers become visible in their
    order: whoever has seen n will never see a smaller one appear.
    """
    return _count_up(connection, _SEQ)


def last_seq(connection: sa.Connection) -> int:
    """The newest number given out; 0 in a new store."""
    return int(get_meta(connection, _SEQ) or 0)


def control_version(connection: sa.Connection) -> int:
    """Counts every change of accounts, keys, prices and limits; part of each cached answer's key."""
    return int(get_meta(connection, _CONTROL_VERSION) or 0)


def bump_control_version(connection: sa.Connection) -> int:
    """Count one change of accounts, keys, prices or limits."""
    connection.info[CHANGED] = True
    return _count_up(connection, _CONTROL_VERSION)


def _count_up(connection: sa.Connection, name: str) -> int:
    value = int(get_meta(connection, name) or 0) + 1
    set_meta(connection, name, str(value))
    return value
