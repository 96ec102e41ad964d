"""Use by local day and value: what runs used, and what open holds have set aside, whatever limits there are.

A `UsageDays` is a look at one account inside one of the writer's jobs: it reads the days it is told, is added to
in memory, and writes what changed once. Nobody else writes meanwhile, so reading first is safe.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from operator import add
from typing import Final
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from runs_analytics.control.bulk import insert_into, update_by_key, write_values
from runs_analytics.control.schema_limits import usage_days
from runs_analytics.money.limits import (
    LIMIT_DIMENSIONS,
    WHOLE_ACCOUNT,
    Amounts,
    LimitDimension,
    Part,
    Use,
    Values,
)
from runs_analytics.money.periods import WINDOWS, Period, Window, period_around
from runs_analytics.scope import Scope
from runs_analytics.vocabulary import NONE

_CHUNK: Final = 500
_AMOUNTS: Final = (
    "credits_nano",
    "cost_nano",
    "runs_nano",
    "held_credits_nano",
    "held_cost_nano",
    "held_runs_nano",
)
HELD: Final = 3
"""Where held amounts begin in a counter."""

Counter = list[int]
"""Settled credits, cost and runs, then the same of what is held, in billionths."""

_HELD_COLUMNS: Final = tuple(usage_days.c[name] for name in _AMOUNTS[HELD:])
NOTHING: Final = Amounts()

_FIND: Final = (
    sa.select(usage_days.c.value, usage_days.c.day, *(usage_days.c[name] for name in _AMOUNTS))
    .where(
        usage_days.c.account == sa.bindparam("account"),
        usage_days.c.dimension == sa.bindparam("dimension"),
        usage_days.c.value.in_(sa.bindparam("values", expanding=True)),
        usage_days.c.day >= sa.bindparam("first_day"),
        usage_days.c.day <= sa.bindparam("last_day"),
    )
    .order_by(usage_days.c.value)
)

# Summed by day here: a sum over the open authorizations would be read again with every commit.
_HELD: Final = sa.select(usage_days.c.held_credits_nano).where(
    usage_days.c.account == sa.bindparam("account"),
    usage_days.c.dimension == LIMIT_DIMENSIONS[0],
    usage_days.c.value == WHOLE_ACCOUNT,
    usage_days.c.held_credits_nano != 0,
)

_FIELDS: Final = ("account", "dimension", "value", "day", *_AMOUNTS)
_INSERT: Final = insert_into(usage_days)
_UPDATE: Final = update_by_key(usage_days, _AMOUNTS)


class UsageDays:
    """The use of some values of one account on some days."""

    def __init__(self, scope: Scope, zone: ZoneInfo) -> None:
        self._scope, self._zone = scope, zone
        self._days: dict[Part, dict[date, Counter]] = {}
        self._counters: dict[Part, dict[tuple[Window, date], Counter]] = {}
        """By part, window and the window's first day."""

        self._moving: dict[tuple[Part, date], list[Counter]] = {}
        """What a use of a part on a day moves, found once; counters that are asked for later join it."""

        self._moved: dict[tuple[Values, date], list[list[Counter]]] = {}
        """The same of each part of a run, once its days are marked as changed."""

        self._periods: dict[tuple[date, Window], Period] = {}
        self._stored: set[tuple[Part, date]] = set()
        self._changed: set[tuple[Part, date]] = set()

    def load(
        self, connection: sa.Connection, parts: Iterable[Part], days: Iterable[date], *, whole_windows: bool
    ) -> None:
        """Read days, once, before any is asked for or added to.

        Args:
            parts: whose use.
            days: the local days that will be added to.
            whole_windows: whether windows around these days will be asked for as well.
        """
        wanted = sorted(set(days))
        if not wanted:
            return
        first_day, last_day = wanted[0], wanted[-1]
        if whole_windows:
            around = [
                period_around(day, window, self._zone) for day in (first_day, last_day) for window in WINDOWS
            ]
            first_day, last_day = min(p.first_day for p in around), max(p.last_day for p in around)
        by_place: dict[int, list[str]] = {}
        for place, value in sorted(set(parts)):
            by_place.setdefault(place, []).append(value)
        for place, values in by_place.items():
            for start in range(0, len(values), _CHUNK):
                self._read(connection, place, values[start : start + _CHUNK], first_day, last_day)

    def use(self, part: Part, window: Window, day: date, measure_place: int, overrun_nano: int = 0) -> Use:
        """What a value used of a measure in the window around a local day."""
        counter = self.counter(part, window, day)
        return Use(counter[measure_place], counter[HELD + measure_place], overrun_nano)

    def counter(self, part: Part, window: Window, day: date) -> Counter:
        """The sums of a value in the window around a local day, which move with what is added; not to be changed."""
        period = self._period(day, window)
        counters = self._counters.setdefault(part, {})
        known = counters.get((window, period.first_day))
        if known is None:
            known = counters[window, period.first_day] = [0] * len(_AMOUNTS)
            for at, amounts in self._days.get(part, {}).items():
                if period.first_day <= at <= period.last_day:
                    known[:] = map(add, known, amounts)
                    if (part, at) in self._moving:
                        self._moving[part, at].append(known)
        return known

    def add(self, values: Values, day: date, *, settled: Amounts = NOTHING, held: Amounts = NOTHING) -> None:
        """Count a run or a hold for each of its values; amounts may be negative."""
        changes = [(place, amount) for place, amount in enumerate(settled + held) if amount]
        for counters in self._moved.get((values, day)) or self._moved_by(values, day):
            for counter in counters:
                for place, amount in changes:
                    counter[place] += amount

    def write(self, connection: sa.Connection) -> None:
        """Store what changed."""
        new, old = self._changed - self._stored, self._changed & self._stored
        write_values(connection, _INSERT, _FIELDS, [self._row(*key) for key in new])
        write_values(connection, _UPDATE, _FIELDS, [self._row(*key) for key in old])
        self._stored |= self._changed
        self._changed.clear()
        self._moved.clear()

    def _read(
        self, connection: sa.Connection, place: int, values: Sequence[str], first_day: date, last_day: date
    ) -> None:
        found = connection.execute(
            _FIND,
            {
                "account": self._scope.account,
                "dimension": LIMIT_DIMENSIONS[place],
                "values": values,
                "first_day": first_day,
                "last_day": last_day,
            },
        )
        for value, day, *amounts in found:
            part = place, value
            self._days.setdefault(part, {})[day] = amounts
            self._stored.add((part, day))

    def _moved_by(self, values: Values, day: date) -> list[list[Counter]]:
        """Mark the days of a run's parts as changed; the counters that its use moves, by part."""
        keys = [(part, day) for part in enumerate(values) if part[1] != NONE]
        self._changed.update(keys)
        moved = self._moved[values, day] = [self._moving.get(key) or self._moved_part(*key) for key in keys]
        return moved

    def _moved_part(self, part: Part, day: date) -> list[Counter]:
        """The counters that a value's use of a local day moves: the day's own and those of windows asked for."""
        moved = [self._days.setdefault(part, {}).setdefault(day, [0] * len(_AMOUNTS))]
        counters = self._counters.get(part, {})
        for window in WINDOWS if counters else ():
            known = counters.get((window, self._period(day, window).first_day))
            if known is not None:
                moved.append(known)
        self._moving[part, day] = moved
        return moved

    def _period(self, day: date, window: Window) -> Period:
        # One look here costs a tenth of one through the zone, whose hash and comparison are Python's.
        period = self._periods.get((day, window))
        if period is None:
            period = self._periods[day, window] = period_around(day, window, self._zone)
        return period

    def _row(self, part: Part, day: date) -> tuple[object, ...]:
        place, value = part
        return self._scope.account, LIMIT_DIMENSIONS[place], value, day, *self._days[part][day]


