"""Forecasts of month ends, kept as they were made; nothing of them is ever changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Final, Literal

import sqlalchemy as sa

from runs_analytics.control.schema_forecasts import kept_forecasts
from runs_analytics.scope import Scope

KeptMeasure = Literal["runs", "credits", "cost"]

_KEY: Final = ("measure", "month", "made_on")


@dataclass(frozen=True, slots=True)
class KeptForecast:
    """What a measure was forecast to be at a month's end; amounts are billionths, of runs too."""

    measure: KeptMeasure
    month: date
    """Its first day."""

    made_on: date
    """The local day, of which nothing is known yet: it learned from the whole days before."""

    made_at: datetime
    used_nano: int
    """Used of the month before `made_on`."""

    point_nano: int
    lower_80_nano: int
    upper_80_nano: int
    lower_95_nano: int
    upper_95_nano: int
    learned_days: int
    models: tuple[tuple[str, float], ...]
    """Names and weights, heaviest first."""

    is_made_later: bool
    """Made after its day from the runs of the days before it, as runs that came in later count in it."""


def keep_forecasts(connection: sa.Connection, scope: Scope, made: Sequence[KeptForecast]) -> int:
    """Keep those that there is none of yet for their measure, month and day; how many that were."""
    added = 0
    for one in made:
        known = kept_days(connection, scope, one.measure, one.made_on, one.made_on)
        if one.made_on not in known:
            row = asdict(one) | {"models": [list(model) for model in one.models]}
            connection.execute(sa.insert(kept_forecasts).values(account=scope.account, **row))
            added += 1
    return added


def kept_days(
    connection: sa.Connection, scope: Scope, measure: KeptMeasure, first: date, last: date
) -> set[date]:
    """The days from first to last on which a forecast was kept."""
    found = connection.execute(
        sa.select(kept_forecasts.c.made_on).where(
            kept_forecasts.c.account == scope.account,
            kept_forecasts.c.measure == measure,
            kept_forecasts.c.made_on.between(first, last),
        )
    )
    return set(found.scalars())


def list_kept(
    connection: sa.Connection, scope: Scope, measure: KeptMeasure, first_month: date
) -> tuple[KeptForecast, ...]:
    """Every kept forecast of the months from one on, by month and day."""
    columns = [kept_forecasts.c[name] for name in KeptForecast.__dataclass_fields__]
    found = connection.execute(
        sa.select(*columns)
        .where(
            kept_forecasts.c.account == scope.account,
            kept_forecasts.c.measure == measure,
            kept_forecasts.c.month >= first_month,
        )
        .order_by(*(kept_forecasts.c[name] for name in _KEY))
    )
    return tuple(
        KeptForecast(**{**row, "models": tuple((name, weight) for name, weight in row["models"])})
        for row in found.mappings()
    )
