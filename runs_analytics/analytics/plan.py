"""Decides which facts answer a question: the smallest rollup that covers it, else the runs themselves.

A rollup covers a question when it holds every dimension that the question groups or filters by, and when the
question's local days are whole days of the rollup: the day rollups are cut in the account's own zone, so another
zone needs the quarter-hour rollup, or whole days plus the runs at both edges.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, Literal

from runs_analytics.selection import Selection
from runs_analytics.vocabulary import DIMENSIONS, Dimension
from runs_analytics.zones import Shift, local_midnight, quarter_hour_of, shifts, zone_named

Facts = Literal["runs", "quarter_hour", "day", "day_cube", "day_cube_and_edges"]
Grain = Literal["total", "hour", "day", "week", "month"]
GRAINS: Final[tuple[Grain, ...]] = ("hour", "day", "week", "month")

EVERYWHERE: Final = frozenset({"kind", "status"})
"""Dimensions that every narrow rollup keeps beside its own."""

QUARTER_HOUR_DIMENSIONS: Final = frozenset({"project", "service"})
"""Dimensions of the quarter-hour rollup; others would make it as large as the runs."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The facts that answer a question, and the parameters that restrict them to its Selection."""

    facts: Facts
    params: dict[str, Any]
    local: bool
    """Whether the facts carry the question's local days themselves (`local_day`)."""


def plan(
    selection: Selection,
    account: str,
    account_zone: str,
    *,
    dimension: Dimension | None = None,
    grain: Grain = "total",
    only: Facts | None = None,
) -> Plan:
    """The smallest facts that cover a question.

    Args:
        selection: what is asked about.
        account: the account's id, from the Scope.
        account_zone: the zone in which the account's day rollups are cut.
        dimension: what the question groups by.
        grain: the time slots that it groups by.
        only: facts to use whatever they cost; for tests that compare them.
    """
    needed = {d for d, _ in selection.filters} | ({dimension} if dimension else set())
    narrow = needed - EVERYWHERE
    aligned = same_days(selection, account_zone)
    facts = only or _smallest(selection, narrow, aligned, grain)
    params = filter_params(selection, account)
    if facts in ("day", "quarter_hour"):
        params["rollup_dimension"] = next(iter(narrow), "(all)")
    if facts in ("day", "day_cube"):
        params |= {"start_day": selection.start, "end_day": selection.end}
    else:
        params |= quarter_hour_params(selection)
    if facts in ("runs", "day_cube_and_edges"):
        params |= utc_day_params(selection)
    if facts == "day_cube_and_edges":
        params |= _whole_days(selection, account_zone)
    return Plan(facts, params, local=aligned and facts in ("day", "day_cube", "runs"))


def filter_params(selection: Selection, account: str) -> dict[str, Any]:
    """The parameters that every question passes: the account and every filter, null where absent."""
    chosen = dict(selection.filters)
    params: dict[str, Any] = {d: list(chosen[d]) if d in chosen else None for d in DIMENSIONS}
    return params | {"account": account, "tags": list(selection.tags) or None}


def quarter_hour_params(selection: Selection) -> dict[str, int]:
    """The Selection's bounds in quarter-hours since 1970 UTC; the second is exclusive."""
    return {
        "start_quarter_hour": quarter_hour_of(selection.start_at),
        "stop_quarter_hour": quarter_hour_of(selection.stop_at),
    }


def utc_day_params(selection: Selection) -> dict[str, date]:
    """The UTC days that the Selection touches, both inclusive: they prune what is read."""
    last = selection.stop_at - timedelta(microseconds=1)
    return {"start_utc_day": selection.start_at.date(), "stop_utc_day": max(last, selection.start_at).date()}


def shift_params(selection: Selection) -> dict[str, list[int]]:
    """The spans of constant offset of the Selection's zone, for queries that cut local slots."""
    spans = selection_shifts(selection)
    return {
        "shift_from_quarter_hour": [s.start for s in spans],
        "shift_until_quarter_hour": [s.stop for s in spans],
        "shift_quarter_hours": [s.quarter_hours for s in spans],
    }


def selection_shifts(selection: Selection) -> tuple[Shift, ...]:
    """The spans of constant offset of the Selection's zone over its range."""
    bounds = quarter_hour_params(selection)
    return shifts(selection.zone, bounds["start_quarter_hour"], bounds["stop_quarter_hour"])


def same_days(selection: Selection, account_zone: str) -> bool:
    """Whether the Selection's local days are exactly the account's local days."""
    if selection.zone == account_zone:
        return True
    bounds = quarter_hour_params(selection)
    start, stop = bounds["start_quarter_hour"], bounds["stop_quarter_hour"]
    return shifts(selection.zone, start, stop) == shifts(account_zone, start, stop)


def _smallest(selection: Selection, narrow: set[Dimension], aligned: bool, grain: Grain) -> Facts:
    if selection.tags:
        return "runs"
    if aligned and grain != "hour":
        return "day" if len(narrow) <= 1 else "day_cube"
    if len(narrow) <= 1 and narrow <= QUARTER_HOUR_DIMENSIONS:
        return "quarter_hour"
    if grain == "total" and selection.days > 3:
        return "day_cube_and_edges"
    return "runs"


def _whole_days(selection: Selection, account_zone: str) -> dict[str, Any]:
    """The account's whole local days inside the Selection, as dates and as quarter-hours."""
    zone = zone_named(account_zone)
    first = selection.start_at.astimezone(zone).date()
    if local_midnight(first, zone) < selection.start_at:
        first += timedelta(days=1)
    stop = selection.stop_at.astimezone(zone).date()
    if local_midnight(stop, zone) > selection.stop_at:
        stop -= timedelta(days=1)
    stop = max(stop, first)
    return {
        "start_day": first,
        "end_day": stop - timedelta(days=1),
        "whole_start_quarter_hour": quarter_hour_of(local_midnight(first, zone)),
        "whole_stop_quarter_hour": quarter_hour_of(local_midnight(stop, zone)),
    }


def naive_utc(moment: datetime) -> datetime:
    """A moment as the warehouse stores it: UTC without a zone."""
    return moment.astimezone(UTC).replace(tzinfo=None)