def values_in_period(
    connection: sa.Connection, scope: Scope, dimension: LimitDimension, period: Period
) -> dict[str, tuple[Amounts, Amounts]]:
    """What each value of a dimension used and holds in a period: settled, then held."""
    found = connection.execute(
        sa.select(usage_days.c.value, *(usage_days.c[name] for name in _AMOUNTS)).where(
            usage_days.c.account == scope.account,
            usage_days.c.dimension == dimension,
            usage_days.c.day >= period.first_day,
            usage_days.c.day <= period.last_day,
        )
    )
    sums: dict[str, list[int]] = {}
    for value, *amounts in found:
        total = sums.setdefault(value, [0] * len(_AMOUNTS))
        total[:] = map(add, total, amounts)
    return {value: (Amounts(*sums[value][:HELD]), Amounts(*sums[value][HELD:])) for value in sums}


def held_credits_nano(connection: sa.Connection, scope: Scope) -> int:
    """Credits that open holds of the account set aside."""
    return sum(connection.execute(_HELD, {"account": scope.account}).scalars())


def all_held(connection: sa.Connection, scope: Scope) -> dict[tuple[str, str, date], Amounts]:
    """What is held of each dimension, value and local day, where something is."""
    found = connection.execute(
        sa.select(usage_days.c.dimension, usage_days.c.value, usage_days.c.day, *_HELD_COLUMNS).where(
            usage_days.c.account == scope.account, sa.or_(*(column != 0 for column in _HELD_COLUMNS))
        )
    )
    return {(dimension, value, day): Amounts(*amounts) for dimension, value, day, *amounts in found}
