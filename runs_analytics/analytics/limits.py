"""How an account's limits stand, what they refused, and what went past them; the same for page, API and export."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from runs_analytics.control.authorizations import Authorization, list_refused
from runs_analytics.control.limits import (
    Crossing,
    LimitStatus,
    Overrun,
    limit_statuses,
    list_crossings,
    list_overruns,
)
from runs_analytics.money.amounts import decimal_string
from runs_analytics.money.limits import Limit
from runs_analytics.roles import require
from runs_analytics.scope import Scope
from runs_analytics.stores import Stores

NEWEST: Final = 200
"""Refusals, overruns and crossings that are shown."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Every limit as it stands at a moment, and the newest of what happened at them."""

    statuses: tuple[LimitStatus, ...]
    refused: tuple[Authorization, ...]
    overruns: tuple[Overrun, ...]
    crossings: tuple[Crossing, ...]


def standing(stores: Stores, scope: Scope, now: datetime) -> Limits:
    """The limits of the scope's account, from one moment of the control store.

    Raises:
        NotFound: when the account does not exist.
    """
    require(scope, "limits.read")
    with stores.control.read() as connection:
        return Limits(
            limit_statuses(connection, scope, now=now),
            list_refused(connection, scope, limit=NEWEST),
            list_overruns(connection, scope, limit=NEWEST),
            list_crossings(connection, scope, limit=NEWEST),
        )


def limit_json(limit: Limit) -> dict[str, Any]:
    """A limit as API and command line write it; amounts as decimals."""
    return {
        "id": limit.id,
        "dimension": limit.dimension,
        "value": limit.value,
        "window": limit.window,
        "measure": limit.measure,
        "amount": decimal_string(limit.amount_nano),
        "hard": limit.is_hard,
        "thresholds": list(limit.thresholds),
        "forecast_percent": limit.forecast_percent,
    }


def status_json(status: LimitStatus) -> dict[str, Any]:
    """A limit with how it stands for one value, as API and command line write it."""
    use, period = status.use, status.period
    return limit_json(status.limit) | {
        "of": status.value,
        "spent": decimal_string(use.settled_nano),
        "held": decimal_string(use.held_nano),
        "overrun": decimal_string(use.overrun_nano),
        "left": decimal_string(status.left_nano),
        "crossed_percent": status.crossed_percent,
        "starts_at": period.starts_at.isoformat().replace("+00:00", "Z"),
        "resets_at": period.resets_at.isoformat().replace("+00:00", "Z"),
    }
