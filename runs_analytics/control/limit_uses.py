"""What went past limits, and which thresholds were crossed, found while runs are settled."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Literal
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from runs_analytics.control.bulk import update_by_key, write_rows
from runs_analytics.control.schema_limits import crossings, limit_uses, overruns
from runs_analytics.control.usage_days import UsageDays
from runs_analytics.errors import Damaged
from runs_analytics.money.limits import LIMIT_DIMENSIONS, Limit, overrun_nano, percent_crossed
from runs_analytics.money.periods import period_around
from runs_analytics.scope import Scope

Key = tuple[str, str, date]
"""Id of a limit, value, first day of the window."""

OverrunKind = Literal["unauthorized", "above_hold", "before_limit"]

_KEY: Final = ("account", "limit_id", "value", "first_day")
_FIND: Final = sa.select(limit_uses.c.overrun_nano, limit_uses.c.crossed_percent).where(
    *(limit_uses.c[name] == sa.bindparam(name) for name in _KEY)
)
_COUNT: Final = (
    sa.select(sa.func.count())
    .select_from(overruns)
    .where(*(overruns.c[name] == sa.bindparam(name) for name in _KEY))
)
_UPDATE: Final = update_by_key(limit_uses, ("overrun_nano", "crossed_percent"))


@dataclass
class _Kept:
    overrun_nano: int = 0
    crossed_percent: int = 0
    items: int = 0
    is_stored: bool = False


@dataclass(frozen=True, slots=True)
class Settling:
    """A run as a limit sees it while it is settled."""

    run_id: str
    source: str
    used_nano: int
    hold_nano: int
    """What its own hold sets aside for this limit; freed with it."""

    has_hold: bool


class LimitUses:
    """A look at what limits of one account have kept, inside one of the writer's jobs."""

    def __init__(self, connection: sa.Connection, scope: Scope, zone: ZoneInfo, now: datetime) -> None:
        self._connection, self._scope, self._zone, self._now = connection, scope, zone, now
        self._kept: dict[Key, _Kept] = {}
        self._changed: set[Key] = set()
        self._overruns: list[dict[str, object]] = []
        self._crossings: list[dict[str, object]] = []

    def settle(self, limit: Limit, value: str, day: date, usage: UsageDays, settling: Settling) -> None:
        """Itemise what of a run a limit has no room for; to be called before the run is counted."""
        if not limit.is_hard or not settling.used_nano:
            return
        key, kept = self._keep(limit, value, day)
        part = LIMIT_DIMENSIONS.index(limit.dimension), value
        use = usage.use(part, limit.window, day, limit.measure_place, kept.overrun_nano)
        before_nano = use.settled_nano - kept.overrun_nano - limit.amount_nano
        if before_nano > 0:
            self._overrun(key, kept, limit, "before_limit", None, before_nano)
            use = usage.use(part, limit.window, day, limit.measure_place, kept.overrun_nano)
        over_nano = overrun_nano(limit, use, settling.used_nano, settling.hold_nano)
        if over_nano:
            kind: OverrunKind = "above_hold" if settling.has_hold else "unauthorized"
            self._overrun(key, kept, limit, kind, settling, over_nano)

    def cross(self, limit: Limit, value: str, day: date, usage: UsageDays) -> None:
        """Note the thresholds that use has reached; to be called once runs are counted."""
        key, kept = self._keep(limit, value, day)
        part = LIMIT_DIMENSIONS.index(limit.dimension), value
        settled_nano = usage.use(part, limit.window, day, limit.measure_place).settled_nano
        reached = percent_crossed(limit, settled_nano)
        for percent in limit.thresholds:
            if kept.crossed_percent < percent <= reached:
                row = self._row(key) | {"percent": percent, "settled_nano": settled_nano}
                self._crossings.append(row | {"cap_nano": limit.amount_nano, "at": self._now})
        if reached > kept.crossed_percent:
            kept.crossed_percent = reached
            self._changed.add(key)

    def write(self) -> None:
        """Store what was found."""
        rows = [
            self._row(key)
            | {
                "overrun_nano": self._kept[key].overrun_nano,
                "crossed_percent": self._kept[key].crossed_percent,
            }
            for key in self._changed
        ]
        stored = [self._kept[key].is_stored for key in self._changed]
        fresh = [row for row, is_stored in zip(rows, stored, strict=True) if not is_stored]
        if fresh:
            self._connection.execute(sa.insert(limit_uses), fresh)
        write_rows(
            self._connection,
            _UPDATE,
            [row for row, is_stored in zip(rows, stored, strict=True) if is_stored],
        )
        if self._overruns:
            self._connection.execute(sa.insert(overruns), self._overruns)
        if self._crossings:
            self._connection.execute(sa.insert(crossings), self._crossings)

    def _keep(self, limit: Limit, value: str, day: date) -> tuple[Key, _Kept]:
        key = limit.id, value, period_around(day, limit.window, self._zone).first_day
        kept = self._kept.get(key)
        if kept is None:
            kept = self._kept[key] = self._read(key)
        return key, kept

    def _read(self, key: Key) -> _Kept:
        row = self._connection.execute(_FIND, self._row(key)).one_or_none()
        if row is None:
            return _Kept()
        items = 0
        if row.overrun_nano:
            items = self._connection.execute(_COUNT, self._row(key)).scalar_one()
        return _Kept(row.overrun_nano, row.crossed_percent, items, is_stored=True)

    def _overrun(
        self, key: Key, kept: _Kept, limit: Limit, kind: OverrunKind, run: Settling | None, amount_nano: int
    ) -> None:
        kept.overrun_nano += amount_nano
        kept.items += 1
        self._changed.add(key)
        self._overruns.append(
            self._row(key)
            | {
                "number": kept.items,
                "kind": kind,
                "run_id": run.run_id if run else None,
                "source": run.source if run else None,
                "amount_nano": amount_nano,
                "cap_nano": limit.amount_nano,
                "at": self._now,
            }
        )

    def _row(self, key: Key) -> dict[str, object]:
        limit_id, value, first_day = key
        return {"account": self._scope.account, "limit_id": limit_id, "value": value, "first_day": first_day}


def check_overruns(connection: sa.Connection, scope: Scope) -> None:
    """Compare what each limit keeps as overrun with its items.

    Raises:
        Damaged: when they differ.
    """
    names = ("limit_id", "value", "first_day")
    items: dict[tuple[object, ...], int] = {}
    rows = connection.execute(
        sa.select(*(overruns.c[name] for name in names), overruns.c.amount_nano).where(
            overruns.c.account == scope.account
        )
    )
    for *key, amount_nano in rows:
        items[tuple(key)] = items.get(tuple(key), 0) + amount_nano
    kept = connection.execute(
        sa.select(*(limit_uses.c[name] for name in names), limit_uses.c.overrun_nano).where(
            limit_uses.c.account == scope.account
        )
    )
    if {tuple(key): nano for *key, nano in kept if nano} != items:
        raise Damaged(f"The overruns of {scope.account!r} are not the sums of their items.")
