"""The totals of a run log as one object, to compare with what another tool says of the same file."""

from __future__ import annotations

from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from runs_analytics.analytics import history, usage
from runs_analytics.analytics.asking import Ask
from runs_analytics.analytics.distribution import percentiles
from runs_analytics.selection import Selection
from runs_analytics.vocabulary import NONE, Dimension

TOP_USERS = 10


def log_totals(ask: Ask, selection: Selection) -> dict[str, Any]:
    """Counts by day, hour, weekday, user, service and status, and the durations, of the selected runs.

    Returns:
        `rows`, `first`, `last` (local ISO times), `by_day`, `by_hour`, `by_weekday` (0 is Monday), `users`,
        `top_users`, `top10_share`, `by_service`, `by_status`, `failure_rate` (not succeeded among final ones),
        `duration` (seconds; percentiles within 0.5 %).
    """
    rows = usage.totals(ask, selection).runs
    bounds = history.bounds(ask, selection)
    hours = usage.over_time(ask, selection, "hour").select("bucket", "runs")
    members = _counts(ask, selection, "member")
    users = {name: count for name, count in members.items() if name != NONE}
    top = dict(sorted(users.items(), key=lambda item: (-item[1], item[0]))[:TOP_USERS])
    statuses = _counts(ask, selection, "status")
    final = sum(count for status, count in statuses.items() if status != "running")
    return {
        "rows": rows,
        "first": _local(bounds["first_started_at"], selection.zone),
        "last": _local(bounds["last_started_at"], selection.zone),
        "by_day": _by(hours, pl.col("bucket").dt.strftime("%Y-%m-%d")),
        "by_hour": _by(hours, pl.col("bucket").dt.hour()),
        "by_weekday": _by(hours, pl.col("bucket").dt.weekday() - 1),
        "users": len(users),
        "top_users": top,
        "top10_share": sum(top.values()) / rows if rows else None,
        "by_service": dict(sorted(_counts(ask, selection, "service").items())),
        "by_status": dict(sorted(statuses.items())),
        "failure_rate": (final - statuses.get("succeeded", 0)) / final if final else None,
        "duration": _durations(ask, selection, bounds["max_duration_us"]),
    }


def whole_log(ask: Ask, *, start: date | None = None, end: date | None = None) -> Selection | None:
    """The account's whole history in its own zone, or the given part of it; None when there are no runs."""
    found = ask.warehouse.frame("values/account", {"account": ask.scope.account}).row(0, named=True)
    if found["first_day"] is None:
        return None
    first, last = start or found["first_day"], end or found["last_day"]
    return Selection(first, max(first, last), ask.zone, comparison="none")


def _durations(ask: Ask, selection: Selection, max_duration_us: int | None) -> dict[str, float] | None:
    totals = usage.totals(ask, selection)
    if not totals.duration_runs or max_duration_us is None:
        return None
    found = percentiles(ask, selection, "duration_us").row(0, named=True)
    seconds = {"sum": totals.duration_us / 1e6, "mean": totals.duration_us / totals.duration_runs / 1e6}
    seconds |= {name: min(found[name], max_duration_us) / 1e6 for name in ("p50", "p95", "p99")}
    return seconds | {"max": max_duration_us / 1e6}


def _counts(ask: Ask, selection: Selection, dimension: Dimension) -> dict[str, int]:
    return dict(usage.by_value(ask, selection, dimension).select("value", "runs").iter_rows())


def _by(hours: pl.DataFrame, key: pl.Expr) -> dict[str, int]:
    grouped = hours.group_by(key.cast(pl.String).alias("key")).agg(pl.col("runs").sum()).sort("key")
    return dict(grouped.iter_rows())


def _local(naive_utc: Any, zone: str) -> str | None:
    if naive_utc is None:
        return None
    moment = naive_utc.replace(tzinfo=ZoneInfo("UTC")).astimezone(ZoneInfo(zone))
    return str(moment.replace(tzinfo=None).isoformat())
