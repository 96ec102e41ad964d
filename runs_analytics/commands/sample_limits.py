"""Gives the sample workspace limits in every state, with its own runs of the present month counted in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import polars as pl

from runs_analytics.analytics import history
from runs_analytics.analytics.asking import Ask
from runs_analytics.control.limits import set_limit
from runs_analytics.control.settlement import UsedRun, count_runs
from runs_analytics.control.subscriptions import may_overdraw
from runs_analytics.control.writer import Connection
from runs_analytics.ingest.accept import TermsCache
from runs_analytics.ingest.authorize import Authorizer
from runs_analytics.money.limits import WHOLE_ACCOUNT, Limit, LimitDimension
from runs_analytics.money.periods import Window
from runs_analytics.scope import Scope
from runs_analytics.selection import Selection
from runs_analytics.stores import Stores
from runs_analytics.vocabulary import NANO, NONE
from runs_analytics.zones import local_midnight, zone_named

_AT_ONCE: Final = 2_000
_REFUSED: Final = 3


def give_sample_limits(stores: Stores, scope: Scope) -> None:
    """Put limits up, count this month's applied runs in them, and ask for runs of which some are refused."""
    ask, now = Ask.of(stores, scope), stores.clock()
    zone = zone_named(ask.zone)
    today = now.astimezone(zone).date()
    first = min(today.replace(day=1), today - timedelta(days=today.weekday()))
    selection = Selection(first, today, ask.zone)
    frames = list(history.export_batches(ask, selection, stores.warehouse.applied_seq))
    rows = pl.concat(frames) if frames else pl.DataFrame()
    if rows.is_empty():
        return
    month = rows.filter(pl.col("started_at") >= _naive(local_midnight(today.replace(day=1), zone)))
    day = rows.filter(pl.col("started_at") >= _naive(local_midnight(today, zone)))
    limits = tuple(_limits(month, day))

    def count(connection: Connection) -> None:
        for limit in limits:
            set_limit(connection, scope, limit, now=now)
        used = _used(rows)
        for start in range(0, len(used), _AT_ONCE):
            count_runs(connection, scope, used[start : start + _AT_ONCE], now=now)

    stores.control.write(count)
    full = next((one.value for one in limits if one.id == "team-full"), None)
    _ask(stores, scope, full, now)


def _limits(month: pl.DataFrame, day: pl.DataFrame) -> Iterator[Limit]:
    """One for each state: well within, close, reached with an overrun, and a soft one that was passed."""
    yield _limit("account-month", "account", WHOLE_ACCOUNT, "month", _sum(month), 62, is_hard=True)
    yield Limit(
        "account-day-runs", "account", WHOLE_ACCOUNT, "day", "runs", max(day.height * 2, 50) * NANO, False
    )
    teams, members, features = (_ranked(month, name) for name in ("team", "member", "feature"))
    for number, (limit_id, percent, is_hard) in enumerate(
        (("team-full", 104, True), ("team-close", 93, True), ("team-soft", 112, False))
    ):
        if number < len(teams):
            team, nano = teams[number]
            yield _limit(limit_id, "team", team, "month", nano, percent, is_hard=is_hard)
    if members:
        yield _limit("each-member", "member", None, "month", members[0][1], 78, is_hard=True)
        of_today = _ranked(day, "member")
        member, nano = of_today[0] if of_today else (members[0][0], members[0][1] // 20)
        yield _limit("member-day", "member", member, "day", nano, 85, is_hard=True)
    if features:
        yield _limit("feature-month", "feature", features[0][0], "month", features[0][1], 54, is_hard=False)


def _limit(
    limit_id: str,
    dimension: LimitDimension,
    value: str | None,
    window: Window,
    used_nano: int,
    percent: int,
    *,
    is_hard: bool,
) -> Limit:
    """A limit on credits of which about so many percent are used."""
    amount_nano = max(used_nano * 100 // percent // NANO, 1) * NANO
    return Limit(limit_id, dimension, value, window, "credits", amount_nano, is_hard)


def _ranked(rows: pl.DataFrame, name: str) -> list[tuple[str, int]]:
    """The values of a dimension with the billionths of credits that they used, the most first."""
    total: Counter[str] = Counter()
    for value, nano in rows.select(name, "credits_nano").iter_rows():
        if value != NONE and nano:
            total[value] += nano
    return total.most_common()


def _sum(rows: pl.DataFrame) -> int:
    return int(rows["credits_nano"].sum() or 0)


def _used(rows: pl.DataFrame) -> list[UsedRun]:
    found = rows.filter(~pl.col("status").is_in(["running", "blocked"])).sort("started_at")
    return [
        UsedRun(
            (0, number),
            run["id"],
            run["source"],
            run["started_at"].replace(tzinfo=UTC),
            run["project"],
            run["team"],
            run["member"],
            run["service"],
            run["feature"],
            run["credits_nano"],
            run["cost_nano"],
            seq=0,
        )
        for number, run in enumerate(found.iter_rows(named=True))
    ]


def _ask(stores: Stores, scope: Scope, full: str | None, now: datetime) -> None:
    """Ask for runs of the team whose limit is reached, which are refused, and for one that holds credits."""
    terms = TermsCache(stores.control.changes, stores.account, stores.books)
    authorizer = Authorizer(stores.control, terms, stores.imported.lookup, may_overdraw=may_overdraw)
    body = {"service": "Enrichment", "credits": "5", "ttl_s": 86_400}
    for number in range(1, _REFUSED + 1) if full else ():
        authorizer.authorize(scope, {**body, "id": f"sample-refused-{number}", "team": full}, now)
    authorizer.authorize(scope, {**body, "id": "sample-held"}, now)


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)
