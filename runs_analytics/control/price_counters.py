"""What the runs of a price used so far in each day, week or month of their account."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from runs_analytics.control.bulk import insert_into, update_by_key, write_rows
from runs_analytics.control.schema_counters import price_counters
from runs_analytics.money.periods import period_of
from runs_analytics.money.rating_terms import Meter
from runs_analytics.scope import Scope

_Key = tuple[Meter, date]

_INSERT: Final = insert_into(price_counters)
_UPDATE: Final = update_by_key(price_counters, ("used",))


class PriceCounters:
    """The counters of one account inside one of the writer's jobs, the only place where they move.

    Each is read once, moved in memory and written once; nobody else writes meanwhile.
    """

    def __init__(self, connection: sa.Connection, scope: Scope, zone: ZoneInfo) -> None:
        """Take the account's zone, in which its periods begin."""
        self._connection, self._scope, self._zone = connection, scope, zone
        self._used: dict[_Key, int] = {}
        self._stored: set[_Key] = set()
        self._moved: set[_Key] = set()

    def used(self, meters: Iterable[Meter], started_at: datetime) -> dict[Meter, int]:
        """What earlier runs used in the periods that an aware moment lies in, by meter."""
        return {meter: self._read(self._key(meter, started_at)) for meter in meters}

    def move(self, counts: Mapping[Meter, int], started_at: datetime) -> None:
        """Add what a run that started at an aware moment used; `write` keeps it."""
        for meter, count in counts.items():
            key = self._key(meter, started_at)
            self._used[key] = self._read(key) + count
            self._moved.add(key)

    def write(self) -> None:
        """Keep what moved."""
        rows = {
            key: {
                "account": self._scope.account,
                "book": key[0].book,
                "price_id": key[0].price_id,
                "measure": key[0].measure,
                "window": key[0].over,
                "first_day": key[1],
                "used": self._used[key],
            }
            for key in self._moved
        }
        write_rows(self._connection, _UPDATE, [row for key, row in rows.items() if key in self._stored])
        write_rows(self._connection, _INSERT, [row for key, row in rows.items() if key not in self._stored])
        self._stored |= self._moved
        self._moved.clear()

    def _key(self, meter: Meter, started_at: datetime) -> _Key:
        return meter, period_of(started_at, meter.over, self._zone).first_day

    def _read(self, key: _Key) -> int:
        known = self._used.get(key)
        if known is None:
            stored = _stored(self._connection, self._scope, *key)
            if stored is not None:
                self._stored.add(key)
            known = self._used[key] = stored or 0
        return known


def used_in(connection: sa.Connection, scope: Scope, meter: Meter, first_day: date) -> int:
    """What the scope's account used of a meter in the period that begins on a local day; 0 without any run."""
    return _stored(connection, scope, meter, first_day) or 0


def counters(connection: sa.Connection, scope: Scope) -> dict[tuple[Meter, date], int]:
    """Every counter of the scope's account, by meter and first local day of the period."""
    columns = price_counters.c
    rows = connection.execute(sa.select(price_counters).where(columns.account == scope.account))
    return {
        (Meter(row.book, row.price_id, row.measure, row.window), row.first_day): int(row.used) for row in rows
    }


def replace_counters(connection: sa.Connection, scope: Scope, used: Mapping[tuple[Meter, date], int]) -> None:
    """Put what was counted anew in the place of every counter of the scope's account."""
    connection.execute(sa.delete(price_counters).where(price_counters.c.account == scope.account))
    rows = [
        {
            "account": scope.account,
            "book": meter.book,
            "price_id": meter.price_id,
            "measure": meter.measure,
            "window": meter.over,
            "first_day": first_day,
            "used": count,
        }
        for (meter, first_day), count in used.items()
    ]
    write_rows(connection, _INSERT, rows)


def _stored(connection: sa.Connection, scope: Scope, meter: Meter, first_day: date) -> int | None:
    columns = price_counters.c
    return connection.scalar(
        sa.select(columns.used).where(
            columns.account == scope.account,
            columns.book == meter.book,
            columns.price_id == meter.price_id,
            columns.measure == meter.measure,
            columns.window == meter.over,
            columns.first_day == first_day,
        )
    )
