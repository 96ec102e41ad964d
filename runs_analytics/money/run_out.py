"""When credits run out if usage goes on at a rate, or as a forecast says."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from runs_analytics.money.grants import Grant, burn
from runs_analytics.money.periods import following, period_of
from runs_analytics.money.plans import ALLOWANCE_PRIORITY, Plan

HORIZON: Final = timedelta(days=366)
_STEP: Final = timedelta(hours=6)


def course(
    left: Sequence[tuple[Grant, int]],
    overage_nano: int,
    per_day_nano: Sequence[int],
    now: datetime,
    zone: ZoneInfo,
    plan: Plan | None = None,
) -> tuple[list[tuple[datetime, int]], datetime | None]:
    """The balance every six hours from now until it is used up, and when that is; None: not within a year.

    Grants expire on the way and the plan's allowance comes with each period. What rolls over and what is topped up
    by itself is left out, so that the date is the earliest likely one.

    Args:
        left: grants with the billionths left of each, those that start later included.
        overage_nano: what is owed, which the first credits pay.
        per_day_nano: billionths used in each 24 hours from now on; the last one is that of all that follow.
        now: aware.
        zone: the account's.
    """
    grants = {grant.id: grant for grant, _ in left}
    rest = {grant.id: nano for grant, nano in left}
    period = period_of(now, plan.window, zone) if plan else None
    steps_nano = [-(-nano * (_STEP // timedelta(hours=1)) // 24) for nano in per_day_nano]
    owed, points, moment = overage_nano, [], now
    while moment <= now + HORIZON:
        while plan and period and period.resets_at <= moment:
            period = following(period, zone)
            if plan.allowance_nano:
                made = Grant(
                    f"next:{period.first_day}", "allowance", plan.allowance_nano, ALLOWANCE_PRIORITY,
                    period.starts_at, period.resets_at, period.starts_at,
                )  # fmt: skip
                grants[made.id], rest[made.id] = made, made.amount_nano
        taken = burn(grants.values(), rest, owed, moment)
        for grant_id, part in taken.parts:
            rest[grant_id] -= part
        owed = taken.uncovered_nano
        balance_nano = sum(rest[g.id] for g in grants.values() if g.is_open(moment)) - owed
        points.append((moment, balance_nano))
        if balance_nano <= 0:
            return points, moment
        day = (moment - now) // timedelta(days=1)
        if not any(steps_nano[min(day, len(steps_nano) - 1) :]):
            return points, None
        owed += steps_nano[min(day, len(steps_nano) - 1)]
        moment += _STEP
    return points, None
